//! Policies from their files: end dates to the second, what is refused and how, what is extended.

use std::path::Path;

use super::*;
use crate::verify::signature::{AlgorithmPolicy, Curve, Digest, KeyAlgorithm, SignatureAlgorithm};

fn policy(text: &str) -> Policy {
    Policy::from_toml(text, "test").unwrap_or_else(|error| panic!("{error}"))
}

fn message(text: &str) -> String {
    Policy::from_toml(text, "test").unwrap_err().to_string()
}

fn seconds(date: &str) -> i64 {
    crate::clock::from_rfc3339(&format!("{date}T00:00:00Z")).unwrap()
}

/// The date, or "open" or "never", as a reliability.
fn ends(text: &str) -> Reliability {
    match text {
        "open" => Reliability::Open,
        "never" => Reliability::Never,
        date => Reliability::Until(seconds(date)),
    }
}

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

#[test]
fn digests_end_when_ts_119_312_says() {
    let suites = &Policy::default_policy().suites;
    for (digest, end) in [
        (Digest::Md5, "2004-08-01"),
        (Digest::Sha1, "2012-08-01"),
        (Digest::Ripemd160, "2014-08-01"),
        (Digest::Sha224, "2029-01-01"),
        (Digest::Sha256, "open"),
        (Digest::Sha384, "open"),
        (Digest::Sha512, "open"),
        (Digest::Sha3_224, "open"),
        (Digest::Sha3_256, "open"),
        (Digest::Sha3_384, "open"),
        (Digest::Sha3_512, "open"),
        (Digest::Shake256, "open"),
    ] {
        assert_eq!(suites.digest_reliable_until(digest), ends(end), "{}", digest.name());
    }
    // WHIRLPOOL is listed, but not computed here.
    assert_eq!(suites.named_digest("whirlpool"), ends("2020-12-01"));
}

#[test]
fn keys_end_when_ts_119_312_says_to_the_second() {
    use KeyAlgorithm as K;
    let suites = &Policy::default_policy().suites;
    let pkcs1 = SignatureAlgorithm::RsaPkcs1(Digest::Sha256);
    let pss = SignatureAlgorithm::RsaPss { digest: Digest::Sha256, mask_digest: Digest::Sha256, salt_octets: 32 };
    let dsa = SignatureAlgorithm::Dsa(Digest::Sha256);
    let ecdsa = SignatureAlgorithm::Ecdsa(Digest::Sha256);
    let mut cases = vec![
        (ecdsa, K::Ec(Curve::P192), "2012-08-01"),
        (ecdsa, K::Ec(Curve::P224), "2021-10-01"),
        (dsa, K::Dsa { bits: None }, "never"),
        (dsa, K::Dsa { bits: Some(1023) }, "never"),
        (dsa, K::Dsa { bits: Some(1024) }, "2015-12-01"),
        (dsa, K::Dsa { bits: Some(1899) }, "2015-12-01"),
        (dsa, K::Dsa { bits: Some(2048) }, "2029-01-01"),
        (dsa, K::Dsa { bits: Some(3072) }, "open"),
        (pkcs1, K::Rsa { bits: 3000 }, "2029-01-01"),
        (pkcs1, K::Rsa { bits: 16_384 }, "2029-01-01"),
        (pss, K::Rsa { bits: 2999 }, "2029-01-01"),
        (pss, K::Rsa { bits: 3000 }, "open"),
        (pss, K::RsaPss { bits: 2048 }, "2029-01-01"),
        (pss, K::RsaPss { bits: 4096 }, "open"),
        (SignatureAlgorithm::Ed25519, K::Ed25519, "open"),
        (SignatureAlgorithm::Ed448, K::Ed448, "open"),
        // What does not go together.
        (pkcs1, K::RsaPss { bits: 4096 }, "never"),
        (ecdsa, K::Rsa { bits: 4096 }, "never"),
        (SignatureAlgorithm::Ed25519, K::Ed448, "never"),
    ];
    for curve in [
        Curve::P256,
        Curve::P384,
        Curve::P521,
        Curve::Secp256k1,
        Curve::BrainpoolP256r1,
        Curve::BrainpoolP320r1,
        Curve::BrainpoolP384r1,
        Curve::BrainpoolP512r1,
    ] {
        cases.push((ecdsa, K::Ec(curve), "open"));
    }
    for (bits, end) in [
        (785, "never"),
        (786, "2010-08-01"),
        (1023, "2010-08-01"),
        (1024, "2019-10-01"),
        (1536, "2019-10-01"),
        (1899, "2019-10-01"),
        (1900, "2029-01-01"),
        (2048, "2029-01-01"),
    ] {
        cases.extend([(pkcs1, K::Rsa { bits }, end), (pss, K::Rsa { bits }, end)]);
    }
    for (signature, key, end) in cases {
        let permitted = |time_s| suites.at(time_s).permits(signature, key);
        match ends(end) {
            Reliability::Until(end_s) => {
                assert!(permitted(end_s - 1), "{signature} by {key} before {end}");
                assert!(!permitted(end_s), "{signature} by {key} at {end}");
            }
            Reliability::Open => assert!(permitted(i64::MAX), "{signature} by {key}"),
            Reliability::Never => assert!(!permitted(i64::MIN), "{signature} by {key}"),
        }
    }
}

#[test]
fn a_signature_ends_with_its_weakest_part() {
    let suites = &Policy::default_policy().suites;
    let key = KeyAlgorithm::Rsa { bits: 4096 };
    let pss = |digest, mask_digest| SignatureAlgorithm::RsaPss { digest, mask_digest, salt_octets: 20 };
    let end = |signature| suites.reliable_until(signature, key);
    assert_eq!(end(SignatureAlgorithm::RsaPkcs1(Digest::Md5)), ends("2004-08-01"));
    assert_eq!(end(SignatureAlgorithm::RsaPkcs1(Digest::Sha512)), ends("2029-01-01"));
    assert_eq!(end(pss(Digest::Sha256, Digest::Sha256)), Reliability::Open);
    assert_eq!(end(pss(Digest::Sha256, Digest::Sha1)), ends("2012-08-01"));
    assert_eq!(end(pss(Digest::Sha224, Digest::Sha256)), ends("2029-01-01"));
    let p192 = KeyAlgorithm::Ec(Curve::P192);
    assert_eq!(suites.reliable_until(SignatureAlgorithm::Ecdsa(Digest::Sha224), p192), ends("2012-08-01"));
    assert!(Reliability::Never < Reliability::Until(i64::MIN) && Reliability::Until(i64::MAX) < Reliability::Open);
}

#[test]
fn what_is_not_listed_is_never_reliable() {
    let text = include_str!("default.toml");
    let without = |line: &str| {
        assert_eq!(text.matches(line).count(), 1, "{line}");
        policy(&text.replace(line, "")).suites
    };
    let digest = without("sha256 = \"open\"\n");
    assert_eq!(digest.digest_reliable_until(Digest::Sha256), Reliability::Never);
    let named = without("ed25519 = \"open\"\n");
    let end = named.reliable_until(SignatureAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    assert_eq!(end, Reliability::Never);
    // What stands below then holds.
    let sized = without("\n256 = \"open\"");
    let end = sized.reliable_until(SignatureAlgorithm::Ecdsa(Digest::Sha384), KeyAlgorithm::Ec(Curve::P384));
    assert_eq!(end, ends("2021-10-01"));
}

#[test]
fn the_default_is_strict() {
    let policy = Policy::default_policy();
    assert_eq!((policy.name.as_str(), policy.anchors.len()), ("default", 0));
    let chain = ChainConstraints {
        policies: PolicySet::Any,
        explicit_policy: false,
        inhibit_policy_mapping: false,
        inhibit_any_policy: false,
        max_path_length: None,
        conformance: Conformance::Told,
        purposes: Vec::new(),
    };
    assert_eq!((&policy.signer, &policy.timestamps), (&chain, &chain));
    let revocation = RevocationPolicy {
        signer: RevocationMode::Required,
        timestamps: RevocationMode::Required,
        freshness: Freshness::NextUpdate,
        timestamp_freshness: TimestampFreshness::GenTime,
        without_next_update_s: None,
        reason_rule: true,
    };
    assert_eq!(policy.revocation, revocation);
    assert_eq!(policy.timestamps_trusted, TimestampTrust::default());
    use {Constraint as C, Level as L};
    for (level, constraints) in [
        (L::Ignore, vec![C::SignatureTimestamp, C::ContentTimestamp]),
        (
            L::Inform,
            vec![
                C::SigningCertificateIssuerSerial,
                C::SigningTimeAttribute,
                C::SignaturePolicy,
                C::TimestampTsaName,
                C::CertificateConformance,
                C::MessageStructure,
                C::UnreadEvidence,
            ],
        ),
        (
            L::Warn,
            vec![
                C::SigningCertificateAttribute,
                C::TimestampOnlyPurpose,
                C::TimestampPurposeCritical,
                C::CounterSignature,
            ],
        ),
        (
            L::Fail,
            vec![C::SignerKeyUsage, C::TimestampOrder, C::TimestampDelay, C::TimestampAccuracy, C::TimestampTsaPolicy],
        ),
    ] {
        let of_level = C::ALL.iter().copied().filter(|constraint| policy.levels.level(*constraint) == level);
        assert_eq!(of_level.collect::<Vec<_>>(), constraints, "{level}");
    }
}

#[test]
fn the_default_file_lists_everything() {
    let text = include_str!("default.toml");
    for constraint in Constraint::ALL {
        assert_eq!(text.matches(&format!("\n{constraint} = ")).count(), 1, "{constraint}");
    }
    for digest in suites::DIGESTS {
        assert_eq!(text.matches(&format!("\n{digest} = ")).count(), 1, "{digest}");
    }
    // Without any one of its other lines it is no policy.
    let (suites_at, chains_at) = (text.find("[suites").unwrap(), text.find("[signer]").unwrap());
    let mut at = 0;
    let mut missed = 0;
    for line in text.split_inclusive('\n') {
        let less = format!("{}{}", &text[..at], &text[at + line.len()..]);
        let in_suites = (suites_at..chains_at).contains(&at);
        at += line.len();
        let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with("#") && !in_suites) else { continue };
        if key == "extends" {
            continue;
        }
        let error = Policy::from_toml(&less, "test").unwrap_err();
        assert!(matches!(&error, PolicyError::Missing { key: name, .. } if name.ends_with(key)), "{line}: {error}");
        missed += 1;
    }
    // A description, four keys a chain, five of revocation.
    assert_eq!(missed, 1 + 2 * 4 + 5 + Constraint::ALL.len());
}

#[test]
fn without_revocation_differs_by_it_alone() {
    let default = Policy::default_policy();
    let without = Policy::built_in("without-revocation").unwrap();
    let told =
        RevocationPolicy { signer: RevocationMode::Told, timestamps: RevocationMode::Told, ..default.revocation };
    let expected = Policy {
        name: without.name.clone(),
        description: without.description.clone(),
        revocation: told,
        ..default.clone()
    };
    assert_eq!(*without, expected);
    for name in Policy::BUILT_IN {
        assert_eq!(Policy::built_in(name).unwrap().name, name);
    }
    assert_eq!(Policy::built_in("other"), None);
}

#[test]
fn a_file_changes_what_it_says_and_nothing_else() {
    let default = Policy::default_policy();
    let same = Policy { name: "test".to_owned(), ..default.clone() };
    assert_eq!(policy(""), same);
    assert_eq!(policy("extends = \"default\""), same);
    let told = policy("extends = \"without-revocation\"\n[revocation]\nsigner = \"not-asked\"");
    assert_eq!(told.revocation.signer, RevocationMode::NotAsked);
    assert_eq!(told.revocation.timestamps, RevocationMode::Told);
    assert!(told.revocation.reason_rule);

    let changed = policy(
        "[suites.digests]\nsha1 = 2030-01-01\nsha512 = \"never\"\n[suites.keys]\ned448 = \"never\"\n\
         [suites.keys.ecdsa]\n384 = \"2040-01-01T12:00:00Z\"\n[levels]\nsignature-timestamp = \"fail\"\n",
    );
    assert_eq!(changed.suites.digest_reliable_until(Digest::Sha1), ends("2030-01-01"));
    assert_eq!(changed.suites.digest_reliable_until(Digest::Sha512), Reliability::Never);
    assert_eq!(changed.suites.digest_reliable_until(Digest::Md5), ends("2004-08-01"));
    let end =
        |curve| changed.suites.key_reliable_until(SignatureAlgorithm::Ecdsa(Digest::Sha256), KeyAlgorithm::Ec(curve));
    assert_eq!(end(Curve::BrainpoolP320r1), Reliability::Open);
    assert_eq!(end(Curve::P521), Reliability::Until(seconds("2040-01-01") + 43_200));
    assert_eq!(changed.levels.level(Constraint::SignatureTimestamp), Level::Fail);
    assert_eq!(changed.levels.level(Constraint::ContentTimestamp), Level::Ignore);
    assert_eq!((&changed.signer, &changed.revocation), (&default.signer, &default.revocation));
}

const EVERYTHING: &str = r#"
extends = "without-revocation"
description = "Contracts"

[suites.digests]
sha224 = "never"

[[anchors]]
path = "anchors/members.p12"
password_file = "anchors/members.password"
for = "signatures"
from = 2020-01-01
until = "2030-01-01T00:00:00Z"
max_path_length = 1
policies = ["1.3.6.1.4.1.32473.1"]
whole_certificate = true

[[anchors]]
path = "anchors/tsa.pem"
for = "timestamps"

[[anchors]]
path = "/etc/ssl/ca.pem"

[signer]
policies = ["1.3.6.1.4.1.32473.1", "1.3.6.1.4.1.32473.2"]
explicit_policy = true
inhibit_policy_mapping = true
inhibit_any_policy = true
max_path_length = 2
conformance = "required"
purposes = ["1.3.6.1.5.5.7.3.36"]

[timestamps]
policies = ["0.4.0.2023.1.1"]
explicit_policy = true
max_path_length = 0
conformance = "required"
tsa_policies = ["0.4.0.2023.1.1"]
max_accuracy = "1s"
max_delay = "24h"

[revocation]
signer = "required"
timestamps = "not-asked"
freshness = "7d"
timestamp_freshness = "judging-time"
without_next_update = "30m"
reason_rule = false

[levels]
signature-timestamp = "fail"
counter-signature = "ignore"
"#;

#[test]
fn everything_that_a_file_says_is_taken() {
    let policy = policy(EVERYTHING);
    assert_eq!((policy.name.as_str(), policy.description.as_str()), ("test", "Contracts"));
    assert_eq!(policy.suites.digest_reliable_until(Digest::Sha224), Reliability::Never);
    let [members, tsa, system] = policy.anchors.as_slice() else { panic!("{:?}", policy.anchors) };
    let expected = AnchorFile {
        path: "anchors/members.p12".into(),
        password_file: Some("anchors/members.password".into()),
        for_: AnchorUse::Signatures,
        constraints: AnchorConstraints {
            from_s: Some(seconds("2020-01-01")),
            until_s: Some(seconds("2030-01-01") - 1),
            max_path_length: Some(1),
            name_constraints: None,
            policies: Some(vec![oid("1.3.6.1.4.1.32473.1")]),
        },
        whole_certificate: true,
    };
    assert_eq!(*members, expected);
    assert_eq!((tsa.for_, &tsa.constraints), (AnchorUse::Timestamps, &AnchorConstraints::default()));
    assert_eq!((system.for_, system.path.as_path()), (AnchorUse::Any, Path::new("/etc/ssl/ca.pem")));
    assert!(!system.whole_certificate && system.password_file.is_none());
    let signer = ChainConstraints {
        policies: PolicySet::Of(vec![oid("1.3.6.1.4.1.32473.1"), oid("1.3.6.1.4.1.32473.2")]),
        explicit_policy: true,
        inhibit_policy_mapping: true,
        inhibit_any_policy: true,
        max_path_length: Some(2),
        conformance: Conformance::Required,
        purposes: vec![oid("1.3.6.1.5.5.7.3.36")],
    };
    assert_eq!(policy.signer, signer);
    let timestamps = ChainConstraints {
        policies: PolicySet::Of(vec![oid("0.4.0.2023.1.1")]),
        explicit_policy: true,
        inhibit_policy_mapping: false,
        inhibit_any_policy: false,
        max_path_length: Some(0),
        conformance: Conformance::Required,
        purposes: Vec::new(),
    };
    assert_eq!(policy.timestamps, timestamps);
    let trusted = TimestampTrust {
        tsa_policies: vec![oid("0.4.0.2023.1.1")],
        max_accuracy_s: Some(1),
        max_delay_s: Some(86_400),
    };
    assert_eq!(policy.timestamps_trusted, trusted);
    let revocation = RevocationPolicy {
        signer: RevocationMode::Required,
        timestamps: RevocationMode::NotAsked,
        freshness: Freshness::MaxAge { seconds: 604_800 },
        timestamp_freshness: TimestampFreshness::JudgingTime,
        without_next_update_s: Some(1_800),
        reason_rule: false,
    };
    assert_eq!(policy.revocation, revocation);
    assert_eq!(policy.levels.level(Constraint::SignatureTimestamp), Level::Fail);
    assert_eq!(policy.levels.level(Constraint::CounterSignature), Level::Ignore);
    assert_eq!(policy.levels.level(Constraint::SignerKeyUsage), Level::Fail);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, words) in [
        ("\nextend = \"default\"", 2, "unknown field `extend`"),
        ("extends = \"strict\"", 1, "write one of default, without-revocation, nothing"),
        ("[suites]\nsha256 = \"open\"", 2, "expected `digests` or `keys`"),
        ("[suites.digests]\nsha257 = \"open\"", 2, "\"sha257\" is no digest; write one of md5, sha1"),
        ("[suites.digests]\nsha1 = \"2012\"", 2, "write \"open\", \"never\", or a date such as 2029-01-01"),
        ("[suites.digests]\nsha1 = 2012-08-01T00:00:00", 2, "is no end"),
        ("[suites.digests]\nsha1 = 2012", 2, "expected \"open\", \"never\""),
        ("[suites.digests]\nsha1 = { until = 2012-08-01 }", 2, "a table; expected \"open\""),
        ("[suites.keys]\nrsa = \"open\"", 2, "unknown field `rsa`, expected one of `rsa-pkcs1`, `rsa-pss`"),
        ("[suites.keys.rsa-pss]\nlarge = \"open\"", 2, "\"large\" is no key's size"),
        ("[suites.keys]\ned25519 = true", 2, "expected \"open\""),
        ("[[anchors]]\nfor = \"any\"", 1, "missing field `path`"),
        ("[[anchors]]\npath = \"a\"\nfor = \"all\"", 3, "write one of any, signatures, timestamps"),
        ("[[anchors]]\npath = \"a\"\nfrom = \"soon\"", 3, "write a date such as 2029-01-01"),
        ("[[anchors]]\npath = \"a\"\npassword = \"p\"", 3, "unknown field `password`"),
        ("[[anchors]]\npath = \"a\"\nmax_path_length = -1", 3, "invalid value"),
        ("[signer]\npolicies = [\n\"1.2.3\",\n\"any\"]", 4, "\"any\" is no object identifier"),
        ("[signer]\nconformance = \"strict\"", 2, "write one of told, required"),
        ("[timestamps]\npurposes = []", 2, "unknown field `purposes`"),
        ("[timestamps]\nmax_delay = 86400", 2, "expected a text such as \"90s\""),
        ("[timestamps]\nmax_delay = \"1w\"", 2, "\"1w\" is no duration"),
        ("[revocation]\nsigner = \"always\"", 2, "write one of required, told, not-asked"),
        ("[revocation]\nfreshness = \"fresh\"", 2, "write \"next-update\", or the greatest age"),
        ("[revocation]\ntimestamp_freshness = \"now\"", 2, "write one of gen-time, judging-time"),
        ("[revocation]\nreason_rule = \"yes\"", 2, "expected a boolean"),
        ("[levels]\ntimestamp = \"fail\"", 2, "\"timestamp\" is no constraint; write one of signing-certificate-"),
        ("[levels]\ntimestamp-order = \"error\"", 2, "write one of fail, warn, inform, ignore"),
        ("[levels]\ntimestamp-order = \"fail\"\ntimestamp-order = \"warn\"", 3, "duplicate key"),
        ("description = \"a\"\n\n[", 3, "parse error"),
    ] {
        let told = message(text);
        assert!(told.starts_with("policy test: TOML parse error at line "), "{text}: {told}");
        assert!(told.contains(&format!("at line {line},")) && told.contains(words), "{text}: {told}");
    }
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    let value = |text: &str| match Policy::from_toml(text, "test") {
        Err(PolicyError::Value { key, .. }) => key,
        other => panic!("{text}: {other:?}"),
    };
    let span = "[[anchors]]\npath = \"a\"\n[[anchors]]\npath = \"b\"\nfrom = 2029-01-01\nuntil = 2029-01-01";
    assert_eq!(value(span), "anchors.until of the entry 2");
    assert_eq!(value("[[anchors]]\npath = \"\""), "anchors.path of the entry 1");
    assert_eq!(value("[[anchors]]\npath = \"a\"\npolicies = []"), "anchors.policies of the entry 1");
    assert_eq!(value("[signer]\npolicies = []"), "signer.policies");
    assert_eq!(value("[timestamps]\npolicies = []"), "timestamps.policies");
    let missing = message("extends = \"nothing\"\ndescription = \"a\"");
    assert!(missing.starts_with("policy test: levels.signing-certificate-attribute is missing"), "{missing}");
}

#[test]
fn names_lists_and_the_file_are_bounded() {
    for name in ["", "Default", "a b", "../a"] {
        assert_eq!(Policy::from_toml("", name), Err(PolicyError::Name { name: name.to_owned() }));
    }
    let long = format!("#{}", " ".repeat(MAX_POLICY_OCTETS - 1));
    assert!(Policy::from_toml(&long, "test").is_ok());
    let error = PolicyError::TooLong { policy: "test".to_owned(), octets: MAX_POLICY_OCTETS + 1 };
    assert_eq!(Policy::from_toml(&format!("{long} "), "test"), Err(error));
    let list =
        |key: &str, count: usize| Policy::from_toml(&format!("{key} = [{}]", "\"1.2.3\",".repeat(count)), "test");
    for (key, name) in [
        ("signer.policies", "signer.policies"),
        ("signer.purposes", "signer.purposes"),
        ("timestamps.policies", "timestamps.policies"),
        ("timestamps.tsa_policies", "timestamps.tsa_policies"),
    ] {
        assert!(list(key, 1024).is_ok(), "{key}");
        let error = PolicyError::TooMany { policy: "test".to_owned(), key: name.to_owned(), count: 1025 };
        assert_eq!(list(key, 1025), Err(error));
    }
    let anchors = |count: usize| Policy::from_toml(&"[[anchors]]\npath = \"a\"\n".repeat(count), "test");
    assert_eq!(anchors(1024).map(|policy| policy.anchors.len()), Ok(1024));
    assert!(matches!(anchors(1025), Err(PolicyError::TooMany { count: 1025, .. })));
    let sizes: String = (1..=1025).map(|bits| format!("{bits} = \"open\"\n")).collect();
    let sized = Policy::from_toml(&format!("[suites.keys.dsa]\n{sizes}"), "test");
    assert!(matches!(sized, Err(PolicyError::TooMany { count: 1025, .. })));
}

#[test]
fn evidence_is_fresh_to_the_second() {
    let revocation = |freshness, without_next_update_s| RevocationPolicy {
        freshness,
        without_next_update_s,
        ..Policy::default_policy().revocation
    };
    let next_update = revocation(Freshness::NextUpdate, None);
    assert!(next_update.is_fresh(0, Some(100), 100));
    assert!(!next_update.is_fresh(0, Some(100), 101));
    assert!(!next_update.is_fresh(0, None, 0));
    let lasting = revocation(Freshness::NextUpdate, Some(50));
    assert!(lasting.is_fresh(0, None, 50) && !lasting.is_fresh(0, None, 51));
    let aged = revocation(Freshness::MaxAge { seconds: 10 }, None);
    assert!(aged.is_fresh(90, Some(95), 100) && !aged.is_fresh(89, Some(200), 100));
}
