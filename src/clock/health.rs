//! What an operator wants to know of the clock.

use std::time::Duration;

use super::{ClockFault, Leap, Reading};

/// The clock's state: for `check`, `/readyz` and the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockHealth {
    /// A reading taken now, or why there is none.
    pub reading: Result<Reading, ClockFault>,
    /// The source's name: chrony, sntp, kernel, system, manual.
    pub source: &'static str,
    /// What this source does not protect against.
    pub warning: Option<&'static str>,
    /// The declared accuracy, in microseconds.
    pub accuracy_us: u32,
    /// Time since the last good check.
    pub last_good_check: Option<Duration>,
    /// What the last check found wrong; the time may still be trusted on the strength of the one before.
    pub last_failure: Option<ClockFault>,
    /// The leap second that is announced.
    pub leap: Option<Leap>,
    /// What each server said in the last check: for chrony the one chronyd, for sntp each server.
    pub servers: Vec<ServerHealth>,
}

/// What one server said in the last check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHealth {
    /// The server, as configured.
    pub server: String,
    /// The server's time less this machine's, in microseconds.
    pub offset_us: Option<i64>,
    /// The bound on that offset's error, in microseconds.
    pub error_us: Option<i64>,
    /// Why there is no usable answer.
    pub problem: Option<String>,
}
