//! `noonmark crl publish`: an issuer's CRLs, now.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use crate::app::lifecycle::Steward;
use crate::app::rfc3339;
use crate::cli::{Failure, operator};
use crate::crls::Step;

/// Arguments of `crl publish`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark crl publish issuing\n  noonmark crl publish root\n\nAn issuer whose key is in the ca token is published by the agent, which must be running; its schedule goes on from there\n(`noonmark issuer set NAME --crl-interval-hours N`). The root's CRL is made here: its PIN file must be there for as long\nas this runs. Servers have the new CRLs within a second."
)]
pub struct PublishArguments {
    /// The issuer
    pub issuer: String,
    /// Let it end earlier than the one before it, after its interval or overlap was shortened
    #[arg(long)]
    pub earlier: bool,
    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
}

pub(super) fn run(directory: &Path, arguments: &PublishArguments) -> Result<ExitCode, Failure> {
    let installation = operator::open(directory)?;
    let steward = Steward::new(&installation, &operator::name())?;
    let bar = if arguments.quiet || !std::io::stderr().is_terminal() {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.set_message("waiting for the agent");
    let rows = steward.publish_crls(&arguments.issuer, arguments.earlier, &|step| {
        bar.set_message(match step {
            Step::Numbered(number) => format!("number {number}"),
            Step::Read(entries) => format!("{entries} entries read"),
            Step::Linted => "checked".to_owned(),
            Step::Signed => "signed".to_owned(),
            Step::Staged => "storing".to_owned(),
            Step::Stored(octets) => format!("{octets} octets stored"),
            Step::Published => "published".to_owned(),
        });
    });
    bar.finish_and_clear();
    for row in rows? {
        println!(
            "{} {}: number {}, {} entries, {} octets, until {}",
            arguments.issuer,
            row.scope.name(),
            row.number,
            row.entries,
            row.octets,
            rfc3339(row.next_update_s)
        );
    }
    Ok(ExitCode::SUCCESS)
}
