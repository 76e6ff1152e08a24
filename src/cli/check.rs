//! `noonmark check`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use comfy_table::{Table, presets};

use super::{Failure, environment};
use crate::app::{Installation, checks};
use crate::config::Configuration;
use crate::http::CheckState;

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Ends with 0 if timestamps can be issued (warnings included), else with 1.")]
pub struct CheckArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(directory: &Path, arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    let configuration = Configuration::load(directory)?;
    environment::enter(&configuration.module_environment)?;
    let installation = Installation::with(configuration)?;
    let checks = checks::run(&installation);
    let failed = checks.iter().any(|check| check.state == CheckState::Failed);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(["part", "state", "reason"]);
        for check in &checks {
            let state = match check.state {
                CheckState::Ok => "ok",
                CheckState::Warning => "WARNING",
                CheckState::Failed => "FAILED",
            };
            table.add_row([check.name.as_str(), state, check.reason.as_str()]);
        }
        println!("{table}");
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
