//! What asking a source yields.

use super::{ClockFault, LeapKind, SourceFailure};

/// A source's answer that the clock is good to some bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measurement {
    /// The bound on the clock's error, in microseconds.
    pub(super) error_us: u64,
    /// A reading never claims less than this, in microseconds: what a source that knows no bound is trusted with.
    pub(super) floor_us: u32,
    /// A leap second is announced for the end of the UTC day.
    pub(super) leap: Option<LeapKind>,
    /// A mark of the evidence that the answer rests on, where that is older than the question (chronyd's last
    /// measurement): after a step, an answer counts only once the mark has changed.
    pub(super) evidence: Option<i64>,
}

/// Why a source gave no measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmeasured {
    /// The source answered, and its answer is that the clock is not good: trust ends at once.
    Bad(ClockFault),
    /// The source did not answer: what was known holds until it is stale.
    Silent(SourceFailure),
}

impl From<Unmeasured> for ClockFault {
    fn from(unmeasured: Unmeasured) -> Self {
        match unmeasured {
            Unmeasured::Bad(fault) => fault,
            Unmeasured::Silent(reason) => Self::SourceFailed { reason },
        }
    }
}

pub(super) type Outcome = Result<Measurement, Unmeasured>;
