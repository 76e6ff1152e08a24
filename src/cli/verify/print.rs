//! What `verify` prints: a few lines a file for people, or one JSON object.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::json;

use super::Judged;
use super::batch::Outcome;
use crate::cli::Failure;
use crate::verify::report::{CheckReport, LinkReport, SignatureReport, TimestampReport, Verdict};

/// Prints a JSON object a document.
pub(super) fn json(outcome: &Outcome) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let name = outcome.path.display().to_string();
    let texts = match &outcome.result {
        Err(failure) => vec![
            json!({
                "file": name, "error": failure.to_string(), "signatures": [], "timestamps": [], "certificates": [],
            })
            .to_string(),
        ],
        Ok(judged) => judged.iter().map(|one| serde_json::to_string(&one.verified.report)).collect::<Result<_, _>>()?,
    };
    texts.iter().try_for_each(|text| writeln!(out, "{text}")).map_err(Failure::doing("standard output"))
}

/// Prints what a person reads.
pub(super) fn text(outcome: &Outcome, details: bool) -> Result<(), Failure> {
    let name = outcome.path.display().to_string();
    let text = match &outcome.result {
        Err(failure) => format!("{}: NOT READ\n  {}\n", clean(&name), clean(&failure.to_string())),
        Ok(judged) => judged.iter().map(|one| document(&name, one, details)).collect(),
    };
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::doing("standard output"))
}

/// What a stranger wrote, without what a terminal would take for a command.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn document(name: &str, judged: &Judged, details: bool) -> String {
    let report = &judged.verified.report;
    let verdict = match report.verdict {
        Verdict::Passed => "PASSED",
        Verdict::Failed => "FAILED",
        Verdict::Indeterminate => "INDETERMINATE",
    };
    let mut text = String::new();
    let file = report.file.as_deref().unwrap_or(name);
    let mut line = |indent: usize, words: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}{}", "  ".repeat(indent), clean(words));
    };
    line(0, &format!("{file}: {verdict}"));
    if let Some(path) = &judged.found_beside {
        line(1, &format!("held against {}", path.display()));
    }
    for signature in &report.signatures {
        of_signature(signature, details, &mut line);
    }
    for timestamp in &report.timestamps {
        of_timestamp(timestamp, 1, details, &mut line);
    }
    for certificate in &report.certificates {
        line(
            1,
            &format!(
                "certificate of {}: {}",
                certificate.subject,
                indication(&certificate.indication, certificate.sub_indication.as_deref())
            ),
        );
        if let Some(reason) = &certificate.reason {
            line(2, reason);
        }
        chain(&certificate.chain, 2, details, &mut line);
    }
    for fetched in report.evidence.fetched.iter().filter(|one| details || one.error.is_some()) {
        match &fetched.error {
            None => line(1, &format!("fetched {} ({}, {} octets)", fetched.url, fetched.what, fetched.octets)),
            Some(error) => line(1, &format!("could not fetch {} ({}): {error}", fetched.url, fetched.what)),
        }
    }
    text
}

fn indication(indication: &str, sub: Option<&str>) -> String {
    sub.map_or_else(|| indication.to_owned(), |sub| format!("{indication}, {sub}"))
}

fn of_signature(signature: &SignatureReport, details: bool, line: &mut impl FnMut(usize, &str)) {
    let signer = signature.signer.as_deref().unwrap_or("(no certificate found)");
    let verdict = indication(&signature.indication, signature.sub_indication.as_deref());
    line(1, &format!("signature by {signer}: {verdict}"));
    if let Some(reason) = &signature.reason {
        line(2, reason);
    }
    let proof = &signature.best_signature_time;
    match proof.timestamp_sha256 {
        Some(_) => line(2, &format!("proven to exist at {} by a timestamp; level {}", proof.time, signature.level)),
        None => line(2, &format!("no timestamp proves when it was made; level {}", signature.level)),
    }
    if let Some(claimed) = &signature.claimed_signing_time {
        line(2, &format!("the signer claims {claimed}"));
    }
    chain(&signature.chain, 2, details, line);
    checks(&signature.checks, 2, details, line);
    for timestamp in &signature.timestamps {
        of_timestamp(timestamp, 2, details, line);
    }
    for counter in &signature.counter_signatures {
        let signer = counter.signer.as_deref().unwrap_or("(no certificate found)");
        let verdict = indication(&counter.indication, counter.sub_indication.as_deref());
        line(2, &format!("counter-signature by {signer}: {verdict}"));
        if let Some(reason) = &counter.reason {
            line(3, reason);
        }
    }
}

fn of_timestamp(timestamp: &TimestampReport, indent: usize, details: bool, line: &mut impl FnMut(usize, &str)) {
    let signer = timestamp.signer.as_deref().unwrap_or("(no certificate found)");
    let verdict = indication(&timestamp.indication, timestamp.sub_indication.as_deref());
    let kind = if timestamp.kind == "data" { "timestamp" } else { &timestamp.kind };
    line(indent, &format!("{kind} of {} by {signer}: {verdict}", timestamp.time));
    if let Some(reason) = &timestamp.reason {
        line(indent + 1, reason);
    }
    if !timestamp.compared {
        line(indent + 1, "judged by itself: name what it is over by --content");
    }
    chain(&timestamp.chain, indent + 1, details, line);
    checks(&timestamp.checks, indent + 1, details, line);
}

fn chain(links: &[LinkReport], indent: usize, details: bool, line: &mut impl FnMut(usize, &str)) {
    if !details {
        if let Some(anchor) = links.iter().find(|link| link.is_anchor) {
            line(indent, &format!("chain to the trust anchor {}", anchor.subject));
        }
        return;
    }
    for link in links {
        let status = &link.status;
        let by = status.sources.first().map(|one| format!(" by {} of {} ({})", one.kind, one.this_update, one.source));
        let until = link.not_after.as_deref().unwrap_or("?");
        line(
            indent,
            &format!("{} ({}), until {until}: {}{}", link.subject, link.source, status.status, by.unwrap_or_default()),
        );
    }
}

/// All of them, or those that a person should know of.
fn checks(checks: &[CheckReport], indent: usize, details: bool, line: &mut impl FnMut(usize, &str)) {
    for check in checks.iter().filter(|check| details || check.outcome == "warning") {
        line(indent, &format!("{} {}: {}", check.outcome, check.name, check.sentence));
    }
}
