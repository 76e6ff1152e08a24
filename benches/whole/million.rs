//! A million certificates in the registry: import, signing ahead from end to end, timestamps meanwhile, cold and warm
//! answers, memory.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use noonmark::ocsp::IssuerHashes;

use super::answers::KEY;
use super::figures::{PAIRS, SECONDS, count, median, micros};
use super::postgres::Cluster;
use super::server::Server;
use super::wrk::{self, Ask};
use super::{asking, baseline, process, setup, wanted};

/// Certificates whose answers fit into memory as it is shipped, many times over.
const WARM: u64 = 5_000;
/// Certificates asked for once each until the cache has forgotten the first of them.
const COLD: u64 = 250_000;

pub(crate) fn certificates() -> u64 {
    std::env::var("NOONMARK_BENCH_CERTIFICATES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

/// The serial number of certificate `n`: 16 octets as from a random source, each time the same (splitmix64).
pub(crate) fn serial(n: u64) -> [u8; 16] {
    let mixed = |seed: u64| {
        let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&mixed(2 * n + 1).to_be_bytes());
    octets[8..].copy_from_slice(&mixed(2 * n + 2).to_be_bytes());
    octets[0] = octets[0] & 0x3f | 0x40;
    octets
}

fn csv(path: &Path, count: u64) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    writeln!(file, "serial,subject,not_before,not_after,state,reason,revoked_at").expect("a row");
    for n in 0..count {
        let serial = hex::encode(serial(n));
        let status = if n % 50 == 0 { "revoked,superseded,2026-06-01T00:00:00Z" } else { "good,," };
        writeln!(
            file,
            "{serial},\"CN=host {n}.example.org,O=Example,C=DE\",2026-01-01T00:00:00Z,2036-01-01T00:00:00Z,{status}"
        )
        .expect("a row");
    }
    file.flush().expect("the file");
}

/// Paths of GETs for certificates `0..count`, mixed.
fn paths(directory: &Path, name: &str, count: u64) -> PathBuf {
    let issuer = IssuerHashes::of(&asking::certificate(directory, "issuing"));
    let path = setup::home().join(name);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("a file"));
    for n in 0..count {
        writeln!(file, "{}", asking::path(&asking::request(&issuer, &serial(n), false))).expect("a path");
    }
    file.flush().expect("the file");
    path
}

pub(crate) fn mib(kib: u64) -> f64 {
    count(kib) / 1_024.0
}

/// Waits until this many answers were signed ahead since the start; how long that took.
fn signed_ahead(server: &Server, wanted: u64, began: Instant, mut meanwhile: impl FnMut()) -> Duration {
    while server.metric("noonmark_ocsp_signed_ahead_total", "") < wanted {
        assert!(began.elapsed() < Duration::from_secs(900), "signing ahead does not come to an end");
        meanwhile();
        std::thread::sleep(Duration::from_millis(100));
    }
    began.elapsed()
}

/// The median of the 99th percentiles, in microseconds, of timestamps at 8 connections.
fn timestamps_p99(server: &Server, times: usize) -> f64 {
    median((0..times).map(|_| count(wrk::run(&server.url(), 8, SECONDS).p99_us)).collect())
}

fn answered(report: &mut String, what: &str, server: &Server, file: &Path, seconds: u32) {
    let before = process::cpu(server.pid());
    let run = wrk::load(&server.at(""), 64, seconds, &Ask::Paths(file));
    let cpu = process::cpu(server.pid()) - before;
    writeln!(
        report,
        "| {what} | {:.1} µs CPU an answer, {:.0}/s, p99 {} µs at 64 connections |",
        micros(cpu) / count(run.requests),
        count(run.requests) / run.wall.as_secs_f64(),
        run.p99_us
    )
    .expect("a String takes everything");
}

fn on(report: &mut String, store: &str, directory: &Path, bare_directory: &Path) {
    let certificates = certificates();
    let mut tell = |what: &str, text: String| {
        eprintln!("{store}: {what}: {text}");
        writeln!(report, "| {what} | {text} |").expect("a String takes everything");
    };
    let server = Server::start(directory);
    let idle_us = timestamps_p99(&server, PAIRS);
    drop(server);

    let file = setup::home().join("certificates.csv");
    csv(&file, certificates);
    let (before, began) = (process::children_cpu(), Instant::now());
    setup::run(directory, &["cert", "import", "issuing", &file.display().to_string()]);
    let (cpu, took) = (process::children_cpu().saturating_sub(before), began.elapsed());
    tell(
        "import of the CSV",
        format!(
            "{:.1} s, {:.0} rows/s, {:.1} µs CPU a row in our process",
            took.as_secs_f64(),
            count(certificates) / took.as_secs_f64(),
            micros(cpu) / count(certificates)
        ),
    );

    let mut bare = vec![baseline::bare_rate(bare_directory, &KEY, 1, Duration::from_secs(3))];
    let (server, began) = (Server::start(directory), Instant::now());
    let took = signed_ahead(&server, certificates, began, || {});
    let cpu = process::cpu(server.pid());
    bare.push(baseline::bare_rate(bare_directory, &KEY, 1, Duration::from_secs(3)));
    let bare = bare.iter().sum::<f64>() / 2.0;
    let rate = count(certificates) / took.as_secs_f64();
    tell(
        "all answers signed ahead, from the server's start to the last one stored",
        format!(
            "{:.0} s, {rate:.0}/s: {:.0} % of one bare thread's {bare:.0}/s (one session of the two is kept for interactive work); {:.1} µs CPU an answer",
            took.as_secs_f64(),
            rate / bare * 100.0,
            micros(cpu) / count(certificates)
        ),
    );
    tell(
        "memory after it",
        format!(
            "{:.0} MiB resident, {:.0} at most",
            mib(process::resident_kib(server.pid())),
            mib(process::peak_kib(server.pid()))
        ),
    );

    // The other hash: as many answers again, and timestamps meanwhile.
    setup::run(directory, &["issuer", "set", "issuing", "--ahead", "both"]);
    let mut p99 = Vec::new();
    let took = signed_ahead(&server, 2 * certificates, Instant::now(), || p99.push(timestamps_p99(&server, 1)));
    let busy_us = median(p99);
    tell(
        "timestamps' p99 at 8 connections while as many answers were signed again (SHA-256)",
        format!(
            "{busy_us:.0} µs, ×{:.2} of {idle_us:.0} idle; the signing took {:.0} s beside that load",
            busy_us / idle_us,
            took.as_secs_f64()
        ),
    );
    drop(server);

    let server = Server::start(directory);
    std::thread::sleep(Duration::from_secs(3));
    tell("memory after a restart", format!("{:.0} MiB resident", mib(process::resident_kib(server.pid()))));
    let (cold, warm) =
        (paths(directory, "cold", COLD.min(certificates)), paths(directory, "warm", WARM.min(certificates)));
    answered(report, "cold: each certificate asked for once, its answer rebuilt from the store", &server, &cold, 5);
    answered(report, "the first seconds of others", &server, &warm, 2);
    answered(report, "warm: 5,000 certificates, from memory", &server, &warm, 5);
    writeln!(
        report,
        "| memory after it | {:.0} MiB resident |\n| signed again after the restart | {} |",
        mib(process::resident_kib(server.pid())),
        server.metric("noonmark_ocsp_signed_ahead_total", "")
            + server.metric("noonmark_ocsp_answers_total", "\"signed\"")
    )
    .expect("a String takes everything");
}

pub(crate) fn run(bare_directory: &Path) -> String {
    let mut report = String::new();
    for store in ["sqlite", "postgres"] {
        if !wanted(&format!("million-{store}")) && !wanted("million") {
            continue;
        }
        writeln!(report, "\n| {} certificates, {store} | |\n|---|---|", certificates())
            .expect("a String takes everything");
        let cluster = (store == "postgres").then(Cluster::start);
        let url = cluster.as_ref().map(Cluster::url);
        let more: Vec<&str> = url.iter().flat_map(|url| ["--database", url.as_str()]).collect();
        let directory = setup::init(&format!("million-{store}"), &more);
        on(&mut report, store, &directory, bare_directory);
    }
    report
}
