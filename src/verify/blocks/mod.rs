//! The building blocks of EN 319 102-1: what a signature, a timestamp or a certificate comes to, with an indication.
//!
//! Owns the blocks and their order. Does not own paths and revocation data (`path`, `revocation`), signatures of messages
//! (`cms`) and tokens (`timestamp`), nor what is demanded (`policy`). Pure: evidence, policy, anchors and time are the
//! [`Context`]. Enter at [`Validator::new`], then [`Validator::validate_message`], [`Validator::validate_timestamp`],
//! [`Validator::validate_certificate`].
//!
//! | file | block |
//! |---|---|
//! | `conclusion.rs`, `checked.rs` | indications (§5.1.3), constraints with their outcome |
//! | `context.rs`, `chain_memory.rs` | the validation context (§5.2.4), judgements of chains that are kept |
//! | `certificate.rs` | X.509 certificate validation and revocation freshness (§5.2.5, §5.2.6) |
//! | `acceptance.rs` | signature acceptance validation (§5.2.8) |
//! | `basic.rs` | format, signing certificate, cryptographic verification and the rest of basic validation (§5.2, §5.3) |
//! | `timestamp.rs` | timestamp validation (§5.4) |
//! | `with_time.rs` | validation with time (§5.5) |
//! | `past_certificate.rs`, `time_sliding.rs` | past certificate validation (§5.6.2.1), time sliding (§5.6.2.2) |
//! | `past_signature.rs`, `archival.rs` | past signature validation (§5.6.2.4), validation with archival data (§5.6.3) |
//! | `counter_signature.rs` | signatures over a signature |
//! | `signature.rs` | one signer's way through the blocks |
//!
//! Proofs of existence (§5.6.2.3) stand in `verify::existence`, since revocation data is held against them too.

mod acceptance;
mod archival;
mod basic;
mod certificate;
mod chain_memory;
mod checked;
mod conclusion;
mod context;
mod counter_signature;
mod past_certificate;
mod past_signature;
mod signature;
mod time_sliding;
mod timestamp;
mod with_time;

pub use certificate::CertificateValidation;
pub use chain_memory::ChainMemory;
pub use checked::{Checked, Checks, Outcome};
pub use conclusion::{Conclusion, Indication, SubIndication};
pub use context::{Anchors, Context, Role, Validator};
pub use counter_signature::CounterSignatureValidation;
pub use signature::{SignatureLevel, SignatureValidation};
pub use timestamp::{TimestampKind, TimestampValidation};

use super::existence::ProofsOfExistence;
