//! X.509 certificate validation (EN 319 102-1 §5.2.6), and the same at the time of a signature (§5.5.4).

use std::sync::Arc;

use crl::ReasonCode;

use super::super::certificate::Certificate;
use super::super::judgement::{Failure, Judgement};
use super::super::path::Fault;
use super::super::revocation::{CertificateStatus, NotUsed, Revocation, WhyNotUsed};
use super::super::wording;
use super::{Conclusion, Role, SubIndication, Validator};

/// What is concluded of a certificate.
#[derive(Clone, Debug)]
pub struct CertificateValidation {
    /// Whether it holds.
    pub conclusion: Conclusion,
    /// The chain and what became of it.
    pub judgement: Judgement,
    /// The certificate's own revocation, where it is revoked, at whatever time.
    pub revocation: Option<Revocation>,
}

impl Validator<'_> {
    /// Judges a certificate for the context's time.
    pub fn validate_certificate(&mut self, certificate: &Arc<Certificate>, role: Role) -> Arc<CertificateValidation> {
        self.remembered(certificate, role, |validator| validator.certificate_now(certificate, role))
    }

    fn certificate_now(&mut self, certificate: &Arc<Certificate>, role: Role) -> CertificateValidation {
        let judgement = self.judge_by_policy(certificate, role, None, Some(self.context.time_s));
        let revocation = own_revocation(certificate, &judgement);
        let conclusion = self.conclude(certificate, role, &judgement);
        if conclusion.sub_indication != Some(SubIndication::OutOfBoundsNoPoe)
            || self.context.time_s <= certificate.not_after_s()
            || !self.holds_but_for_its_end(certificate, role)
        {
            return CertificateValidation { conclusion, judgement, revocation };
        }
        // §5.2.6.4, 1: what is said of it while it was valid tells whether a proof of the signature's time may help.
        let conclusion = Conclusion { sub_indication: Some(SubIndication::OutOfBoundsNotRevoked), ..conclusion };
        CertificateValidation { conclusion, judgement, revocation }
    }

    /// Whether an ended certificate was good to its end, by revocation data of whatever age.
    fn holds_but_for_its_end(&mut self, certificate: &Arc<Certificate>, role: Role) -> bool {
        let judgement = self.judge_by_policy(certificate, role, Some(certificate.not_after_s()), None);
        // "Not revoked" is more than "not known": a policy may let both hold.
        let last = judgement.chain.as_ref().and_then(|chain| chain.links.last()).map(|link| &link.status);
        judgement.is_good() && !matches!(last, Some(CertificateStatus::Unknown(_) | CertificateStatus::NotAsked))
    }

    /// Judges a certificate for the time of its signature, as a timestamp proves it, the certificates above it for now:
    /// what was revoked or ended since does not count, and revocation data must have been fresh then.
    pub(super) fn certificate_at(
        &mut self,
        certificate: &Arc<Certificate>,
        role: Role,
        signature_time_s: i64,
    ) -> CertificateValidation {
        let judgement = self.judge_by_policy(certificate, role, Some(signature_time_s), Some(signature_time_s));
        let revocation = own_revocation(certificate, &judgement);
        CertificateValidation { conclusion: self.conclude(certificate, role, &judgement), judgement, revocation }
    }

    /// The purposes that the policy demands of a signer, beside what the path asks.
    fn purposes_allow(&self, certificate: &Certificate, role: Role) -> bool {
        let demanded = &self.constraints(role).purposes;
        if role == Role::TimestampingUnit || demanded.is_empty() {
            return true;
        }
        match certificate.extended_key_usage() {
            Ok(Some(own)) => demanded.iter().any(|purpose| own.contains(&purpose.octets())),
            // RFC 5280 §4.2.1.12: without the extension every purpose is allowed.
            Ok(None) => true,
            Err(_) => false,
        }
    }

    fn conclude(&self, target: &Arc<Certificate>, role: Role, judgement: &Judgement) -> Conclusion {
        let chain = match &judgement.failure {
            None => Conclusion::passed(),
            Some(failure) => classify(target, failure),
        };
        let may_hold = chain.is_passed() || chain.may_be_settled_by_time();
        if may_hold && !self.purposes_allow(target, role) {
            // No time settles it, so that it goes before what time may settle.
            let reason = "the signer's certificate is for none of the purposes that the policy demands (extKeyUsage)";
            return Conclusion::indeterminate(SubIndication::ChainConstraintsFailure, reason);
        }
        chain
    }
}

/// The certificate's own revocation, whether or not it counts at the time.
fn own_revocation(certificate: &Arc<Certificate>, judgement: &Judgement) -> Option<Revocation> {
    if let Some(Failure::Revoked { certificate: revoked, revocation }) = &judgement.failure
        && revoked == certificate
    {
        return Some(revocation.clone());
    }
    let last = judgement.chain.as_ref()?.links.last()?;
    match &last.status {
        CertificateStatus::Revoked(revocation) if last.certificate == *certificate => Some(revocation.clone()),
        _ => None,
    }
}

/// The sub-indication of a failure (§5.2.6.4).
fn classify(target: &Arc<Certificate>, failure: &Failure) -> Conclusion {
    use SubIndication as Sub;
    let sentence = wording::failure(failure);
    let sub = match failure {
        Failure::NoIssuer { .. } => Sub::NoCertificateChainFound,
        Failure::Anchor { fault: Fault::Expired { .. }, .. } => Sub::NoCertificateChainFoundNoPoe,
        Failure::Anchor { fault: Fault::NotYetValid { .. }, .. } => Sub::NoCertificateChainFound,
        Failure::Certificate { fault, .. } | Failure::Anchor { fault, .. } => of_fault(fault),
        Failure::Revoked { certificate, revocation } => match revocation.reason {
            // §5.2.6.4, 3) c): it may be released, or revoked for good.
            Some(ReasonCode::CertificateHold) if certificate == target => Sub::TryLater,
            _ if certificate == target => Sub::RevokedNoPoe,
            _ => Sub::RevokedCaNoPoe,
        },
        Failure::StatusUnknown { not_used, .. } => of_unknown_status(not_used),
        Failure::TooLong { .. } | Failure::Budget(_) => Sub::CertificateChainGeneralFailure,
    };
    Conclusion::indeterminate(sub, sentence)
}

fn of_fault(fault: &Fault) -> SubIndication {
    match fault {
        Fault::Expired { .. } | Fault::NotYetValid { .. } => SubIndication::OutOfBoundsNoPoe,
        Fault::AlgorithmNotPermitted { .. } => SubIndication::CryptoConstraintsFailureNoPoe,
        // What the policy demands beyond RFC 5280's own conditions.
        Fault::NoPolicy | Fault::Purpose | Fault::Finding(_) | Fault::PathTooLong => {
            SubIndication::ChainConstraintsFailure
        }
        _ => SubIndication::CertificateChainGeneralFailure,
    }
}

/// Without revocation data, or with stale one, it may be settled later; unless what is there can't be relied on any more.
fn of_unknown_status(not_used: &[NotUsed]) -> SubIndication {
    let by_algorithm = |one: &NotUsed| one.why == WhyNotUsed::AlgorithmNotPermitted;
    // Its signer has ended since: that the data is older would have to be proven.
    let by_bounds = |one: &NotUsed| one.why == WhyNotUsed::SignerOutOfBounds;
    if !not_used.is_empty() && not_used.iter().all(by_algorithm) {
        SubIndication::CryptoConstraintsFailureNoPoe
    } else if not_used.iter().any(by_bounds) {
        SubIndication::RevocationOutOfBoundsNoPoe
    } else {
        SubIndication::TryLater
    }
}
