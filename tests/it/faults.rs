//! Whole servers under faults of real parts: token, module, database, disk, clock, and the process itself.
//!
//! What must hold in each: a client that can't be served is told so by a TimeStampResp, `/readyz` gives the reason, the
//! server is back by itself when the fault is, and every token that a client holds is on record.

mod clock;
mod database;
mod disk;
mod process;
mod proof;
mod token;

use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::asn1::FailureBit;

use crate::support::server::{Installation, Server};
use crate::support::timestamp::{Outcome, Request, outcome};
use crate::support::{chrony, postgres, softhsm};

/// How long a trial waits for what must happen; a busy machine may need most of it.
const PATIENCE: Duration = Duration::from_secs(40);

type Test = fn() -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let needing = |present: bool, name: &str, test: Test| {
        Trial::test(format!("faults::{name}"), test).with_ignored_flag(!present)
    };
    let softhsm = softhsm::module().is_some();
    let faulty = softhsm && softhsm::has_compiler();
    let postgres = postgres::available();
    vec![
        needing(softhsm, "the_tokens_directory_is_taken_away_and_given_back", token::directory_away),
        needing(faulty, "a_module_that_hangs", token::hanging_module),
        needing(faulty, "a_module_that_errs", token::failing_module),
        needing(faulty, "a_module_that_comes_back_with_another_key", token::swapped_key),
        needing(postgres, "postgresql_is_killed_and_restarted", database::killed_and_restarted),
        needing(postgres, "postgresql_that_is_not_durable_is_refused", database::not_durable),
        needing(postgres && softhsm, "two_servers_give_no_serial_twice", database::two_servers),
        needing(postgres && softhsm, "two_servers_give_ascending_times", database::two_servers_ordered),
        needing(disk::possible(), "a_full_disk", disk::full),
        needing(true, "killed_servers_have_every_token_on_record", process::killed),
        needing(process::can_trace(), "the_wal_is_synced_before_the_answer", process::synced_before_the_answer),
        needing(true, "a_stop_answers_what_was_sent", process::graceful_stop),
        needing(true, "a_second_server_on_the_same_directory_is_refused", process::second_server),
        needing(chrony::available(), "a_time_server_that_goes_wrong", clock::wrong_time_server),
    ]
}

/// The arguments of `init` where the tier does not matter: SoftHSM if it is installed, since a passphrase is stretched
/// anew at each opening, which takes a debug build a second.
fn tier() -> &'static [&'static str] {
    if softhsm::module().is_some() { &[] } else { &["--tier", "software"] }
}

/// An installation where the tier does not matter.
fn installation(arguments: &[&str]) -> Installation {
    Installation::new(&[tier(), arguments].concat())
}

/// Asks once over a connection of its own; the answer must be a TimeStampResp.
fn ask(server: &Server) -> Outcome {
    let response = server.stamp(&Request::over(b"after a fault").to_der());
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/timestamp-reply"));
    outcome(&response.body)
}

fn assert_refuses(server: &Server, bit: FailureBit) {
    assert_eq!(ask(server), Outcome::Refused(bit), "log:\n{}", server.log());
}

/// Waits until a server that can't serve has ended.
fn wait_for_end(server: &mut Server) {
    let deadline = Instant::now() + PATIENCE;
    while server.is_running() {
        assert!(Instant::now() < deadline, "the server runs on; log:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until `/readyz` is 503 and the check `name` has failed for a reason that holds `part`; gives the reason.
fn wait_for_reason(server: &Server, name: &str, part: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = server.get("/readyz");
        let report = response.json();
        let checks = report["checks"].as_array().unwrap().clone();
        let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name} in {report}"));
        let reason = check["reason"].as_str().unwrap_or_default().to_owned();
        if response.status == 503 && check["state"] == "failed" && reason.contains(part) {
            return reason;
        }
        assert!(Instant::now() < deadline, "{name} with {part:?} in vain awaited: {report}; log:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}
