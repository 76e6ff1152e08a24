//! `noonmark crl lint`: a CRL against the standards.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use crl::Reader;
use crl::lint::{Finding, Profile, Severity, lint, unreadable};
use serde_json::json;

use super::file::{MAX_ENTRIES, open};
use crate::cli::Failure;

/// Which rules a CRL is held to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LintProfile {
    /// RFC 5280 alone
    Rfc5280,
    /// RFC 5280 and the CA/Browser Forum's requirements, for a CRL of end-entity certificates
    EndEntity,
    /// RFC 5280 and the CA/Browser Forum's requirements, for a CRL of CA certificates
    Ca,
}

/// Arguments of `crl lint`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark crl lint issuing.crl --profile end-entity\n\nExit code 0: nothing against a MUST; 1: something is. Needs no installation."
)]
pub struct LintArguments {
    /// The CRL, DER or PEM; - is standard input
    pub file: PathBuf,
    /// Which rules
    #[arg(long, default_value = "rfc5280")]
    pub profile: LintProfile,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &LintArguments) -> Result<ExitCode, Failure> {
    let profile = match arguments.profile {
        LintProfile::Rfc5280 => Profile::Rfc5280,
        LintProfile::EndEntity => Profile::EndEntity,
        LintProfile::Ca => Profile::Ca,
    };
    let findings = match Reader::from_read(open(&arguments.file)?, MAX_ENTRIES, |_: &[u8]| {}) {
        Ok(reader) => lint(reader, profile),
        Err(error) => vec![unreadable(&error)],
    };
    if arguments.json {
        let list: Vec<_> = findings.iter().map(describe).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        for finding in &findings {
            println!("{finding}");
        }
        if findings.is_empty() {
            println!("{}: nothing found", arguments.file.display());
        }
    }
    let is_wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn describe(finding: &Finding) -> serde_json::Value {
    let severity = match finding.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    json!({ "rule": finding.rule, "severity": severity, "text": finding.text, "source": finding.source })
}
