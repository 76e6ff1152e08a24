//! What pyHanko makes (tests/clients/pyhanko_messages.py). It has no archive timestamps of CAdES.

use libtest_mimic::Trial;

use super::super::support::clients::has_module;
use super::fixture::{CONTENT, pki};
use super::judged::{check, message, timestamp};
use super::trial;

/// A message: its file, its algorithm, whether the content is in it, its level and how many timestamps it has.
const MESSAGES: [(&str, &str, bool, &str, usize); 6] = [
    ("attached.p7m", "ecdsa-sha256", true, "B", 0),
    ("detached.p7s", "ecdsa-sha256", false, "B", 0),
    ("pss.p7s", "rsa-pss-sha256", false, "B", 0),
    ("ml-dsa.p7s", "ml-dsa-65", false, "B", 0),
    ("stamped.p7s", "ecdsa-sha256", false, "T", 1),
    ("content-stamped.p7s", "ecdsa-sha256", false, "T", 2),
];

const TOKENS: [&str; 4] = ["sha256.tst", "sha256.tsr", "sha384.tsr", "sha512.tsr"];

pub fn trials() -> Vec<Trial> {
    let messages = MESSAGES.map(|(file, algorithm, is_attached, level, timestamps)| {
        trial(&format!("pyhanko::{file}"), move || {
            let (pki, content) = (pki(), (!is_attached).then_some(CONTENT));
            let report = message(&format!("pyHanko, {file}"), &pki.bench(), &pki.by_pyhanko(file), content)?;
            let first = &report.signatures[0];
            check(first.level == level && first.timestamps.len() == timestamps, first)?;
            check(first.algorithm.as_deref().is_some_and(|one| one.contains(algorithm)), first)
        })
    });
    let tokens = TOKENS.map(|file| {
        trial(&format!("pyhanko::{file}"), move || {
            let pki = pki();
            timestamp(&format!("pyHanko, {file}"), &pki.bench(), &pki.by_pyhanko(file), CONTENT)?;
            Ok(())
        })
    });
    let ignored = !has_module("pyhanko");
    messages.into_iter().chain(tokens).map(|trial| trial.with_ignored_flag(ignored)).collect()
}
