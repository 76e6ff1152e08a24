//! Archive timestamps (EN 319 122-1 §5.5, RFC 5126 §6.4): what their imprints are over, and what they prove to have existed.
//!
//! Owns which octets a token must be over. Does not own whether a token holds and is over them: `judge_timestamp` is asked
//! that, with the imprint that is computed here. Each call hashes the message once or twice: who judges many tokens of one
//! message bounds their number.
//!
//! What was written in BER is taken in the DER that it was normalised to, as EN 319 122-1 §5.5.3 has the parts of its
//! imprint; imprints of the older kind, over an encapContentInfo in BER as it stood, are then not found.

use std::collections::{BTreeSet, HashSet};

use super::super::signature::{AlgorithmError, Digest};
use super::attribute::{Attribute, UnsignedAttribute};
use super::embedded::{EmbeddedKind, Pieces};
use super::fault::SignerFault;
use super::oid;
use super::signed_data::SignedData;
use super::signer_info::SignerInfo;
use super::verification::{Content, Given};
use crate::asn1::tst_info::TstInfo;
use crate::asn1::{DerError, Reader, Tlv, writer};
use crate::crypto::sha256;

/// Hashes in one of an index' lists: as many as there are certificates in a message at most.
const MAX_HASHES: usize = 1024;

/// Why an archive timestamp proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveFault {
    /// EN 319 122-1 §5.5.3: the token SHALL have an ats-hash-index-v3.
    #[error("the archive timestamp has no index of what it is over")]
    NoIndex,
    /// There is more than one index, of which none is the one that is meant.
    #[error("the archive timestamp has {count} indexes of what it is over")]
    SeveralIndexes {
        /// How many.
        count: usize,
    },
    /// The index can't be read.
    #[error("the archive timestamp's index is malformed: {0}")]
    Index(DerError),
    /// hashIndAlgorithm is not known.
    #[error("the index' hash algorithm: {0}")]
    IndexAlgorithm(AlgorithmError),
    /// EN 319 122-1 §5.5.2: hashIndAlgorithm SHALL be the imprint's. Else who breaks the weaker one chooses what is covered.
    #[error("the index is by {}, the imprint by {}", .index.name(), .imprint.name())]
    IndexAlgorithmDiffers {
        /// hashIndAlgorithm.
        index: Digest,
        /// The imprint's.
        imprint: Digest,
    },
    /// EN 319 122-1 §5.5.2: an index with a hash of what is not there is invalid.
    #[error("the archive timestamp is over {count} {what} that are not in the message")]
    NotInMessage {
        /// Of what.
        what: &'static str,
        /// How many are not there.
        count: usize,
    },
    /// The token's TSTInfo can't be read, and with it the time that tells which timestamps were there before.
    #[error("the archive timestamp's TSTInfo is malformed: {0}")]
    TstInfo(DerError),
    /// The signer's SignerInfo is not one that was read from a message.
    #[error("the SignerInfo is malformed: {0}")]
    SignerInfo(DerError),
    /// The signed content, which the imprint is over too, is not at hand.
    #[error(transparent)]
    Content(SignerFault),
    /// The system's OpenSSL has the digest switched off.
    #[error("the digest {} can't be computed here", .digest.name())]
    DigestNotAvailable {
        /// Which.
        digest: Digest,
    },
}

/// What existed when a timestamp was made, by the SHA-256 of its octets: as `Evidence` knows certificates, CRLs and OCSP
/// responses too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The signed content.
    pub content: bool,
    /// The signature: the signer's SignerInfo as far as it is not unsigned.
    pub signature: bool,
    /// Certificates.
    pub certificates: BTreeSet<[u8; 32]>,
    /// CRLs.
    pub crls: BTreeSet<[u8; 32]>,
    /// OCSP responses, an OCSPResponse or BasicOCSPResponse as it is embedded.
    pub ocsp_responses: BTreeSet<[u8; 32]>,
    /// Timestamp tokens.
    pub timestamps: BTreeSet<[u8; 32]>,
    /// Counter-signatures, each SignerInfo whole.
    pub counter_signatures: BTreeSet<[u8; 32]>,
}

impl Coverage {
    /// What a signature timestamp covers (EN 319 122-1 §5.3): the signature, and by it the signed attributes, content
    /// timestamps among them. That the content is what they say is for who verified them to add.
    #[must_use]
    pub fn of_signature(signer: &SignerInfo<'_>) -> Self {
        let mut coverage = Self { signature: true, ..Self::default() };
        let mut pieces = Pieces::default();
        pieces.signed_attributes(signer, 0);
        coverage.add_pieces(pieces);
        coverage
    }

    fn of_message(signer: &SignerInfo<'_>) -> Self {
        Self { content: true, ..Self::of_signature(signer) }
    }

    fn add(&mut self, kind: EmbeddedKind, octets: &[u8]) {
        let set = match kind {
            EmbeddedKind::Certificate => &mut self.certificates,
            EmbeddedKind::Crl => &mut self.crls,
            EmbeddedKind::OcspResponse => &mut self.ocsp_responses,
            EmbeddedKind::Timestamp => &mut self.timestamps,
            EmbeddedKind::CounterSignature => &mut self.counter_signatures,
            EmbeddedKind::Values => return,
        };
        set.insert(sha256(octets));
    }

    /// The values of attributes, and what is in them. What can't be read is no evidence either.
    fn add_attributes<'a>(&mut self, values: impl Iterator<Item = UnsignedAttribute<'a>>) {
        let mut pieces = Pieces::default();
        values.for_each(|value| pieces.attribute(value, 0));
        self.add_pieces(pieces);
    }

    fn add_pieces(&mut self, pieces: Pieces<'_>) {
        pieces.list.into_iter().for_each(|(kind, octets)| self.add(kind, octets));
    }
}

/// What an archive timestamp must be over, and what it then proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveImprint {
    /// The imprint. The older kind has a second one, which TS 101 733 v2.2.1 table K.3 says to try as well.
    pub imprints: Vec<Vec<u8>>,
    /// The digest of the token's index: a policy is to be asked about it as about the imprint's.
    pub index_digest: Option<Digest>,
    /// What existed at the token's time if it holds, and is over one of these imprints.
    pub coverage: Coverage,
}

impl<'a> SignedData<'a> {
    /// The imprint of a token in archive-time-stamp-v3 (EN 319 122-1 §5.5.3) of this signer, by `digest`, the imprint's. The
    /// content may be given by that digest.
    ///
    /// # Errors
    /// No good index in the token, one of what is not in the message, or no content.
    pub fn archive_timestamp_v3(
        &self,
        signer: &SignerInfo<'a>,
        content: Content<'_>,
        token: &SignedData<'_>,
        digest: Digest,
    ) -> Result<ArchiveImprint, ArchiveFault> {
        let unavailable = ArchiveFault::DigestNotAvailable { digest };
        let content_digest = match self.given(content).map_err(ArchiveFault::Content)? {
            Given::Octets(octets) => digest.of(octets).ok_or(unavailable.clone())?,
            Given::Digest(known, value) if known == digest => value.to_vec(),
            Given::Digest(..) => return Err(ArchiveFault::Content(SignerFault::DigestNotGiven { digest })),
        };
        let index = HashIndex::of(token)?;
        if index.version == IndexVersion::V3 && index.digest != digest {
            return Err(ArchiveFault::IndexAlgorithmDiffers { index: index.digest, imprint: digest });
        }
        let coverage = index.coverage(self, signer)?;
        let content_type = writer::tlv(writer::OBJECT_IDENTIFIER, &[self.content_type]);
        let signed = signed_fields(signer).map_err(ArchiveFault::SignerInfo)?;
        let message = [&content_type, &content_digest[..], signed, index.whole].concat();
        let imprints = vec![digest.of(&message).ok_or(unavailable)?];
        Ok(ArchiveImprint { imprints, index_digest: Some(index.digest), coverage })
    }

    /// The imprint of a token in archive-time-stamp-v2 (RFC 5126 §6.4.1) of this signer, by `digest`, the imprint's. Archive
    /// timestamps count as made before it by their genTime.
    ///
    /// # Errors
    /// No content, or a token without a time.
    pub fn archive_timestamp_v2(
        &self,
        signer: &SignerInfo<'a>,
        content: Content<'_>,
        token: &SignedData<'_>,
        digest: Digest,
    ) -> Result<ArchiveImprint, ArchiveFault> {
        let detached: &[u8] = match self.given(content).map_err(ArchiveFault::Content)? {
            Given::Octets(octets) if self.content.is_none() => octets,
            Given::Octets(_) => &[],
            Given::Digest(..) => return Err(ArchiveFault::Content(SignerFault::ContentNeeded)),
        };
        let time_us = gen_time_us(token).map_err(ArchiveFault::TstInfo)?;
        let before: Vec<(Attribute<'a>, Vec<u8>)> = signer
            .unsigned_attributes
            .list()
            .iter()
            .filter_map(|attribute| made_before(attribute, time_us))
            .map(|attribute| {
                let octets = encoded(&attribute);
                (attribute, octets)
            })
            .collect();
        let mut coverage = Coverage::of_message(signer);
        self.certificates.iter().for_each(|der| coverage.add(EmbeddedKind::Certificate, der));
        self.crls.iter().for_each(|der| coverage.add(EmbeddedKind::Crl, der));
        let responses = self.other_revocations.iter().filter(|other| other.format == oid::OCSP_RESPONSE);
        responses.for_each(|other| coverage.add(EmbeddedKind::OcspResponse, other.value));
        coverage.add_attributes(before.iter().flat_map(|(attribute, _)| UnsignedAttribute::of_one(attribute)));

        let [encapsulated, certificates, crls] = self.fields;
        let signed = signed_fields(signer).map_err(ArchiveFault::SignerInfo)?;
        let mut message = [encapsulated, detached, certificates, crls, signed].concat();
        let unsigned: Vec<u8> = before.into_iter().flat_map(|(_, octets)| octets).collect();
        let unavailable = || ArchiveFault::DigestNotAvailable { digest };
        let start = message.len();
        let mut imprints = Vec::new();
        if !unsigned.is_empty() {
            writer::write_tlv(&mut message, writer::context(1), &[&unsigned]);
            imprints.push(digest.of(&message).ok_or_else(unavailable)?);
            // TS 101 733 up to v1.8.3, table K.3: unsignedAttrs without its tag and length.
            message.truncate(start);
            message.extend_from_slice(&unsigned);
        }
        imprints.push(digest.of(&message).ok_or_else(unavailable)?);
        Ok(ArchiveImprint { imprints, index_digest: None, coverage })
    }
}

/// A SignerInfo's fields up to the signature, as they are encoded.
fn signed_fields<'a>(signer: &SignerInfo<'a>) -> Result<&'a [u8], DerError> {
    let whole = Reader::new(signer.whole).expect(writer::SEQUENCE)?.content;
    let mut fields = Reader::new(whole);
    let mut length = 0;
    // SignerInfo::read has seen seven fields at most.
    while !fields.is_finished() {
        let field = fields.read()?;
        if field.tag == writer::context(1) {
            break;
        }
        length += field.whole.len();
    }
    Ok(whole.get(..length).unwrap_or_default())
}

/// genTime in microseconds since 1970.
fn gen_time_us(token: &SignedData<'_>) -> Result<i64, DerError> {
    let content = token.content.filter(|_| token.content_type == oid::TST_INFO);
    TstInfo::from_others_der(content.ok_or(DerError::Value { what: "TSTInfo" })?).map(|info| info.gen_time_us)
}

/// The attribute as it was at that time: of archive timestamps those made before, of any other all.
fn made_before<'a>(attribute: &Attribute<'a>, time_us: i64) -> Option<Attribute<'a>> {
    let mut before = attribute.clone();
    if [oid::ARCHIVE_TIMESTAMP_V1, oid::ARCHIVE_TIMESTAMP_V2, oid::ARCHIVE_TIMESTAMP_V3].contains(&attribute.oid) {
        // A token that can't be read has no time at which it could have been there.
        let earlier = |token: &SignedData<'_>| gen_time_us(token).is_ok_and(|other_us| other_us < time_us);
        before.values.retain(|value| SignedData::from_der(value.whole).is_ok_and(|token| earlier(&token)));
        if before.values.is_empty() {
            return None;
        }
    }
    Some(before)
}

/// An attribute's octets: as it stands, or without the values that it did not have yet.
fn encoded(attribute: &Attribute<'_>) -> Vec<u8> {
    let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[attribute.oid]);
    let values: Vec<&[u8]> = attribute.values.iter().map(|value| value.whole).collect();
    writer::tlv(writer::SEQUENCE, &[&oid, &writer::tlv(writer::SET, &values)])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IndexVersion {
    /// Hashes of whole attributes; the algorithm is SHA-256 unless it says otherwise.
    V1,
    /// Hashes of whole attributes.
    V2,
    /// Hashes of each value with its attribute's type.
    V3,
}

/// ATSHashIndex (TS 101 733 v2.2.1 §6.4.2, EN 319 122-1 §5.5.2).
struct HashIndex<'t> {
    version: IndexVersion,
    digest: Digest,
    certificates: HashSet<&'t [u8]>,
    revocations: HashSet<&'t [u8]>,
    attributes: HashSet<&'t [u8]>,
    whole: &'t [u8],
}

impl<'t> HashIndex<'t> {
    /// The one in a token.
    fn of(token: &SignedData<'t>) -> Result<Self, ArchiveFault> {
        let versions = [
            (oid::ATS_HASH_INDEX, IndexVersion::V1),
            (oid::ATS_HASH_INDEX_V2, IndexVersion::V2),
            (oid::ATS_HASH_INDEX_V3, IndexVersion::V3),
        ];
        let attributes = token.signers.iter().map(|signer| &signer.unsigned_attributes);
        let found: Vec<(IndexVersion, Tlv<'t>)> = attributes
            .flat_map(|attributes| {
                versions.iter().flat_map(|(oid, version)| attributes.values(oid).map(|value| (*version, value)))
            })
            .collect();
        match found[..] {
            [] => Err(ArchiveFault::NoIndex),
            [(version, value)] => Self::read(version, value),
            _ => Err(ArchiveFault::SeveralIndexes { count: found.len() }),
        }
    }

    fn read(version: IndexVersion, value: Tlv<'t>) -> Result<Self, ArchiveFault> {
        let mut fields = Reader::only(value.whole, writer::SEQUENCE).map_err(ArchiveFault::Index)?;
        let mut field = || fields.expect(writer::SEQUENCE).map_err(ArchiveFault::Index);
        let mut first = field()?;
        let mut digest = Digest::Sha256;
        let is_algorithm = Reader::new(first.content).peek() == Some(writer::OBJECT_IDENTIFIER);
        if version != IndexVersion::V1 || is_algorithm {
            digest = Digest::from_identifier_der(first.whole).map_err(ArchiveFault::IndexAlgorithm)?;
            first = field()?;
        }
        let (certificates, revocations, attributes) = (hashes(first)?, hashes(field()?)?, hashes(field()?)?);
        fields.finish().map_err(ArchiveFault::Index)?;
        Ok(Self { version, digest, certificates, revocations, attributes, whole: value.whole })
    }

    /// What of the message is in the index; all of the index must be in the message.
    fn coverage<'a>(&self, data: &SignedData<'a>, signer: &SignerInfo<'a>) -> Result<Coverage, ArchiveFault> {
        let mut coverage = Coverage::of_message(signer);
        let mut certificates = Listed::new(self.digest, &self.certificates);
        for der in &data.certificates {
            if certificates.has(der)? {
                coverage.add(EmbeddedKind::Certificate, der);
            }
        }
        for other in &data.other_certificates {
            certificates.has(other.whole)?;
        }
        certificates.all_found("certificates")?;

        let mut revocations = Listed::new(self.digest, &self.revocations);
        for der in &data.crls {
            if revocations.has(der)? {
                coverage.add(EmbeddedKind::Crl, der);
            }
        }
        for other in &data.other_revocations {
            if revocations.has(other.whole)? && other.format == oid::OCSP_RESPONSE {
                coverage.add(EmbeddedKind::OcspResponse, other.value);
            }
        }
        revocations.all_found("CRLs and OCSP responses")?;

        let mut attributes = Listed::new(self.digest, &self.attributes);
        let mut covered = Vec::new();
        for attribute in signer.unsigned_attributes.list() {
            let whole = self.version != IndexVersion::V3 && attributes.has(attribute.whole)?;
            let kind = writer::tlv(writer::OBJECT_IDENTIFIER, &[attribute.oid]);
            for (value, read) in attribute.values.iter().zip(UnsignedAttribute::of_one(attribute)) {
                let single = self.version == IndexVersion::V3 && attributes.has(&[&kind, value.whole].concat())?;
                if whole || single {
                    covered.push(read);
                }
            }
        }
        attributes.all_found("unsigned attributes")?;
        coverage.add_attributes(covered.into_iter());
        Ok(coverage)
    }
}

fn hashes(list: Tlv<'_>) -> Result<HashSet<&[u8]>, ArchiveFault> {
    let mut items = Reader::new(list.content);
    let mut found = HashSet::new();
    while !items.is_finished() {
        if found.len() == MAX_HASHES {
            return Err(ArchiveFault::Index(DerError::Value { what: "number of hashes" }));
        }
        found.insert(items.expect(writer::OCTET_STRING).map_err(ArchiveFault::Index)?.content);
    }
    Ok(found)
}

/// One list of an index, held against what is there.
struct Listed<'i, 't> {
    digest: Digest,
    wanted: &'i HashSet<&'t [u8]>,
    found: HashSet<Vec<u8>>,
}

impl<'i, 't> Listed<'i, 't> {
    fn new(digest: Digest, wanted: &'i HashSet<&'t [u8]>) -> Self {
        Self { digest, wanted, found: HashSet::new() }
    }

    fn has(&mut self, octets: &[u8]) -> Result<bool, ArchiveFault> {
        let digest = self.digest;
        let hash = digest.of(octets).ok_or(ArchiveFault::DigestNotAvailable { digest })?;
        let listed = self.wanted.contains(&hash[..]);
        if listed {
            self.found.insert(hash);
        }
        Ok(listed)
    }

    fn all_found(&self, what: &'static str) -> Result<(), ArchiveFault> {
        match self.wanted.len() - self.found.len() {
            0 => Ok(()),
            count => Err(ArchiveFault::NotInMessage { what, count }),
        }
    }
}
