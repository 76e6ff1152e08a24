//! A key pair in memory.

use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::crypto::{DigestAlgorithm, KeyAlgorithm, PublicKey, SignatureAlgorithm};
use crate::keys::error::{KeyError, SignError};
use crate::keys::settings::TierKind;
use crate::keys::signer::Signer;

/// A key pair of the software tier.
pub(in crate::keys) struct SoftwareKey {
    pair: Pair,
    public_key: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SoftwareKey {
    /// Generates a key pair, with its PKCS#8 form for the file.
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<(Self, Zeroizing<Vec<u8>>), KeyError> {
        let failed = |_| KeyError::Library { doing: "generating a key pair" };
        let (pair, pkcs8) = match algorithm {
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 => {
                let signing = if algorithm == KeyAlgorithm::EcP256 {
                    &ECDSA_P256_SHA256_ASN1_SIGNING
                } else {
                    &ECDSA_P384_SHA384_ASN1_SIGNING
                };
                let pair = EcdsaKeyPair::generate(signing).map_err(failed)?;
                let pkcs8 = Zeroizing::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec());
                (Pair::Ecdsa(pair), pkcs8)
            }
            KeyAlgorithm::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(failed)?;
                let pkcs8 = Zeroizing::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec());
                (Pair::Ed25519(pair), pkcs8)
            }
            KeyAlgorithm::Rsa { bits } => {
                let size = match bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    _ => return Err(KeyError::KeyUnsupported { algorithm }),
                };
                let pair = RsaKeyPair::generate(size).map_err(failed)?;
                let document: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
                (Pair::Rsa(pair), pkcs8)
            }
            KeyAlgorithm::EcP521 => return Err(KeyError::KeyUnsupported { algorithm }),
        };
        let key = Self::with_public(pair).ok_or(KeyError::Library { doing: "reading a new public key" })?;
        Ok((key, pkcs8))
    }

    /// Reads PKCS#8. None if it holds no key of a supported kind.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        // The parsers refuse each other's algorithms and curves, so the first that accepts is the right one.
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8)
            .or_else(|_| EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8))
            .map(Pair::Ecdsa)
            .or_else(|_| RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa))
            .or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Pair::Ed25519))
            .ok()?;
        Self::with_public(pair)
    }

    fn with_public(pair: Pair) -> Option<Self> {
        let spki: PublicKeyX509Der<'_> = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
        }
        .ok()?;
        let public_key = PublicKey::from_spki_der(spki.as_ref()).ok()?;
        public_key.algorithm().is_supported_for_signing().then_some(Self { pair, public_key })
    }
}

impl Signer for SoftwareKey {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if let (Pair::Ed25519(pair), SignatureAlgorithm::Ed25519) = (&self.pair, algorithm) {
            return Ok(pair.try_sign(message).map_err(|_| SignError::Library)?.as_ref().to_vec());
        }
        self.sign_digest(algorithm, &algorithm.digest().digest(message))
    }

    fn sign_digest(&self, algorithm: SignatureAlgorithm, digest: &Digest) -> Result<Vec<u8>, SignError> {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        let key = self.public_key.algorithm();
        let (pair, encoding): (_, &'static dyn RsaEncoding) = match (&self.pair, algorithm, key) {
            // The library signs each curve with the digest of its size only.
            (Pair::Ecdsa(pair), SignatureAlgorithm::Ecdsa(Sha256), KeyAlgorithm::EcP256)
            | (Pair::Ecdsa(pair), SignatureAlgorithm::Ecdsa(Sha384), KeyAlgorithm::EcP384) => {
                let value = pair.sign_digest(digest).map_err(|_| SignError::Library)?;
                return Ok(value.as_ref().to_vec());
            }
            (Pair::Rsa(pair), SignatureAlgorithm::RsaPkcs1(Sha256), _) => (pair, &RSA_PKCS1_SHA256),
            (Pair::Rsa(pair), SignatureAlgorithm::RsaPkcs1(Sha384), _) => (pair, &RSA_PKCS1_SHA384),
            (Pair::Rsa(pair), SignatureAlgorithm::RsaPkcs1(Sha512), _) => (pair, &RSA_PKCS1_SHA512),
            (Pair::Rsa(pair), SignatureAlgorithm::RsaPss(Sha256), _) => (pair, &RSA_PSS_SHA256),
            (Pair::Rsa(pair), SignatureAlgorithm::RsaPss(Sha384), _) => (pair, &RSA_PSS_SHA384),
            (Pair::Rsa(pair), SignatureAlgorithm::RsaPss(Sha512), _) => (pair, &RSA_PSS_SHA512),
            _ => return Err(SignError::Unsupported { tier: TierKind::Software, key, signature: algorithm }),
        };
        let mut value = vec![0; pair.public_modulus_len()];
        pair.sign_digest(encoding, digest, &mut value).map_err(|_| SignError::Library)?;
        Ok(value)
    }
}
