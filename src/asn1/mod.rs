//! The few structures that the RustCrypto crates lack or get wrong, and a DER writer for prebuilt parts.
//!
//! Owns: object identifiers as raw octets ([`Oid`]), a strict DER reader ([`Reader`]) and writer ([`writer`]),
//! and the timestamp protocol's messages ([`TimeStampRequest`], [`tst_info`], [`pki_status`]).
//! Does not own: what to answer (see `tsa`), algorithms (see `crypto`), certificates (the x509-cert crate).
//!
//! Why not x509-tsp: its PKIFailureInfo encodes bit numbers as masks, its TSTInfo refuses a fractional genTime.

mod oid;
pub mod pki_status;
mod reader;
mod time_stamp_request;
pub mod tst_info;
pub mod writer;

pub use oid::{Oid, OidError};
pub use pki_status::FailureBit;
pub use reader::{DerError, Reader, Tlv};
pub use time_stamp_request::{RequestError, TimeStampRequest};
