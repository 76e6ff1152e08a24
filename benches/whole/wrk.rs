//! wrk, and what it asks.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use noonmark::asn1::writer;
use noonmark::crypto::DigestAlgorithm;

use super::process;
use super::setup::home;

/// What one run of wrk tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) requests: u64,
    pub(crate) wall: Duration,
    pub(crate) p99_us: u64,
    pub(crate) wrk_cpu: Duration,
}

/// What is asked.
pub(crate) enum Ask<'a> {
    /// A timestamp with its certificates.
    Timestamp,
    /// The path that the URL has.
    Get,
    /// An OCSP request.
    Ocsp(&'a [u8]),
    /// Paths, one a line in this file: each thread goes through it from a place of its own.
    Paths(&'a Path),
}

fn post(body: &[u8], media_type: &str) -> String {
    let body: String = body.iter().map(|octet| format!("\\{octet:03}")).collect();
    format!("wrk.method = \"POST\"\nwrk.body = \"{body}\"\nwrk.headers[\"Content-Type\"] = \"{media_type}\"\n")
}

fn timestamp_request() -> Vec<u8> {
    let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[DigestAlgorithm::Sha256.oid().as_bytes()]);
    let algorithm = writer::tlv(writer::SEQUENCE, &[&oid, &[5, 0]]);
    let imprint = writer::tlv(writer::SEQUENCE, &[&algorithm, &writer::tlv(writer::OCTET_STRING, &[&[7; 32]])]);
    writer::tlv(writer::SEQUENCE, &[&[2, 1, 1], &imprint, &[2, 8, 1, 2, 3, 4, 5, 6, 7, 8], &[1, 1, 0xff]])
}

fn script(ask: &Ask<'_>) -> tempfile::NamedTempFile {
    let asked = match ask {
        Ask::Timestamp => post(&timestamp_request(), "application/timestamp-query"),
        Ask::Get => String::new(),
        Ask::Ocsp(request) => post(request, "application/ocsp-request"),
        Ask::Paths(file) => format!(
            "local threads = 0\nfunction setup(thread) thread:set(\"number\", threads) threads = threads + 1 end\n\
             local paths, at = {{}}, 0\n\
             function init(arguments)\n\
               for line in io.lines(\"{}\") do paths[#paths + 1] = wrk.format(\"GET\", line) end\n\
               at = math.floor(#paths / 2) * number\nend\n\
             function request() at = at % #paths + 1 return paths[at] end\n",
            file.display()
        ),
    };
    let told = "done = function(summary, latency, requests)\n\
           io.write(string.format(\"RESULT %d %d %d %d\\n\", summary.requests, summary.duration, latency:percentile(99), \
             summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout))\nend\n";
    let mut file = tempfile::NamedTempFile::with_suffix_in(".lua", home()).expect("a script");
    file.write_all((asked + told).as_bytes()).expect("the script");
    file
}

/// Loads `url` with timestamp requests over this many connections for this long.
pub(crate) fn run(url: &str, connections: u32, seconds: u32) -> Run {
    load(url, connections, seconds, &Ask::Timestamp)
}

/// Loads `url` with this many connections for this long.
pub(crate) fn load(url: &str, connections: u32, seconds: u32, ask: &Ask<'_>) -> Run {
    let script = script(ask);
    let before = process::children_cpu();
    let output = Command::new("wrk")
        .args(["-t", if connections < 2 { "1" } else { "2" }])
        .args(["-c", &connections.max(1).to_string(), "-d", &format!("{seconds}s"), "--timeout", "10s", "-s"])
        .arg(script.path())
        .arg(url)
        .output()
        .expect("wrk (apt-get install wrk)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("RESULT ")).unwrap_or_else(|| panic!("{text}"));
    let numbers: Vec<u64> = line.split(' ').skip(1).map(|text| text.parse().expect("a number")).collect();
    assert_eq!(numbers[3], 0, "errors under load: {text}");
    Run {
        requests: numbers[0],
        wall: Duration::from_micros(numbers[1]),
        p99_us: numbers[2],
        wrk_cpu: process::children_cpu().saturating_sub(before),
    }
}
