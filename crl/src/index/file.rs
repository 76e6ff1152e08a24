//! An index as a file: written in one pass, read back with every record checked.
//!
//! All numbers little end first. Magic `crlindex`; version, 4 octets; octets of the whole file, 8; records, issuers, octets
//! of the overflow, 4 each; duplicates dropped, 8; each issuer as its length, 4, and its Name; the overflow; the records of
//! 36 octets, by bucket and in its order. The table is not written: it follows from the records.

use std::io::{Read, Write};

use super::build::{MAX_ISSUERS_OCTETS, bucket, bucket_bits, buckets, place, tag};
use super::record::{RECORD_OCTETS, Record, hash};
use super::{Index, IndexError, Slot};
use crate::der::octets_u64;
use crate::scope::check_name;

const MAGIC: [u8; 8] = *b"crlindex";
const VERSION: u32 = 1;
const HEAD_OCTETS: usize = 40;
/// Octets that are asked for at once: a file that lies about its length costs no more memory than this.
const CHUNK_OCTETS: usize = RECORD_OCTETS * 4096;

impl Index {
    /// Writes the index.
    ///
    /// # Errors
    /// The output fails.
    pub fn write_to(&self, out: &mut dyn Write) -> Result<(), IndexError> {
        let issuers: Vec<u8> = self.issuers.iter().flat_map(|name| [&count(name.len())[..], name].concat()).collect();
        let octets = HEAD_OCTETS + issuers.len() + self.overflow.len() + self.slots.len() * RECORD_OCTETS;
        let head = [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &octets_u64(octets).to_le_bytes(),
            &count(self.slots.len()),
            &count(self.issuers.len()),
            &count(self.overflow.len()),
            &self.duplicates.to_le_bytes(),
        ]
        .concat();
        out.write_all(&head)?;
        out.write_all(&issuers)?;
        out.write_all(&self.overflow)?;
        let mut chunk = Vec::with_capacity(CHUNK_OCTETS);
        for record in self.ordered() {
            chunk.extend_from_slice(&record.to_octets());
            if chunk.len() == CHUNK_OCTETS {
                out.write_all(&chunk)?;
                chunk.clear();
            }
        }
        out.write_all(&chunk)?;
        Ok(())
    }

    /// Reads an index back. The file may be hostile: what is returned is an index that [`Index::write_to`] could have written.
    ///
    /// # Errors
    /// Not such a file, or more records than allowed.
    pub fn read_from(read: &mut dyn Read, max_records: u32) -> Result<Self, IndexError> {
        let mut head = [0; HEAD_OCTETS];
        exact(read, &mut head)?;
        let mut fields = head.as_slice();
        if take::<8>(&mut fields) != MAGIC {
            return Err(IndexError::NoIndex);
        }
        match u32::from_le_bytes(take(&mut fields)) {
            VERSION => {}
            version => return Err(IndexError::Version { version }),
        }
        let octets = u64::from_le_bytes(take(&mut fields));
        let [records, issuers, overflow] = [(); 3].map(|()| u32::from_le_bytes(take(&mut fields)));
        let duplicates = u64::from_le_bytes(take(&mut fields));
        if records > max_records {
            return Err(IndexError::TooManyRecords { limit: max_records });
        }
        let issuers = read_issuers(read, issuers)?;
        let issuers_octets: usize = issuers.iter().map(|name| name.len() + 4).sum();
        let counted = octets_u64(HEAD_OCTETS + issuers_octets)
            + u64::from(overflow)
            + u64::from(records) * octets_u64(RECORD_OCTETS);
        if counted != octets {
            return Err(IndexError::Length { written: octets, counted });
        }
        let overflow = read_octets(read, place(overflow))?;
        let mut index = Self {
            bucket_bits: bucket_bits(place(records)),
            starts: Vec::new(),
            slots: Vec::new(),
            records: Vec::new(),
            overflow,
            issuers,
            duplicates,
        };
        index.read_records(read, records)?;
        match read.read(&mut [0])? {
            0 => Ok(index),
            _ => Err(IndexError::Length { written: octets, counted: octets + 1 }),
        }
    }

    fn read_records(&mut self, read: &mut dyn Read, records: u32) -> Result<(), IndexError> {
        let mut chunk = vec![0; CHUNK_OCTETS];
        let mut last_bucket = 0;
        let mut number = 0;
        while number < records {
            let count = place(records - number).min(CHUNK_OCTETS / RECORD_OCTETS);
            let chunk = &mut chunk[..count * RECORD_OCTETS];
            exact(read, chunk)?;
            for octets in chunk.chunks_exact(RECORD_OCTETS) {
                let record = Record::from_octets(octets, self.issuers.len(), &self.overflow);
                let record = record.ok_or(IndexError::BadRecord { number })?;
                let serial = record.serial(&self.overflow);
                let hash = hash(record.issuer, serial);
                let (bucket, tag) = (bucket(hash, self.bucket_bits), tag(hash));
                let after = match (self.records.last(), self.slots.last()) {
                    (Some(last), Some(slot)) if bucket == last_bucket => {
                        let key = || last.compare(record.issuer, serial, &self.overflow);
                        slot.tag.cmp(&tag).then_with(key).is_lt()
                    }
                    _ => bucket >= last_bucket,
                };
                if !after {
                    return Err(IndexError::Unordered { number });
                }
                // Buckets from the last one's successor to this one start here.
                while self.starts.len() <= place(bucket) {
                    self.starts.push(number);
                }
                last_bucket = bucket;
                self.slots.push(Slot { tag, number });
                self.records.push(record);
                number += 1;
            }
        }
        self.starts.resize(buckets(self.bucket_bits) + 1, records);
        Ok(())
    }
}

/// A count as it is written.
fn count(number: usize) -> [u8; 4] {
    // Unwrap safety: an index is built with every count in 32 bits.
    u32::try_from(number).unwrap().to_le_bytes()
}

fn take<const N: usize>(fields: &mut &[u8]) -> [u8; N] {
    // Unwrap safety: the head has as many octets as are taken from it.
    let (field, rest) = fields.split_first_chunk::<N>().unwrap();
    *fields = rest;
    *field
}

fn exact(read: &mut dyn Read, octets: &mut [u8]) -> Result<(), IndexError> {
    read.read_exact(octets).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => IndexError::Truncated,
        _ => IndexError::Io(error),
    })
}

fn read_octets(read: &mut dyn Read, octets: usize) -> Result<Vec<u8>, IndexError> {
    let mut out = Vec::new();
    while out.len() < octets {
        let start = out.len();
        out.resize(start + (octets - start).min(CHUNK_OCTETS), 0);
        exact(read, &mut out[start..])?;
    }
    Ok(out)
}

fn read_issuers(read: &mut dyn Read, count: u32) -> Result<Vec<Vec<u8>>, IndexError> {
    // An issuer's number has 16 bits; the CRL's own is always there.
    if count == 0 || count > 1 << 16 {
        return Err(IndexError::BadIssuer { number: 0 });
    }
    let mut issuers = Vec::new();
    let mut sum = 0;
    for number in 0..count {
        let mut length = [0; 4];
        exact(read, &mut length)?;
        let length = place(u32::from_le_bytes(length));
        sum += length;
        if sum > MAX_ISSUERS_OCTETS {
            return Err(IndexError::BadIssuer { number });
        }
        let name = read_octets(read, length)?;
        check_name(&name).map_err(|_| IndexError::BadIssuer { number })?;
        issuers.push(name);
    }
    Ok(issuers)
}
