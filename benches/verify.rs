//! Judging by criterion: PKITS as a whole, and a chain of two levels with CRLs and a signed message with a timestamp, each
//! against its bare signatures.

mod signing;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use noonmark::asn1::{Oid, Reader, writer};
use noonmark::verify::blocks::{Anchors, Context};
use noonmark::verify::cms::{Content, oid};
use noonmark::verify::policy::Policy;
use noonmark::verify::report::Verdict;
use noonmark::verify::signature::{AnyAlgorithm, SignatureAlgorithm, VerificationKey};
use noonmark::verify::{
    AnchorRule, Certificate, Document, Evidence, Origin, PolicySet, RevocationRule, Settings, TrustAnchor,
    judge_certificate,
};
use serde_json::Value;
use signing::{NOW_S, Signer, Signing, Use, tst_info};

/// 2020-01-01.
const PKITS_TIME_S: i64 = 1_577_836_800;

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

/// What is signed, the algorithm, the signature.
fn parts(signed: &[u8]) -> (&[u8], SignatureAlgorithm, &[u8]) {
    let mut fields = Reader::only(signed, writer::SEQUENCE).expect("a SEQUENCE");
    let tbs = fields.expect(writer::SEQUENCE).expect("what is signed").whole;
    let algorithm = fields.expect(writer::SEQUENCE).expect("an algorithm").whole;
    let signature = &fields.expect(writer::BIT_STRING).expect("a signature").content[1..];
    (tbs, SignatureAlgorithm::from_identifier_der(algorithm).expect("an algorithm"), signature)
}

fn key(spki: &[u8]) -> VerificationKey {
    VerificationKey::from_spki_der(spki).expect("a key")
}

/// Anchor, CA, target, and a CRL of each issuer: four signatures.
fn chain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chain");
    for label in ["p256", "rsa2048"] {
        let [root, ca, user] = std::array::from_fn(|_| Signing::new(label));
        let anchor = root.certificate("Root", "Root", &root, 1, Use::Ca);
        let issuer = root.certificate("Root", "CA", &ca, 2, Use::Ca);
        let target = ca.certificate("CA", "Target", &user, 3, Use::Signer);
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
        let (root_key, ca_spki) = (key(&root.spki()), ca.spki());
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

/// Content of 1 KiB, signed under root and CA, the signature stamped by a unit under the same root, a CRL of each issuer: seven
/// signatures under four keys.
struct Signed {
    message: Vec<u8>,
    crls: [Vec<u8>; 2],
    root: Vec<u8>,
    /// Each with its signer's key, by its place in `spkis`: what is signed, the algorithm, the signature.
    signatures: Vec<(usize, Vec<u8>, SignatureAlgorithm, Vec<u8>)>,
    /// Root, CA, signer, unit.
    spkis: [Vec<u8>; 4],
}

impl Signed {
    fn new(label: &str) -> Self {
        let [root_key, ca_key, signer_key, unit_key] = std::array::from_fn(|_| Signing::new(label));
        let root = root_key.certificate("Root", "Root", &root_key, 1, Use::Ca);
        let ca = root_key.certificate("Root", "CA", &ca_key, 2, Use::Ca);
        let signer = ca_key.certificate("CA", "Signer", &signer_key, 3, Use::Signer);
        let unit = root_key.certificate("Root", "Unit", &unit_key, 4, Use::TimestampingUnit);
        let crls = [root_key.crl("Root"), ca_key.crl("CA")];
        let content = [0x5a; 1024];
        let signs = Signer { signing: &signer_key, certificate: &signer };
        let stamps = Signer { signing: &unit_key, certificate: &unit };
        let signature = signs.sign(oid::DATA, &content);
        let info = tst_info(&signature.octets, &[7]);
        let stamp = stamps.sign(oid::TST_INFO, &info);
        let token = stamps.message(oid::TST_INFO, &info, &stamp, &[&unit], None);
        let message = signs.message(oid::DATA, &content, &signature, &[&signer, &ca], Some(&token));
        let of_anything = |place: usize, signed: &[u8]| {
            let (tbs, algorithm, signature) = parts(signed);
            (place, tbs.to_vec(), algorithm, signature.to_vec())
        };
        let mut signatures = vec![
            of_anything(0, &ca),
            of_anything(0, &unit),
            of_anything(0, &crls[0]),
            of_anything(1, &signer),
            of_anything(1, &crls[1]),
        ];
        let algorithm = signatures[0].2;
        signatures.push((2, signature.attributes, algorithm, signature.octets));
        signatures.push((3, stamp.attributes, algorithm, stamp.octets));
        let spkis = [&root_key, &ca_key, &signer_key, &unit_key].map(Signing::spki);
        Self { message, crls, root, signatures, spkis }
    }

    /// Everything from the octets on, by the default policy.
    fn judge(&self, anchors: &Anchors) -> Verdict {
        let document = Document::read(black_box(&self.message)).expect("a message");
        let mut evidence = Evidence::new();
        for crl in &self.crls {
            evidence.add_crl_der(crl, Origin::Held).expect("a CRL");
        }
        let not_taken = document.add_to(&mut evidence).expect("a message");
        let policy = Policy::default_policy();
        let context =
            Context { time_s: NOW_S, evidence_until_s: NOW_S, evidence: &evidence, policy, anchors, kept: None };
        document.judge(Content::Attached, context, &not_taken).expect("a message").verdict
    }
}

fn signed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("signed");
    for label in ["p256", "rsa2048"] {
        let signed = Signed::new(label);
        let anchor = TrustAnchor::from_certificate_der(&signed.root, AnchorRule::NameAndKey).expect("an anchor");
        let anchors = Anchors::for_everything(vec![Arc::new(anchor)]);
        group.bench_with_input(BenchmarkId::new("judged", label), &(), |bencher, ()| {
            bencher.iter(|| assert_eq!(signed.judge(&anchors), Verdict::Passed));
        });
        // The root's key is kept; the others are new to each message.
        let root_key = key(&signed.spkis[0]);
        group.bench_with_input(BenchmarkId::new("bare", label), &(), |bencher, ()| {
            bencher.iter(|| {
                let others: Vec<VerificationKey> = signed.spkis[1..].iter().map(|spki| key(spki)).collect();
                for (place, octets, algorithm, signature) in black_box(&signed.signatures) {
                    let key = if *place == 0 { &root_key } else { &others[*place - 1] };
                    key.verify(*algorithm, octets, signature).expect("good");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pkits, chain, signed);
criterion_main!(benches);
