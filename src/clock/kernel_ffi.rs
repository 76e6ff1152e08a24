//! The two clock calls that the standard library lacks. The one file of this room with unsafe code.
#![expect(unsafe_code, reason = "clock_gettime and adjtimex have no safe form among our dependencies")]

use std::mem::MaybeUninit;

/// What adjtimex says of the kernel's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KernelStatus {
    /// The clock's state: TIME_OK, TIME_INS, TIME_DEL, TIME_OOP, TIME_WAIT or TIME_ERROR.
    pub(super) state: i32,
    /// The STA_ flags.
    pub(super) status: i32,
    /// The maximum error, in microseconds; the kernel lets it grow by 500 ppm between the daemon's updates.
    pub(super) max_error_us: i64,
}

/// CLOCK_MONOTONIC_RAW in microseconds; on failure the errno.
pub(super) fn monotonic_raw_us() -> Result<i64, i32> {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the pointer is to a timespec that lives through the call, and clock_gettime writes nothing but it.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, now.as_mut_ptr()) };
    if answer != 0 {
        return Err(errno());
    }
    // SAFETY: a timespec consists of integers, for which zeroes are valid, and the call has filled it.
    let now = unsafe { now.assume_init() };
    Ok(now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000))
}

/// Asks the kernel about its clock and changes nothing; on failure the errno.
pub(super) fn kernel_status() -> Result<KernelStatus, i32> {
    let mut status = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: the pointer is to a timex that lives through the call, and adjtimex writes nothing but it. `modes` is
    // zero, so that it sets nothing and needs no right.
    let state = unsafe { libc::adjtimex(status.as_mut_ptr()) };
    if state < 0 {
        return Err(errno());
    }
    // SAFETY: a timex consists of integers, for which zeroes are valid, and the call has filled it.
    let status = unsafe { status.assume_init() };
    Ok(KernelStatus { state, status: status.status, max_error_us: status.maxerror })
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
