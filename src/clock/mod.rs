//! The time and whether it can be trusted.
//!
//! Owns reading the machine's clock, holding it against a source (chronyd, NTP servers, the kernel), noticing
//! steps, leap seconds and staleness, and saying why the time is not trusted. Does not own setting the clock
//! (chronyd or its like does that; Noonmark never adjusts it), what a refusal looks like on the wire (`tsa`), or
//! the audit trail (events go to the closure that `app` hands in).
//!
//! Enter by [`MachineClock::start`] and [`Clock::read`]; [`detect()`] picks a source; [`ManualClock`] is for tests.
//!
//! How it hangs together: a thread of its own (`machine`) asks the source; `guard` decides what an answer means
//! and what becomes known of it ([`ClockEvent`]); what a reading needs is handed over without a lock (`published`),
//! and every reading is judged on its own (`judge`): the error grows with the time since the check, and a clock that
//! was stepped since then is refused at once.

#![deny(unsafe_code)]

mod chrony;
mod detect;
mod event;
mod fault;
mod guard;
mod health;
mod instants;
mod judge;
mod kernel;
mod kernel_ffi;
mod leap;
mod machine;
mod manual;
mod measure;
mod published;
mod settings;
mod sntp;
mod text;

pub use detect::{Detected, detect};
pub use event::ClockEvent;
pub use fault::{ClockFault, SourceFailure, Witness};
pub use health::{ClockHealth, ServerHealth};
pub use leap::{Leap, LeapKind};
pub use machine::{ClockStartError, MachineClock};
pub use manual::ManualClock;
pub use settings::{ClockSettings, ClockSettingsError, Source};
pub use text::{from_date_or_time, from_rfc3339, http_date, rfc3339};

/// A time that can be trusted, with the bound on its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX time).
    pub unix_us: i64,
    /// The bound on the error, in microseconds: UTC lies within `unix_us` ± `error_us`.
    pub error_us: u32,
}

/// A clock that says when it can't be trusted.
pub trait Clock: Send + Sync {
    /// The time now. Costs a few calls of `clock_gettime` through the vDSO and takes no lock while the time is trusted.
    ///
    /// # Errors
    /// Why the time can't be trusted now; nothing may be signed with it.
    fn read(&self) -> Result<Reading, ClockFault>;

    /// What an operator wants to know of the clock.
    fn health(&self) -> ClockHealth;
}
