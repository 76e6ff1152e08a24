//! What an operator's verb works with: the registry, and a chain of records of its own.

use std::path::Path;
use std::sync::Arc;

use super::adoption;
use super::installation::{Installation, Purpose};
use super::lifecycle::{self, LifecycleError};
use crate::ca::registry::Registry;
use crate::ledger::Ledger;
use crate::store::{IssuerOrigin, KeyRow, KeyState};

/// The registry, opened by hand.
pub struct Desk {
    /// The registry.
    pub registry: Registry,
    ledger: Arc<Ledger>,
}

impl Desk {
    /// Opens the installation in a directory.
    ///
    /// # Errors
    /// No installation there, a store that does not answer, another verb at work.
    pub fn open(directory: &Path) -> Result<Self, LifecycleError> {
        let installation = Installation::open(directory)?;
        let ledger = installation.ledger(Purpose::Operator)?;
        let registry = installation.registry(Arc::clone(&ledger));
        adoption::adopt(&installation, &registry)?;
        Ok(Self { registry, ledger })
    }

    /// Gives the chain of records back; what is still done with the registry may only read.
    pub fn close(&self) {
        self.ledger.stop();
    }

    /// Whether nobody but an operator makes this issuer's CRLs: its key is here, and not the agent's.
    ///
    /// # Errors
    /// The store's.
    pub fn publishes_by_hand(&self, issuer_name: &str) -> Result<bool, LifecycleError> {
        let issuer = self.registry.issuer(issuer_name)?;
        let role = format!("ca:{issuer_name}");
        let has_agent = |key: &KeyRow| key.role == role && key.state == KeyState::Active;
        Ok(issuer.row.origin == IssuerOrigin::Own && !self.registry.store().keys()?.iter().any(has_agent))
    }

    /// Now, in seconds since 1970.
    ///
    /// # Errors
    /// A clock before 1970.
    pub fn now_s(&self) -> Result<i64, LifecycleError> {
        lifecycle::now_s()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.ledger.stop();
    }
}
