//! The endpoints, on actix-web: a file an endpoint group.
//!
//! Owns: paths, media types, limits on bodies, connections and callers, who a caller is, API keys and roles, the API below
//! `/v1` (`v1`), problem+json, TLS.
//! Does not own: what is answered (see `tsa`, `ocsp`); wiring (see `app`).
//! Enter by [`server::start`] with [`Services`].

mod api_keys;
mod body;
mod caller;
mod certificates;
mod crl;
mod limits;
mod mailbox;
mod ocsp;
mod operators;
mod pages;
mod problem;
mod role;
pub mod server;
mod tls;
mod tsa;
mod v1;
mod verification;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use actix_web::HttpRequest;

pub use api_keys::{ApiKeys, NoRandomness, fresh_secret};
pub use caller::{Caller, Callers};
pub use limits::Limits;
pub use operators::{CheckState, Readiness, ReadyCheck, ReadyReport};
pub use role::{Role, UnknownRole};
pub use tls::{TlsError, TlsIdentity};
pub use verification::Verification;

use self::problem::Problem;
use crate::ca::registry::Registry;
use crate::config::HttpSection;
use crate::crls::Shelf;
use crate::ocsp::Responder;
use crate::tsa::Authority;

/// What the endpoints are handed.
pub struct Services {
    /// The `[http]` section.
    pub settings: HttpSection,
    /// What the server shows of itself, where it speaks TLS.
    pub tls: Option<Arc<TlsIdentity>>,
    /// The URL that clients use, for pages.
    pub public_url: String,
    /// Timestamps.
    pub authority: Arc<Authority>,
    /// Certificates' status.
    pub responder: Arc<Responder>,
    /// Published CRLs.
    pub shelf: Arc<Shelf>,
    /// Who is known by name.
    pub callers: RwLock<Arc<Callers>>,
    /// The keys to the API; whoever follows the store puts new ones here.
    pub api_keys: Arc<RwLock<Arc<ApiKeys>>>,
    /// Issuers and certificates, for the API.
    pub registry: Arc<Registry>,
    /// The verification of what others signed, where this server does that.
    pub verification: Option<Verification>,
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

    /// Tells who asks, for limits alone: one that can't be told by what it shows, by its address.
    fn identify_or_anonymous(&self, request: &HttpRequest) -> Arc<str> {
        self.identify(request).map_or_else(
            |_| request.peer_addr().map_or_else(|| "nobody".into(), |peer| format!("address:{}", peer.ip()).into()),
            |caller| caller.id,
        )
    }

    /// Tells who asks.
    fn identify(&self, request: &HttpRequest) -> Result<Caller, Problem> {
        let callers = Arc::clone(&self.callers.read().unwrap_or_else(PoisonError::into_inner));
        let keys = Arc::clone(&self.api_keys.read().unwrap_or_else(PoisonError::into_inner));
        callers.identify(request, &keys)
    }
}
