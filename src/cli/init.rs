//! `noonmark init`: make an installation.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::Failure;
use super::environment;
use super::operator;
use crate::app::setup::{self, ClockChoice, Join, Plan};
use crate::ca::SubjectName;
use crate::config::TierName;
use crate::crypto::KeyAlgorithm;

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noonmark init\n  noonmark init --dir /var/lib/noonmark --public-url https://tsa.example.org --organization 'Example AG' --country DE\n  noonmark init --tier software            no PKCS#11 module at hand: keys in encrypted files\n  noonmark init --database postgresql://noonmark@db/noonmark --database-password-file db.password\n  noonmark init --join --database postgresql://noonmark@db/noonmark --use-token service=TSA-SERVICE:/etc/noonmark/service.pin\n                                           a further server on that database; with --use-token ca=… a ca-agent's directory\n\nNothing that exists is ever overwritten."
)]
pub struct InitArguments {
    /// The URL under which clients reach this service; it stands in certificates
    #[arg(long, default_value = "http://127.0.0.1:3161", value_name = "URL")]
    pub public_url: String,
    /// What guards the keys
    #[arg(long, value_enum, default_value = "pkcs11")]
    pub tier: TierArgument,
    /// The PKCS#11 module [default: SoftHSM where Debian puts it]
    #[arg(long, value_name = "FILE.so")]
    pub module: Option<PathBuf>,
    /// Use a token that exists: ROLE=LABEL:PINFILE, ROLE being root, ca or service; may be repeated
    #[arg(long, value_name = "ROLE=LABEL:PINFILE")]
    pub use_token: Vec<String>,
    /// The keys' algorithm: p256, p384, rsa3072, rsa4096
    #[arg(long, default_value = "p256", value_name = "ALGORITHM")]
    pub algorithm: KeyAlgorithm,
    /// The organization named in certificates
    #[arg(long, default_value = "Noonmark Trial", value_name = "NAME")]
    pub organization: String,
    /// Its country, two letters
    #[arg(long, default_value = "XX", value_name = "CC")]
    pub country: String,
    /// Where records go [default: SQLite in the directory]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// A file that holds the database's password
    #[arg(long, value_name = "FILE")]
    pub database_password_file: Option<PathBuf>,
    /// Join the installation in that database as a further server
    #[arg(long, requires = "database")]
    pub join: bool,
    /// Where trust in the time comes from [default: chrony if it answers, else the kernel, else system]
    #[arg(long, value_enum)]
    pub clock: Option<ClockArgument>,
}

/// What guards the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TierArgument {
    /// A PKCS#11 token
    Pkcs11,
    /// Encrypted files: for trying things out
    Software,
}

/// A clock source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClockArgument {
    /// chronyd, asked by chronyc
    Chrony,
    /// The kernel's own account
    Kernel,
    /// The machine's clock, believed
    System,
}

pub(super) fn run(directory: &Path, arguments: &InitArguments) -> Result<ExitCode, Failure> {
    let tier = match arguments.tier {
        TierArgument::Pkcs11 => TierName::Pkcs11,
        TierArgument::Software => TierName::Software,
    };
    let clock = match arguments.clock {
        None => ClockChoice::Detect,
        Some(ClockArgument::Chrony) => ClockChoice::Chrony,
        Some(ClockArgument::Kernel) => ClockChoice::Kernel,
        Some(ClockArgument::System) => ClockChoice::System,
    };
    if !arguments.algorithm.is_supported_for_signing() {
        return Err(Failure::new(format!("{} keys can't be made here", arguments.algorithm)));
    }
    let plan = Plan {
        public_url: arguments.public_url.trim_end_matches('/').to_owned(),
        tier,
        module: arguments.module.clone(),
        existing_tokens: arguments.use_token.clone(),
        algorithm: arguments.algorithm,
        subject: SubjectName::new(&arguments.country, &arguments.organization, "x")?,
        database: arguments.database.clone(),
        database_password_file: arguments.database_password_file.clone(),
        join: arguments.join.then_some(Join),
        clock,
        operator: operator::name(),
    };
    // SoftHSM reads where its tokens are from the environment, which must be set before this process has threads.
    let staging = setup::prepare(directory, &plan)?;
    let made = environment::enter(&staging.environment)
        .and_then(|()| setup::make(directory, &plan, &staging).map_err(Failure::from));
    let report = made.inspect_err(|_| staging.discard())?;
    for line in &report.done {
        println!("{line}");
    }
    for warning in &report.warnings {
        eprintln!("WARNING: {warning}");
    }
    println!(
        "\nThe installation is in {}. Start it with: noonmark up --dir {}",
        directory.display(),
        directory.display()
    );
    Ok(ExitCode::SUCCESS)
}
