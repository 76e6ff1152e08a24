//! A clock that stands where it is put: for tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Clock, ClockFault, ClockHealth, Reading};

/// A clock that is set by hand and goes only when told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<Result<Reading, ClockFault>>);

impl ManualClock {
    /// A trusted clock that stands at `unix_us` with this bound on its error.
    #[must_use]
    pub const fn new(unix_us: i64, error_us: u32) -> Self {
        Self(Mutex::new(Ok(Reading { unix_us, error_us })))
    }

    /// Sets it, and makes it trusted.
    pub fn set(&self, unix_us: i64, error_us: u32) {
        *self.state() = Ok(Reading { unix_us, error_us });
    }

    /// Moves it on, or back; does nothing to a clock that is not trusted.
    pub fn advance_us(&self, by_us: i64) {
        if let Ok(reading) = &mut *self.state() {
            reading.unix_us = reading.unix_us.saturating_add(by_us);
        }
    }

    /// Makes it untrusted.
    pub fn fail(&self, fault: ClockFault) {
        *self.state() = Err(fault);
    }

    fn state(&self) -> MutexGuard<'_, Result<Reading, ClockFault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn read(&self) -> Result<Reading, ClockFault> {
        *self.state()
    }

    fn health(&self) -> ClockHealth {
        let reading = self.read();
        ClockHealth {
            reading,
            source: "manual",
            warning: Some("the clock is set by hand: for tests only"),
            accuracy_us: reading.map_or(0, |reading| reading.error_us),
            last_good_check: None,
            last_failure: reading.err(),
            leap: None,
            servers: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_what_it_is_told() {
        let clock = ManualClock::new(1_000, 5);
        clock.advance_us(-1);
        assert_eq!(clock.read(), Ok(Reading { unix_us: 999, error_us: 5 }));
        clock.fail(ClockFault::NotYetChecked);
        clock.advance_us(7);
        assert_eq!(clock.read(), Err(ClockFault::NotYetChecked));
        assert_eq!(clock.health().last_failure, Some(ClockFault::NotYetChecked));
        clock.set(3, 4);
        assert_eq!(clock.read(), Ok(Reading { unix_us: 3, error_us: 4 }));
    }
}
