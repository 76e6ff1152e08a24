//! Issuing a certificate: the serial number and the intent are committed, then the key signs, then the certificate, its
//! row and its record are committed together. A process that dies in between leaves an intent, never an unknown certificate.

use std::sync::Arc;

use serde_json::json;

use super::installation::Installation;
use super::lifecycle::{LifecycleError, now_s};
use super::units::rfc3339;
use crate::ca::builder::Unsigned;
use crate::ca::registry::{Issuer, Registry, RegistryError, certificate_row, intended_row};
use crate::ca::{Certificate, IssuerSettings};
use crate::keys::Signer;
use crate::ledger::Ledger;
use crate::store::{Change, IssuerOrigin};

impl Installation {
    /// The registry, with its changes recorded in this ledger.
    #[must_use]
    pub fn registry(&self, ledger: Arc<Ledger>) -> Registry {
        Registry::new(Arc::clone(&self.store), ledger)
    }
}

/// What is said of a certificate beside itself.
pub(super) struct Words<'a> {
    /// The issuing profile's name.
    pub(super) profile: &'a str,
    /// What the certificate is for, as in [`crate::store::CertificateRow::role`].
    pub(super) role: &'a str,
    /// Who asked.
    pub(super) who: &'a str,
}

/// Takes the serial number, has the key sign, and puts the certificate into the registry.
pub(super) fn issue(
    registry: &Registry,
    issuer: &Issuer,
    unsigned: &Unsigned,
    signer: &dyn Signer,
    words: &Words<'_>,
) -> Result<Certificate, LifecycleError> {
    let preview = unsigned.preview()?;
    let Words { profile, role, who } = *words;
    let now_us = now_s()?.saturating_mul(1_000_000);
    let period_s = (preview.not_before_s, preview.not_after_s);
    let subject = preview.subject();
    let row = intended_row(issuer.row.id, &preview.serial_number, profile, &subject, period_s, now_us, who);
    let facts = json!({
        "issuer": issuer.row.name, "serial": preview.serial_hex(), "profile": profile, "subject": subject,
        "not_after": rfc3339(preview.not_after_s), "who": who,
    });
    registry.record("certificate-intended", facts.clone(), Change::Intend(row))?;
    let signature = signer.sign(unsigned.algorithm(), unsigned.tbs_der())?;
    let certificate = unsigned.assemble(&signature, signer.public_key())?;
    let mut facts = facts;
    facts["certificate_sha256"] = json!(hex::encode(certificate.sha256()));
    registry.record(
        "certificate-issued",
        facts,
        Change::Issue {
            issuer_id: issuer.row.id,
            serial: certificate.serial_number.clone(),
            certificate: certificate_row(&certificate, role),
            changed_by: who.to_owned(),
            task: None,
        },
    )?;
    Ok(certificate)
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
            registry.add_issuer(name, IssuerOrigin::Own, certificate, IssuerSettings::default(), who)?;
            registry.issuer(name)
        }
        other => other,
    }
}
