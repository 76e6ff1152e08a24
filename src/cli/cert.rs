//! `noonmark cert`: certificates and their status.

mod import;
mod issue;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde_json::json;

use super::{Failure, operator};
use crate::app::{Desk, rfc3339};
use crate::ca::registry::{describe, parse_serial};
use crate::ca::status::StatusWish;
use crate::ca::{reason_from_name, reason_name};
use crate::store::{CertificateSearch, CertificateState, RegistryRow};

/// The verbs of `cert`.
#[derive(Debug, Subcommand)]
pub enum CertVerb {
    /// Have a certificate issued by a profile, from a signing request
    Issue(issue::IssueArguments),
    /// How an order stands; the certificate, once it is issued
    Order(issue::OrderArguments),
    /// The issuing profiles, each checked
    Profiles(issue::ProfilesArguments),
    /// Certificates in the registry, by issuer and serial number
    List(ListArguments),
    /// Take certificates and statuses from elsewhere, a million at once
    Import(import::ImportArguments),
    /// Revoke a certificate, for ever
    Revoke(RevokeArguments),
    /// Suspend a certificate; it may come back
    Hold(SerialArguments),
    /// Release a certificate that is held
    Release(SerialArguments),
}

/// Arguments of `cert list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Of this issuer
    #[arg(long)]
    pub issuer: Option<String>,
    /// In this state: intended, good, held, revoked
    #[arg(long, value_parser = parse_state)]
    pub state: Option<CertificateState>,
    /// With this in the subject
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// So many at most
    #[arg(long, default_value_t = 100)]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cert revoke`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark cert revoke issuing 4f3a… --reason superseded\n\nReasons: keyCompromise, cACompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn.\nA TSU needs one (RFC 3161 §4): without it every token it ever made would be void. Servers answer revoked within a second."
)]
pub struct RevokeArguments {
    /// The issuer
    pub issuer: String,
    /// The serial number, hexadecimal
    pub serial: String,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// Arguments of `cert hold` and `cert release`.
#[derive(Debug, Args)]
pub struct SerialArguments {
    /// The issuer
    pub issuer: String,
    /// The serial number, hexadecimal
    pub serial: String,
}

fn parse_state(text: &str) -> Result<CertificateState, String> {
    CertificateState::from_name(text).ok_or_else(|| "one of intended, good, held, revoked".to_owned())
}

pub(super) fn run(directory: &Path, verb: &CertVerb) -> Result<ExitCode, Failure> {
    let desk = Desk::open(directory)?;
    match verb {
        CertVerb::Import(arguments) => import::run(&desk, arguments)?,
        CertVerb::Issue(arguments) => issue::issue(&desk, arguments)?,
        CertVerb::Order(arguments) => issue::order(&desk, arguments)?,
        CertVerb::Profiles(arguments) => issue::profiles(&desk, arguments)?,
        CertVerb::List(arguments) => list(&desk, arguments)?,
        CertVerb::Revoke(arguments) => {
            let reason = match &arguments.reason {
                None => None,
                Some(name) => Some(reason_from_name(name).ok_or_else(|| {
                    Failure::new(format!("{name:?} is no reason; see `noonmark cert revoke --help`"))
                })?),
            };
            let wish = StatusWish::Revoke { reason, at_s: None, invalidity_s: None };
            change(&desk, &arguments.issuer, &arguments.serial, &wish)?;
        }
        CertVerb::Hold(arguments) => change(&desk, &arguments.issuer, &arguments.serial, &StatusWish::Hold)?,
        CertVerb::Release(arguments) => change(&desk, &arguments.issuer, &arguments.serial, &StatusWish::Release)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn change(desk: &Desk, issuer: &str, serial: &str, wish: &StatusWish) -> Result<(), Failure> {
    let serial = parse_serial(serial)?;
    let row = desk.registry.change_status(issuer, &serial, wish, desk.now_s()?, &operator::name())?;
    println!("{} of {issuer} is {}", hex::encode(&row.serial), row.status.state.name());
    if desk.publishes_by_hand(issuer)? {
        eprintln!("next: noonmark crl publish {issuer}, since its CRL is made by hand");
    }
    Ok(())
}

fn list(desk: &Desk, arguments: &ListArguments) -> Result<(), Failure> {
    let issuers = desk.registry.issuers()?;
    let issuer_id = match &arguments.issuer {
        None => None,
        Some(name) => Some(desk.registry.issuer(name)?.row.id),
    };
    let search = CertificateSearch {
        issuer_id,
        state: arguments.state,
        subject_contains: arguments.subject.clone(),
        ..CertificateSearch::default()
    };
    let rows = desk.registry.search(&search, None, arguments.limit)?;
    let name = |row: &RegistryRow| {
        let issuer = issuers.iter().find(|issuer| issuer.row.id == row.issuer_id);
        issuer.map_or_else(|| row.issuer_id.to_string(), |issuer| issuer.row.name.clone())
    };
    if arguments.json {
        let list: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "issuer": name(row), "serial": hex::encode(&row.serial), "subject": row.subject,
                    "profile": row.profile, "not_before": rfc3339(row.not_before_s),
                    "not_after": rfc3339(row.not_after_s), "status": describe(&row.status),
                    "changed_by": row.changed_by,
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["ISSUER", "SERIAL", "STATE", "SINCE", "SUBJECT", "UNTIL"]);
    for row in &rows {
        let reason = row.status.reason.and_then(reason_name).map_or_else(String::new, |reason| format!(" ({reason})"));
        table.add_row([
            name(row),
            hex::encode(&row.serial),
            format!("{}{reason}", row.status.state.name()),
            row.status.revoked_at_s.map_or_else(String::new, rfc3339),
            row.subject.clone(),
            rfc3339(row.not_after_s),
        ]);
    }
    println!("{table}");
    Ok(())
}
