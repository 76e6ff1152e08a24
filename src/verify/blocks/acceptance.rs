//! Signature acceptance validation (EN 319 102-1 §5.2.8): the policy's constraints on a signature, its algorithms aside.

use super::super::cms::CmsFinding;
use super::super::policy::Constraint;
use super::checked::Constraints;
use super::signature::Case;
use super::{Conclusion, SignatureValidation, SubIndication, Validator};

impl Validator<'_> {
    /// Checks each constraint that does not depend on timestamps.
    pub(super) fn acceptance(&mut self, case: &Case<'_, '_, '_>, validation: &mut SignatureValidation) -> Conclusion {
        let levels = &self.context.policy.levels;
        let verification = case.verification;
        let findings = &verification.findings;
        let mut constraints = Constraints::new(levels, &mut validation.checks);
        let mut check = |constraint, holds, sentence: &str| constraints.check(constraint, holds, sentence);
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
        check(Constraint::UnreadEvidence, self.unread == 0, "all evidence that the document carries can be read");
        let chain = validation.certificate.as_ref().and_then(|one| one.judgement.chain.as_ref());
        if let Some(chain) = chain {
            let conforms = chain.links.iter().all(|link| link.findings().is_empty());
            check(Constraint::CertificateConformance, conforms, "the chain's certificates keep RFC 5280 §4");
        }
        let policy = case.verification.attributes.as_ref().map(|attributes| attributes.signature_policy);
        let named = matches!(policy, Some(Ok(Some(_)) | Err(_)));
        let acceptance = constraints.conclude();
        let demand = || "it names no signature policy, whose demands are not looked at".to_owned();
        match validation.checks.constraint(levels, Constraint::SignaturePolicy, !named, demand) {
            Err(sentence) if acceptance.is_passed() => match policy {
                Some(Err(error)) => {
                    Conclusion::indeterminate(SubIndication::PolicyProcessingError, format!("{sentence}: {error}"))
                }
                _ => Conclusion::indeterminate(SubIndication::SignaturePolicyNotAvailable, sentence),
            },
            _ => acceptance,
        }
    }
}

/// Findings that have no constraint of their own.
pub(super) fn is_structural(finding: &CmsFinding) -> bool {
    !matches!(finding, CmsFinding::NoSigningCertificateAttribute | CmsFinding::IssuerSerialDiffers)
}
