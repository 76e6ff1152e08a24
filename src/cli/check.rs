//! `noonmark check`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};

use super::{Failure, environment};
use crate::app::checks;
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
    let checks = checks::run(configuration);
    let failed = checks.iter().any(|check| check.state == CheckState::Failed);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(["part", "state", "reason"]);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(terminal_width());
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

/// COLUMNS where the shell exports it, else what most terminals and logs have.
fn terminal_width() -> u16 {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    columns.unwrap_or(100).clamp(60, 160)
}
