//! Keys and signatures made by OpenSSL, verified here: by one library or the other, the answer is the same.

use openssl::dsa::Dsa;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};

use super::*;

const MESSAGE: &[u8] = b"noon";

fn key(private: &PKey<Private>) -> VerificationKey {
    VerificationKey::from_spki_der(&private.public_key_to_der().unwrap()).unwrap()
}

fn assert_verifies(key: &VerificationKey, algorithm: SignatureAlgorithm, signature: &[u8]) {
    assert_eq!(key.verify(algorithm, MESSAGE, signature), Ok(()), "{algorithm} under {}", key.algorithm());
    assert_eq!(key.verify(algorithm, b"moon", signature), Err(SignatureError::Bad), "{algorithm}");
    let mut altered = signature.to_vec();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    assert_eq!(key.verify(algorithm, MESSAGE, &altered), Err(SignatureError::Bad), "{algorithm}");
    assert_eq!(key.verify(algorithm, MESSAGE, &[]), Err(SignatureError::Bad), "{algorithm}");
    // By the digest alone the answer is the same, where there is one.
    let Some(digest) = algorithm.digest() else {
        let needed = Err(SignatureError::MessageNeeded { signature: algorithm });
        assert_eq!(key.verify_digest(algorithm, MESSAGE, signature), needed);
        return;
    };
    let value = digest.of(MESSAGE).unwrap();
    assert_eq!(key.verify_digest(algorithm, &value, signature), Ok(()), "{algorithm} under {}", key.algorithm());
    let other = digest.of(b"moon").unwrap();
    for (value, signature) in [
        (&other[..], signature),
        (&value, &altered),
        (&value, &[]),
        (&value[1..], signature),
        (MESSAGE, signature),
        (&[], signature),
    ] {
        assert_eq!(key.verify_digest(algorithm, value, signature), Err(SignatureError::Bad), "{algorithm}");
    }
}

fn sign(private: &PKey<Private>, digest: MessageDigest) -> Vec<u8> {
    let mut signer = Signer::new(digest, private).unwrap();
    signer.sign_oneshot_to_vec(MESSAGE).unwrap()
}

#[test]
fn rsa_by_both_paddings_and_old_digests() {
    for bits in [1024, 2048] {
        let private = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
        let public = key(&private);
        for (digest, theirs) in [
            (Digest::Md5, MessageDigest::md5()),
            (Digest::Sha1, MessageDigest::sha1()),
            (Digest::Sha224, MessageDigest::sha224()),
            (Digest::Sha256, MessageDigest::sha256()),
            (Digest::Sha512, MessageDigest::sha512()),
            (Digest::Sha3_256, MessageDigest::sha3_256()),
        ] {
            assert_verifies(&public, SignatureAlgorithm::RsaPkcs1(digest), &sign(&private, theirs));
        }
        for (salt_octets, mask, mask_digest) in [
            (32, MessageDigest::sha256(), Digest::Sha256),
            (20, MessageDigest::sha256(), Digest::Sha256),
            (0, MessageDigest::sha1(), Digest::Sha1),
        ] {
            let mut signer = Signer::new(MessageDigest::sha256(), &private).unwrap();
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_mgf1_md(mask).unwrap();
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::custom(i32::from(salt_octets))).unwrap();
            let signature = signer.sign_oneshot_to_vec(MESSAGE).unwrap();
            let digest = Digest::Sha256;
            assert_verifies(&public, SignatureAlgorithm::RsaPss { digest, mask_digest, salt_octets }, &signature);
            // Another salt than the one that was signed with.
            let other = SignatureAlgorithm::RsaPss { digest, mask_digest, salt_octets: salt_octets + 1 };
            assert_eq!(public.verify(other, MESSAGE, &signature), Err(SignatureError::Bad));
            let value = digest.of(MESSAGE).unwrap();
            assert_eq!(public.verify_digest(other, &value, &signature), Err(SignatureError::Bad));
        }
    }
}

#[test]
fn ecdsa_on_every_curve() {
    for (curve, theirs) in [
        (Curve::P192, Nid::X9_62_PRIME192V1),
        (Curve::P224, Nid::SECP224R1),
        (Curve::P256, Nid::X9_62_PRIME256V1),
        (Curve::P384, Nid::SECP384R1),
        (Curve::P521, Nid::SECP521R1),
        (Curve::Secp256k1, Nid::SECP256K1),
        (Curve::BrainpoolP256r1, Nid::BRAINPOOL_P256R1),
        (Curve::BrainpoolP320r1, Nid::BRAINPOOL_P320R1),
        (Curve::BrainpoolP384r1, Nid::BRAINPOOL_P384R1),
        (Curve::BrainpoolP512r1, Nid::BRAINPOOL_P512R1),
    ] {
        let group = EcGroup::from_curve_name(theirs).unwrap();
        let private = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let public = key(&private);
        assert_eq!(public.algorithm(), KeyAlgorithm::Ec(curve));
        for (digest, theirs) in [
            (Digest::Sha1, MessageDigest::sha1()),
            (Digest::Sha256, MessageDigest::sha256()),
            (Digest::Sha512, MessageDigest::sha512()),
        ] {
            assert_verifies(&public, SignatureAlgorithm::Ecdsa(digest), &sign(&private, theirs));
        }
    }
}

#[test]
fn edwards_curves() {
    for (private, algorithm) in [
        (PKey::generate_ed25519().unwrap(), SignatureAlgorithm::Ed25519),
        (PKey::generate_ed448().unwrap(), SignatureAlgorithm::Ed448),
    ] {
        let signature = Signer::new_without_digest(&private).unwrap().sign_oneshot_to_vec(MESSAGE).unwrap();
        assert_verifies(&key(&private), algorithm, &signature);
    }
}

#[test]
fn ml_dsa_as_openssl_signs_it() {
    for (level, certificate, signature) in [
        (
            MlDsaLevel::MlDsa44,
            &include_bytes!("../../../../testdata/ml-dsa/44.der")[..],
            &include_bytes!("../../../../testdata/ml-dsa/44.sig")[..],
        ),
        (
            MlDsaLevel::MlDsa65,
            include_bytes!("../../../../testdata/ml-dsa/65.der"),
            include_bytes!("../../../../testdata/ml-dsa/65.sig"),
        ),
        (
            MlDsaLevel::MlDsa87,
            include_bytes!("../../../../testdata/ml-dsa/87.der"),
            include_bytes!("../../../../testdata/ml-dsa/87.sig"),
        ),
    ] {
        let certificate = crate::verify::Certificate::from_der(certificate).unwrap();
        let key = certificate.key().unwrap();
        assert_eq!(key.algorithm(), KeyAlgorithm::MlDsa(level));
        let algorithm = SignatureAlgorithm::MlDsa(level);
        assert_verifies(key, algorithm, signature);
        for at in (0..signature.len()).step_by(97) {
            let mut altered = signature.to_vec();
            altered[at] ^= 0x10;
            assert_eq!(key.verify(algorithm, MESSAGE, &altered), Err(SignatureError::Bad), "octet {at}");
        }
        let other = if level == MlDsaLevel::MlDsa44 { MlDsaLevel::MlDsa65 } else { MlDsaLevel::MlDsa44 };
        let mismatch = key.verify(SignatureAlgorithm::MlDsa(other), MESSAGE, signature);
        assert!(matches!(mismatch, Err(SignatureError::Mismatch { .. })));
        // RFC 9881 §4: the key is of its level's length.
        let short = writer::tlv(writer::BIT_STRING, &[&[0], &key.bits()[1..]]);
        let identifier = Reader::only(key.spki_der(), writer::SEQUENCE).unwrap().read().unwrap().whole;
        let short = VerificationKey::from_spki_der(&writer::tlv(writer::SEQUENCE, &[identifier, &short]));
        let length = KeyError::Malformed(DerError::Value { what: "length of an ML-DSA key" });
        assert_eq!(short.map(|_| ()), Err(length));
    }
}

#[test]
fn dsa_with_parameters_of_its_own_and_inherited() {
    let private = PKey::from_dsa(Dsa::generate(1024).unwrap()).unwrap();
    let public = key(&private);
    assert_eq!(public.algorithm(), KeyAlgorithm::Dsa { bits: Some(1024) });
    let signature = sign(&private, MessageDigest::sha1());
    let algorithm = SignatureAlgorithm::Dsa(Digest::Sha1);
    assert_verifies(&public, algorithm, &signature);

    let identifier = writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::OBJECT_IDENTIFIER, &[DSA])]);
    let bits = writer::tlv(writer::BIT_STRING, &[&[0], public.bits()]);
    let bare = VerificationKey::from_spki_der(&writer::tlv(writer::SEQUENCE, &[&identifier, &bits])).unwrap();
    assert_eq!(bare.verify(algorithm, MESSAGE, &signature), Err(SignatureError::NoParameters));
    assert!(bare.inheriting(&bare).is_none());
    assert_verifies(&bare.inheriting(&public).unwrap(), algorithm, &signature);
}

#[test]
fn an_algorithm_of_another_kind_is_named() {
    let public = key(&PKey::generate_ed25519().unwrap());
    let signature = SignatureAlgorithm::Ecdsa(Digest::Sha256);
    let mismatch = SignatureError::Mismatch { signature, key: KeyAlgorithm::Ed25519 };
    assert_eq!(public.verify(signature, MESSAGE, &[]), Err(mismatch));
}

#[test]
fn keys_that_cost_too_much_are_refused() {
    let rsa = |modulus: usize, exponent: usize| {
        let number = |octets: usize| writer::tlv(writer::INTEGER, &[&[0x7f], &vec![0xff; octets - 1]]);
        let key = writer::tlv(writer::SEQUENCE, &[&number(modulus), &number(exponent)]);
        let identifier = writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::OBJECT_IDENTIFIER, &[RSA_ENCRYPTION])]);
        let bits = writer::tlv(writer::BIT_STRING, &[&[0], &key]);
        VerificationKey::from_spki_der(&writer::tlv(writer::SEQUENCE, &[&identifier, &bits])).map(|_| ())
    };
    assert_eq!(rsa(2048, 3), Ok(()));
    assert_eq!(rsa(2049, 3), Err(KeyError::TooLarge { bits: 2049 * 8 - 1, limit: MAX_RSA_BITS }));
    assert_eq!(rsa(256, 9), Err(KeyError::TooLarge { bits: 71, limit: 64 }));
}
