//! `noonmark api-key`: keys to the API.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde_json::json;

use super::{Failure, operator};
use crate::app::{Desk, rfc3339};
use crate::ca::registry::is_valid_name;
use crate::config::Configuration;
use crate::http::{Role, fresh_secret};
use crate::store::{ApiKeyRow, Change};

/// A day, in seconds.
const DAY_S: i64 = 86_400;

/// The verbs of `api-key`.
#[derive(Debug, Subcommand)]
pub enum ApiKeyVerb {
    /// Make a key and print its secret, once
    Create(CreateArguments),
    /// Every key, also those that open nothing any more
    List(ListArguments),
    /// Revoke a key, for good
    Revoke(RevokeArguments),
}

/// Arguments of `api-key create`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  umask 077; noonmark api-key create alice --role officer > alice.key\n  printf 'Authorization: Bearer %s\\n' \"$(cat alice.key)\" > alice.header\n  curl -H @alice.header http://127.0.0.1:3161/v1/me\n\nRoles: an officer decides on issuers and certificates; an operator sees all and sets how issuers are answered for;\nan auditor sees all; a client is known by name to timestamping profiles, and sees itself alone.\nThe store keeps the secret's SHA-256 alone: a lost one can't be shown again."
)]
pub struct CreateArguments {
    /// Its name, which stands in records: a-z, 0-9 and -
    pub name: String,
    /// officer, operator, auditor or client
    #[arg(long)]
    pub role: Role,
    /// The days after which it ends; without it, never
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub expires_days: Option<u32>,
}

/// Arguments of `api-key list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `api-key revoke`.
#[derive(Debug, Args)]
pub struct RevokeArguments {
    /// The key's name; it is never used again
    pub name: String,
}

pub(super) fn run(directory: &Path, verb: &ApiKeyVerb) -> Result<ExitCode, Failure> {
    match verb {
        ApiKeyVerb::Create(arguments) => create(directory, arguments)?,
        ApiKeyVerb::List(arguments) => list(&Desk::open(directory)?, arguments)?,
        ApiKeyVerb::Revoke(arguments) => revoke(&Desk::open(directory)?, &arguments.name)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(directory: &Path, arguments: &CreateArguments) -> Result<(), Failure> {
    let name = &arguments.name;
    if !is_valid_name(name) {
        return Err(Failure::new(format!("{name:?} can't be a key's name: a letter, then a-z, 0-9 and -, 40 at most")));
    }
    if Configuration::load(directory)?.caller.contains_key(name) {
        return Err(Failure::new(format!("noonmark.toml has a [caller.{name}] already; choose another name")));
    }
    let desk = Desk::open(directory)?;
    let now_s = desk.now_s()?;
    let (secret, secret_sha256) = fresh_secret().map_err(|error| Failure::new(error.to_string()))?;
    let expires_at_s = arguments.expires_days.map(|days| now_s + i64::from(days) * DAY_S);
    let row = ApiKeyRow {
        name: name.clone(),
        role: arguments.role.name().to_owned(),
        secret_sha256,
        created_at_us: now_s.saturating_mul(1_000_000),
        expires_at_s,
        revoked_at_us: None,
    };
    let facts = json!({
        "key": name, "role": arguments.role.name(), "expires_at": expires_at_s.map(rfc3339), "who": operator::name(),
    });
    desk.registry.record("api-key-created", facts, Change::AddApiKey(row))?;
    println!("{}", secret.as_str());
    eprintln!("this is the only time that the secret of {name} is shown; running servers know it within a second");
    Ok(())
}

fn list(desk: &Desk, arguments: &ListArguments) -> Result<(), Failure> {
    let rows = desk.registry.store().api_keys()?;
    let revoked_at = |row: &ApiKeyRow| row.revoked_at_us.map(|at_us| rfc3339(at_us / 1_000_000));
    if arguments.json {
        let list: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name, "role": row.role, "created_at": rfc3339(row.created_at_us / 1_000_000),
                    "expires_at": row.expires_at_s.map(rfc3339), "revoked_at": revoked_at(row),
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["NAME", "ROLE", "MADE", "ENDS", "REVOKED"]);
    for row in &rows {
        table.add_row([
            row.name.clone(),
            row.role.clone(),
            rfc3339(row.created_at_us / 1_000_000),
            row.expires_at_s.map_or_else(|| "never".to_owned(), rfc3339),
            revoked_at(row).unwrap_or_default(),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn revoke(desk: &Desk, name: &str) -> Result<(), Failure> {
    let at_us = desk.now_s()?.saturating_mul(1_000_000);
    let facts = json!({ "key": name, "who": operator::name() });
    desk.registry.record("api-key-revoked", facts, Change::RevokeApiKey { name: name.to_owned(), at_us })?;
    println!("{name} opens nothing any more; running servers know it within a second");
    Ok(())
}
