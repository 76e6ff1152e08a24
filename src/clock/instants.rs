//! The machine's clocks, read together.
//!
//! The wall clock is compared with CLOCK_MONOTONIC_RAW: nothing steps or slews that one, and it stands still while the
//! machine is suspended, so that a step, a fast slew and a suspension all show as a change of the difference. (Against
//! CLOCK_MONOTONIC or CLOCK_BOOTTIME a slew would not show: the kernel slews all three alike.)

use std::time::{SystemTime, UNIX_EPOCH};

use super::kernel_ffi;
use super::{ClockFault, SourceFailure};

/// Both clocks are read again if that took longer than this: the thread was preempted in between, and the difference
/// would be blurred by as much. An undisturbed pair takes below 1 µs.
const TIGHT_US: i64 = 50;

/// How often they are read again; the tightest pair counts.
const TRIES: usize = 4;

/// The wall clock and the raw clock at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instants {
    /// CLOCK_REALTIME, in microseconds since 1970.
    pub(super) real_us: i64,
    /// CLOCK_MONOTONIC_RAW, in microseconds since some start.
    pub(super) raw_us: i64,
}

impl Instants {
    /// Reads both.
    pub(super) fn now() -> Result<Self, ClockFault> {
        let mut best: Option<(i64, Self)> = None;
        for _ in 0..TRIES {
            let before_us = raw_us()?;
            let real_us = real_us();
            let took_us = raw_us()?.saturating_sub(before_us);
            if best.is_none_or(|(least_us, _)| took_us < least_us) {
                best = Some((took_us, Self { real_us, raw_us: before_us.saturating_add(took_us / 2) }));
            }
            if took_us <= TIGHT_US {
                break;
            }
        }
        // TRIES is not zero, so that there is one.
        best.map(|(_, instants)| instants).ok_or(ClockFault::NotYetChecked)
    }

    /// The wall clock less the raw clock.
    pub(super) fn difference_us(self) -> i64 {
        self.real_us.saturating_sub(self.raw_us)
    }
}

fn raw_us() -> Result<i64, ClockFault> {
    kernel_ffi::monotonic_raw_us()
        .map_err(|errno| ClockFault::SourceFailed { reason: SourceFailure::SystemCall { errno } })
}

fn real_us() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_go_on_together() {
        let first = Instants::now().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let second = Instants::now().unwrap();
        assert!(second.raw_us - first.raw_us >= 19_000);
        assert!((second.difference_us() - first.difference_us()).abs() < 10_000);
        // Some time after this was written, in 2026.
        assert!(first.real_us > 1_790_000_000_000_000);
    }
}
