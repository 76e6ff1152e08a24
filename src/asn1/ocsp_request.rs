//! OCSPRequest (RFC 6960 §4.1.1), read without copying.

use super::cert_id::{CertId, CertIds};
use super::{DerError, Oid, Reader, Tlv, writer};

/// The most certificates in one request. Real clients ask for a chain at most; 100 leaves room for those that batch,
/// and bounds what one request makes the store look up and the token sign (a response of about 12 KiB).
pub const MAX_CERT_IDS: usize = 100;
/// The most extensions in one list; RFC 6960 §4.4 defines six for requests. Bounds the search for duplicates.
const MAX_EXTENSIONS: usize = 16;
/// The most algorithms in PreferredSignatureAlgorithms; there are not that many in use.
const MAX_PREFERRED_ALGORITHMS: usize = 32;
/// The most response types in AcceptableResponses; one is defined.
const MAX_ACCEPTABLE_RESPONSES: usize = 16;
/// The most certificates beside a request's signature: longer chains are nobody's.
const MAX_SIGNER_CERTIFICATES: usize = 16;
/// The longest nonce in octets (RFC 9654 §2.1: SIZE(1..128)).
pub const MAX_NONCE_OCTETS: usize = 128;

// The members of id-pkix-ocsp (1.3.6.1.5.5.7.48.1), content octets.
const ID_PKIX_OCSP_BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
const ID_PKIX_OCSP_NONCE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
const ID_PKIX_OCSP_RESPONSE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 4];
const ID_PKIX_OCSP_PREF_SIG_ALGS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 8];

/// A decoded request; every slice is the client's own octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest<'a> {
    /// The certificates asked for, one at least.
    pub cert_ids: CertIds<'a>,
    /// The nonce extension's extnValue as it stands inside its OCTET STRING. An answer repeats it octet for octet:
    /// most clients put another OCTET STRING there, as RFC 9654 §2.1 says, some put the bare nonce.
    pub nonce: Option<&'a [u8]>,
    /// The nonce's own length in octets: of the inner OCTET STRING if there is one, else of extnValue. 0 without a nonce.
    pub nonce_len: usize,
    /// PreferredSignatureAlgorithms (RFC 6960 §4.4.7.1): each sigIdentifier, whole, the most wanted first.
    pub preferred_signature_algorithms: Vec<&'a [u8]>,
    /// Whether the request carries a signature. Its form was checked, it was not verified: nothing may depend on it.
    pub is_signed: bool,
}

/// Why a request can't be read: each is malformedRequest on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspRequestError {
    /// Not an OCSPRequest in DER, trailing octets included.
    #[error("the request is not an OCSPRequest: {0}")]
    Malformed(DerError),
    /// A version other than v1(0).
    #[error("the request's version is not v1")]
    Version,
    /// An empty requestList: there is nothing to answer.
    #[error("the request asks for no certificate")]
    NoRequests,
    /// More than [`MAX_CERT_IDS`].
    #[error("the request asks for more than {MAX_CERT_IDS} certificates")]
    TooManyRequests,
    /// More extensions in one list than any client sends.
    #[error("the request has more than {MAX_EXTENSIONS} extensions in one list")]
    TooManyExtensions,
    /// An extension stands twice in one list (RFC 5280 §4.2: MUST NOT).
    #[error("the request has the extension {oid} twice")]
    DuplicateExtension {
        /// The extension's identifier.
        oid: Oid,
    },
    /// A critical extension that is not known here.
    #[error("the request has the critical extension {oid}, which is not supported")]
    UnknownCriticalExtension {
        /// The extension's identifier.
        oid: Oid,
    },
    /// A nonce of no octet, or of more than [`MAX_NONCE_OCTETS`].
    #[error("the request's nonce has {length} octets instead of 1 to {MAX_NONCE_OCTETS}")]
    NonceLength {
        /// Its length in octets.
        length: usize,
    },
    /// AcceptableResponses without id-pkix-ocsp-basic, the only type there is (RFC 6960 §4.4.3).
    #[error("the request accepts no basic response, and there is no other")]
    NoAcceptableResponse,
    /// More preferred algorithms than exist.
    #[error("the request prefers more than {MAX_PREFERRED_ALGORITHMS} signature algorithms")]
    TooManyPreferredAlgorithms,
}

impl From<DerError> for OcspRequestError {
    fn from(error: DerError) -> Self {
        Self::Malformed(error)
    }
}

impl<'a> OcspRequest<'a> {
    /// Decodes a request; trailing octets are refused.
    ///
    /// A requestorName is not looked at: unsigned it means nothing, and signatures are not verified (RFC 9919).
    ///
    /// # Errors
    /// The first thing that is wrong, see [`OcspRequestError`].
    pub fn from_der(input: &'a [u8]) -> Result<Self, OcspRequestError> {
        let mut outer = Reader::only(input, writer::SEQUENCE)?;
        let mut tbs = outer.enter(writer::SEQUENCE)?;
        let signature = outer.optional(writer::context(0))?;
        outer.finish()?;

        // DER omits a version that is the default, but clients that write it are understood.
        if let Some(version) = tbs.optional(writer::context(0))? {
            let mut version = Reader::new(version.content);
            if version.integer()? != [0] {
                return Err(OcspRequestError::Version);
            }
            version.finish()?;
        }
        if let Some(name) = tbs.optional(writer::context(1))? {
            let mut name = Reader::new(name.content);
            name.read()?;
            name.finish()?;
        }
        let cert_ids = read_request_list(tbs.enter(writer::SEQUENCE)?)?;
        let extensions = tbs.optional(writer::context(2))?;
        tbs.finish()?;

        if let Some(signature) = signature {
            check_signature(signature)?;
        }
        let mut request = Self {
            cert_ids,
            nonce: None,
            nonce_len: 0,
            preferred_signature_algorithms: Vec::new(),
            is_signed: signature.is_some(),
        };
        if let Some(extensions) = extensions {
            read_extensions(extensions, |oid, value| request.take_extension(oid, value))?;
        }
        Ok(request)
    }

    /// Takes what a request extension says; false if it is not known.
    fn take_extension(&mut self, oid: &[u8], value: &'a [u8]) -> Result<bool, OcspRequestError> {
        match oid {
            ID_PKIX_OCSP_NONCE => {
                let length = nonce_len(value);
                if length == 0 || length > MAX_NONCE_OCTETS {
                    return Err(OcspRequestError::NonceLength { length });
                }
                self.nonce = Some(value);
                self.nonce_len = length;
            }
            ID_PKIX_OCSP_RESPONSE => check_acceptable_responses(value)?,
            ID_PKIX_OCSP_PREF_SIG_ALGS => {
                self.preferred_signature_algorithms = read_preferred_algorithms(value)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `requestList SEQUENCE OF Request`.
fn read_request_list(mut list: Reader<'_>) -> Result<CertIds<'_>, OcspRequestError> {
    if list.is_finished() {
        return Err(OcspRequestError::NoRequests);
    }
    let mut cert_ids = CertIds::new(read_request(&mut list)?);
    while !list.is_finished() {
        if cert_ids.len() == MAX_CERT_IDS {
            return Err(OcspRequestError::TooManyRequests);
        }
        cert_ids.push(read_request(&mut list)?);
    }
    Ok(cert_ids)
}

/// `Request ::= SEQUENCE { reqCert, singleRequestExtensions [0] }`; of the latter none is supported.
fn read_request<'a>(list: &mut Reader<'a>) -> Result<CertId<'a>, OcspRequestError> {
    let mut request = list.enter(writer::SEQUENCE)?;
    let cert_id = CertId::read(&mut request)?;
    if let Some(extensions) = request.optional(writer::context(0))? {
        read_extensions(extensions, |_, _| Ok(false))?;
    }
    request.finish()?;
    Ok(cert_id)
}

/// Reads `Extensions` under an EXPLICIT tag and hands each one's identifier and extnValue to `take`, which says
/// whether it knows it. One that is not known is ignored, or refused if it is critical (RFC 6960 §4.1.2).
fn read_extensions<'a>(
    explicit: Tlv<'a>,
    mut take: impl FnMut(&'a [u8], &'a [u8]) -> Result<bool, OcspRequestError>,
) -> Result<(), OcspRequestError> {
    let mut list = Reader::only(explicit.content, writer::SEQUENCE)?;
    // RFC 5280 §4.1: SIZE (1..MAX).
    if list.is_finished() {
        return Err(DerError::Value { what: "Extensions" }.into());
    }
    let mut seen: [&[u8]; MAX_EXTENSIONS] = [&[]; MAX_EXTENSIONS];
    let mut count = 0;
    while !list.is_finished() {
        let mut extension = list.enter(writer::SEQUENCE)?;
        let oid = extension.expect(writer::OBJECT_IDENTIFIER)?.content;
        let critical = match extension.optional(writer::BOOLEAN)?.map(|value| value.content) {
            // DER omits a FALSE that is the default, but clients that write it are understood.
            None | Some([0x00]) => false,
            Some([0xff]) => true,
            Some(_) => return Err(DerError::Value { what: "critical" }.into()),
        };
        let value = extension.expect(writer::OCTET_STRING)?.content;
        extension.finish()?;
        if seen.iter().take(count).any(|known| *known == oid) {
            return Err(OcspRequestError::DuplicateExtension { oid: named(oid)? });
        }
        *seen.get_mut(count).ok_or(OcspRequestError::TooManyExtensions)? = oid;
        count += 1;
        if !take(oid, value)? && critical {
            return Err(OcspRequestError::UnknownCriticalExtension { oid: named(oid)? });
        }
    }
    Ok(())
}

/// The identifier for a message; it is only now that its octets are looked at.
fn named(oid: &[u8]) -> Result<Oid, DerError> {
    Oid::from_octets(oid).map_err(|_| DerError::Value { what: "extension identifier" })
}

/// The nonce's length: extnValue is an OCTET STRING in DER and nothing else (RFC 9654 §2.1), or the bare nonce.
fn nonce_len(value: &[u8]) -> usize {
    let mut reader = Reader::new(value);
    match reader.expect(writer::OCTET_STRING) {
        Ok(inner) if reader.is_finished() => inner.content.len(),
        _ => value.len(),
    }
}

/// `AcceptableResponses ::= SEQUENCE OF OBJECT IDENTIFIER` (RFC 6960 §4.4.3).
fn check_acceptable_responses(value: &[u8]) -> Result<(), OcspRequestError> {
    let mut types = Reader::only(value, writer::SEQUENCE)?;
    for _ in 0..MAX_ACCEPTABLE_RESPONSES {
        if types.is_finished() {
            break;
        }
        if types.expect(writer::OBJECT_IDENTIFIER)?.content == ID_PKIX_OCSP_BASIC {
            return Ok(());
        }
    }
    Err(OcspRequestError::NoAcceptableResponse)
}

/// `SEQUENCE OF SEQUENCE { sigIdentifier AlgorithmIdentifier, pubKeyAlgIdentifier OPTIONAL }` (RFC 6960 §4.4.7.1).
fn read_preferred_algorithms(value: &[u8]) -> Result<Vec<&[u8]>, OcspRequestError> {
    let mut list = Reader::only(value, writer::SEQUENCE)?;
    let mut identifiers = Vec::new();
    while !list.is_finished() {
        if identifiers.len() == MAX_PREFERRED_ALGORITHMS {
            return Err(OcspRequestError::TooManyPreferredAlgorithms);
        }
        let mut preferred = list.enter(writer::SEQUENCE)?;
        identifiers.push(preferred.expect(writer::SEQUENCE)?.whole);
        preferred.optional(writer::SEQUENCE)?;
        preferred.finish()?;
    }
    Ok(identifiers)
}

/// `[0] EXPLICIT Signature ::= SEQUENCE { signatureAlgorithm, signature BIT STRING, certs [0] SEQUENCE OF }`.
fn check_signature(explicit: Tlv<'_>) -> Result<(), DerError> {
    let mut fields = Reader::only(explicit.content, writer::SEQUENCE)?;
    fields.expect(writer::SEQUENCE)?;
    if !matches!(fields.expect(writer::BIT_STRING)?.content, [0, _, ..]) {
        return Err(DerError::Value { what: "signature" });
    }
    if let Some(certificates) = fields.optional(writer::context(0))? {
        let mut list = Reader::only(certificates.content, writer::SEQUENCE)?;
        for _ in 0..MAX_SIGNER_CERTIFICATES {
            if list.is_finished() {
                break;
            }
            list.expect(writer::SEQUENCE)?;
        }
        if !list.is_finished() {
            return Err(DerError::Value { what: "number of the signer's certificates" });
        }
    }
    fields.finish()
}

#[cfg(test)]
#[path = "ocsp_request_tests.rs"]
mod tests;
