//! What a token costs: the rows of docs/PERFORMANCE.md.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::baseline::{self, BareKey};
use super::figures::{PAIRS, SECONDS, count, median, micros};
use super::postgres::Cluster;
use super::server::Server;
use super::{process, setup, wanted, wrk};

struct Pairs {
    bare_us: f64,
    server_us: f64,
    per_second: f64,
    p99_us: f64,
    used: f64,
}

/// Interleaves bare signatures with the server under load.
fn pairs(directory: &Path, server: &Server, key: &BareKey, connections: u32) -> Pairs {
    let (mut bare, mut own, mut rate, mut p99, mut used) = (vec![], vec![], vec![], vec![], vec![]);
    wrk::run(&server.url(), connections, 1);
    for _ in 0..PAIRS {
        bare.push(micros(baseline::bare_signature(directory, key, Duration::from_secs(2))));
        let before = process::cpu(server.pid());
        let run = wrk::run(&server.url(), connections, SECONDS);
        let cpu = process::cpu(server.pid()) - before;
        own.push(micros(cpu) / count(run.requests));
        rate.push(count(run.requests) / run.wall.as_secs_f64());
        p99.push(count(run.p99_us));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let left = run.wall.as_secs_f64() * f64::from(u32::try_from(cores).expect("cores")) - run.wrk_cpu.as_secs_f64();
        used.push(cpu.as_secs_f64() / left);
    }
    Pairs {
        bare_us: median(bare),
        server_us: median(own),
        per_second: median(rate),
        p99_us: median(p99),
        used: median(used),
    }
}

fn row(report: &mut String, name: &str, connections: u32, pairs: &Pairs) {
    writeln!(
        report,
        "| {name} | {connections} | {:.1} | {:.1} | +{:.1} (×{:.2}) | {:.0} | {:.0} | {:.0} % |",
        pairs.bare_us,
        pairs.server_us,
        pairs.server_us - pairs.bare_us,
        pairs.server_us / pairs.bare_us,
        pairs.per_second,
        pairs.p99_us,
        pairs.used * 100.0
    )
    .expect("a String takes everything");
    eprintln!("{name}, {connections} connections: bare {:.1}, server {:.1} µs", pairs.bare_us, pairs.server_us);
}

/// Fills the ledger with tokens and watches memory and the write-ahead log.
fn fill(report: &mut String, directory: &Path, server: &Server) {
    let tokens: u64 =
        std::env::var("NOONMARK_BENCH_TOKENS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let wal = directory.join("noonmark.db-wal");
    let (mut peak_wal, mut marks) = (0, Vec::new());
    let began = Instant::now();
    loop {
        let granted = server.granted();
        let resident = process::resident_kib(server.pid());
        marks.push((granted, resident));
        if granted >= tokens {
            break;
        }
        let url = server.url();
        let load = std::thread::spawn(move || wrk::run(&url, 64, SECONDS));
        while !load.is_finished() {
            peak_wal = peak_wal.max(std::fs::metadata(&wal).map_or(0, |metadata| metadata.len()));
            std::thread::sleep(Duration::from_millis(50));
        }
        load.join().expect("wrk");
    }
    let step = (marks.len() / 6).max(1);
    let told: Vec<String> = marks
        .iter()
        .step_by(step)
        .chain(marks.last())
        .map(|(granted, resident)| format!("{:.1} MiB at {granted}", count(*resident) / 1024.0))
        .collect();
    writeln!(
        report,
        "\nMemory: resident {}. Write-ahead log at most {:.1} MiB. {tokens} tokens in {:.0} s.\n",
        told.join(", "),
        count(peak_wal) / 1_048_576.0,
        began.elapsed().as_secs_f64()
    )
    .expect("a String takes everything");
}

pub(crate) fn run(directory: &Path) -> String {
    let mut report = String::from(
        "| what | connections | bare signature, µs CPU | server, µs CPU a token | difference | tokens/s | p99, µs | of the CPU that wrk left |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let mut notes = String::new();
    let p256 = BareKey { label: "tsu-default-1", is_rsa: false };
    // A module sees the keys that were there when it was loaded: the RSA key of the bare signatures is made now, and is of
    // the same kind and in the same token as the one that the server signs with later.
    setup::run(directory, &["key", "generate", "--profile", "default", "--algorithm", "rsa3072"]);
    let rsa = BareKey { label: "tsu-default-2", is_rsa: true };
    if wanted("sqlite") {
        let server = Server::start(directory);
        fill(&mut notes, directory, &server);
        for connections in [64, 8, 1, 256] {
            row(&mut report, "P-256, SQLite", connections, &pairs(directory, &server, &p256, connections));
        }
        let post = baseline::bare_post_p99_us(8, SECONDS);
        let commit = baseline::eight_row_commit_p99_us();
        writeln!(
            notes,
            "p99 at 8 connections is to be at most three times that of a bare actix POST ({post} µs) plus an eight-row commit \
             ({commit} µs): {} µs.\n",
            3 * (post + commit)
        )
        .expect("a String takes everything");
    }
    if wanted("rsa") {
        setup::run(directory, &["key", "rotate", "--algorithm", "rsa3072"]);
        let server = Server::start(directory);
        row(&mut report, "RSA-3072, SQLite", 64, &pairs(directory, &server, &rsa, 64));
    }
    if wanted("postgres") {
        let cluster = Cluster::start();
        let with_postgres = setup::init("postgres", &["--database", &cluster.url()]);
        let server = Server::start(&with_postgres);
        for connections in [64, 8] {
            row(
                &mut report,
                "P-256, PostgreSQL (the server's own CPU)",
                connections,
                &pairs(directory, &server, &p256, connections),
            );
        }
    }
    report + &notes
}
