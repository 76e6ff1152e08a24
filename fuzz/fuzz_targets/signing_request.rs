//! A certificate signing request from a client of the API.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::ca::SigningRequest;

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = SigningRequest::from_der(data) {
        // What goes into a certificate is a part of what came.
        assert!(data.windows(request.subject_der().len()).any(|window| window == request.subject_der()));
        let _ = (request.subject(), request.alternative_names().len(), request.ignored().len());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = SigningRequest::from_pem(text);
    }
});
