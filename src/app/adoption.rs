//! Taking the installation's own certificates into the registry: what `init` made, and what was made before there was one.

use serde_json::json;

use super::installation::Installation;
use super::issuer_key::ROOT;
use super::issuing::issuer_or_add;
use super::lifecycle::{LifecycleError, now_s};
use crate::ca::registry::{Issuer, Registry, RegistryError, intended_row};
use crate::ca::{Certificate, CrlSettings, IssuerSettings};
use crate::store::{CertificateState, Change, IssuerOrigin, RegistryRow};

/// Who stands in the records.
const WHO: &str = "adoption";

/// Adds issuers and certificates that the registry lacks; doing it again changes nothing.
pub(super) fn adopt(installation: &Installation, registry: &Registry) -> Result<(), LifecycleError> {
    let rows = installation.store.certificates()?;
    let mut own = Vec::new();
    for row in &rows {
        own.push((row.role.as_str(), Certificate::from_der(&row.der)?));
    }
    for (role, certificate) in &own {
        let name = match role.strip_prefix("ca:") {
            Some(name) => name,
            None if *role == "root" => "root",
            None => continue,
        };
        match issuer_or_add(registry, name, certificate, WHO) {
            // Another process adopts at the same time.
            Ok(_) | Err(RegistryError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for issuer in registry.issuers()? {
        // One that was added before there were CRLs: its key is fetched by hand, and so are its CRLs made.
        let settings: serde_json::Value = serde_json::from_str(&issuer.row.settings).unwrap_or_default();
        if issuer.row.name == ROOT && issuer.row.origin == IssuerOrigin::Own && settings.get("crl").is_none() {
            let settings = IssuerSettings { crl: CrlSettings::by_hand(), ..issuer.settings.clone() };
            match registry.change_settings(&issuer, settings, WHO) {
                Ok(_) | Err(RegistryError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let lacking = lacking(installation, &issuer, &own)?;
        if lacking.is_empty() {
            continue;
        }
        registry.record(
            "certificates-adopted",
            json!({
                "issuer": issuer.row.name, "who": WHO,
                "serials": lacking.iter().map(|row| hex::encode(&row.serial)).collect::<Vec<_>>(),
            }),
            Change::Import { issuer_id: issuer.row.id, rows: lacking, certificates: Vec::new() },
        )?;
    }
    Ok(())
}

fn lacking(
    installation: &Installation,
    issuer: &Issuer,
    own: &[(&str, Certificate)],
) -> Result<Vec<RegistryRow>, LifecycleError> {
    let mut lacking = Vec::new();
    for (role, certificate) in own {
        let profile = match role.split(':').next() {
            Some("tsu") => "tsu",
            Some("ocsp") => "ocsp-responder",
            Some("ca") => "intermediate",
            _ => continue,
        };
        if certificate.sha256() == issuer.certificate.sha256()
            || !certificate.is_signed_by(&issuer.certificate)
            || installation.store.registry_row(issuer.row.id, &certificate.serial_number)?.is_some()
        {
            continue;
        }
        let period_s = (certificate.not_before_s, certificate.not_after_s);
        let now_us = now_s()?.saturating_mul(1_000_000);
        let serial = &certificate.serial_number;
        let mut row = intended_row(issuer.row.id, serial, profile, &certificate.subject(), period_s, now_us, WHO);
        row.status.state = CertificateState::Good;
        row.certificate_sha256 = Some(certificate.sha256());
        lacking.push(row);
    }
    Ok(lacking)
}
