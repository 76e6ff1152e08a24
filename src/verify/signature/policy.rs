//! Whether a signature's algorithm is still good enough.

use super::{Curve, Digest, KeyAlgorithm, SignatureAlgorithm};

/// Decides on every signature that a judgement rests on. A policy with end dates is made for the time it is asked about.
pub trait AlgorithmPolicy: Sync {
    /// Whether a signature by this algorithm and key may be relied on.
    fn permits(&self, signature: SignatureAlgorithm, key: KeyAlgorithm) -> bool;
}

/// Permits everything that verifies: for who judges the algorithms afterwards, from the report.
#[derive(Clone, Copy, Debug)]
pub struct AnyAlgorithm;

impl AlgorithmPolicy for AnyAlgorithm {
    fn permits(&self, _signature: SignatureAlgorithm, _key: KeyAlgorithm) -> bool {
        true
    }
}

/// What is good today: no digest below SHA-224, RSA and DSA of 2048 bits, curves of 224.
#[derive(Clone, Copy, Debug)]
pub struct CurrentAlgorithms;

impl AlgorithmPolicy for CurrentAlgorithms {
    fn permits(&self, signature: SignatureAlgorithm, key: KeyAlgorithm) -> bool {
        let digest = !matches!(signature.digest(), Some(Digest::Md5 | Digest::Sha1 | Digest::Ripemd160));
        let key = match key {
            KeyAlgorithm::Rsa { bits } | KeyAlgorithm::RsaPss { bits } => bits >= 2048,
            KeyAlgorithm::Dsa { bits } => bits.is_some_and(|bits| bits >= 2048),
            KeyAlgorithm::Ec(curve) => curve != Curve::P192,
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Ed448 | KeyAlgorithm::MlDsa(_) => true,
        };
        digest && key
    }
}
