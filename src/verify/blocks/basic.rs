//! Validation of basic signatures (EN 319 102-1 §5.3): format, signing certificate, chain, cryptography, acceptance.

use std::sync::Arc;

use super::signature::Case;
use super::timestamp::{first_failing, of_signer_fault, reliable_at};
use super::{Conclusion, Role, SignatureValidation, SubIndication, Validator};

impl Validator<'_> {
    /// Judges a signature at the context's time, whatever its timestamps say. What is FAILED, or INDETERMINATE for a reason
    /// that no time settles, is the verdict.
    pub(super) fn basic(&mut self, case: &mut Case<'_, '_, '_>, validation: &mut SignatureValidation) -> Conclusion {
        let verification = case.verification;
        // §5.2.2, §5.2.3, §5.2.7: a signature that does not verify is no better for its certificate, so that it comes first.
        if let Some(fault) = &verification.fault {
            let conclusion = of_signer_fault(fault);
            validation.checks.concluded(name_of(&conclusion), &conclusion, "");
            return conclusion;
        }
        let sentence = "the content is what was signed, and the signature holds under the signer's key";
        validation.checks.concluded("signature", &Conclusion::passed(), sentence);
        let (Some(certificate), Some(algorithm), Some(key)) =
            (&verification.certificate, verification.algorithm, validation.key)
        else {
            let reason = "the signer's certificate was not found";
            return Conclusion::indeterminate(SubIndication::NoSigningCertificateFound, reason);
        };
        let chain = self.validate_certificate(certificate, Role::Signer);
        validation.certificate = Some(Arc::clone(&chain));
        // §5.2.8: algorithms, then the other constraints.
        let suites = &self.context.policy.suites;
        let digest = verification.digest.map(|digest| suites.digest_reliable_until(digest));
        let signature = suites.reliable_until(algorithm, key);
        case.reliability = digest.map_or(signature, |digest| digest.min(signature));
        let words = format!("{algorithm} with {key}");
        let algorithms = reliable_at(case.reliability, self.context.time_s, &words);
        let acceptance = self.acceptance(case, validation);
        // The others are told by the validation with time.
        for (name, block) in [("chain", &chain.conclusion), ("algorithms", &algorithms)] {
            if !block.is_passed() && !block.may_be_settled_by_time() {
                validation.checks.concluded(name, block, "");
            }
        }
        first_failing(&[chain.conclusion.clone(), algorithms, acceptance])
    }
}

/// The block that a signer's fault belongs to.
fn name_of(conclusion: &Conclusion) -> &'static str {
    match conclusion.sub_indication {
        Some(SubIndication::FormatFailure) => "format",
        Some(SubIndication::NoSigningCertificateFound) => "signing-certificate",
        Some(SubIndication::SignedDataNotFound | SubIndication::HashFailure) => "signed-content",
        _ => "signature",
    }
}
