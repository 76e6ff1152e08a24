//! `noonmark cert import`: certificates and statuses from elsewhere.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::app::Desk;
use crate::ca::import::{ImportFormat, entries};
use crate::ca::registry::{ImportCounts, ImportMode};
use crate::cli::{Failure, operator};

/// Enough of a file's beginning to tell its format: text before the first certificate, or a header row.
const BEGINNING: u64 = 65_536;

/// Arguments of `cert import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  noonmark cert import partner demoCA/index.txt\n  noonmark cert import partner certificates.pem statuses.csv --update\n\nA CSV file names its columns in its first row: serial, not_after, state (good, held, revoked), and, as far as they are\nknown, subject, not_before, reason, revoked_at, invalidity_date. Times are RFC 3339. With --update a file that its CA\nwrites again and again is followed: run it as often as you like."
)]
pub struct ImportArguments {
    /// The issuer
    pub issuer: String,
    /// The files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// pem, csv or openssl-index (the index.txt of `openssl ca`); told by a file's beginning if not given
    #[arg(long)]
    pub format: Option<ImportFormat>,
    /// Give known certificates the status of their rows, each by the rules for changes; otherwise they stay as they are
    #[arg(long)]
    pub update: bool,
    /// Read and check, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
}

pub(super) fn run(desk: &Desk, arguments: &ImportArguments) -> Result<(), Failure> {
    let began = Instant::now();
    let mut whole = ImportCounts::default();
    for path in &arguments.files {
        let counts = import_file(desk, arguments, path)?;
        whole.read += counts.read;
        whole.new += counts.new;
        whole.changed += counts.changed;
        whole.refused += counts.refused;
        for (serial, reason) in &counts.refusals {
            eprintln!("{}: {serial}: {reason}", path.display());
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    if arguments.dry_run {
        println!("{} rows are in order; nothing was written ({seconds:.1} s)", whole.read);
    } else {
        let known = whole.read - whole.new;
        println!(
            "{} rows: {} new, {known} known, {} of these changed ({seconds:.1} s)",
            whole.read, whole.new, whole.changed
        );
    }
    if whole.refused > 0 {
        return Err(Failure::new(format!(
            "{} known certificates may not get the status of their rows and stay as they are; everything else was taken",
            whole.refused
        )));
    }
    Ok(())
}

fn import_file(desk: &Desk, arguments: &ImportArguments, path: &Path) -> Result<ImportCounts, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(unreadable)?;
    let format = match arguments.format {
        Some(format) => format,
        None => {
            let mut beginning = Vec::new();
            file.by_ref().take(BEGINNING).read_to_end(&mut beginning).map_err(unreadable)?;
            file.rewind().map_err(unreadable)?;
            ImportFormat::of(&beginning).ok_or_else(|| {
                Failure::new(format!(
                    "{}: neither PEM certificates, nor CSV with a column serial, nor openssl's index; name it by --format",
                    path.display()
                ))
            })?
        }
    };
    let bar = progress_bar(arguments, file.metadata().map_err(unreadable)?.len());
    bar.set_message(path.display().to_string());
    let rows = entries(format, bar.wrap_read(file)).map(|row| row.map_err(Into::into));
    let mut done = ImportCounts::default();
    let counted = |counts: &ImportCounts| done.clone_from(counts);
    let result = if arguments.dry_run {
        desk.registry.check_import(&arguments.issuer, rows, counted)
    } else {
        let mode = if arguments.update { ImportMode::Update } else { ImportMode::Add };
        desk.registry.import(&arguments.issuer, rows, mode, desk.now_s()?, &operator::name(), counted)
    };
    bar.finish_and_clear();
    result.map_err(|error| {
        let stands = if arguments.dry_run { String::new() } else { format!(" ({} rows before it stand)", done.read) };
        Failure::new(format!("{}: {error}{stands}", path.display()))
    })
}

fn progress_bar(arguments: &ImportArguments, octets: u64) -> ProgressBar {
    if arguments.quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{msg} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(octets).with_style(style)
}
