//! Certificate revocation lists (RFC 5280 §5) of any size.
//!
//! Stands alone: octets, `Read` and `Write`; no clock, no socket.

#![forbid(unsafe_code)]

mod der;
mod extension;
mod number;
mod reader;
mod reason;
pub mod scope;
mod time;

pub use der::DerError;
pub use extension::{Extension, Extensions};
pub use number::{CrlNumber, CrlNumberError};
pub use reader::*;
pub use reason::{ReasonCode, ReasonCodeError};
pub use time::{Time, TimeError, TimeForm};
