//! `noonmark audit`: what was signed, when, by which key, for whom.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, operator};
use crate::app::Installation;
use crate::ledger::{self, Event};

/// The verbs of `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Find the records of tokens by their imprint or serial number
    Find(FindArguments),
    /// Walk every chain of records and name the first gap or change
    Verify(VerifyArguments),
}

/// Arguments of `audit find`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noonmark audit find --imprint $(sha256sum contract.pdf | cut -c1-64)\n  noonmark audit find --serial 01019a…"
)]
pub struct FindArguments {
    /// The imprint (the document's digest), hexadecimal
    #[arg(long, value_name = "HEX", required_unless_present = "serial", conflicts_with = "serial")]
    pub imprint: Option<String>,
    /// The token's serial number, hexadecimal
    #[arg(long, value_name = "HEX")]
    pub serial: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(directory: &Path, verb: &AuditVerb) -> Result<ExitCode, Failure> {
    let installation = Installation::open(directory)?;
    match verb {
        AuditVerb::Find(arguments) => find(&installation, arguments),
        AuditVerb::Verify(arguments) => verify(&installation, arguments),
    }
}

fn octets(text: &str) -> Result<Vec<u8>, Failure> {
    // `openssl ts -reply -text` prints 0x before a serial number.
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let plain: String = digits.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    hex::decode(&plain).map_err(|error| Failure::new(format!("{text:?} is not hexadecimal: {error}")))
}

fn find(installation: &Installation, arguments: &FindArguments) -> Result<ExitCode, Failure> {
    let (found, asked) = match (&arguments.imprint, &arguments.serial) {
        (Some(imprint), _) => (installation.store.tokens_by_imprint(&octets(imprint)?)?, format!("imprint {imprint}")),
        (None, serial) => {
            let serial = serial.clone().unwrap_or_default();
            (installation.store.token_by_serial(&octets(&serial)?)?.into_iter().collect(), format!("serial {serial}"))
        }
    };
    installation.record(Event::new(
        "audit-find",
        serde_json::json!({ "who": operator::name(), "asked": asked, "found": found.len() }),
    ))?;
    if arguments.json {
        let list: Vec<serde_json::Value> = found.iter().map(ledger::describe).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        for row in &found {
            println!("{}", ledger::display(row));
        }
        if found.is_empty() {
            eprintln!("no token with {asked} is on record");
        }
    }
    Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn verify(installation: &Installation, arguments: &VerifyArguments) -> Result<ExitCode, Failure> {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} records {per_sec} {eta}")
        .map_err(|error| Failure::new(error.to_string()))?;
    bar.set_style(style);
    let report = ledger::verify(&installation.store, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
