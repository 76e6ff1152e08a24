//! What the system's OpenSSL verifies because aws-lc-rs does not: DSA, brainpool and small curves, Ed448, short RSA keys,
//! old digests, odd PSS salts; and signatures of every kind where of the message the digest alone is known. The digests
//! that aws-lc-rs lacks are computed here too. Parsing a key costs OpenSSL 100 µs, so a parsed one is kept.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::md::Md;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};

use super::{Digest, SignatureAlgorithm, VerificationKey};

/// A key as OpenSSL holds it.
pub(super) struct Parsed(PKey<Public>);

/// Whether the signature is good. What the library refuses, a key that is no point of its curve for instance, is not.
pub(super) fn verify(key: &VerificationKey, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
    // An error and a signature that does not verify mean the same: nothing vouches for the message.
    parsed(key).is_some_and(|key| verify_with(key, algorithm, message, signature).unwrap_or(false))
}

/// Whether the signature is good over a message of which this is the digest.
pub(super) fn verify_digest(
    key: &VerificationKey,
    algorithm: SignatureAlgorithm,
    value: &[u8],
    signature: &[u8],
) -> bool {
    parsed(key).is_some_and(|key| verify_digest_with(key, algorithm, value, signature).unwrap_or(false))
}

fn parsed(key: &VerificationKey) -> Option<&PKey<Public>> {
    let parsed = key.legacy.get_or_init(|| PKey::public_key_from_der(key.spki_der()).ok().map(Parsed));
    parsed.as_ref().map(|Parsed(key)| key)
}

fn verify_with(
    key: &PKey<Public>,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    match algorithm {
        // aws-lc-rs does all of it, and OpenSSL has it from 3.5 on: a key that the one refuses is not tried by the other.
        SignatureAlgorithm::MlDsa(_) => Ok(false),
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

fn verify_digest_with(
    key: &PKey<Public>,
    algorithm: SignatureAlgorithm,
    value: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    context.verify_init()?;
    match algorithm {
        // These sign the message itself, not a digest of it.
        SignatureAlgorithm::Ed25519 | SignatureAlgorithm::Ed448 | SignatureAlgorithm::MlDsa(_) => return Ok(false),
        SignatureAlgorithm::RsaPkcs1(digest) | SignatureAlgorithm::Dsa(digest) | SignatureAlgorithm::Ecdsa(digest) => {
            let Some(digest) = Md::from_nid(nid(digest)) else { return Ok(false) };
            if key.id() == Id::RSA {
                context.set_rsa_padding(Padding::PKCS1)?;
            }
            context.set_signature_md(digest)?;
        }
        SignatureAlgorithm::RsaPss { digest, mask_digest, salt_octets } => {
            let (Some(digest), Some(mask_digest)) = (Md::from_nid(nid(digest)), Md::from_nid(nid(mask_digest))) else {
                return Ok(false);
            };
            context.set_rsa_padding(Padding::PKCS1_PSS)?;
            context.set_signature_md(digest)?;
            context.set_rsa_mgf1_md(mask_digest)?;
            context.set_rsa_pss_saltlen(RsaPssSaltlen::custom(i32::from(salt_octets)))?;
        }
    }
    context.verify(value, signature)
}

/// The digest of a message; `None` where it is switched off.
pub(super) fn hash(digest: Digest, message: &[u8]) -> Option<Vec<u8>> {
    if digest == Digest::Shake256 {
        let mut octets = vec![0; digest.output_octets()];
        return openssl::hash::hash_xof(MessageDigest::shake_256(), message, &mut octets).ok().map(|()| octets);
    }
    openssl::hash::hash(message_digest(digest)?, message).ok().map(|octets| octets.to_vec())
}

/// The library's digest; `None` where the system's OpenSSL has it switched off, RIPEMD-160 for instance.
fn message_digest(digest: Digest) -> Option<MessageDigest> {
    MessageDigest::from_nid(nid(digest))
}

fn nid(digest: Digest) -> Nid {
    match digest {
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
        // RFC 8702's signatures have identifiers of their own, which are not read: with none of those here it goes together.
        Digest::Shake256 => Nid::UNDEF,
    }
}
