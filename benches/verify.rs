//! Judging by criterion: PKITS as a whole, and a chain of two levels with CRLs against its bare signatures.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use noonmark::asn1::{Oid, Reader, writer};
use noonmark::verify::signature::{AnyAlgorithm, SignatureAlgorithm, VerificationKey};
use noonmark::verify::{
    AnchorRule, Certificate, Evidence, Origin, PolicySet, RevocationRule, Settings, TrustAnchor, judge_certificate,
};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::Value;

/// 2020-01-01.
const PKITS_TIME_S: i64 = 1_577_836_800;
/// 2025-01-01.
const NOW_S: i64 = 1_735_689_600;

/// A case of PKITS in memory.
struct Case {
    target: Vec<u8>,
    certificates: Vec<Vec<u8>>,
    crls: Vec<Vec<u8>>,
    settings: Settings<'static>,
    is_valid: bool,
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/pkits");
    let read = |name: &str| std::fs::read(directory.join(name)).expect("a file of PKITS");
    let manifest: Value = serde_json::from_slice(&read("manifest.json")).expect("JSON");
    let anchor = read("certs/TrustAnchorRootCertificate.crt");
    let anchor = Arc::new(TrustAnchor::from_certificate_der(&anchor, AnchorRule::NameAndKey).expect("an anchor"));
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let files = |case: &Value, name: &str| -> Vec<Vec<u8>> {
        list(&case[name]).iter().map(|name| read(name.as_str().expect("a name"))).collect()
    };
    let case = |case: &Value| {
        let asked = &case["settings"];
        let policies: Vec<Oid> = list(&asked["initial_policy_set"])
            .iter()
            .map(|oid| oid.as_str().and_then(|oid| oid.parse().ok()).expect("an OID"))
            .collect();
        let any = policies.iter().any(|policy| policy.to_string() == "2.5.29.32.0");
        let flag = |name: &str| asked[name].as_bool().expect("a flag");
        Case {
            target: read(case["target"].as_str().expect("a target")),
            certificates: [files(case, "intermediates"), files(case, "other_certs")].concat(),
            crls: files(case, "crls"),
            settings: Settings {
                user_initial_policy_set: if any { PolicySet::Any } else { PolicySet::Of(policies) },
                explicit_policy: flag("initial_explicit_policy"),
                inhibit_policy_mapping: flag("initial_policy_mapping_inhibit"),
                inhibit_any_policy: flag("initial_inhibit_any_policy"),
                revocation: RevocationRule::required_at(PKITS_TIME_S),
                ..Settings::new(PKITS_TIME_S, vec![Arc::clone(&anchor)], &AnyAlgorithm)
            },
            is_valid: case["expected"] == "valid",
        }
    };
    list(&manifest["cases"]).iter().map(case).collect()
}

/// Everything from the octets on: reading, indexing, judging.
fn judge(target: &[u8], certificates: &[Vec<u8>], crls: &[Vec<u8>], settings: &Settings<'_>) -> bool {
    let Ok(target) = Certificate::from_der(target) else { return false };
    let mut evidence = Evidence::new();
    for der in certificates {
        evidence.add_certificate_der(der, Origin::Held).expect("a certificate");
    }
    for der in crls {
        // One of them can't be read, as its case wants it.
        let _ = evidence.add_crl_der(der, Origin::Held);
    }
    judge_certificate(&Arc::new(target), &evidence, settings).is_good()
}

fn pkits(criterion: &mut Criterion) {
    let cases = cases();
    let mut group = criterion.benchmark_group("pkits");
    group.throughput(Throughput::Elements(u64::try_from(cases.len()).expect("a count")));
    group.sample_size(20);
    group.bench_function("whole", |bencher| {
        bencher.iter(|| {
            for case in &cases {
                let good = judge(&case.target, &case.certificates, &case.crls, &case.settings);
                assert_eq!(black_box(good), case.is_valid);
            }
        });
    });
    group.finish();
}

/// A key, and how it signs.
struct Signing {
    key: PKey<Private>,
    algorithm: &'static [u8],
}

impl Signing {
    fn p256() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("P-256");
        let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
        Self { key, algorithm: &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] }
    }

    fn rsa2048() -> Self {
        let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        Self { key, algorithm: &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0] }
    }

    fn signed(&self, tbs: &[u8]) -> Vec<u8> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).expect("a signer");
        let signature = signer.sign_oneshot_to_vec(tbs).expect("a signature");
        let signature = writer::tlv(writer::BIT_STRING, &[&[0], &signature]);
        writer::tlv(writer::SEQUENCE, &[tbs, self.algorithm, &signature])
    }

    fn certificate(&self, issuer: &str, subject: &str, key: &Self, is_ca: bool) -> Vec<u8> {
        let utc = |text: &[u8]| writer::tlv(0x17, &[text]);
        let validity = writer::tlv(writer::SEQUENCE, &[&utc(b"200101000000Z"), &utc(b"300101000000Z")]);
        let spki = key.key.public_key_to_der().expect("a public key");
        let ca = [0x30, 15, 6, 3, 0x55, 0x1d, 19, 1, 1, 0xff, 4, 5, 0x30, 3, 1, 1, 0xff];
        let usage = [0x30, 14, 6, 3, 0x55, 0x1d, 15, 1, 1, 0xff, 4, 4, 3, 2, 1, if is_ca { 6 } else { 0x80 }];
        let ca: &[u8] = if is_ca { &ca } else { &[] };
        let list = writer::tlv(writer::SEQUENCE, &[ca, &usage]);
        let extensions = writer::tlv(writer::context(3), &[&list]);
        let head = [0xa0, 3, 2, 1, 2, 2, 1, 5];
        let (issuer, subject) = (name(issuer), name(subject));
        let fields: [&[u8]; 7] = [&head, self.algorithm, &issuer, &validity, &subject, &spki, &extensions];
        self.signed(&writer::tlv(writer::SEQUENCE, &fields))
    }

    fn crl(&self, issuer: &str) -> Vec<u8> {
        let utc = |text: &[u8]| writer::tlv(0x17, &[text]);
        let fields: [&[u8]; 5] =
            [&[2, 1, 1], self.algorithm, &name(issuer), &utc(b"241231000000Z"), &utc(b"250107000000Z")];
        self.signed(&writer::tlv(writer::SEQUENCE, &fields))
    }
}

fn name(common_name: &str) -> Vec<u8> {
    let value = writer::tlv(writer::UTF8_STRING, &[common_name.as_bytes()]);
    let pair = writer::tlv(writer::SEQUENCE, &[&[6, 3, 0x55, 4, 3], &value]);
    writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::SET, &[&pair])])
}

/// What is signed, the algorithm, the signature.
fn parts(signed: &[u8]) -> (&[u8], SignatureAlgorithm, &[u8]) {
    let mut fields = Reader::only(signed, writer::SEQUENCE).expect("a SEQUENCE");
    let tbs = fields.expect(writer::SEQUENCE).expect("what is signed").whole;
    let algorithm = fields.expect(writer::SEQUENCE).expect("an algorithm").whole;
    let signature = &fields.expect(writer::BIT_STRING).expect("a signature").content[1..];
    (tbs, SignatureAlgorithm::from_identifier_der(algorithm).expect("an algorithm"), signature)
}

/// Anchor, CA, target, and a CRL of each issuer: four signatures.
fn chain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chain");
    for label in ["p256", "rsa2048"] {
        let make = || if label == "p256" { Signing::p256() } else { Signing::rsa2048() };
        let (root, ca, user) = (make(), make(), make());
        let anchor = root.certificate("Root", "Root", &root, true);
        let issuer = root.certificate("Root", "CA", &ca, true);
        let target = ca.certificate("CA", "Target", &user, false);
        let crls = [root.crl("Root"), ca.crl("CA")];
        let anchor = TrustAnchor::from_certificate_der(&anchor, AnchorRule::NameAndKey).expect("an anchor");
        let settings = Settings {
            revocation: RevocationRule::required_at(NOW_S),
            ..Settings::new(NOW_S, vec![Arc::new(anchor)], &AnyAlgorithm)
        };
        let certificates = [issuer.clone()];
        group.bench_with_input(BenchmarkId::new("judged", label), &(), |bencher, ()| {
            bencher.iter(|| assert!(judge(black_box(&target), &certificates, &crls, &settings)));
        });
        // The CA's key is new to each judgement, the anchor's is not.
        let spki = |signing: &Signing| signing.key.public_key_to_der().expect("a key");
        let key = |spki: &[u8]| VerificationKey::from_spki_der(spki).expect("a key");
        let (root_key, ca_spki) = (key(&spki(&root)), spki(&ca));
        group.bench_with_input(BenchmarkId::new("bare", label), &(), |bencher, ()| {
            bencher.iter(|| {
                let ca_key = key(&ca_spki);
                for (signed, key) in
                    [(&issuer, &root_key), (&crls[0], &root_key), (&target, &ca_key), (&crls[1], &ca_key)]
                {
                    let (tbs, algorithm, signature) = parts(black_box(signed));
                    key.verify(algorithm, tbs, signature).expect("good");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pkits, chain);
criterion_main!(benches);
