//! `noonmark key`: where keys live, who may use them, their certificates.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};

use super::{Failure, environment, operator};
use crate::app::Installation;
use crate::app::lifecycle::Steward;
use crate::ca::{Certificate, SubjectName, pem_encode};
use crate::config::Configuration;
use crate::crypto::KeyAlgorithm;
use crate::keys::Token;
use crate::store::KeyState;

/// The verbs of `key`.
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Every key: its state, its certificate, and what its token says of its custody
    List(ListArguments),
    /// Generate a key inside the service token, for a certificate from your own CA
    Generate(GenerateArguments),
    /// Write a certificate signing request for a key
    Csr(CsrArguments),
    /// Give a key the certificate that your CA made for it, with its chain
    ImportCert(ImportArguments),
    /// Make a profile's next key with its certificate from Noonmark's own CA
    Rotate(RotateArguments),
    /// Destroy a key in its token, for good
    Destroy(DestroyArguments),
}

/// Arguments of `key list`.
#[derive(Debug, Args)]
#[command(
    after_help = "The custody facts are read from the token itself: generated = made inside the token; sensitive = never shown in clear;\nnever extractable = could at no time be exported. A token whose PIN this user may not read shows as \"not opened\"."
)]
pub struct ListArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `key generate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Next: noonmark key csr NAME -o unit.csr, have it signed, noonmark key import-cert NAME --certificate chain.pem"
)]
pub struct GenerateArguments {
    /// The timestamping profile
    #[arg(long)]
    pub profile: String,
    /// p256, p384, rsa2048, rsa3072, rsa4096 or ed25519
    #[arg(long, default_value = "p256")]
    pub algorithm: KeyAlgorithm,
}

/// Arguments of `key csr`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark key csr tsu-default-2 --common-name 'Example TSU 2' --organization 'Example AG' --country DE -o unit.csr\n\nThe CA must set: extendedKeyUsage timeStamping alone, critical; keyUsage digitalSignature; privateKeyUsagePeriod if it can."
)]
pub struct CsrArguments {
    /// The key
    pub name: String,
    /// The common name asked for
    #[arg(long, value_name = "NAME")]
    pub common_name: String,
    /// The organization asked for
    #[arg(long, value_name = "NAME")]
    pub organization: String,
    /// The country asked for, two letters
    #[arg(long, value_name = "CC")]
    pub country: String,
    /// Where to write the request [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `key import-cert`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  cat unit.pem intermediate.pem root.pem > chain.pem\n  noonmark key import-cert tsu-default-2 --certificate chain.pem"
)]
pub struct ImportArguments {
    /// The key
    pub name: String,
    /// PEM: the certificate, its intermediates and its root, in any order
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
}

/// Arguments of `key rotate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Opens the ca token (its PIN must be readable), so run it as the CA's user, not as the server's.\nThe successor takes over when `serve` gets SIGHUP or starts the next time; no request is lost."
)]
pub struct RotateArguments {
    /// The timestamping profile
    #[arg(long, default_value = "default")]
    pub profile: String,
    /// Another algorithm than the current key's
    #[arg(long)]
    pub algorithm: Option<KeyAlgorithm>,
}

/// Arguments of `key destroy`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark key destroy tsu-default-1 --yes\n\nOnly a retired, pending or waiting key can be destroyed. There is no way back."
)]
pub struct DestroyArguments {
    /// The key
    pub name: String,
    /// Yes, for good
    #[arg(long)]
    pub yes: bool,
}

pub(super) fn run(directory: &Path, verb: &KeyVerb) -> Result<ExitCode, Failure> {
    let configuration = Configuration::load(directory)?;
    environment::enter(&configuration.module_environment)?;
    let installation = Installation::with(configuration)?;
    match verb {
        KeyVerb::List(arguments) => list(&installation, arguments)?,
        KeyVerb::Generate(arguments) => {
            let steward = Steward::new(&installation, &operator::name())?;
            let (row, info) = steward.generate_for_profile(&arguments.profile, arguments.algorithm)?;
            println!("generated {} ({})", row.name, info.uri);
            println!("next: noonmark key csr {} --common-name … --organization … --country …", row.name);
        }
        KeyVerb::Csr(arguments) => csr(&installation, arguments)?,
        KeyVerb::ImportCert(arguments) => {
            let steward = Steward::new(&installation, &operator::name())?;
            let (certificate, state) = steward.import_certificate(&arguments.name, &arguments.certificate)?;
            println!("{} has the certificate of {}", arguments.name, certificate.subject());
            say_state(state);
        }
        KeyVerb::Rotate(arguments) => {
            let steward = Steward::new(&installation, &operator::name())?;
            let (row, certificate, state) = steward.rotate(&arguments.profile, arguments.algorithm)?;
            let path = directory.join(format!("certificates/{}.pem", row.name));
            std::fs::write(&path, pem_encode("CERTIFICATE", certificate.der()))
                .map_err(Failure::doing(path.display()))?;
            println!("made {} with the certificate of {} ({})", row.name, certificate.subject(), path.display());
            say_state(state);
        }
        KeyVerb::Destroy(arguments) => {
            if !arguments.yes {
                return Err(Failure::new(format!("{} would be gone for good; say --yes", arguments.name)));
            }
            Steward::new(&installation, &operator::name())?.destroy(&arguments.name)?;
            println!("destroyed {}", arguments.name);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn say_state(state: KeyState) {
    match state {
        KeyState::Successor => {
            println!("it waits as the successor: send SIGHUP to `noonmark serve` (or restart it), and it takes over")
        }
        other => println!("it is {}: `noonmark serve` signs with it after SIGHUP or its next start", other.name()),
    }
}

fn csr(installation: &Installation, arguments: &CsrArguments) -> Result<(), Failure> {
    let subject = SubjectName::new(&arguments.country, &arguments.organization, &arguments.common_name)?;
    let der = Steward::new(installation, &operator::name())?.signing_request(&arguments.name, &subject)?;
    let pem = pem_encode("CERTIFICATE REQUEST", &der);
    match &arguments.output {
        None => print!("{pem}"),
        Some(path) => {
            let mut file = std::fs::File::create_new(path).map_err(Failure::doing(path.display()))?;
            std::io::Write::write_all(&mut file, pem.as_bytes()).map_err(Failure::doing(path.display()))?;
            println!("wrote {}", path.display());
        }
    }
    Ok(())
}

fn list(installation: &Installation, arguments: &ListArguments) -> Result<(), Failure> {
    let rows = installation.store.keys()?;
    let certificates = installation.store.certificates()?;
    let mut names: Vec<&String> = installation.configuration.token.keys().collect();
    names.sort();
    let tokens: Vec<(&String, Result<Token, String>)> = names
        .into_iter()
        .map(|name| {
            let opened = installation
                .configuration
                .token_settings(name)
                .map_err(|error| error.to_string())
                .and_then(|settings| Token::open(&settings).map_err(|error| error.to_string()));
            (name, opened)
        })
        .collect();
    let mut items = Vec::new();
    for row in &rows {
        let token = tokens.iter().find(|(name, _)| **name == row.token).map(|(_, token)| token);
        let custody = match token {
            None => Err("its token is not configured here".to_owned()),
            Some(Err(reason)) => Err(format!("not opened: {reason}")),
            Some(Ok(_)) if row.state == KeyState::Destroyed => Err("destroyed".to_owned()),
            Some(Ok(token)) => row
                .uri
                .parse()
                .map_err(|error| format!("{error}"))
                .and_then(|uri| token.custody(&uri).map_err(|error| error.to_string())),
        };
        let certificate = row
            .certificate_sha256
            .and_then(|sha256| certificates.iter().find(|row| row.sha256 == sha256))
            .and_then(|row| Certificate::from_der(&row.der).ok());
        items.push((row, certificate, custody));
    }
    if arguments.json {
        let list: Vec<serde_json::Value> = items
            .iter()
            .map(|(row, certificate, custody)| {
                serde_json::json!({
                    "name": row.name, "role": row.role, "state": row.state.name(), "algorithm": row.algorithm,
                    "token": row.token, "uri": row.uri,
                    "certificate": certificate.as_ref().map(|certificate| serde_json::json!({
                        "subject": certificate.subject(), "serial": certificate.serial_hex(),
                        "sha256": hex::encode(certificate.sha256()), "not_after_s": certificate.not_after_s,
                        "usable_until_s": certificate.usable_until_s(),
                    })),
                    "custody": custody.as_ref().ok(), "custody_unknown": custody.as_ref().err(),
                    "custody_findings": custody.as_ref().map(|custody| custody.findings().iter().map(ToString::to_string).collect::<Vec<_>>()).ok(),
                })
            })
            .collect();
        let tokens: serde_json::Map<String, serde_json::Value> = tokens
            .iter()
            .map(|(name, token)| {
                let facts = match token {
                    Ok(token) => serde_json::json!({ "facts": token.facts() }),
                    Err(reason) => serde_json::json!({ "not_opened": reason }),
                };
                ((*name).clone(), facts)
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "tokens": tokens, "keys": list }))?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "key",
        "role",
        "state",
        "algorithm",
        "token",
        "may sign until",
        "generated",
        "sensitive",
        "never extractable",
    ]);
    let say = |fact: Option<bool>| match fact {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "not told",
    };
    let mut notes = Vec::new();
    for (row, certificate, custody) in &items {
        let until = certificate.as_ref().map_or_else(
            || "no certificate".to_owned(),
            |certificate| {
                jiff::Timestamp::from_second(certificate.usable_until_s())
                    .map_or_else(|_| "?".to_owned(), |time| time.to_string())
            },
        );
        let facts = match custody {
            Ok(custody) => {
                notes.extend(custody.findings().iter().map(|finding| format!("{}: {finding}", row.name)));
                [say(custody.generated_locally), say(custody.sensitive), say(custody.never_extractable)]
            }
            Err(reason) => {
                notes.push(format!("{}: {reason}", row.name));
                ["-", "-", "-"]
            }
        };
        table.add_row([
            &row.name,
            &row.role,
            row.state.name(),
            &row.algorithm,
            &row.token,
            &until,
            facts[0],
            facts[1],
            facts[2],
        ]);
    }
    println!("{table}");
    for (name, token) in &tokens {
        match token {
            Ok(token) => {
                let facts = token.facts();
                println!(
                    "token {name}: {} {}, serial {}, firmware {}, module {} ({} {})",
                    facts.manufacturer,
                    facts.model,
                    facts.serial,
                    facts.firmware_version,
                    facts.module_path.display(),
                    facts.library_description,
                    facts.library_version
                );
            }
            Err(reason) => println!("token {name}: not opened: {reason}"),
        }
    }
    for note in notes {
        println!("note: {note}");
    }
    Ok(())
}
