//! Reads a CRL of any size: header, entries one by one, extensions, signature (RFC 5280 §5.1).
//!
//! Owns the structure and its limits; what a CRL's words mean for a certificate is [`scope`](crate::scope)'s. The memory is
//! one buffer, whatever the number of entries, and entries are lent out of it. A reader says what is *written*: whether the
//! CRL may be used is [`Crl::obstacles`], the signature and the times, and the latter two are the caller's.
//!
//! What comes after the entries (scope, numbers, signature) is known only at the end: act on no entry before
//! [`Reader::finish`] has returned.

mod entry;
mod error;
mod extensions;
mod input;

pub use entry::{Entry, MAX_ENTRY_EXTENSIONS, MAX_ENTRY_OCTETS, MAX_SERIAL_OCTETS};
pub use error::{Field, ReadError};
pub use extensions::{CrlExtensions, MAX_CRL_EXTENSIONS, MAX_CRL_EXTENSIONS_OCTETS};
pub use input::{Input, Slice, Stream};

use std::fmt;
use std::io::Read;

use crate::der::{
    DerError, Header as DerHeader, MAX_HEADER_OCTETS, check_algorithm, dotted, octets_u64, only, tag, unsigned_integer,
};
use crate::scope::check_name;
use crate::time::Time;

/// Octets of an AlgorithmIdentifier: RSASSA-PSS with all its parameters takes 67.
pub const MAX_ALGORITHM_OCTETS: u64 = 1024;
/// Octets of an issuer's Name: real ones take hundreds.
pub const MAX_ISSUER_OCTETS: u64 = 16 * 1024;
/// Octets of a signature: the largest of SLH-DSA has 49,856.
pub const MAX_SIGNATURE_OCTETS: u64 = 64 * 1024;
/// Octets of a version or time, header included: the longest refused time with an exact error.
const MAX_SMALL_OCTETS: u64 = 64;

/// A CRL's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// version is absent: neither extensions nor entry extensions. RFC 5280 §5.1.2.1: conforming CAs issue none.
    V1,
    /// v2(1).
    V2,
}

/// What a CRL says before its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The version.
    pub version: Version,
    /// signature: the whole AlgorithmIdentifier's DER, which signatureAlgorithm repeats.
    pub signature_algorithm: Vec<u8>,
    /// issuer: the whole Name's DER.
    pub issuer: Vec<u8>,
    /// thisUpdate.
    pub this_update: Time,
    /// nextUpdate.
    pub next_update: Option<Time>,
    /// Whether revokedCertificates is there but empty, which only a reader that tolerates it reads on from.
    pub revoked_certificates_empty: bool,
}

/// What a CRL says besides its entries, once it has been read to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Crl {
    /// What stands before the entries.
    pub header: Header,
    /// crlExtensions.
    pub extensions: CrlExtensions,
    /// signatureValue: the BIT STRING's octets.
    pub signature: Vec<u8>,
    /// How many entries it has.
    pub entries: u64,
    /// The first critical entry extension that this crate does not know, dotted.
    pub unknown_critical_entry_extension: Option<String>,
    /// Whether an entry has a certificateIssuer.
    pub has_certificate_issuer: bool,
}

/// Why a verifier must not use a CRL to say that a certificate is good, though it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// RFC 5280 §5.2: an unknown critical extension.
    UnknownCriticalExtension {
        /// Its identifier, dotted.
        oid: String,
    },
    /// RFC 5280 §5.3: an unknown critical entry extension.
    UnknownCriticalEntryExtension {
        /// Its identifier, dotted.
        oid: String,
    },
    /// RFC 5280 §5.3.3: certificateIssuer stands in an indirect CRL; here it does not, and whose the entries are is unsure.
    CertificateIssuerInDirectCrl,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCriticalExtension { oid } => write!(f, "it has the unknown critical extension {oid}"),
            Self::UnknownCriticalEntryExtension { oid } => {
                write!(f, "an entry has the unknown critical extension {oid}")
            }
            Self::CertificateIssuerInDirectCrl => {
                f.write_str("an entry names a certificate issuer, and the CRL is not indirect")
            }
        }
    }
}

impl Crl {
    /// Why it must not be used to say good; empty where nothing stands against it.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let unknown = self.extensions.unknown_critical.iter();
        let mut obstacles: Vec<_> =
            unknown.map(|oid| Obstacle::UnknownCriticalExtension { oid: oid.clone() }).collect();
        if let Some(oid) = &self.unknown_critical_entry_extension {
            obstacles.push(Obstacle::UnknownCriticalEntryExtension { oid: oid.clone() });
        }
        if self.has_certificate_issuer && !self.is_indirect() {
            obstacles.push(Obstacle::CertificateIssuerInDirectCrl);
        }
        obstacles
    }

    /// Whether it is a delta CRL (RFC 5280 §5.2.4).
    #[must_use]
    pub fn is_delta(&self) -> bool {
        self.extensions.base_crl_number.is_some()
    }

    /// Whether it is an indirect CRL (RFC 5280 §5.2.5).
    #[must_use]
    pub fn is_indirect(&self) -> bool {
        self.extensions.issuing_distribution_point.as_ref().is_some_and(|point| point.indirect_crl)
    }
}

/// Reads a CRL. `S` is handed every octet of TBSCertList, in order and once, to be digested.
pub struct Reader<I, S> {
    input: I,
    sink: S,
    header: Header,
    /// Octets consumed.
    position: u64,
    /// Where CertificateList, TBSCertList and revokedCertificates end.
    end: u64,
    tbs_end: u64,
    entries_end: u64,
    entries: u64,
    max_entries: u64,
    /// The issuer that carries over; empty for the CRL's own.
    certificate_issuer: Vec<u8>,
    unknown_critical_entry_extension: Option<String>,
    has_certificate_issuer: bool,
    /// Where an empty revokedCertificates stands that is not tolerated.
    empty_at: Option<u64>,
    /// Whether serial numbers may be negative.
    tolerates_negative: bool,
    /// Whether an entry failed: then the CRL as a whole has.
    failed: bool,
}

impl<R: Read, S: FnMut(&[u8])> Reader<Stream<R>, S> {
    /// Starts to read a stream: header and all up to the first entry.
    ///
    /// # Errors
    /// What stands before the entries can't be read.
    pub fn from_read(read: R, max_entries: u64, sink: S) -> Result<Self, ReadError> {
        Self::new(Stream::new(read), max_entries, sink)
    }
}

impl<'a, S: FnMut(&[u8])> Reader<Slice<'a>, S> {
    /// Starts to read octets that lie in memory, such as a mapped file: nothing is copied.
    ///
    /// # Errors
    /// What stands before the entries can't be read.
    pub fn from_slice(octets: &'a [u8], max_entries: u64, sink: S) -> Result<Self, ReadError> {
        Self::new(Slice::new(octets), max_entries, sink)
    }
}

impl<I: Input, S: FnMut(&[u8])> Reader<I, S> {
    fn new(input: I, max_entries: u64, sink: S) -> Result<Self, ReadError> {
        let nothing = Time { seconds: 0, form: crate::TimeForm::UtcTime };
        let header = Header {
            version: Version::V1,
            signature_algorithm: Vec::new(),
            issuer: Vec::new(),
            this_update: nothing,
            next_update: None,
            revoked_certificates_empty: false,
        };
        let mut reader = Self {
            input,
            sink,
            header,
            position: 0,
            end: u64::MAX,
            tbs_end: 0,
            entries_end: 0,
            entries: 0,
            max_entries,
            certificate_issuer: Vec::new(),
            unknown_critical_entry_extension: None,
            has_certificate_issuer: false,
            empty_at: None,
            tolerates_negative: false,
            failed: false,
        };
        reader.read_header()?;
        Ok(reader)
    }

    fn read_header(&mut self) -> Result<(), ReadError> {
        self.end = self.enter(Field::CertificateList, tag::SEQUENCE, u64::MAX)?;
        self.input.open_sink();
        self.tbs_end = self.enter(Field::TbsCertList, tag::SEQUENCE, self.end)?;
        let end = self.tbs_end;
        if self.peek(end)? == Some(tag::INTEGER) {
            let at = self.position;
            let version = self.whole(Field::Version, end, MAX_SMALL_OCTETS)?;
            let number = only(version, tag::INTEGER).and_then(unsigned_integer).map_err(|error| ReadError::Der {
                at,
                field: Field::Version,
                error,
            })?;
            match number {
                [1] => self.header.version = Version::V2,
                // "If present, MUST be v2": a written 0, for v1, is refused as well.
                other => return Err(ReadError::BadVersion { at, number: other.last().copied().unwrap_or(0) }),
            }
        }
        self.header.signature_algorithm = self.algorithm(Field::Signature, end)?;
        let at = self.position;
        let issuer = self.whole(Field::Issuer, end, MAX_ISSUER_OCTETS)?;
        check_name(issuer).map_err(|error| ReadError::Der { at, field: Field::Issuer, error })?;
        self.header.issuer = issuer.to_vec();
        self.header.this_update = self.time(Field::ThisUpdate, end)?;
        if matches!(self.peek(end)?, Some(tag::UTC_TIME | tag::GENERALIZED_TIME)) {
            self.header.next_update = Some(self.time(Field::NextUpdate, end)?);
        }
        self.entries_end = self.position;
        if self.peek(end)? == Some(tag::SEQUENCE) {
            let at = self.position;
            self.entries_end = self.enter(Field::RevokedCertificates, tag::SEQUENCE, end)?;
            if self.entries_end == self.position {
                self.header.revoked_certificates_empty = true;
                self.empty_at = Some(at);
            }
        }
        Ok(())
    }

    /// What stands before the entries.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Takes an empty revokedCertificates for an absent one. RFC 5280 §5.1.2.6 wants it absent, but CRLs of large CAs have it,
    /// and it is not ambiguous: a verifier that must judge what others signed will want this, a CA's own check will not.
    #[must_use]
    pub fn tolerating_empty_list(mut self) -> Self {
        self.empty_at = None;
        self
    }

    /// Takes negative serial numbers. RFC 5280 §4.1.2.2 forbids a CA to give them and asks verifiers to handle them gracefully:
    /// whoever judges what others signed will want this.
    #[must_use]
    pub fn tolerating_negative_serials(mut self) -> Self {
        self.tolerates_negative = true;
        self
    }

    /// The next entry, or `None` after the last.
    ///
    /// # Errors
    /// The entry can't be read, or is one more than allowed. After an error, every call fails, and so does `finish`: a CRL
    /// with an entry left out would say good of what it revokes.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>, ReadError> {
        if self.failed {
            return Err(ReadError::AfterError);
        }
        if self.position == self.entries_end {
            return match self.empty_at {
                None => Ok(None),
                Some(at) => Err(ReadError::EmptyRevokedCertificates { at }),
            };
        }
        self.failed = true;
        if self.entries == self.max_entries {
            return Err(ReadError::TooManyEntries { limit: self.max_entries });
        }
        self.entries += 1;
        let at = self.position;
        let header = self.peek_header(Field::Entry, self.entries_end)?;
        header.expect(tag::SEQUENCE).map_err(|error| ReadError::Der { at, field: Field::Entry, error })?;
        let octets = self.consume_whole(Field::Entry, header, MAX_ENTRY_OCTETS)?;
        let mut entry = Entry::read(&self.input.consumed(octets)[header.header_octets..], at, self.tolerates_negative)?;
        if !entry.extensions_are_empty() {
            if self.header.version == Version::V1 {
                return Err(ReadError::ExtensionsInV1 { at });
            }
            if let (Some(oid), None) = (entry.unknown_critical, &self.unknown_critical_entry_extension) {
                self.unknown_critical_entry_extension = Some(dotted(oid));
            }
            if let Some(issuer) = entry.certificate_issuer {
                self.has_certificate_issuer = true;
                self.certificate_issuer.clear();
                // The CRL's own issuer, where entries come back to it, is `None` again.
                if issuer != self.header.issuer {
                    self.certificate_issuer.extend_from_slice(issuer);
                }
            }
        }
        self.failed = false;
        entry.certificate_issuer = Some(&*self.certificate_issuer).filter(|issuer| !issuer.is_empty());
        Ok(Some(entry))
    }

    /// Reads on to the end, entries that were not asked for included, and says what the CRL says besides them.
    ///
    /// # Errors
    /// What is left can't be read, or octets follow the CRL.
    pub fn finish(mut self) -> Result<Crl, ReadError> {
        while self.next_entry()?.is_some() {}
        let mut extensions = CrlExtensions::default();
        let end = self.tbs_end;
        if self.position != end {
            let at = self.position;
            let field = Field::CrlExtensions;
            let whole = self.whole(field, end, MAX_CRL_EXTENSIONS_OCTETS)?;
            let explicit =
                only(whole, tag::CONTEXT_0_CONSTRUCTED).map_err(|error| ReadError::Der { at, field, error })?;
            extensions = CrlExtensions::read(explicit, at)?;
            if self.header.version == Version::V1 {
                return Err(ReadError::ExtensionsInV1 { at });
            }
            self.end_of(Field::TbsCertList, end)?;
        }
        self.input.close_sink(&mut self.sink);
        let end = self.end;
        let at = self.position;
        if self.algorithm(Field::SignatureAlgorithm, end)? != self.header.signature_algorithm {
            return Err(ReadError::AlgorithmsDiffer { at });
        }
        let signature = self.signature(end)?;
        self.end_of(Field::CertificateList, end)?;
        self.input.fill(1, &mut self.sink).map_err(ReadError::Io)?;
        if let octets @ 1.. = self.input.available().len() {
            let (at, error) = (self.position, DerError::TrailingOctets { octets });
            return Err(ReadError::Der { at, field: Field::CertificateList, error });
        }
        Ok(Crl {
            header: self.header,
            extensions,
            signature,
            entries: self.entries,
            unknown_critical_entry_extension: self.unknown_critical_entry_extension,
            has_certificate_issuer: self.has_certificate_issuer,
        })
    }

    /// The identifier octet of the next value before `end`.
    fn peek(&mut self, end: u64) -> Result<Option<u8>, ReadError> {
        if self.position == end {
            return Ok(None);
        }
        self.input.fill(1, &mut self.sink).map_err(ReadError::Io)?;
        Ok(self.input.available().first().copied())
    }

    /// The next value's header; the value ends at `end` or before.
    #[inline]
    fn peek_header(&mut self, field: Field, end: u64) -> Result<DerHeader, ReadError> {
        self.input.fill(MAX_HEADER_OCTETS, &mut self.sink).map_err(ReadError::Io)?;
        let at = self.position;
        let header = DerHeader::read(self.input.available());
        // Octets of a header are at most seven and of a content at most 2^40, and `end` is a sum of such.
        let header = header.and_then(|header| match end - at >= header.whole_octets() {
            true => Ok(header),
            false => Err(DerError::Truncated),
        });
        header.map_err(|error| ReadError::Der { at, field, error })
    }

    /// Consumes a header and says where its value ends.
    fn enter(&mut self, field: Field, tag: u8, end: u64) -> Result<u64, ReadError> {
        let at = self.position;
        let header = self.peek_header(field, end)?;
        header.expect(tag).map_err(|error| ReadError::Der { at, field, error })?;
        self.input.consume(header.header_octets);
        self.position += octets_u64(header.header_octets);
        Ok(at + header.whole_octets())
    }

    /// Consumes a whole value, whose header was peeked at, and says how many octets it had.
    #[inline]
    fn consume_whole(&mut self, field: Field, header: DerHeader, limit: u64) -> Result<usize, ReadError> {
        let at = self.position;
        let whole = header.whole_octets();
        if whole > limit {
            return Err(ReadError::TooLarge { at, field, octets: whole, limit });
        }
        // Unwrap safety: every limit is far below 2^32.
        let octets = usize::try_from(whole).unwrap();
        self.input.fill(octets, &mut self.sink).map_err(ReadError::Io)?;
        if self.input.available().len() < octets {
            return Err(ReadError::Der { at, field, error: DerError::Truncated });
        }
        self.input.consume(octets);
        self.position += whole;
        Ok(octets)
    }

    /// The next value, whole.
    fn whole(&mut self, field: Field, end: u64, limit: u64) -> Result<&[u8], ReadError> {
        let header = self.peek_header(field, end)?;
        let octets = self.consume_whole(field, header, limit)?;
        Ok(self.input.consumed(octets))
    }

    fn algorithm(&mut self, field: Field, end: u64) -> Result<Vec<u8>, ReadError> {
        let at = self.position;
        let whole = self.whole(field, end, MAX_ALGORITHM_OCTETS)?;
        check_algorithm(whole).map_err(|error| ReadError::Der { at, field, error })?;
        Ok(whole.to_vec())
    }

    fn time(&mut self, field: Field, end: u64) -> Result<Time, ReadError> {
        let at = self.position;
        let header = self.peek_header(field, end)?;
        let octets = self.consume_whole(field, header, MAX_SMALL_OCTETS)?;
        let content = &self.input.consumed(octets)[header.header_octets..];
        Time::read(header.tag, content).map_err(|error| ReadError::Time { at, field, error })
    }

    fn signature(&mut self, end: u64) -> Result<Vec<u8>, ReadError> {
        let (at, field) = (self.position, Field::SignatureValue);
        let content =
            only(self.whole(field, end, MAX_SIGNATURE_OCTETS)?, tag::BIT_STRING).and_then(|content| match content {
                // A signature is of whole octets.
                [0, signature @ ..] => Ok(signature.to_vec()),
                _ => Err(DerError::BadBitString),
            });
        content.map_err(|error| ReadError::Der { at, field, error })
    }

    /// Fails where a value has octets left before its end.
    fn end_of(&self, field: Field, end: u64) -> Result<(), ReadError> {
        match usize::try_from(end - self.position) {
            Ok(0) => Ok(()),
            octets => {
                let error = DerError::TrailingOctets { octets: octets.unwrap_or(usize::MAX) };
                Err(ReadError::Der { at: self.position, field, error })
            }
        }
    }
}

#[cfg(test)]
mod tests;
