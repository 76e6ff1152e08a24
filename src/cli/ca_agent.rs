//! `noonmark ca-agent`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, environment};
use crate::app;
use crate::config::Configuration;

/// Arguments of `ca-agent`.
#[derive(Debug, Args)]
#[command(
    after_help = "It opens the ca token, which `serve` never does. One agent works at a time; a second one waits.\nStopped, it renews nothing; serving goes on, and /readyz says since when. SIGTERM and SIGINT stop it."
)]
pub struct CaAgentArguments {}

pub(super) fn run(directory: &Path, _: &CaAgentArguments) -> Result<ExitCode, Failure> {
    let configuration = Configuration::load(directory)?;
    environment::enter(&configuration.module_environment)?;
    app::run_agent(configuration)?;
    Ok(ExitCode::SUCCESS)
}
