//! Responders' certificates, renewed at half of their life: they can't be revoked (id-pkix-ocsp-nocheck), so they live
//! shortly, and a server without a valid one answers nothing.

use super::{Agent, AgentError};
use crate::app::answering::answers_for;
use crate::app::lifecycle::{LifecycleError, RESPONDER_PROFILE, now_s};
use crate::app::units::rfc3339;
use crate::ca::registry::{IssueWords, Issuer, KeyCertificate, certificate_row};
use crate::ca::{Certificate, Subject};
use crate::store::{Change, IssuerOrigin, KeyRow, KeyState, StoreError};

impl Agent {
    /// Renews every responder's certificate that is due, of issuers whose key this agent holds.
    ///
    /// One that can't be renewed does not keep the others from it; the first reason is told.
    pub(super) fn renew(&self) -> Result<(), AgentError> {
        let now_s = now_s()?;
        let mut in_the_way = Ok(());
        for issuer in self.registry.issuers()? {
            if let Err(reason) = self.renew_of(&issuer, now_s)
                && in_the_way.is_ok()
            {
                in_the_way = Err(reason);
            }
        }
        in_the_way
    }

    fn renew_of(&self, issuer: &Issuer, now_s: i64) -> Result<(), AgentError> {
        if issuer.row.origin != IssuerOrigin::Own || self.installation.agent_key(&issuer.row.name)?.is_none() {
            return Ok(());
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
                    self.renew_one(issuer, &key, &certificate)?;
                }
            }
        }
        Ok(())
    }

    /// The same key and subject, a new serial number and period.
    fn renew_one(&self, issuer: &Issuer, key: &KeyRow, before: &Certificate) -> Result<(), AgentError> {
        let unsigned = self.registry.draft_for_key(
            &KeyCertificate {
                profile: RESPONDER_PROFILE,
                issuer_name: &issuer.row.name,
                issuer: &issuer.certificate,
                subject: &Subject::from_name_der(&before.subject_der).map_err(LifecycleError::from)?,
                public_key: &before.public_key,
                policies: &[],
                days: None,
            },
            now_s()?,
        )?;
        let words = IssueWords { profile: RESPONDER_PROFILE, role: &key.role, who: "ca-agent", task: None };
        let certificate = self.issue(issuer, &unsigned, &words)?;
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
}
