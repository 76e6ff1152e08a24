//! Algorithms: object identifiers, digests, public keys, signature verification.
//!
//! Owns the list of what Noonmark signs and verifies with, and how each is written in
//! X.509 and in CMS. Does not own keys (see `keys`) or any message structure (see `asn1`).
//! Enter by [`DigestAlgorithm`], [`SignatureAlgorithm`] and [`PublicKey`].

mod digest;
mod public_key;
mod signature;

pub use digest::{DigestAlgorithm, sha256};
pub use public_key::{PublicKey, PublicKeyError};
pub use signature::{KeyAlgorithm, SignatureAlgorithm, SignatureEncodingError};
