//! Signature algorithms by their identifiers (RFC 3279, 4055, 5758, 8410, 9881; NIST's register for SHA-3).

use std::fmt;

use crate::asn1::{DerError, Oid, Reader, writer};

/// A digest that a signature may be made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// MD5, broken since 2004.
    Md5,
    /// SHA-1, broken since 2017.
    Sha1,
    /// RIPEMD-160.
    Ripemd160,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA3-224.
    Sha3_224,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
    /// SHA3-512.
    Sha3_512,
    /// SHAKE256 of 64 octets, which goes with Ed448 (RFC 8419, RFC 8702 §3.1).
    Shake256,
}

impl Digest {
    /// Every digest, with its identifier's content octets.
    const IDENTIFIERS: [(Self, &'static [u8]); 12] = [
        (Self::Md5, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5]),
        (Self::Sha1, &[0x2b, 0x0e, 3, 2, 0x1a]),
        (Self::Ripemd160, &[0x2b, 0x24, 3, 2, 1]),
        (Self::Sha224, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4]),
        (Self::Sha256, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]),
        (Self::Sha384, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2]),
        (Self::Sha512, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3]),
        (Self::Sha3_224, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 7]),
        (Self::Sha3_256, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8]),
        (Self::Sha3_384, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 9]),
        (Self::Sha3_512, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 10]),
        (Self::Shake256, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 12]),
    ];

    /// The digest with this identifier's content octets.
    #[must_use]
    pub fn from_oid_octets(octets: &[u8]) -> Option<Self> {
        Self::IDENTIFIERS.into_iter().find(|(_, known)| *known == octets).map(|(digest, _)| digest)
    }

    /// The digest with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::IDENTIFIERS.into_iter().map(|(digest, _)| digest).find(|digest| digest.name() == name)
    }

    /// The digest's name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Ripemd160 => "ripemd160",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sha3_224 => "sha3-224",
            Self::Sha3_256 => "sha3-256",
            Self::Sha3_384 => "sha3-384",
            Self::Sha3_512 => "sha3-512",
            Self::Shake256 => "shake256",
        }
    }
}

/// A parameter set of ML-DSA (FIPS 204 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MlDsaLevel {
    /// ML-DSA-44, of security category 2.
    MlDsa44,
    /// ML-DSA-65, of security category 3.
    MlDsa65,
    /// ML-DSA-87, of security category 5.
    MlDsa87,
}

impl MlDsaLevel {
    /// The parameter set's name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlDsa44 => "ml-dsa-44",
            Self::MlDsa65 => "ml-dsa-65",
            Self::MlDsa87 => "ml-dsa-87",
        }
    }

    /// The public key's length in octets (FIPS 204 §4, table 2).
    #[must_use]
    pub const fn key_octets(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }
}

/// A signature's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    RsaPkcs1(Digest),
    /// RSASSA-PSS (RFC 8017 §8.1, RFC 4055 §3.1).
    RsaPss {
        /// Of the message.
        digest: Digest,
        /// Of the mask.
        mask_digest: Digest,
        /// The salt's length.
        salt_octets: u16,
    },
    /// DSA (FIPS 186-4).
    Dsa(Digest),
    /// ECDSA.
    Ecdsa(Digest),
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// Ed448 (RFC 8032).
    Ed448,
    /// ML-DSA over the message itself, with an empty context (FIPS 204 §5.2, RFC 9881 §3).
    MlDsa(MlDsaLevel),
}

/// Why an AlgorithmIdentifier is not one of a signature that can be verified here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// Not an AlgorithmIdentifier.
    #[error("the signature's AlgorithmIdentifier is malformed: {0}")]
    Malformed(#[from] DerError),
    /// An identifier that is not known.
    #[error("the signature algorithm {oid} is not known")]
    Unknown {
        /// Dotted, or in hexadecimal where it is no identifier.
        oid: String,
    },
    /// Parameters that the algorithm has not.
    #[error("the parameters of the signature algorithm {oid} are not supported")]
    Parameters {
        /// Dotted.
        oid: String,
    },
}

/// The identifiers whose parameters are NULL or absent.
const PLAIN: [(&[u8], SignatureAlgorithm); 34] = {
    use Digest as D;
    use SignatureAlgorithm as S;
    [
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], S::RsaPkcs1(D::Md5)),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], S::RsaPkcs1(D::Sha1)),
        // OIW's identifier of the same, which old Microsoft tools write.
        (&[0x2b, 0x0e, 3, 2, 0x1d], S::RsaPkcs1(D::Sha1)),
        (&[0x2b, 0x24, 3, 3, 1, 2], S::RsaPkcs1(D::Ripemd160)),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14], S::RsaPkcs1(D::Sha224)),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], S::RsaPkcs1(D::Sha256)),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12], S::RsaPkcs1(D::Sha384)),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13], S::RsaPkcs1(D::Sha512)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 13], S::RsaPkcs1(D::Sha3_224)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 14], S::RsaPkcs1(D::Sha3_256)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 15], S::RsaPkcs1(D::Sha3_384)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 16], S::RsaPkcs1(D::Sha3_512)),
        (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3], S::Dsa(D::Sha1)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 1], S::Dsa(D::Sha224)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2], S::Dsa(D::Sha256)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 3], S::Dsa(D::Sha384)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 4], S::Dsa(D::Sha512)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 5], S::Dsa(D::Sha3_224)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 6], S::Dsa(D::Sha3_256)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 7], S::Dsa(D::Sha3_384)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 8], S::Dsa(D::Sha3_512)),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], S::Ecdsa(D::Sha1)),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1], S::Ecdsa(D::Sha224)),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], S::Ecdsa(D::Sha256)),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], S::Ecdsa(D::Sha384)),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], S::Ecdsa(D::Sha512)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 10], S::Ecdsa(D::Sha3_256)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 11], S::Ecdsa(D::Sha3_384)),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 12], S::Ecdsa(D::Sha3_512)),
        (&[0x2b, 0x65, 0x70], S::Ed25519),
        (&[0x2b, 0x65, 0x71], S::Ed448),
        (ML_DSA_44, S::MlDsa(MlDsaLevel::MlDsa44)),
        (ML_DSA_65, S::MlDsa(MlDsaLevel::MlDsa65)),
        (ML_DSA_87, S::MlDsa(MlDsaLevel::MlDsa87)),
    ]
};

pub(super) const ML_DSA_44: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17];
pub(super) const ML_DSA_65: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18];
pub(super) const ML_DSA_87: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 19];
pub(super) const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];

/// An identifier for people.
pub(super) fn dotted(octets: &[u8]) -> String {
    Oid::from_octets(octets).map_or_else(|_| hex::encode(octets), |oid| oid.to_string())
}

impl SignatureAlgorithm {
    /// Reads an AlgorithmIdentifier's DER.
    ///
    /// # Errors
    /// Not one, not known, or parameters that the algorithm has not. NULL is taken for absent parameters and the other way
    /// round: both are written.
    pub fn from_identifier_der(identifier: &[u8]) -> Result<Self, AlgorithmError> {
        let mut fields = Reader::only(identifier, writer::SEQUENCE)?;
        let oid = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
        let parameters = if fields.is_finished() { None } else { Some(fields.read()?) };
        fields.finish()?;
        let refused = || AlgorithmError::Parameters { oid: dotted(oid) };
        if oid == RSASSA_PSS {
            let parameters = parameters.ok_or_else(refused)?;
            return pss(parameters.whole)?.ok_or_else(refused);
        }
        let (_, algorithm) = PLAIN
            .iter()
            .find(|(known, _)| *known == oid)
            .ok_or_else(|| AlgorithmError::Unknown { oid: dotted(oid) })?;
        match parameters {
            Some(parameters) if parameters.whole != [writer::NULL, 0] => Err(refused()),
            _ => Ok(*algorithm),
        }
    }

    /// The digest over what is signed; Ed25519, Ed448 and ML-DSA have one of their own.
    #[must_use]
    pub const fn digest(self) -> Option<Digest> {
        match self {
            Self::RsaPkcs1(digest) | Self::RsaPss { digest, .. } | Self::Dsa(digest) | Self::Ecdsa(digest) => {
                Some(digest)
            }
            Self::Ed25519 | Self::Ed448 | Self::MlDsa(_) => None,
        }
    }
}

/// RSASSA-PSS-params; `None` for a mask, digest or trailer that is not supported.
pub(super) fn pss(parameters: &[u8]) -> Result<Option<SignatureAlgorithm>, DerError> {
    let mut fields = Reader::only(parameters, writer::SEQUENCE)?;
    let mut digest = Some(Digest::Sha1);
    let mut mask_digest = Some(Digest::Sha1);
    let mut salt_octets = 20;
    if let Some(explicit) = fields.optional(writer::context(0))? {
        let mut hash = Reader::only(explicit.content, writer::SEQUENCE)?;
        digest = Digest::from_oid_octets(hash.expect(writer::OBJECT_IDENTIFIER)?.content);
    }
    if let Some(explicit) = fields.optional(writer::context(1))? {
        let mut mask = Reader::only(explicit.content, writer::SEQUENCE)?;
        let is_mgf1 = mask.expect(writer::OBJECT_IDENTIFIER)?.content == MGF1;
        let hash = mask.enter(writer::SEQUENCE)?.expect(writer::OBJECT_IDENTIFIER)?.content;
        mask_digest = Digest::from_oid_octets(hash).filter(|_| is_mgf1);
    }
    if let Some(explicit) = fields.optional(writer::context(2))? {
        salt_octets = match Reader::new(explicit.content).integer()? {
            [octet @ ..=0x7f] => u16::from(*octet),
            [high @ ..=0x7f, low] => u16::from_be_bytes([*high, *low]),
            _ => return Ok(None),
        };
    }
    if let Some(explicit) = fields.optional(writer::context(3))?
        && Reader::new(explicit.content).integer()? != [1]
    {
        return Ok(None);
    }
    fields.finish()?;
    let (Some(digest), Some(mask_digest)) = (digest, mask_digest) else { return Ok(None) };
    Ok(Some(SignatureAlgorithm::RsaPss { digest, mask_digest, salt_octets }))
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaPkcs1(digest) => write!(f, "rsa-pkcs1-{}", digest.name()),
            Self::RsaPss { digest, .. } => write!(f, "rsa-pss-{}", digest.name()),
            Self::Dsa(digest) => write!(f, "dsa-{}", digest.name()),
            Self::Ecdsa(digest) => write!(f, "ecdsa-{}", digest.name()),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::Ed448 => f.write_str("ed448"),
            Self::MlDsa(level) => f.write_str(level.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(oid: &[u8], parameters: &[u8]) -> Result<SignatureAlgorithm, AlgorithmError> {
        let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[oid]);
        SignatureAlgorithm::from_identifier_der(&writer::tlv(writer::SEQUENCE, &[&oid, parameters]))
    }

    #[test]
    fn identifiers_agree_with_the_names_of_const_oid() {
        for (octets, algorithm) in PLAIN {
            let oid = const_oid::ObjectIdentifier::from_bytes(octets).unwrap();
            let name = const_oid::db::DB.by_oid(&oid).unwrap_or_default().to_ascii_lowercase();
            let digest = algorithm.digest().map_or("", Digest::name);
            // OIW's, TeleTrusT's and some of NIST's are not in that list.
            assert!(name.is_empty() || name.contains(digest) || digest.starts_with("sha3"), "{name} {algorithm}");
        }
    }

    #[test]
    fn ml_dsa_has_an_identifier_a_level() {
        for (arc, name) in [(17, "ml-dsa-44"), (18, "ml-dsa-65"), (19, "ml-dsa-87")] {
            let read = plain(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, arc], &[]).unwrap();
            assert_eq!((read.to_string().as_str(), read.digest()), (name, None));
        }
        // HashML-DSA is another algorithm.
        assert!(plain(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 32], &[]).is_err());
    }

    #[test]
    fn parameters_are_null_or_absent() {
        let sha256_with_rsa = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
        assert_eq!(plain(sha256_with_rsa, &[5, 0]), Ok(SignatureAlgorithm::RsaPkcs1(Digest::Sha256)));
        assert_eq!(plain(sha256_with_rsa, &[]), Ok(SignatureAlgorithm::RsaPkcs1(Digest::Sha256)));
        let refused = AlgorithmError::Parameters { oid: "1.2.840.113549.1.1.11".to_owned() };
        assert_eq!(plain(sha256_with_rsa, &[4, 0]), Err(refused));
        assert_eq!(plain(&[0x2a, 3], &[]), Err(AlgorithmError::Unknown { oid: "1.2.3".to_owned() }));
    }

    #[test]
    fn pss_parameters_have_defaults() {
        let sha1 = SignatureAlgorithm::RsaPss { digest: Digest::Sha1, mask_digest: Digest::Sha1, salt_octets: 20 };
        assert_eq!(plain(RSASSA_PSS, &[0x30, 0]), Ok(sha1));
        assert_eq!(plain(RSASSA_PSS, &[0x30, 5, 0xa2, 3, 2, 1, 0x40]).map(|_| ()), Ok(()));
        let trailer = AlgorithmError::Parameters { oid: "1.2.840.113549.1.1.10".to_owned() };
        assert_eq!(plain(RSASSA_PSS, &[0x30, 5, 0xa3, 3, 2, 1, 2]), Err(trailer.clone()));
        assert_eq!(plain(RSASSA_PSS, &[]), Err(trailer));
    }
}
