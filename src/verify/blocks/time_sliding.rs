//! The time sliding process (EN 319 102-1 §5.6.2.2): until when, from now back, a chain was surely good.

use super::super::anchor::TrustAnchor;
use super::super::existence::ProofsOfExistence;
use super::super::judge::status_in_chain;
use super::super::judgement::{Chain, Link};
use super::super::policy::Reliability;
use super::super::revocation::{CertificateStatus, Source, SourceKind};
use super::super::settings::ExistedBy;
use super::super::signature::AnyAlgorithm;
use super::super::wording;
use super::context::Times;
use super::{Conclusion, Role, SubIndication, Validator};
use crate::clock::rfc3339;

impl Validator<'_> {
    /// Slides from the context's time back over a chain that held at `chain_time_s`, the anchor's side first: to the latest
    /// time at which each certificate is known not to have been revoked, from data that is proven to have existed then, and
    /// at which its signatures were reliable.
    ///
    /// # Errors
    /// NO_POE where a proof or a piece of revocation data is missing.
    pub(in crate::verify) fn slide(
        &mut self,
        chain: &Chain,
        chain_time_s: i64,
        role: Role,
        proofs: &ProofsOfExistence,
    ) -> Result<i64, Conclusion> {
        let mut control_s = start(&chain.anchor, self.context.time_s);
        for (at, link) in chain.links.iter().enumerate() {
            let status = self.status_at(chain, at, chain_time_s, control_s, role, proofs);
            control_s = self.slide_over(link, &status, control_s, role, proofs)?;
        }
        Ok(control_s)
    }

    fn status_at(
        &mut self,
        chain: &Chain,
        at: usize,
        chain_time_s: i64,
        control_s: i64,
        role: Role,
        proofs: &ProofsOfExistence,
    ) -> CertificateStatus {
        let times = Times { chain_s: chain_time_s, target_s: None, fresh_s: None };
        let outcome = self.with_memory(|validator, memory| {
            let mut settings = validator.settings(role, times, &AnyAlgorithm);
            settings.revocation.latest_this_update_s = control_s;
            settings.existed_by = Some(ExistedBy { proofs, time_s: control_s });
            status_in_chain(chain, at, validator.context.evidence, &settings, memory)
        });
        outcome.unwrap_or_else(|_| CertificateStatus::Unknown(Vec::new()))
    }

    fn slide_over(
        &self,
        link: &Link,
        status: &CertificateStatus,
        control_s: i64,
        role: Role,
        proofs: &ProofsOfExistence,
    ) -> Result<i64, Conclusion> {
        let missing = |what: &str| {
            let name = wording::certificate(&link.certificate);
            Conclusion::indeterminate(SubIndication::NoPoe, format!("{name}: {what} by {}", rfc3339(control_s)))
        };
        if proofs.earliest_s(link.certificate.sha256()) > control_s {
            return Err(missing("it is not proven to have existed"));
        }
        let policy = &self.context.policy.revocation;
        let (mut slid_s, sources) = match status {
            CertificateStatus::NotAsked | CertificateStatus::NoCheck => (control_s, &[][..]),
            CertificateStatus::Revoked(revocation) => {
                // The last second at which it was not (§5.5.4: the revocation is after the signature).
                let before_s = revocation.revocation_date_s.saturating_sub(1);
                // A revocation that lies ahead says no more of the time before it than that it was not revoked yet.
                let source = &revocation.source;
                let known_s = match policy.is_fresh(source.this_update_s, source.next_update_s, control_s) {
                    true => control_s,
                    false => control_s.min(source.this_update_s),
                };
                (known_s.min(before_s), std::slice::from_ref(source))
            }
            CertificateStatus::Good(sources) => (self.after_good(sources, control_s), &sources[..]),
            CertificateStatus::Unknown(_) if status.is_tolerated_unknown(self.revocation_mode(role)) => {
                (control_s, &[][..])
            }
            CertificateStatus::Unknown(_) => {
                return Err(missing("no revocation data is proven to have existed"));
            }
        };
        let suites = &self.context.policy.suites;
        let of_link = link.signature.zip(link.issuer_key).map(|(signature, key)| suites.reliable_until(signature, key));
        let of_sources = sources.iter().map(|source| suites.reliable_until(source.signer.algorithm, source.signer.key));
        let until = of_link.into_iter().chain(of_sources).min().unwrap_or(Reliability::Open);
        match until {
            Reliability::Open => {}
            // "the lowest time up to which the listed algorithms were considered reliable"
            Reliability::Until(until_s) => slid_s = slid_s.min(until_s.saturating_sub(1)),
            Reliability::Never => {
                let name = wording::certificate(&link.certificate);
                let reason = format!(
                    "{name}: it, or what tells of its revocation, is signed by an algorithm that the policy never relied on"
                );
                return Err(Conclusion::indeterminate(SubIndication::CryptoConstraintsFailureNoPoe, reason));
            }
        }
        Ok(slid_s)
    }

    /// Fresh data leaves the time as it is; older data tells of its own time only.
    fn after_good(&self, sources: &[Source], control_s: i64) -> i64 {
        let policy = &self.context.policy.revocation;
        let is_fresh = |source: &Source| policy.is_fresh(source.this_update_s, source.next_update_s, control_s);
        let by_ocsp = sources.iter().filter(|source| source.kind == SourceKind::OcspResponse);
        let by_crl = || sources.iter().filter(|source| source.kind == SourceKind::Crl);
        let issued = |one: Option<i64>| one.unwrap_or(i64::MIN);
        // One answer tells of all reasons; of CRLs by reason all are needed, and the oldest counts. A delta makes its
        // complete CRL no older.
        let complete_is_fresh = by_crl().count() > 0 && by_crl().all(is_fresh);
        if by_ocsp.clone().any(is_fresh) || complete_is_fresh {
            return control_s;
        }
        let latest = issued(by_ocsp.map(|source| source.this_update_s).max());
        let complete = issued(by_crl().map(|source| source.this_update_s).min());
        control_s.min(latest.max(complete))
    }
}

/// §5.2.6.1: an anchor whose trust has ended counts up to its end.
fn start(anchor: &TrustAnchor, time_s: i64) -> i64 {
    anchor.trusted_until_s().map_or(time_s, |until_s| until_s.min(time_s))
}
