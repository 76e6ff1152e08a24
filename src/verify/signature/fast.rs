//! What aws-lc-rs verifies: nearly everything that is signed today.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1,
    ECDSA_P256K1_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1,
    ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, ML_DSA_44, ML_DSA_65, ML_DSA_87,
    ParsedPublicKey, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use super::{Curve, Digest, KeyAlgorithm, MlDsaLevel, SignatureAlgorithm, VerificationKey};

/// A key parsed for the first algorithm that it was asked to verify: a CA signs by one.
pub(super) struct Parsed {
    algorithm: SignatureAlgorithm,
    key: ParsedPublicKey,
}

/// Whether the signature is good; `None` where this library does not do the algorithm, or refuses the key.
pub(super) fn verify(
    key: &VerificationKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let verifier = verifier(key.algorithm(), algorithm)?;
    let parsed =
        key.fast.get_or_init(|| ParsedPublicKey::new(verifier, key.bits()).ok().map(|key| Parsed { algorithm, key }));
    // A key that it refuses for one algorithm it refuses for all.
    let parsed = parsed.as_ref()?;
    Some(if parsed.algorithm == algorithm {
        parsed.key.verify_sig(message, signature).is_ok()
    } else {
        UnparsedPublicKey::new(verifier, key.bits()).verify(message, signature).is_ok()
    })
}

fn verifier(key: KeyAlgorithm, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    use Digest::{Sha1, Sha256, Sha384, Sha512};
    Some(match (key, algorithm) {
        (KeyAlgorithm::Rsa { bits: 1024..=8192 }, SignatureAlgorithm::RsaPkcs1(Sha1)) => {
            &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY
        }
        (KeyAlgorithm::Rsa { bits: 2048..=8192 }, SignatureAlgorithm::RsaPkcs1(digest)) => match digest {
            Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Sha384 => &RSA_PKCS1_2048_8192_SHA384,
            Sha512 => &RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        },
        (
            KeyAlgorithm::Rsa { bits: 2048..=8192 } | KeyAlgorithm::RsaPss { bits: 2048..=8192 },
            SignatureAlgorithm::RsaPss { digest, mask_digest, salt_octets },
        ) if digest == mask_digest => match (digest, salt_octets) {
            (Sha256, 32) => &RSA_PSS_2048_8192_SHA256,
            (Sha384, 48) => &RSA_PSS_2048_8192_SHA384,
            (Sha512, 64) => &RSA_PSS_2048_8192_SHA512,
            _ => return None,
        },
        (KeyAlgorithm::Ec(curve), SignatureAlgorithm::Ecdsa(digest)) => match (curve, digest) {
            (Curve::P256, Sha1) => &ECDSA_P256_SHA1_ASN1,
            (Curve::P256, Sha256) => &ECDSA_P256_SHA256_ASN1,
            (Curve::P256, Sha384) => &ECDSA_P256_SHA384_ASN1,
            (Curve::P256, Sha512) => &ECDSA_P256_SHA512_ASN1,
            (Curve::P384, Sha256) => &ECDSA_P384_SHA256_ASN1,
            (Curve::P384, Sha384) => &ECDSA_P384_SHA384_ASN1,
            (Curve::P384, Sha512) => &ECDSA_P384_SHA512_ASN1,
            (Curve::P521, Sha256) => &ECDSA_P521_SHA256_ASN1,
            (Curve::P521, Sha384) => &ECDSA_P521_SHA384_ASN1,
            (Curve::P521, Sha512) => &ECDSA_P521_SHA512_ASN1,
            (Curve::Secp256k1, Sha256) => &ECDSA_P256K1_SHA256_ASN1,
            _ => return None,
        },
        (KeyAlgorithm::Ed25519, SignatureAlgorithm::Ed25519) => &ED25519,
        (KeyAlgorithm::MlDsa(key), SignatureAlgorithm::MlDsa(level)) if key == level => match level {
            MlDsaLevel::MlDsa44 => &ML_DSA_44,
            MlDsaLevel::MlDsa65 => &ML_DSA_65,
            MlDsaLevel::MlDsa87 => &ML_DSA_87,
        },
        _ => return None,
    })
}
