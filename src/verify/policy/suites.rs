//! Until when digests, keys and signatures are reliable (TS 119 312): end dates that a policy gives, none of them in code.

use std::collections::BTreeMap;

use crate::verify::signature::{AlgorithmPolicy, Curve, Digest, KeyAlgorithm, SignatureAlgorithm};

/// The digests that a policy may list: those that are computed here, and WHIRLPOOL, which TS 119 312 lists.
pub(super) const DIGESTS: [&str; 13] = [
    Digest::Md5.name(),
    Digest::Sha1.name(),
    Digest::Ripemd160.name(),
    "whirlpool",
    Digest::Sha224.name(),
    Digest::Sha256.name(),
    Digest::Sha384.name(),
    Digest::Sha512.name(),
    Digest::Sha3_224.name(),
    Digest::Sha3_256.name(),
    Digest::Sha3_384.name(),
    Digest::Sha3_512.name(),
    Digest::Shake256.name(),
];

/// Until when something is reliable; what ends earlier is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reliability {
    /// At no time: the policy doesn't list it, or lists it so.
    Never,
    /// Before this time, seconds since 1970: the first second at which it is no longer reliable.
    Until(i64),
    /// No end is known.
    Open,
}

impl Reliability {
    /// Whether it is reliable at this time.
    #[must_use]
    pub const fn holds_at(self, time_s: i64) -> bool {
        match self {
            Self::Never => false,
            Self::Until(end_s) => time_s < end_s,
            Self::Open => true,
        }
    }
}

/// The kinds of keys whose end depends on their size; RSA's also on the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SizedKey {
    RsaPkcs1,
    RsaPss,
    Dsa,
    Ecdsa,
}

/// A policy's digests and keys, each with its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CryptographicSuites {
    digests: BTreeMap<&'static str, Reliability>,
    /// By the least size in bits: it holds up to the next one listed.
    sized_keys: BTreeMap<(SizedKey, usize), Reliability>,
    named_keys: BTreeMap<&'static str, Reliability>,
}

impl CryptographicSuites {
    /// Until when a signature is reliable: the least of its digest, its mask's digest and its key.
    #[must_use]
    pub fn reliable_until(&self, signature: SignatureAlgorithm, key: KeyAlgorithm) -> Reliability {
        let digests = match signature {
            SignatureAlgorithm::RsaPss { digest, mask_digest, .. } => {
                self.digest_reliable_until(digest).min(self.digest_reliable_until(mask_digest))
            }
            // Those without one have a digest of their own, which their name stands for.
            _ => signature.digest().map_or(Reliability::Open, |digest| self.digest_reliable_until(digest)),
        };
        digests.min(self.key_reliable_until(signature, key))
    }

    /// Until when a digest is reliable.
    #[must_use]
    pub fn digest_reliable_until(&self, digest: Digest) -> Reliability {
        self.named_digest(digest.name())
    }

    /// Until when a key is reliable that signs so; never where the two don't go together. DSA counts by its prime, whose
    /// subgroup is of the size that goes with it (FIPS 186-4 §4.2).
    #[must_use]
    pub fn key_reliable_until(&self, signature: SignatureAlgorithm, key: KeyAlgorithm) -> Reliability {
        use KeyAlgorithm as K;
        match (signature, key) {
            (SignatureAlgorithm::RsaPkcs1(_), K::Rsa { bits }) => self.sized_key(SizedKey::RsaPkcs1, bits),
            (SignatureAlgorithm::RsaPss { .. }, K::Rsa { bits } | K::RsaPss { bits }) => {
                self.sized_key(SizedKey::RsaPss, bits)
            }
            (SignatureAlgorithm::Dsa(_), K::Dsa { bits: Some(bits) }) => self.sized_key(SizedKey::Dsa, bits),
            (SignatureAlgorithm::Ecdsa(_), K::Ec(curve)) => self.sized_key(SizedKey::Ecdsa, curve_bits(curve)),
            // These are listed by the name that the key is shown by.
            (SignatureAlgorithm::Ed25519, K::Ed25519) | (SignatureAlgorithm::Ed448, K::Ed448) => self.named_key(key),
            (SignatureAlgorithm::MlDsa(level), K::MlDsa(of_key)) if level == of_key => self.named_key(key),
            (
                SignatureAlgorithm::RsaPkcs1(_)
                | SignatureAlgorithm::RsaPss { .. }
                | SignatureAlgorithm::Dsa(_)
                | SignatureAlgorithm::Ecdsa(_)
                | SignatureAlgorithm::Ed25519
                | SignatureAlgorithm::Ed448
                | SignatureAlgorithm::MlDsa(_),
                _,
            ) => Reliability::Never,
        }
    }

    /// The suites as they stand at a time.
    #[must_use]
    pub const fn at(&self, time_s: i64) -> SuitesAt<'_> {
        SuitesAt { suites: self, time_s }
    }

    pub(super) fn named_digest(&self, name: &str) -> Reliability {
        self.digests.get(name).copied().unwrap_or(Reliability::Never)
    }

    pub(super) fn set_digest(&mut self, name: &'static str, reliability: Reliability) {
        self.digests.insert(name, reliability);
    }

    pub(super) fn set_sized_key(&mut self, key: SizedKey, least_bits: usize, reliability: Reliability) {
        self.sized_keys.insert((key, least_bits), reliability);
    }

    pub(super) fn set_named_key(&mut self, name: &'static str, reliability: Reliability) {
        self.named_keys.insert(name, reliability);
    }

    fn sized_key(&self, key: SizedKey, bits: usize) -> Reliability {
        let listed = self.sized_keys.range((key, 0)..=(key, bits)).next_back();
        listed.map_or(Reliability::Never, |(_, reliability)| *reliability)
    }

    fn named_key(&self, key: KeyAlgorithm) -> Reliability {
        self.named_keys.get(key.to_string().as_str()).copied().unwrap_or(Reliability::Never)
    }
}

/// Suites at a time: what of them may be relied on then.
#[derive(Clone, Copy, Debug)]
pub struct SuitesAt<'s> {
    suites: &'s CryptographicSuites,
    time_s: i64,
}

impl AlgorithmPolicy for SuitesAt<'_> {
    fn permits(&self, signature: SignatureAlgorithm, key: KeyAlgorithm) -> bool {
        self.suites.reliable_until(signature, key).holds_at(self.time_s)
    }
}

/// The size of the curve's order, by which TS 119 312 lists them.
const fn curve_bits(curve: Curve) -> usize {
    match curve {
        Curve::P192 => 192,
        Curve::P224 => 224,
        Curve::P256 | Curve::Secp256k1 | Curve::BrainpoolP256r1 => 256,
        Curve::BrainpoolP320r1 => 320,
        Curve::P384 | Curve::BrainpoolP384r1 => 384,
        Curve::BrainpoolP512r1 => 512,
        Curve::P521 => 521,
    }
}
