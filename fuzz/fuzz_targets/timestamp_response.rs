//! A TimeStampResp from a strange server, as `noonmark timestamp` reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::tsa::response::{self, Asked};

fuzz_target!(|data: &[u8]| {
    let asked = Asked { message_imprint: &[0x30, 0], nonce: &[2, 1, 1], trusted: &[] };
    let _ = response::check(data, &asked);
});
