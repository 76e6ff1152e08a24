//! Timestamp tokens a core judges in a second, beside OpenSSL's and pyHanko's in the same run.
//!
//! Prints the table of docs/PERFORMANCE.md and writes it to target/bench/tokens.md. What it measures is CPU time by the
//! kernel's account, as medians of interleaved rounds. `NOONMARK_BENCH_TOKENS_ROUNDS` sets how many (default 7).

mod corpus;
#[path = "../whole/figures.rs"]
#[expect(dead_code, reason = "microseconds and counts are the other bench's")]
mod figures;
mod others;
mod ours;
#[path = "../whole/process.rs"]
#[expect(dead_code, reason = "of this process it asks for a thread's time alone")]
mod process;
#[path = "../signing.rs"]
#[expect(dead_code, reason = "certificates of signers are the other bench's")]
mod signing;
mod table;

use std::process::ExitCode;

use corpus::Corpus;
use figures::median;
use others::{OpenSsl, PyHanko};
use ours::{Ours, Way};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seconds of CPU time in a round.
const ROUND_S: f64 = 0.4;
const ROUNDS: usize = 7;

/// Something that judges tokens; what comes out is nanoseconds of CPU time a token.
type Contender<'c> = (&'static str, Box<dyn FnMut() -> f64 + 'c>);

fn rounds() -> usize {
    let asked = std::env::var("NOONMARK_BENCH_TOKENS_ROUNDS").ok();
    asked.map_or(ROUNDS, |asked| asked.parse().expect("NOONMARK_BENCH_TOKENS_ROUNDS is a number"))
}

fn measure(label: &'static str, openssl: Option<&OpenSsl>, pyhanko: Option<&PyHanko>) -> Vec<table::Row> {
    let corpus = Corpus::new(label);
    let ours = Ours::new(&corpus);
    let mut contenders: Vec<Contender<'_>> = vec![
        ("Noonmark", Box::new(|| ours.round(Way::Alone))),
        ("Noonmark, chains kept", Box::new(|| ours.round(Way::Kept))),
        ("Noonmark, revocation not asked", Box::new(|| ours.round(Way::WithoutRevocation))),
    ];
    if let Some(openssl) = openssl {
        contenders.push(("OpenSSL, revocation not asked", Box::new(|| openssl.round(&corpus, false))));
        contenders.push(("OpenSSL, with the CRL", Box::new(|| openssl.round(&corpus, true))));
    }
    if let Some(pyhanko) = pyhanko {
        contenders.push(("pyHanko, revocation not asked", Box::new(|| pyhanko.round(&corpus))));
    }
    let mut seen: Vec<Vec<f64>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds() {
        for ((_, round), seen) in contenders.iter_mut().zip(&mut seen) {
            seen.push(round());
        }
    }
    let names = contenders.iter().map(|(name, _)| *name);
    names.zip(seen).map(|(what, seen)| table::Row { key: label, what, micros: median(seen) / 1e3 }).collect()
}

fn main() -> ExitCode {
    // `cargo bench` hands its own words over; `cargo test --benches` asks for nothing to be run.
    if std::env::args().any(|word| word == "--test" || word == "--list") {
        return ExitCode::SUCCESS;
    }
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&directory).expect("target/bench");
    let openssl = OpenSsl::compile(&directory).inspect_err(|why| eprintln!("left out: OpenSSL: {why}")).ok();
    let pyhanko = PyHanko::find().inspect_err(|why| eprintln!("left out: pyHanko: {why}")).ok();
    let measured = ["p256", "rsa2048"].map(|label| measure(label, openssl.as_ref(), pyhanko.as_ref()));
    let report = table::write(&measured);
    println!("{report}");
    std::fs::write(directory.join("tokens.md"), report).expect("the report");
    ExitCode::SUCCESS
}
