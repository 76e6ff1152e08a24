//! What `openssl cms` and `openssl ts` make.

use libtest_mimic::{Failed, Trial};

use super::super::support::clients::installed;
use super::fixture::{CONTENT, Pki, pki};
use super::judged::{check, message, timestamp};
use super::trial;

/// A message: its name, its options, whether the content is in it, and the level that it has (EN 319 122-1 §6).
type Made = (&'static str, &'static [&'static str], bool, &'static str);

const BY_P256: [&str; 4] = ["-signer", "p256.pem", "-inkey", "p256.key"];

const MESSAGES: [Made; 13] = [
    ("attached", &["-signer", "p256.pem", "-inkey", "p256.key"], true, "CMS"),
    ("detached", &["-signer", "p256.pem", "-inkey", "p256.key"], false, "CMS"),
    ("streamed_in_ber", &["-stream", "-signer", "p256.pem", "-inkey", "p256.key"], true, "CMS"),
    ("p384", &["-md", "sha384", "-signer", "p384.pem", "-inkey", "p384.key"], false, "CMS"),
    ("rsa", &["-signer", "rsa.pem", "-inkey", "rsa.key"], true, "CMS"),
    (
        "pss",
        &["-md", "sha512", "-signer", "rsa.pem", "-inkey", "rsa.key", "-keyopt", "rsa_padding_mode:pss"],
        false,
        "CMS",
    ),
    ("brainpool", &["-md", "sha512", "-signer", "brainpool.pem", "-inkey", "brainpool.key"], true, "CMS"),
    ("dsa", &["-signer", "dsa.pem", "-inkey", "dsa.key"], true, "CMS"),
    ("by_key_identifier", &["-keyid", "-signer", "p256.pem", "-inkey", "p256.key"], true, "CMS"),
    ("without_attributes", &["-noattr", "-signer", "p256.pem", "-inkey", "p256.key"], true, "CMS"),
    ("cades", &["-cades", "-signer", "p256.pem", "-inkey", "p256.key"], true, "B"),
    (
        "several_signers",
        &[
            "-cades",
            "-signer",
            "p256.pem",
            "-inkey",
            "p256.key",
            "-signer",
            "rsa.pem",
            "-inkey",
            "rsa.key",
            "-signer",
            "p384.pem",
            "-inkey",
            "p384.key",
            "-signer",
            "brainpool.pem",
            "-inkey",
            "brainpool.key",
            "-signer",
            "dsa.pem",
            "-inkey",
            "dsa.key",
        ],
        false,
        "B",
    ),
    ("rsa_detached_by_key_identifier", &["-keyid", "-signer", "rsa.pem", "-inkey", "rsa.key"], false, "CMS"),
];

pub fn trials() -> Vec<Trial> {
    let messages = MESSAGES.map(|(name, options, is_attached, level)| {
        trial(&format!("openssl::{name}"), move || {
            let (pki, name) = (pki(), format!("openssl cms, {name}"));
            let made = cms(pki, &name, &[options, &["-certfile", "intermediate.pem"]].concat(), is_attached);
            let report = message(&name, &pki.bench(), &made, (!is_attached).then_some(CONTENT))?;
            check(report.signatures.iter().all(|one| one.level == level), &report)
        })
    });
    let mut trials = Vec::from(messages);
    trials.push(trial("openssl::without_certificates", without_certificates));
    let faketime = installed(&["faketime"]);
    for unit in ["tsu", "tsu-rsa"] {
        for digest in ["sha256", "sha384", "sha512"] {
            for is_response in [true, false] {
                let form = if is_response { "response" } else { "token" };
                let run = move || ts(unit, digest, is_response);
                let name = format!("openssl::ts_{form}_{digest}_by_{unit}");
                trials.push(trial(&name, run).with_ignored_flag(!faketime));
            }
        }
    }
    trials
}

fn cms(pki: &Pki, name: &str, options: &[&str], is_attached: bool) -> Vec<u8> {
    let file = format!("{}.cms", name.replace([' ', ','], "_"));
    let mut words = vec!["cms", "-sign", "-binary", "-in", "content", "-outform", "DER", "-out", &file];
    words.extend(is_attached.then_some("-nodetach"));
    pki.openssl(&[&words[..], options].concat());
    pki.read(&file)
}

/// A signer whose certificate is held, and not in the message.
fn without_certificates() -> Result<(), Failed> {
    let pki = pki();
    let name = "openssl cms, without certificates";
    let made = cms(pki, name, &[&["-nocerts"], &BY_P256[..]].concat(), true);
    let alone = pki.bench().judge(&made, noonmark::verify::cms::Content::Attached)?;
    let sub_indication = alone.signatures[0].sub_indication.as_deref();
    check(sub_indication == Some("NO_SIGNING_CERTIFICATE_FOUND"), &alone)?;
    let report = message(name, &pki.bench_with(&["rsa", "p256", "intermediate"]), &made, None)?;
    check(report.signatures[0].chain[0].source == "held", &report)
}

/// A timestamp by `openssl ts`, as a response or as the token alone.
fn ts(unit: &str, digest: &str, is_response: bool) -> Result<(), Failed> {
    let pki = pki();
    let name = format!("openssl-ts-{unit}-{digest}-{is_response}");
    let [query, reply, serial] = ["tsq", "tsr", "serial"].map(|kind| format!("{name}.{kind}"));
    pki.write(&serial, "01\n");
    let algorithm = format!("-{digest}");
    pki.openssl(&["ts", "-query", "-config", "openssl.cnf", "-data", "content", &algorithm, "-cert", "-out", &query]);
    let (certificate, key) = (format!("{unit}.pem"), format!("{unit}.key"));
    let mut words = vec!["ts", "-reply", "-config", "openssl.cnf", "-section", "tsa", "-queryfile", &query];
    words.extend(["-signer", &certificate, "-inkey", &key, "-chain", "intermediate.pem", "-out", &reply]);
    words.extend((!is_response).then_some("-token_out"));
    pki.openssl_in_2025(&words, &serial);
    let report = timestamp(&name, &pki.bench(), &pki.read(&reply), CONTENT)?;
    let found = &report.timestamps[0];
    check(found.digest == digest && found.time.starts_with("2025-05-01T00:00"), found)
}
