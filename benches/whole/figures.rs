//! Figures: medians, microseconds, how long and how often is measured.

use std::time::Duration;

/// Interleaved pairs; the median of each column is told.
pub(crate) const PAIRS: usize = 5;
/// Seconds of load in one half of a pair.
pub(crate) const SECONDS: u32 = 5;

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

pub(crate) fn count(value: u64) -> f64 {
    f64::from(u32::try_from(value).expect("below four thousand million"))
}
