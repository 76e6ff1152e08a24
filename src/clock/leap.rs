//! Leap seconds: none is smeared; near one the time is not told.
//!
//! POSIX time has no name for 23:59:60: the kernel repeats 23:59:59 (or leaves it out). Within the accuracy of that, no
//! honest time can be given (EN 319 421 TIS-7.7).

const US_PER_S: i64 = 1_000_000;
const S_PER_DAY: i64 = 86_400;

/// Room on each side of a leap second beside the accuracy: the kernel repeats or skips a whole second.
const MARGIN_US: i64 = US_PER_S;

/// Whether a second is added or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeapKind {
    /// The day's last minute has 61 seconds.
    Insert,
    /// The day's last minute has 59 seconds.
    Delete,
}

/// A leap second and when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leap {
    /// Added or left out.
    pub kind: LeapKind,
    /// The UTC midnight that it stands before, in seconds since 1970.
    pub midnight_unix_s: i64,
}

impl Leap {
    /// The leap second announced at `unix_us`: servers and the kernel mean the end of the current UTC day.
    #[must_use]
    pub fn announced_at(kind: LeapKind, unix_us: i64) -> Self {
        let day = unix_us.div_euclid(US_PER_S * S_PER_DAY);
        Self { kind, midnight_unix_s: day.saturating_add(1).saturating_mul(S_PER_DAY) }
    }

    /// The first moment at which the time is not told, in microseconds since 1970: 23:59:59 less accuracy and margin.
    #[must_use]
    pub fn window_start_us(&self, accuracy_us: u32) -> i64 {
        let last_second_us = self.midnight_unix_s.saturating_sub(1).saturating_mul(US_PER_S);
        last_second_us.saturating_sub(MARGIN_US).saturating_sub(i64::from(accuracy_us))
    }

    /// The first moment after it at which a check counts again: 00:00:00 plus accuracy and margin.
    #[must_use]
    pub fn window_end_us(&self, accuracy_us: u32) -> i64 {
        let midnight_us = self.midnight_unix_s.saturating_mul(US_PER_S);
        midnight_us.saturating_add(MARGIN_US).saturating_add(i64::from(accuracy_us))
    }

    /// Whether the time is not told at `unix_us` because of this leap second.
    #[must_use]
    pub fn covers(&self, unix_us: i64, accuracy_us: u32) -> bool {
        unix_us >= self.window_start_us(accuracy_us) && unix_us < self.window_end_us(accuracy_us)
    }

    /// By how much the kernel steps its clock for it, in microseconds.
    #[must_use]
    pub fn step_us(&self) -> i64 {
        match self.kind {
            LeapKind::Insert => -US_PER_S,
            LeapKind::Delete => US_PER_S,
        }
    }
}

impl std::fmt::Display for Leap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            LeapKind::Insert => "an added",
            LeapKind::Delete => "a left out",
        };
        match jiff::Timestamp::from_second(self.midnight_unix_s) {
            Ok(midnight) => write!(f, "{kind} leap second before {midnight}"),
            Err(_) => write!(f, "{kind} leap second before second {} of 1970", self.midnight_unix_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2016-12-31T23:59:60Z stood before 2017-01-01T00:00:00Z, second 1,483,228,800.
    const MIDNIGHT_S: i64 = 1_483_228_800;
    const MIDNIGHT_US: i64 = MIDNIGHT_S * US_PER_S;

    #[test]
    fn an_announcement_means_the_end_of_the_utc_day() {
        let leap = Leap { kind: LeapKind::Insert, midnight_unix_s: MIDNIGHT_S };
        assert_eq!(Leap::announced_at(LeapKind::Insert, MIDNIGHT_US - 1), leap);
        assert_eq!(Leap::announced_at(LeapKind::Insert, MIDNIGHT_US - S_PER_DAY * US_PER_S), leap);
        assert_eq!(Leap::announced_at(LeapKind::Insert, MIDNIGHT_US).midnight_unix_s, MIDNIGHT_S + S_PER_DAY);
        assert_eq!(Leap::announced_at(LeapKind::Delete, -1).midnight_unix_s, 0);
    }

    #[test]
    fn the_window_is_the_second_with_accuracy_and_margin() {
        let leap = Leap { kind: LeapKind::Insert, midnight_unix_s: MIDNIGHT_S };
        let accuracy_us = 250_000;
        // 23:59:59 - 1 s - 0.25 s.
        assert!(!leap.covers(MIDNIGHT_US - 2_250_001, accuracy_us));
        assert!(leap.covers(MIDNIGHT_US - 2_250_000, accuracy_us));
        assert!(leap.covers(MIDNIGHT_US - 1, accuracy_us));
        assert!(leap.covers(MIDNIGHT_US, accuracy_us));
        assert!(leap.covers(MIDNIGHT_US + 1_249_999, accuracy_us));
        assert!(!leap.covers(MIDNIGHT_US + 1_250_000, accuracy_us));
        assert!(!leap.covers(MIDNIGHT_US - S_PER_DAY * US_PER_S, accuracy_us));
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        for at in [i64::MIN, i64::MAX] {
            let leap = Leap::announced_at(LeapKind::Delete, at);
            assert!(leap.window_start_us(u32::MAX) <= leap.window_end_us(u32::MAX));
            assert!(!leap.to_string().is_empty());
        }
        let leap = Leap { kind: LeapKind::Insert, midnight_unix_s: MIDNIGHT_S };
        assert_eq!(leap.to_string(), "an added leap second before 2017-01-01T00:00:00Z");
    }
}
