//! What the system's OpenSSL verifies because aws-lc-rs does not: DSA, brainpool and small curves, Ed448, short RSA keys,
//! old digests, odd PSS salts; and the digests that aws-lc-rs lacks. Parsing a key costs it 100 µs, so a parsed one is kept.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};

use super::{Digest, SignatureAlgorithm, VerificationKey};

/// A key as OpenSSL holds it.
pub(super) struct Parsed(PKey<Public>);

/// Whether the signature is good. What the library refuses, a key that is no point of its curve for instance, is not.
pub(super) fn verify(key: &VerificationKey, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
    let parsed = key.legacy.get_or_init(|| PKey::public_key_from_der(key.spki_der()).ok().map(Parsed));
    let Some(Parsed(parsed)) = parsed else { return false };
    // An error and a signature that does not verify mean the same: nothing vouches for the message.
    verify_with(parsed, algorithm, message, signature).unwrap_or(false)
}

fn verify_with(
    key: &PKey<Public>,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    match algorithm {
        SignatureAlgorithm::Ed25519 | SignatureAlgorithm::Ed448 => {
            Verifier::new_without_digest(key)?.verify_oneshot(signature, message)
        }
        SignatureAlgorithm::RsaPkcs1(digest) | SignatureAlgorithm::Dsa(digest) | SignatureAlgorithm::Ecdsa(digest) => {
            let Some(digest) = message_digest(digest) else { return Ok(false) };
            let mut verifier = Verifier::new(digest, key)?;
            if key.id() == Id::RSA {
                verifier.set_rsa_padding(Padding::PKCS1)?;
            }
            verifier.verify_oneshot(signature, message)
        }
        SignatureAlgorithm::RsaPss { digest, mask_digest, salt_octets } => {
            let (Some(digest), Some(mask_digest)) = (message_digest(digest), message_digest(mask_digest)) else {
                return Ok(false);
            };
            let mut verifier = Verifier::new(digest, key)?;
            verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
            verifier.set_rsa_mgf1_md(mask_digest)?;
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::custom(i32::from(salt_octets)))?;
            verifier.verify_oneshot(signature, message)
        }
    }
}

/// The digest of a message; `None` where it is switched off.
pub(super) fn hash(digest: Digest, message: &[u8]) -> Option<Vec<u8>> {
    openssl::hash::hash(message_digest(digest)?, message).ok().map(|octets| octets.to_vec())
}

/// The library's digest; `None` where the system's OpenSSL has it switched off, RIPEMD-160 for instance.
fn message_digest(digest: Digest) -> Option<MessageDigest> {
    MessageDigest::from_nid(match digest {
        Digest::Md5 => Nid::MD5,
        Digest::Sha1 => Nid::SHA1,
        Digest::Ripemd160 => Nid::RIPEMD160,
        Digest::Sha224 => Nid::SHA224,
        Digest::Sha256 => Nid::SHA256,
        Digest::Sha384 => Nid::SHA384,
        Digest::Sha512 => Nid::SHA512,
        Digest::Sha3_224 => Nid::SHA3_224,
        Digest::Sha3_256 => Nid::SHA3_256,
        Digest::Sha3_384 => Nid::SHA3_384,
        Digest::Sha3_512 => Nid::SHA3_512,
    })
}
