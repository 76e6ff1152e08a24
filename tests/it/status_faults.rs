//! Certificates' status under faults of real parts: no stale answer is ever kept or served, whatever is cut, killed or away.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::ca::Certificate;
use serde_json::json;

use super::lifecycle::certificates_in;
use super::support::http::Response;
use super::support::ocsp::{MEDIA_TYPE, SUCCESSFUL, TRY_LATER, nonce, request, status};
use super::support::postgres::{self, Cluster};
use super::support::server::{Installation, Server};
use super::support::softhsm;

pub fn trials() -> Vec<Trial> {
    let no_postgres = !postgres::available();
    let no_module = softhsm::module().is_none() || !softhsm::has_compiler();
    vec![
        Trial::test("status_faults::revoked_while_an_answer_is_signed", revoked_while_signed)
            .with_ignored_flag(no_module),
        Trial::test("status_faults::revoked_while_an_answer_is_signed_ahead", revoked_while_signed_ahead)
            .with_ignored_flag(no_module),
        Trial::test("status_faults::the_listeners_connection_is_cut", listener_cut).with_ignored_flag(no_postgres),
        Trial::test("status_faults::killed_right_after_a_revocation", killed_after_revocation)
            .with_ignored_flag(no_postgres),
        Trial::test("status_faults::the_store_is_away", store_away).with_ignored_flag(no_postgres),
        Trial::test("status_faults::signed_ahead_and_the_store_goes_away", signed_ahead_and_away)
            .with_ignored_flag(no_postgres),
    ]
}

/// Within this a revocation is answered for by every server.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long a trial waits for what must happen; a busy machine may need most of it.
const PATIENCE: Duration = Duration::from_secs(40);

fn certificate(installation: &Installation, name: &str) -> Certificate {
    let path = installation.directory().join(format!("certificates/{name}.pem"));
    certificates_in(&std::fs::read_to_string(path).unwrap()).remove(0)
}

/// Requests about one certificate of an installation.
#[derive(Clone)]
struct Question {
    issuing: Certificate,
    serial: Vec<u8>,
}

impl Question {
    fn about_tsu(installation: &Installation) -> Self {
        let serial = certificate(installation, "tsu-default-1").serial_number;
        Self { issuing: certificate(installation, "issuing"), serial }
    }

    fn serial_hex(&self) -> String {
        hex::encode(&self.serial)
    }

    /// The stored answer's question.
    fn ask(&self, server: &Server) -> Response {
        server.post("/ocsp", MEDIA_TYPE, &request(&self.issuing, &[&self.serial], None))
    }

    /// One that must be signed for.
    fn ask_with_nonce(&self, server: &Server) -> Response {
        server.post("/ocsp", MEDIA_TYPE, &request(&self.issuing, &[&self.serial], Some(&nonce(16))))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Good,
    Revoked,
    TryLater,
}

/// What an answer about one certificate says: the tag after the serial number, good [0] or revoked [1].
fn said(question: &Question, response: &Response) -> Said {
    match status(response) {
        SUCCESSFUL => {}
        TRY_LATER => return Said::TryLater,
        other => panic!("status {other}"),
    }
    let serial = &question.serial;
    let after = response.body.windows(serial.len()).enumerate().filter(|(_, window)| window == serial);
    let tags: Vec<u8> = after.map(|(at, _)| response.body[at + serial.len()]).collect();
    match tags.as_slice() {
        [0x80, ..] => Said::Good,
        [0xa1, ..] => Said::Revoked,
        other => panic!("no CertStatus: {other:x?}"),
    }
}

fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

fn revoke(installation: &Installation, question: &Question) {
    installation.run(&["cert", "revoke", "issuing", &question.serial_hex(), "--reason", "superseded"]);
}

/// An installation on the faulty module, whose calls may take long, and the file that tells the module what to do.
fn faulty() -> (Installation, PathBuf) {
    let installation = Installation::softhsm();
    let module = softhsm::compile_faulty_module(installation.directory());
    let faults = installation.directory().join("faults");
    installation.reconfigure(&softhsm::module().unwrap().display().to_string(), &module.display().to_string());
    installation.reconfigure("label = \"noonmark-service\"", "label = \"noonmark-service\"\ncall_timeout_ms = 30000");
    let variable = format!("[module_environment]\n{} = \"{}\"", softhsm::FAULTS, faults.display());
    installation.reconfigure("[module_environment]", &variable);
    (installation, faults)
}

/// The signer has read `good` and is in the token's hands when the revocation is committed: what comes back says revoked.
fn revoked_while_signed() -> Result<(), Failed> {
    let (installation, faults) = faulty();
    let server = installation.serve();
    let question = Question::about_tsu(&installation);
    assert_eq!(said(&question, &question.ask(&server)), Said::Good);
    // Both from memory and from the store: the second question finds the status known.
    assert_eq!(said(&question, &question.ask_with_nonce(&server)), Said::Good);
    softhsm::write_fault(&faults, "hang 1000");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| question.ask_with_nonce(&server));
        std::thread::sleep(Duration::from_millis(500));
        assert!(!waiting.is_finished(), "the token holds the signature back");
        // No signature is needed for it: the ca token is opened by nobody here.
        revoke(&installation, &question);
        std::thread::sleep(AT_ONCE);
        softhsm::write_fault(&faults, "ok");
        assert_eq!(said(&question, &waiting.join().unwrap()), Said::Revoked, "the answer that was under way");
    });
    assert_eq!(said(&question, &question.ask(&server)), Said::Revoked);
    Ok(())
}

/// The same with an answer that nobody asked for: it is not kept, and a restart finds none.
fn revoked_while_signed_ahead() -> Result<(), Failed> {
    let (installation, faults) = faulty();
    let server = installation.serve();
    let ahead = "noonmark_ocsp_signed_ahead_total";
    until("the first answers", PATIENCE, || server.metric(ahead) >= 4.0);
    let before = server.metric(ahead);
    softhsm::write_fault(&faults, "hang 1000");
    let serial = vec![0x41; 12];
    let row = format!("serial,not_after,state\n{},2036-01-01T00:00:00Z,good\n", hex::encode(&serial));
    let file = installation.directory().join("row.csv");
    std::fs::write(&file, row)?;
    installation.run(&["cert", "import", "issuing", file.to_str().unwrap(), "--quiet"]);
    // The server hears of it and has the token sign, which does not come back.
    std::thread::sleep(AT_ONCE);
    let question = Question { issuing: certificate(&installation, "issuing"), serial };
    revoke(&installation, &question);
    std::thread::sleep(AT_ONCE);
    softhsm::write_fault(&faults, "ok");
    assert_eq!(said(&question, &question.ask(&server)), Said::Revoked);
    until("an answer ahead to the new status", PATIENCE, || server.metric(ahead) > before);
    assert_eq!(server.metric(ahead), before + 1.0, "the one that says good was never kept");
    assert!(server.stop());
    let server = installation.serve();
    assert_eq!(said(&question, &question.ask(&server)), Said::Revoked);
    assert_eq!(server.metric("noonmark_ocsp_answers_total{outcome=\"signed\"}"), 0.0, "from the store");
    Ok(())
}

/// Two servers on one database.
fn two_servers() -> (Cluster, Installation, Server, Server, Question) {
    let cluster = Cluster::start();
    let installation = Installation::new(&["--tier", "software", "--database", &cluster.url()]);
    let (first, second) = (installation.serve(), installation.serve());
    let question = Question::about_tsu(&installation);
    for server in [&first, &second] {
        assert_eq!(said(&question, &question.ask(server)), Said::Good);
        assert_eq!(said(&question, &question.ask_with_nonce(server)), Said::Good);
    }
    (cluster, installation, first, second, question)
}

fn listener_cut() -> Result<(), Failed> {
    let (cluster, installation, first, second, question) = two_servers();
    cluster.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'noonmark' AND query LIKE 'LISTEN%'",
    );
    revoke(&installation, &question);
    let revoked_at = Instant::now();
    // Cut again and again while the news is on its way: the poll finds it.
    cluster.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'noonmark' AND query LIKE 'LISTEN%'",
    );
    for server in [&first, &second] {
        until("revoked", AT_ONCE.saturating_sub(revoked_at.elapsed()), || {
            said(&question, &question.ask(server)) == Said::Revoked
        });
        assert_eq!(said(&question, &question.ask_with_nonce(server)), Said::Revoked);
    }
    Ok(())
}

/// The server that took the revocation dies by SIGKILL as soon as it has said so.
fn killed_after_revocation() -> Result<(), Failed> {
    let (_cluster, installation, first, second, question) = two_servers();
    let secret = installation.run(&["api-key", "create", "alice", "--role", "officer"]).trim().to_owned();
    let body = json!({ "reason": "superseded" }).to_string();
    let path = format!("/v1/certificates/issuing/{}/revoke", question.serial_hex());
    let send = || {
        first.raw(
            format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    };
    let mut answer = send();
    until("the key is known", PATIENCE, || {
        if answer.status == 401 {
            answer = send();
        }
        answer.status != 401
    });
    assert_eq!(answer.status, 200, "{}", answer.text());
    let revoked_at = Instant::now();
    first.kill();
    until("revoked", AT_ONCE.saturating_sub(revoked_at.elapsed()), || {
        said(&question, &question.ask(&second)) == Said::Revoked
    });
    assert_eq!(said(&question, &question.ask_with_nonce(&second)), Said::Revoked);
    let again = installation.serve();
    assert_eq!(said(&question, &question.ask(&again)), Said::Revoked, "after a restart");
    let listed = installation.run(&["cert", "list", "--issuer", "issuing", "--state", "revoked", "--json"]);
    assert!(listed.to_lowercase().contains(&question.serial_hex()), "{listed}");
    assert!(installation.run(&["audit", "verify"]).contains("whole"));
    Ok(())
}

/// What was asked for stays in memory when a newer answer is signed ahead.
fn signed_ahead_and_away() -> Result<(), Failed> {
    let mut cluster = Cluster::start();
    let installation = Installation::new(&["--tier", "software", "--database", &cluster.url()]);
    let question = Question::about_tsu(&installation);
    // Renewed every second or two, so that it happens while the question is asked.
    installation.run(&["issuer", "set", "issuing", "--validity-seconds", "10"]);
    let server = installation.serve();
    let first = question.ask(&server);
    assert_eq!(said(&question, &first), Said::Good);
    let ahead = "noonmark_ocsp_signed_ahead_total";
    let before = server.metric(ahead);
    until("it is signed again", PATIENCE, || server.metric(ahead) > before + 3.0);
    cluster.kill();
    assert_eq!(said(&question, &question.ask(&server)), Said::Good, "from memory");
    Ok(())
}

/// What is in memory is served to its end, nothing new is signed, and `/readyz` says so; all is well again by itself.
fn store_away() -> Result<(), Failed> {
    let mut cluster = Cluster::start();
    let installation = Installation::new(&["--tier", "software", "--database", &cluster.url()]);
    installation.run(&["issuer", "set", "issuing", "--validity-seconds", "20", "--ahead", "none"]);
    let server = installation.serve();
    let question = Question::about_tsu(&installation);
    let stored = question.ask(&server);
    let stored_at = Instant::now();
    assert_eq!(said(&question, &stored), Said::Good);
    assert_eq!(said(&question, &question.ask_with_nonce(&server)), Said::Good);
    cluster.kill();
    std::thread::sleep(AT_ONCE);
    assert_eq!(question.ask(&server).body, stored.body, "from memory");
    assert_eq!(said(&question, &question.ask_with_nonce(&server)), Said::TryLater, "nothing new is signed");
    let readiness = || server.get("/readyz").json().to_string();
    until("/readyz to say degraded", PATIENCE, || readiness().contains("degraded: the store has told nothing since"));
    // Past the middle of its life, when a newer one is due and can't be had: to every question, not to most.
    while stored_at.elapsed() < Duration::from_secs(15) {
        assert_eq!(question.ask(&server).body, stored.body, "after {:?}", stored_at.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    cluster.restart();
    until("answers are signed again", PATIENCE, || said(&question, &question.ask_with_nonce(&server)) == Said::Good);
    until("/readyz", PATIENCE, || !readiness().contains("degraded"));
    revoke(&installation, &question);
    until("revoked", AT_ONCE, || said(&question, &question.ask(&server)) == Said::Revoked);
    Ok(())
}
