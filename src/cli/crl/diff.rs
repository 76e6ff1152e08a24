//! `noonmark crl diff`: what changed from one CRL to another.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use crl::{Crl, Index, IndexedEntry};
use serde_json::json;

use super::file;
use crate::app::rfc3339;
use crate::ca::reason_name;
use crate::cli::Failure;

/// Arguments of `crl diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark crl diff yesterday.crl today.crl\n\nExit code 0: both say the same; 1: they do not. Needs no installation."
)]
pub struct DiffArguments {
    /// The CRL before, DER or PEM
    pub before: PathBuf,
    /// The CRL after
    pub after: PathBuf,
    /// Show at most so many entries of each kind
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Print JSON, with every entry
    #[arg(long)]
    pub json: bool,
}

/// What the second CRL has that the first has not, and the other way round.
#[derive(Default)]
struct Difference {
    fields: Vec<(&'static str, String, String)>,
    added: Vec<(String, IndexedEntry)>,
    removed: Vec<(String, IndexedEntry)>,
    changed: Vec<(String, IndexedEntry, IndexedEntry)>,
}

pub(super) fn run(arguments: &DiffArguments) -> Result<ExitCode, Failure> {
    let (before, after) = (file::read(&arguments.before)?, file::read(&arguments.after)?);
    let difference = compare(&before, &after);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&difference.to_json())?);
    } else {
        difference.print(arguments.limit);
    }
    Ok(if difference.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn compare((before, before_crl): &(Index, Crl), (after, after_crl): &(Index, Crl)) -> Difference {
    let mut difference = Difference::default();
    for ((name, one), (_, other)) in fields(before_crl).into_iter().zip(fields(after_crl)) {
        if one != other {
            difference.fields.push((name, one, other));
        }
    }
    let find = |index: &Index, of: &Index, serial: &[u8], entry: IndexedEntry| {
        // By the issuer's name: in indirect CRLs its number is each index' own.
        let issuer = of.issuer_name(entry.issuer)?;
        index.issuer(issuer).and_then(|number| index.find_of(number, serial))
    };
    for (serial, entry) in before.iter() {
        match find(after, before, serial, entry) {
            None => difference.removed.push((hex::encode(serial), entry)),
            Some(other) if what(other) != what(entry) => {
                difference.changed.push((hex::encode(serial), entry, other));
            }
            Some(_) => {}
        }
    }
    for (serial, entry) in after.iter() {
        if find(before, after, serial, entry).is_none() {
            difference.added.push((hex::encode(serial), entry));
        }
    }
    difference.added.sort_by(|one, other| one.0.cmp(&other.0));
    difference.removed.sort_by(|one, other| one.0.cmp(&other.0));
    difference.changed.sort_by(|one, other| one.0.cmp(&other.0));
    difference
}

/// An entry but for its issuer's number.
fn what(entry: IndexedEntry) -> (i64, Option<u8>, Option<i64>) {
    (entry.revocation_date_s, entry.reason_number, entry.invalidity_date_s)
}

fn fields(crl: &Crl) -> Vec<(&'static str, String)> {
    let number = |number: Option<&crl::CrlNumber>| number.map_or_else(|| "absent".to_owned(), file::number);
    vec![
        ("issuer", file::name(&crl.header.issuer)),
        ("number", number(crl.extensions.crl_number.as_ref())),
        ("base", number(crl.extensions.base_crl_number.as_ref())),
        ("thisUpdate", crl.header.this_update.to_string()),
        ("nextUpdate", crl.header.next_update.map_or_else(|| "absent".to_owned(), |time| time.to_string())),
        ("entries", crl.entries.to_string()),
    ]
}

fn describe(entry: &IndexedEntry) -> String {
    let reason = match entry.reason_number {
        None => String::new(),
        Some(number) => format!(", {}", reason_name(number).map_or_else(|| number.to_string(), ToString::to_string)),
    };
    let invalidity = entry.invalidity_date_s.map_or_else(String::new, |at| format!(", invalid since {}", rfc3339(at)));
    format!("{}{reason}{invalidity}", rfc3339(entry.revocation_date_s))
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn print(&self, limit: usize) {
        for (name, before, after) in &self.fields {
            println!("{name}: {before} -> {after}");
        }
        let more = |count: usize| {
            if count > limit {
                println!("  and {} more; --limit shows them", count - limit);
            }
        };
        for (sign, entries) in [('+', &self.added), ('-', &self.removed)] {
            for (serial, entry) in entries.iter().take(limit) {
                println!("{sign} {serial}  {}", describe(entry));
            }
            more(entries.len());
        }
        for (serial, before, after) in self.changed.iter().take(limit) {
            println!("~ {serial}  {} -> {}", describe(before), describe(after));
        }
        more(self.changed.len());
        println!("{} added, {} removed, {} changed", self.added.len(), self.removed.len(), self.changed.len());
    }

    fn to_json(&self) -> serde_json::Value {
        let entry = |entry: &IndexedEntry| {
            json!({
                "revoked_at_s": entry.revocation_date_s, "reason": entry.reason_number.and_then(reason_name),
                "invalidity_s": entry.invalidity_date_s,
            })
        };
        let list = |entries: &[(String, IndexedEntry)]| {
            entries.iter().map(|(serial, one)| json!({ "serial": serial, "entry": entry(one) })).collect::<Vec<_>>()
        };
        json!({
            "fields": self.fields.iter().map(|(name, before, after)| {
                json!({ "field": name, "before": before, "after": after })
            }).collect::<Vec<_>>(),
            "added": list(&self.added), "removed": list(&self.removed),
            "changed": self.changed.iter().map(|(serial, before, after)| {
                json!({ "serial": serial, "before": entry(before), "after": entry(after) })
            }).collect::<Vec<_>>(),
        })
    }
}
