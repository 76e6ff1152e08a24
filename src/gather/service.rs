//! Verification as a server offers it: a verifier that may be exchanged, what is held as it changes, and threads of its own.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Verifier;
use super::judges::{Judges, QueueFull};
use crate::verify::Evidence;

/// Judges on threads of its own, with what is held at the moment.
pub struct VerificationService {
    verifier: ArcSwap<Verifier>,
    held: ArcSwap<Evidence>,
    judges: Judges,
}

impl VerificationService {
    /// Starts so many threads, before which so many judgements may wait. Nothing is held yet.
    ///
    /// # Errors
    /// No thread from the system.
    pub fn start(verifier: Verifier, threads: usize, queue: usize) -> std::io::Result<Arc<Self>> {
        let judges = Judges::start(threads, queue)?;
        Ok(Arc::new(Self { verifier: ArcSwap::from_pointee(verifier), held: ArcSwap::default(), judges }))
    }

    /// The verifier of judgements that begin now.
    #[must_use]
    pub fn verifier(&self) -> Arc<Verifier> {
        self.verifier.load_full()
    }

    /// Judges by this verifier from now on.
    pub fn exchange(&self, verifier: Verifier) {
        self.verifier.store(Arc::new(verifier));
    }

    /// What is held at the moment.
    #[must_use]
    pub fn held(&self) -> Arc<Evidence> {
        self.held.load_full()
    }

    /// Judges with this from now on.
    pub fn hold(&self, evidence: Evidence) {
        self.held.store(Arc::new(evidence));
    }

    /// Has work done on the next thread that is free. Work that panics is dropped.
    ///
    /// # Errors
    /// As many wait as may.
    pub fn submit(&self, work: impl FnOnce() + Send + 'static) -> Result<(), QueueFull> {
        self.judges.submit(Box::new(work))
    }

    /// Judges no more; what is under way has a moment to end.
    pub fn stop(&self) {
        self.judges.stop();
    }
}
