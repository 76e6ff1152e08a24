//! What a CRL does against the standards, though it can be read: a rule a file, each with its source.
//!
//! Owns the rules; reads by [`Reader`] and judges neither signature nor freshness. Entries stream by: only the rule on
//! duplicates keeps something of each. Enter at [`lint`].

mod authority_key_identifier;
mod certificate_issuer;
mod crl_number;
mod default_written;
mod delta_crl_indicator;
mod duplicates;
mod entry_criticality;
mod freshest_crl;
mod issuer;
mod issuing_distribution_point;
mod next_update;
mod reason_code;
mod remove_from_crl;
mod revocation_date;
mod revoked_certificates;
mod serial_number;
mod structure;
mod time_form;
mod unknown_critical;
mod version;

use std::fmt;

use crate::reader::{Crl, Entry, Header, Input, ReadError, Reader};

/// Findings that one rule makes in full; the rest are counted.
const MAX_FINDINGS_A_RULE: u64 = 10;

/// What a CRL is for, and so which rules it is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// RFC 5280 alone.
    Rfc5280,
    /// RFC 5280 and the CA/B Forum's requirements, for a CRL of end-entity certificates.
    EndEntity,
    /// RFC 5280 and the CA/B Forum's requirements, for a CRL of CA certificates alone.
    Ca,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Against a SHOULD, or odd.
    Warning,
    /// Against a MUST.
    Error,
}

/// One thing that a CRL does against a standard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, for the operator.
    pub text: String,
    /// Where the rule stands.
    pub source: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity} {}: {} ({})", self.rule, self.text, self.source)
    }
}

/// A rule's name and where it stands.
struct About {
    name: &'static str,
    source: &'static str,
}

/// A rule sees the CRL as it streams by.
trait Rule {
    fn about(&self) -> About;
    fn header(&mut self, _header: &Header) {}
    fn entry(&mut self, _entry: &Entry<'_>, _findings: &mut Findings) {}
    fn end(&mut self, _crl: &Crl, _profile: Profile, _findings: &mut Findings) {}
}

/// What one rule found.
#[derive(Default)]
struct Findings {
    found: Vec<(Severity, String)>,
    more: u64,
    more_severity: Option<Severity>,
}

impl Findings {
    fn error(&mut self, text: impl FnOnce() -> String) {
        self.add(Severity::Error, text);
    }

    fn warning(&mut self, text: impl FnOnce() -> String) {
        self.add(Severity::Warning, text);
    }

    /// The text is made only where it is kept.
    fn add(&mut self, severity: Severity, text: impl FnOnce() -> String) {
        if crate::der::octets_u64(self.found.len()) < MAX_FINDINGS_A_RULE {
            self.found.push((severity, text()));
        } else {
            self.more += 1;
            self.more_severity = self.more_severity.max(Some(severity));
        }
    }

    fn hand_out(self, about: &About, out: &mut Vec<Finding>) {
        let more = self.more_severity.map(|severity| (severity, format!("and {} more like these", self.more)));
        let (rule, source) = (about.name, about.source);
        out.extend(self.found.into_iter().chain(more).map(|(severity, text)| Finding { rule, severity, text, source }));
    }
}

/// An entry, for a text.
fn entry_name(entry: &Entry<'_>) -> String {
    format!("the entry of serial {} at octet {}", crate::hex(entry.serial), entry.at)
}

fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(version::Version),
        Box::new(issuer::Issuer),
        Box::new(next_update::NextUpdate),
        Box::new(time_form::TimeForm),
        Box::new(authority_key_identifier::AuthorityKeyIdentifier),
        Box::new(crl_number::CrlNumber),
        Box::new(delta_crl_indicator::DeltaCrlIndicator),
        Box::new(issuing_distribution_point::IssuingDistributionPoint),
        Box::new(freshest_crl::FreshestCrl),
        Box::new(unknown_critical::UnknownCritical),
        Box::new(default_written::DefaultWritten),
        Box::new(revoked_certificates::RevokedCertificates),
        Box::new(serial_number::SerialNumber),
        Box::new(revocation_date::RevocationDate::default()),
        Box::new(reason_code::ReasonCode::default()),
        Box::new(remove_from_crl::RemoveFromCrl::default()),
        Box::new(entry_criticality::EntryCriticality),
        Box::new(certificate_issuer::CertificateIssuer),
    ]
}

/// What a CRL does against the standards. The reader is as it was made: no entry has been asked for.
///
/// A CRL that can't be read to its end has one finding more, which says why.
#[must_use]
pub fn lint<I: Input, S: FnMut(&[u8])>(reader: Reader<I, S>, profile: Profile) -> Vec<Finding> {
    let mut rules = rules();
    rules.push(Box::new(duplicates::Duplicates::default()));
    run(rules, reader, profile)
}

/// As [`lint`] but for the rule on duplicates, which alone keeps something of each entry: for whoever knows that there are
/// none. Memory does not grow with the CRL.
#[must_use]
pub fn lint_unique<I: Input, S: FnMut(&[u8])>(reader: Reader<I, S>, profile: Profile) -> Vec<Finding> {
    run(rules(), reader, profile)
}

fn run<I: Input, S: FnMut(&[u8])>(rules: Vec<Box<dyn Rule>>, reader: Reader<I, S>, profile: Profile) -> Vec<Finding> {
    let mut reader = reader.tolerating_empty_list();
    let mut rules: Vec<_> = rules.into_iter().map(|rule| (rule, Findings::default())).collect();
    for (rule, _) in &mut rules {
        rule.header(reader.header());
    }
    let read = loop {
        match reader.next_entry() {
            Ok(Some(entry)) => {
                for (rule, findings) in &mut rules {
                    rule.entry(&entry, findings);
                }
            }
            Ok(None) => break reader.finish(),
            Err(error) => break Err(error),
        }
    };
    let mut out = Vec::new();
    if let Err(error) = &read {
        out.push(unreadable(error));
    }
    for (mut rule, mut findings) in rules {
        if let Ok(crl) = &read {
            rule.end(crl, profile, &mut findings);
        }
        findings.hand_out(&rule.about(), &mut out);
    }
    out
}

/// What it says of a CRL that a reader refuses, with the rule that it breaks.
#[must_use]
pub fn unreadable(error: &ReadError) -> Finding {
    structure::finding(error)
}

#[cfg(test)]
mod tests;
