//! What one reading of the clock is worth: pure arithmetic over the last good check.

use super::instants::Instants;
use super::{ClockFault, Leap, Reading};

/// How fast a clock may leave the true time between two checks, in parts per million: the most that the kernel slews
/// by (MAXFREQ), and the rate at which it lets its own maximum error grow. Crystals are better than 100.
pub(super) const DRIFT_PPM: u32 = 500;

/// The last good check: all that a reading is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// The wall clock less the raw clock at the check.
    pub(super) difference_us: i64,
    /// The raw clock at the check.
    pub(super) raw_us: i64,
    /// The bound on the error at the check.
    pub(super) error_us: u32,
    /// A reading never claims less than this.
    pub(super) floor_us: u32,
    /// The leap second that is announced.
    pub(super) leap: Option<Leap>,
}

/// The settings, in the units that judging wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) accuracy_us: u32,
    pub(super) stale_after_us: i64,
    pub(super) step_threshold_us: u32,
}

/// How much a clock may have drifted in `elapsed_us`.
pub(super) fn drift_us(elapsed_us: i64) -> u64 {
    elapsed_us.unsigned_abs().saturating_mul(u64::from(DRIFT_PPM)) / 1_000_000
}

impl Checked {
    /// By how much the wall clock was moved since the check, as the raw clock tells.
    pub(super) fn moved_us(&self, now: Instants) -> i64 {
        now.difference_us().saturating_sub(self.difference_us)
    }

    /// The size of the step since the check, if it was one: more than slewing explains, and, with what slewing may have
    /// done beside it, more than the threshold.
    pub(super) fn stepped_us(&self, limits: &Limits, now: Instants) -> Option<i64> {
        let moved_us = self.moved_us(now);
        let drift_us = drift_us(now.raw_us.saturating_sub(self.raw_us));
        let size_us = moved_us.unsigned_abs();
        let step = size_us > drift_us && size_us.saturating_add(drift_us) > u64::from(limits.step_threshold_us);
        step.then_some(moved_us)
    }

    /// The reading at `now`, or why there is none.
    pub(super) fn judge(&self, limits: &Limits, now: Instants) -> Result<Reading, ClockFault> {
        let elapsed_us = now.raw_us.saturating_sub(self.raw_us);
        // The raw clock never goes back, but for the width of a pair of readings.
        if elapsed_us > limits.stale_after_us || elapsed_us < -limits.stale_after_us {
            return Err(ClockFault::Stale {
                age_s: elapsed_us.unsigned_abs() / 1_000_000,
                limit_s: limits.stale_after_us.unsigned_abs() / 1_000_000,
            });
        }
        // No end: a check after the leap second takes it away.
        if let Some(leap) = self.leap
            && now.real_us >= leap.window_start_us(limits.accuracy_us)
        {
            return Err(ClockFault::LeapSecond { leap });
        }
        if let Some(by_us) = self.stepped_us(limits, now) {
            return Err(ClockFault::Stepped { by_us });
        }
        // True time minus wall clock changed by at most what the wall clock was moved against the raw clock, and what
        // the raw clock itself strayed.
        let error_us = u64::from(self.error_us)
            .saturating_add(self.moved_us(now).unsigned_abs())
            .saturating_add(drift_us(elapsed_us));
        match u32::try_from(error_us) {
            Ok(within) if within <= limits.accuracy_us => {
                Ok(Reading { unix_us: now.real_us, error_us: within.max(self.floor_us) })
            }
            _ => Err(ClockFault::OutOfAccuracy { error_us, limit_us: limits.accuracy_us }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::LeapKind;

    const LIMITS: Limits = Limits { accuracy_us: 500_000, stale_after_us: 64_000_000, step_threshold_us: 500_000 };
    const CHECKED: Checked =
        Checked { difference_us: 1_000_000_000, raw_us: 5_000_000, error_us: 1_000, floor_us: 0, leap: None };

    fn after(elapsed_us: i64, moved_us: i64) -> Instants {
        let raw_us = CHECKED.raw_us + elapsed_us;
        Instants { real_us: raw_us + CHECKED.difference_us + moved_us, raw_us }
    }

    #[test]
    fn the_error_grows_with_time_and_with_what_the_clock_was_moved() {
        let error = |elapsed, moved| CHECKED.judge(&LIMITS, after(elapsed, moved)).map(|reading| reading.error_us);
        assert_eq!(error(0, 0), Ok(1_000));
        assert_eq!(error(10_000_000, 0), Ok(6_000));
        assert_eq!(error(10_000_000, -400), Ok(6_400));
        assert_eq!(error(0, 300_000), Ok(301_000));
        let trusted_by_declaration = Checked { error_us: 0, floor_us: 500_000, ..CHECKED };
        assert_eq!(trusted_by_declaration.judge(&LIMITS, after(10, 0)).unwrap().error_us, 500_000);
    }

    #[test]
    fn a_step_in_either_direction_is_refused() {
        for by_us in [500_001, -500_001, 3_600_000_000, -86_400_000_000, i64::from(i32::MAX) * 1_000_000] {
            assert_eq!(CHECKED.judge(&LIMITS, after(0, by_us)), Err(ClockFault::Stepped { by_us }));
        }
        // After 10 s slewing may hide 5 ms of a step.
        assert_eq!(CHECKED.stepped_us(&LIMITS, after(10_000_000, 494_000)), None);
        assert_eq!(CHECKED.stepped_us(&LIMITS, after(10_000_000, 495_001)), Some(495_001));
    }

    #[test]
    fn a_move_below_the_threshold_counts_as_error() {
        let wide = Checked { error_us: 300_000, ..CHECKED };
        assert_eq!(
            wide.judge(&LIMITS, after(0, -250_000)),
            Err(ClockFault::OutOfAccuracy { error_us: 550_000, limit_us: 500_000 })
        );
    }

    #[test]
    fn an_old_check_is_stale() {
        assert!(CHECKED.judge(&LIMITS, after(64_000_000, 0)).is_ok());
        assert_eq!(CHECKED.judge(&LIMITS, after(65_000_000, 0)), Err(ClockFault::Stale { age_s: 65, limit_s: 64 }));
        assert!(matches!(CHECKED.judge(&LIMITS, after(-65_000_000, 0)), Err(ClockFault::Stale { .. })));
    }

    #[test]
    fn no_time_is_told_from_the_leap_second_on() {
        let midnight_us = 1_483_228_800_000_000;
        let leap = Leap::announced_at(LeapKind::Insert, midnight_us - 10_000_000);
        let raw_us = 7_000_000;
        let checked = Checked { difference_us: midnight_us - raw_us, raw_us, leap: Some(leap), ..CHECKED };
        let at = |from_midnight_us: i64| {
            let now = Instants { real_us: midnight_us + from_midnight_us, raw_us: raw_us + from_midnight_us };
            checked.judge(&LIMITS, now).map(|reading| reading.unix_us)
        };
        assert_eq!(at(-2_500_001), Ok(midnight_us - 2_500_001));
        assert_eq!(at(-2_500_000), Err(ClockFault::LeapSecond { leap }));
        assert_eq!(at(0), Err(ClockFault::LeapSecond { leap }));
        assert_eq!(at(30_000_000), Err(ClockFault::LeapSecond { leap }));
        // The kernel's own step for it is not reported as somebody's.
        let repeated = Instants { real_us: midnight_us - 900_000, raw_us: raw_us + 100_000 };
        assert_eq!(checked.judge(&LIMITS, repeated), Err(ClockFault::LeapSecond { leap }));
    }

    proptest! {
        /// Whatever happens to the clocks, a reading that is given stands within its bound of the true time.
        #[test]
        fn a_given_reading_is_within_its_bound(
            error_us in 0_u32..1_000_000,
            true_error_share in -1.0_f64..=1.0,
            elapsed_us in 0_i64..100_000_000,
            raw_drift_ppm in -500_i64..=500,
            moved_us in -2_000_000_i64..2_000_000,
        ) {
            let checked = Checked { error_us, ..CHECKED };
            let now = after(elapsed_us, moved_us);
            #[expect(clippy::as_conversions, reason = "a test's choice of a share")]
            let wrong_at_check_us = (f64::from(error_us) * true_error_share) as i64;
            // True time now, from the true time at the check and the raw clock's own drift.
            let true_at_check_us = checked.raw_us + checked.difference_us - wrong_at_check_us;
            let true_now_us = true_at_check_us + elapsed_us + elapsed_us * raw_drift_ppm / 1_000_000;
            if let Ok(reading) = checked.judge(&LIMITS, now) {
                prop_assert!((reading.unix_us - true_now_us).unsigned_abs() <= u64::from(reading.error_us) + 1);
                prop_assert!(reading.error_us <= LIMITS.accuracy_us);
            }
        }

        #[test]
        fn no_instant_makes_it_panic(real_us: i64, raw_us: i64, difference_us: i64, checked_us: i64, error_us: u32) {
            let checked = Checked { difference_us, raw_us: checked_us, error_us, floor_us: 0, leap: None };
            let _ = checked.judge(&LIMITS, Instants { real_us, raw_us });
        }
    }
}
