//! The few structures that the RustCrypto crates lack or get wrong, and a DER writer for prebuilt parts.
//!
//! Owns: object identifiers as raw octets ([`Oid`]), a strict DER reader ([`Reader`]) and writer ([`writer`]),
//! the timestamp protocol's messages ([`TimeStampRequest`], [`tst_info`], [`pki_status`]) and OCSP's request
//! ([`OcspRequest`]), and PEM around any of it ([`pem_blocks`]).
//! Does not own: what to answer (see `tsa`), algorithms (see `crypto`), certificates (the x509-cert crate).
//!
//! Why not x509-tsp: its PKIFailureInfo encodes bit numbers as masks, its TSTInfo refuses a fractional genTime.

mod cert_id;
mod ocsp_request;
mod oid;
mod pem;
pub mod pki_status;
mod reader;
mod time_stamp_request;
pub mod tst_info;
pub mod writer;

pub use cert_id::{CertId, CertIds};
pub use ocsp_request::{MAX_CERT_IDS, MAX_NONCE_OCTETS, OcspRequest, OcspRequestError};
pub use oid::{Oid, OidError};
pub use pem::{PemBlock, PemError, is_pem, pem_blocks};
pub use pki_status::FailureBit;
pub use reader::{DerError, Reader, Tlv};
pub use time_stamp_request::{RequestError, TimeStampRequest};
