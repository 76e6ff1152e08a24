//! `noonmark issuer`: whose certificates are answered for, and how.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use serde_json::json;

use super::{Failure, operator};
use crate::app::Desk;
use crate::ca::NotIssuedAnswer;
use crate::ca::registry::Issuer;
use crate::store::{CertIdHash, IssuerOrigin};

/// The verbs of `issuer`.
#[derive(Debug, Subcommand)]
pub enum IssuerVerb {
    /// Every issuer: whose key, how it is answered for, how many certificates
    List(ListArguments),
    /// Change how an issuer is answered for
    Set(SetArguments),
}

/// Arguments of `issuer list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What is said of serial numbers that were never issued.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum NotIssued {
    /// unknown
    Unknown,
    /// revoked, by the extended revoked definition of RFC 6960
    Revoked,
}

/// For which hashes answers are signed ahead.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Ahead {
    /// None: all on demand
    None,
    /// SHA-1, which most clients ask with
    Sha1,
    /// SHA-1 and SHA-256
    Both,
}

/// Arguments of `issuer set`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark issuer set issuing --validity-hours 48 --ahead both\n\nWhat is not named stays as it is. A running server follows within a second."
)]
pub struct SetArguments {
    /// The issuer
    pub name: String,
    /// How long an OCSP answer holds, in hours; 8 to 240 for public CAs (TLS BR 4.9.9)
    #[arg(long, value_name = "HOURS", conflicts_with = "validity_seconds")]
    pub validity_hours: Option<u32>,
    /// The same in seconds, for trials
    #[arg(long, value_name = "SECONDS")]
    pub validity_seconds: Option<u32>,
    /// For which hashes answers are signed ahead
    #[arg(long)]
    pub ahead: Option<Ahead>,
    /// Whether a nonce of 16 octets or more gets an answer of its own
    #[arg(long, value_name = "true|false")]
    pub answer_nonce: Option<bool>,
    /// What is said of serial numbers that were never issued
    #[arg(long)]
    pub not_issued: Option<NotIssued>,
    /// Whether answers carry ArchiveCutoff, the issuer's notBefore
    #[arg(long, value_name = "true|false")]
    pub archive_cutoff: Option<bool>,
}

pub(super) fn run(directory: &Path, verb: &IssuerVerb) -> Result<ExitCode, Failure> {
    let desk = Desk::open(directory)?;
    match verb {
        IssuerVerb::List(arguments) => list(&desk, arguments)?,
        IssuerVerb::Set(arguments) => set(&desk, arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(desk: &Desk, arguments: &ListArguments) -> Result<(), Failure> {
    let mut shown = Vec::new();
    for issuer in desk.registry.issuers()? {
        let count = desk.registry.store().count_registry(issuer.row.id)?;
        shown.push((issuer, count));
    }
    if arguments.json {
        let list: Vec<_> = shown.iter().map(|(issuer, count)| describe(issuer, *count)).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["NAME", "KEY", "SUBJECT", "CERTIFICATES", "ANSWERS HOLD", "SIGNED AHEAD"]);
    for (issuer, count) in &shown {
        let settings = &issuer.settings;
        table.add_row([
            issuer.row.name.clone(),
            match issuer.row.origin {
                IssuerOrigin::Own => "here".to_owned(),
                IssuerOrigin::External => "elsewhere".to_owned(),
            },
            issuer.certificate.subject(),
            count.to_string(),
            format!("{} s", settings.validity_s),
            match settings.ahead.as_slice() {
                [] => "no".to_owned(),
                hashes => format!("{} hash(es)", hashes.len()),
            },
        ]);
    }
    println!("{table}");
    Ok(())
}

fn describe(issuer: &Issuer, count: u64) -> serde_json::Value {
    json!({
        "name": issuer.row.name, "origin": issuer.row.origin.name(), "subject": issuer.certificate.subject(),
        "certificate_sha256": hex::encode(issuer.row.certificate_sha256), "settings": issuer.settings,
        "change_number": issuer.row.change_number, "certificates": count,
    })
}

fn set(desk: &Desk, arguments: &SetArguments) -> Result<(), Failure> {
    let mut settings = desk.registry.issuer(&arguments.name)?.settings;
    if let Some(seconds) =
        arguments.validity_seconds.or(arguments.validity_hours.map(|hours| hours.saturating_mul(3_600)))
    {
        settings.validity_s = seconds;
    }
    if let Some(ahead) = arguments.ahead {
        settings.ahead = match ahead {
            Ahead::None => Vec::new(),
            Ahead::Sha1 => vec![CertIdHash::Sha1],
            Ahead::Both => vec![CertIdHash::Sha1, CertIdHash::Sha256],
        };
    }
    if let Some(answer_nonce) = arguments.answer_nonce {
        settings.answer_nonce = answer_nonce;
    }
    if let Some(not_issued) = arguments.not_issued {
        settings.not_issued = match not_issued {
            NotIssued::Unknown => NotIssuedAnswer::Unknown,
            NotIssued::Revoked => NotIssuedAnswer::Revoked,
        };
    }
    if let Some(archive_cutoff) = arguments.archive_cutoff {
        settings.archive_cutoff = archive_cutoff;
    }
    desk.registry.change_settings(&arguments.name, settings, &operator::name())?;
    println!(
        "{} is answered for by its new settings; answers that stand keep theirs until they are renewed",
        arguments.name
    );
    Ok(())
}
