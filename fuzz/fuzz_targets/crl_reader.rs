//! A CRL from anybody: by slice and by stream the reader says the same, and what it reads is indexed and linted.
#![no_main]

use crl::lint::{Profile, lint};
use crl::{Index, Reader};
use libfuzzer_sys::fuzz_target;

/// More than an input of a fuzzer can hold.
const MAX_ENTRIES: u64 = 100_000;

fuzz_target!(|data: &[u8]| {
    let reader = || Reader::from_slice(data, MAX_ENTRIES, |_| {});
    let mut signed = Vec::new();
    let by_slice = reader().and_then(Reader::finish);
    let by_stream =
        Reader::from_read(data, MAX_ENTRIES, |octets| signed.extend_from_slice(octets)).and_then(Reader::finish);
    match (by_slice, by_stream) {
        (Ok(crl), Ok(streamed)) => {
            assert_eq!(crl, streamed);
            assert!(data.windows(signed.len()).any(|window| window == signed));
            let (index, _) = Index::from_crl(reader().unwrap()).expect("what reads is indexed");
            assert_eq!(u64::try_from(index.len()).unwrap() + index.duplicates(), crl.entries);
            let mut file = Vec::new();
            index.write_to(&mut file).unwrap();
            Index::read_from(&mut &file[..], u32::MAX).expect("an index reads back");
        }
        (Err(slice), Err(stream)) => assert_eq!(slice.to_string(), stream.to_string()),
        (slice, stream) => panic!("{slice:?} by slice, {stream:?} by stream"),
    }
    if let Ok(reader) = reader() {
        let _ = lint(reader, Profile::EndEntity);
    }
    let _ = Index::read_from(&mut &data[..], 100_000);
});
