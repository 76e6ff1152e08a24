//! How each signature algorithm is asked for.
//!
//! The digest is computed in this process: a token then signs 32 to 64 octets whatever the message's size, and every
//! token has the plain mechanisms, while those that hash are often missing.

use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};

use crate::crypto::{DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};
use crate::keys::error::SignError;
use crate::keys::settings::TierKind;

/// DigestInfo's octets before the digest, RFC 8017 §9.2 note 1.
const SHA256_DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
const SHA384_DIGEST_INFO: [u8; 19] =
    [0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30];
const SHA512_DIGEST_INFO: [u8; 19] =
    [0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40];

/// Prepares what the token is asked to sign and hands mechanism and input to `sign`.
pub(super) fn with_input<T>(
    algorithm: SignatureAlgorithm,
    key: KeyAlgorithm,
    message: &[u8],
    sign: impl FnOnce(&Mechanism<'_>, &[u8]) -> Result<T, SignError>,
) -> Result<T, SignError> {
    if algorithm == SignatureAlgorithm::Ed25519 && algorithm.fits(key) {
        return sign(&Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)), message);
    }
    with_digest(algorithm, key, algorithm.digest().digest(message).as_ref(), sign)
}

/// The same for a message of which only the digest is there; Ed25519 signs no digest.
pub(super) fn with_digest<T>(
    algorithm: SignatureAlgorithm,
    key: KeyAlgorithm,
    value: &[u8],
    sign: impl FnOnce(&Mechanism<'_>, &[u8]) -> Result<T, SignError>,
) -> Result<T, SignError> {
    let unsupported = || SignError::Unsupported { tier: TierKind::Pkcs11, key, signature: algorithm };
    if !algorithm.fits(key) || value.len() != algorithm.digest().output_len() {
        return Err(unsupported());
    }
    match algorithm {
        SignatureAlgorithm::Ecdsa(_) => {
            let order_bytes = match key {
                KeyAlgorithm::EcP256 => 32,
                KeyAlgorithm::EcP384 => 48,
                _ => return Err(unsupported()),
            };
            // FIPS 186-4 §6.4: the leftmost bits of the digest, as many as the order has. Some tokens cut it
            // themselves, others answer CKR_DATA_LEN_RANGE.
            sign(&Mechanism::Ecdsa, value.get(..order_bytes).unwrap_or(value))
        }
        SignatureAlgorithm::RsaPkcs1(digest) => {
            let prefix = match digest {
                DigestAlgorithm::Sha256 => SHA256_DIGEST_INFO,
                DigestAlgorithm::Sha384 => SHA384_DIGEST_INFO,
                DigestAlgorithm::Sha512 => SHA512_DIGEST_INFO,
                _ => return Err(unsupported()),
            };
            sign(&Mechanism::RsaPkcs, &[&prefix, value].concat())
        }
        SignatureAlgorithm::RsaPss(digest) => {
            let (hash_alg, mgf, salt_bytes) = match digest {
                DigestAlgorithm::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32_u8),
                DigestAlgorithm::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
                DigestAlgorithm::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
                _ => return Err(unsupported()),
            };
            let parameters = PkcsPssParams { hash_alg, mgf, s_len: u64::from(salt_bytes).into() };
            sign(&Mechanism::RsaPkcsPss(parameters), value)
        }
        SignatureAlgorithm::Ed25519 => Err(unsupported()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_longer_than_the_order_is_cut() {
        let message = b"message";
        let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha384);
        let input = with_input(algorithm, KeyAlgorithm::EcP256, message, |_, input| Ok(input.to_vec())).unwrap();
        assert_eq!(input, DigestAlgorithm::Sha384.digest(message).as_ref()[..32]);
        let input = with_input(algorithm, KeyAlgorithm::EcP384, message, |_, input| Ok(input.to_vec())).unwrap();
        assert_eq!(input, DigestAlgorithm::Sha384.digest(message).as_ref());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (algorithm, key) in [
            (SignatureAlgorithm::Ed25519, KeyAlgorithm::EcP256),
            (SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha1), KeyAlgorithm::Rsa { bits: 2048 }),
            (SignatureAlgorithm::RsaPss(DigestAlgorithm::Sha3_256), KeyAlgorithm::Rsa { bits: 2048 }),
            (SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256), KeyAlgorithm::EcP521),
        ] {
            let answer = with_input(algorithm, key, b"m", |_, _| Ok(()));
            assert!(matches!(answer, Err(SignError::Unsupported { .. })), "{algorithm} with {key}");
        }
        let sha256 = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);
        let short = with_digest(sha256, KeyAlgorithm::EcP256, &[0; 31], |_, _| Ok(()));
        assert!(matches!(short, Err(SignError::Unsupported { .. })), "a digest of another length");
        let ed25519 = with_digest(SignatureAlgorithm::Ed25519, KeyAlgorithm::Ed25519, &[0; 64], |_, _| Ok(()));
        assert!(matches!(ed25519, Err(SignError::Unsupported { .. })), "Ed25519 signs messages");
    }
}
