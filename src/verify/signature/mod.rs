//! Signatures of strangers: every algorithm that a certificate, CRL or OCSP response of the last decades may bear.
//!
//! Owns how algorithm identifiers and keys are read, and which library verifies what: aws-lc-rs where it can, the system's
//! OpenSSL for DSA, brainpool, Ed448, short RSA keys and odd salts. Does not own whether an algorithm is still good: that is
//! an [`AlgorithmPolicy`], a part of the settings. `crypto` has the algorithms that Noonmark itself signs with.
//! Enter at [`SignatureAlgorithm::from_identifier_der`] and [`VerificationKey::from_spki_der`].

mod algorithm;
mod fast;
mod hash;
mod key;
mod legacy;
mod policy;
mod verified;

pub use algorithm::{AlgorithmError, Digest, MlDsaLevel, SignatureAlgorithm};
pub use key::{Curve, KeyAlgorithm, KeyError, SignatureError, VerificationKey};
pub use policy::{AlgorithmPolicy, AnyAlgorithm, CurrentAlgorithms};
pub(crate) use verified::VerifiedUnder;
