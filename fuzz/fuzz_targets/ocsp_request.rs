//! An OCSPRequest from anybody, and what a GET's path may hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::asn1::{MAX_CERT_IDS, MAX_NONCE_OCTETS, OcspRequest};
use noonmark::ocsp::decode_get_path;

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = OcspRequest::from_der(data) {
        assert!((1..=MAX_CERT_IDS).contains(&request.cert_ids.len()));
        // What is repeated in an answer is a part of what came.
        for cert_id in request.cert_ids.iter() {
            assert!(data.windows(cert_id.whole.len()).any(|window| window == cert_id.whole));
        }
        assert_eq!(request.nonce.is_some(), (1..=MAX_NONCE_OCTETS).contains(&request.nonce_len));
    }
    let _ = decode_get_path(data);
});
