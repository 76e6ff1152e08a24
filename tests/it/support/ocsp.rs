//! OCSP requests octet by octet, and the least of an answer.

use noonmark::asn1::writer;
use noonmark::ca::Certificate;
use noonmark::ocsp::IssuerHashes;
use noonmark::store::CertIdHash;

use super::http::Response;

pub const MEDIA_TYPE: &str = "application/ocsp-request";

/// OCSPResponseStatus.
pub const SUCCESSFUL: u8 = 0;
pub const MALFORMED: u8 = 1;
pub const TRY_LATER: u8 = 3;
pub const UNAUTHORIZED: u8 = 6;

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    writer::tlv(writer::SEQUENCE, parts)
}

/// An extension with these octets inside its extnValue.
pub fn extension(oid: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if is_critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&writer::tlv(writer::OBJECT_IDENTIFIER, &[oid]), critical, &writer::tlv(writer::OCTET_STRING, &[value])])
}

/// id-pkix-ocsp-nonce.
pub const NONCE: [u8; 9] = [0x2b, 6, 1, 5, 5, 7, 48, 1, 2];

/// A nonce as it stands in its extnValue: in an OCTET STRING of its own.
pub fn nonce(length: usize) -> Vec<u8> {
    writer::tlv(writer::OCTET_STRING, &[&vec![7; length]])
}

/// A request about these certificates by SHA-1, with these extensions.
pub fn request_with(issuer: &Certificate, serials: &[&[u8]], extensions: &[Vec<u8>]) -> Vec<u8> {
    let hashes = IssuerHashes::of(issuer);
    let one = |serial: &&[u8]| sequence(&[&hashes.cert_id_der(CertIdHash::Sha1, serial)]);
    let list = sequence(&[&serials.iter().map(one).collect::<Vec<_>>().concat()]);
    let extensions = if extensions.is_empty() {
        Vec::new()
    } else {
        writer::tlv(writer::context(2), &[&sequence(&[&extensions.concat()])])
    };
    sequence(&[&sequence(&[&list, &extensions])])
}

/// A request with or without a nonce, which is given as it stands in its extnValue.
pub fn request(issuer: &Certificate, serials: &[&[u8]], nonce: Option<&[u8]>) -> Vec<u8> {
    let extensions: Vec<_> = nonce.iter().map(|value| extension(&NONCE, false, value)).collect();
    request_with(issuer, serials, &extensions)
}

/// The status of an OCSPResponse.
pub fn status_of(body: &[u8]) -> u8 {
    match body {
        [0x30, 3, 0x0a, 1, status] => *status,
        [0x30, 0x82, _, _, 0x0a, 1, status, ..] | [0x30, 0x81, _, 0x0a, 1, status, ..] => *status,
        [0x30, 0x83, _, _, _, 0x0a, 1, status, ..] => *status,
        other => panic!("no OCSPResponse: {}", hex::encode(other)),
    }
}

/// The status of an answer, whose media type is held against the standard's.
pub fn status(response: &Response) -> u8 {
    assert_eq!(response.header("content-type"), Some("application/ocsp-response"), "{}", response.text());
    status_of(&response.body)
}
