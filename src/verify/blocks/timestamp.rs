//! Timestamp validation (EN 319 102-1 §5.4): a token by itself, at the context's time.

use std::sync::Arc;

use crl::ReasonCode;

use super::super::certificate::Certificate;
use super::super::cms::SignerFault;
use super::super::policy::{Constraint, Reliability, TimestampFreshness};
use super::super::signature::{KeyAlgorithm, SignatureAlgorithm, SignatureError};
use super::super::timestamp::{
    Stamped, TimestampFault, TimestampFinding, TimestampToken, TimestampVerification, verify_timestamp,
};
use super::super::wording;
use super::checked::Constraints;
use super::{CertificateValidation, Checks, Conclusion, Role, SubIndication, Validator};
use crate::asn1::Oid;
use crate::clock::rfc3339;
use crate::crypto::sha256;

/// A token may be this much ahead of the judge's clock: two clocks that are kept differ by less.
const MAX_CLOCK_SKEW_S: i64 = 300;

/// What a token is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampKind {
    /// Data that was given beside it, or nothing that is known.
    Data,
    /// The content, before it was signed (EN 319 122-1 §5.2.8).
    Content,
    /// A signature (EN 319 122-1 §5.3).
    Signature,
    /// A whole signature with its evidence (EN 319 122-1 §5.5).
    Archive,
}

impl TimestampKind {
    /// As reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Content => "content-timestamp",
            Self::Signature => "signature-timestamp",
            Self::Archive => "archive-timestamp",
        }
    }
}

/// What is concluded of a token.
#[derive(Clone, Debug)]
pub struct TimestampValidation {
    /// What it is over.
    pub kind: TimestampKind,
    /// The SHA-256 of its octets.
    pub sha256: [u8; 32],
    /// genTime in seconds since 1970, cut to the second.
    pub gen_time_s: i64,
    /// The serial number's content octets.
    pub serial: Vec<u8>,
    /// The TSA policy, dotted.
    pub tsa_policy: String,
    /// The imprint's digest, by name.
    pub imprint_digest: &'static str,
    /// The imprint.
    pub imprint: Vec<u8>,
    /// Whether it was held against what it is over.
    pub is_compared: bool,
    /// Whether it holds; where an archive was looked at, by the past's proofs.
    pub conclusion: Conclusion,
    /// The signature.
    pub verification: TimestampVerification,
    /// The unit's certificate; `None` where it did not come to that.
    pub certificate: Option<Arc<CertificateValidation>>,
    /// What was checked.
    pub checks: Checks,
    /// The least of what its algorithms are reliable until.
    pub(super) reliability: Reliability,
}

impl TimestampValidation {
    /// Whether it proves its time.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.conclusion.is_passed()
    }
}

impl Validator<'_> {
    /// Judges a token, whole as it stands in `der`, against what it is over.
    pub fn validate_timestamp(
        &mut self,
        der: &[u8],
        token: &TimestampToken<'_>,
        kind: TimestampKind,
        stamped: Stamped<'_>,
    ) -> TimestampValidation {
        let verification = verify_timestamp(token, stamped, self.context.evidence, self.limits());
        self.spend_signatures(1);
        let mut validation = TimestampValidation {
            kind,
            sha256: sha256(der),
            gen_time_s: token.gen_time_s(),
            serial: token.tst_info.serial_number.to_vec(),
            tsa_policy: dotted(token.tst_info.policy),
            imprint_digest: token.imprint_digest.name(),
            imprint: token.imprint.to_vec(),
            is_compared: stamped != Stamped::NotAsked,
            conclusion: Conclusion::passed(),
            verification,
            certificate: None,
            checks: Checks::default(),
            reliability: Reliability::Open,
        };
        validation.conclusion = self.timestamp(token, &mut validation);
        validation
    }

    fn timestamp(&mut self, token: &TimestampToken<'_>, validation: &mut TimestampValidation) -> Conclusion {
        if let Some(fault) = &validation.verification.fault {
            let conclusion = of_fault(fault);
            validation.checks.concluded("signature", &conclusion, "");
            return conclusion;
        }
        let over = if validation.is_compared { "the imprint is of the data, and the" } else { "the" };
        let intact = format!("{over} signature holds under the unit's key");
        validation.checks.concluded("signature", &Conclusion::passed(), intact);
        let verification = &validation.verification;
        let (Some(certificate), Some(algorithm)) = (verification.certificate.clone(), verification.algorithm) else {
            return Conclusion::indeterminate(SubIndication::NoSigningCertificateFound, "no certificate was found");
        };
        let Ok(key) = certificate.key().map(super::super::signature::VerificationKey::algorithm) else {
            return Conclusion::indeterminate(SubIndication::CryptoConstraintsFailure, "the unit's key can't be used");
        };
        let certificate_validation = self.unit(&certificate, token.gen_time_s());
        let chain = certificate_validation.conclusion.clone();
        validation.checks.concluded("chain", &chain, "the unit's certificate has a chain to a trust anchor that holds");
        validation.certificate = Some(certificate_validation);
        let algorithms = self.token_algorithms(token, algorithm, key, validation);
        let constraints = self.token_constraints(token, validation);
        first_failing(&[chain, algorithms, constraints])
    }

    /// The unit's certificate at the context's time; by the policy, revocation data that was fresh at genTime will do, and a
    /// revocation without a compromise leaves what was stamped before (RFC 3161 §4).
    fn unit(&mut self, certificate: &Arc<Certificate>, gen_time_s: i64) -> Arc<CertificateValidation> {
        let now = self.validate_certificate(certificate, Role::TimestampingUnit);
        let revocation = &self.context.policy.revocation;
        // Whoever says so, and however old it is: what is known of a compromise is not undone by data that is older still.
        let is_undoubted = |one: &CertificateValidation| {
            one.revocation.as_ref().is_none_or(|one| revocation.reason_rule && leaves_the_past(one.reason))
        };
        let may_be_older = match now.conclusion.sub_indication {
            Some(SubIndication::TryLater) => revocation.timestamp_freshness == TimestampFreshness::GenTime,
            Some(SubIndication::RevokedNoPoe) => true,
            _ => false,
        };
        if !may_be_older || !is_undoubted(&now) {
            return now;
        }
        let then = self.certificate_at(certificate, Role::TimestampingUnit, gen_time_s.min(self.context.time_s));
        if then.conclusion.is_passed() && is_undoubted(&then) { Arc::new(then) } else { now }
    }

    fn token_algorithms(
        &self,
        token: &TimestampToken<'_>,
        algorithm: SignatureAlgorithm,
        key: KeyAlgorithm,
        validation: &mut TimestampValidation,
    ) -> Conclusion {
        let suites = &self.context.policy.suites;
        let imprint = suites.digest_reliable_until(token.imprint_digest);
        validation.reliability = imprint.min(suites.reliable_until(algorithm, key));
        let words = format!("{algorithm} with {key}, the imprint by {}", token.imprint_digest.name());
        let conclusion = reliable_at(validation.reliability, self.context.time_s, &words);
        validation.checks.concluded("algorithms", &conclusion, format!("{words}: reliable by the policy"));
        conclusion
    }

    fn token_constraints(&self, token: &TimestampToken<'_>, validation: &mut TimestampValidation) -> Conclusion {
        let policy = self.context.policy;
        let (levels, trust) = (&policy.levels, &policy.timestamps_trusted);
        let findings = validation.verification.findings.clone();
        let has = |finding: TimestampFinding| findings.contains(&finding);
        let mut constraints = Constraints::new(levels, &mut validation.checks);
        let mut check = |constraint, holds, sentence: &str| constraints.check(constraint, holds, sentence);
        if validation.kind == TimestampKind::Data {
            // Of one in a message the message tells.
            check(Constraint::UnreadEvidence, self.unread == 0, "all evidence that the document carries can be read");
        }
        let ahead_s = token.gen_time_s().saturating_sub(self.context.time_s);
        if trust.max_accuracy_s.is_some() {
            let accuracy_us = token.tst_info.accuracy_us;
            let holds = trust.max_accuracy_s.zip(accuracy_us).is_some_and(|(most_s, own_us)| {
                i64::try_from(own_us).is_ok_and(|own_us| own_us <= most_s.saturating_mul(1_000_000))
            });
            check(Constraint::TimestampAccuracy, holds, "the token's accuracy is as good as the policy demands");
        }
        if !trust.tsa_policies.is_empty() {
            let holds = trust.tsa_policies.iter().any(|policy| policy.to_string() == validation.tsa_policy);
            check(Constraint::TimestampTsaPolicy, holds, "the token's TSA policy is one that the policy names");
        }
        let only = !has(TimestampFinding::OtherPurposes);
        check(Constraint::TimestampOnlyPurpose, only, "timestamping is the unit's only purpose (RFC 3161 §2.3)");
        let critical = !has(TimestampFinding::PurposeNotCritical);
        check(Constraint::TimestampPurposeCritical, critical, "the unit's extKeyUsage is critical (RFC 3161 §2.3)");
        let named = !has(TimestampFinding::TsaNameDiffers);
        check(Constraint::TimestampTsaName, named, "the token's tsa field is a name of the unit's certificate");
        let structured = !findings.iter().any(|finding| matches!(finding, TimestampFinding::Cms(_)));
        check(Constraint::MessageStructure, structured, "the token keeps what RFC 5652 demands of its structure");
        let constraints = constraints.conclude();
        let refused = |sentence: String| Conclusion::indeterminate(SubIndication::SigConstraintsFailure, sentence);
        let made = rfc3339(token.gen_time_s());
        let not_before_s = validation.verification.certificate.as_ref().map_or(i64::MIN, |unit| unit.not_before_s());
        let time = if ahead_s > MAX_CLOCK_SKEW_S {
            refused(format!("the token was made at {made}, after this judgement's time"))
        } else if token.gen_time_s() < not_before_s {
            // A unit that tells a time before its own begin tells a wrong one.
            refused(format!("the token was made at {made}, before its unit's begin at {}", rfc3339(not_before_s)))
        } else {
            Conclusion::passed()
        };
        validation.checks.concluded(
            "gen-time",
            &time,
            "the token's time is past, and of its unit's certificate's validity",
        );
        if constraints.is_passed() { time } else { constraints }
    }
}

/// The verdict of blocks, in their order (§5.3.4): what no time settles comes first, since it is the verdict whatever
/// timestamps say.
pub(super) fn first_failing(blocks: &[Conclusion]) -> Conclusion {
    let firm = blocks.iter().find(|block| !block.is_passed() && !block.may_be_settled_by_time());
    firm.or_else(|| blocks.iter().find(|block| !block.is_passed())).cloned().unwrap_or(Conclusion::passed())
}

/// RFC 3161 §4, 1: "tokens generated before the revocation time will remain valid" for these reasons; without a reason, or
/// with another, all of the unit's tokens are in doubt.
const fn leaves_the_past(reason: Option<ReasonCode>) -> bool {
    matches!(
        reason,
        Some(
            ReasonCode::Unspecified
                | ReasonCode::AffiliationChanged
                | ReasonCode::Superseded
                | ReasonCode::CessationOfOperation
        )
    )
}

/// The conclusion on algorithms at a time. Where there is no time at which they were relied on, no proof of existence helps
/// (§5.1.3, table 6).
pub(super) fn reliable_at(reliability: Reliability, time_s: i64, words: &str) -> Conclusion {
    let sub = SubIndication::CryptoConstraintsFailureNoPoe;
    match reliability {
        reliability if reliability.holds_at(time_s) => Conclusion::passed(),
        Reliability::Until(until_s) => {
            let until = rfc3339(until_s);
            Conclusion::indeterminate(sub, format!("{words}: the policy relies on it only until {until}"))
        }
        _ => {
            let sub = SubIndication::CryptoConstraintsFailure;
            Conclusion::indeterminate(sub, format!("{words}: the policy does not rely on it"))
        }
    }
}

fn of_fault(fault: &TimestampFault) -> Conclusion {
    match fault {
        TimestampFault::Signer(fault) => of_signer_fault(fault),
        TimestampFault::ImprintDiffers => Conclusion::failed(SubIndication::HashFailure, fault),
        TimestampFault::DigestNotGiven { .. } => Conclusion::indeterminate(SubIndication::SignedDataNotFound, fault),
        TimestampFault::DigestNotAvailable { .. } | TimestampFault::AlgorithmNotPermitted { .. } => {
            Conclusion::indeterminate(SubIndication::CryptoConstraintsFailure, fault)
        }
        TimestampFault::NoSigningCertificateAttribute => Conclusion::failed(SubIndication::FormatFailure, fault),
        TimestampFault::NotForTimestamping => Conclusion::indeterminate(SubIndication::ChainConstraintsFailure, fault),
        TimestampFault::Certificate => Conclusion::indeterminate(SubIndication::CertificateChainGeneralFailure, fault),
    }
}

/// The conclusion of a signer's fault: format (§5.2.2), signing certificate (§5.2.3), cryptographic verification (§5.2.7).
pub(super) fn of_signer_fault(fault: &SignerFault) -> Conclusion {
    use SubIndication as Sub;
    match fault {
        SignerFault::DigestNotListed { .. }
        | SignerFault::Attribute(_)
        | SignerFault::NoSignedAttributes
        | SignerFault::ContentIsAttributes
        | SignerFault::ContentTypeDiffers => Conclusion::failed(Sub::FormatFailure, fault),
        SignerFault::NoContent | SignerFault::DigestNotGiven { .. } | SignerFault::ContentNeeded => {
            Conclusion::indeterminate(Sub::SignedDataNotFound, fault)
        }
        SignerFault::ContentDiffers | SignerFault::MessageDigestDiffers => Conclusion::failed(Sub::HashFailure, fault),
        SignerFault::NoSigningCertificate | SignerFault::SigningCertificateDiffers => {
            Conclusion::indeterminate(Sub::NoSigningCertificateFound, fault)
        }
        // Of an algorithm that is not known here nothing can be said, not that the signature is wrong.
        SignerFault::DigestAlgorithm(_)
        | SignerFault::DigestNotAvailable { .. }
        | SignerFault::SignatureAlgorithm(_)
        | SignerFault::Key(_) => Conclusion::indeterminate(Sub::CryptoConstraintsFailure, fault),
        SignerFault::Signature { error: SignatureError::Bad | SignatureError::Mismatch { .. }, .. } => {
            Conclusion::failed(Sub::SigCryptoFailure, fault)
        }
        SignerFault::Signature { .. } => Conclusion::indeterminate(Sub::CryptoConstraintsFailure, fault),
        SignerFault::Budget(_) => Conclusion::indeterminate(Sub::SigConstraintsFailure, fault),
    }
}

pub(super) fn dotted(oid: &[u8]) -> String {
    Oid::from_octets(oid).map_or_else(|_| hex::encode(oid), |oid| oid.to_string())
}

/// For people: who made a token, and when.
pub(super) fn told(validation: &TimestampValidation) -> String {
    let by = validation.verification.certificate.as_deref().map(wording::certificate);
    let time = rfc3339(validation.gen_time_s);
    by.map_or_else(|| format!("at {time}"), |by| format!("at {time} under {by}"))
}
