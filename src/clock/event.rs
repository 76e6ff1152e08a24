//! What the clock tells the audit trail.

use super::{ClockFault, Leap};

/// Something that happened to the clock (EN 319 421 OVR-7.12: synchronisation, recalibration, loss of it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockEvent {
    /// The time is trusted, for the first time or again.
    Trusted {
        /// The bound on the error, in microseconds.
        error_us: u32,
    },
    /// The time is not trusted any more, or for another reason than before.
    Lost {
        /// Why.
        fault: ClockFault,
    },
    /// The clock jumped; the new time is not confirmed.
    Stepped {
        /// By how much, in microseconds; negative is back.
        by_us: i64,
    },
    /// A leap second stands at the end of this UTC day.
    LeapAnnounced {
        /// The leap second.
        leap: Leap,
    },
    /// The clock was adjusted by a second or more, and its source confirms the new time.
    Adjusted {
        /// By how much, in microseconds; negative is back.
        by_us: i64,
    },
}

impl std::fmt::Display for ClockEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trusted { error_us } => write!(f, "the clock is trusted, its error is at most {error_us} µs"),
            Self::Lost { fault } => write!(f, "the clock is not trusted: {fault}"),
            Self::Stepped { by_us } => write!(f, "the clock was stepped by {by_us} µs"),
            Self::LeapAnnounced { leap } => write!(f, "{leap} is announced"),
            Self::Adjusted { by_us } => write!(f, "the clock was adjusted by {by_us} µs, and its source confirms it"),
        }
    }
}
