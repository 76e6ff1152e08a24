//! `noonmark crl show`: what is published, or what a CRL in a file says.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::{Table, presets};
use crl::scope::DistributionPointName;
use crl::{Crl, Index, Obstacle};
use serde_json::{Value, json};

use super::file;
use crate::app::rfc3339;
use crate::ca::reason_name;
use crate::ca::registry::parse_serial;
use crate::cli::{Failure, operator};

/// Arguments of `crl show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark crl show\n  noonmark crl show partner.crl 4a17c3\n  curl -s https://ca.example/ca.crl | noonmark crl show -\n\nWithout a file: the published CRLs of this installation. With one, no installation is needed."
)]
pub struct ShowArguments {
    /// The CRL, DER or PEM; - is standard input
    pub file: Option<PathBuf>,
    /// A serial number to look up in it, hexadecimal
    pub serial: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(directory: &Path, arguments: &ShowArguments) -> Result<ExitCode, Failure> {
    let Some(path) = &arguments.file else {
        return published(directory, arguments.json);
    };
    let serial = arguments.serial.as_deref().map(parse_serial).transpose()?;
    let (index, crl) = file::read(path)?;
    let description = describe(&index, &crl, serial.as_deref());
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&description)?);
    } else {
        print(&description);
    }
    Ok(ExitCode::SUCCESS)
}

fn published(directory: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    let store = operator::open(directory)?.store;
    let issuers = store.issuers()?;
    let name_of = |id| issuers.iter().find(|issuer| issuer.id == id).map_or("?", |issuer| issuer.name.as_str());
    let rows = store.published_crls()?;
    if as_json {
        let list: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "issuer": name_of(row.issuer_id), "scope": row.scope.name(), "number": row.number,
                    "base_number": row.base_number, "this_update": rfc3339(row.this_update_s),
                    "next_update": rfc3339(row.next_update_s), "entries": row.entries, "octets": row.octets,
                    "sha256": hex::encode(row.sha256),
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["ISSUER", "SCOPE", "NUMBER", "BASE", "THIS UPDATE", "NEXT UPDATE", "ENTRIES", "OCTETS"]);
    for row in &rows {
        table.add_row([
            name_of(row.issuer_id).to_owned(),
            row.scope.name(),
            row.number.to_string(),
            row.base_number.map_or_else(String::new, |number| number.to_string()),
            rfc3339(row.this_update_s),
            rfc3339(row.next_update_s),
            row.entries.to_string(),
            row.octets.to_string(),
        ]);
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

fn describe(index: &Index, crl: &Crl, serial: Option<&[u8]>) -> Value {
    let (header, extensions) = (&crl.header, &crl.extensions);
    let point = extensions.issuing_distribution_point.as_ref();
    let names = point.and_then(|point| point.distribution_point.as_ref()).map(|name| match name {
        DistributionPointName::FullName(names) => {
            names.iter().filter_map(|name| name.uri().map(str::to_owned)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    });
    let found = serial.map(|serial| {
        let entry = index.find(serial);
        json!({
            "serial": hex::encode(serial), "listed": entry.is_some(),
            "revoked_at": entry.map(|entry| rfc3339(entry.revocation_date_s)),
            "reason": entry.and_then(|entry| entry.reason_number).and_then(reason_name),
            "invalidity_date": entry.and_then(|entry| entry.invalidity_date_s).map(rfc3339),
        })
    });
    let obstacles = crl.obstacles();
    let obstacles: Vec<String> = obstacles.iter().map(obstacle).collect();
    json!({
        "issuer": file::name(&header.issuer),
        "version": format!("{:?}", header.version).to_lowercase(),
        "number": extensions.crl_number.as_ref().map(file::number),
        "base_number": extensions.base_crl_number.as_ref().map(file::number),
        "this_update": header.this_update.to_string(),
        "next_update": header.next_update.map(|time| time.to_string()),
        "entries": crl.entries,
        "repeated_entries": index.duplicates(),
        "authority_key_identifier": extensions.authority_key_identifier.as_ref().map(hex::encode),
        "distribution_points": names,
        "only_contains": point.map(|point| format!("{:?}", point.only_contains)),
        "some_reasons_only": point.is_some_and(|point| point.only_some_reasons.is_some()),
        "indirect": crl.is_indirect(),
        "expired_certificates_since": extensions.expired_certs_on_crl.map(|time| time.to_string()),
        "obstacles": obstacles,
        "found": found,
    })
}

fn obstacle(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::UnknownCriticalExtension { oid } => format!("an unknown critical extension, {oid}"),
        Obstacle::UnknownCriticalEntryExtension { oid } => format!("an unknown critical entry extension, {oid}"),
        Obstacle::CertificateIssuerInDirectCrl => "a certificateIssuer in a CRL that is not indirect".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The fields in the order in which people look for them.
const ORDER: [&str; 16] = [
    "issuer",
    "number",
    "base_number",
    "this_update",
    "next_update",
    "entries",
    "repeated_entries",
    "version",
    "authority_key_identifier",
    "distribution_points",
    "only_contains",
    "some_reasons_only",
    "indirect",
    "expired_certificates_since",
    "obstacles",
    "found",
];

/// A line a field that is there.
fn print(description: &Value) {
    for field in ORDER {
        let name = field.replace('_', " ");
        match &description[field] {
            Value::Null => {}
            Value::Array(values) => {
                for value in values {
                    println!("{name}: {}", value.as_str().unwrap_or_default());
                }
            }
            Value::Object(found) => {
                let text = |field: &str| found.get(field).and_then(Value::as_str);
                let serial = text("serial").unwrap_or_default();
                match text("revoked_at") {
                    None => println!("{serial}: not in this CRL"),
                    Some(at) => {
                        let reason = text("reason").map_or_else(String::new, |reason| format!(", {reason}"));
                        println!("{serial}: revoked at {at}{reason}");
                    }
                }
            }
            Value::String(text) => println!("{name}: {text}"),
            other => println!("{name}: {other}"),
        }
    }
}
