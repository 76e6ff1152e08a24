//! Certificate revocation lists (RFC 5280 §5) of any size.
//!
//! Stands alone: octets, `Read` and `Write`; no clock, no socket. Today it holds the values that writing and reading share.

#![forbid(unsafe_code)]

mod number;
mod reason;

pub use number::{CrlNumber, CrlNumberError};
pub use reason::{ReasonCode, ReasonCodeError};
