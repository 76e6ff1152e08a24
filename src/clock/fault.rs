//! Why a clock is not trusted.

use std::io;

use super::Leap;

/// Why the time can't be trusted. Display tells the operator what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockFault {
    /// The source has not answered yet.
    #[error("the clock has not been held against its time source yet; wait for the first check")]
    NotYetChecked,
    /// The last good check is too long ago.
    #[error(
        "the clock was last held against its time source {age_s} s ago, at most {limit_s} s are allowed; see why the source does not answer"
    )]
    Stale {
        /// Seconds since the last good check.
        age_s: u64,
        /// The setting, in seconds.
        limit_s: u64,
    },
    /// The source itself has had no measurement for too long.
    #[error(
        "{witness} was last synchronised {age_s} s ago, at most {limit_s} s are allowed; see why its servers do not answer"
    )]
    SourceStale {
        /// Who said so.
        witness: Witness,
        /// Seconds since the source's last measurement.
        age_s: u64,
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// The error's bound is beyond the declared accuracy.
    #[error(
        "the clock may be wrong by {error_us} µs, which is beyond the declared accuracy of {limit_us} µs; set the clock right (chronyd or its like does)"
    )]
    OutOfAccuracy {
        /// The bound on the error, in microseconds.
        error_us: u64,
        /// The declared accuracy, in microseconds.
        limit_us: u32,
    },
    /// The clock jumped since it was last held against its source.
    #[error(
        "the clock was stepped by {by_us} µs and the new time is not confirmed yet; wait for the next check, and find out who set it"
    )]
    Stepped {
        /// By how much, in microseconds; negative is back.
        by_us: i64,
    },
    /// A leap second is about to happen, happens, or was not confirmed since.
    #[error("{leap}: the time is not told near it; wait until it is over")]
    LeapSecond {
        /// The leap second.
        leap: Leap,
    },
    /// The source says that it is not synchronised.
    #[error("{witness}; the time is told again once it is synchronised")]
    Unsynchronised {
        /// Who said so.
        witness: Witness,
    },
    /// The servers answer, but fewer than a majority of those configured agree.
    #[error(
        "only {agreeing} of {configured} configured time servers agree on the time, a majority must; find the server that is wrong"
    )]
    NoMajority {
        /// The largest number whose intervals have a point in common.
        agreeing: usize,
        /// How many are configured.
        configured: usize,
    },
    /// The source could not be asked.
    #[error("the time source could not be asked: {reason}")]
    SourceFailed {
        /// Why.
        reason: SourceFailure,
    },
}

/// Who says that the clock is not synchronised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Witness {
    /// chronyd's leap status is "Not synchronised".
    Chronyd,
    /// chronyd serves its own clock (its `local` directive), which is no reference.
    ChronydLocal,
    /// The kernel's STA_UNSYNC flag is set.
    Kernel,
}

impl std::fmt::Display for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Chronyd => "chronyd is not synchronised (see `chronyc sources`)",
            Self::ChronydLocal => {
                "chronyd follows no server but its own clock (see `chronyc sources` and the `local` directive)"
            }
            Self::Kernel => {
                "the kernel says that nothing disciplines its clock (see `timedatectl` or `chronyc tracking`)"
            }
        })
    }
}

/// Why a source could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFailure {
    /// chronyc could not be started.
    #[error("chronyc could not be run ({kind}); install chrony, or set the command's path in the [clock] section")]
    CommandNotRun {
        /// The operating system's answer.
        kind: io::ErrorKind,
    },
    /// chronyc did not end in time.
    #[error("chronyc did not answer within {limit_ms} ms; see whether chronyd runs")]
    CommandTimedOut {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// chronyc said no.
    #[error("chronyc failed; see whether chronyd runs and takes commands (`chronyc tracking`)")]
    CommandFailed,
    /// chronyc wrote more than `tracking` is.
    #[error("chronyc wrote more than {limit_bytes} octets; is it chronyc?")]
    OutputTooLong {
        /// The limit, in octets.
        limit_bytes: usize,
    },
    /// chronyc's output is not what it should be.
    #[error("chronyc's answer has no usable {field}; is it chronyc of chrony 3 or 4?")]
    OutputMalformed {
        /// The field that can't be read.
        field: &'static str,
    },
    /// Fewer than a majority of the servers answered.
    #[error(
        "{answered} of {configured} configured time servers answered usably, a majority must; see the network and the servers' names"
    )]
    TooFewAnswers {
        /// How many answered.
        answered: usize,
        /// How many are configured.
        configured: usize,
    },
    /// The clock was stepped while the source was asked.
    #[error("the clock was stepped while the source was asked; it will be asked again")]
    SteppedMeanwhile,
    /// A system call failed.
    #[error("the operating system refused a clock call (errno {errno})")]
    SystemCall {
        /// The error's number.
        errno: i32,
    },
    /// The clock was stopped.
    #[error("the clock's thread has ended; restart the server")]
    Stopped,
}
