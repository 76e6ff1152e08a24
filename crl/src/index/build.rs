//! Builds an index in one pass over a CRL's entries.

use std::collections::HashMap;

use super::record::{INLINE_OCTETS, Record, hash};
use super::{Index, IndexError, Slot};
use crate::ReasonCode;
use crate::reader::{Crl, Entry, Input, MAX_SERIAL_OCTETS, Reader};

/// Octets of all issuers' names in one index: a table of thousands of names takes about a megabyte.
pub(super) const MAX_ISSUERS_OCTETS: usize = 64 * 1024 * 1024;

/// Records a bucket, on average, at most.
const RECORDS_A_BUCKET: usize = 2;

/// Takes entries one by one.
pub struct IndexBuilder {
    records: Vec<Record>,
    /// Of each record, taken while it is in the cache.
    hashes: Vec<u64>,
    overflow: Vec<u8>,
    issuers: Vec<Vec<u8>>,
    issuers_octets: usize,
    numbers: HashMap<Vec<u8>, u16>,
}

impl IndexBuilder {
    /// An index of a CRL of this issuer, the Name's DER.
    #[must_use]
    pub fn new(issuer: &[u8]) -> Self {
        Self {
            records: Vec::new(),
            hashes: Vec::new(),
            overflow: Vec::new(),
            issuers: vec![issuer.to_vec()],
            issuers_octets: issuer.len(),
            numbers: HashMap::from([(issuer.to_vec(), 0)]),
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// More issuers or octets than an index holds.
    #[inline]
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), IndexError> {
        let issuer = match entry.certificate_issuer {
            None => 0,
            Some(name) => self.issuer(name)?,
        };
        let invalidity_s = entry.invalidity_date.map(|date| date.seconds);
        let mut record = Record::new(issuer, entry.revocation_date.seconds, entry.reason_number, invalidity_s);
        let octets = entry.serial.len();
        // The reader gives no longer ones, but an entry's fields can be changed.
        if octets > MAX_SERIAL_OCTETS {
            return Err(IndexError::TooLarge);
        }
        record.serial_octets = u8::try_from(octets).map_err(|_| IndexError::TooLarge)?;
        if octets <= INLINE_OCTETS {
            record.serial[..octets].copy_from_slice(entry.serial);
        } else {
            let start = u32::try_from(self.overflow.len()).map_err(|_| IndexError::TooLarge)?;
            record.serial[..4].copy_from_slice(&start.to_le_bytes());
            self.overflow.extend_from_slice(entry.serial);
        }
        self.records.push(record);
        self.hashes.push(hash(issuer, entry.serial));
        Ok(())
    }

    fn issuer(&mut self, name: &[u8]) -> Result<u16, IndexError> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let number = u16::try_from(self.issuers.len()).map_err(|_| IndexError::TooManyIssuers)?;
        self.issuers_octets += name.len();
        if self.issuers_octets > MAX_ISSUERS_OCTETS {
            return Err(IndexError::TooManyIssuers);
        }
        self.issuers.push(name.to_vec());
        self.numbers.insert(name.to_vec(), number);
        Ok(number)
    }

    /// All entries are there. Of several with one serial, the first stays that is not removeFromCRL: revoked is the safe answer.
    ///
    /// # Errors
    /// More entries than an index holds.
    pub fn finish(self) -> Result<Index, IndexError> {
        let Self { records, hashes, overflow, issuers, .. } = self;
        u32::try_from(records.len()).map_err(|_| IndexError::TooLarge)?;
        let bucket_bits = bucket_bits(records.len());
        let mut ends = vec![0_u32; buckets(bucket_bits) + 1];
        for hash in &hashes {
            ends[place(bucket(*hash, bucket_bits)) + 1] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        // `ends[bucket]` is where the bucket starts, and moves to its end as slots are laid down. The records stay where they
        // are: to move them about in memory took longer than all the rest.
        let mut slots = vec![Slot::default(); records.len()];
        for (number, hash) in (0..).zip(&hashes) {
            let next = &mut ends[place(bucket(*hash, bucket_bits))];
            slots[place(*next)] = Slot { tag: tag(*hash), number };
            *next += 1;
        }
        drop(hashes);
        // The last of `ends` is one more bucket, empty.
        ends.pop();
        let mut index = Index { bucket_bits, starts: Vec::new(), slots, records, overflow, issuers, duplicates: 0 };
        index.order_buckets(ends);
        Ok(index)
    }
}

impl Index {
    /// Reads a CRL to its end into an index.
    ///
    /// # Errors
    /// The CRL can't be read, or has more than an index holds.
    pub fn from_crl<I: Input, S: FnMut(&[u8])>(mut reader: Reader<I, S>) -> Result<(Self, Crl), IndexError> {
        let mut builder = IndexBuilder::new(&reader.header().issuer);
        while let Some(entry) = reader.next_entry()? {
            builder.push(&entry)?;
        }
        let crl = reader.finish()?;
        Ok((builder.finish()?, crl))
    }

    /// Orders each bucket and drops duplicates. `ends` has each bucket's end.
    fn order_buckets(&mut self, mut ends: Vec<u32>) {
        let (records, overflow) = (&self.records, &self.overflow);
        let key = |one: &Slot, two: &Slot| {
            // The records are looked at only where the tags agree, which is next to never.
            one.tag.cmp(&two.tag).then_with(|| {
                let two = &records[place(two.number)];
                records[place(one.number)].compare(two.issuer, two.serial(overflow), overflow)
            })
        };
        let removes =
            |slot: &Slot| records[place(slot.number)].reason_number() == Some(ReasonCode::RemoveFromCrl.number());
        let (mut start, mut kept) = (0, 0);
        for end in &mut ends {
            let bucket = start..place(*end);
            start = bucket.end;
            if bucket.len() > 1 {
                // Stable: among equals the first stays first.
                self.slots[bucket.clone()]
                    .sort_by(|one, two| key(one, two).then_with(|| removes(one).cmp(&removes(two))));
            }
            let first = kept;
            for place in bucket {
                if kept > first && key(&self.slots[kept - 1], &self.slots[place]).is_eq() {
                    self.duplicates += 1;
                } else {
                    self.slots[kept] = self.slots[place];
                    kept += 1;
                }
            }
            // Unwrap safety: no more than there were, which `finish` counted.
            *end = u32::try_from(kept).unwrap();
        }
        self.slots.truncate(kept);
        // With a 0 in front, ends are starts, moved by one.
        ends.insert(0, 0);
        self.starts = ends;
    }
}

/// Bits that choose among buckets, for so many records: at least one.
pub(super) fn bucket_bits(records: usize) -> u32 {
    let buckets = records.div_ceil(RECORDS_A_BUCKET).max(2);
    buckets.next_power_of_two().trailing_zeros()
}

pub(super) fn buckets(bucket_bits: u32) -> usize {
    1 << bucket_bits
}

/// A hash's bucket: its top bits.
#[inline]
pub(super) fn bucket(hash: u64, bucket_bits: u32) -> u32 {
    // Unwrap safety: records are counted in 32 bits, so buckets take at most 31.
    u32::try_from(hash >> (64 - bucket_bits)).unwrap()
}

/// A hash's tag: its low half, of which no bit chooses the bucket.
#[inline]
pub(super) fn tag(hash: u64) -> u32 {
    // Unwrap safety: the mask leaves 32 bits.
    u32::try_from(hash & 0xffff_ffff).unwrap()
}

/// A place in a table.
#[inline]
pub(super) fn place(number: u32) -> usize {
    // Unwrap safety: tables of that size exist only where pointers have 32 bits.
    usize::try_from(number).unwrap()
}
