//! `noonmark serve`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::Failure;
use super::environment;
use crate::app;
use crate::config::Configuration;

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Signals: SIGTERM and SIGINT answer what is under way and stop; SIGHUP reads noonmark.toml's profiles and callers\nand the keys again (a successor made by `noonmark key rotate` takes over) without losing a request."
)]
pub struct ServeArguments {
    /// Listen here instead of where noonmark.toml says; may be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Vec<String>,
}

pub(super) fn run(directory: &Path, arguments: &ServeArguments) -> Result<ExitCode, Failure> {
    let mut configuration = Configuration::load(directory)?;
    environment::enter(&configuration.module_environment)?;
    if !arguments.listen.is_empty() {
        configuration.http.listen.clone_from(&arguments.listen);
    }
    app::serve(configuration)?;
    Ok(ExitCode::SUCCESS)
}
