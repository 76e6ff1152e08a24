//! A million revoked certificates: to a published, served CRL, and one revocation more to a served delta.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crl::{Index, Reader};

use super::figures::{count, median};
use super::million::{certificates, mib, serial};
use super::postgres::Cluster;
use super::server::Server;
use super::{http, process, setup, wanted};

/// Publishings and revocations that are measured.
const TIMES: u64 = 5;
const COMPLETE: &str = "/crl/issuing.crl";
const DELTA: &str = "/crl/issuing/delta.crl";

/// A running agent.
struct Agent(Child);

impl Agent {
    fn start(directory: &Path) -> Self {
        let child = setup::noonmark()
            .arg("ca-agent")
            .arg("--dir")
            .arg(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("noonmark ca-agent");
        Self(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(Command::new("kill").arg(self.0.id().to_string()).status());
        drop(self.0.wait());
    }
}

fn csv(path: &Path, rows: std::ops::Range<u64>, status: &str) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    writeln!(file, "serial,not_after,state,reason,revoked_at").expect("a row");
    for n in rows {
        writeln!(file, "{},2036-01-01T00:00:00Z,{status}", hex::encode(serial(n))).expect("a row");
    }
    file.flush().expect("the file");
}

/// A served CRL's number of entries and its index; none before it is served.
fn fetch(server: &Server, path: &str) -> Option<(u64, Index)> {
    let response = http::get(server.port, path);
    let reader = Reader::from_slice(&response.body, 1 << 32, |_| {}).ok()?;
    let (index, crl) = Index::from_crl(reader).ok()?;
    Some((crl.entries, index))
}

fn tag(server: &Server, path: &str) -> Option<String> {
    http::head(server.port, path).header("etag").map(str::to_owned)
}

fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn on(report: &mut String, store: &str, directory: &Path) {
    let certificates = certificates();
    let mut tell = |what: &str, text: String| {
        eprintln!("{store}: {what}: {text}");
        writeln!(report, "| {what} | {text} |").expect("a String takes everything");
    };
    // Only the schedule of this bench.
    setup::run(directory, &["issuer", "set", "issuing", "--ahead", "none", "--crl-debounce-seconds", "82800"]);
    let file = setup::home().join("revoked.csv");
    let path = file.display().to_string();
    csv(&file, 0..certificates, "revoked,superseded,2026-06-01T00:00:00Z");
    setup::run(directory, &["cert", "import", "issuing", &path, "--quiet"]);
    csv(&file, certificates..certificates + TIMES, "good,,");
    setup::run(directory, &["cert", "import", "issuing", &path, "--quiet"]);

    let server = Server::start(directory);
    let agent = Agent::start(directory);
    let limit = Duration::from_secs(120);
    until("the delta to the first one", limit, || {
        fetch(&server, DELTA).is_some_and(|(entries, _)| entries >= certificates)
    });
    let (idle, mut walls, mut agent_cpu, mut server_cpu) = (process::peak_kib(agent.0.id()), vec![], vec![], vec![]);
    for _ in 0..TIMES {
        let before = tag(&server, COMPLETE);
        let cpu = (process::cpu(agent.0.id()), process::cpu(server.pid()));
        let began = Instant::now();
        setup::run(directory, &["crl", "publish", "issuing", "--quiet"]);
        until("the new one is served", limit, || tag(&server, COMPLETE) != before);
        walls.push(began.elapsed().as_secs_f64());
        agent_cpu.push((process::cpu(agent.0.id()) - cpu.0).as_secs_f64());
        server_cpu.push((process::cpu(server.pid()) - cpu.1).as_secs_f64());
    }
    let (entries, index) = fetch(&server, COMPLETE).expect("the complete one");
    assert_eq!(entries, certificates);
    assert!(index.find(&serial(certificates / 2)).is_some() && index.find(&serial(certificates)).is_none());
    let octets = http::get(server.port, COMPLETE).body.len();
    tell(
        "from `noonmark crl publish` to the complete CRL that is served",
        format!(
            "{:.2} s (median of {TIMES}; {:.2} to {:.2}), {octets} octets; CPU: agent {:.2} s (a delta is made with it), server {:.2} s",
            median(walls.clone()),
            walls.iter().copied().fold(f64::INFINITY, f64::min),
            walls.iter().copied().fold(0.0, f64::max),
            median(agent_cpu),
            median(server_cpu)
        ),
    );
    tell(
        "memory",
        format!(
            "agent: {:.0} MiB at most, {:.0} before; server: {:.0} MiB at most",
            mib(process::peak_kib(agent.0.id())),
            mib(idle),
            mib(process::peak_kib(server.pid()))
        ),
    );
    let mut deltas = Vec::new();
    for n in certificates..certificates + TIMES {
        let hexadecimal = hex::encode(serial(n));
        // No two CRLs of an issuer are of one second: what is measured is one revocation, not a row of them.
        std::thread::sleep(Duration::from_millis(1_500));
        let began = Instant::now();
        setup::run(directory, &["cert", "revoke", "issuing", &hexadecimal, "--reason", "keyCompromise"]);
        let revoked = began.elapsed();
        until("the delta has it", limit, || {
            fetch(&server, DELTA).is_some_and(|(_, index)| index.find(&serial(n)).is_some())
        });
        deltas.push((began.elapsed() - revoked).as_secs_f64());
    }
    tell(
        "from the end of `noonmark cert revoke` to the served delta",
        format!(
            "{:.0} ms (median of {TIMES}; {:.0} at most)",
            median(deltas.clone()) * 1_000.0,
            deltas.iter().copied().fold(0.0, f64::max) * 1_000.0
        ),
    );
    let cpu = process::cpu(server.pid());
    let (began, downloads) = (Instant::now(), 20_u32);
    for _ in 0..downloads {
        assert_eq!(http::get(server.port, COMPLETE).body.len(), octets);
    }
    let took = began.elapsed().as_secs_f64();
    tell(
        "a download of the complete one over loopback",
        format!(
            "{:.0} ms CPU of the server, {:.0} MB/s",
            (process::cpu(server.pid()) - cpu).as_secs_f64() * 1_000.0 / f64::from(downloads),
            count(u64::try_from(octets).expect("a size")) * f64::from(downloads) / took / 1e6
        ),
    );
}

pub(crate) fn run() -> String {
    let mut report = String::new();
    for store in ["sqlite", "postgres"] {
        if !wanted(&format!("crls-{store}")) && !wanted("crls") {
            continue;
        }
        writeln!(report, "\n| {} revoked, {store} | |\n|---|---|", certificates()).expect("a String takes everything");
        let cluster = (store == "postgres").then(Cluster::start);
        let url = cluster.as_ref().map(Cluster::url);
        let more: Vec<&str> = url.iter().flat_map(|url| ["--database", url.as_str()]).collect();
        let directory = setup::init(&format!("crls-{store}"), &more);
        on(&mut report, store, &directory);
    }
    report
}
