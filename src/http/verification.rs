//! What `/v1/verify` is handed: the service that judges, its limits, and the octets of all requests together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Unit, describe_counter, describe_histogram};

use super::problem::Problem;
use crate::config::VerificationSection;
use crate::gather::VerificationService;

/// The verification of what others signed.
pub struct Verification {
    pub(super) settings: VerificationSection,
    pub(super) service: Arc<VerificationService>,
    octets: Arc<AtomicUsize>,
}

impl Verification {
    /// By this section of the configuration.
    #[must_use]
    pub fn new(settings: VerificationSection, service: Arc<VerificationService>) -> Self {
        describe_counter!("noonmark_verifications_total", "Documents judged by the API");
        describe_histogram!(
            "noonmark_verification_seconds",
            Unit::Seconds,
            "Time from a verification request's head to its judgement, body and queue included"
        );
        Self { settings, service, octets: Arc::default() }
    }

    /// The place of a request; it holds no octets yet.
    pub(super) fn pending(&self) -> Pending {
        Pending { all: Arc::clone(&self.octets), limit: self.settings.max_pending_octets, own: AtomicUsize::new(0) }
    }
}

/// What a request holds in memory; given back when this is dropped.
pub(super) struct Pending {
    all: Arc<AtomicUsize>,
    limit: usize,
    own: AtomicUsize,
}

impl Pending {
    /// Takes so many octets more, unless all requests together have as many as they may.
    pub(super) fn grow(&self, octets: usize) -> Result<(), Problem> {
        let before = self.all.fetch_add(octets, Ordering::Relaxed);
        self.own.fetch_add(octets, Ordering::Relaxed);
        if before.saturating_add(octets) > self.limit { Err(Problem::Busy) } else { Ok(()) }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_are_given_back_can_be_taken_again() {
        let all = Arc::new(AtomicUsize::new(0));
        let place = || Pending { all: Arc::clone(&all), limit: 100, own: AtomicUsize::new(0) };
        let first = place();
        first.grow(60).unwrap();
        let second = place();
        assert_eq!(second.grow(50), Err(Problem::Busy));
        drop(second);
        let third = place();
        third.grow(40).unwrap();
        drop(first);
        third.grow(60).unwrap();
        drop(third);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
