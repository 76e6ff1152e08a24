//! NIST's PKITS: all 248 published cases and ten further settings, each with the path's revocation, at three times.
//!
//! testdata/pkits/manifest.json has the cases; where the data comes from is said there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use noonmark::asn1::Oid;
use noonmark::verify::signature::AnyAlgorithm;
use noonmark::verify::{
    AnchorRule, Certificate, CertificateStatus, Evidence, Failure, Fault, Judgement, Origin, PolicySet, RevocationRule,
    Settings, TrustAnchor, WhyNotUsed, judge_certificate,
};
use serde_json::Value;

/// 2011-01-02, 2020-01-01, 2030-12-01: the manifest's validation_time_window, which begins a few hours early, since the
/// expired certificates and a delta CRL's thisUpdate are of 2011-01-01T08:30:00Z.
const TIMES_S: [i64; 3] = [1_293_926_400, 1_577_836_800, 1_922_313_600];

pub fn trials() -> Vec<Trial> {
    let cases = manifest()["cases"].as_array().expect("cases").clone();
    let counts = (cases.len(), cases.iter().filter(|case| case["published"] == true).count());
    let mut trials: Vec<Trial> = cases
        .into_iter()
        .map(|case| {
            let name = format!("pkits::{}", case["id"].as_str().expect("an id"));
            Trial::test(name, move || run(&case))
        })
        .collect();
    trials.push(Trial::test("pkits::among_all_certificates", among_all_certificates));
    trials.push(Trial::test("pkits::every_case_is_there", move || {
        assert_eq!(counts, (258, 248));
        Ok(())
    }));
    trials
}

/// testdata/pkits/manifest.json.
pub fn manifest() -> Value {
    serde_json::from_slice(&read("manifest.json")).expect("the manifest is JSON")
}

/// A file of testdata/pkits.
pub fn read(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/pkits").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of one of a case's lists.
pub fn names<'a>(case: &'a Value, list: &str) -> impl Iterator<Item = &'a str> {
    case[list].as_array().expect("a list").iter().map(|name| name.as_str().expect("a name"))
}

/// The CRL of 4.4.4, whose signature is not of whole octets: a verifier has it as good as not.
const UNREADABLE: &str = "crls/BadCRLSignatureCACRL.crl";

/// A case's evidence.
fn evidence(case: &Value) -> Evidence {
    let mut evidence = Evidence::new();
    for name in names(case, "intermediates").chain(names(case, "other_certs")) {
        evidence.add_certificate_der(&read(name), Origin::Held).expect("a certificate");
    }
    for name in names(case, "crls") {
        let added = evidence.add_crl_der(&read(name), Origin::Held);
        assert_eq!(added.is_err(), name == UNREADABLE, "{name}: {added:?}");
    }
    evidence
}

fn oids(list: &Value) -> Vec<Oid> {
    list.as_array().expect("a list").iter().map(|oid| oid.as_str().expect("an OID").parse().expect("an OID")).collect()
}

/// A case's settings at a time.
pub fn settings<'a>(case: &Value, time_s: i64, anchor: &Arc<TrustAnchor>) -> Settings<'a> {
    let asked = &case["settings"];
    let flag = |name: &str| asked[name].as_bool().expect("a flag");
    let policies = oids(&asked["initial_policy_set"]);
    let any = policies.iter().any(|policy| policy.to_string() == "2.5.29.32.0");
    Settings {
        user_initial_policy_set: if any { PolicySet::Any } else { PolicySet::Of(policies) },
        explicit_policy: flag("initial_explicit_policy"),
        inhibit_policy_mapping: flag("initial_policy_mapping_inhibit"),
        inhibit_any_policy: flag("initial_inhibit_any_policy"),
        revocation: RevocationRule::required_at(time_s),
        ..Settings::new(time_s, vec![Arc::clone(anchor)], &AnyAlgorithm)
    }
}

fn run(case: &Value) -> Result<(), Failed> {
    let anchor =
        TrustAnchor::from_certificate_der(&read("certs/TrustAnchorRootCertificate.crt"), AnchorRule::NameAndKey);
    let anchor = Arc::new(anchor.map_err(|error| error.to_string())?);
    let target = read(case["target"].as_str().expect("a target"));
    let target = Arc::new(Certificate::from_der(&target).map_err(|error| error.to_string())?);
    let evidence = evidence(case);
    for time_s in TIMES_S {
        let judgement = judge_certificate(&target, &evidence, &settings(case, time_s, &anchor));
        check(case, &judgement).map_err(|wrong| format!("at {time_s}: {wrong}"))?;
    }
    Ok(())
}

/// Every case again, with the certificates of all cases held: the path is found among them, and none that is not there.
fn among_all_certificates() -> Result<(), Failed> {
    let anchor =
        TrustAnchor::from_certificate_der(&read("certs/TrustAnchorRootCertificate.crt"), AnchorRule::NameAndKey);
    let anchor = Arc::new(anchor?);
    let manifest = manifest();
    let cases = manifest["cases"].as_array().expect("cases");
    let mut all = Vec::new();
    for case in cases {
        for name in names(case, "intermediates").chain(names(case, "other_certs")) {
            all.push(Arc::new(Certificate::from_der(&read(name))?));
        }
    }
    for case in cases {
        let mut evidence = Evidence::new();
        for certificate in &all {
            evidence.add_certificate(Arc::clone(certificate), Origin::Held)?;
        }
        for name in names(case, "crls").filter(|name| *name != UNREADABLE) {
            evidence.add_crl_der(&read(name), Origin::Held)?;
        }
        let target = Arc::new(Certificate::from_der(&read(case["target"].as_str().expect("a target")))?);
        let judgement = judge_certificate(&target, &evidence, &settings(case, TIMES_S[1], &anchor));
        if judgement.is_good() != (case["expected"] == "valid") {
            return Err(format!("{}: {:?}, {:?}", case["id"], judgement.failure, judgement.spent).into());
        }
    }
    Ok(())
}

fn check(case: &Value, judgement: &Judgement) -> Result<(), String> {
    let expected = (case["expected"].as_str(), case["expected_reason"].as_str());
    let found = judgement.failure.as_ref().map(reason);
    let agrees = match expected {
        (Some("valid"), _) => found.is_none(),
        (_, Some(reason)) => found == Some(reason),
        _ => false,
    };
    if !agrees {
        return Err(format!("expected {expected:?}, found {:?}, {:?}", judgement.failure, judgement.chain));
    }
    let Some(chain) = judgement.chain.as_ref().filter(|_| judgement.is_good()) else { return Ok(()) };
    for link in &chain.links {
        assert!(matches!(&link.status, CertificateStatus::Good(sources) if !sources.is_empty()), "{:?}", link.status);
    }
    if !case["expected_authorities_policy_set"].is_null() {
        let expected: BTreeSet<Vec<u8>> =
            oids(&case["expected_authorities_policy_set"]).iter().map(|oid| oid.octets().to_vec()).collect();
        assert_eq!(chain.policies.authority_constrained, expected);
    }
    // A user notice stands in the qualifiers of the policies that hold, as it was written.
    if let Some(notice) = case["notice"].as_str() {
        let compact =
            |text: &[u8]| text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect::<Vec<_>>();
        let wanted = compact(notice.as_bytes());
        let stands = |octets: &Vec<u8>| compact(octets).windows(wanted.len()).any(|window| window == wanted);
        assert!(chain.policies.qualifiers.iter().any(stands), "{notice}: {:?}", chain.policies.qualifiers);
    }
    Ok(())
}

/// A failure by the manifest's words.
fn reason(failure: &Failure) -> &'static str {
    match failure {
        Failure::NoIssuer { .. } => "name-chaining",
        Failure::Revoked { .. } => "revoked",
        // 4.4.21: the certificate of who signed the CRL is revoked.
        Failure::StatusUnknown { not_used, .. } if not_used.iter().any(|one| one.why == WhyNotUsed::SignerRevoked) => {
            "revoked"
        }
        Failure::StatusUnknown { .. } => "revocation-undetermined",
        Failure::Certificate { fault, .. } => match fault {
            Fault::Signature(_) => "signature",
            Fault::NotYetValid { .. } => "not-yet-valid",
            Fault::Expired { .. } => "expired",
            Fault::Name { .. } => "name-constraints",
            Fault::NoPolicy | Fault::MappedAnyPolicy => "policy",
            Fault::NotCa { .. } => "basic-constraints",
            Fault::PathTooLong => "path-length",
            Fault::NoKeyCertSign => "key-usage",
            Fault::UnknownCriticalExtension { .. } => "unknown-critical-extension",
            _ => "other",
        },
        _ => "other",
    }
}
