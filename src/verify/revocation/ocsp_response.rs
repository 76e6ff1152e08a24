//! OCSPResponse (RFC 6960 §4.2.1), read from its original octets.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::super::certificate::Certificate;
use super::super::evidence::Origin;
use super::super::name::CanonicalName;
use super::super::signature::VerifiedUnder;
use super::minimal;
use crate::asn1::{CertId, DerError, Reader, writer};
use crate::crypto::{DigestAlgorithm, sha256};

/// Octets of a response that are read: a few answers and a few certificates.
const MAX_RESPONSE_OCTETS: usize = 1024 * 1024;
/// SingleResponses that are read: real ones have one.
const MAX_SINGLE_RESPONSES: usize = 1024;
/// Certificates that are read: a responder's and those above it.
const MAX_CERTIFICATES: usize = 16;
/// id-pkix-ocsp-basic.
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
/// id-pkix-ocsp-archive-cutoff.
const ARCHIVE_CUTOFF: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 6];
/// Extensions of responses that may be critical: nonce, CRL references, archive cutoff, extended revoke.
const KNOWN_LAST_ARCS: [u8; 4] = [2, 3, 6, 9];
const OCSP_ARC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1];
const ENUMERATED: u8 = 0x0a;

/// Why octets are not taken as an OCSP response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspResponseError {
    /// Not a response in DER.
    #[error("the OCSP response is malformed: {0}")]
    Malformed(#[from] DerError),
    /// A time that is none.
    #[error("the OCSP response's {field} {error}")]
    Time {
        /// Which.
        field: &'static str,
        /// What is wrong.
        error: crl::TimeError,
    },
    /// An answer that answers nothing: tryLater, unauthorized and the like.
    #[error("the OCSP response has the status {status}, and says nothing of a certificate")]
    NotSuccessful {
        /// OCSPResponseStatus.
        status: u8,
    },
    /// Another type than basic.
    #[error("the OCSP response is of another type than basic")]
    NotBasic,
    /// More octets than are read.
    #[error("an OCSP response of {octets} octets, more than {MAX_RESPONSE_OCTETS}")]
    TooLarge {
        /// Octets.
        octets: usize,
    },
}

/// CertStatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspCertStatus {
    /// good.
    Good,
    /// revoked.
    Revoked {
        /// revocationTime, seconds since 1970.
        revocation_time_s: i64,
        /// revocationReason's number.
        reason_number: Option<u8>,
    },
    /// unknown.
    Unknown,
}

/// One SingleResponse.
#[derive(Debug)]
pub(super) struct Single {
    pub(super) hash_oid: Range<usize>,
    pub(super) issuer_name_hash: Range<usize>,
    pub(super) issuer_key_hash: Range<usize>,
    pub(super) serial: Range<usize>,
    pub(super) status: OcspCertStatus,
    pub(super) this_update_s: i64,
    pub(super) next_update_s: Option<i64>,
    pub(super) archive_cutoff_s: Option<i64>,
    pub(super) unknown_critical: bool,
}

/// ResponderID.
#[derive(Debug)]
pub(super) enum ResponderId {
    ByName(CanonicalName),
    ByKey(Vec<u8>),
}

impl ResponderId {
    /// Whether it is the responder with this name and these bits of a key.
    pub(super) fn is(&self, name: &CanonicalName, bits: &[u8]) -> bool {
        match self {
            Self::ByName(named) => named == name,
            // The SHA-1 of the key's bits, whatever the CertIDs are made with.
            Self::ByKey(hash) => DigestAlgorithm::Sha1.digest(bits).as_ref() == hash,
        }
    }
}

/// A successful, basic OCSP response.
pub struct HeldOcspResponse {
    der: Box<[u8]>,
    tbs: Range<usize>,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
    pub(super) responder_id: ResponderId,
    pub(super) produced_at_s: i64,
    pub(super) singles: Vec<Single>,
    pub(super) unknown_critical: bool,
    pub(super) certificates: Vec<Arc<Certificate>>,
    origin: Origin,
    sha256: [u8; 32],
    verified_under: VerifiedUnder,
}

impl HeldOcspResponse {
    /// Reads an OCSPResponse, or a BasicOCSPResponse as documents embed it.
    ///
    /// # Errors
    /// Not one, not successful, or not basic.
    pub fn from_der(der: &[u8], origin: Origin) -> Result<Self, OcspResponseError> {
        if der.len() > MAX_RESPONSE_OCTETS {
            return Err(OcspResponseError::TooLarge { octets: der.len() });
        }
        let span = |part: &[u8]| {
            let start = part.as_ptr().addr() - der.as_ptr().addr();
            start..start + part.len()
        };
        let basic = match Reader::only(der, writer::SEQUENCE)?.peek() {
            Some(ENUMERATED) => unwrap_basic(der)?,
            _ => der,
        };
        let mut fields = Reader::only(basic, writer::SEQUENCE)?;
        let tbs = fields.expect(writer::SEQUENCE)?;
        let signature_algorithm = fields.expect(writer::SEQUENCE)?.whole;
        let [0, signature @ ..] = fields.expect(writer::BIT_STRING)?.content else {
            return Err(DerError::Value { what: "signature" }.into());
        };
        let mut certificates = Vec::new();
        if let Some(explicit) = fields.optional(writer::context(0))? {
            let mut list = Reader::only(explicit.content, writer::SEQUENCE)?;
            while !list.is_finished() {
                if certificates.len() == MAX_CERTIFICATES {
                    return Err(DerError::Value { what: "number of certificates" }.into());
                }
                // A certificate that can't be read signed nothing that can be believed; the others still may have.
                let whole = list.read()?.whole;
                certificates.extend(Certificate::from_der(whole).ok().map(Arc::new));
            }
        }
        fields.finish()?;

        let mut data = Reader::new(tbs.content);
        if let Some(version) = data.optional(writer::context(0))?
            && Reader::new(version.content).integer()? != [0]
        {
            return Err(DerError::Value { what: "version" }.into());
        }
        let id = data.read()?;
        let responder_id = match id.tag {
            0xa1 => ResponderId::ByName(CanonicalName::from_der(id.content)?),
            0xa2 => {
                let mut reader = Reader::new(id.content);
                let hash = reader.expect(writer::OCTET_STRING)?.content.to_vec();
                reader.finish()?;
                ResponderId::ByKey(hash)
            }
            found => return Err(DerError::Tag { expected: 0xa1, found }.into()),
        };
        let produced_at_s = time(&mut data, "producedAt")?;
        let mut list = data.enter(writer::SEQUENCE)?;
        let mut singles = Vec::new();
        while !list.is_finished() {
            if singles.len() == MAX_SINGLE_RESPONSES {
                return Err(DerError::Value { what: "number of responses" }.into());
            }
            singles.push(single(list.enter(writer::SEQUENCE)?, &span)?);
        }
        let mut unknown_critical = false;
        if let Some(explicit) = data.optional(writer::context(1))? {
            unknown_critical = extensions(explicit.content)?.unknown_critical;
        }
        data.finish()?;
        Ok(Self {
            tbs: span(tbs.whole),
            signature_algorithm: span(signature_algorithm),
            signature: span(signature),
            responder_id,
            produced_at_s,
            singles,
            unknown_critical,
            certificates,
            origin,
            sha256: sha256(der),
            verified_under: VerifiedUnder::default(),
            der: der.into(),
        })
    }

    pub(super) fn part(&self, span: &Range<usize>) -> &[u8] {
        // Unwrap safety: every span is of a part of these octets, which never change.
        self.der.get(span.clone()).unwrap()
    }

    /// The original octets.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificates that came with it and can be read.
    #[must_use]
    pub fn certificates(&self) -> &[Arc<Certificate>] {
        &self.certificates
    }

    /// The octets that are signed.
    pub(super) fn tbs_der(&self) -> &[u8] {
        self.part(&self.tbs)
    }

    /// The signature's AlgorithmIdentifier.
    pub(super) fn signature_algorithm_der(&self) -> &[u8] {
        self.part(&self.signature_algorithm)
    }

    /// The signature's octets.
    pub(super) fn signature(&self) -> &[u8] {
        self.part(&self.signature)
    }

    /// The serials that it speaks of, minimal content octets.
    pub fn serials(&self) -> impl Iterator<Item = &[u8]> {
        self.singles.iter().map(|single| minimal(self.part(&single.serial)))
    }

    /// producedAt, seconds since 1970.
    #[must_use]
    pub fn produced_at_s(&self) -> i64 {
        self.produced_at_s
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What is known of its signature.
    pub(super) fn verified_under(&self) -> &VerifiedUnder {
        &self.verified_under
    }

    /// The SHA-256 of its octets.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

fn unwrap_basic(der: &[u8]) -> Result<&[u8], OcspResponseError> {
    let mut fields = Reader::only(der, writer::SEQUENCE)?;
    let status = fields.expect(ENUMERATED)?.content;
    if status != [0] {
        return Err(OcspResponseError::NotSuccessful { status: status.last().copied().unwrap_or(0) });
    }
    let explicit = fields.expect(writer::context(0))?.content;
    fields.finish()?;
    let mut bytes = Reader::only(explicit, writer::SEQUENCE)?;
    if bytes.expect(writer::OBJECT_IDENTIFIER)?.content != BASIC {
        return Err(OcspResponseError::NotBasic);
    }
    let basic = bytes.expect(writer::OCTET_STRING)?.content;
    bytes.finish()?;
    Ok(basic)
}

fn single(mut fields: Reader<'_>, span: &impl Fn(&[u8]) -> Range<usize>) -> Result<Single, OcspResponseError> {
    let id = CertId::read(&mut fields)?;
    let status = fields.read()?;
    let status = match status.tag {
        0x80 => OcspCertStatus::Good,
        0xa1 => {
            let mut info = Reader::new(status.content);
            let revocation_time_s = time(&mut info, "revocationTime")?;
            let reason_number = match info.optional(writer::context(0))? {
                None => None,
                Some(explicit) => match Reader::new(explicit.content).expect(ENUMERATED)?.content {
                    [number] => Some(*number),
                    _ => return Err(DerError::Value { what: "revocationReason" }.into()),
                },
            };
            info.finish()?;
            OcspCertStatus::Revoked { revocation_time_s, reason_number }
        }
        0x82 => OcspCertStatus::Unknown,
        found => return Err(DerError::Tag { expected: 0x80, found }.into()),
    };
    let this_update_s = time(&mut fields, "thisUpdate")?;
    let next_update_s = match fields.optional(writer::context(0))? {
        None => None,
        Some(explicit) => Some(time(&mut Reader::new(explicit.content), "nextUpdate")?),
    };
    let read = match fields.optional(writer::context(1))? {
        None => Extensions::default(),
        Some(explicit) => extensions(explicit.content)?,
    };
    fields.finish()?;
    Ok(Single {
        hash_oid: span(id.hash_oid),
        issuer_name_hash: span(id.issuer_name_hash),
        issuer_key_hash: span(id.issuer_key_hash),
        serial: span(id.serial),
        status,
        this_update_s,
        next_update_s,
        archive_cutoff_s: read.archive_cutoff_s,
        unknown_critical: read.unknown_critical,
    })
}

#[derive(Default)]
struct Extensions {
    archive_cutoff_s: Option<i64>,
    unknown_critical: bool,
}

fn extensions(explicit: &[u8]) -> Result<Extensions, OcspResponseError> {
    let mut list = Reader::only(explicit, writer::SEQUENCE)?;
    let mut read = Extensions::default();
    while !list.is_finished() {
        let mut fields = list.enter(writer::SEQUENCE)?;
        let oid = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
        let critical = fields.optional(writer::BOOLEAN)?.is_some_and(|value| value.content != [0]);
        let value = fields.expect(writer::OCTET_STRING)?.content;
        fields.finish()?;
        if oid == ARCHIVE_CUTOFF {
            read.archive_cutoff_s = Some(time(&mut Reader::new(value), "archiveCutoff")?);
        }
        let known = matches!(oid.strip_prefix(OCSP_ARC), Some([last]) if KNOWN_LAST_ARCS.contains(last));
        read.unknown_critical |= critical && !known;
    }
    Ok(read)
}

fn time(fields: &mut Reader<'_>, field: &'static str) -> Result<i64, OcspResponseError> {
    let value = fields.expect(writer::GENERALIZED_TIME)?;
    let time = crl::Time::read(value.tag, value.content).map_err(|error| OcspResponseError::Time { field, error })?;
    Ok(time.seconds)
}

impl fmt::Debug for HeldOcspResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldOcspResponse").field("sha256", &hex::encode(self.sha256)).finish_non_exhaustive()
    }
}
