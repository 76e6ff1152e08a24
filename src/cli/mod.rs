//! The command line: a file a verb.
//!
//! Owns: arguments, messages, tables, exit codes. Does not own: what the verbs do beyond that.
//! Exit codes: 0 done, 1 it failed and the message says what to do, 2 the words were wrong; `verify` has its own.

mod api_key;
mod audit;
mod ca_agent;
mod cert;
mod check;
mod completions;
mod crl;
mod environment;
mod failure;
mod init;
mod issuer;
mod key;
mod operator;
mod serve;
mod timestamp;
mod up;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub(crate) use failure::Failure;

/// A self-hosted timestamping and verification server whose keys live in PKCS#11 hardware.
#[derive(Debug, Parser)]
#[command(
    name = "noonmark",
    version,
    about,
    after_help = "A first timestamp:\n  noonmark init            make an installation in ./var\n  noonmark up              start it\n  noonmark timestamp FILE  get a timestamp for a file\n\nSettings: noonmark.toml in the installation's directory, then NOONMARK_SECTION__KEY in the environment, then flags."
)]
pub struct Arguments {
    /// The installation's directory
    #[arg(long, global = true, env = "NOONMARK_DIR", default_value = "./var", value_name = "DIR")]
    pub dir: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make an installation: tokens, keys, certificates, database, configuration
    Init(init::InitArguments),
    /// Start the whole installation on this machine and say how to use it
    Up(up::UpArguments),
    /// Serve: timestamps and certificates' status over HTTP
    Serve(serve::ServeArguments),
    /// Issue what was ordered, renew what is due and make CRLs with the ca token's key, beside `serve`
    CaAgent(ca_agent::CaAgentArguments),
    /// Is everything that serving needs in order? Token, keys, certificates, clock, store
    Check(check::CheckArguments),
    /// Keys: where they live, who may use them, their certificates
    #[command(subcommand)]
    Key(key::KeyVerb),
    /// Issuers: whose certificates are answered for, and how
    #[command(subcommand)]
    Issuer(issuer::IssuerVerb),
    /// Certificates: issuing by profile, their status, revoking
    #[command(subcommand)]
    Cert(cert::CertVerb),
    /// CRLs: publishing, and looking at anybody's
    #[command(subcommand)]
    Crl(crl::CrlVerb),
    /// Keys to the API: who may use it, as what
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyVerb),
    /// Get a timestamp for a file, check it, and write it beside the file
    Timestamp(timestamp::TimestampArguments),
    /// Are signatures, timestamps and certificates good, since when, and why not? Needs no installation
    Verify(verify::VerifyArguments),
    /// What was signed, when, by which key, for whom
    #[command(subcommand)]
    Audit(audit::AuditVerb),
    /// Print a shell's completion script
    Completions(completions::CompletionsArguments),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_words(&error),
    };
    if !matches!(arguments.verb, Verb::Serve(_) | Verb::Up(_) | Verb::CaAgent(_)) {
        // `noonmark key list | head` ends quietly, as other programs do. What runs on must not end by a reader that leaves.
        sigpipe::reset();
    }
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("noonmark: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Tells of wrong words, or gives the help that was asked for. `verify` says by 2 that something is indeterminate, and by 3
/// that nothing was judged.
fn wrong_words(error: &clap::Error) -> ExitCode {
    let asked_for = !error.use_stderr();
    if error.print().is_err() {
        // Nobody reads; there is nobody to tell either.
        return ExitCode::FAILURE;
    }
    let verb = std::env::args_os().skip(1).find(|word| !word.to_string_lossy().starts_with('-'));
    match (asked_for, verb) {
        (true, _) => ExitCode::SUCCESS,
        (false, Some(verb)) if verb == "verify" => ExitCode::from(verify::UNUSABLE),
        (false, _) => ExitCode::from(2),
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.verb {
        Verb::Init(init) => init::run(&arguments.dir, init),
        Verb::Up(up) => up::run(&arguments.dir, up),
        Verb::Serve(serve) => serve::run(&arguments.dir, serve),
        Verb::CaAgent(agent) => ca_agent::run(&arguments.dir, agent),
        Verb::Issuer(verb) => issuer::run(&arguments.dir, verb),
        Verb::Cert(verb) => cert::run(&arguments.dir, verb),
        Verb::Crl(verb) => crl::run(&arguments.dir, verb),
        Verb::Check(check) => check::run(&arguments.dir, check),
        Verb::Key(verb) => key::run(&arguments.dir, verb),
        Verb::ApiKey(verb) => api_key::run(&arguments.dir, verb),
        Verb::Timestamp(timestamp) => timestamp::run(timestamp),
        Verb::Verify(arguments) => Ok(verify::run(arguments)),
        Verb::Audit(verb) => audit::run(&arguments.dir, verb),
        Verb::Completions(completions) => completions::run(completions),
    }
}
