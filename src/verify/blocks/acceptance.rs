//! Signature acceptance validation (EN 319 102-1 §5.2.8): the policy's constraints on a signature, its algorithms aside.

use super::super::cms::CmsFinding;
use super::super::policy::Constraint;
use super::signature::Case;
use super::{Conclusion, SignatureValidation, SubIndication, Validator};

impl Validator<'_> {
    /// Checks each constraint that does not depend on timestamps.
    pub(super) fn acceptance(&mut self, case: &Case<'_, '_, '_>, validation: &mut SignatureValidation) -> Conclusion {
        let levels = &self.context.policy.levels;
        let verification = case.verification;
        let findings = &verification.findings;
        let checks = &mut validation.checks;
        let mut failed: Option<String> = None;
        let mut check = |constraint, holds: bool, sentence: &str| {
            let outcome = checks.constraint(levels, constraint, holds, || sentence.to_owned());
            if let Err(sentence) = outcome {
                failed.get_or_insert(sentence);
            }
        };
        let bound = !findings.contains(&CmsFinding::NoSigningCertificateAttribute);
        check(Constraint::SigningCertificateAttribute, bound, "a signed attribute binds the signer's certificate");
        let same = !findings.contains(&CmsFinding::IssuerSerialDiffers);
        check(Constraint::SigningCertificateIssuerSerial, same, "its issuerSerial is that of the certificate");
        if let Some(certificate) = &verification.certificate {
            let usage = certificate.key_usage();
            let allowed =
                usage.is_ok_and(|usage| usage.is_none_or(|usage| usage.digital_signature() || usage.non_repudiation()));
            check(
                Constraint::SignerKeyUsage,
                allowed,
                "the signer's keyUsage allows digitalSignature or nonRepudiation",
            );
        }
        let timed = validation.claimed_signing_time_s.is_some();
        check(Constraint::SigningTimeAttribute, timed, "the signer tells when it signed (signing-time)");
        let structured = !findings.iter().any(is_structural);
        check(Constraint::MessageStructure, structured, "the message keeps what RFC 5652 demands of its structure");
        let read = self.unread == 0;
        check(Constraint::UnreadEvidence, read, "every certificate, CRL and OCSP response that it carries can be read");
        let chain = validation.certificate.as_ref().and_then(|one| one.judgement.chain.as_ref());
        if let Some(chain) = chain {
            let conforms = chain.links.iter().all(|link| link.findings().is_empty());
            check(Constraint::CertificateConformance, conforms, "the chain's certificates keep RFC 5280 §4");
        }
        match failed {
            None => Conclusion::passed(),
            Some(sentence) => Conclusion::indeterminate(SubIndication::SigConstraintsFailure, sentence),
        }
    }
}

/// Findings that have no constraint of their own.
pub(super) fn is_structural(finding: &CmsFinding) -> bool {
    !matches!(finding, CmsFinding::NoSigningCertificateAttribute | CmsFinding::IssuerSerialDiffers)
}
