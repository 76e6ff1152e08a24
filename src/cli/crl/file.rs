//! A CRL in a file, DER or PEM, or on standard input.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Cursor, Read};
use std::path::Path;

use crl::{Crl, Index, Reader};

use crate::ca::{display_name, pem_decode};
use crate::cli::Failure;

/// Entries that are taken: a hundred million fit in four gigabytes of index.
pub(super) const MAX_ENTRIES: u64 = 100_000_000;
/// The most octets of a PEM file, which is held in memory.
const MAX_PEM: u64 = 1 << 30;

/// The CRL's octets, as DER.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    let failed = |text: String| Failure::new(format!("{}: {text}", path.display()));
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| failed(error.to_string()))?)
    };
    let mut input = BufReader::with_capacity(1 << 20, input);
    // DER begins with a SEQUENCE's tag; text does not.
    if input.fill_buf().map_err(|error| failed(error.to_string()))?.first() == Some(&0x30) {
        return Ok(Box::new(input));
    }
    let mut text = String::new();
    input
        .take(MAX_PEM)
        .read_to_string(&mut text)
        .map_err(|_| failed("neither a CRL in DER nor one in PEM".to_owned()))?;
    let mut blocks = pem_decode("X509 CRL", &text).map_err(|error| failed(error.to_string()))?;
    match (blocks.pop(), blocks.len()) {
        (Some(der), 0) => Ok(Box::new(Cursor::new(der))),
        (_, others) => Err(failed(format!("{} CRLs; give one at a time", others + 1))),
    }
}

/// The CRL, with an index of its entries.
pub(super) fn read(path: &Path) -> Result<(Index, Crl), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
    let reader = Reader::from_read(open(path)?, MAX_ENTRIES, |_: &[u8]| {}).map_err(|error| failed(&error))?;
    Index::from_crl(reader.tolerating_empty_list()).map_err(|error| failed(&error))
}

/// A Name for people.
pub(super) fn name(der: &[u8]) -> String {
    display_name(der)
}

/// A CRL number for people.
pub(super) fn number(number: &crl::CrlNumber) -> String {
    let octets = number.integer_octets();
    let start = octets.len().saturating_sub(8);
    if octets.iter().take(start).any(|octet| *octet != 0) {
        return format!("0x{}", hex::encode(octets));
    }
    octets.iter().skip(start).fold(0_u64, |number, octet| (number << 8) | u64::from(*octet)).to_string()
}
