//! One contract, held by both databases: each function runs on SQLite and on PostgreSQL.

mod backend;
mod catalog;
mod chain;
mod leases;
mod search;

use libtest_mimic::Trial;

pub use backend::{Backend, Kind, SEGMENT, finish, token};

type Contract = fn(&Backend);

const CONTRACTS: [(&str, Contract); 16] = [
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
