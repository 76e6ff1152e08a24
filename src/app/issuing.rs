//! The registry of an installation.

use std::sync::Arc;

use super::installation::Installation;
use super::issuer_key::ROOT;
use crate::ca::registry::{Issuer, IssuingRules, Registry, RegistryError};
use crate::ca::{Certificate, CrlSettings, IssuerSettings};
use crate::ledger::Ledger;
use crate::store::IssuerOrigin;

impl Installation {
    /// The registry, with its changes recorded in this ledger.
    #[must_use]
    pub fn registry(&self, ledger: Arc<Ledger>) -> Registry {
        let configuration = &self.configuration;
        let rules = IssuingRules {
            public_url: configuration.public_url.clone(),
            profile_directory: configuration.directory.join("profiles"),
        };
        Registry::new(Arc::clone(&self.store), ledger, rules)
    }
}

/// The issuer by this name, added if it is not there: an installation made before there was a registry has none.
pub(super) fn issuer_or_add(
    registry: &Registry,
    name: &str,
    certificate: &Certificate,
    who: &str,
) -> Result<Issuer, RegistryError> {
    match registry.issuer(name) {
        Err(RegistryError::NoSuchIssuer { .. }) => {
            let mut settings = IssuerSettings::default();
            if name == ROOT {
                settings.crl = CrlSettings::by_hand();
            }
            registry.add_issuer(name, IssuerOrigin::Own, certificate, settings, who)?;
            registry.issuer(name)
        }
        other => other,
    }
}
