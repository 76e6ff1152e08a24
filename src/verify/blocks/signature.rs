//! What is concluded of one signer of a message, and the order of the blocks: basic, with time, with archival data.

use std::sync::Arc;

use super::super::certificate::Certificate;
use super::super::cms::{Content, SignedData, SignerVerification, UnsignedAttribute};
use super::super::evidence::Origin;
use super::super::existence::{Proof, ProvenBy};
use super::super::policy::{Constraint, Reliability};
use super::super::signature::{Digest, KeyAlgorithm, SignatureAlgorithm};
use super::super::timestamp::{Stamped, TimestampToken};
use super::archival::Archived;
use super::timestamp::dotted;
use super::{
    CertificateValidation, Checks, Conclusion, CounterSignatureValidation, SubIndication, TimestampKind,
    TimestampValidation, Validator,
};
use crate::crypto::sha256;

/// Timestamps of one signature that are judged: one when it is made, one a year for an archive. Those beyond prove nothing.
const MAX_TIMESTAMPS: usize = 64;

/// How much of CAdES a signature carries (EN 319 122-1 §6): what is there, not whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureLevel {
    /// CMS without what CAdES asks for.
    Cms,
    /// B: the signing certificate is bound by a signed attribute.
    B,
    /// T: with a signature timestamp.
    T,
    /// LT: with certificates and revocation data of its chain.
    Lt,
    /// LTA: with an archive timestamp.
    Lta,
}

impl SignatureLevel {
    /// As reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cms => "CMS",
            Self::B => "B",
            Self::T => "T",
            Self::Lt => "LT",
            Self::Lta => "LTA",
        }
    }
}

/// What is concluded of one signer.
#[derive(Clone, Debug)]
pub struct SignatureValidation {
    /// The verdict.
    pub conclusion: Conclusion,
    /// What it carries.
    pub level: SignatureLevel,
    /// The SHA-256 of the signature's octets: its name among proofs of existence.
    pub signature_sha256: [u8; 32],
    /// Since when the signature is proven to exist, and by what; presence alone is no proof of more than now.
    pub best_signature_time: Proof,
    /// What the signer claims, seconds since 1970.
    pub claimed_signing_time_s: Option<i64>,
    /// The signature policy that it names, dotted; `implied` where it is (EN 319 122-1 §5.2.9).
    pub signature_policy: Option<String>,
    /// The signer's certificate, if one was found.
    pub signer: Option<Arc<Certificate>>,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// The digest.
    pub digest: Option<Digest>,
    /// How it is signed.
    pub algorithm: Option<SignatureAlgorithm>,
    /// The signer's key.
    pub key: Option<KeyAlgorithm>,
    /// The chain that the verdict rests on; `None` where it did not come to that.
    pub certificate: Option<Arc<CertificateValidation>>,
    /// Its timestamps.
    pub timestamps: Vec<TimestampValidation>,
    /// Its counter-signatures.
    pub counter_signatures: Vec<CounterSignatureValidation>,
    /// What was checked.
    pub checks: Checks,
}

/// One signer on the way through the blocks.
pub(super) struct Case<'c, 's, 'a> {
    pub(super) data: &'c SignedData<'a>,
    pub(super) content: Content<'c>,
    pub(super) verification: &'c SignerVerification<'s, 'a>,
    /// The least of what its algorithms are reliable until.
    pub(super) reliability: Reliability,
}

impl Case<'_, '_, '_> {
    /// What a content timestamp is over (EN 319 122-1 §5.2.8: the content's octets without tag and length).
    fn stamped_content(&self) -> Stamped<'_> {
        match (self.content, self.data.content) {
            (Content::Detached(octets), _) => Stamped::Data(octets),
            (_, Some(octets)) => Stamped::Data(octets),
            (Content::DetachedDigest { digest, value }, None) => Stamped::Digest { digest, value },
            (Content::Attached, None) => Stamped::NotAsked,
        }
    }
}

impl Validator<'_> {
    /// Judges every signer of a message, whose own evidence is in the context's
    /// ([`SignedData::add_to`](super::super::cms::SignedData::add_to)).
    pub fn validate_message(&mut self, data: &SignedData<'_>, content: Content<'_>) -> Vec<SignatureValidation> {
        self.allow_octets(content_octets(data, content));
        let verifications = data.verify(content, self.context.evidence, self.limits());
        self.spend_signatures(verifications.len());
        verifications.iter().map(|verification| self.validate_signer(data, content, verification)).collect()
    }

    fn validate_signer<'a>(
        &mut self,
        data: &SignedData<'a>,
        content: Content<'_>,
        verification: &SignerVerification<'_, 'a>,
    ) -> SignatureValidation {
        let signature_sha256 = sha256(verification.signer.signature);
        let attributes = verification.attributes.as_ref();
        let key = verification.certificate.as_ref().and_then(|certificate| certificate.key().ok());
        let mut validation = SignatureValidation {
            conclusion: Conclusion::passed(),
            level: level(data, verification),
            signature_sha256,
            best_signature_time: self.presence().earliest(&signature_sha256),
            claimed_signing_time_s: attributes.and_then(|attributes| attributes.signing_time_s.ok().flatten()),
            signature_policy: attributes
                .and_then(|attributes| attributes.signature_policy.ok().flatten())
                .map(named_policy),
            signer: verification.certificate.clone(),
            origin: verification.origin,
            digest: verification.digest,
            algorithm: verification.algorithm,
            key: key.map(super::super::signature::VerificationKey::algorithm),
            certificate: None,
            timestamps: Vec::new(),
            counter_signatures: Vec::new(),
            checks: Checks::default(),
        };
        let mut case = Case { data, content, verification, reliability: Reliability::Open };
        validation.conclusion = self.signer(&mut case, &mut validation);
        validation
    }

    fn signer(&mut self, case: &mut Case<'_, '_, '_>, validation: &mut SignatureValidation) -> Conclusion {
        let basic = self.basic(case, validation);
        if !basic.is_passed() && !basic.may_be_settled_by_time() {
            return basic;
        }
        let Some(signer) = validation.signer.clone() else { return basic };
        let archived = self.timestamps(case, validation);
        let now_s = self.context.time_s;
        let proofs = self.settle_timestamps(case, &archived, validation);
        validation.best_signature_time = proofs.earliest(&validation.signature_sha256);
        let before = validation.checks.len();
        let with_time = self.with_time(case, &signer, validation);
        let settled = match with_time.may_be_settled_by_time() {
            true => self.with_archival_data(case, &signer, &with_time, &proofs, before, validation),
            false => with_time,
        };
        let times = self.times(validation);
        let conclusion = if settled.is_passed() { times } else { settled };
        if conclusion.is_passed() {
            let proof = validation.best_signature_time;
            let words = match proof.by {
                ProvenBy::Presence => "no timestamp proves that it is older than this judgement".to_owned(),
                ProvenBy::Timestamp(_) if proof.time_s >= now_s => "a timestamp proves no earlier time".to_owned(),
                ProvenBy::Timestamp(_) => {
                    format!("a timestamp proves that it existed at {}", crate::clock::rfc3339(proof.time_s))
                }
            };
            validation.checks.told("best-signature-time", words);
        }
        let counter_signatures = self.counter_signatures(case);
        let all_hold = counter_signatures.iter().all(|one| one.conclusion.is_passed());
        if !counter_signatures.is_empty() {
            let levels = &self.context.policy.levels;
            let sentence = || format!("each of {} counter-signatures holds", counter_signatures.len());
            let outcome = validation.checks.constraint(levels, Constraint::CounterSignature, all_hold, sentence);
            validation.counter_signatures = counter_signatures;
            if conclusion.is_passed()
                && let Err(sentence) = outcome
            {
                return Conclusion::indeterminate(SubIndication::SigConstraintsFailure, sentence);
            }
        }
        conclusion
    }

    /// Judges the timestamps of a signature by themselves, and says what those of an archive cover.
    fn timestamps(&mut self, case: &Case<'_, '_, '_>, validation: &mut SignatureValidation) -> Vec<Archived> {
        let attributes = case.verification.attributes.as_ref();
        let mut tokens: Vec<(TimestampKind, &[u8])> = Vec::new();
        let content = attributes.map(|attributes| attributes.content_timestamps.as_slice()).unwrap_or_default();
        tokens.extend(content.iter().map(|der| (TimestampKind::Content, *der)));
        tokens.extend(case.verification.signer.unsigned().into_iter().filter_map(|attribute| match attribute {
            UnsignedAttribute::SignatureTimestamp(der) => Some((TimestampKind::Signature, der)),
            _ => None,
        }));
        if tokens.len() > MAX_TIMESTAMPS {
            let count = tokens.len() - MAX_TIMESTAMPS;
            validation.checks.warned("timestamps", format!("{count} timestamps more than are judged are left out"));
            tokens.truncate(MAX_TIMESTAMPS);
        }
        for (kind, der) in tokens {
            let stamped = match kind {
                TimestampKind::Content => case.stamped_content(),
                _ => Stamped::Data(case.verification.signer.signature),
            };
            if kind == TimestampKind::Content && !self.spend_octets(content_octets(case.data, case.content)) {
                validation.checks.warned("timestamps", "content timestamps over more than is hashed are left out");
                continue;
            }
            match TimestampToken::from_der(der) {
                Ok(token) => validation.timestamps.push(self.validate_timestamp(der, &token, kind, stamped)),
                Err(error) => validation.checks.warned(kind.name(), format!("it can't be read: {error}")),
            }
        }
        self.archive_timestamps(case, validation)
    }
}

fn named_policy(oid: &[u8]) -> String {
    match oid {
        [] => "implied".to_owned(),
        oid => dotted(oid),
    }
}

/// How much a message's signers sign.
pub(super) fn content_octets(data: &SignedData<'_>, content: Content<'_>) -> usize {
    match content {
        Content::Detached(octets) => octets.len(),
        Content::Attached | Content::DetachedDigest { .. } => data.content.map_or(0, <[u8]>::len),
    }
}

fn level(data: &SignedData<'_>, verification: &SignerVerification<'_, '_>) -> SignatureLevel {
    let bound = verification.attributes.as_ref().is_some_and(|attributes| {
        attributes.signing_certificate.is_some() || attributes.signing_certificate_v2.is_some()
    });
    if !bound {
        return SignatureLevel::Cms;
    }
    let unsigned = verification.signer.unsigned();
    let has = |is: fn(&UnsignedAttribute<'_>) -> bool| unsigned.iter().any(is);
    let stamped = has(|one| matches!(one, UnsignedAttribute::SignatureTimestamp(_)));
    let archived =
        has(|one| matches!(one, UnsignedAttribute::ArchiveTimestampV3(_) | UnsignedAttribute::ArchiveTimestampV2(_)));
    let with_status = !data.crls.is_empty()
        || !data.other_revocations.is_empty()
        || has(|one| matches!(one, UnsignedAttribute::RevocationValues(_)));
    match (stamped, with_status, archived) {
        (true, true, true) => SignatureLevel::Lta,
        (true, true, false) => SignatureLevel::Lt,
        (true, false, _) => SignatureLevel::T,
        (false, ..) => SignatureLevel::B,
    }
}
