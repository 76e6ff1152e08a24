//! x509-limbo: every case, against what it expects or against the list of differences.
//!
//! The cases lie outside the repository: NOONMARK_CORPUS, or shared/corpus beside the checkout. Without them the tests are
//! shown as ignored. testdata/limbo-differences.json has the cases whose answer is another one here, each with why; one that
//! agrees after all fails as well.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use noonmark::ca::pem_decode;
use noonmark::verify::signature::CurrentAlgorithms;
use noonmark::verify::{
    AnchorRule, Certificate, Conformance, Evidence, Origin, RevocationRule, Settings, TrustAnchor, judge_certificate,
};
use serde_json::Value;

const DIFFERENCES: &str = include_str!("../../testdata/limbo-differences.json");

/// id-kp-serverAuth and id-kp-clientAuth.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

pub fn trials() -> Vec<Trial> {
    let file = corpus().map(|corpus| corpus.join("limbo/limbo.json")).filter(|file| file.exists());
    let differences: BTreeMap<String, String> = serde_json::from_str(DIFFERENCES).expect("a map from case to reason");
    let Some(file) = file else {
        return vec![Trial::test("limbo::every_case", || Ok(())).with_ignored_flag(true)];
    };
    let limbo: Value = serde_json::from_slice(&std::fs::read(file).expect("the cases")).expect("JSON");
    let cases = limbo["testcases"].as_array().expect("cases").clone();
    let ids: BTreeSet<String> = cases.iter().map(|case| text(&case["id"])).collect();
    let known: BTreeSet<String> = differences.keys().cloned().collect();
    let mut trials: Vec<Trial> = cases
        .into_iter()
        .map(|case| {
            let id = text(&case["id"]);
            let difference = differences.get(&id).cloned();
            Trial::test(format!("limbo::{id}"), move || run(&case, difference.as_deref()))
        })
        .collect();
    trials.push(Trial::test("limbo::every_difference_is_of_a_case", move || {
        assert_eq!(known.difference(&ids).collect::<Vec<_>>(), Vec::<&String>::new());
        Ok(())
    }));
    trials
}

pub fn corpus() -> Option<PathBuf> {
    match std::env::var_os("NOONMARK_CORPUS") {
        Some(corpus) => Some(corpus.into()),
        None => Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus")).filter(|path| path.exists()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn run(case: &Value, difference: Option<&str>) -> Result<(), Failed> {
    let expected = case["expected_result"] == "SUCCESS";
    let found = judge(case);
    match (found.is_ok() == expected, difference) {
        (true, None) | (false, Some(_)) => Ok(()),
        (true, Some(reason)) => Err(format!("agrees after all, though: {reason}").into()),
        (false, None) => Err(format!("expected {expected}, found {found:?}").into()),
    }
}

/// The groups that try what certificates and CRLs must and must not hold. The others are about paths, and some of their
/// chains, from the field, do not keep every MUST.
const CONFORMANCE: [&str; 3] = ["rfc5280::", "webpki::", "crl::"];

/// Judges a case: with everything that RFC 5280 asks of certificates where it is about that, and with its revocation where
/// it has CRLs.
fn judge(case: &Value) -> Result<(), String> {
    let der = |pem: &Value| {
        pem_decode("CERTIFICATE", &text(pem)).map_err(|error| error.to_string()).map(|mut all| all.remove(0))
    };
    let list = |name: &str| case[name].as_array().cloned().unwrap_or_default();
    let mut anchors = Vec::new();
    for pem in list("trusted_certs") {
        // A certificate that can't be read is no anchor; others may still be.
        anchors.extend(TrustAnchor::from_certificate_der(&der(&pem)?, AnchorRule::WholeCertificate).ok().map(Arc::new));
    }
    let mut evidence = Evidence::new();
    for pem in list("untrusted_intermediates") {
        evidence.add_certificate_der(&der(&pem)?, Origin::Embedded).map_err(|error| error.to_string())?;
    }
    let crls = list("crls");
    for pem in &crls {
        let der = pem_decode("X509 CRL", &text(pem)).map_err(|error| error.to_string())?.remove(0);
        evidence.add_crl_der(&der, Origin::Held).map_err(|error| error.to_string())?;
    }
    let target = Certificate::from_der(&der(&case["peer_certificate"])?).map_err(|error| error.to_string())?;
    let time_s = match case["validation_time"].as_str() {
        Some(time) => time.parse::<jiff::Timestamp>().map_err(|error| error.to_string())?.as_second(),
        // 2026-01-01: the cases are good for centuries, but for those that were fetched, which name a time.
        None => 1_767_225_600,
    };
    let usages = list("extended_key_usage");
    let purpose = match usages.first().and_then(Value::as_str) {
        Some("clientAuth") => CLIENT_AUTH,
        _ => SERVER_AUTH,
    };
    let conformance = CONFORMANCE.iter().any(|group| text(&case["id"]).starts_with(group));
    let settings = Settings {
        purpose: (!usages.is_empty()).then_some(purpose),
        max_path_length: case["max_chain_depth"].as_u64().map(|depth| u32::try_from(depth).unwrap_or(u32::MAX)),
        conformance: if conformance { Conformance::Required } else { Conformance::Told },
        revocation: if crls.is_empty() { RevocationRule::NOT_ASKED } else { RevocationRule::required_at(time_s) },
        ..Settings::new(time_s, anchors, &CurrentAlgorithms)
    };
    let judgement = judge_certificate(&Arc::new(target), &evidence, &settings);
    judgement.failure.map_or(Ok(()), |failure| Err(format!("{failure}; {:?}", judgement.spent)))
}
