//! From serial to entry: a CRL's entries, compact and quick to ask.
//!
//! Owns neither the CRL's scope nor its freshness: that a serial is not in it says *good* only together with those. A record
//! takes 36 octets and its place in the table about 10 more. A hash of issuer and serial chooses a bucket, and each bucket is
//! sorted: an answer takes two or three misses of the cache, and hostile serials make no bucket slow. Enter at [`Index::from_crl`] and [`Index::find`].

mod build;
mod file;
mod record;

use std::fmt;
use std::io;

pub use build::IndexBuilder;

use crate::reader::ReadError;
use crate::{ReasonCode, ReasonCodeError};
use record::{Record, hash};

/// An issuer in an index's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerNumber(u16);

impl IssuerNumber {
    /// The CRL's own issuer.
    pub const OWN: Self = Self(0);
}

/// A CRL's entries by issuer and serial.
pub struct Index {
    bucket_bits: u32,
    /// Where each bucket starts in `slots`, and where the last ends.
    starts: Vec<u32>,
    /// Sorted in each bucket, by tag and then by the records' order.
    slots: Vec<Slot>,
    records: Vec<Record>,
    /// Serials of more than 20 octets, one after the other.
    overflow: Vec<u8>,
    /// Names, DER; the CRL's own is the first.
    issuers: Vec<Vec<u8>>,
    duplicates: u64,
}

/// Which record stands in a place of a bucket, and part of its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    tag: u32,
    number: u32,
}

/// What an index says of a revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedEntry {
    /// revocationDate, seconds since 1970.
    pub revocation_date_s: i64,
    /// reasonCode's number as it was written.
    pub reason_number: Option<u8>,
    /// invalidityDate, seconds since 1970.
    pub invalidity_date_s: Option<i64>,
    /// Who issued the certificate.
    pub issuer: IssuerNumber,
}

impl IndexedEntry {
    /// The reason, if one is written.
    ///
    /// # Errors
    /// A number that is no reason: the certificate is revoked all the same.
    pub fn reason(&self) -> Result<Option<ReasonCode>, ReasonCodeError> {
        self.reason_number.map(ReasonCode::try_from).transpose()
    }

    fn new(record: &Record) -> Self {
        Self {
            revocation_date_s: record.revocation_date_s(),
            reason_number: record.reason_number(),
            invalidity_date_s: record.invalidity_date_s(),
            issuer: IssuerNumber(record.issuer),
        }
    }
}

/// Slots of a bucket above which it is searched by halves.
const SCANNED_SLOTS: usize = 8;

impl Index {
    /// The entry of a certificate of the CRL's own issuer. `serial` is an INTEGER's content octets.
    #[inline]
    #[must_use]
    pub fn find(&self, serial: &[u8]) -> Option<IndexedEntry> {
        self.find_of(IssuerNumber::OWN, serial)
    }

    /// The entry of a certificate of an issuer of the table: of an indirect CRL (RFC 5280 §5.3.3).
    #[inline]
    #[must_use]
    pub fn find_of(&self, issuer: IssuerNumber, serial: &[u8]) -> Option<IndexedEntry> {
        let hash = hash(issuer.0, serial);
        let bucket = build::place(build::bucket(hash, self.bucket_bits));
        let (start, end) = (build::place(self.starts[bucket]), build::place(self.starts[bucket + 1]));
        let slots = &self.slots[start..end];
        let tag = build::tag(hash);
        let record = |slot: &Slot| &self.records[build::place(slot.number)];
        let compare =
            |slot: &Slot| slot.tag.cmp(&tag).then_with(|| record(slot).compare(issuer.0, serial, &self.overflow));
        let found = if slots.len() <= SCANNED_SLOTS {
            slots.iter().find(|slot| compare(slot).is_eq())
        } else {
            slots.binary_search_by(compare).ok().map(|found| &slots[found])
        };
        found.map(record).map(IndexedEntry::new)
    }

    /// An issuer's number, by its Name's DER. `None`: no entry is of that issuer.
    #[must_use]
    pub fn issuer(&self, name: &[u8]) -> Option<IssuerNumber> {
        let number = self.issuers.iter().position(|issuer| issuer == name)?;
        u16::try_from(number).ok().map(IssuerNumber)
    }

    /// An issuer's Name, DER, by its number in this index.
    #[must_use]
    pub fn issuer_name(&self, number: IssuerNumber) -> Option<&[u8]> {
        self.issuers.get(usize::from(number.0)).map(Vec::as_slice)
    }

    /// The names of issuers, DER, by their numbers; the CRL's own is the first.
    pub fn issuers(&self) -> impl Iterator<Item = &[u8]> {
        self.issuers.iter().map(Vec::as_slice)
    }

    /// Every serial and entry, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], IndexedEntry)> {
        self.ordered().map(|record| (record.serial(&self.overflow), IndexedEntry::new(record)))
    }

    /// The records by bucket, and in its order.
    fn ordered(&self) -> impl Iterator<Item = &Record> {
        self.slots.iter().map(|slot| &self.records[build::place(slot.number)])
    }

    /// How many certificates it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many entries were left out because another of the same issuer and serial stands in it.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

/// Why there is no index.
#[derive(Debug)]
#[non_exhaustive]
pub enum IndexError {
    /// The file failed.
    Io(io::Error),
    /// The CRL can't be read.
    Crl(ReadError),
    /// More entries, or octets of long serials, than 32 bits count; a serial of more than 40 octets.
    TooLarge,
    /// More issuers than 16 bits count, or names of more than 64 MiB.
    TooManyIssuers,
    /// Not an index's file.
    NoIndex,
    /// A version that this one does not read.
    Version {
        /// The version found.
        version: u32,
    },
    /// More records than the caller allows.
    TooManyRecords {
        /// The caller's limit.
        limit: u32,
    },
    /// The file ends too early.
    Truncated,
    /// The file's length is not the one that its counts make.
    Length {
        /// The length written.
        written: u64,
        /// The length that the counts make, or at least so many.
        counted: u64,
    },
    /// An issuer that is no Name, or too many of them.
    BadIssuer {
        /// Which.
        number: u32,
    },
    /// A record that no index writes.
    BadRecord {
        /// Which.
        number: u32,
    },
    /// A record that stands in the wrong place.
    Unordered {
        /// Which.
        number: u32,
    },
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ReadError> for IndexError {
    fn from(error: ReadError) -> Self {
        Self::Crl(error)
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the index can't be read or written: {error}"),
            Self::Crl(error) => error.fmt(f),
            Self::TooLarge => f.write_str("more entries, or a longer serial, than an index holds"),
            Self::TooManyIssuers => f.write_str("more issuers than an index holds"),
            Self::NoIndex => f.write_str("not an index of a CRL: build it anew from the CRL"),
            Self::Version { version } => {
                write!(f, "an index of version {version}, which this program does not read: build it anew from the CRL")
            }
            Self::TooManyRecords { limit } => write!(f, "an index of more than {limit} records"),
            Self::Truncated => f.write_str("the index ends too early: build it anew from the CRL"),
            Self::Length { written, counted } => {
                write!(f, "the index says it has {written} octets, but its parts make {counted}")
            }
            Self::BadIssuer { number } => write!(f, "issuer {number} of the index is no name"),
            Self::BadRecord { number } => write!(f, "record {number} of the index is none"),
            Self::Unordered { number } => write!(f, "record {number} of the index stands in the wrong place"),
        }
    }
}

impl std::error::Error for IndexError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Crl(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
