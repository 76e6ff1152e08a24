//! Certificate revocation lists (RFC 5280 §5) of any size.
//!
//! Stands alone: octets, `Read` and `Write`; no clock, no socket.

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
pub use reader::*;
pub use reason::{ReasonCode, ReasonCodeError};
pub use time::{Time, TimeError, TimeForm};

/// Octets in hexadecimal, for errors and findings.
fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
