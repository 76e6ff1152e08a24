//! CRLs from a running installation: made by the agent, published, served, and what becomes of them when things die.

mod dying;
mod large;

use std::time::{Duration, Instant};

use crl::{Crl, Index, IndexedEntry, Reader, ReasonCode};
use libtest_mimic::{Failed, Trial};

use super::support::agent::{self, Agent};
use super::support::http::Response;
use super::support::openssl_ca;
use super::support::postgres::{self, Cluster};
use super::support::records;
use super::support::server::{Installation, Server, free_port, text};

pub use dying::enter;

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    let no_postgres = !postgres::available();
    let mut trials = vec![
        Trial::test("crls::served_with_conditions_and_ranges", served),
        Trial::test("crls::a_revocation_is_in_the_delta_within_a_second", || revoked(&Installation::software()))
            .with_ignored_flag(no_openssl),
        Trial::test("crls::a_revocation_is_on_both_servers_within_a_second", on_both_servers)
            .with_ignored_flag(no_openssl || no_postgres),
        Trial::test("crls::a_hold_comes_and_goes", held_and_released).with_ignored_flag(no_openssl),
        Trial::test("crls::partitions_stand_in_the_certificates", partitions).with_ignored_flag(no_openssl),
        Trial::test("crls::openssl_fetches_by_the_distribution_point", fetched).with_ignored_flag(no_openssl),
        Trial::test("crls::by_every_kind_of_key", every_kind_of_key).with_ignored_flag(no_openssl),
        Trial::test("crls::what_runs_out_is_told", runs_out),
        Trial::test("crls::looked_at_by_hand", by_hand).with_ignored_flag(no_openssl),
    ];
    trials.extend(dying::trials());
    trials.extend(large::trials());
    trials
}

const COMPLETE: &str = "/crl/issuing.crl";
const DELTA: &str = "/crl/issuing/delta.crl";

/// A served CRL, read whole.
struct Fetched {
    index: Index,
    crl: Crl,
    octets: Vec<u8>,
}

impl Fetched {
    fn number(&self) -> u64 {
        number(self.crl.extensions.crl_number.as_ref().unwrap())
    }

    fn find(&self, serial: &str) -> Option<IndexedEntry> {
        let octets = noonmark::ca::registry::parse_serial(serial).unwrap();
        self.index.find(&octets)
    }

    fn reason(&self, serial: &str) -> Option<Option<ReasonCode>> {
        self.find(serial).map(|entry| entry.reason().unwrap())
    }
}

fn number(number: &crl::CrlNumber) -> u64 {
    number.integer_octets().iter().fold(0, |number, octet| (number << 8) | u64::from(*octet))
}

fn read(octets: Vec<u8>) -> Fetched {
    let (index, crl) = Index::from_crl(Reader::from_slice(&octets, 20_000_000, |_| {}).unwrap()).unwrap();
    assert_eq!(crl.obstacles(), []);
    Fetched { index, crl, octets }
}

fn fetch(server: &Server, path: &str) -> Fetched {
    let response = server.get(path);
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    assert_eq!(response.header("content-type"), Some("application/pkix-crl"));
    read(response.body)
}

/// Asks until it is so; how long that took.
fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

/// No two CRLs of an issuer are of one second: one that was made a moment ago would be waited for.
fn a_quiet_second() {
    std::thread::sleep(Duration::from_millis(1_100));
}

fn serial(installation: &Installation, file: &str) -> String {
    let text = openssl_ca::openssl(installation.directory(), &["x509", "-in", file, "-noout", "-serial"]);
    text.trim().trim_start_matches("serial=").to_lowercase()
}

fn issue(installation: &Installation, name: &str) -> String {
    agent::issue(installation, name, "document-signer", &format!("/C=DE/CN={name}"), &[]);
    serial(installation, &format!("{name}.pem"))
}

fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = server.connect();
    std::io::Write::write_all(&mut stream, format!("{head}\r\n").as_bytes()).unwrap();
    let mut raw = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut raw).unwrap();
    // A HEAD's length is that of the octets which do not follow.
    let raw = if method == "HEAD" {
        let text = String::from_utf8(raw).unwrap();
        text.replace("content-length:", "x-length:").into_bytes()
    } else {
        raw
    };
    Response::parse(&raw).unwrap()
}

fn served() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    until("the shelf is filled", Duration::from_secs(5), || server.get(COMPLETE).status == 200);
    let whole = server.get(COMPLETE);
    let tag = whole.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", hex::encode(noonmark::crypto::sha256(&whole.body))));
    let modified = whole.header("last-modified").unwrap().to_owned();
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("cache-control"), Some("public, max-age=300, no-transform, must-revalidate"));
    assert_eq!(whole.header("content-length").unwrap(), whole.body.len().to_string());
    assert!(whole.header("content-encoding").is_none() && whole.header("transfer-encoding").is_none());
    let zipped = ask(&server, "GET", COMPLETE, &[("Accept-Encoding", "gzip, br")]);
    assert_eq!(zipped.body, whole.body, "never compressed");

    let head = ask(&server, "HEAD", COMPLETE, &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("x-length").unwrap(), whole.body.len().to_string());
    assert_eq!(head.header("etag"), Some(tag.as_str()));

    for headers in [[("If-None-Match", tag.as_str())], [("If-Modified-Since", modified.as_str())]] {
        let response = ask(&server, "GET", COMPLETE, &headers);
        assert_eq!((response.status, response.body.len()), (304, 0), "{headers:?}");
        assert_eq!(response.header("etag"), Some(tag.as_str()));
    }
    let part = ask(&server, "GET", COMPLETE, &[("Range", "bytes=10-19")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[10..20]));
    assert_eq!(part.header("content-range").unwrap(), format!("bytes 10-19/{}", whole.body.len()));
    let beyond = ask(&server, "GET", COMPLETE, &[("Range", "bytes=99999999-")]);
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range").unwrap(), format!("bytes */{}", whole.body.len()));
    assert_eq!(ask(&server, "GET", COMPLETE, &[("If-Match", "\"other\"")]).status, 412);

    let post = server.post(COMPLETE, "application/pkix-crl", b"");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    for path in [
        "/crl/",
        "/crl/nobody.crl",
        "/crl/issuing",
        "/crl/issuing/1.crl",
        "/crl/issuing/01.crl",
        "/crl/issuing/complete.crl",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    let root = fetch(&server, "/crl/root.crl");
    assert!(root.crl.extensions.freshest_crl.is_empty() && root.crl.extensions.issuing_distribution_point.is_none());
    let year = root.crl.header.next_update.unwrap().seconds - root.crl.header.this_update.seconds;
    assert_eq!(year, 365 * 86_400, "CRLs of CA certificates: 12 months at most (TLS BR 4.9.7)");
    assert!(fetch(&server, DELTA).crl.is_delta());
    Ok(())
}

/// From the verb's end to the delta that is served; the complete one after the debounce.
fn revoked(installation: &Installation) -> Result<(), Failed> {
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "3"]);
    let (server, _agent) = (installation.serve(), Agent::start(installation));
    let (good, bad) = (issue(installation, "good"), issue(installation, "bad"));
    let before = fetch(&server, COMPLETE);
    a_quiet_second();
    installation.run(&["cert", "revoke", "issuing", &bad, "--reason", "keyCompromise"]);
    let took = until("the delta has it", Duration::from_secs(1), || fetch(&server, DELTA).find(&bad).is_some());
    assert!(took < Duration::from_secs(1), "{took:?}");
    let delta = fetch(&server, DELTA);
    assert_eq!(delta.reason(&bad), Some(Some(ReasonCode::KeyCompromise)));
    assert_eq!(number(delta.crl.extensions.base_crl_number.as_ref().unwrap()), before.number());
    assert!(delta.number() > before.number());
    crl::check_delta(&before.crl, &delta.crl).unwrap();
    assert_eq!(fetch(&server, COMPLETE).octets, before.octets, "the complete one waits for its debounce");
    until("the complete one has it", Duration::from_secs(8), || fetch(&server, COMPLETE).find(&bad).is_some());
    let complete = fetch(&server, COMPLETE);
    assert!(complete.number() > delta.number(), "one series");
    assert_eq!(complete.find(&good), None);
    until("a delta to the new one", Duration::from_secs(3), || {
        let delta = fetch(&server, DELTA);
        number(delta.crl.extensions.base_crl_number.as_ref().unwrap()) == complete.number()
    });
    let delta = fetch(&server, DELTA);
    assert_eq!(delta.crl.entries, 0, "what the base has is not repeated");
    crl::check_delta(&complete.crl, &delta.crl).unwrap();

    std::fs::write(installation.directory().join("complete.crl"), &complete.octets)?;
    std::fs::write(installation.directory().join("delta.crl"), &delta.octets)?;
    for file in ["complete.crl", "delta.crl"] {
        let said = openssl_ca::openssl(
            installation.directory(),
            &["crl", "-inform", "DER", "-in", file, "-noout", "-text", "-CAfile", "certificates/issuing.pem"],
        );
        assert!(said.contains("X509v3 CRL Number"), "{said}");
    }
    let records = records::events(installation, "crl-published");
    let scopes: Vec<_> =
        records.iter().filter(|event| event["issuer"] == "issuing").map(|event| &event["scope"]).collect();
    assert!(scopes.len() >= 5, "each is in the ledger: {scopes:?}");
    let last = records.iter().find(|event| event["number"] == complete.number()).unwrap();
    assert_eq!(last["sha256"], hex::encode(noonmark::crypto::sha256(&complete.octets)));
    assert_eq!((&last["entries"], &last["key"]), (&serde_json::json!(1), &serde_json::json!("issuing")));
    assert!(installation.run(&["audit", "verify"]).contains("whole"));
    Ok(())
}

fn on_both_servers() -> Result<(), Failed> {
    let cluster = Cluster::start();
    let installation = Installation::new(&["--tier", "software", "--database", &cluster.url()]);
    let (first, second) = (installation.serve(), installation.serve());
    let _agent = Agent::start(&installation);
    let bad = issue(&installation, "bad");
    a_quiet_second();
    installation.run(&["cert", "revoke", "issuing", &bad, "--reason", "superseded"]);
    let revoked_at = Instant::now();
    for server in [&first, &second] {
        let left = Duration::from_secs(1).saturating_sub(revoked_at.elapsed());
        until("the delta has it", left, || fetch(server, DELTA).find(&bad).is_some());
    }
    assert_eq!(fetch(&first, DELTA).octets, fetch(&second, DELTA).octets);
    Ok(())
}

fn held_and_released() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "1"]);
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let alice = issue(&installation, "alice");
    installation.run(&["cert", "hold", "issuing", &alice]);
    until("on hold in the complete one", Duration::from_secs(5), || {
        fetch(&server, COMPLETE).reason(&alice) == Some(Some(ReasonCode::CertificateHold))
    });
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "600"]);
    installation.run(&["cert", "release", "issuing", &alice]);
    until("removed by the delta", Duration::from_secs(2), || {
        fetch(&server, DELTA).reason(&alice) == Some(Some(ReasonCode::RemoveFromCrl))
    });
    let (base, delta) = (fetch(&server, COMPLETE), fetch(&server, DELTA));
    crl::check_delta(&base.crl, &delta.crl).unwrap();
    assert_eq!(base.reason(&alice), Some(Some(ReasonCode::CertificateHold)), "the base still has it");
    let overlay = crl::Overlay { base: &base.index, delta: Some(&delta.index) };
    assert_eq!(overlay.find(&noonmark::ca::registry::parse_serial(&alice)?), None, "together they say good");
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "1"]);
    until("gone from the complete one", Duration::from_secs(5), || fetch(&server, COMPLETE).find(&alice).is_none());
    Ok(())
}

fn partitions() -> Result<(), Failed> {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let installation = Installation::new(&["--tier", "software", "--public-url", &url]);
    let (server, _agent) = (installation.serve_on(port), Agent::start(&installation));
    let before = issue(&installation, "before");
    let set = ["issuer", "set", "issuing", "--crl-partitions", "3", "--crl-debounce-seconds", "1"];
    installation.run(&set);
    let refused = installation.noonmark(&["issuer", "set", "issuing", "--crl-partitions", "2"]);
    assert!(!refused.status.success() && text(&refused).contains("never fewer"), "{}", text(&refused));
    for number in 1..=3 {
        until("each partition has its CRL", Duration::from_secs(5), || {
            server.get(&format!("/crl/issuing/{number}.crl")).status == 200
        });
    }
    let names: Vec<String> = (0..6).map(|n| format!("p{n}")).collect();
    let serials: Vec<String> = names.iter().map(|name| issue(&installation, name)).collect();
    let point = |name: &str| {
        let file = format!("{name}.pem");
        let text = openssl_ca::openssl(
            installation.directory(),
            &["x509", "-in", &file, "-noout", "-ext", "crlDistributionPoints"],
        );
        text.split("URI:").nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(point("before"), format!("{url}{COMPLETE}"), "what was issued before stays with the complete one");
    installation.run(&["cert", "revoke", "issuing", &before, "--reason", "superseded"]);
    for serial in &serials {
        installation.run(&["cert", "revoke", "issuing", serial, "--reason", "superseded"]);
    }
    for (name, serial) in names.iter().zip(&serials) {
        let point = point(name);
        let path = point.strip_prefix(&url).unwrap();
        assert!(["/crl/issuing/1.crl", "/crl/issuing/2.crl", "/crl/issuing/3.crl"].contains(&path), "{path}");
        until("its partition lists it", Duration::from_secs(8), || fetch(&server, path).find(serial).is_some());
        let partition = fetch(&server, path);
        let idp = partition.crl.extensions.issuing_distribution_point.as_ref().unwrap();
        assert_eq!(
            *idp,
            crl::scope::IssuingDistributionPoint {
                only_contains: crl::scope::OnlyContains::UserCerts,
                ..crl::scope::IssuingDistributionPoint::from_uri(&point)?
            }
        );
        assert_eq!(partition.find(&before), None);
    }
    until("the complete one lists all", Duration::from_secs(8), || {
        let complete = fetch(&server, COMPLETE);
        serials.iter().chain([&before]).all(|serial| complete.find(serial).is_some())
    });
    let whole: u64 = (1..=3).map(|number| fetch(&server, &format!("/crl/issuing/{number}.crl")).crl.entries).sum();
    assert_eq!(whole, 6, "each in one partition");
    Ok(())
}

/// `openssl verify` fetches by what stands in the certificate, of the complete CRL and of a partition.
fn fetched() -> Result<(), Failed> {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let installation = Installation::new(&["--tier", "software", "--public-url", &url]);
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "1"]);
    let (server, _agent) = (installation.serve_on(port), Agent::start(&installation));
    let verify = |file: &str| {
        let output = std::process::Command::new("openssl")
            .current_dir(installation.directory())
            .args(["verify", "-crl_check", "-crl_download", "-CAfile", "certificates/root.pem"])
            .args(["-untrusted", "certificates/issuing.pem", file])
            .output()
            .unwrap();
        text(&output)
    };
    let said = verify("certificates/issuing.pem");
    assert!(said.contains(": OK"), "by the root's CRL: {said}");
    for (round, paths) in [("complete", &[COMPLETE][..]), ("partition", &["/crl/issuing/1.crl"])] {
        let (good, bad) = (format!("good-{round}"), format!("bad-{round}"));
        issue(&installation, &good);
        let serial = issue(&installation, &bad);
        installation.run(&["cert", "revoke", "issuing", &serial, "--reason", "keyCompromise"]);
        for path in paths {
            until("listed", Duration::from_secs(8), || fetch(&server, path).find(&serial).is_some());
        }
        let said = verify(&format!("{good}.pem"));
        assert!(said.contains(": OK"), "{round}: {said}");
        let said = verify(&format!("{bad}.pem"));
        assert!(said.contains("certificate revoked"), "{round}: {said}");
        installation.run(&["issuer", "set", "issuing", "--crl-partitions", "1"]);
        until("the partition is there", Duration::from_secs(5), || server.get("/crl/issuing/1.crl").status == 200);
    }
    Ok(())
}

/// Digests are signed by each tier and algorithm, and verified by somebody else.
fn every_kind_of_key() -> Result<(), Failed> {
    let mut kinds =
        vec![vec!["--tier", "software", "--algorithm", "p384"], vec!["--tier", "software", "--algorithm", "rsa3072"]];
    if super::support::softhsm::module().is_some() {
        kinds.extend([vec!["--algorithm", "p256"], vec!["--algorithm", "p384"], vec!["--algorithm", "rsa3072"]]);
    }
    for kind in kinds {
        let installation = Installation::new(&kind);
        installation.run(&["crl", "publish", "root"]);
        let server = installation.serve();
        for (path, issuer) in [("/crl/root.crl", "root"), (COMPLETE, "issuing"), (DELTA, "issuing")] {
            until("served", Duration::from_secs(5), || server.get(path).status == 200);
            std::fs::write(installation.directory().join("it.crl"), fetch(&server, path).octets)?;
            let output = std::process::Command::new("openssl")
                .current_dir(installation.directory())
                .args(["crl", "-inform", "DER", "-in", "it.crl", "-noout", "-CAfile"])
                .arg(format!("certificates/{issuer}.pem"))
                .output()?;
            assert!(text(&output).contains("verify OK"), "{kind:?} {path}: {}", text(&output));
        }
    }
    Ok(())
}

/// Nobody renews: `/readyz`, `check` and the metrics tell before the end and after it, and serving goes on.
fn runs_out() -> Result<(), Failed> {
    let installation = Installation::software();
    let seconds = ["--crl-interval-seconds", "2", "--crl-overlap-seconds", "4", "--crl-delta-seconds", "0"];
    installation.run(&[&["issuer", "set", "issuing"], &seconds[..]].concat());
    let server = installation.serve();
    let agent = Agent::start(&installation);
    let told = || {
        let report = server.get("/readyz").json();
        let checks = report["checks"].as_array().unwrap().clone();
        assert_eq!(report["ready"], true, "serving goes on: {report}");
        checks.into_iter().find(|check| check["name"] == "crl issuing").unwrap().to_string()
    };
    until("served", Duration::from_secs(5), || server.get(COMPLETE).status == 200);
    let number = || server.metric("noonmark_crl_number{issuer=\"issuing\",scope=\"complete\"}");
    let first = number();
    until("it is renewed at its interval", Duration::from_secs(10), || number() > first + 1.0);
    assert!(told().contains("\"state\":\"ok\""), "{}", told());
    let ends = server.metric("noonmark_crl_next_update_timestamp_seconds{issuer=\"issuing\",scope=\"complete\"}");
    // The first one was for three days, and nextUpdate never goes back (RFC 5280 §5.1.2.5).
    let first_ends = fetch(&server, COMPLETE).crl.header.next_update.unwrap().seconds;
    assert!(
        format!("{ends:.0}") == first_ends.to_string()
            && first_ends > fetch(&server, COMPLETE).crl.header.this_update.seconds + 86_400
    );
    assert!(agent.stop());
    drop(server);

    let young = Installation::new(&["--tier", "software"]);
    let other = ["issuer", "create", "short", "--common-name", "Short CA"];
    young.run(&other);
    young.run(&[&["issuer", "set", "short"], &seconds[..]].concat());
    let server = young.serve();
    let told = |wanted: &str| {
        let checks = server.get("/readyz").json()["checks"].as_array().unwrap().clone();
        let said = checks.into_iter().find(|check| check["name"] == "crl short").map(|check| check.to_string());
        said.is_some_and(|said| said.contains(wanted))
    };
    until("it was never published", Duration::from_secs(5), || told("was never published"));
    let agent = Agent::start(&young);
    until("the agent makes it", Duration::from_secs(5), || told("\"state\":\"ok\""));
    assert!(agent.stop());
    until("it is late", Duration::from_secs(8), || told("was not renewed"));
    until("it has ended", Duration::from_secs(8), || told("clients that check it refuse every certificate"));
    assert_eq!(server.get("/crl/short.crl").status, 200, "it is served on: whoever asks may decide");
    let check = young.noonmark(&["check"]);
    assert!(text(&check).contains("the complete CRL ended at"), "{}", text(&check));
    Ok(())
}

/// `crl show`, `lint` and `diff` on what is published and on files.
fn by_hand() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "600"]);
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let bad = issue(&installation, "bad");
    let path = |name: &str| installation.directory().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("before.crl"), fetch(&server, COMPLETE).octets)?;
    installation.run(&["cert", "revoke", "issuing", &bad, "--reason", "superseded"]);
    let said = installation.run(&["crl", "publish", "issuing"]);
    assert!(said.contains("issuing complete: number ") && said.contains("issuing delta: number "), "{said}");
    until("served", Duration::from_secs(1), || fetch(&server, COMPLETE).find(&bad).is_some());
    std::fs::write(path("after.crl"), fetch(&server, COMPLETE).octets)?;
    let list = installation.run(&["crl", "show"]);
    assert!(list.contains("issuing") && list.contains("root") && list.contains("delta"), "{list}");
    let list: serde_json::Value = serde_json::from_str(&installation.run(&["crl", "show", "--json"]))?;
    assert_eq!(list.as_array().unwrap().len(), 3);
    let said = installation.run(&["crl", "show", &path("after.crl"), &bad]);
    assert!(said.contains("entries: 1") && said.contains(&format!("{bad}: revoked at")) && said.contains("superseded"));
    let said = installation.run(&["crl", "show", &path("before.crl"), &bad]);
    assert!(said.contains("not in this CRL"), "{said}");
    let linted = installation.run(&["crl", "lint", &path("after.crl"), "--profile", "end-entity"]);
    assert!(linted.contains("nothing found"), "{linted}");
    let differ = installation.noonmark(&["crl", "diff", &path("before.crl"), &path("after.crl")]);
    assert_eq!(differ.status.code(), Some(1));
    let said = text(&differ);
    assert!(said.contains(&format!("+ {bad}")) && said.contains("1 added, 0 removed, 0 changed"), "{said}");
    let same = installation.noonmark(&["crl", "diff", &path("after.crl"), &path("after.crl")]);
    assert_eq!(same.status.code(), Some(0));
    // PEM, and a file that is none.
    let pem = openssl_ca::openssl(installation.directory(), &["crl", "-inform", "DER", "-in", "after.crl"]);
    std::fs::write(path("after.pem"), pem)?;
    assert!(installation.run(&["crl", "show", &path("after.pem")]).contains("entries: 1"));
    let refused = installation.noonmark(&["crl", "show", &path("certificates/root.pem")]);
    assert!(!refused.status.success() && text(&refused).contains("X509 CRL"), "{}", text(&refused));
    let broken = &std::fs::read(path("after.crl"))?[..100];
    std::fs::write(path("broken.crl"), broken)?;
    let linted = installation.noonmark(&["crl", "lint", &path("broken.crl")]);
    assert_eq!(linted.status.code(), Some(1), "{}", text(&linted));
    let external = installation.noonmark(&["crl", "publish", "nobody"]);
    assert!(text(&external).contains("there is no issuer"), "{}", text(&external));
    Ok(())
}
