//! `noonmark completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use super::{Arguments, Failure};

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noonmark completions bash > /etc/bash_completion.d/noonmark\n  noonmark completions zsh > ~/.zfunc/_noonmark"
)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: clap_complete::Shell,
}

pub(super) fn run(arguments: &CompletionsArguments) -> Result<ExitCode, Failure> {
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "noonmark", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
