//! The response's octets: everything constant is encoded once (RFC 6960 §4.2.1).

use super::single::{AnswerError, CertStatus, SingleAnswer, time};
use crate::asn1::writer;
use crate::ca::Certificate;
use crate::crypto::{KeyAlgorithm, SignatureAlgorithm, SignatureEncodingError};

/// The form of the signed octets that [`ResponderTemplate::prepare`] builds.
///
/// A stored answer is its signature alone, joined to octets that are built again from the certificate's status. Those
/// must come out the same, for ever: whoever changes one octet that is signed, raises this number, so that answers of
/// an older form are signed anew and not served with a signature that is not theirs.
pub const FORM: i16 = 1;

/// id-pkix-ocsp-basic (1.3.6.1.5.5.7.48.1.1), whole.
const ID_PKIX_OCSP_BASIC: [u8; 11] = [6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
/// id-pkix-ocsp-nonce (1.3.6.1.5.5.7.48.1.2), whole.
const ID_PKIX_OCSP_NONCE: [u8; 11] = [6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
/// The extension id-pkix-ocsp-extended-revoke (1.3.6.1.5.5.7.48.1.9), NULL, not critical (RFC 6960 §4.4.8).
const EXTENDED_REVOKE: [u8; 17] = [0x30, 15, 6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 9, 4, 2, 5, 0];
/// responseStatus successful(0).
const SUCCESSFUL: [u8; 3] = [0x0a, 1, 0];
/// A GeneralizedTime without fraction.
const TIME_LEN: usize = 17;

/// Why a template can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponderTemplateError {
    /// The signature algorithm has no identifier.
    #[error(transparent)]
    Algorithm(#[from] SignatureEncodingError),
    /// The responder's key does not sign so.
    #[error("{signature} does not go with the responder's {key} key")]
    AlgorithmMismatch {
        /// The signature's algorithm.
        signature: SignatureAlgorithm,
        /// The key's.
        key: KeyAlgorithm,
    },
}

/// A responder's part of every answer it signs.
#[derive(Clone, Debug)]
pub struct ResponderTemplate {
    /// `[2] KeyHash`.
    responder_id: Vec<u8>,
    signature_algorithm: Vec<u8>,
    /// `[0] certs`, or nothing.
    certificates: Vec<u8>,
}

/// ResponseData: what is signed, and what the response is then assembled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    tbs: Vec<u8>,
}

impl Prepared {
    /// The bytes to be signed: ResponseData's DER.
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        &self.tbs
    }
}

impl ResponderTemplate {
    /// Encodes the constant parts for a responder.
    ///
    /// `chain_sent` are the certificates sent along, in this order: a delegate's own first (RFC 9919: MUST be there),
    /// none where the CA's own key signs.
    ///
    /// # Errors
    /// An algorithm without an identifier, or that the responder's key does not sign by.
    pub fn new(
        responder: &Certificate,
        chain_sent: &[Certificate],
        algorithm: SignatureAlgorithm,
    ) -> Result<Self, ResponderTemplateError> {
        let key = responder.public_key.algorithm();
        if !algorithm.fits(key) {
            return Err(ResponderTemplateError::AlgorithmMismatch { signature: algorithm, key });
        }
        // RFC 6960 §4.2.1: KeyHash is the SHA-1 of the key's bits, whatever the CertIDs are hashed with.
        let key_hash = writer::tlv(writer::OCTET_STRING, &[&responder.public_key.key_identifier()]);
        let certificates = if chain_sent.is_empty() {
            Vec::new()
        } else {
            let parts: Vec<&[u8]> = chain_sent.iter().map(Certificate::der).collect();
            writer::tlv(writer::context(0), &[&writer::tlv(writer::SEQUENCE, &parts)])
        };
        Ok(Self {
            responder_id: writer::tlv(writer::context(2), &[&key_hash]),
            signature_algorithm: algorithm.x509_identifier_der()?,
            certificates,
        })
    }

    /// Builds what is to be signed. It depends on nothing but the template and the arguments: see [`FORM`].
    ///
    /// `produced_at_s` are seconds since 1970. `nonce_extn_value` are the octets of the request's nonce extension inside
    /// its extnValue, [`crate::asn1::OcspRequest::nonce`], which are repeated as they are.
    ///
    /// # Errors
    /// Answers that can't be written, see [`AnswerError`].
    pub fn prepare(
        &self,
        answers: &[SingleAnswer<'_>],
        produced_at_s: i64,
        nonce_extn_value: Option<&[u8]>,
    ) -> Result<Prepared, AnswerError> {
        if answers.is_empty() {
            return Err(AnswerError::Empty);
        }
        let produced_at = time("producedAt", produced_at_s)?;
        let answers_len: usize = answers.iter().map(SingleAnswer::len).sum();
        let nonce_value_len = nonce_extn_value.map(<[u8]>::len);
        let nonce_content_len = nonce_value_len.map(|length| ID_PKIX_OCSP_NONCE.len() + writer::tlv_len(length));
        let is_extended = answers.iter().any(|answer| answer.status == CertStatus::NotIssued);
        let extended: &[u8] = if is_extended { &EXTENDED_REVOKE } else { &[] };
        let extensions_len = nonce_content_len.map_or(0, writer::tlv_len) + extended.len();
        // `[1] EXPLICIT` around the list, or nothing.
        let explicit_len = (extensions_len > 0).then(|| writer::tlv_len(extensions_len));
        let content_len =
            self.responder_id.len() + TIME_LEN + writer::tlv_len(answers_len) + explicit_len.map_or(0, writer::tlv_len);

        let mut tbs = Vec::with_capacity(writer::tlv_len(content_len));
        writer::write_header(&mut tbs, writer::SEQUENCE, content_len);
        // The version is the default and left out.
        tbs.extend_from_slice(&self.responder_id);
        tbs.extend_from_slice(&produced_at);
        writer::write_header(&mut tbs, writer::SEQUENCE, answers_len);
        for answer in answers {
            answer.write(&mut tbs)?;
        }
        if let Some(explicit_len) = explicit_len {
            writer::write_header(&mut tbs, writer::context(1), explicit_len);
            writer::write_header(&mut tbs, writer::SEQUENCE, extensions_len);
            if let (Some(value), Some(content_len)) = (nonce_extn_value, nonce_content_len) {
                writer::write_header(&mut tbs, writer::SEQUENCE, content_len);
                tbs.extend_from_slice(&ID_PKIX_OCSP_NONCE);
                writer::write_tlv(&mut tbs, writer::OCTET_STRING, &[value]);
            }
            tbs.extend_from_slice(extended);
        }
        Ok(Prepared { tbs })
    }

    /// The whole OCSPResponse, status successful, from what was signed and its signature.
    ///
    /// `signature` is in the form that X.509 carries ([`SignatureAlgorithm::value_from_raw`]).
    #[must_use]
    pub fn assemble(&self, prepared: &Prepared, signature: &[u8]) -> Vec<u8> {
        let basic_len = prepared.tbs.len()
            + self.signature_algorithm.len()
            + writer::tlv_len(1 + signature.len())
            + self.certificates.len();
        let octets_len = writer::tlv_len(basic_len);
        let bytes_len = ID_PKIX_OCSP_BASIC.len() + writer::tlv_len(octets_len);
        let explicit_len = writer::tlv_len(bytes_len);
        let response_len = SUCCESSFUL.len() + writer::tlv_len(explicit_len);

        let mut out = Vec::with_capacity(writer::tlv_len(response_len));
        writer::write_header(&mut out, writer::SEQUENCE, response_len);
        out.extend_from_slice(&SUCCESSFUL);
        writer::write_header(&mut out, writer::context(0), explicit_len);
        writer::write_header(&mut out, writer::SEQUENCE, bytes_len);
        out.extend_from_slice(&ID_PKIX_OCSP_BASIC);
        writer::write_header(&mut out, writer::OCTET_STRING, octets_len);
        writer::write_header(&mut out, writer::SEQUENCE, basic_len);
        out.extend_from_slice(&prepared.tbs);
        out.extend_from_slice(&self.signature_algorithm);
        writer::write_tlv(&mut out, writer::BIT_STRING, &[&[0], signature]);
        out.extend_from_slice(&self.certificates);
        out
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
