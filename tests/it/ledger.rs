//! The ledger: groups, the chain's proof, and what happens when the store fails in mid-life.

mod commits;
mod document;
mod faults;
mod tampering;

use std::sync::Arc;

use libtest_mimic::Trial;
use noonmark::ledger::{Completion, Event, Ledger, LedgerError, LedgerSettings, Recorded};
use noonmark::store::Store;

use crate::store::{Backend, Kind};

type Test = fn(&Backend);

const ON_BOTH: [(&str, Test); 6] = [
    ("every_completion_fires_once_and_numbers_are_dense", commits::many_threads),
    ("stop_commits_what_waits", commits::stop),
    ("a_start_after_a_crash_is_recorded", commits::after_crash),
    ("two_ledgers_on_one_lease_and_one_goes_on", faults::two_ledgers),
    ("an_intact_chain_passes_and_a_tampered_one_is_named", tampering::named),
    ("a_chain_is_verified_while_it_grows", tampering::growing),
];

const ON_SQLITE: [(&str, Test); 7] = [
    ("a_long_reader_holds_nothing_up", faults::long_reader),
    ("a_locked_store_is_down_and_comes_back", faults::locked),
    ("a_changed_servers_row_starts_a_new_chain", faults::changed_row),
    ("a_full_queue_is_told", commits::full),
    ("a_panicking_completion_takes_no_other_with_it", commits::panicking),
    ("the_write_ahead_log_stays_bounded", commits::write_ahead_log),
    ("closed_segments_are_indexed_beside_the_commits", commits::indexed),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut add = |kind: Kind, name: &str, test: Test| {
        let trial = Trial::test(format!("ledger::{}::{name}", kind.name()), move || {
            test(&Backend::fresh(kind));
            Ok(())
        });
        trials.push(trial.with_ignored_flag(!kind.available()));
    };
    for (name, test) in ON_BOTH {
        add(Kind::Sqlite, name, test);
        add(Kind::Postgres, name, test);
    }
    for (name, test) in ON_SQLITE {
        add(Kind::Sqlite, name, test);
    }
    trials.push(
        Trial::test("ledger::the_documents_python_verifies_a_chain", document::python)
            .with_ignored_flag(!document::has_python()),
    );
    trials
}

/// A ledger as a server has it.
fn start(store: &Arc<Store>) -> Arc<Ledger> {
    let lease = store.lease_server("serve").unwrap();
    Ledger::start(Arc::clone(store), lease, LedgerSettings::default()).unwrap()
}

fn event(n: u64) -> Event {
    Event::new("test", serde_json::json!({ "n": n }))
}

/// A completion that sends what it hears.
fn tell(sender: &std::sync::mpsc::Sender<Result<Recorded, LedgerError>>) -> Completion {
    let sender = sender.clone();
    Box::new(move |result| sender.send(result).unwrap())
}
