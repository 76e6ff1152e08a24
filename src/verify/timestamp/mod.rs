//! Timestamp tokens (RFC 3161, RFC 5816): what they are over, who signed them, and whether that may be believed.
//!
//! Owns the token on top of [`cms`](super::cms), its imprint, and the rules for the certificate of a timestamping unit.
//! Does not own signatures and certificates, nor what follows from a time (best signature times, proofs of existence).
//! Enter at [`TimestampToken::from_der`] and [`judge_timestamp`].

mod judge;
mod token;

pub use judge::{
    ChainTime, Stamped, TimestampFault, TimestampFinding, TimestampJudgement, TimestampVerification, judge_timestamp,
    verify_timestamp,
};
pub use token::{TimestampError, TimestampToken, token_in_response};
