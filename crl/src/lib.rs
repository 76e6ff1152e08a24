//! Certificate revocation lists (RFC 5280 §5) of any size: built, read, indexed, scoped, linted.
//!
//! Stands alone: octets, `Read` and `Write`; no clock, no socket. Owns the encoding and the rules of the standards; owns
//! neither keys nor trust: whoever builds brings a signature, and whoever reads verifies it over the octets of the sink.
//!
//! - Build: [`walk`] or [`EntrySpool`] for the entries, then [`TbsCertList`].
//! - Read: [`Reader`], entry by entry; [`Index`] for many questions.
//! - Judge: [`Crl::obstacles`], [`scope::covered_reasons`], [`check_delta`] and [`Overlay`], [`lint::lint`].
//!
//! ```
//! use crl::{CrlFields, CrlNumber, EntryFields, Index, ReasonCode, Reader, TbsCertList, walk};
//!
//! # fn sign(tbs: &[u8]) -> Vec<u8> { vec![0xa5; 64] }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let fields = CrlFields {
//!     // CN=a
//!     issuer: vec![0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, b'a'],
//!     // ecdsa-with-SHA256
//!     signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
//!     this_update_s: 1_700_000_000,
//!     next_update_s: 1_700_604_800,
//!     authority_key_identifier: vec![7; 20],
//!     crl_number: CrlNumber::from(1),
//!     base_crl_number: None,
//!     issuing_distribution_point: None,
//!     freshest_crl: Vec::new(),
//!     expired_certs_on_crl_s: None,
//! };
//! let entries = [EntryFields { reason: Some(ReasonCode::KeyCompromise), ..EntryFields::new(&[5], 1_690_000_000) }];
//!
//! // Phase one: what is signed. A digest would take the chunks as they come.
//! let mut tbs = TbsCertList::new(&fields, walk(&entries[..])?)?;
//! let mut to_be_signed = Vec::new();
//! tbs.for_each_tbs_chunk(|octets| to_be_signed.extend_from_slice(octets))?;
//! // Phase two: the signed CRL.
//! let mut octets = Vec::new();
//! tbs.write_certificate_list(&sign(&to_be_signed), &mut octets)?;
//!
//! // Read it back: the sink sees what was signed, octet for octet.
//! let mut signed = Vec::new();
//! let reader = Reader::from_read(&octets[..], 1_000_000, |octets| signed.extend_from_slice(octets))?;
//! let (index, crl) = Index::from_crl(reader)?;
//! assert_eq!(signed, to_be_signed);
//! assert!(crl.obstacles().is_empty());
//! let entry = index.find(&[5]).expect("revoked");
//! assert_eq!(entry.reason()?, Some(ReasonCode::KeyCompromise));
//! assert_eq!(index.find(&[6]), None);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod builder;
mod delta;
mod der;
mod extension;
mod index;
pub mod lint;
mod number;
mod reader;
mod reason;
pub mod scope;
#[cfg(test)]
mod test_support;
mod time;

pub use builder::{
    BuildError, CrlFields, EncodedEntries, EntryFields, EntrySource, EntrySpool, SpooledEntries, TbsCertList,
    WalkedEntries, walk,
};
pub use delta::{DeltaMismatch, Overlay, check_delta};
pub use der::DerError;
pub use extension::{Extension, Extensions};
pub use index::{Index, IndexBuilder, IndexError, IndexedEntry, IssuerNumber};
pub use number::{CrlNumber, CrlNumberError};
pub use reader::{
    Crl, CrlExtensions, Entry, Field, Header, Input, MAX_ALGORITHM_OCTETS, MAX_CRL_EXTENSIONS,
    MAX_CRL_EXTENSIONS_OCTETS, MAX_ENTRY_EXTENSIONS, MAX_ENTRY_OCTETS, MAX_ISSUER_OCTETS, MAX_SERIAL_OCTETS,
    MAX_SIGNATURE_OCTETS, Obstacle, ReadError, Reader, Slice, Stream, Version,
};
pub use reason::{ReasonCode, ReasonCodeError};
pub use time::{Time, TimeError, TimeForm};

/// Octets in hexadecimal, for errors and findings.
fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
