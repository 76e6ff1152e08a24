//! Whether the signers' signatures hold (RFC 5652 §5.4, §5.6), and under whose certificates.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::budget::{Budget, Costs, Resource};
use super::super::certificate::Certificate;
use super::super::evidence::{Evidence, HeldCertificate, Origin};
use super::super::signature::{Digest, SignatureAlgorithm, SignatureError};
use super::algorithm::signature_algorithm;
use super::attribute::{Attributes, SignedAttributes, UnsignedAttribute};
use super::fault::{CmsFinding, SignerFault};
use super::oid;
use super::signed_data::SignedData;
use super::signer_info::SignerInfo;
use super::signing_certificate::Binding;
use crate::asn1::{Reader, writer};

/// Certificates of one issuer and serial number, or key identifier, that are looked at: there should be one. Each is hashed
/// once for each signer, and a message holds many signers and large certificates.
const MAX_NAMESAKES: usize = 8;

/// Signers and timestamping units of one message whose chains are gathered for.
const MAX_TARGETS: usize = 64;

/// What the signatures are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'c> {
    /// What the message carries.
    Attached,
    /// These octets; a message that carries others does not hold.
    Detached(&'c [u8]),
    /// Octets with this digest. A signer with another digest can't be judged, nor one that signs the content itself by an
    /// algorithm without a digest.
    DetachedDigest {
        /// The digest.
        digest: Digest,
        /// Its value.
        value: &'c [u8],
    },
}

/// What is found out about one signer.
#[derive(Clone, Debug)]
pub struct SignerVerification<'s, 'a> {
    /// The signer.
    pub signer: Cow<'s, SignerInfo<'a>>,
    /// `None`: the signature holds under the certificate's key. That the certificate is good is not said.
    pub fault: Option<SignerFault>,
    /// The signer's certificate: the one under which the signature holds, else the first that the signer names.
    pub certificate: Option<Arc<Certificate>>,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// digestAlgorithm.
    pub digest: Option<Digest>,
    /// signatureAlgorithm.
    pub algorithm: Option<SignatureAlgorithm>,
    /// The signed attributes.
    pub attributes: Option<SignedAttributes<'a>>,
    /// What it does against the standards.
    pub findings: Vec<CmsFinding>,
}

impl SignerVerification<'_, '_> {
    /// Whether the signature holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.fault.is_none()
    }
}

impl<'a> SignedData<'a> {
    /// The certificates that signers name, of the message and of the timestamps in its attributes, as far as they are held.
    #[must_use]
    pub fn signing_certificates(&self, evidence: &Evidence) -> Vec<Arc<Certificate>> {
        let mut found: Vec<Arc<Certificate>> = Vec::new();
        let mut look = |signer: &SignerInfo<'_>| {
            let names = signer.identifier.matcher();
            let named = evidence.certificates().iter().filter(|held| names(&held.certificate)).take(MAX_NAMESAKES);
            for held in named {
                if found.len() < MAX_TARGETS && !found.contains(&held.certificate) {
                    found.push(Arc::clone(&held.certificate));
                }
            }
        };
        for signer in &self.signers {
            look(signer);
            let signed =
                signer.signed_attributes.iter().flat_map(|attributes| attributes.values(oid::CONTENT_TIMESTAMP));
            let unsigned = signer.unsigned().into_iter().filter_map(|attribute| match attribute {
                UnsignedAttribute::SignatureTimestamp(der)
                | UnsignedAttribute::ArchiveTimestampV2(der)
                | UnsignedAttribute::ArchiveTimestampV3(der) => Some(der),
                _ => None,
            });
            for token in signed.map(|value| value.whole).chain(unsigned).take(MAX_TARGETS) {
                if let Ok(token) = SignedData::from_der(token) {
                    token.signers.iter().for_each(&mut look);
                }
            }
        }
        found
    }

    /// Verifies each signer's signature, in the message's order. The signers' certificates are looked for in the evidence,
    /// to which [`Self::add_to`] adds the message's own.
    ///
    /// `limits.signatures` bounds how many are verified in all.
    #[must_use]
    pub fn verify<'s>(
        &'s self,
        content: Content<'_>,
        evidence: &Evidence,
        limits: Costs,
    ) -> Vec<SignerVerification<'s, 'a>> {
        let mut own = Vec::new();
        let (version, expected) = (self.version, self.expected_version());
        if version != expected {
            own.push(CmsFinding::SignedDataVersion { version, expected });
        }
        own.extend(self.content_tag.map(|tag| CmsFinding::ContentNotOctetString { tag }));
        let signed = Signed::Content { kind: self.content_type, digest_algorithms: &self.digest_algorithms };
        let mut run = Run::new(signed, self.given(content), evidence, Budget::new(limits));
        let one = |signer| {
            let mut found = run.signer(Cow::Borrowed(signer));
            found.findings.splice(0..0, own.iter().copied());
            found
        };
        self.signers.iter().map(one).collect()
    }

    /// What the content is that signatures are held against, unless the message carries another.
    pub(super) fn given<'c>(&self, content: Content<'c>) -> Result<Given<'c>, SignerFault>
    where
        'a: 'c,
    {
        match (self.content, content) {
            (Some(octets), Content::Attached) => Ok(Given::Octets(octets)),
            (None, Content::Attached) => Err(SignerFault::NoContent),
            (None, Content::DetachedDigest { digest, value }) => Ok(Given::Digest(digest, value)),
            (Some(own), Content::DetachedDigest { digest, value }) => {
                let own_value = digest.of(own).ok_or(SignerFault::DigestNotAvailable { digest })?;
                if own_value == value { Ok(Given::Octets(own)) } else { Err(SignerFault::ContentDiffers) }
            }
            (Some(own), Content::Detached(octets)) if own != octets => Err(SignerFault::ContentDiffers),
            (_, Content::Detached(octets)) => Ok(Given::Octets(octets)),
        }
    }
}

/// Content, or what is known of it.
pub(super) enum Given<'c> {
    Octets(&'c [u8]),
    Digest(Digest, &'c [u8]),
}

/// What signers sign.
#[derive(Clone, Copy)]
pub(super) enum Signed<'r, 'a> {
    /// A message's content.
    Content {
        /// eContentType.
        kind: &'a [u8],
        /// digestAlgorithms.
        digest_algorithms: &'r [&'a [u8]],
    },
    /// Another signature: the signers are counter-signatures.
    Signature,
}

/// One run over signers of the same: each digest of it is computed once.
pub(super) struct Run<'r, 'a, 'c> {
    signed: Signed<'r, 'a>,
    given: Result<Given<'c>, SignerFault>,
    digests: Vec<(Digest, Vec<u8>)>,
    evidence: &'r Evidence,
    pub(super) budget: Budget,
}

impl<'r, 'a, 'c> Run<'r, 'a, 'c> {
    pub(super) fn new(
        signed: Signed<'r, 'a>,
        given: Result<Given<'c>, SignerFault>,
        evidence: &'r Evidence,
        budget: Budget,
    ) -> Self {
        Self { signed, given, digests: Vec::new(), evidence, budget }
    }

    pub(super) fn signer<'s>(&mut self, signer: Cow<'s, SignerInfo<'a>>) -> SignerVerification<'s, 'a> {
        let mut found = SignerVerification {
            signer,
            fault: None,
            certificate: None,
            origin: None,
            digest: None,
            algorithm: None,
            attributes: None,
            findings: Vec::new(),
        };
        let (version, expected) = (found.signer.version, found.signer.expected_version());
        if version != expected {
            found.findings.push(CmsFinding::SignerInfoVersion { version, expected });
        }
        found.fault = self.verify(&mut found).err();
        found
    }

    fn verify(&mut self, found: &mut SignerVerification<'_, 'a>) -> Result<(), SignerFault> {
        let signer = found.signer.clone();
        let digest = Digest::from_identifier_der(signer.digest_algorithm).map_err(SignerFault::DigestAlgorithm)?;
        found.digest = Some(digest);
        let listed = |identifier: &&[u8]| Digest::from_identifier_der(identifier) == Ok(digest);
        if let Signed::Content { digest_algorithms, .. } = self.signed
            && !digest_algorithms.iter().any(listed)
        {
            return Err(SignerFault::DigestNotListed { digest });
        }
        let algorithm =
            signature_algorithm(signer.signature_algorithm, digest).map_err(SignerFault::SignatureAlgorithm)?;
        found.algorithm = Some(algorithm);
        if let Some(signature_digest) = algorithm.digest().filter(|other| *other != digest) {
            found.findings.push(CmsFinding::DigestsDiffer { digest, signature_digest });
        }
        let read = match self.signed {
            Signed::Content { .. } => SignedAttributes::read,
            Signed::Signature => SignedAttributes::of_counter_signature,
        };
        let attributes = signer.signed_attributes.as_ref().map(read).transpose()?;
        if attributes.as_ref().is_some_and(|attributes| attributes.signing_time_s.is_err()) {
            found.findings.push(CmsFinding::SigningTimeMalformed);
        }
        found.attributes = attributes;
        let typed = |set: &Attributes<'_>| set.values(oid::CONTENT_TYPE).next().is_some();
        if matches!(self.signed, Signed::Signature) && signer.signed_attributes.as_ref().is_some_and(typed) {
            found.findings.push(CmsFinding::CounterSignatureContentType);
        }
        let candidates = self.candidates(found)?;
        let finding = self.content(found.attributes.as_ref(), digest, algorithm)?;
        found.findings.extend(finding);
        let mut first_fault = None;
        for (held, binding) in candidates {
            self.budget.spend(Resource::Signatures, 1)?;
            match self.under(&held.certificate, &signer, algorithm) {
                Ok(finding) => {
                    found.certificate = Some(Arc::clone(&held.certificate));
                    found.origin = Some(held.origin);
                    found.findings.extend(finding);
                    if signer.identifier.is_written_differently(&held.certificate) {
                        found.findings.push(CmsFinding::IssuerWrittenDifferently);
                    }
                    if binding == Binding::IssuerSerialDiffers {
                        found.findings.push(CmsFinding::IssuerSerialDiffers);
                    }
                    return Ok(());
                }
                Err(fault) => {
                    first_fault.get_or_insert(fault);
                }
            }
        }
        Err(first_fault.unwrap_or(SignerFault::NoSigningCertificate))
    }

    /// The certificates that the signer may have signed with, each with what the signed attributes say of it.
    fn candidates(
        &self,
        found: &mut SignerVerification<'_, 'a>,
    ) -> Result<Vec<(HeldCertificate, Binding)>, SignerFault> {
        let names = found.signer.identifier.matcher();
        let named = self.evidence.certificates().iter().filter(|held| names(&held.certificate));
        let named: Vec<&HeldCertificate> = named.take(MAX_NAMESAKES).collect();
        let first = named.first().ok_or(SignerFault::NoSigningCertificate)?;
        found.certificate = Some(Arc::clone(&first.certificate));
        found.origin = Some(first.origin);
        let attributes = found.attributes.as_ref();
        let bindings = attributes
            .map_or([None, None], |attributes| [attributes.signing_certificate, attributes.signing_certificate_v2]);
        if bindings == [None, None] {
            found.findings.push(CmsFinding::NoSigningCertificateAttribute);
        }
        let bound = named.into_iter().filter_map(|held| {
            let mut binding = Binding::Same;
            for attribute in bindings.iter().flatten() {
                match attribute.binds(&held.certificate) {
                    Binding::Other => return None,
                    Binding::IssuerSerialDiffers => binding = Binding::IssuerSerialDiffers,
                    Binding::Same => (),
                }
            }
            Some((held.clone(), binding))
        });
        let bound: Vec<_> = bound.collect();
        if bound.is_empty() { Err(SignerFault::SigningCertificateDiffers) } else { Ok(bound) }
    }

    /// Whether the signed attributes, if there are any, are of this content; what is to be told of it.
    fn content(
        &mut self,
        attributes: Option<&SignedAttributes<'_>>,
        digest: Digest,
        algorithm: SignatureAlgorithm,
    ) -> Result<Option<CmsFinding>, SignerFault> {
        let given = self.given.as_ref().map_err(Clone::clone)?;
        let Some(attributes) = attributes else {
            if matches!(self.signed, Signed::Content { kind, .. } if kind != oid::DATA) {
                return Err(SignerFault::NoSignedAttributes);
            }
            return match (given, algorithm.digest()) {
                (Given::Octets(octets), _) if is_attributes(octets) => Err(SignerFault::ContentIsAttributes),
                (Given::Octets(_), _) => Ok(None),
                (Given::Digest(known, _), Some(signed)) if *known == signed => {
                    Ok(Some(CmsFinding::ContentByDigestAlone))
                }
                (Given::Digest(..), Some(digest)) => Err(SignerFault::DigestNotGiven { digest }),
                (Given::Digest(..), None) => Err(SignerFault::ContentNeeded),
            };
        };
        if matches!(self.signed, Signed::Content { kind, .. } if attributes.content_type != Some(kind)) {
            return Err(SignerFault::ContentTypeDiffers);
        }
        let same = match *given {
            Given::Digest(known, value) if known == digest => value == attributes.message_digest,
            Given::Digest(..) => return Err(SignerFault::DigestNotGiven { digest }),
            Given::Octets(octets) => {
                let known = self.digests.iter().position(|(known, _)| *known == digest);
                let at = match known {
                    Some(at) => at,
                    None => {
                        let value = digest.of(octets).ok_or(SignerFault::DigestNotAvailable { digest })?;
                        self.digests.push((digest, value));
                        self.digests.len() - 1
                    }
                };
                self.digests.get(at).is_some_and(|(_, value)| value == attributes.message_digest)
            }
        };
        if same { Ok(None) } else { Err(SignerFault::MessageDigestDiffers) }
    }

    /// Verifies the signature under one certificate's key.
    fn under(
        &mut self,
        certificate: &Certificate,
        signer: &SignerInfo<'_>,
        algorithm: SignatureAlgorithm,
    ) -> Result<Option<CmsFinding>, SignerFault> {
        let key = certificate.key().map_err(SignerFault::Key)?;
        let verify = |message: &[u8]| key.verify(algorithm, message, signer.signature);
        let fault = |error| SignerFault::Signature { algorithm, error };
        let Some(attributes) = &signer.signed_attributes else {
            let verified = match self.given.as_ref().map_err(Clone::clone)? {
                Given::Octets(octets) => verify(octets),
                Given::Digest(_, value) => key.verify_digest(algorithm, value, signer.signature),
            };
            return verified.map(|()| None).map_err(fault);
        };
        // RFC 5652 §5.4: over a complete DER encoding, SET OF in place of [0]. Some sign what they write, unsorted; others
        // sort for signing and write otherwise. Either way the signature covers these very attributes.
        match (verify(&attributes.as_they_stand()), attributes.sorted()) {
            (Ok(()), None) => Ok(None),
            (Ok(()), Some(_)) => Ok(Some(CmsFinding::AttributesNotSorted { signed_sorted: false })),
            (Err(SignatureError::Bad), Some(sorted)) => {
                self.budget.spend(Resource::Signatures, 1)?;
                verify(&sorted).map_err(fault)?;
                Ok(Some(CmsFinding::AttributesNotSorted { signed_sorted: true }))
            }
            (Err(error), _) => Err(fault(error)),
        }
    }
}

/// Whether content reads as the signed attributes of a message, as a signature over them would have it.
fn is_attributes(octets: &[u8]) -> bool {
    let mut reader = Reader::new(octets);
    let Ok(set) = reader.expect(writer::SET) else { return false };
    reader.is_finished()
        && Attributes::read(set.content).is_ok_and(|attributes| attributes.values(oid::MESSAGE_DIGEST).next().is_some())
}
