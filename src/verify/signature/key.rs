//! Public keys of strangers, and the verification of signatures under them.

use std::fmt;
use std::sync::OnceLock;

use super::algorithm::{ML_DSA_44, ML_DSA_65, ML_DSA_87, RSASSA_PSS, dotted, pss};
use super::{Digest, MlDsaLevel, SignatureAlgorithm, fast, legacy};
use crate::asn1::{DerError, Reader, writer};
use crate::crypto::sha256;

/// The longest RSA modulus that is verified under: the cost of one verification grows with its square.
const MAX_RSA_BITS: usize = 16 * 1024;
/// The longest RSA exponent: real ones are 65537 and 3, and the cost grows with its length.
const MAX_RSA_EXPONENT_OCTETS: usize = 8;
/// The longest DSA prime: FIPS 186-4 ends at 3072.
const MAX_DSA_BITS: usize = 4096;
/// The longest DSA subgroup: FIPS 186-4 ends at 256.
const MAX_DSA_SUBGROUP_BITS: usize = 512;

/// A named curve (RFC 5480 §2.1.1.1, RFC 5639).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// secp192r1.
    P192,
    /// secp224r1.
    P224,
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
    /// secp256k1.
    Secp256k1,
    /// brainpoolP256r1.
    BrainpoolP256r1,
    /// brainpoolP320r1.
    BrainpoolP320r1,
    /// brainpoolP384r1.
    BrainpoolP384r1,
    /// brainpoolP512r1.
    BrainpoolP512r1,
}

const CURVES: [(&[u8], Curve); 10] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], Curve::P192),
    (&[0x2b, 0x81, 4, 0, 33], Curve::P224),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], Curve::P256),
    (&[0x2b, 0x81, 4, 0, 34], Curve::P384),
    (&[0x2b, 0x81, 4, 0, 35], Curve::P521),
    (&[0x2b, 0x81, 4, 0, 10], Curve::Secp256k1),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7], Curve::BrainpoolP256r1),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 9], Curve::BrainpoolP320r1),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 11], Curve::BrainpoolP384r1),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 13], Curve::BrainpoolP512r1),
];

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const ED448: &[u8] = &[0x2b, 0x65, 0x71];

/// A key's kind and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// rsaEncryption.
    Rsa {
        /// The modulus' size.
        bits: usize,
    },
    /// id-RSASSA-PSS (RFC 4055 §1.2): signs by PSS alone.
    RsaPss {
        /// The modulus' size.
        bits: usize,
    },
    /// DSA.
    Dsa {
        /// The prime's size; `None` where the parameters are the issuer's (RFC 3279 §2.3.2).
        bits: Option<usize>,
    },
    /// A point of a named curve.
    Ec(Curve),
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// ML-DSA (RFC 9881 §4).
    MlDsa(MlDsaLevel),
}

/// Why a key can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a SubjectPublicKeyInfo.
    #[error("the SubjectPublicKeyInfo is malformed: {0}")]
    Malformed(#[from] DerError),
    /// A kind of key, or a curve, that is not known here; a curve by its parameters (RFC 5480 §2.1.1 forbids it).
    #[error("the key algorithm or curve {oid} is not supported")]
    Unsupported {
        /// Dotted.
        oid: String,
    },
    /// Longer than any real key: verifying under it costs too much.
    #[error("a key with a number of {bits} bits, more than {limit}")]
    TooLarge {
        /// The size found.
        bits: usize,
        /// The limit.
        limit: usize,
    },
}

/// Why a signature is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The algorithm does not go with the key.
    #[error("{signature} does not go with a key of the kind {key}")]
    Mismatch {
        /// The signature's algorithm.
        signature: SignatureAlgorithm,
        /// The key's.
        key: KeyAlgorithm,
    },
    /// The key is a DSA key without parameters, and nobody above it has any.
    #[error("the DSA key has no parameters, and none to inherit (RFC 5280 §6.1.4 (e))")]
    NoParameters,
    /// The algorithm signs the message itself, of which only a digest was given.
    #[error("{signature} signs the message itself, of which only a digest was given")]
    MessageNeeded {
        /// The signature's algorithm.
        signature: SignatureAlgorithm,
    },
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Bad,
}

/// A public key, parsed once for many signatures.
pub struct VerificationKey {
    spki_der: Box<[u8]>,
    spki_sha256: OnceLock<[u8; 32]>,
    /// Where the subjectPublicKey's bits start: they end where the SubjectPublicKeyInfo does.
    bits_at: usize,
    algorithm: KeyAlgorithm,
    /// What an id-RSASSA-PSS key demands of a signature (RFC 4055 §3.3).
    demanded: Option<SignatureAlgorithm>,
    pub(super) fast: OnceLock<Option<fast::Parsed>>,
    pub(super) legacy: OnceLock<Option<legacy::Parsed>>,
}

impl VerificationKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). The key itself is parsed when it is first used.
    ///
    /// # Errors
    /// Malformed, not known, or too large.
    pub fn from_spki_der(spki_der: &[u8]) -> Result<Self, KeyError> {
        let mut fields = Reader::only(spki_der, writer::SEQUENCE)?;
        let mut identifier = fields.enter(writer::SEQUENCE)?;
        let oid = identifier.expect(writer::OBJECT_IDENTIFIER)?.content;
        let parameters = if identifier.is_finished() { None } else { Some(identifier.read()?) };
        identifier.finish()?;
        let [0, bits @ ..] = fields.expect(writer::BIT_STRING)?.content else {
            return Err(DerError::Value { what: "subjectPublicKey" }.into());
        };
        fields.finish()?;
        let unsupported = |oid: &[u8]| KeyError::Unsupported { oid: dotted(oid) };
        let mut demanded = None;
        let algorithm = match oid {
            RSA_ENCRYPTION => KeyAlgorithm::Rsa { bits: rsa_bits(bits)? },
            RSASSA_PSS => {
                if let Some(parameters) = parameters {
                    demanded = Some(pss(parameters.whole)?.ok_or_else(|| unsupported(oid))?);
                }
                KeyAlgorithm::RsaPss { bits: rsa_bits(bits)? }
            }
            DSA => KeyAlgorithm::Dsa { bits: dsa_bits(parameters.map(|parameters| parameters.whole))? },
            EC_PUBLIC_KEY => {
                let curve = parameters.ok_or(DerError::Value { what: "ECParameters" })?;
                if curve.tag != writer::OBJECT_IDENTIFIER {
                    return Err(unsupported(oid));
                }
                let known = CURVES.iter().find(|(octets, _)| *octets == curve.content);
                KeyAlgorithm::Ec(known.ok_or_else(|| unsupported(curve.content))?.1)
            }
            ED25519 => KeyAlgorithm::Ed25519,
            ED448 => KeyAlgorithm::Ed448,
            ML_DSA_44 => ml_dsa(MlDsaLevel::MlDsa44, bits)?,
            ML_DSA_65 => ml_dsa(MlDsaLevel::MlDsa65, bits)?,
            ML_DSA_87 => ml_dsa(MlDsaLevel::MlDsa87, bits)?,
            _ => return Err(unsupported(oid)),
        };
        Ok(Self {
            spki_der: spki_der.into(),
            spki_sha256: OnceLock::new(),
            bits_at: spki_der.len() - bits.len(),
            algorithm,
            demanded,
            fast: OnceLock::new(),
            legacy: OnceLock::new(),
        })
    }

    /// The key's kind and size.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The SubjectPublicKeyInfo's DER, as it came.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The SHA-256 of the SubjectPublicKeyInfo: the same key, wherever it stands, has the same.
    #[must_use]
    pub fn spki_sha256(&self) -> &[u8; 32] {
        self.spki_sha256.get_or_init(|| sha256(&self.spki_der))
    }

    /// The subjectPublicKey's bits: what a CertID and a responder's key hash are made of.
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        self.spki_der.get(self.bits_at..).unwrap_or_default()
    }

    /// Whether the key is a DSA key without parameters.
    #[must_use]
    pub fn lacks_parameters(&self) -> bool {
        self.algorithm == (KeyAlgorithm::Dsa { bits: None })
    }

    /// This key with the parameters of the key above it (RFC 5280 §6.1.4 (e)); `None` where neither has any.
    #[must_use]
    pub fn inheriting(&self, above: &Self) -> Option<Self> {
        let parameters = Self::dsa_parameters(&above.spki_der).filter(|_| self.lacks_parameters())?;
        let identifier = writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::OBJECT_IDENTIFIER, &[DSA]), parameters]);
        let bits = writer::tlv(writer::BIT_STRING, &[&[0], self.bits()]);
        Self::from_spki_der(&writer::tlv(writer::SEQUENCE, &[&identifier, &bits])).ok()
    }

    fn dsa_parameters(spki_der: &[u8]) -> Option<&[u8]> {
        let mut identifier = Reader::only(spki_der, writer::SEQUENCE).ok()?.enter(writer::SEQUENCE).ok()?;
        let oid = identifier.expect(writer::OBJECT_IDENTIFIER).ok()?.content;
        identifier.read().ok().filter(|parameters| oid == DSA && parameters.tag == writer::SEQUENCE).map(|p| p.whole)
    }

    /// Verifies a signature, in the form that X.509 and CMS carry, over `message`.
    ///
    /// # Errors
    /// An algorithm that does not go with the key, a DSA key without parameters, a signature that does not verify.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.takes(algorithm)?;
        let good = match fast::verify(self, algorithm, message, signature) {
            Some(good) => good,
            None => legacy::verify(self, algorithm, message, signature),
        };
        if good { Ok(()) } else { Err(SignatureError::Bad) }
    }

    /// Verifies a signature over a message by the message's digest, the algorithm's.
    ///
    /// # Errors
    /// As [`Self::verify`], or an algorithm that signs no digest.
    pub fn verify_digest(
        &self,
        algorithm: SignatureAlgorithm,
        value: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.takes(algorithm)?;
        let digest = algorithm.digest().ok_or(SignatureError::MessageNeeded { signature: algorithm })?;
        let good = value.len() == digest.output_octets() && legacy::verify_digest(self, algorithm, value, signature);
        if good { Ok(()) } else { Err(SignatureError::Bad) }
    }

    /// Whether a signature by this algorithm can be verified under this key.
    fn takes(&self, algorithm: SignatureAlgorithm) -> Result<(), SignatureError> {
        if self.lacks_parameters() {
            return Err(SignatureError::NoParameters);
        }
        if !self.goes_with(algorithm) {
            return Err(SignatureError::Mismatch { signature: algorithm, key: self.algorithm });
        }
        Ok(())
    }

    fn goes_with(&self, algorithm: SignatureAlgorithm) -> bool {
        match (self.algorithm, algorithm) {
            (KeyAlgorithm::Rsa { .. }, SignatureAlgorithm::RsaPkcs1(_) | SignatureAlgorithm::RsaPss { .. })
            | (KeyAlgorithm::Dsa { .. }, SignatureAlgorithm::Dsa(_))
            | (KeyAlgorithm::Ec(_), SignatureAlgorithm::Ecdsa(_))
            | (KeyAlgorithm::Ed25519, SignatureAlgorithm::Ed25519)
            | (KeyAlgorithm::Ed448, SignatureAlgorithm::Ed448) => true,
            (KeyAlgorithm::MlDsa(key), SignatureAlgorithm::MlDsa(signature)) => key == signature,
            (KeyAlgorithm::RsaPss { .. }, SignatureAlgorithm::RsaPss { digest, mask_digest, salt_octets }) => {
                self.demanded.is_none_or(|demanded| fits(demanded, digest, mask_digest, salt_octets))
            }
            _ => false,
        }
    }
}

/// RFC 4055 §3.3: the same digests, and at least the salt that the key demands.
fn fits(demanded: SignatureAlgorithm, digest: Digest, mask_digest: Digest, salt_octets: u16) -> bool {
    matches!(demanded, SignatureAlgorithm::RsaPss { digest: d, mask_digest: m, salt_octets: s }
        if d == digest && m == mask_digest && salt_octets >= s)
}

fn bits_of(integer: &[u8]) -> usize {
    let start = integer.iter().position(|octet| *octet != 0).unwrap_or(integer.len());
    let significant = &integer[start..];
    let zeros = significant.first().map_or(0, |first| first.leading_zeros());
    (significant.len() * 8).saturating_sub(usize::try_from(zeros).unwrap_or(0))
}

fn limited(bits: usize, limit: usize) -> Result<usize, KeyError> {
    if bits > limit { Err(KeyError::TooLarge { bits, limit }) } else { Ok(bits) }
}

fn rsa_bits(key: &[u8]) -> Result<usize, KeyError> {
    let mut fields = Reader::only(key, writer::SEQUENCE)?;
    let modulus = bits_of(fields.integer()?);
    let exponent = bits_of(fields.integer()?);
    fields.finish()?;
    limited(exponent, MAX_RSA_EXPONENT_OCTETS * 8)?;
    limited(modulus, MAX_RSA_BITS)
}

/// RFC 9881 §4: the subjectPublicKey's bits are the key of FIPS 204, without any structure around.
fn ml_dsa(level: MlDsaLevel, key: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    if key.len() == level.key_octets() {
        return Ok(KeyAlgorithm::MlDsa(level));
    }
    Err(DerError::Value { what: "length of an ML-DSA key" }.into())
}

fn dsa_bits(parameters: Option<&[u8]>) -> Result<Option<usize>, KeyError> {
    // RFC 3279 §2.3.2 omits inherited parameters; a NULL says the same.
    let Some(parameters) = parameters.filter(|parameters| *parameters != [writer::NULL, 0]) else { return Ok(None) };
    let mut fields = Reader::only(parameters, writer::SEQUENCE)?;
    let prime = bits_of(fields.integer()?);
    limited(bits_of(fields.integer()?), MAX_DSA_SUBGROUP_BITS)?;
    fields.integer()?;
    fields.finish()?;
    limited(prime, MAX_DSA_BITS).map(Some)
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "rsa{bits}"),
            Self::RsaPss { bits } => write!(f, "rsa-pss{bits}"),
            Self::Dsa { bits: Some(bits) } => write!(f, "dsa{bits}"),
            Self::Dsa { bits: None } => f.write_str("dsa without parameters"),
            Self::Ec(curve) => f.write_str(match curve {
                Curve::P192 => "p192",
                Curve::P224 => "p224",
                Curve::P256 => "p256",
                Curve::P384 => "p384",
                Curve::P521 => "p521",
                Curve::Secp256k1 => "secp256k1",
                Curve::BrainpoolP256r1 => "brainpoolP256r1",
                Curve::BrainpoolP320r1 => "brainpoolP320r1",
                Curve::BrainpoolP384r1 => "brainpoolP384r1",
                Curve::BrainpoolP512r1 => "brainpoolP512r1",
            }),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::Ed448 => f.write_str("ed448"),
            Self::MlDsa(level) => f.write_str(level.name()),
        }
    }
}

#[cfg(test)]
mod tests;
