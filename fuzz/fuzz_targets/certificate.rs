//! A certificate that an operator imports, or that stands in a strange token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::ca::{Certificate, CertificateKind, profile};

fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(data) {
        assert_eq!(certificate.der(), data);
        let _ = (certificate.subject(), certificate.is_signed_by(&certificate));
        let _ = profile::findings(CertificateKind::Tsu, &certificate);
    }
});
