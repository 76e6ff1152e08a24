//! `noonmark issuer`: whose certificates are answered for, and how.

mod external_crl;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use serde_json::json;

use self::external_crl::ExternalCrlArguments;
use super::{Failure, operator};
use crate::app::lifecycle::{ResponderMade, Steward};
use crate::app::{Desk, rfc3339};
use crate::ca::registry::Issuer;
use crate::ca::{Certificate, CrlSettingsChange, IssuerSettings, NotIssuedAnswer, pem_decode, pem_encode};
use crate::crypto::KeyAlgorithm;
use crate::store::{CertIdHash, IssuerOrigin};

/// The verbs of `issuer`.
#[derive(Debug, Subcommand)]
pub enum IssuerVerb {
    /// Every issuer: whose key, how it is answered for, how many certificates
    List(ListArguments),
    /// Change how an issuer is answered for
    Set(SetArguments),
    /// Answer for somebody else's CA: its certificate is imported, its key stays elsewhere
    Add(AddArguments),
    /// Make a further issuer of your own below the root
    Create(CreateArguments),
    /// Make an issuer's OCSP responder: a key in the service token, and its certificate or the request for one
    Responder(ResponderArguments),
}

/// Arguments of `issuer add`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark issuer add partner partner-ca.pem\n  noonmark issuer responder partner -o partner-ocsp.csr\n\nThen bring its certificates' status: `noonmark cert import`, or the API."
)]
pub struct AddArguments {
    /// Its name here, as it stands in URLs: a-z, 0-9 and -
    pub name: String,
    /// The CA's certificate, PEM
    pub certificate: PathBuf,
}

/// Arguments of `issuer create`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark issuer create documents --common-name 'Example Documents CA' --algorithm p384\n  noonmark issuer responder documents\n\nOpens the root's token: its PIN file must be there for as long as this runs."
)]
pub struct CreateArguments {
    /// Its name, as it stands in URLs: a-z, 0-9 and -
    pub name: String,
    /// The common name in its certificate
    #[arg(long, value_name = "NAME")]
    pub common_name: String,
    /// Another algorithm than the root's
    #[arg(long)]
    pub algorithm: Option<KeyAlgorithm>,
}

/// Arguments of `issuer responder`.
#[derive(Debug, Args)]
#[command(
    after_help = "An issuer of your own certifies the key at once, by the agent (the root: by its own token, by hand).\nFor an external one the request is written; have its CA sign it as an OCSP responder (extendedKeyUsage OCSPSigning,\nid-pkix-ocsp-nocheck), then: noonmark key import-cert KEY --certificate FILE"
)]
pub struct ResponderArguments {
    /// The issuer
    pub name: String,
    /// p256, p384, rsa2048, rsa3072, rsa4096 or ed25519 [default: the issuer's own]; one that is there already is followed by
    /// the new key, another one answers beside it
    #[arg(long)]
    pub algorithm: Option<KeyAlgorithm>,
    /// Where to write an external issuer's request [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
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
    after_help = "Examples:\n  noonmark issuer set issuing --validity-hours 48 --ahead both\n  noonmark issuer set partner --crl-url http://crl.example.org/ca.crl --crl-answers crl\n\nWhat is not named stays as it is. A running server follows within a second."
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
    /// How its CRLs are made
    #[command(flatten)]
    pub crl: CrlArguments,
    /// Where others' are fetched
    #[command(flatten)]
    pub external_crl: ExternalCrlArguments,
}

/// Arguments of `issuer set` about CRLs, of an issuer of your own.
#[derive(Debug, Args)]
pub struct CrlArguments {
    /// How often a complete CRL is made, in hours
    #[arg(long, value_name = "HOURS", conflicts_with = "crl_interval_seconds")]
    pub crl_interval_hours: Option<u32>,
    /// The same in seconds, for trials
    #[arg(long, value_name = "SECONDS")]
    pub crl_interval_seconds: Option<u32>,
    /// How long a CRL holds after the next was due, in hours; with the interval 10 days at most (TLS BR 4.9.7)
    #[arg(long, value_name = "HOURS", conflicts_with = "crl_overlap_seconds")]
    pub crl_overlap_hours: Option<u32>,
    /// The same in seconds, for trials
    #[arg(long, value_name = "SECONDS")]
    pub crl_overlap_seconds: Option<u32>,
    /// How long after a revocation the complete CRL is made; the delta goes out at once
    #[arg(long, value_name = "SECONDS")]
    pub crl_debounce_seconds: Option<u32>,
    /// How often a delta is made without a revocation; 0 makes none
    #[arg(long, value_name = "SECONDS")]
    pub crl_delta_seconds: Option<u32>,
    /// Whether complete CRLs name their delta (freshestCRL)
    #[arg(long, value_name = "true|false")]
    pub crl_names_delta: Option<bool>,
    /// Over how many CRLs new certificates are spread; never lowered
    #[arg(long, value_name = "N")]
    pub crl_partitions: Option<u16>,
    /// Whether certificates that expire from now on stay on the CRL (expiredCertsOnCRL)
    #[arg(long, value_name = "true|false")]
    pub crl_keep_expired: Option<bool>,
}

impl CrlArguments {
    fn change(&self) -> CrlSettingsChange {
        let seconds =
            |seconds: Option<u32>, hours: Option<u32>| seconds.or(hours.map(|hours| hours.saturating_mul(3_600)));
        CrlSettingsChange {
            interval_s: seconds(self.crl_interval_seconds, self.crl_interval_hours),
            overlap_s: seconds(self.crl_overlap_seconds, self.crl_overlap_hours),
            debounce_s: self.crl_debounce_seconds,
            delta_interval_s: self.crl_delta_seconds,
            names_delta: self.crl_names_delta,
            partitions: self.crl_partitions,
            keep_expired: self.crl_keep_expired,
        }
    }
}

pub(super) fn run(directory: &Path, verb: &IssuerVerb) -> Result<ExitCode, Failure> {
    match verb {
        IssuerVerb::List(arguments) => list(&Desk::open(directory)?, arguments)?,
        IssuerVerb::Set(arguments) => set(&Desk::open(directory)?, arguments)?,
        IssuerVerb::Add(arguments) => add(&Desk::open(directory)?, arguments)?,
        IssuerVerb::Create(arguments) => create(directory, arguments)?,
        IssuerVerb::Responder(arguments) => responder(directory, arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(desk: &Desk, arguments: &AddArguments) -> Result<(), Failure> {
    let path = &arguments.certificate;
    let failed = |text: String| Failure::new(format!("{}: {text}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let blocks = pem_decode("CERTIFICATE", &text).map_err(|error| failed(error.to_string()))?;
    let [der] = blocks.as_slice() else {
        return Err(failed(format!("{} certificates; give the CA's own alone", blocks.len())));
    };
    let certificate = Certificate::from_der(der).map_err(|error| failed(error.to_string()))?;
    let settings = IssuerSettings::default();
    desk.registry.add_issuer(&arguments.name, IssuerOrigin::External, &certificate, settings, &operator::name())?;
    println!("{} is {}", arguments.name, certificate.subject());
    println!("next: noonmark issuer responder {}", arguments.name);
    Ok(())
}

/// The installation, with its tokens' module at hand.
fn create(directory: &Path, arguments: &CreateArguments) -> Result<(), Failure> {
    let installation = operator::open(directory)?;
    let steward = Steward::new(&installation, &operator::name())?;
    let certificate = steward.create_issuer(&arguments.name, &arguments.common_name, arguments.algorithm)?;
    let folder = directory.join("certificates");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.pem", arguments.name));
    std::fs::write(&path, pem_encode("CERTIFICATE", certificate.der()))?;
    println!("{} is {}, until {}", arguments.name, certificate.subject(), rfc3339(certificate.not_after_s));
    println!("its certificate is in {}", path.display());
    println!("next: noonmark issuer responder {}", arguments.name);
    Ok(())
}

fn responder(directory: &Path, arguments: &ResponderArguments) -> Result<(), Failure> {
    let installation = operator::open(directory)?;
    let steward = Steward::new(&installation, &operator::name())?;
    match steward.make_responder(&arguments.name, arguments.algorithm)? {
        ResponderMade::Certified(row, certificate) => {
            println!(
                "{} answers for {}, until {}; a running server takes it up within seconds",
                row.name,
                arguments.name,
                rfc3339(certificate.not_after_s)
            );
        }
        ResponderMade::Requested(row, request) => {
            let text = pem_encode("CERTIFICATE REQUEST", &request);
            match &arguments.output {
                None => print!("{text}"),
                Some(path) => {
                    std::fs::write(path, text)?;
                    println!("the request for {} is in {}", row.name, path.display());
                }
            }
            eprintln!(
                "next: have {} sign it as its OCSP responder, then: noonmark key import-cert {} --certificate FILE",
                arguments.name, row.name
            );
        }
    }
    Ok(())
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
    let issuer = desk.registry.issuer(&arguments.name)?;
    let mut settings = issuer.settings.clone();
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
    settings.crl = arguments.crl.change().over(settings.crl, desk.now_s()?);
    settings.external_crl = arguments.external_crl.over(&issuer, settings.external_crl)?;
    desk.registry.change_settings(&issuer, settings, &operator::name())?;
    println!(
        "{} is answered for by its new settings; answers that stand keep theirs until they are renewed",
        arguments.name
    );
    Ok(())
}
