//! Counter-signatures (RFC 5652 §11.4): signatures over a signature, each judged as a basic one.

use std::sync::Arc;

use super::super::certificate::Certificate;
use super::super::cms::CmsError;
use super::super::evidence::Origin;
use super::super::policy::Constraint;
use super::super::signature::SignatureAlgorithm;
use super::acceptance::is_structural;
use super::signature::Case;
use super::timestamp::{of_signer_fault, reliable_at};
use super::{CertificateValidation, Checks, Conclusion, Role, SubIndication, Validator};

/// What is concluded of a counter-signature.
#[derive(Clone, Debug)]
pub struct CounterSignatureValidation {
    /// Whether it holds.
    pub conclusion: Conclusion,
    /// 1 where it is over the signer's signature, 2 where it is over that one, and so on.
    pub depth: usize,
    /// The certificate of whoever made it.
    pub signer: Option<Arc<Certificate>>,
    /// Where that came from.
    pub origin: Option<Origin>,
    /// How it is signed.
    pub algorithm: Option<SignatureAlgorithm>,
    /// Its chain.
    pub certificate: Option<Arc<CertificateValidation>>,
    /// What was checked.
    pub checks: Checks,
}

impl Validator<'_> {
    /// Judges the counter-signatures of a signature at the context's time.
    pub(super) fn counter_signatures(&mut self, case: &Case<'_, '_, '_>) -> Vec<CounterSignatureValidation> {
        let verifications =
            case.data.counter_signatures(&case.verification.signer, self.context.evidence, self.limits());
        self.spend_signatures(verifications.len());
        let mut validations = Vec::with_capacity(verifications.len());
        for counter in verifications {
            let mut validation = CounterSignatureValidation {
                conclusion: Conclusion::passed(),
                depth: counter.depth,
                signer: None,
                origin: None,
                algorithm: None,
                certificate: None,
                checks: Checks::default(),
            };
            let mut is_structured = true;
            let signature = match counter.verification {
                // One too many is not looked at, which says nothing of its format.
                Err(error @ CmsError::TooMany { .. }) => {
                    Conclusion::indeterminate(SubIndication::SigConstraintsFailure, error)
                }
                Err(error) => Conclusion::failed(SubIndication::FormatFailure, error),
                Ok(verification) => {
                    is_structured = !verification.findings.iter().any(is_structural);
                    validation.signer = verification.certificate;
                    validation.origin = verification.origin;
                    validation.algorithm = verification.algorithm;
                    verification.fault.as_ref().map_or_else(Conclusion::passed, of_signer_fault)
                }
            };
            validation.checks.concluded("signature", &signature, "it is over the signature above, and holds");
            validation.conclusion =
                if signature.is_passed() { self.counter_signer(&mut validation, is_structured) } else { signature };
            validations.push(validation);
        }
        validations
    }

    fn counter_signer(&mut self, validation: &mut CounterSignatureValidation, is_structured: bool) -> Conclusion {
        let (Some(certificate), Some(algorithm)) = (validation.signer.clone(), validation.algorithm) else {
            return Conclusion::indeterminate(SubIndication::NoSigningCertificateFound, "no certificate was found");
        };
        let chain = self.validate_certificate(&certificate, Role::Signer);
        let sentence = "its signer's certificate has a chain to a trust anchor that holds";
        validation.checks.concluded("chain", &chain.conclusion, sentence);
        let conclusion = chain.conclusion.clone();
        validation.certificate = Some(chain);
        if !conclusion.is_passed() {
            return conclusion;
        }
        let Ok(key) = certificate.key().map(super::super::signature::VerificationKey::algorithm) else {
            return Conclusion::indeterminate(
                SubIndication::CryptoConstraintsFailure,
                "the signer's key can't be used",
            );
        };
        let words = format!("{algorithm} with {key}");
        let reliability = self.context.policy.suites.reliable_until(algorithm, key);
        let algorithms = reliable_at(reliability, self.context.time_s, &words);
        validation.checks.concluded("algorithms", &algorithms, format!("{words}: reliable by the policy"));
        let levels = &self.context.policy.levels;
        let sentence = || "the counter-signature keeps what RFC 5652 demands of its structure".to_owned();
        match validation.checks.constraint(levels, Constraint::MessageStructure, is_structured, sentence) {
            Err(sentence) if algorithms.is_passed() => {
                Conclusion::indeterminate(SubIndication::SigConstraintsFailure, sentence)
            }
            _ => algorithms,
        }
    }
}
