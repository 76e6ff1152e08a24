//! The endpoints, on actix-web: a file an endpoint group.
//!
//! Owns: paths, media types, limits on bodies, connections and callers, who a caller is, problem+json, TLS.
//! Does not own: what is answered (see `tsa`, `ocsp`); wiring (see `app`).
//! Enter by [`server::start`] with [`Services`].

mod body;
mod caller;
mod certificates;
mod limits;
mod mailbox;
mod ocsp;
mod operators;
mod pages;
mod problem;
pub mod server;
mod tls;
mod tsa;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

pub use caller::{Caller, Callers};
pub use limits::Limits;
pub use operators::{CheckState, Readiness, ReadyCheck, ReadyReport};
pub use tls::TlsError;

use crate::config::HttpSection;
use crate::ocsp::Responder;
use crate::tsa::Authority;

/// What the endpoints are handed.
pub struct Services {
    /// The `[http]` section.
    pub settings: HttpSection,
    /// The URL that clients use, for pages.
    pub public_url: String,
    /// Timestamps.
    pub authority: Arc<Authority>,
    /// Certificates' status.
    pub responder: Arc<Responder>,
    /// Who is known by name.
    pub callers: RwLock<Arc<Callers>>,
    /// How much a caller may ask.
    pub limits: Limits,
    /// What `/readyz` answers.
    pub readiness: Box<dyn Readiness>,
    /// What `/metrics` answers.
    pub render_metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Whether the server is about to stop: answers then ask the client to close its connection.
    pub is_leaving: AtomicBool,
}

impl Services {
    /// From now on these callers are known.
    pub fn set_callers(&self, callers: Callers) {
        *self.callers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(callers);
    }

    fn callers(&self) -> Arc<Callers> {
        Arc::clone(&self.callers.read().unwrap_or_else(PoisonError::into_inner))
    }
}
