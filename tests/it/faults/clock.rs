//! The clock guard on a whole server, its time servers real.

use libtest_mimic::Failed;
use noonmark::asn1::FailureBit;

use super::{PATIENCE, ask, assert_refuses, installation, wait_for_reason};
use crate::support::chrony::{Chronyd, Reference};
use crate::support::timestamp::Outcome;

pub(super) fn wrong_time_server() -> Result<(), Failed> {
    let right = Chronyd::start(Reference::Own);
    let follower = |shifted_ms| Reference::Other { port: right.port, shifted_ms };
    let mut other = Chronyd::start(follower(0));
    let installation = installation(&[]);
    installation.reconfigure(
        "source = \"system\"",
        &format!(
            "source = \"sntp\"\nservers = [\"{}\", \"{}\"]\ninterval_s = 1\nstale_after_s = 4",
            right.server(),
            other.server()
        ),
    );
    let server = installation.serve();
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    other.restart(follower(2_500));
    wait_for_reason(&server, "clock", "1 of 2");
    assert_refuses(&server, FailureBit::TimeNotAvailable);
    other.restart(follower(0));
    server.wait_until_ready(PATIENCE);
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    Ok(())
}
