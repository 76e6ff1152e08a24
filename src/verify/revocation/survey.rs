//! What can be told of evidence without a path, for who decides what to fetch: who signed what, and which statuses are held.

use std::collections::HashMap;

use crl::scope::{CertificateFacts, CertificateKind, CrlFacts, DistributionPoint, ReasonFlags, covered_reasons};

use super::super::budget::{Budget, BudgetExhausted, Costs, Resource};
use super::super::certificate::{Certificate, oid};
use super::super::evidence::Evidence;
use super::super::settings::RevocationRule;
use super::super::signature::{SignatureAlgorithm, VerificationKey};
use super::crl_status::check_window;
use super::held_crl::canonical_points;
use super::ocsp_status::{is_about, may_sign_answers};
use super::{HeldCrl, HeldOcspResponse, OcspCertStatus, minimal};

/// Looks through evidence, and verifies no pair of signed octets and key twice. Algorithms are for the judgement to judge.
pub struct Survey {
    budget: Budget,
    /// By the SHA-256 of a certificate, CRL or answer, and of the key's SubjectPublicKeyInfo.
    verified: HashMap<([u8; 32], [u8; 32]), bool>,
}

impl Survey {
    /// A survey that may verify so many signatures, and hold so many CRLs and answers against certificates.
    #[must_use]
    pub fn new(limits: Costs) -> Self {
        Self { budget: Budget::new(limits), verified: HashMap::new() }
    }

    /// Whether this key signed the certificate.
    ///
    /// # Errors
    /// The budget of signatures is spent.
    pub fn is_signed(&mut self, certificate: &Certificate, key: &VerificationKey) -> Result<bool, BudgetExhausted> {
        let algorithm = certificate.signature_algorithm().ok();
        self.verify(certificate.sha256(), key, algorithm, certificate.tbs_der(), certificate.signature())
    }

    /// Whether an answer or CRLs about the certificate are held that are current by the rule and signed by its issuer's key, an
    /// answer also by a responder that this key certified and that need not be asked about (RFC 6960 §4.2.2.2.1).
    ///
    /// What others signed does not count here, though a judgement may accept it: that costs a fetch, while taking forged
    /// evidence for held would let whoever wrote a document keep the true one away.
    ///
    /// # Errors
    /// The budget of signatures or revocation items is spent.
    pub fn is_status_held(
        &mut self,
        evidence: &Evidence,
        certificate: &Certificate,
        issuer_key: &VerificationKey,
        rule: &RevocationRule,
    ) -> Result<bool, BudgetExhausted> {
        let asked = Asked { certificate, issuer_key, rule };
        Ok(self.by_ocsp(evidence, &asked)? || self.by_crls(evidence, &asked)?)
    }

    fn by_ocsp(&mut self, evidence: &Evidence, asked: &Asked<'_>) -> Result<bool, BudgetExhausted> {
        for response in evidence.ocsp_responses_for(minimal(asked.certificate.serial())) {
            let items = u32::try_from(response.singles.len()).unwrap_or(u32::MAX);
            self.budget.spend(Resource::RevocationItems, items)?;
            if asked.is_answered(response) && self.is_response_signed(response, asked)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_response_signed(&mut self, response: &HeldOcspResponse, asked: &Asked<'_>) -> Result<bool, BudgetExhausted> {
        let algorithm = SignatureAlgorithm::from_identifier_der(response.signature_algorithm_der()).ok();
        let (tbs, signature) = (response.tbs_der(), response.signature());
        let issuer_name = asked.certificate.issuer_name();
        if response.responder_id.is(issuer_name, asked.issuer_key.bits()) {
            return self.verify(response.sha256(), asked.issuer_key, algorithm, tbs, signature);
        }
        // As in a judgement: an answer that came after the time judged for is signed by a responder of its own time.
        let last_s = response.produced_at_s().max(asked.rule.earliest_next_update_s);
        // Bounded: a response has only so many certificates.
        for delegate in response.certificates() {
            let Ok(key) = delegate.key() else { continue };
            let is_responder = may_sign_answers(delegate)
                && delegate.extension(oid::OCSP_NO_CHECK).is_some()
                && delegate.issuer_name() == issuer_name
                && response.responder_id.is(delegate.subject_name(), key.bits())
                && (delegate.not_before_s()..=delegate.not_after_s()).contains(&last_s);
            if is_responder
                && self.verify(response.sha256(), key, algorithm, tbs, signature)?
                && self.is_signed(delegate, asked.issuer_key)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn by_crls(&mut self, evidence: &Evidence, asked: &Asked<'_>) -> Result<bool, BudgetExhausted> {
        let points = asked.certificate.crl_distribution_points().map_err(Into::into).and_then(canonical_points);
        // Where the points can't be read, no CRL settles a status in a judgement either.
        let Ok(points) = points else { return Ok(false) };
        let mut settled = ReasonFlags::NONE;
        for crl in evidence.crls_of(asked.certificate.issuer_name()).filter(|crl| !crl.crl().is_delta()) {
            self.budget.spend(Resource::RevocationItems, 1)?;
            let reasons = asked.reasons(crl, &points);
            if reasons.without(settled).is_empty() {
                continue;
            }
            let algorithm = SignatureAlgorithm::from_identifier_der(&crl.crl().header.signature_algorithm).ok();
            if self.verify(crl.sha256(), asked.issuer_key, algorithm, crl.tbs_der(), &crl.crl().signature)? {
                settled = settled.union(reasons);
            }
            if settled == ReasonFlags::ALL {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn verify(
        &mut self,
        signed: &[u8; 32],
        key: &VerificationKey,
        algorithm: Option<SignatureAlgorithm>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, BudgetExhausted> {
        let name = (*signed, *key.spki_sha256());
        if let Some(known) = self.verified.get(&name) {
            return Ok(*known);
        }
        self.budget.spend(Resource::Signatures, 1)?;
        let verified = algorithm.is_some_and(|algorithm| key.verify(algorithm, message, signature).is_ok());
        self.verified.insert(name, verified);
        Ok(verified)
    }
}

struct Asked<'a> {
    certificate: &'a Certificate,
    issuer_key: &'a VerificationKey,
    rule: &'a RevocationRule,
}

impl Asked<'_> {
    fn is_answered(&self, response: &HeldOcspResponse) -> bool {
        response.singles.iter().any(|single| {
            single.status != OcspCertStatus::Unknown
                && !(response.unknown_critical || single.unknown_critical)
                && check_window(self.rule, single.this_update_s, single.next_update_s).is_ok()
                && is_about(response, single, self.certificate, self.issuer_key, None)
        })
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
}
