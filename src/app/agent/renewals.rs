//! Responders' certificates, renewed at half of their life: they can't be revoked (id-pkix-ocsp-nocheck), so they live
//! shortly, and a server without a valid one answers nothing.

use super::{Agent, AgentError};
use crate::app::answering::answers_for;
use crate::app::issuing::{Words, issue};
use crate::app::lifecycle::{LifecycleError, now_s};
use crate::app::units;
use crate::app::units::rfc3339;
use crate::ca::builder::{Draft, IssuerUrls};
use crate::ca::registry::{Issuer, RegistryError, certificate_row};
use crate::ca::{Certificate, CertificateKind};
use crate::keys::Token;
use crate::store::{Change, IssuerOrigin, KeyRow, KeyState, StoreError};

/// The issuing profile of responders.
const PROFILE: &str = "ocsp-responder";

impl Agent {
    /// Renews every responder's certificate that is due, of issuers whose key this agent holds.
    pub(super) fn renew(&self) -> Result<(), AgentError> {
        let now_s = now_s()?;
        for issuer in self.registry.issuers()? {
            let ca_role = format!("ca:{}", issuer.row.name);
            if issuer.row.origin != IssuerOrigin::Own
                || self.installation.key_in_state(&ca_role, KeyState::Active).map_err(LifecycleError::from)?.is_none()
            {
                continue;
            }
            for key in self.installation.store.keys()? {
                if answers_for(&key, &issuer.row.name)
                    && key.state == KeyState::Active
                    && let Some(sha256) = key.certificate_sha256
                {
                    let der = self.installation.store.certificate_der(&sha256)?;
                    let der = der.ok_or(StoreError::Row { table: "keys", column: "certificate_sha256" })?;
                    let certificate = Certificate::from_der(&der).map_err(LifecycleError::from)?;
                    let half_s = certificate.not_before_s + (certificate.not_after_s - certificate.not_before_s) / 2;
                    if now_s >= half_s {
                        self.renew_one(&issuer, &key, &certificate)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The same key and subject, a new serial number and period.
    fn renew_one(&self, issuer: &Issuer, key: &KeyRow, before: &Certificate) -> Result<(), AgentError> {
        let ca_key = self.ca_key(issuer)?;
        let token = self.installation.configuration.token_settings(&ca_key.token).map_err(LifecycleError::from)?;
        let token = Token::open(&token).map_err(LifecycleError::from)?;
        let signer = token.find(&units::uri(&ca_key).map_err(LifecycleError::from)?).map_err(LifecycleError::from)?;
        if signer.public_key().spki_der() != issuer.certificate.public_key.spki_der() {
            return Err(LifecycleError::OtherKey { name: ca_key.name }.into());
        }
        let urls = IssuerUrls::new(&self.installation.configuration.public_url, &issuer.row.name);
        let unsigned = Draft {
            kind: CertificateKind::OcspResponder,
            subject_der: &before.subject_der,
            public_key: &before.public_key,
            issuer: Some((&issuer.certificate, &urls)),
            algorithm: signer.public_key().algorithm().default_signature(),
            not_before_s: now_s()?,
            policies: &[],
            days: None,
            private_key_usage_days: 0,
        }
        .build()
        .map_err(LifecycleError::from)?;
        let words = Words { profile: PROFILE, role: &key.role, who: "ca-agent" };
        let certificate = issue(&self.registry, issuer, &unsigned, &*signer, &words)?;
        self.registry.record(
            "certificate-renewed",
            serde_json::json!({
                "key": key.name, "issuer": issuer.row.name, "before": before.serial_hex(),
                "after": certificate.serial_hex(), "not_after": rfc3339(certificate.not_after_s), "who": "ca-agent",
            }),
            Change::RenewKeyCertificate {
                key_name: key.name.clone(),
                before: before.sha256(),
                certificate: certificate_row(&certificate, &key.role),
            },
        )?;
        tracing::info!(
            key = key.name,
            until = rfc3339(certificate.not_after_s),
            "a responder's certificate was renewed"
        );
        Ok(())
    }

    /// The issuer's key's row; the key is in the ca token.
    fn ca_key(&self, issuer: &Issuer) -> Result<KeyRow, LifecycleError> {
        let row = self.installation.key_in_state(&format!("ca:{}", issuer.row.name), KeyState::Active)?;
        Ok(row.ok_or_else(|| RegistryError::KeyNotHere { name: issuer.row.name.clone() })?)
    }
}
