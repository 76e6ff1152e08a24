//! The same entries for everybody: 16-octet serials that follow from their number, a reason in every second.

use std::io;

use crl::{CrlFields, CrlNumber, EntryFields, EntrySource, ReasonCode};

/// The serial of an entry. No two are the same; neighbours are far apart.
pub(crate) fn serial(number: u32) -> [u8; 16] {
    let high = (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut serial = [0; 16];
    serial[..8].copy_from_slice(&high.to_be_bytes());
    serial[8..].copy_from_slice(&u64::from(number).to_be_bytes());
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// Two hundred a day, over three years.
pub(crate) fn revocation_date_s(number: u32) -> i64 {
    1_600_000_000 + i64::from(number) * 400 % 100_000_000
}

pub(crate) fn reason(number: u32) -> Option<ReasonCode> {
    number.is_multiple_of(2).then_some(ReasonCode::Superseded)
}

pub(crate) fn entry(serial: &[u8; 16], number: u32) -> EntryFields<'_> {
    EntryFields { reason: reason(number), ..EntryFields::new(serial, revocation_date_s(number)) }
}

pub(crate) fn fields() -> CrlFields {
    CrlFields {
        issuer: vec![0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, b'a'],
        signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        this_update_s: 1_700_000_000,
        next_update_s: 1_700_600_000,
        authority_key_identifier: vec![7; 20],
        crl_number: CrlNumber::from(300),
        base_crl_number: None,
        issuing_distribution_point: None,
        freshest_crl: Vec::new(),
        expired_certs_on_crl_s: None,
    }
}

/// A source that holds a thousandth of a million serials and lends them over and over: what is measured is the
/// builder's memory.
pub(crate) struct Repeating {
    serials: Vec<[u8; 16]>,
    count: u32,
}

impl Repeating {
    pub(crate) fn new(count: u32) -> Self {
        Self { serials: (0..1000).map(serial).collect(), count }
    }
}

impl EntrySource for Repeating {
    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<EntryFields<'_>>>> {
        Ok(self.serials.iter().cycle().zip(0..self.count).map(|(serial, number)| Ok(entry(serial, number))))
    }
}
