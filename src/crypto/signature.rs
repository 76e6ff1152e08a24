//! Key and signature algorithms, and how their values are written in X.509 and CMS.

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, Null, UintRef};
use der::{Decode, Encode, Sequence};
use spki::AlgorithmIdentifierRef;

use super::DigestAlgorithm;

/// A kind of key, with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// NIST P-256.
    EcP256,
    /// NIST P-384.
    EcP384,
    /// NIST P-521: verified, never generated.
    EcP521,
    /// RSA with a modulus of this many bits.
    Rsa {
        /// The modulus' size in bits.
        bits: u32,
    },
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl KeyAlgorithm {
    /// Whether Noonmark makes and signs with keys of this kind: P-256, P-384, RSA of 2048 to 4096 bits, Ed25519.
    #[must_use]
    pub fn is_supported_for_signing(self) -> bool {
        match self {
            Self::EcP256 | Self::EcP384 | Self::Ed25519 => true,
            Self::EcP521 => false,
            Self::Rsa { bits } => matches!(bits, 2048..=4096),
        }
    }

    /// The signature algorithm that a key of this kind signs with unless it is told otherwise.
    #[must_use]
    pub const fn default_signature(self) -> SignatureAlgorithm {
        match self {
            Self::EcP256 => SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256),
            Self::EcP384 => SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha384),
            Self::EcP521 => SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha512),
            Self::Rsa { .. } => SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256),
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcP256 => f.write_str("p256"),
            Self::EcP384 => f.write_str("p384"),
            Self::EcP521 => f.write_str("p521"),
            Self::Rsa { bits } => write!(f, "rsa{bits}"),
            Self::Ed25519 => f.write_str("ed25519"),
        }
    }
}

/// A key algorithm's name that can't be generated here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key algorithm {name:?}; choose p256, p384, rsa2048, rsa3072, rsa4096 or ed25519")]
pub struct UnknownKeyAlgorithm {
    /// The name as given.
    pub name: String,
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownKeyAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "p256" => Self::EcP256,
            "p384" => Self::EcP384,
            "ed25519" => Self::Ed25519,
            "rsa2048" => Self::Rsa { bits: 2048 },
            "rsa3072" => Self::Rsa { bits: 3072 },
            "rsa4096" => Self::Rsa { bits: 4096 },
            _ => return Err(UnknownKeyAlgorithm { name: name.to_owned() }),
        })
    }
}

/// A signature algorithm: the key's kind, the digest and, for RSA, the padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA over this digest (RFC 5758 §3.2).
    Ecdsa(DigestAlgorithm),
    /// RSASSA-PKCS1-v1_5 over this digest (RFC 8017 §8.2).
    RsaPkcs1(DigestAlgorithm),
    /// RSASSA-PSS, MGF1 and salt of the same digest and its length (RFC 8017 §8.1, RFC 4055 §3).
    RsaPss(DigestAlgorithm),
    /// Ed25519 over the message itself (RFC 8032, RFC 8410).
    Ed25519,
}

const OID_RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OID_RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const OID_MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A signature or algorithm that can't be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureEncodingError {
    /// A raw ECDSA signature is two integers of the curve's size; this one is not.
    #[error("a raw ECDSA signature of {length} octets is not r and s of equal length")]
    RawEcdsaLength {
        /// The length received, in octets.
        length: usize,
    },
    /// The pairing of digest and algorithm has no identifier here.
    #[error("no object identifier for this pairing of signature algorithm and digest")]
    UnsupportedPairing,
    /// The DER library refused.
    #[error("encoding: {0}")]
    Der(der::Error),
}

impl From<der::Error> for SignatureEncodingError {
    fn from(error: der::Error) -> Self {
        Self::Der(error)
    }
}

#[derive(Sequence)]
struct RsaSsaPssParams<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    hash: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    mask_gen: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    salt_length: u8,
}

#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl SignatureAlgorithm {
    /// The digest, or SHA-512 for Ed25519, which CMS wants beside it (RFC 8419 §3.1).
    #[must_use]
    pub const fn digest(self) -> DigestAlgorithm {
        match self {
            Self::Ecdsa(digest) | Self::RsaPkcs1(digest) | Self::RsaPss(digest) => digest,
            Self::Ed25519 => DigestAlgorithm::Sha512,
        }
    }

    /// Whether a key of this kind can sign so.
    #[must_use]
    pub const fn fits(self, key: KeyAlgorithm) -> bool {
        matches!(
            (self, key),
            (Self::Ecdsa(_), KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521)
                | (Self::RsaPkcs1(_) | Self::RsaPss(_), KeyAlgorithm::Rsa { .. })
                | (Self::Ed25519, KeyAlgorithm::Ed25519)
        )
    }

    /// The AlgorithmIdentifier's DER as it stands in a certificate, CRL or OCSP response.
    ///
    /// # Errors
    /// A pairing without an identifier, SHA-3 with RSA for instance.
    pub fn x509_identifier_der(self) -> Result<Vec<u8>, SignatureEncodingError> {
        use DigestAlgorithm as D;
        let null = AnyRef::from(Null);
        let (oid, parameters) = match self {
            Self::Ecdsa(digest) => (
                match digest {
                    D::Sha256 => "1.2.840.10045.4.3.2",
                    D::Sha384 => "1.2.840.10045.4.3.3",
                    D::Sha512 => "1.2.840.10045.4.3.4",
                    _ => return Err(SignatureEncodingError::UnsupportedPairing),
                },
                None,
            ),
            Self::RsaPkcs1(digest) => (
                match digest {
                    D::Sha256 => "1.2.840.113549.1.1.11",
                    D::Sha384 => "1.2.840.113549.1.1.12",
                    D::Sha512 => "1.2.840.113549.1.1.13",
                    _ => return Err(SignatureEncodingError::UnsupportedPairing),
                },
                Some(null),
            ),
            Self::RsaPss(digest) => return Self::pss_identifier_der(digest),
            Self::Ed25519 => return Ok(AlgorithmIdentifierRef { oid: OID_ED25519, parameters: None }.to_der()?),
        };
        Ok(AlgorithmIdentifierRef { oid: ObjectIdentifier::new_unwrap(oid), parameters }.to_der()?)
    }

    /// The AlgorithmIdentifier's DER as it stands in a CMS SignerInfo: rsaEncryption for PKCS#1 v1.5
    /// (RFC 3370 §3.2, MUST be supported by every reader), else as in X.509.
    ///
    /// # Errors
    /// As [`Self::x509_identifier_der`].
    pub fn cms_identifier_der(self) -> Result<Vec<u8>, SignatureEncodingError> {
        match self {
            Self::RsaPkcs1(_) => {
                Ok(AlgorithmIdentifierRef { oid: OID_RSA_ENCRYPTION, parameters: Some(AnyRef::from(Null)) }.to_der()?)
            }
            _ => self.x509_identifier_der(),
        }
    }

    fn pss_identifier_der(digest: DigestAlgorithm) -> Result<Vec<u8>, SignatureEncodingError> {
        let hash = AlgorithmIdentifierRef { oid: digest.oid(), parameters: Some(AnyRef::from(Null)) };
        let hash_der = hash.to_der()?;
        let parameters = RsaSsaPssParams {
            hash,
            mask_gen: AlgorithmIdentifierRef { oid: OID_MGF1, parameters: Some(AnyRef::from_der(&hash_der)?) },
            salt_length: u8::try_from(digest.output_len()).map_err(|_| SignatureEncodingError::UnsupportedPairing)?,
        }
        .to_der()?;
        Ok(AlgorithmIdentifierRef { oid: OID_RSASSA_PSS, parameters: Some(AnyRef::from_der(&parameters)?) }.to_der()?)
    }

    /// Reads an AlgorithmIdentifier's DER from a certificate, CRL, OCSP response or SignerInfo.
    ///
    /// `beside` is the digest named beside it (CMS digestAlgorithm), used where the identifier names none
    /// (rsaEncryption). None for an algorithm that Noonmark does not know.
    #[must_use]
    pub fn from_identifier_der(identifier: &[u8], beside: Option<DigestAlgorithm>) -> Option<Self> {
        use DigestAlgorithm as D;
        let identifier = AlgorithmIdentifierRef::from_der(identifier).ok()?;
        Some(match identifier.oid.to_string().as_str() {
            "1.2.840.10045.4.3.2" => Self::Ecdsa(D::Sha256),
            "1.2.840.10045.4.3.3" => Self::Ecdsa(D::Sha384),
            "1.2.840.10045.4.3.4" => Self::Ecdsa(D::Sha512),
            "1.2.840.113549.1.1.11" => Self::RsaPkcs1(D::Sha256),
            "1.2.840.113549.1.1.12" => Self::RsaPkcs1(D::Sha384),
            "1.2.840.113549.1.1.13" => Self::RsaPkcs1(D::Sha512),
            "1.2.840.113549.1.1.1" => Self::RsaPkcs1(beside?),
            "1.2.840.113549.1.1.10" => {
                let parameters: RsaSsaPssParams<'_> = identifier.parameters?.decode_as().ok()?;
                let digest = D::from_oid(parameters.hash.oid)?;
                let same =
                    parameters.mask_gen.oid == OID_MGF1 && usize::from(parameters.salt_length) == digest.output_len();
                if !same {
                    return None;
                }
                Self::RsaPss(digest)
            }
            "1.3.101.112" => Self::Ed25519,
            _ => return None,
        })
    }

    /// Turns a token's raw signature into the value that X.509 and CMS carry.
    ///
    /// PKCS#11 answers ECDSA as r ‖ s; the standards want ECDSA-Sig-Value (RFC 3279 §2.2.3).
    ///
    /// # Errors
    /// A raw ECDSA signature that is empty or of odd length.
    pub fn value_from_raw(self, raw: Vec<u8>) -> Result<Vec<u8>, SignatureEncodingError> {
        let Self::Ecdsa(_) = self else { return Ok(raw) };
        if raw.is_empty() || !raw.len().is_multiple_of(2) {
            return Err(SignatureEncodingError::RawEcdsaLength { length: raw.len() });
        }
        let (r, s) = raw.split_at(raw.len() / 2);
        Ok(EcdsaSigValue { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()?)
    }

    /// The algorithm's name in messages: `ecdsa-sha256`, `rsa-pss-sha256`, `ed25519`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Ecdsa(digest) => format!("ecdsa-{digest}"),
            Self::RsaPkcs1(digest) => format!("rsa-pkcs1-{digest}"),
            Self::RsaPss(digest) => format!("rsa-pss-{digest}"),
            Self::Ed25519 => "ed25519".to_owned(),
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_round_trip() {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        for algorithm in [
            SignatureAlgorithm::Ecdsa(Sha256),
            SignatureAlgorithm::Ecdsa(Sha384),
            SignatureAlgorithm::RsaPkcs1(Sha256),
            SignatureAlgorithm::RsaPkcs1(Sha512),
            SignatureAlgorithm::RsaPss(Sha256),
            SignatureAlgorithm::RsaPss(Sha384),
            SignatureAlgorithm::Ed25519,
        ] {
            let x509 = algorithm.x509_identifier_der().unwrap();
            assert_eq!(SignatureAlgorithm::from_identifier_der(&x509, None), Some(algorithm));
            let cms = algorithm.cms_identifier_der().unwrap();
            assert_eq!(SignatureAlgorithm::from_identifier_der(&cms, Some(algorithm.digest())), Some(algorithm));
        }
    }

    #[test]
    fn pss_identifier_is_what_rfc_4055_writes() {
        // From `openssl req -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sha256`.
        let expected = hex::decode(
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500\
             a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120",
        )
        .unwrap();
        assert_eq!(SignatureAlgorithm::RsaPss(DigestAlgorithm::Sha256).x509_identifier_der().unwrap(), expected);
    }

    #[test]
    fn raw_ecdsa_becomes_minimal_integers() {
        let mut raw = vec![0; 64];
        raw[31] = 0x80;
        raw[63] = 0x01;
        let value = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256).value_from_raw(raw).unwrap();
        assert_eq!(value, [0x30, 0x07, 0x02, 0x02, 0x00, 0x80, 0x02, 0x01, 0x01]);
        assert_eq!(
            SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256).value_from_raw(vec![1; 63]),
            Err(SignatureEncodingError::RawEcdsaLength { length: 63 })
        );
    }
}
