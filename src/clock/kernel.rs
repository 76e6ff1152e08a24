//! The kernel's own account of its clock (adjtimex(2)).
//!
//! The daemon that disciplines the clock writes the maximum error, and the kernel lets it grow by 500 ppm until the
//! next time; a step made by anybody but the daemon sets STA_UNSYNC and the largest error.

use super::kernel_ffi::{KernelStatus, kernel_status};
use super::measure::{Measurement, Outcome, Unmeasured};
use super::{ClockFault, LeapKind, SourceFailure, Witness};

/// Asks the kernel.
pub(super) fn measure() -> Outcome {
    match kernel_status() {
        Ok(status) => outcome(status),
        Err(errno) => Err(Unmeasured::Silent(SourceFailure::SystemCall { errno })),
    }
}

fn outcome(kernel: KernelStatus) -> Outcome {
    let unsynchronised = Unmeasured::Bad(ClockFault::Unsynchronised { witness: Witness::Kernel });
    if kernel.status & libc::STA_UNSYNC != 0 || kernel.state == libc::TIME_ERROR {
        return Err(unsynchronised);
    }
    let error_us = u64::try_from(kernel.max_error_us).map_err(|_| unsynchronised)?;
    // After a leap second the flag stays until the daemon takes it away; the state is then TIME_WAIT.
    let over = matches!(kernel.state, libc::TIME_OOP | libc::TIME_WAIT);
    let leap = if over {
        None
    } else if kernel.status & libc::STA_INS != 0 {
        Some(LeapKind::Insert)
    } else if kernel.status & libc::STA_DEL != 0 {
        Some(LeapKind::Delete)
    } else {
        None
    };
    Ok(Measurement { error_us, floor_us: 0, leap, evidence: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(state: i32, status: i32, max_error_us: i64) -> Outcome {
        outcome(KernelStatus { state, status, max_error_us })
    }

    #[test]
    fn flags_and_error() {
        let bad = Err(Unmeasured::Bad(ClockFault::Unsynchronised { witness: Witness::Kernel }));
        let good = |leap| Ok(Measurement { error_us: 1_500, floor_us: 0, leap, evidence: None });
        assert_eq!(kernel(libc::TIME_OK, libc::STA_PLL, 1_500), good(None));
        assert_eq!(kernel(libc::TIME_OK, libc::STA_UNSYNC, 1_500), bad);
        assert_eq!(kernel(libc::TIME_ERROR, 0, 1_500), bad);
        assert_eq!(kernel(libc::TIME_OK, 0, -1), bad);
        assert_eq!(kernel(libc::TIME_INS, libc::STA_INS, 1_500), good(Some(LeapKind::Insert)));
        assert_eq!(kernel(libc::TIME_OK, libc::STA_DEL, 1_500), good(Some(LeapKind::Delete)));
        assert_eq!(kernel(libc::TIME_WAIT, libc::STA_INS, 1_500), good(None));
    }

    #[test]
    fn the_kernel_answers() {
        assert!(kernel_status().is_ok());
    }
}
