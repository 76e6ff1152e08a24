//! Rules that to-be-signed octets are held against: a function a rule, each with its source.
//!
//! Owns: reading TBSCertificate once more from its octets, by itself and not by what built it (`tbs`); the rules of
//! RFC 5280 (`basics`, `names`, `keys`, `extensions`), of the profile (`conformance`), of the TLS Baseline Requirements
//! (`tls_server`). Does not own: what a profile may say (see `issuing_profile`), what a certificate that serves here must
//! say (see `profile`).
//! Enter by [`lint`](lint()).

mod basics;
mod conformance;
mod extensions;
mod keys;
mod names;
mod tbs;
#[cfg(test)]
mod tests;
mod tls_server;

use std::fmt;

use super::certificate::Certificate;
use super::issuing_profile::IssuingProfile;
use super::profile::Severity;
use tbs::Tbs;

/// A rule that the octets break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintFinding {
    /// An error refuses the certificate, a warning is shown.
    pub severity: Severity,
    /// The rule's name.
    pub rule: &'static str,
    /// Where the rule comes from: `RFC 5280 §4.1.2.2`.
    pub source: &'static str,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.rule, self.source, self.text)
    }
}

/// Findings as a message lists them.
pub(super) fn list(findings: &[LintFinding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What a rule looks at.
struct Context<'a> {
    tbs: &'a Tbs<'a>,
    issuer: &'a Certificate,
    profile: &'a IssuingProfile,
}

/// A rule: its name, its source, and what it says of octets that break it.
struct Rule {
    name: &'static str,
    source: &'static str,
    severity: Severity,
    check: fn(&Context<'_>) -> Result<(), String>,
}

const fn error(name: &'static str, source: &'static str, check: fn(&Context<'_>) -> Result<(), String>) -> Rule {
    Rule { name, source, severity: Severity::Error, check }
}

const fn warning(name: &'static str, source: &'static str, check: fn(&Context<'_>) -> Result<(), String>) -> Rule {
    Rule { name, source, severity: Severity::Warning, check }
}

/// Every rule, a room after the other.
fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        &basics::RULES[..],
        &names::RULES[..],
        &keys::RULES[..],
        &extensions::RULES[..],
        &conformance::RULES[..],
        &tls_server::RULES[..],
    ]
    .into_iter()
    .flatten()
}

/// The name of the one finding about octets that can't be read at all.
const READABLE: &str = "readable";

/// Holds a TBSCertificate's octets against every rule; errors first.
///
/// Octets that are no TBSCertificate are one error.
#[must_use]
pub fn lint(tbs_der: &[u8], issuer: &Certificate, profile: &IssuingProfile) -> Vec<LintFinding> {
    let tbs = match Tbs::from_der(tbs_der) {
        Ok(tbs) => tbs,
        Err(error) => {
            let text = format!("not a TBSCertificate with a key that is supported: {error}");
            return vec![LintFinding { severity: Severity::Error, rule: READABLE, source: "RFC 5280 §4.1", text }];
        }
    };
    let context = Context { tbs: &tbs, issuer, profile };
    let mut findings: Vec<LintFinding> = rules()
        .filter_map(|rule| {
            let text = (rule.check)(&context).err()?;
            Some(LintFinding { severity: rule.severity, rule: rule.name, source: rule.source, text })
        })
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Fails a rule.
fn broken<T>(text: impl Into<String>) -> Result<T, String> {
    Err(text.into())
}

/// Fails a rule unless the condition holds.
fn demand(holds: bool, text: &str) -> Result<(), String> {
    if holds { Ok(()) } else { broken(text) }
}
