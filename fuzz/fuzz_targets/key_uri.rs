//! A key's URI as an operator writes it (RFC 7512).
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::keys::KeyUri;

fuzz_target!(|data: &str| {
    if let Ok(uri) = data.parse::<KeyUri>() {
        let written = uri.to_string();
        let again: KeyUri = written.parse().expect("what is written reads back");
        assert_eq!(again.to_string(), written);
    }
});
