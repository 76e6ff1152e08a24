//! The whole server by wrk, beside a bare signature of the same key in the same run.
//!
//! Prints the table of docs/PERFORMANCE.md and writes it to target/bench/timestamps.md. What it measures is CPU time
//! by the kernel's account (user and system), as medians of interleaved pairs: wall-clock figures of a shared machine
//! say little. `NOONMARK_BENCH_TOKENS` sets how many tokens fill the ledger first (default 1,000,000),
//! `NOONMARK_BENCH_ONLY` names one section.

mod baseline;
mod process;
mod sections;
mod setup;
mod wrk;

use std::process::ExitCode;

fn main() -> ExitCode {
    // `cargo bench` hands its own words over; `cargo test --benches` asks for nothing to be run.
    if std::env::args().any(|word| word == "--test" || word == "--list") {
        return ExitCode::SUCCESS;
    }
    if let Some(code) = setup::enter() {
        return code;
    }
    let report = sections::run();
    println!("{report}");
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&directory).expect("target/bench");
    std::fs::write(directory.join("timestamps.md"), report).expect("the report");
    ExitCode::SUCCESS
}
