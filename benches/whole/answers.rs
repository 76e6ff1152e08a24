//! What an answer about a certificate costs: stored, beside a bare actix handler and nginx; signed on demand, beside a bare
//! signature.

use std::fmt::Write as _;
use std::path::Path;

use noonmark::ocsp::IssuerHashes;

use super::asking;
use super::bare::Bare;
use super::baseline::{self, BareKey};
use super::figures::{PAIRS, SECONDS, count, median, micros};
use super::server::Server;
use super::wrk::{self, Ask};
use super::{http, process};

/// Connections of every load here.
const CONNECTIONS: u32 = 64;
const MEDIA_TYPE: &str = "application/ocsp-request";
/// The responder's key.
pub(crate) const KEY: BareKey = BareKey { label: "ocsp-issuing-1", is_rsa: false };

/// CPU of one request and requests a second.
fn cost(pid: u32, url: &str, ask: &Ask<'_>) -> (f64, f64) {
    let before = process::tree_cpu(pid);
    let run = wrk::load(url, CONNECTIONS, SECONDS, ask);
    let cpu = process::tree_cpu(pid) - before;
    (micros(cpu) / count(run.requests), count(run.requests) / run.wall.as_secs_f64())
}

fn stored(report: &mut String, directory: &Path, server: &Server) {
    let issuer = IssuerHashes::of(&asking::certificate(directory, "issuing"));
    let serial = asking::certificate(directory, "tsu-default-1").serial_number;
    let request = asking::request(&issuer, &serial, false);
    let path = asking::path(&request);
    let got = http::get(server.port, &path);
    let posted = http::post(server.port, "/ocsp", MEDIA_TYPE, &request);
    assert_eq!(got.body, posted.body, "the stored answer");
    let (bare_get, bare_post, nginx) =
        (Bare::actix("bare-get", &got), Bare::actix("bare-post", &posted), Bare::nginx(&got));
    let rows: [(&str, u32, String, Ask<'_>); 5] = [
        ("nginx, a static file of its size", nginx.pid(), nginx.at("/answer"), Ask::Get),
        ("bare actix, GET", bare_get.pid(), bare_get.at(&path), Ask::Get),
        ("Noonmark, stored, GET", server.pid(), server.at(&path), Ask::Get),
        ("bare actix, POST", bare_post.pid(), bare_post.at("/ocsp"), Ask::Ocsp(&request)),
        ("Noonmark, stored, POST", server.pid(), server.at("/ocsp"), Ask::Ocsp(&request)),
    ];
    let mut figures: [(Vec<f64>, Vec<f64>); 5] = Default::default();
    for _ in 0..PAIRS {
        for ((_, pid, url, ask), (cpu, rate)) in rows.iter().zip(&mut figures) {
            let (one, per_second) = cost(*pid, url, ask);
            cpu.push(one);
            rate.push(per_second);
        }
    }
    let medians = figures.map(|(cpu, rate)| (median(cpu), median(rate)));
    report.push_str("| what | µs CPU a request | of bare actix | requests/s |\n|---|---|---|---|\n");
    for (at, ((name, ..), (cpu, rate))) in rows.iter().zip(&medians).enumerate() {
        let bare = if at < 3 { medians[1].0 } else { medians[3].0 };
        writeln!(report, "| {name} | {cpu:.1} | ×{:.2} | {rate:.0} |", cpu / bare).expect("a String takes everything");
        eprintln!("{name}: {cpu:.1} µs");
    }
}

fn on_demand(report: &mut String, directory: &Path, server: &Server) {
    let issuer = IssuerHashes::of(&asking::certificate(directory, "issuing"));
    let serial = asking::certificate(directory, "tsu-default-1").serial_number;
    let request = asking::request(&issuer, &serial, true);
    let (mut bare, mut bare_by_two, mut own, mut rate) = (vec![], vec![], vec![], vec![]);
    for _ in 0..PAIRS {
        let duration = std::time::Duration::from_secs(2);
        bare.push(micros(baseline::bare_signature(directory, &KEY, duration)));
        bare_by_two.push(micros(baseline::bare_signature_by_two(directory, &KEY, duration)));
        let (cpu, per_second) = cost(server.pid(), &server.at("/ocsp"), &Ask::Ocsp(&request));
        own.push(cpu);
        rate.push(per_second);
    }
    let (bare, by_two, own, rate) = (median(bare), median(bare_by_two), median(own), median(rate));
    writeln!(
        report,
        "\nSigned on demand (a nonce of 16 octets, POST, P-256): {own:.1} µs CPU, {rate:.0}/s. A bare signature takes {bare:.1} on \
         one thread (×{:.2}), {by_two:.1} on each of two (×{:.2}).\n",
        own / bare,
        own / by_two
    )
    .expect("a String takes everything");
    eprintln!("on demand: {own:.1} µs, bare {bare:.1}, by two {by_two:.1}");
}

pub(crate) fn run(directory: &Path) -> String {
    let mut report = String::new();
    let server = Server::start(directory);
    stored(&mut report, directory, &server);
    on_demand(&mut report, directory, &server);
    report
}
