//! The whole server by wrk, beside bare parts in the same run: timestamps beside a bare signature, answers about certificates
//! beside a bare handler and nginx.
//!
//! Prints the tables of docs/PERFORMANCE.md and writes them to target/bench/. What it measures is CPU time by the kernel's
//! account (user and system), as medians of interleaved pairs: wall-clock figures of a shared machine say little.
//! `NOONMARK_BENCH_TOKENS` sets how many tokens fill the ledger first, `NOONMARK_BENCH_CERTIFICATES` how many certificates the
//! registry (default 1,000,000 each); `NOONMARK_BENCH_ONLY` names sections, by commas: sqlite, rsa, postgres, answers, ahead,
//! million (or million-sqlite, million-postgres), crls (or crls-sqlite, crls-postgres).

mod ahead;
mod answers;
mod asking;
mod bare;
mod baseline;
mod crls;
mod figures;
mod http;
mod million;
#[path = "../../tests/it/support/postgres.rs"]
#[expect(dead_code, reason = "the tests restart clusters, and ask first whether one can be had")]
mod postgres;
mod process;
mod server;
mod setup;
mod timestamps;
mod wrk;

use std::process::ExitCode;

/// As the server has it, so that what stands beside it is no slower for another reason.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whether a section is to be run; all are, if none is named.
fn wanted(section: &str) -> bool {
    std::env::var("NOONMARK_BENCH_ONLY").map_or(true, |only| only.split(',').any(|word| word == section))
}

fn main() -> ExitCode {
    // `cargo bench` hands its own words over; `cargo test --benches` asks for nothing to be run.
    if std::env::args().any(|word| word == "--test" || word == "--list") {
        return ExitCode::SUCCESS;
    }
    bare::serve_if_asked();
    ahead::sign_if_asked();
    if let Some(code) = setup::enter() {
        return code;
    }
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&directory).expect("target/bench");
    let tell = |file: &str, report: String| {
        println!("{report}");
        std::fs::write(directory.join(file), report).expect("the report");
    };
    let installation = setup::init("p256", &[]);
    if ["sqlite", "rsa", "postgres"].into_iter().any(wanted) {
        tell("timestamps.md", timestamps::run(&installation));
    }
    if wanted("answers") {
        tell("answers.md", answers::run(&installation));
    }
    if wanted("ahead") {
        tell("ahead.md", ahead::run(&installation));
    }
    if ["million", "million-sqlite", "million-postgres"].into_iter().any(wanted) {
        tell("million.md", million::run(&installation));
    }
    if ["crls", "crls-sqlite", "crls-postgres"].into_iter().any(wanted) {
        tell("crls.md", crls::run());
    }
    ExitCode::SUCCESS
}
