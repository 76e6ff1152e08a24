//! SignedData (RFC 5652 §5.1) in its ContentInfo (§3), read without copying.

use super::fault::CmsError;
use super::oid;
use super::signer_info::{SignerInfo, small_version};
use crate::asn1::{DerError, Oid, Reader, Tlv, writer};

/// Signers of one message: documents have up to a dozen.
const MAX_SIGNERS: usize = 64;
/// Digests that are listed: one a signer, and a few that nobody uses.
const MAX_DIGEST_ALGORITHMS: usize = 64;
/// Certificates of one message, those of other kinds included.
const MAX_CERTIFICATES: usize = 1024;
/// CRLs and other revocation data of one message.
const MAX_REVOCATION_INFOS: usize = 256;
/// An OCTET STRING in segments (X.690 §8.7.3): BER.
const CONSTRUCTED_OCTET_STRING: u8 = writer::OCTET_STRING | 0x20;

/// OtherRevocationInfoFormat (RFC 5652 §10.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherRevocation<'a> {
    /// otherRevInfoFormat's content octets.
    pub format: &'a [u8],
    /// otherRevInfo, whole.
    pub value: &'a [u8],
    /// The whole choice, its tag included: what an archive timestamp's index has the hash of.
    pub whole: &'a [u8],
}

/// A SignedData; slices are the message's octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedData<'a> {
    /// As written.
    pub version: u8,
    /// digestAlgorithms, each whole.
    pub digest_algorithms: Vec<&'a [u8]>,
    /// eContentType's content octets.
    pub content_type: &'a [u8],
    /// eContent: the content octets; `None` where it is detached.
    pub content: Option<&'a [u8]>,
    /// What tag carries the content where it is no OCTET STRING: PKCS #7's way, which RFC 5652 §5.2.1 has verifiers read.
    pub content_tag: Option<u8>,
    /// The certificates, each whole.
    pub certificates: Vec<&'a [u8]>,
    /// Attribute certificates and other choices, which are not read.
    pub other_certificates: Vec<Tlv<'a>>,
    /// The CRLs, each whole.
    pub crls: Vec<&'a [u8]>,
    /// Revocation data of other kinds.
    pub other_revocations: Vec<OtherRevocation<'a>>,
    /// The signers, in the message's order; a message of certificates alone has none.
    pub signers: Vec<SignerInfo<'a>>,
    /// encapContentInfo, certificates and crls, each whole, as far as they are there: what an archive timestamp of before
    /// EN 319 122-1 is over.
    pub(super) fields: [&'a [u8]; 3],
}

impl<'a> SignedData<'a> {
    /// Reads a ContentInfo with a SignedData; what others send goes through [`normalise`](super::normalise) first.
    ///
    /// # Errors
    /// Another content, not the structure in DER, or more of anything than is read. Sets need not be sorted.
    pub fn from_der(der: &'a [u8]) -> Result<Self, CmsError> {
        let mut outer = Reader::only(der, writer::SEQUENCE)?;
        let kind = outer.expect(writer::OBJECT_IDENTIFIER)?.content;
        if kind != oid::SIGNED_DATA {
            let oid = Oid::from_octets(kind).map_or_else(|_| hex::encode(kind), |oid| oid.to_string());
            return Err(CmsError::NotSignedData { oid });
        }
        let explicit = outer.expect(writer::context(0))?;
        outer.finish()?;
        Self::from_inner_der(explicit.content)
    }

    fn from_inner_der(der: &'a [u8]) -> Result<Self, CmsError> {
        let mut fields = Reader::only(der, writer::SEQUENCE)?;
        let version = small_version(&mut fields)?;
        let digests = fields.expect(writer::SET)?;
        let encapsulated = fields.expect(writer::SEQUENCE)?;
        let (content_type, content) = content(encapsulated)?;
        let content_tag = content.map(|content| content.tag).filter(|tag| *tag != writer::OCTET_STRING);
        let certificates = fields.optional(writer::context(0))?;
        let crls = fields.optional(writer::context(1))?;
        let signers = fields.expect(writer::SET)?;
        fields.finish()?;
        let mut data = Self {
            version,
            digest_algorithms: Vec::new(),
            content_type,
            content: content.map(|content| content.content),
            content_tag,
            certificates: Vec::new(),
            other_certificates: Vec::new(),
            crls: Vec::new(),
            other_revocations: Vec::new(),
            signers: Vec::new(),
            fields: [
                encapsulated.whole,
                certificates.map_or(&[], |field| field.whole),
                crls.map_or(&[], |field| field.whole),
            ],
        };
        each(digests.content, "digest algorithms", MAX_DIGEST_ALGORITHMS, |list| {
            data.digest_algorithms.push(list.expect(writer::SEQUENCE)?.whole);
            Ok(())
        })?;
        each(certificates.map_or(&[], |field| field.content), "certificates", MAX_CERTIFICATES, |list| {
            let choice = list.read()?;
            match choice.tag {
                writer::SEQUENCE => data.certificates.push(choice.whole),
                0xa0..=0xa3 => data.other_certificates.push(choice),
                found => return Err(DerError::Tag { expected: writer::SEQUENCE, found }.into()),
            }
            Ok(())
        })?;
        each(crls.map_or(&[], |field| field.content), "CRLs", MAX_REVOCATION_INFOS, |list| {
            match list.optional(writer::context(1))? {
                None => data.crls.push(list.expect(writer::SEQUENCE)?.whole),
                Some(other) => {
                    let mut pair = Reader::new(other.content);
                    let format = pair.expect(writer::OBJECT_IDENTIFIER)?.content;
                    let value = pair.read()?.whole;
                    pair.finish()?;
                    data.other_revocations.push(OtherRevocation { format, value, whole: other.whole });
                }
            }
            Ok(())
        })?;
        each(signers.content, "signers", MAX_SIGNERS, |list| {
            data.signers.push(SignerInfo::read(list)?);
            Ok(())
        })?;
        Ok(data)
    }

    /// The version that goes with what is there (RFC 5652 §5.1).
    pub(super) fn expected_version(&self) -> u8 {
        let has = |tag: u8| self.other_certificates.iter().any(|choice| choice.tag == tag);
        if has(0xa3) || !self.other_revocations.is_empty() {
            5
        } else if has(0xa2) {
            4
        } else if has(0xa1) || self.content_type != oid::DATA || self.signers.iter().any(|signer| signer.version == 3) {
            3
        } else {
            1
        }
    }
}

/// EncapsulatedContentInfo (RFC 5652 §5.2).
fn content(encapsulated: Tlv<'_>) -> Result<(&[u8], Option<Tlv<'_>>), CmsError> {
    let mut info = Reader::new(encapsulated.content);
    let kind = info.expect(writer::OBJECT_IDENTIFIER)?.content;
    let explicit = info.optional(writer::context(0))?;
    info.finish()?;
    let Some(explicit) = explicit else { return Ok((kind, None)) };
    let mut inner = Reader::new(explicit.content);
    let value = inner.read()?;
    inner.finish()?;
    // id-data is an OCTET STRING in PKCS #7 too (RFC 2315 §8), TSTInfo stands in one only (RFC 3161 §2.4.2), and one in
    // segments has not been normalised.
    let never = [oid::DATA, oid::TST_INFO].contains(&kind) || value.tag == CONSTRUCTED_OCTET_STRING;
    if value.tag != writer::OCTET_STRING && never {
        return Err(CmsError::ContentNotOctetString { tag: value.tag });
    }
    Ok((kind, Some(value)))
}

fn each<'a>(
    content: &'a [u8],
    what: &'static str,
    limit: usize,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<(), CmsError>,
) -> Result<(), CmsError> {
    let mut list = Reader::new(content);
    let mut count = 0;
    while !list.is_finished() {
        if count == limit {
            return Err(CmsError::TooMany { what, limit });
        }
        count += 1;
        read(&mut list)?;
    }
    Ok(())
}
