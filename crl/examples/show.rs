//! Shows a CRL (DER) and what it does against the standards: `cargo run --example show -- FILE [SERIAL, hexadecimal]`.

use std::fs::File;
use std::process::ExitCode;

use crl::lint::{Profile, Severity, lint};
use crl::{Index, Reader};

/// Entries that are taken: a hundred million fit in four gigabytes of index.
const MAX_ENTRIES: u64 = 100_000_000;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, serial) = match arguments.as_slice() {
        [path] => (path, None),
        [path, serial] => (path, Some(octets_of(serial)?)),
        _ => return Err("usage: show FILE [SERIAL]".into()),
    };

    let reader = Reader::from_read(File::open(path)?, MAX_ENTRIES, |_| {})?.tolerating_empty_list();
    let (index, crl) = Index::from_crl(reader)?;
    let header = &crl.header;
    println!("version      {:?}", header.version);
    println!("thisUpdate   {}", header.this_update);
    println!("nextUpdate   {}", header.next_update.map_or_else(|| "absent".to_owned(), |time| time.to_string()));
    println!("entries      {} ({} repeated)", crl.entries, index.duplicates());
    println!("delta        {}", if crl.is_delta() { "yes" } else { "no" });
    if let Some(point) = &crl.extensions.issuing_distribution_point {
        println!("scope        {point:?}");
    }
    for obstacle in crl.obstacles() {
        println!("can't say good: {obstacle:?}");
    }
    if let Some(serial) = serial {
        match index.find(&serial) {
            Some(entry) => println!("serial       revoked: {entry:?}"),
            None => println!("serial       not in this CRL"),
        }
    }

    let findings = lint(Reader::from_read(File::open(path)?, MAX_ENTRIES, |_| {})?, Profile::EndEntity);
    for finding in &findings {
        println!("{finding}");
    }
    let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn octets_of(hexadecimal: &str) -> Result<Vec<u8>, std::num::ParseIntError> {
    let digits: Vec<char> = hexadecimal.chars().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16)).collect()
}
