//! Certificates and statuses in a file of somebody else's CA: PEM, CSV, openssl's index.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::ca::import::{ImportFormat, entries};

fuzz_target!(|data: &[u8]| {
    let _ = ImportFormat::of(data);
    for format in ImportFormat::ALL {
        for entry in entries(format, data) {
            match entry {
                Ok(entry) => assert!(!entry.serial.is_empty()),
                // The first bad row ends an import.
                Err(error) => {
                    let _ = error.to_string();
                    break;
                }
            }
        }
    }
});
