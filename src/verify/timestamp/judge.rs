//! The judgement of a token: evidence, settings and nothing else in, verdict out.

use std::sync::Arc;

use super::super::budget::Costs;
use super::super::certificate::{Certificate, oid as extension_oid};
use super::super::cms::{CmsFinding, Content, SignerFault, oid};
use super::super::evidence::{Evidence, Origin};
use super::super::general_name::GeneralName;
use super::super::judge::judge_certificate;
use super::super::judgement::Judgement;
use super::super::settings::Settings;
use super::super::signature::{Digest, KeyAlgorithm, SignatureAlgorithm};
use super::token::TimestampToken;
use crate::asn1::Reader;

/// What a token is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamped<'c> {
    /// Nothing: whether it is a good token, whatever it is over.
    NotAsked,
    /// These octets.
    Data(&'c [u8]),
    /// Octets with this digest; a token with another can't be held against it.
    Digest {
        /// The digest.
        digest: Digest,
        /// Its value.
        value: &'c [u8],
    },
}

/// For which time the signer's certificate is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainTime {
    /// genTime: what the signer's clock said when it signed.
    GenTime,
    /// The settings' time: now, or that of a later proof of existence.
    Settings,
}

/// Why a token is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampFault {
    /// The digest that was given is another than the imprint's.
    #[error("the imprint is by {}, and a digest by {} was given", .imprint.name(), .given.name())]
    DigestNotGiven {
        /// The imprint's.
        imprint: Digest,
        /// The one given.
        given: Digest,
    },
    /// The system's OpenSSL has the digest switched off.
    #[error("the digest {} can't be computed here", .digest.name())]
    DigestNotAvailable {
        /// Which.
        digest: Digest,
    },
    /// It is a token over something else.
    #[error("the token is over something else: its imprint differs")]
    ImprintDiffers,
    /// The signature does not hold.
    #[error(transparent)]
    Signer(SignerFault),
    /// RFC 3161 §2.4.2, RFC 5816 §2.2.1: the certificate's identifier MUST be a signed attribute.
    #[error("the token does not name its signer's certificate by a signed attribute")]
    NoSigningCertificateAttribute,
    /// RFC 3161 §2.3: the certificate MUST be for timestamping.
    #[error("the signer's certificate is not for timestamping (extKeyUsage)")]
    NotForTimestamping,
    /// The policy on algorithms does not permit to rely on the signature.
    #[error("signed by {signature} with a key of the kind {key}, which the policy does not permit")]
    AlgorithmNotPermitted {
        /// The signature's algorithm.
        signature: SignatureAlgorithm,
        /// The signer's key.
        key: KeyAlgorithm,
    },
    /// The signer's certificate is not good; [`TimestampJudgement::chain`] says why.
    #[error("the signer's certificate is not good")]
    Certificate,
}

/// What a token, or its signer's certificate, does against a standard without the verdict depending on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampFinding {
    /// RFC 3161 §2.3: extKeyUsage MUST be critical.
    PurposeNotCritical,
    /// RFC 3161 §2.3: extKeyUsage MUST have one instance only, timestamping.
    OtherPurposes,
    /// RFC 3161 §2.4.2: tsa MUST correspond to one of the subject names of the certificate.
    TsaNameDiffers,
    /// Of the message around.
    Cms(CmsFinding),
}

/// The answer to: is this token good?
#[derive(Clone, Debug)]
pub struct TimestampJudgement {
    /// `None`: it is good. The first reason in the order: what it is over, its signature, its signer.
    pub fault: Option<TimestampFault>,
    /// What is against a standard all the same.
    pub findings: Vec<TimestampFinding>,
    /// The signer's certificate, if one was found.
    pub certificate: Option<Arc<Certificate>>,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// How the token is signed, if that is known here.
    pub algorithm: Option<SignatureAlgorithm>,
    /// The judgement of the certificate; `None` where it did not come to that.
    pub chain: Option<Judgement>,
}

impl TimestampJudgement {
    /// Whether the token is good.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.fault.is_none()
    }
}

/// Judges a token: what it is over, its signature, the signer's certificate and the chain above it.
///
/// The token's own certificates are looked at only where they were added to the evidence
/// ([`SignedData::add_to`](super::super::cms::SignedData::add_to)). The settings' purpose is not asked: it is timestamping.
/// How fresh revocation data must be is the settings', whichever time is judged for. Pure.
#[must_use]
pub fn judge_timestamp(
    token: &TimestampToken<'_>,
    stamped: Stamped<'_>,
    chain_time: ChainTime,
    evidence: &Evidence,
    settings: &Settings<'_>,
) -> TimestampJudgement {
    let mut judgement = TimestampJudgement {
        fault: None,
        findings: Vec::new(),
        certificate: None,
        origin: None,
        algorithm: None,
        chain: None,
    };
    judgement.fault = judge(token, stamped, chain_time, evidence, settings, &mut judgement).err();
    judgement
}

fn judge(
    token: &TimestampToken<'_>,
    stamped: Stamped<'_>,
    chain_time: ChainTime,
    evidence: &Evidence,
    settings: &Settings<'_>,
    judgement: &mut TimestampJudgement,
) -> Result<(), TimestampFault> {
    let verification = verify_timestamp(token, stamped, evidence, settings.limits);
    judgement.findings = verification.findings;
    judgement.algorithm = verification.algorithm;
    judgement.origin = verification.origin;
    judgement.certificate = verification.certificate;
    if let Some(fault) = verification.fault {
        return Err(fault);
    }
    let (Some(certificate), Some(signature)) = (&judgement.certificate, judgement.algorithm) else {
        return Err(TimestampFault::Signer(SignerFault::NoSigningCertificate));
    };
    let key = certificate.key().map_err(|error| TimestampFault::Signer(SignerFault::Key(error)))?.algorithm();
    if !settings.algorithms.permits(signature, key) {
        return Err(TimestampFault::AlgorithmNotPermitted { signature, key });
    }
    let time_s = match chain_time {
        ChainTime::GenTime => token.gen_time_s(),
        ChainTime::Settings => settings.time_s,
    };
    let settings = Settings { time_s, purpose: Some(oid::TIME_STAMPING), ..settings.clone() };
    let chain = judgement.chain.insert(judge_certificate(certificate, evidence, &settings));
    if chain.is_good() { Ok(()) } else { Err(TimestampFault::Certificate) }
}

/// What is found out about a token, its signer's chain aside.
#[derive(Clone, Debug)]
pub struct TimestampVerification {
    /// `None`: it is over what it should be, and the signature holds under the key of a certificate for timestamping.
    pub fault: Option<TimestampFault>,
    /// What is against a standard all the same.
    pub findings: Vec<TimestampFinding>,
    /// The signer's certificate, if one was found.
    pub certificate: Option<Arc<Certificate>>,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// How the token is signed, if that is known here.
    pub algorithm: Option<SignatureAlgorithm>,
}

/// Verifies a token: what it is over, its signature, and that the signer's certificate is for timestamping. Whether that
/// certificate may be believed is another question. `limits.signatures` bounds the work.
#[must_use]
pub fn verify_timestamp(
    token: &TimestampToken<'_>,
    stamped: Stamped<'_>,
    evidence: &Evidence,
    limits: Costs,
) -> TimestampVerification {
    let mut verification =
        TimestampVerification { fault: None, findings: Vec::new(), certificate: None, origin: None, algorithm: None };
    verification.fault = verify(token, stamped, evidence, limits, &mut verification).err();
    verification
}

fn verify(
    token: &TimestampToken<'_>,
    stamped: Stamped<'_>,
    evidence: &Evidence,
    limits: Costs,
    verification: &mut TimestampVerification,
) -> Result<(), TimestampFault> {
    compare(token, stamped)?;
    let verified = token.signed_data.verify(Content::Attached, evidence, limits).into_iter().next();
    let Some(verified) = verified else {
        return Err(TimestampFault::Signer(SignerFault::NoSigningCertificate));
    };
    verification.findings.extend(verified.findings.iter().copied().map(TimestampFinding::Cms));
    verification.algorithm = verified.algorithm;
    verification.origin = verified.origin;
    verification.certificate.clone_from(&verified.certificate);
    if let Some(fault) = verified.fault {
        return Err(TimestampFault::Signer(fault));
    }
    if verified.findings.contains(&CmsFinding::NoSigningCertificateAttribute) {
        return Err(TimestampFault::NoSigningCertificateAttribute);
    }
    let Some(certificate) = &verified.certificate else {
        return Err(TimestampFault::Signer(SignerFault::NoSigningCertificate));
    };
    purpose(certificate, &mut verification.findings)?;
    if token.tst_info.tsa.is_some_and(|tsa| !names(certificate, tsa)) {
        verification.findings.push(TimestampFinding::TsaNameDiffers);
    }
    Ok(())
}

fn compare(token: &TimestampToken<'_>, stamped: Stamped<'_>) -> Result<(), TimestampFault> {
    let imprint = token.imprint_digest;
    let same = match stamped {
        Stamped::NotAsked => true,
        Stamped::Data(octets) => {
            imprint.of(octets).ok_or(TimestampFault::DigestNotAvailable { digest: imprint })? == token.imprint
        }
        Stamped::Digest { digest, .. } if digest != imprint => {
            return Err(TimestampFault::DigestNotGiven { imprint, given: digest });
        }
        Stamped::Digest { value, .. } => value == token.imprint,
    };
    if same { Ok(()) } else { Err(TimestampFault::ImprintDiffers) }
}

/// RFC 3161 §2.3: exactly one purpose, timestamping, critical. Without it no certificate makes a token good.
fn purpose(certificate: &Certificate, findings: &mut Vec<TimestampFinding>) -> Result<(), TimestampFault> {
    let Ok(Some(purposes)) = certificate.extended_key_usage() else {
        return Err(TimestampFault::NotForTimestamping);
    };
    if !purposes.contains(&oid::TIME_STAMPING) {
        return Err(TimestampFault::NotForTimestamping);
    }
    if purposes.len() > 1 {
        findings.push(TimestampFinding::OtherPurposes);
    }
    if !certificate.extension(extension_oid::EXTENDED_KEY_USAGE).is_some_and(|extension| extension.critical) {
        findings.push(TimestampFinding::PurposeNotCritical);
    }
    Ok(())
}

/// Whether a GeneralName is the certificate's subject or one of its alternative names.
fn names(certificate: &Certificate, general_name: &[u8]) -> bool {
    let mut reader = Reader::new(general_name);
    let Ok(name) = GeneralName::read(&mut reader) else { return false };
    let subject = matches!(&name, GeneralName::DirectoryName(name) if name == certificate.subject_name());
    let alternatives = certificate.subject_alt_names().ok().flatten().unwrap_or_default();
    reader.is_finished() && (subject || alternatives.contains(&name))
}
