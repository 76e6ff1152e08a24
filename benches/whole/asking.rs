//! OCSP requests about an installation's certificates.

use std::path::Path;

use base64::Engine as _;
use noonmark::asn1::writer;
use noonmark::ca::Certificate;
use noonmark::ocsp::IssuerHashes;
use noonmark::store::CertIdHash;

/// A certificate out of an installation's directory.
pub(crate) fn certificate(directory: &Path, name: &str) -> Certificate {
    let text = std::fs::read_to_string(directory.join(format!("certificates/{name}.pem"))).expect("a certificate");
    let der = noonmark::ca::pem_decode("CERTIFICATE", &text).expect("PEM").remove(0);
    Certificate::from_der(&der).expect("a certificate")
}

/// A request by SHA-1, as most clients make it; the nonce has 16 octets.
pub(crate) fn request(issuer: &IssuerHashes, serial: &[u8], with_nonce: bool) -> Vec<u8> {
    let sequence = |parts: &[&[u8]]| writer::tlv(writer::SEQUENCE, parts);
    let one = sequence(&[&issuer.cert_id_der(CertIdHash::Sha1, serial)]);
    let list = sequence(&[&one]);
    let nonce = writer::tlv(writer::OCTET_STRING, &[&writer::tlv(writer::OCTET_STRING, &[&[7; 16]])]);
    let extension = sequence(&[&[6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 2], &nonce]);
    let extensions = writer::tlv(writer::context(2), &[&sequence(&[&extension])]);
    sequence(&[&sequence(&[&list, if with_nonce { &extensions } else { &[] }])])
}

/// The path of a GET.
pub(crate) fn path(request: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(request);
    format!("/ocsp/{}", text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"))
}
