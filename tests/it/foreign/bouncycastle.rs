//! What BouncyCastle makes (tests/clients/bouncycastle/SignedMessages.java).

use libtest_mimic::{Failed, Trial};
use noonmark::verify::cms::{Content, SignedData, normalise, oid};

use super::super::support::clients;
use super::fixture::{CONTENT, pki};
use super::judged::{check, message, timestamp};
use super::structure::Node;
use super::{alteration, trial};

/// A message: its file, its algorithm, whether the content is in it, its level.
const MESSAGES: [(&str, &str, bool, &str); 11] = [
    ("attached.p7m", "ecdsa-sha256", true, "B"),
    ("detached.p7s", "ecdsa-sha256", false, "B"),
    ("der.p7m", "ecdsa-sha256", true, "B"),
    ("sha3.p7m", "ecdsa-sha3-256", true, "B"),
    ("pss.p7m", "rsa-pss-sha256", true, "B"),
    ("ed25519.p7m", "ed25519", true, "B"),
    ("ed448.p7m", "ed448", true, "B"),
    ("direct.p7m", "ecdsa-sha256", true, "CMS"),
    ("several.p7s", "ecdsa-sha256", false, "B"),
    ("countersigned.p7m", "ecdsa-sha256", true, "B"),
    ("stamped.p7s", "ecdsa-sha256", false, "T"),
];

const TOKENS: [&str; 4] = ["sha256.tst", "sha384.tst", "sha512.tst", "response.tsr"];

pub fn trials() -> Vec<Trial> {
    let messages = MESSAGES.map(|(file, algorithm, is_attached, level)| {
        trial(&format!("bouncycastle::{file}"), move || {
            let (pki, content) = (pki(), (!is_attached).then_some(CONTENT));
            let name = format!("BouncyCastle, {file}");
            let report = message(&name, &pki.bench(), &pki.by_bouncycastle(file), content)?;
            let first = &report.signatures[0];
            check(
                first.level == level && first.algorithm.as_deref().is_some_and(|one| one.contains(algorithm)),
                first,
            )?;
            check(first.counter_signatures.len() == usize::from(file == "countersigned.p7m"), first)?;
            check(first.timestamps.len() == usize::from(file == "stamped.p7s"), first)
        })
    });
    let tokens = TOKENS.map(|file| {
        trial(&format!("bouncycastle::{file}"), move || {
            let pki = pki();
            timestamp(&format!("BouncyCastle, {file}"), &pki.bench(), &pki.by_bouncycastle(file), CONTENT)?;
            Ok(())
        })
    });
    let archived = [
        trial("bouncycastle::archived_in_2025", archived_in_2025),
        trial("bouncycastle::archived_in_2050", archived_in_2050),
    ];
    let ignored = clients::bouncycastle().is_none();
    messages.into_iter().chain(tokens).chain(archived).map(|trial| trial.with_ignored_flag(ignored)).collect()
}

/// An archive timestamp (ats-hash-index-v3) while everything is good.
fn archived_in_2025() -> Result<(), Failed> {
    let pki = pki();
    let made = pki.by_bouncycastle("archived.p7s");
    let report = message("BouncyCastle, archived, in 2025", &pki.bench(), &made, Some(CONTENT))?;
    let kinds: Vec<&str> = report.signatures[0].timestamps.iter().map(|one| one.kind.as_str()).collect();
    check(report.signatures[0].level == "LTA" && kinds == ["signature-timestamp", "archive-timestamp"], &report)
}

/// All certificates but the archive timestamp's have ended: the signature stands by that, and without it, or with anything
/// altered that it covers, it does not.
fn archived_in_2050() -> Result<(), Failed> {
    let (pki, content) = (pki(), Content::Detached(CONTENT));
    let bench = pki.bench_of_the_archive();
    let made = pki.by_bouncycastle("archived.p7s");
    let report = bench.judge(&made, content)?;
    let signature = &report.signatures[0];
    check(signature.indication == "TOTAL-PASSED", &report)?;
    check(signature.best_signature_time.time == "2025-05-01T00:01:00Z", &report)?;
    check(signature.timestamps.iter().all(|one| one.indication == "PASSED"), &report)?;
    alteration::never_passes("BouncyCastle, archived, in 2050", &bench, &made, content, &report)?;

    let stamped = bench.judge(&pki.by_bouncycastle("stamped.p7s"), content)?;
    check(stamped.signatures[0].indication == "INDETERMINATE", &stamped)?;
    let der = normalise(&made)?.into_owned();
    let data = SignedData::from_der(&der)?;
    let attributes = data.signers[0].unsigned_attributes.list();
    let archive = attributes.iter().find(|one| one.oid == oid::ARCHIVE_TIMESTAMP_V3).ok_or("an archive timestamp")?;
    let at = der.windows(archive.whole.len()).position(|window| window == archive.whole).ok_or("its place")?;
    let without = Node::read(&der).with(&der, &[(&(at..at + archive.whole.len()), &[])]);
    let without = bench.judge(&without, content)?;
    check(without.signatures[0].indication == "INDETERMINATE", &without)
}
