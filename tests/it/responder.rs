//! Certificates' status from a running server, asked by real clients and by hand.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use libtest_mimic::{Failed, Trial};

use super::support::agent::{self, Agent};
use super::support::http::Response;
use super::support::ocsp::{MALFORMED, MEDIA_TYPE, UNAUTHORIZED, status};
use super::support::openssl_ca;
use super::support::postgres::{self, Cluster};
use super::support::server::{Installation, Server};

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    let no_gnutls = !is_there("ocsptool");
    vec![
        Trial::test("responder::openssl_asks", openssl_asks).with_ignored_flag(no_openssl),
        Trial::test("responder::ocsptool_asks", ocsptool_asks).with_ignored_flag(no_gnutls || no_openssl),
        Trial::test("responder::get_in_every_encoding", get_in_every_encoding).with_ignored_flag(no_openssl),
        Trial::test("responder::what_is_refused", what_is_refused).with_ignored_flag(no_openssl),
        Trial::test("responder::revoked_within_a_second", revoked_within_a_second).with_ignored_flag(no_openssl),
        Trial::test("responder::held_and_released", held_and_released).with_ignored_flag(no_openssl),
        Trial::test("responder::revoked_on_the_other_server", revoked_on_the_other_server)
            .with_ignored_flag(no_openssl || !postgres::available()),
        Trial::test("responder::a_restart_signs_nothing_again", a_restart_signs_nothing_again)
            .with_ignored_flag(no_openssl),
        Trial::test("responder::settings_are_followed", settings_are_followed).with_ignored_flag(no_openssl),
        Trial::test("responder::stored_answers_of_other_settings_are_signed_anew", other_settings)
            .with_ignored_flag(no_openssl),
        Trial::test("responder::an_answer_is_renewed_before_its_end", renewed_before_its_end)
            .with_ignored_flag(no_openssl),
        Trial::test("responder::the_agent_renews_and_is_missed", the_agent_renews_and_is_missed),
    ]
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

const TSU: &str = "certificates/tsu-default-1.pem";
const ISSUING: &str = "certificates/issuing.pem";

/// Root and issuing CA in one file, for clients that want the chain.
fn chain(directory: &Path) {
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    std::fs::write(directory.join("chain.pem"), read(ISSUING) + &read("certificates/root.pem")).unwrap();
}

/// What `openssl ocsp` says, its verification included.
fn openssl(installation: &Installation, server: &Server, arguments: &[&str]) -> String {
    chain(installation.directory());
    let output = Command::new("openssl")
        .current_dir(installation.directory())
        .args(["ocsp", "-CAfile", "chain.pem", "-url", &format!("{}/ocsp", server.url())])
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A request that openssl made for the TSU's certificate.
fn request(installation: &Installation, arguments: &[&str]) -> Vec<u8> {
    let made = Command::new("openssl")
        .current_dir(installation.directory())
        .args(["ocsp", "-reqout", "request.der"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::read(installation.directory().join("request.der")).unwrap()
}

fn usual_request(installation: &Installation) -> Vec<u8> {
    request(installation, &["-issuer", ISSUING, "-cert", TSU, "-no_nonce"])
}

fn post(server: &Server, request: &[u8]) -> Response {
    server.post("/ocsp", MEDIA_TYPE, request)
}

/// The serial number of the certificate in a file.
fn serial(installation: &Installation, file: &str) -> String {
    let text = openssl_ca::openssl(installation.directory(), &["x509", "-in", file, "-noout", "-serial"]);
    text.trim().trim_start_matches("serial=").to_owned()
}

/// Asks until the answer says `wanted`; how long that took.
fn until(wanted: &str, limit: Duration, mut ask: impl FnMut() -> String) -> Duration {
    let began = Instant::now();
    loop {
        let said = ask();
        if said.contains(wanted) {
            return began.elapsed();
        }
        assert!(began.elapsed() < limit, "not {wanted} after {limit:?}: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn openssl_asks() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let server = installation.serve();
    let issuer = ["-issuer", ISSUING];
    for (more, what) in [
        (&["-cert", TSU][..], "a nonce, SHA-1"),
        (&["-cert", TSU, "-no_nonce"], "no nonce, SHA-1"),
        (&["-sha256", "-cert", TSU], "a nonce, SHA-256"),
        (&["-sha256", "-cert", TSU, "-no_nonce"], "no nonce, SHA-256"),
        (&["-cert", TSU, "-cert", "certificates/ocsp-issuing-1.pem"], "two at once"),
    ] {
        let said = openssl(&installation, &server, &[&issuer[..], more].concat());
        assert!(said.contains("Response verify OK"), "{what}: {said}");
        assert!(said.contains(&format!("{TSU}: good")), "{what}: {said}");
        assert!(!said.contains("WARNING"), "{what}: {said}");
    }
    let said = openssl(&installation, &server, &["-issuer", "certificates/root.pem", "-cert", ISSUING]);
    assert!(said.contains("Response verify OK") && said.contains(&format!("{ISSUING}: good")), "the root: {said}");
    let said = openssl(&installation, &server, &["-issuer", ISSUING, "-serial", "0x4711"]);
    assert!(said.contains("0x4711: unknown"), "never issued: {said}");
    Ok(())
}

fn ocsptool_asks() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let server = installation.serve();
    chain(installation.directory());
    let output = Command::new("ocsptool")
        .current_dir(installation.directory())
        .arg(format!("--ask={}/ocsp/issuing", server.url()))
        .args(["--load-issuer", ISSUING, "--load-cert", TSU, "--load-trust", "chain.pem"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Verifying OCSP Response: Success"), "{said}");
    assert!(said.contains("Certificate Status: good"), "{said}");
    Ok(())
}

fn get_in_every_encoding() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let request = usual_request(&installation);
    let posted = post(&server, &request);
    assert_eq!(status(&posted), 0);
    let plain = base64::engine::general_purpose::STANDARD.encode(&request);
    let upper = plain.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let lower = plain.replace('+', "%2b").replace('/', "%2f").replace('=', "%3d");
    for path in [
        format!("/ocsp/{plain}"),
        format!("/ocsp/{upper}"),
        format!("/ocsp/{lower}"),
        format!("/ocsp/issuing/{plain}"),
        format!("/ocsp/issuing/{upper}"),
    ] {
        let response = server.get(&path);
        assert_eq!((response.status, status(&response)), (200, 0), "{path}");
        assert_eq!(response.body, posted.body, "the stored answer, whatever way it was asked for: {path}");
        let cache = response.header("cache-control").unwrap_or_default().to_owned();
        assert!(cache.starts_with("max-age=") && cache.ends_with(",public,no-transform,must-revalidate"), "{cache}");
        for name in ["etag", "last-modified", "expires", "content-length", "date"] {
            assert!(response.header(name).is_some(), "{name}");
        }
    }
    let etag = server.get(&format!("/ocsp/{plain}")).header("etag").unwrap().to_owned();
    let again = server.raw(
        format!("GET /ocsp/{plain} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {etag}\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(again.status, 304);
    // A nonce wants an answer of its own, which no cache may keep.
    let fresh = request_in_path(&self::request(&installation, &["-issuer", ISSUING, "-cert", TSU]));
    let response = server.get(&format!("/ocsp/{fresh}"));
    assert_eq!(status(&response), 0);
    assert_eq!(response.header("cache-control"), None);
    assert_ne!(response.body, posted.body);
    Ok(())
}

fn request_in_path(request: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(request).replace('/', "%2F").replace('+', "%2B")
}

fn what_is_refused() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let request = usual_request(&installation);
    for (path, media_type, body, code, wanted, what) in [
        ("/ocsp", MEDIA_TYPE, &request[..request.len() - 1], 200, MALFORMED, "cut short"),
        ("/ocsp", MEDIA_TYPE, b"", 200, MALFORMED, "nothing"),
        ("/ocsp", "application/timestamp-query", &request[..], 415, MALFORMED, "another media type"),
        ("/ocsp/root", MEDIA_TYPE, &request[..], 200, UNAUTHORIZED, "another issuer's path"),
        ("/ocsp/nobody", MEDIA_TYPE, &request[..], 200, UNAUTHORIZED, "no such issuer"),
        ("/ocsp", MEDIA_TYPE, &[0x30; 70_000], 413, MALFORMED, "far too long"),
    ] {
        let response = server.post(path, media_type, body);
        assert_eq!((response.status, status(&response)), (code, wanted), "{what}");
        assert_eq!(response.header("cache-control"), Some("no-cache"), "{what}");
    }
    let strangers = request_for_another_issuer(&installation);
    assert_eq!(status(&post(&server, &strangers)), UNAUTHORIZED, "an issuer that is not served");
    for path in ["/ocsp/", "/ocsp/MEk", "/ocsp/issuing/", "/ocsp/issuing/%zz"] {
        assert_eq!(status(&server.get(path)), MALFORMED, "{path}");
    }
    let put = server.raw(b"PUT /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_eq!(put.status, 405);
    Ok(())
}

/// Asks for the issuing CA as if the TSU had issued it: hashes of an issuer that nobody answers for.
fn request_for_another_issuer(installation: &Installation) -> Vec<u8> {
    request(installation, &["-issuer", TSU, "-cert", ISSUING, "-no_nonce"])
}

fn revoked_within_a_second() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let server = installation.serve();
    let ask = || openssl(&installation, &server, &["-issuer", ISSUING, "-cert", TSU, "-no_nonce"]);
    assert!(ask().contains(": good"), "before");
    let serial = serial(&installation, TSU);
    let refused = installation.noonmark(&["cert", "revoke", "issuing", &serial]);
    assert!(!refused.status.success(), "a TSU is never revoked without a reason (RFC 3161 §4)");
    installation.run(&["cert", "revoke", "issuing", &serial, "--reason", "superseded"]);
    let took = until("Reason: superseded", Duration::from_secs(1), ask);
    assert!(took < Duration::from_secs(1), "{took:?}");
    for verb in ["hold", "release"] {
        let refused = installation.noonmark(&["cert", verb, "issuing", &serial]);
        assert!(!refused.status.success(), "a revoked certificate never comes back: {verb}");
    }
    let said = openssl(&installation, &server, &["-sha256", "-issuer", ISSUING, "-cert", TSU]);
    assert!(said.contains(": revoked"), "by the other hash, with a nonce: {said}");
    let records = installation.run(&["audit", "verify"]);
    assert!(records.contains("whole"), "{records}");
    // Right after the commit everything dies: the revocation stands.
    server.kill();
    let server = installation.serve();
    let said = openssl(&installation, &server, &["-issuer", ISSUING, "-cert", TSU, "-no_nonce"]);
    assert!(said.contains("Reason: superseded"), "{said}");
    Ok(())
}

fn held_and_released() -> Result<(), Failed> {
    let installation = Installation::software();
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    // A document signer's profile allows a hold.
    let file = "alice.pem";
    agent::issue(&installation, "alice", "document-signer", "/C=DE/CN=Alice", &[]);
    let ask = || openssl(&installation, &server, &["-issuer", ISSUING, "-cert", file, "-no_nonce"]);
    assert!(ask().contains(": good"));
    let serial = serial(&installation, file);
    installation.run(&["cert", "hold", "issuing", &serial]);
    until("Reason: certificateHold", Duration::from_secs(1), ask);
    installation.run(&["cert", "release", "issuing", &serial]);
    until(": good", Duration::from_secs(1), ask);
    Ok(())
}

/// Two servers on one PostgreSQL: a revocation made at one is answered by the other within a second.
fn revoked_on_the_other_server() -> Result<(), Failed> {
    let cluster = Cluster::start();
    let installation = Installation::new(&["--tier", "software", "--database", &cluster.url()]);
    let (first, second) = (installation.serve(), installation.serve());
    let ask = |server: &Server| openssl(&installation, server, &["-issuer", ISSUING, "-cert", TSU, "-no_nonce"]);
    assert!(ask(&first).contains(": good") && ask(&second).contains(": good"));
    let serial = serial(&installation, TSU);
    installation.run(&["cert", "revoke", "issuing", &serial, "--reason", "cessationOfOperation"]);
    let revoked_at = Instant::now();
    for server in [&first, &second] {
        until("Reason: cessationOfOperation", Duration::from_secs(1).saturating_sub(revoked_at.elapsed()), || {
            ask(server)
        });
    }
    Ok(())
}

fn a_restart_signs_nothing_again() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let began = Instant::now();
    while server.metric("noonmark_ocsp_signed_ahead_total") < 4.0 {
        assert!(began.elapsed() < Duration::from_secs(10), "four certificates are answered for ahead");
        std::thread::sleep(Duration::from_millis(50));
    }
    let request = usual_request(&installation);
    let before = post(&server, &request);
    assert!(server.stop());
    let server = installation.serve();
    let after = post(&server, &request);
    assert_eq!(after.body, before.body, "the very octets");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.metric("noonmark_ocsp_signed_ahead_total"), 0.0);
    assert_eq!(server.metric("noonmark_ocsp_answers_total{outcome=\"signed\"}"), 0.0);
    assert_eq!(server.metric("noonmark_ocsp_answers_total{outcome=\"stored\"}"), 1.0);
    Ok(())
}

fn settings_are_followed() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let ask = |more: &[&str]| openssl(&installation, &server, &[&["-issuer", ISSUING], more].concat());
    assert!(ask(&["-serial", "0x4711"]).contains(": unknown"));
    installation.run(&["issuer", "set", "issuing", "--not-issued", "revoked", "--answer-nonce", "false"]);
    until("Reason: certificateHold", Duration::from_secs(5), || ask(&["-serial", "0x4711"]));
    let said = ask(&["-cert", TSU]);
    assert!(said.contains("WARNING: no nonce in response") && said.contains(": good"), "{said}");
    let refused = installation.noonmark(&["issuer", "set", "issuing", "--validity-hours", "241"]);
    assert!(!refused.status.success(), "more than ten days");
    Ok(())
}

/// A setting that changes the octets which are signed: what was signed before must not go out with it.
fn other_settings() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let ask = || openssl(&installation, &server, &["-issuer", ISSUING, "-cert", TSU, "-no_nonce", "-resp_text"]);
    let began = Instant::now();
    while server.metric("noonmark_ocsp_signed_ahead_total") < 4.0 {
        assert!(began.elapsed() < Duration::from_secs(10), "four certificates are answered for ahead");
        std::thread::sleep(Duration::from_millis(50));
    }
    for (setting, is_there) in [("true", true), ("false", false), ("true", true)] {
        installation.run(&["issuer", "set", "issuing", "--archive-cutoff", setting]);
        let began = Instant::now();
        loop {
            let said = ask();
            assert!(said.contains("Response verify OK") && said.contains(": good"), "{setting}: {said}");
            if said.contains("OCSP Archive Cutoff") == is_there {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "{setting}: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// Also one that nobody signs ahead; and what is not known is said for minutes only.
fn renewed_before_its_end() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.run(&["issuer", "set", "issuing", "--ahead", "none", "--validity-seconds", "12"]);
    let server = installation.serve();
    let request = usual_request(&installation);
    let (first, began) = (post(&server, &request), Instant::now());
    assert_eq!(status(&first), 0);
    assert_eq!(post(&server, &request).body, first.body, "from memory");
    while post(&server, &request).body == first.body {
        assert!(began.elapsed() < Duration::from_secs(10), "it is not renewed at half of its time");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(began.elapsed() > Duration::from_secs(4), "{:?}", began.elapsed());
    installation.run(&["issuer", "set", "issuing", "--validity-hours", "72"]);
    let unknown = self::request(&installation, &["-issuer", ISSUING, "-serial", "0x4711", "-no_nonce"]);
    let path = format!("/ocsp/{}", request_in_path(&unknown));
    let age = || {
        let response = server.get(&path);
        let cache = response.header("cache-control").unwrap_or_default().to_owned();
        cache.trim_start_matches("max-age=").split(',').next().unwrap().parse::<u32>().unwrap()
    };
    assert!((1..=300).contains(&age()), "{}", age());
    Ok(())
}

/// `/readyz` knows the agent, misses it, and its work shows.
fn the_agent_renews_and_is_missed() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let check = || {
        let report = server.get("/readyz").json();
        let checks = report["checks"].as_array().unwrap().clone();
        let agent = checks.into_iter().find(|check| check["name"] == "ca-agent");
        agent.map_or_else(String::new, |agent| agent.to_string())
    };
    until("it never ran", Duration::from_secs(5), check);
    let agent = Agent::start(&installation);
    until("\"state\":\"ok\"", Duration::from_secs(10), check);
    assert!(agent.stop());
    until("it has been away since", Duration::from_secs(10), check);
    assert_eq!(server.get("/readyz").json()["ready"], true, "serving goes on without it");
    Ok(())
}
