//! `noonmark cert issue` and `cert order`: a certificate asked for by a signing request.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::app::{Desk, rfc3339};
use crate::ca::order::{IssueOrder, OrderOutcome, OrderReport};
use crate::ca::pem_encode;
use crate::cli::{Failure, operator};

/// Between two looks at an order.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `cert issue`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout alice.key -subj /C=DE/CN=Alice -out alice.csr\n  noonmark cert issue issuing document-signer alice.csr -o alice.pem\n\nThe order is held against the profile at once; `noonmark ca-agent`, which has the issuer's key, signs it.\nThe profiles are listed by `noonmark cert profiles`; docs/PROFILES.md tells how to write one."
)]
pub struct IssueArguments {
    /// The issuer
    pub issuer: String,
    /// The issuing profile
    pub profile: String,
    /// The signing request (PKCS#10), PEM
    pub request: PathBuf,
    /// Write the certificate here, with its issuer's behind it, PEM; default: print it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The subject in place of the request's: C=DE, O=Example, CN=Name
    #[arg(long, value_name = "SUBJECT")]
    pub subject: Option<String>,
    /// An alternative name in place of the request's: dns:, email:, ip: or uri: and the name; may be repeated
    #[arg(long = "name", value_name = "KIND:NAME")]
    pub names: Vec<String>,
    /// A policy in place of the profile's, where it allows that; may be repeated
    #[arg(long = "policy", value_name = "OID")]
    pub policies: Vec<String>,
    /// The days of validity; the profile's if not given
    #[arg(long)]
    pub days: Option<u32>,
    /// How long to wait for the agent, in seconds; 0 leaves the order to it and prints its name
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub wait: u64,
}

/// Arguments of `cert order`.
#[derive(Debug, Args)]
pub struct OrderArguments {
    /// The order's name, as `cert issue` printed it
    pub id: String,
    /// Write the certificate here, with its issuer's behind it, PEM; default: print it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cert profiles`.
#[derive(Debug, Args)]
pub struct ProfilesArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A signing request is below this by far; a wrong file is told before it is read whole.
const MAX_REQUEST_OCTETS: u64 = 1 << 20;

pub(super) fn issue(desk: &Desk, arguments: &IssueArguments) -> Result<(), Failure> {
    let order = IssueOrder {
        issuer: arguments.issuer.clone(),
        profile: arguments.profile.clone(),
        csr: read_request(&arguments.request)?,
        subject: arguments.subject.clone(),
        alternative_names: (!arguments.names.is_empty()).then(|| arguments.names.clone()),
        policies: arguments.policies.clone(),
        days: arguments.days,
    };
    let id = desk.registry.order(&order, desk.now_s()?, &operator::name())?;
    // The chain of records is another verb's from here on: what follows only reads.
    desk.close();
    if arguments.wait == 0 {
        println!("{id}");
        return Ok(());
    }
    let until = Instant::now() + Duration::from_secs(arguments.wait);
    loop {
        let report = report(desk, &id)?;
        if let Some(outcome) = &report.outcome {
            return finish(desk, &report, outcome, arguments.output.as_deref());
        }
        if Instant::now() >= until {
            return Err(Failure::new(format!(
                "order {id} still waits after {} s: is `noonmark ca-agent` running? It keeps waiting; `noonmark cert order {id}` shows it",
                arguments.wait
            )));
        }
        std::thread::sleep(LOOK);
    }
}

fn read_request(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_REQUEST_OCTETS {
        return Err(Failure::new(format!("{} is too long to be a signing request", path.display())));
    }
    std::fs::read_to_string(path).map_err(failed)
}

pub(super) fn order(desk: &Desk, arguments: &OrderArguments) -> Result<(), Failure> {
    let report = report(desk, &arguments.id)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&describe(&report))?);
        return Ok(());
    }
    match &report.outcome {
        Some(outcome) => finish(desk, &report, outcome, arguments.output.as_deref()),
        None => {
            println!("{} is waiting for the agent since {}", report.id, rfc3339(report.asked_at_us / 1_000_000));
            Ok(())
        }
    }
}

fn report(desk: &Desk, id: &str) -> Result<OrderReport, Failure> {
    let report = desk.registry.order_report(id)?;
    report.ok_or_else(|| Failure::new(format!("there is no order {id}; `noonmark cert issue` prints an order's name")))
}

fn describe(report: &OrderReport) -> serde_json::Value {
    json!({
        "id": report.id, "state": report.state.name(), "issuer": report.order.issuer, "profile": report.order.profile,
        "asked_by": report.asked_by, "asked_at": rfc3339(report.asked_at_us / 1_000_000), "outcome": report.outcome,
    })
}

/// Hands the certificate out, or says why there is none.
fn finish(desk: &Desk, report: &OrderReport, outcome: &OrderOutcome, path: Option<&Path>) -> Result<(), Failure> {
    let serial = match outcome {
        OrderOutcome::Refused { reason } => return Err(Failure::new(format!("order {}: {reason}", report.id))),
        OrderOutcome::Issued { serial, .. } => serial,
    };
    let issuer = desk.registry.issuer(&report.order.issuer)?;
    let leaf = desk.registry.certificate_der(&report.order.issuer, &hex::decode(serial).unwrap_or_default())?;
    let text = pem_encode("CERTIFICATE", &leaf) + &pem_encode("CERTIFICATE", issuer.certificate.der());
    match path {
        None => print!("{text}"),
        Some(path) => {
            std::fs::write(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
            println!("{}: serial number {serial} of {}", path.display(), report.order.issuer);
        }
    }
    Ok(())
}

pub(super) fn profiles(desk: &Desk, arguments: &ProfilesArguments) -> Result<(), Failure> {
    let profiles = desk.registry.profiles()?;
    if arguments.json {
        let list: Vec<_> = profiles
            .iter()
            .map(|profile| {
                let (days, most) = profile.validity_days();
                json!({
                    "name": profile.name(), "description": profile.description(), "ca": profile.is_ca(),
                    "validity_days": days, "max_validity_days": most,
                    "hold_allowed": profile.status_policy().hold_allowed,
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["PROFILE", "FOR", "DAYS", "AT MOST", "HOLD"]);
    for profile in profiles.iter() {
        let (days, most) = profile.validity_days();
        let hold = if profile.status_policy().hold_allowed { "allowed" } else { "never" };
        table.add_row([profile.name(), profile.description(), &days.to_string(), &most.to_string(), hold]);
    }
    println!("{table}");
    Ok(())
}
