//! wrk, with a timestamp request that asks for certificates.

use std::process::Command;
use std::time::Duration;

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

fn script() -> std::path::PathBuf {
    let path = home().join("post.lua");
    let request = {
        use noonmark::asn1::writer;
        use noonmark::crypto::DigestAlgorithm;
        let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[DigestAlgorithm::Sha256.oid().as_bytes()]);
        let algorithm = writer::tlv(writer::SEQUENCE, &[&oid, &[5, 0]]);
        let imprint = writer::tlv(writer::SEQUENCE, &[&algorithm, &writer::tlv(writer::OCTET_STRING, &[&[7; 32]])]);
        writer::tlv(writer::SEQUENCE, &[&[2, 1, 1], &imprint, &[2, 8, 1, 2, 3, 4, 5, 6, 7, 8], &[1, 1, 0xff]])
    };
    let body: String = request.iter().map(|octet| format!("\\{octet:03}")).collect();
    let text = format!(
        "wrk.method = \"POST\"\nwrk.body = \"{body}\"\nwrk.headers[\"Content-Type\"] = \"application/timestamp-query\"\n\
         done = function(summary, latency, requests)\n\
           io.write(string.format(\"RESULT %d %d %d %d\\n\", summary.requests, summary.duration, latency:percentile(99), \
             summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout))\nend\n"
    );
    std::fs::write(&path, text).expect("post.lua");
    path
}

/// Loads `url` with this many connections for this long.
pub(crate) fn run(url: &str, connections: u32, seconds: u32) -> Run {
    let before = process::children_cpu();
    let output = Command::new("wrk")
        .args(["-t", if connections < 2 { "1" } else { "2" }])
        .args(["-c", &connections.max(1).to_string(), "-d", &format!("{seconds}s"), "--timeout", "10s", "-s"])
        .arg(script())
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
