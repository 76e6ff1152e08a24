//! Public keys, and the verification of signatures under them.

use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use der::asn1::UintRef;
use der::{Decode, Sequence};
use spki::SubjectPublicKeyInfoRef;

use super::{DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};

/// A public key with the SubjectPublicKeyInfo it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    spki_der: Vec<u8>,
    key_bits: Vec<u8>,
    algorithm: KeyAlgorithm,
}

/// Why a public key or a signature under it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The SubjectPublicKeyInfo is not DER.
    #[error("the SubjectPublicKeyInfo is malformed: {0}")]
    Malformed(der::Error),
    /// The key's algorithm or curve is not supported.
    #[error("the key algorithm {oid} (or its curve or size) is not supported")]
    UnsupportedKey {
        /// The algorithm's object identifier.
        oid: ObjectIdentifier,
    },
    /// The signature algorithm does not go with the key.
    #[error("{signature} does not go with a {key} key")]
    AlgorithmMismatch {
        /// The signature's algorithm.
        signature: SignatureAlgorithm,
        /// The key's.
        key: KeyAlgorithm,
    },
    /// The signature does not verify.
    #[error("the signature does not verify under this key")]
    BadSignature,
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// Malformed DER, or an algorithm, curve or size that is not supported.
    pub fn from_spki_der(spki_der: &[u8]) -> Result<Self, PublicKeyError> {
        let spki = SubjectPublicKeyInfoRef::from_der(spki_der).map_err(PublicKeyError::Malformed)?;
        let unsupported = PublicKeyError::UnsupportedKey { oid: spki.algorithm.oid };
        let key_bits = spki.subject_public_key.as_bytes().ok_or(unsupported)?;
        let algorithm = match spki.algorithm.oid.to_string().as_str() {
            "1.2.840.10045.2.1" => match spki.algorithm.parameters_oid().map_err(|_| unsupported)?.to_string().as_str()
            {
                "1.2.840.10045.3.1.7" => KeyAlgorithm::EcP256,
                "1.3.132.0.34" => KeyAlgorithm::EcP384,
                "1.3.132.0.35" => KeyAlgorithm::EcP521,
                _ => return Err(unsupported),
            },
            "1.2.840.113549.1.1.1" => {
                let key = RsaPublicKey::from_der(key_bits).map_err(PublicKeyError::Malformed)?;
                let bytes = key.modulus.as_bytes();
                let leading_zeros = bytes.first().ok_or(unsupported)?.leading_zeros();
                let bits = u32::try_from(bytes.len()).map_err(|_| unsupported)? * 8 - leading_zeros;
                KeyAlgorithm::Rsa { bits }
            }
            "1.3.101.112" => KeyAlgorithm::Ed25519,
            _ => return Err(unsupported),
        };
        Ok(Self { spki_der: spki_der.to_vec(), key_bits: key_bits.to_vec(), algorithm })
    }

    /// The SubjectPublicKeyInfo's DER, as it came.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The subjectPublicKey's bits: an EC point, an RSAPublicKey's DER, or 32 octets of Ed25519.
    #[must_use]
    pub fn key_bits(&self) -> &[u8] {
        &self.key_bits
    }

    /// The key's kind and size.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The key identifier of RFC 5280 §4.2.1.2 method 1: the SHA-1 of the key's bits.
    #[must_use]
    pub fn key_identifier(&self) -> [u8; 20] {
        let mut identifier = [0; 20];
        identifier.copy_from_slice(DigestAlgorithm::Sha1.digest(&self.key_bits).as_ref());
        identifier
    }

    /// Verifies `value`, in the form that X.509 and CMS carry, over `message`.
    ///
    /// # Errors
    /// An algorithm that does not go with the key, or a signature that does not verify.
    pub fn verify(&self, algorithm: SignatureAlgorithm, message: &[u8], value: &[u8]) -> Result<(), PublicKeyError> {
        let verifier = self
            .verifier(algorithm)
            .ok_or(PublicKeyError::AlgorithmMismatch { signature: algorithm, key: self.algorithm })?;
        UnparsedPublicKey::new(verifier, &self.key_bits)
            .verify(message, value)
            .map_err(|_| PublicKeyError::BadSignature)
    }

    /// Verifies `value` over a message too long to be kept, by the digest that was made while it streamed by.
    ///
    /// # Errors
    /// As [`Self::verify`]; Ed25519 verifies messages alone, a digest of another algorithm never verifies.
    pub fn verify_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
        value: &[u8],
    ) -> Result<(), PublicKeyError> {
        let verifier = self
            .verifier(algorithm)
            .filter(|_| algorithm != SignatureAlgorithm::Ed25519)
            .ok_or(PublicKeyError::AlgorithmMismatch { signature: algorithm, key: self.algorithm })?;
        UnparsedPublicKey::new(verifier, &self.key_bits)
            .verify_digest(digest, value)
            .map_err(|_| PublicKeyError::BadSignature)
    }

    fn verifier(&self, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        Some(match (self.algorithm, algorithm) {
            (KeyAlgorithm::EcP256, SignatureAlgorithm::Ecdsa(Sha256)) => &ECDSA_P256_SHA256_ASN1,
            (KeyAlgorithm::EcP256, SignatureAlgorithm::Ecdsa(Sha384)) => &ECDSA_P256_SHA384_ASN1,
            (KeyAlgorithm::EcP256, SignatureAlgorithm::Ecdsa(Sha512)) => &ECDSA_P256_SHA512_ASN1,
            (KeyAlgorithm::EcP384, SignatureAlgorithm::Ecdsa(Sha256)) => &ECDSA_P384_SHA256_ASN1,
            (KeyAlgorithm::EcP384, SignatureAlgorithm::Ecdsa(Sha384)) => &ECDSA_P384_SHA384_ASN1,
            (KeyAlgorithm::EcP384, SignatureAlgorithm::Ecdsa(Sha512)) => &ECDSA_P384_SHA512_ASN1,
            (KeyAlgorithm::EcP521, SignatureAlgorithm::Ecdsa(Sha256)) => &ECDSA_P521_SHA256_ASN1,
            (KeyAlgorithm::EcP521, SignatureAlgorithm::Ecdsa(Sha384)) => &ECDSA_P521_SHA384_ASN1,
            (KeyAlgorithm::EcP521, SignatureAlgorithm::Ecdsa(Sha512)) => &ECDSA_P521_SHA512_ASN1,
            (KeyAlgorithm::Rsa { .. }, SignatureAlgorithm::RsaPkcs1(Sha256)) => &RSA_PKCS1_2048_8192_SHA256,
            (KeyAlgorithm::Rsa { .. }, SignatureAlgorithm::RsaPkcs1(Sha384)) => &RSA_PKCS1_2048_8192_SHA384,
            (KeyAlgorithm::Rsa { .. }, SignatureAlgorithm::RsaPkcs1(Sha512)) => &RSA_PKCS1_2048_8192_SHA512,
            (KeyAlgorithm::Rsa { .. }, SignatureAlgorithm::RsaPss(Sha256)) => &RSA_PSS_2048_8192_SHA256,
            (KeyAlgorithm::Rsa { .. }, SignatureAlgorithm::RsaPss(Sha384)) => &RSA_PSS_2048_8192_SHA384,
            (KeyAlgorithm::Rsa { .. }, SignatureAlgorithm::RsaPss(Sha512)) => &RSA_PSS_2048_8192_SHA512,
            (KeyAlgorithm::Ed25519, SignatureAlgorithm::Ed25519) => &ED25519,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    #[test]
    fn a_digest_verifies_as_its_message_does() {
        use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = PublicKey::from_spki_der(spki.as_ref()).unwrap();
        let value = pair.sign(&SystemRandom::new(), b"message").unwrap();
        let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);
        let verify = |digest: DigestAlgorithm, message: &[u8]| {
            key.verify_digest(algorithm, &digest.digest(message), value.as_ref())
        };
        assert_eq!(verify(DigestAlgorithm::Sha256, b"message"), Ok(()));
        assert_eq!(verify(DigestAlgorithm::Sha256, b"other"), Err(PublicKeyError::BadSignature));
        assert_eq!(verify(DigestAlgorithm::Sha384, b"message"), Err(PublicKeyError::BadSignature));
        let mismatch = key.verify_digest(SignatureAlgorithm::Ed25519, &DigestAlgorithm::Sha512.digest(b"m"), &[0; 64]);
        assert!(matches!(mismatch, Err(PublicKeyError::AlgorithmMismatch { .. })));
    }
}
