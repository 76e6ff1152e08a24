//! The question for an OCSP responder (RFC 6960 §4.1.1).

use crate::asn1::writer::{self, tlv};
use crate::crypto::DigestAlgorithm;
use crate::verify::Certificate;
use crate::verify::signature::VerificationKey;

/// An OCSPRequest about one certificate.
///
/// The CertID is by SHA-1: RFC 5019 §2.1.1 demands it of high-volume clients, and many responders know no other. Without a nonce:
/// an answer is judged by its times, and responders that sign ahead have none for us.
pub(super) fn ocsp_request(certificate: &Certificate, issuer_key: &VerificationKey) -> Vec<u8> {
    let digest = DigestAlgorithm::Sha1;
    let hash = |octets: &[u8]| tlv(writer::OCTET_STRING, &[digest.digest(octets).as_ref()]);
    let oid = tlv(writer::OBJECT_IDENTIFIER, &[digest.oid().as_bytes()]);
    let algorithm = tlv(writer::SEQUENCE, &[&oid, &[writer::NULL, 0]]);
    let cert_id = tlv(
        writer::SEQUENCE,
        &[
            &algorithm,
            // "the DER encoding of the issuer's name field in the certificate being checked"
            &hash(certificate.issuer_der()),
            // "the value (excluding tag and length) of the subject public key field"
            &hash(issuer_key.bits()),
            &tlv(writer::INTEGER, &[certificate.serial()]),
        ],
    );
    let request = tlv(writer::SEQUENCE, &[&cert_id]);
    let list = tlv(writer::SEQUENCE, &[&request]);
    tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&list])])
}
