//! A TimeStampReq from anybody.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::asn1::{Oid, TimeStampRequest};

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = TimeStampRequest::from_der(data) {
        // What is echoed into a token is a part of what came.
        assert!(data.windows(request.message_imprint.len()).any(|window| window == request.message_imprint));
        if let Some(policy) = request.policy.and_then(|octets| Oid::from_octets(octets).ok()) {
            let _ = policy.to_string();
        }
    }
});
