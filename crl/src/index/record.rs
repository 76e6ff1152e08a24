//! One entry in 36 octets, and how records are ordered.

use std::cmp::Ordering;

use crate::der::integer;
use crate::reader::MAX_SERIAL_OCTETS;
use crate::time::{FIRST_S, LAST_S};

/// Serial octets that stand in the record itself (RFC 5280 §4.1.2.2 allows no more); longer ones stand in the overflow.
pub(super) const INLINE_OCTETS: usize = 20;
/// Octets of a record in a file.
pub(super) const RECORD_OCTETS: usize = 36;

/// A reason number that says: none written.
const NO_REASON: u8 = 0xff;
/// An invalidityDate that says: none written. Far before the year 0.
const NO_DATE_S: i64 = -(1 << 47);

/// One entry. A long serial's `serial` holds its offset in the overflow, as four octets, little end first.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) serial: [u8; INLINE_OCTETS],
    pub(super) serial_octets: u8,
    reason: u8,
    pub(super) issuer: u16,
    revocation_date: [u8; 6],
    invalidity_date: [u8; 6],
}

impl Record {
    /// A record whose serial is to be filled in.
    pub(super) fn new(issuer: u16, date_s: i64, reason: Option<u8>, invalidity_s: Option<i64>) -> Self {
        Self {
            issuer,
            reason: reason.unwrap_or(NO_REASON),
            revocation_date: short(date_s),
            invalidity_date: short(invalidity_s.unwrap_or(NO_DATE_S)),
            serial: [0; INLINE_OCTETS],
            serial_octets: 0,
        }
    }

    #[inline]
    pub(super) fn serial<'a>(&'a self, overflow: &'a [u8]) -> &'a [u8] {
        let octets = usize::from(self.serial_octets);
        if octets <= INLINE_OCTETS {
            return &self.serial[..octets];
        }
        // A record's offset was checked when it was made or read; a wrong one would show as no serial at all.
        let start = self.overflow_start();
        overflow.get(start..start + octets).unwrap_or_default()
    }

    pub(super) fn overflow_start(&self) -> usize {
        let [a, b, c, d, ..] = self.serial;
        // Unwrap safety: Rust's std needs pointers of 32 bits for an overflow of that size to exist.
        usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap()
    }

    pub(super) fn reason_number(&self) -> Option<u8> {
        Some(self.reason).filter(|reason| *reason != NO_REASON)
    }

    pub(super) fn revocation_date_s(&self) -> i64 {
        long(self.revocation_date)
    }

    pub(super) fn invalidity_date_s(&self) -> Option<i64> {
        Some(long(self.invalidity_date)).filter(|date_s| *date_s != NO_DATE_S)
    }

    /// The order inside a bucket: issuer, then length, then octets.
    #[inline]
    pub(super) fn compare(&self, issuer: u16, serial: &[u8], overflow: &[u8]) -> Ordering {
        let own = self.serial(overflow);
        (self.issuer, own.len()).cmp(&(issuer, serial.len())).then_with(|| own.cmp(serial))
    }

    pub(super) fn to_octets(self) -> [u8; RECORD_OCTETS] {
        let mut out = [0; RECORD_OCTETS];
        out[..20].copy_from_slice(&self.serial);
        out[20] = self.serial_octets;
        out[21] = self.reason;
        out[22..24].copy_from_slice(&self.issuer.to_le_bytes());
        out[24..30].copy_from_slice(&self.revocation_date);
        out[30..].copy_from_slice(&self.invalidity_date);
        out
    }

    /// Reads a record that may be hostile; `None` where it is not one that this crate writes.
    pub(super) fn from_octets(octets: &[u8], issuers: usize, overflow: &[u8]) -> Option<Self> {
        let (serial, rest) = octets.split_first_chunk::<INLINE_OCTETS>()?;
        let &[serial_octets, reason, i0, i1, ref dates @ ..] = rest else { return None };
        let (revocation_date, rest) = dates.split_first_chunk::<6>()?;
        let record = Self {
            serial: *serial,
            serial_octets,
            reason,
            issuer: u16::from_le_bytes([i0, i1]),
            revocation_date: *revocation_date,
            invalidity_date: *rest.first_chunk::<6>()?,
        };
        let octets = usize::from(serial_octets);
        let unused = if octets <= INLINE_OCTETS { &serial[octets..] } else { &serial[4..] };
        let dates = FIRST_S..=LAST_S;
        let good = octets <= MAX_SERIAL_OCTETS
            && unused.iter().all(|octet| *octet == 0)
            && integer(record.serial(overflow)).is_ok()
            && (reason & 0x80 == 0 || reason == NO_REASON)
            && usize::from(record.issuer) < issuers
            && dates.contains(&record.revocation_date_s())
            && record.invalidity_date_s().is_none_or(|date_s| dates.contains(&date_s));
        good.then_some(record)
    }
}

/// The low 48 bits: four million years.
fn short(seconds: i64) -> [u8; 6] {
    let [a, b, c, d, e, f, ..] = seconds.to_le_bytes();
    [a, b, c, d, e, f]
}

fn long([a, b, c, d, e, f]: [u8; 6]) -> i64 {
    let sign = if f & 0x80 == 0 { 0 } else { 0xff };
    i64::from_le_bytes([a, b, c, d, e, f, sign, sign])
}

/// Where a serial stands: the top bits choose its bucket.
///
/// Not keyed: who chooses serials to share a bucket gains nothing, since buckets are sorted and searched by halves.
#[inline]
pub(super) fn hash(issuer: u16, serial: &[u8]) -> u64 {
    // Odd numbers without a pattern: digits of the golden ratio, and of pi.
    const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
    const SECOND: u64 = 0x2437_54a8_8b5f_0b2d;
    let mut state = u64::from(issuer).wrapping_add(FIRST);
    let (chunks, rest) = serial.as_chunks::<8>();
    for chunk in chunks {
        state = (state ^ u64::from_le_bytes(*chunk)).wrapping_mul(FIRST);
        state ^= state >> 29;
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state = (state ^ u64::from_le_bytes(last)).wrapping_mul(FIRST);
    state ^= state >> 32;
    state.wrapping_mul(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_as_they_are_written_and_hostile_ones_are_none() {
        let mut record = Record::new(1, -5, Some(3), Some(LAST_S));
        record.serial[0] = 9;
        record.serial_octets = 1;
        let octets = record.to_octets();
        let read = Record::from_octets(&octets, 2, &[]).unwrap();
        assert_eq!(read.to_octets(), octets);
        assert_eq!(
            (read.revocation_date_s(), read.invalidity_date_s(), read.reason_number()),
            (-5, Some(LAST_S), Some(3))
        );
        assert_eq!(Record::new(0, 0, None, None).invalidity_date_s(), None);
        // An issuer that is not in the table; octets after the serial; no serial; a reason above 127; a date out of range.
        assert!(Record::from_octets(&octets, 1, &[]).is_none());
        for (place, octet) in [(5, 1), (20, 0), (20, 41), (20, 30), (21, 0x80), (29, 0x40), (35, 0x40)] {
            let mut bad = octets;
            bad[place] = octet;
            assert!(Record::from_octets(&bad, 2, &[]).is_none(), "{place}");
        }
    }
}
