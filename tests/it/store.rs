//! One contract, held by both databases: each function runs on SQLite and on PostgreSQL.

mod answers;
mod backend;
mod book;
mod catalog;
mod chain;
mod changes;
mod crls;
mod desk;
mod leases;
mod registry;
mod search;
mod watch;

use libtest_mimic::Trial;

pub use backend::{Backend, Kind, SEGMENT, finish, token};

type Contract = fn(&Backend);

const CONTRACTS: [(&str, Contract); 36] = [
    ("three_opens_migrate_at_once", leases::migrations),
    ("a_newer_schema_is_refused", leases::newer_schema),
    ("leases_are_exclusive_and_reused", leases::exclusive),
    ("a_lease_tells_how_the_one_before_ended", leases::after_crash),
    ("a_lost_lease_is_followed_by_a_new_chain", leases::anew),
    ("append_moves_the_chain_end", chain::append),
    ("append_from_elsewhere_writes_nothing", chain::refusals),
    ("every_column_comes_back", chain::columns),
    ("a_serial_twice_refuses_the_group", chain::serials),
    ("records_come_in_pages", chain::paging),
    ("two_writers_of_one_end_and_one_goes_on", chain::race),
    ("ordered_times_never_go_back", chain::ordered_times),
    ("imprints_are_found_in_closed_and_open_segments", search::segments),
    ("repeated_imprints_are_all_found", search::repeated),
    ("keys_move_by_compare_and_set", catalog::keys),
    ("certificates_and_profiles", catalog::certificates_and_profiles),
    ("issuers_and_their_settings", changes::issuers),
    ("an_intent_becomes_a_certificate_with_its_task", changes::issuing),
    ("a_status_changes_from_what_was_read", changes::statuses),
    ("keys_certificates_tasks_and_api_keys_change", changes::keys_and_tasks),
    ("no_change_without_its_record", changes::chain_checks),
    ("two_writers_number_changes_in_order", changes::two_writers),
    ("twenty_thousand_rows_are_imported", registry::import),
    ("a_search_is_literal_and_comes_in_pages", registry::search),
    ("an_unknown_state_is_an_error", registry::unreadable),
    ("answers_are_bound_to_their_status", answers::bound_to_their_status),
    ("an_answer_waits_for_a_change_under_way", answers::wait_for_a_change),
    ("answers_race_with_changes", answers::race),
    ("answers_fall_due", answers::due),
    ("what_is_due_comes_in_bounded_steps", answers::due_in_pages),
    ("crl_numbers_are_taken_once", crls::numbers),
    ("crls_are_published_whole_and_in_order", crls::published),
    ("what_crls_list_comes_in_pages", crls::listing),
    ("leases_on_duties", desk::leases),
    ("a_request_that_comes_twice", desk::idempotency),
    ("a_watch_wakes", watch::wakes),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        for (name, contract) in CONTRACTS {
            let trial = Trial::test(format!("store::{}::{name}", kind.name()), move || {
                contract(&Backend::fresh(kind));
                Ok(())
            });
            trials.push(trial.with_ignored_flag(!kind.available()));
        }
    }
    let cut = Trial::test("store::postgres::a_watch_whose_connection_is_cut", || {
        watch::cut(&Backend::fresh(Kind::Postgres));
        Ok(())
    });
    trials.push(cut.with_ignored_flag(!Kind::Postgres.available()));
    let slow = Trial::test("store::postgres::a_migration_waits_longer_than_a_statement_may_take", || {
        leases::slow_migration(&Backend::fresh(Kind::Postgres));
        Ok(())
    });
    trials.push(slow.with_ignored_flag(!Kind::Postgres.available()));
    let killed = Trial::test("store::postgres::changes_whose_connection_is_killed", || {
        changes::killed(&Backend::fresh(Kind::Postgres));
        Ok(())
    });
    trials.push(killed.with_ignored_flag(!Kind::Postgres.available()));
    let sqlite = |name: &str, test: fn()| {
        Trial::test(format!("store::sqlite::{name}"), move || {
            test();
            Ok(())
        })
    };
    trials.push(sqlite("a_replaced_file_is_noticed", chain::replaced_file));
    trials.push(
        Trial::test("store::postgres::a_database_that_is_not_durable_is_refused", leases::not_durable)
            .with_ignored_flag(!Kind::Postgres.available()),
    );
    trials
}
