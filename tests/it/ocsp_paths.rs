//! OpenSSL's OCSP path cases: answers by the CA and by delegates, each altered in its signature, responder, issuer, key.
//!
//! They lie outside the repository: NOONMARK_CORPUS, or shared/corpus beside the checkout. Without them the test is shown
//! as ignored.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use libtest_mimic::{Failed, Trial};
use noonmark::ca::pem_decode;
use noonmark::verify::signature::AnyAlgorithm;
use noonmark::verify::{
    AnchorRule, Certificate, CertificateStatus, Evidence, Origin, RevocationMode, RevocationRule, Settings,
    TrustAnchor, judge_certificate,
};
use serde_json::Value;

pub fn trials() -> Vec<Trial> {
    let Some(tokens) = super::limbo::corpus().map(|corpus| corpus.join("tokens")).filter(|path| path.exists()) else {
        return vec![Trial::test("ocsp_paths::every_case", || Ok(())).with_ignored_flag(true)];
    };
    let manifest = std::fs::read(tokens.join("ocsp-openssl.json")).expect("the manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let directory = tokens.join(text(&manifest["dir"]));
    let cases = manifest["cases"].as_array().expect("cases").clone();
    let trial = |case: Value| {
        let directory = directory.clone();
        Trial::test(format!("ocsp_paths::{}", text(&case["name"])), move || run(&directory, &case))
    };
    cases.into_iter().map(trial).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn run(directory: &Path, case: &Value) -> Result<(), Failed> {
    let certificate = |name: &Value| -> Vec<u8> {
        let text = std::fs::read_to_string(directory.join(text(name))).expect("a certificate");
        pem_decode("CERTIFICATE", &text).expect("PEM").remove(0)
    };
    let anchor = TrustAnchor::from_certificate_der(&certificate(&case["root"]), AnchorRule::NameAndKey)?;
    let mut evidence = Evidence::new();
    for name in case["other_certs"].as_array().expect("a list") {
        evidence.add_certificate_der(&certificate(name), Origin::Held)?;
    }
    for name in case["ocsps"].as_array().expect("a list") {
        let base64: PathBuf = directory.join(text(name));
        let base64: String = std::fs::read_to_string(base64)?.split_whitespace().collect();
        let der = base64::engine::general_purpose::STANDARD.decode(base64)?;
        evidence.add_ocsp_response_der(&der, Origin::Held)?;
    }
    let target = Arc::new(Certificate::from_der(&certificate(&case["cert"]))?);
    let time_s = text(&case["moment"]).parse::<jiff::Timestamp>()?.as_second();
    let settings = Settings {
        // Some cases hold no answer about the CA's certificate, and expect that nobody asks.
        revocation: RevocationRule { mode: RevocationMode::Told, ..RevocationRule::required_at(time_s) },
        ..Settings::new(time_s, vec![Arc::new(anchor)], &AnyAlgorithm)
    };
    let judgement = judge_certificate(&target, &evidence, &settings);
    let settled = |status: &CertificateStatus| match status {
        CertificateStatus::Good(_) => true,
        CertificateStatus::Unknown(not_used) => not_used.is_empty(),
        _ => false,
    };
    let links = judgement.chain.iter().flat_map(|chain| &chain.links);
    let found = judgement.is_good() && links.clone().all(|link| settled(&link.status));
    let target_is_good = links.clone().last().is_some_and(|link| matches!(link.status, CertificateStatus::Good(_)));
    let expected = case["expected"] == "valid";
    if found == expected && (!expected || target_is_good) {
        return Ok(());
    }
    let statuses: Vec<_> = links.map(|link| &link.status).collect();
    Err(format!("expected {expected}, found {:?}, {statuses:?}", judgement.failure).into())
}
