//! `noonmark crl`: publishing, and looking at anybody's CRLs.

mod diff;
mod file;
mod lint;
mod publish;
mod show;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::Failure;

/// The verbs of `crl`.
#[derive(Debug, Subcommand)]
pub enum CrlVerb {
    /// Make and publish an issuer's CRLs now, ahead of their schedule; the root's are made by hand
    Publish(publish::PublishArguments),
    /// What is published, or what a CRL in a file says
    Show(show::ShowArguments),
    /// Hold a CRL in a file against the standards
    Lint(lint::LintArguments),
    /// What changed from one CRL to another
    Diff(diff::DiffArguments),
}

pub(super) fn run(directory: &Path, verb: &CrlVerb) -> Result<ExitCode, Failure> {
    match verb {
        CrlVerb::Publish(arguments) => publish::run(directory, arguments),
        CrlVerb::Show(arguments) => show::run(directory, arguments),
        CrlVerb::Lint(arguments) => lint::run(arguments),
        CrlVerb::Diff(arguments) => diff::run(arguments),
    }
}
