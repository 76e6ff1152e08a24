//! A certificate of anybody, as a verifier reads it: every value that a path may ask for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::verify::{Certificate, MAX_CERTIFICATE_OCTETS};

fuzz_target!(|data: &[u8]| {
    let Ok(certificate) = Certificate::from_der(data) else { return };
    assert_eq!(certificate.der(), data);
    assert!(data.len() <= MAX_CERTIFICATE_OCTETS);
    // What is signed is a part of what came.
    assert!(data.windows(certificate.tbs_der().len()).any(|window| window == certificate.tbs_der()));
    let malformed = certificate.malformed_extension().is_some();
    let read = [
        certificate.basic_constraints().is_ok(),
        certificate.key_usage().is_ok(),
        certificate.extended_key_usage().is_ok(),
        certificate.subject_alt_names().is_ok(),
        certificate.name_constraints().is_ok(),
        certificate.certificate_policies().is_ok(),
        certificate.policy_mappings().is_ok(),
        certificate.policy_constraints().is_ok(),
        certificate.inhibit_any_policy().is_ok(),
    ];
    assert_eq!(malformed, read.contains(&false));
    let _ = (certificate.crl_distribution_points(), certificate.freshest_crl());
    let _ = (certificate.authority_key_identifier(), certificate.subject_key_identifier());
    let _ = (certificate.findings(), certificate.is_self_issued(), certificate.subject_email_addresses());
    if let (Ok(key), Ok(algorithm)) = (certificate.key(), certificate.signature_algorithm()) {
        let _ = key.verify(algorithm, certificate.tbs_der(), certificate.signature());
    }
});
