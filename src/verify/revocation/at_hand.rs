//! Whether a status is settled by what is held, for who decides what to fetch: without a path, and on the strict side.

use crl::scope::{CertificateFacts, CertificateKind, CrlFacts, DistributionPoint, ReasonFlags, covered_reasons};

use super::super::budget::{Budget, BudgetExhausted, Resource};
use super::super::certificate::{Certificate, oid};
use super::super::evidence::Evidence;
use super::super::settings::RevocationRule;
use super::super::signature::{SignatureAlgorithm, VerificationKey};
use super::crl_status::check_window;
use super::held_crl::canonical_points;
use super::ocsp_status::is_about;
use super::{HeldCrl, HeldOcspResponse, OcspCertStatus, minimal};

/// Whether an answer or CRLs about the certificate are held that are current by the rule and signed by its issuer's key, an
/// answer also by a responder that this key certified and that need not be asked about (RFC 6960 §4.2.2.2.1).
///
/// What others signed does not count here, though a judgement may accept it: that costs a fetch, while taking forged evidence
/// for held would let whoever wrote a document keep the true one away.
///
/// # Errors
/// The budget of signatures or revocation items is spent.
pub fn is_status_held(
    evidence: &Evidence,
    certificate: &Certificate,
    issuer_key: &VerificationKey,
    rule: &RevocationRule,
    budget: &mut Budget,
) -> Result<bool, BudgetExhausted> {
    let asked = Asked { certificate, issuer_key, rule };
    Ok(asked.by_ocsp(evidence, budget)? || asked.by_crls(evidence, budget)?)
}

struct Asked<'a> {
    certificate: &'a Certificate,
    issuer_key: &'a VerificationKey,
    rule: &'a RevocationRule,
}

impl Asked<'_> {
    fn by_ocsp(&self, evidence: &Evidence, budget: &mut Budget) -> Result<bool, BudgetExhausted> {
        for response in evidence.ocsp_responses_for(minimal(self.certificate.serial())) {
            let items = u32::try_from(response.singles.len()).unwrap_or(u32::MAX);
            budget.spend(Resource::RevocationItems, items)?;
            let answers = response.singles.iter().any(|single| {
                is_about(response, single, self.certificate, self.issuer_key, None)
                    && single.status != OcspCertStatus::Unknown
                    && !(response.unknown_critical || single.unknown_critical)
                    && check_window(self.rule, single.this_update_s, single.next_update_s).is_ok()
            });
            if answers && self.signed_response(response, budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn signed_response(&self, response: &HeldOcspResponse, budget: &mut Budget) -> Result<bool, BudgetExhausted> {
        let Ok(algorithm) = SignatureAlgorithm::from_identifier_der(response.signature_algorithm_der()) else {
            return Ok(false);
        };
        let verifies = |key: &VerificationKey, budget: &mut Budget| {
            budget.spend(Resource::Signatures, 1)?;
            Ok(key.verify(algorithm, response.tbs_der(), response.signature()).is_ok())
        };
        let issuer_name = self.certificate.issuer_name();
        if response.responder_id.is(issuer_name, self.issuer_key.bits()) {
            return verifies(self.issuer_key, budget);
        }
        // Bounded: a response has only so many certificates, and each verification is counted.
        for delegate in response.certificates() {
            let Ok(key) = delegate.key() else { continue };
            let is_responder = matches!(delegate.extended_key_usage(), Ok(Some(uses)) if uses.contains(&oid::OCSP_SIGNING))
                && delegate.extension(oid::OCSP_NO_CHECK).is_some()
                && delegate.issuer_name() == issuer_name
                && response.responder_id.is(delegate.subject_name(), key.bits())
                && (delegate.not_before_s()..=delegate.not_after_s()).contains(&response.produced_at_s());
            if is_responder && verifies(key, budget)? && delegate.is_signed_by(self.issuer_key, budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn by_crls(&self, evidence: &Evidence, budget: &mut Budget) -> Result<bool, BudgetExhausted> {
        let certificate = self.certificate;
        let points = certificate.crl_distribution_points().map_err(Into::into).and_then(canonical_points);
        let Ok(points) = points else { return Ok(false) };
        let mut settled = ReasonFlags::NONE;
        for crl in evidence.crls_of(certificate.issuer_name()).filter(|crl| !crl.crl().is_delta()) {
            budget.spend(Resource::RevocationItems, 1)?;
            let reasons = self.reasons(crl, &points);
            if !reasons.without(settled).is_empty() && self.signed_crl(crl, budget)? {
                settled = settled.union(reasons);
            }
            if settled == ReasonFlags::ALL {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The reasons for which a CRL speaks for the certificate, by the points or at the issuer's own name (RFC 5280 §6.3.3).
    fn reasons(&self, crl: &HeldCrl, points: &[DistributionPoint]) -> ReasonFlags {
        let header = &crl.crl().header;
        let next_update_s = header.next_update.map(|time| time.seconds);
        let is_current = check_window(self.rule, header.this_update.seconds, next_update_s).is_ok();
        if !is_current || !crl.obstacles().is_empty() {
            return ReasonFlags::NONE;
        }
        let issuer = self.certificate.issuer_name().to_der();
        let kind = if self.certificate.is_ca() { CertificateKind::Ca } else { CertificateKind::User };
        let of_crl = CrlFacts { issuer: crl.issuer_der(), issuing_distribution_point: crl.scope() };
        let by = |points| {
            covered_reasons(of_crl, CertificateFacts { kind, issuer: &issuer, distribution_points: points })
                .unwrap_or(ReasonFlags::NONE)
        };
        by(points).union(by(&[]))
    }

    fn signed_crl(&self, crl: &HeldCrl, budget: &mut Budget) -> Result<bool, BudgetExhausted> {
        let signature = &crl.crl().signature;
        let Ok(algorithm) = SignatureAlgorithm::from_identifier_der(&crl.crl().header.signature_algorithm) else {
            return Ok(false);
        };
        budget.spend(Resource::Signatures, 1)?;
        Ok(self.issuer_key.verify(algorithm, crl.tbs_der(), signature).is_ok())
    }
}
