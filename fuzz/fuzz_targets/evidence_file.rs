//! An evidence file from anybody: what is read can be written, and is read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::verify::EvidenceFile;

fuzz_target!(|data: &[u8]| {
    let Ok(file) = EvidenceFile::from_json(data) else { return };
    let written = file.to_json().expect("a file that was read");
    let again = EvidenceFile::from_json(&written).expect("a file that was written");
    assert_eq!(again.to_json().expect("a file that was read"), written);
    let _ = file.policy();
    let _ = file.anchors();
    if let Ok(documents) = file.documents() {
        for recorded in documents {
            let mut evidence = recorded.evidence;
            recorded.document.add_to(&mut evidence).expect("a document that was read");
        }
    }
});
