//! Keys' lives: successors, destruction, a CA elsewhere, profiles and callers changed while serving; what is recorded.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::asn1::writer;
use noonmark::ca::{Certificate, pem_decode};
use noonmark::crypto::DigestAlgorithm;
use noonmark::keys::{Pin, Tier, Token, TokenSelector, TokenSettings};
use noonmark::tsa::response::{self, Asked, CheckedToken};

use super::support::records;
use super::support::server::{Installation, Server, text};
use super::support::softhsm;
use super::support::timestamp::{Outcome, Request, outcome};

pub const QUERY: &str = "application/timestamp-query";
const ROTATION: &str = "lifecycle::a_successor_takes_over_under_load";

pub fn trials() -> Vec<Trial> {
    let softhsm = softhsm::module().is_some();
    vec![
        Trial::test(ROTATION, || softhsm::alone(ROTATION, rotation)).with_ignored_flag(!softhsm),
        Trial::test("lifecycle::the_next_start_switches_too", next_start),
        Trial::test("lifecycle::profiles_and_callers_change_while_serving", profiles_change),
        Trial::test("lifecycle::a_reload_without_a_ledger_changes_nothing", reload_without_ledger),
    ]
}

/// Checks a token as a client would, up to these roots.
pub fn check(request: &Request, answer: &[u8], roots: &[Certificate]) -> CheckedToken {
    let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[&request.hash_oid]);
    let algorithm = writer::tlv(writer::SEQUENCE, &[&oid, &request.parameters]);
    let imprint = writer::tlv(writer::SEQUENCE, &[&algorithm, &writer::tlv(writer::OCTET_STRING, &[&request.imprint])]);
    let nonce = writer::tlv(writer::INTEGER, &[request.nonce.as_ref().unwrap()]);
    let checked = response::check(answer, &Asked { message_imprint: &imprint, nonce: &nonce, trusted: roots }).unwrap();
    assert!(checked.chain_verified);
    checked
}

pub fn certificates_in(pem: &str) -> Vec<Certificate> {
    pem_decode("CERTIFICATE", pem).unwrap().iter().map(|der| Certificate::from_der(der).unwrap()).collect()
}

pub fn root(installation: &Installation) -> Vec<Certificate> {
    certificates_in(&std::fs::read_to_string(installation.root()).unwrap())
}

/// A token from the server, checked; gives its signer's certificate.
pub fn signer(server: &Server, roots: &[Certificate]) -> Certificate {
    let request = Request::over(b"x");
    check(&request, &server.stamp(&request.to_der()).body, roots).signer
}

pub fn sha256_of(installation: &Installation, key: &str) -> [u8; 32] {
    records::key(installation, key).certificate_sha256.unwrap()
}

pub fn wait_until(what: &str, server: &Server, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not in 20 s: {what}; log:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends SIGHUP and waits until the log tells of a further reload.
pub fn reload(server: &Server, word: &str) {
    let before = server.log().matches(word).count();
    server.signal("-HUP");
    wait_until(word, server, || server.log().matches(word).count() > before);
}

pub const RELOADED: &str = " reloaded";
const FAILED: &str = "the reload failed";

pub fn refused(installation: &Installation, arguments: &[&str], reason: &str) {
    let output = installation.noonmark(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
    let said = text(&output);
    assert!(said.contains(reason), "{arguments:?} said: {said}");
}

/// One client on one kept connection; gives each request, its answer, and when it was sent.
fn client(port: u16, seed: usize, stop: &AtomicBool) -> Vec<(Request, Vec<u8>, Instant)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut done = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let request = Request::over(format!("{seed} {}", done.len()).as_bytes());
        let der = request.to_der();
        let head =
            format!("POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: {QUERY}\r\nContent-Length: {}\r\n\r\n", der.len());
        let sent = Instant::now();
        stream.write_all(&[head.as_bytes(), &der].concat()).unwrap();
        done.push((request, read_kept(&mut stream), sent));
        std::thread::sleep(Duration::from_millis(2));
    }
    done
}

/// Reads one response from a kept connection; it must be 200.
fn read_kept(stream: &mut TcpStream) -> Vec<u8> {
    let mut raw = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        let count = stream.read(&mut chunk).expect("an answer on the kept connection");
        assert!(count > 0, "the server closed a kept connection");
        raw.extend_from_slice(&chunk[..count]);
        let Some(split) = raw.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&raw[..split]).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if raw.len() >= split + 4 + length.trim().parse::<usize>().unwrap() {
            return raw[split + 4..].to_vec();
        }
    }
}

fn rotation() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let roots = root(&installation);
    let server = installation.serve();
    let mut said = Vec::new();
    let stop = AtomicBool::new(false);
    let answers = Mutex::new(Vec::new());
    let mut switched = (Instant::now(), Instant::now());
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (stop, answers) = (&stop, &answers);
            scope.spawn(move || {
                let done = client(server.port, seed, stop);
                answers.lock().unwrap().extend(done);
            });
        }
        let steps = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            std::thread::sleep(Duration::from_millis(300));
            said.push(installation.run(&["key", "rotate", "--profile", "default"]));
            assert_eq!(records::state(&installation, "tsu-default-2"), "successor");
            assert_eq!(signer(&server, &roots).sha256(), sha256_of(&installation, "tsu-default-1"), "not yet");
            refused(&installation, &["key", "rotate"], "key tsu-default-2 waits as the successor already");
            switched.0 = Instant::now();
            reload(&server, RELOADED);
            switched.1 = Instant::now();
            std::thread::sleep(Duration::from_millis(300));
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = steps {
            std::panic::resume_unwind(panic);
        }
    });

    let (old, new) = (sha256_of(&installation, "tsu-default-1"), sha256_of(&installation, "tsu-default-2"));
    let answers = answers.into_inner().unwrap();
    let mut counts = [0, 0];
    for (request, answer, sent) in &answers {
        assert!(matches!(outcome(answer), Outcome::Granted(_)), "{:?}", outcome(answer));
        let by = check(request, answer, &roots).signer.sha256();
        assert!(by == old || by == new);
        if *sent > switched.1 {
            assert!(by == new, "a token asked for after the switch is signed by the new key");
            counts[1] += 1;
        }
        if by == old {
            counts[0] += 1;
        }
        assert!(by == old || *sent > switched.0 - Duration::from_secs(5), "signed by the new key before it was there");
    }
    assert!(counts[0] > 20 && counts[1] > 20, "of {} answers: {counts:?}", answers.len());
    assert_eq!(records::state(&installation, "tsu-default-1"), "retired");
    assert_eq!(records::state(&installation, "tsu-default-2"), "active");

    refused(&installation, &["key", "destroy", "tsu-default-2", "--yes"], "key tsu-default-2 is active");
    refused(&installation, &["key", "destroy", "tsu-default-1"], "say --yes");
    refused(&installation, &["key", "destroy", "nobody", "--yes"], "there is no key \"nobody\"");
    let labels = || {
        let keys = service_token(&installation).keys().unwrap();
        let mut labels: Vec<String> = keys.into_iter().map(|key| key.label).collect();
        labels.sort();
        labels
    };
    assert_eq!(labels(), ["ocsp-issuing-1", "ocsp-root-1", "tsu-default-1", "tsu-default-2"]);
    custody(&installation);
    said.push(installation.run(&["key", "destroy", "tsu-default-1", "--yes"]));
    assert_eq!(labels(), ["ocsp-issuing-1", "ocsp-root-1", "tsu-default-2"], "gone from the token itself");
    let list: serde_json::Value = serde_json::from_str(&installation.run(&["key", "list", "--json"])).unwrap();
    let gone = list["keys"].as_array().unwrap().iter().find(|key| key["name"] == "tsu-default-1").unwrap();
    assert_eq!((&gone["state"], &gone["custody_unknown"]), (&"destroyed".into(), &"destroyed".into()));
    refused(&installation, &["key", "destroy", "tsu-default-1", "--yes"], "key tsu-default-1 is destroyed");
    assert_eq!(signer(&server, &roots).sha256(), new, "the server goes on");

    rotation_is_recorded(&installation);
    said.push(server.log());
    said.push(text(&installation.noonmark(&["check"])));
    no_pin_is_told(&installation, &said);
    assert!(installation.run(&["audit", "verify"]).contains("whole"));
    assert!(server.stop());
    Ok(())
}

/// The installation's service token, opened by this process itself.
fn service_token(installation: &Installation) -> Token {
    // SoftHSM reads its configuration when the module is loaded: this process has not done so yet, or with this one.
    let tokens = installation.directory().join("tokens");
    let configuration = softhsm::directory().join("softhsm2.conf");
    std::fs::write(configuration, format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display()))
        .unwrap();
    Token::open(&TokenSettings {
        name: "service".to_owned(),
        tier: Tier::Pkcs11 {
            module: softhsm::module().unwrap().to_owned(),
            selector: TokenSelector::Label("noonmark-service".to_owned()),
        },
        pin: Pin::File(installation.directory().join("secrets/service.pin")),
        sessions: 1,
        queue_length: 8,
        bulk_queue_length: 8,
        call_timeout: Duration::from_secs(5),
    })
    .unwrap()
}

fn custody(installation: &Installation) {
    let list: serde_json::Value = serde_json::from_str(&installation.run(&["key", "list", "--json"])).unwrap();
    for key in list["keys"].as_array().unwrap() {
        let custody = &key["custody"];
        for (fact, value) in [
            ("generated_locally", true),
            ("sensitive", true),
            ("always_sensitive", true),
            ("never_extractable", true),
            ("extractable", false),
        ] {
            assert_eq!(custody[fact], value, "{fact} of {key}");
        }
        assert_eq!(key["custody_findings"], serde_json::json!([]), "{key}");
    }
    assert!(list["tokens"]["service"]["facts"]["serial"].is_string(), "{list}");
}

/// Every step with who did it, and what it was before and after.
fn rotation_is_recorded(installation: &Installation) {
    let me = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    let me = String::from_utf8(me).unwrap().trim().to_owned();
    let one = |kind: &str, key: &str| {
        let events = records::of_key(installation, kind, key);
        assert_eq!(events.len(), 1, "{kind} of {key}: {events:?}");
        let event = events[0].clone();
        if event["who"] != "serve" {
            assert!(event["who"].as_str().unwrap().starts_with(&me), "{event}");
        }
        event
    };
    let key = "tsu-default-2";
    assert_eq!(one("key-generation-begun", key)["algorithm"], "p256");
    let generated = one("key-generated", key);
    assert_eq!(generated["custody"]["never_extractable"], true);
    assert_eq!(generated["uri"], records::key(installation, key).uri);
    let issued = one("key-certified", key);
    assert_eq!((&issued["before"], &issued["after"]), (&"pending".into(), &"successor".into()));
    assert_eq!(issued["certificate_sha256"], hex::encode(sha256_of(installation, key)));
    let changed = one("key-state-changed", key);
    assert_eq!((&changed["before"], &changed["after"]), (&"successor".into(), &"active".into()));
    assert_eq!(
        changed["replaces"],
        serde_json::json!({ "key": "tsu-default-1", "before": "active", "after": "retired" })
    );
    assert_eq!(changed["who"], "serve");
    assert!(one("key-destruction-begun", "tsu-default-1")["uri"].is_string());
    let destroyed = one("key-destroyed", "tsu-default-1");
    assert_eq!((&destroyed["before"], &destroyed["after"]), (&"retired".into(), &"destroyed".into()));
    let loaded = records::events(installation, "configuration-loaded");
    assert_eq!(loaded.last().unwrap()["profiles"]["default"]["key"], key);
    // What was refused left no trace of having begun.
    assert!(records::of_key(installation, "key-destruction-begun", key).is_empty());
    assert!(records::of_key(installation, "key-generation-begun", "tsu-default-3").is_empty());
}

fn no_pin_is_told(installation: &Installation, said: &[String]) {
    let processes = std::process::Command::new("ps").args(["-eo", "args"]).output().unwrap().stdout;
    let processes = String::from_utf8_lossy(&processes).into_owned();
    let mut pins = 0;
    for entry in std::fs::read_dir(installation.directory().join("secrets")).unwrap() {
        let pin = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(pin.len() >= 40);
        assert!(!said.iter().chain([&processes]).any(|text| text.contains(pin.trim())), "a PIN was told");
        pins += 1;
    }
    assert_eq!(pins, 6);
    let ledger = records::all(installation);
    assert!(!ledger.iter().any(|row| row.detail.as_ref().is_some_and(|detail| detail.contains("pin"))));
}

fn next_start() -> Result<(), Failed> {
    let installation = Installation::software();
    let roots = root(&installation);
    installation.run(&["key", "rotate", "--algorithm", "p384"]);
    let server = installation.serve();
    assert_eq!(signer(&server, &roots).sha256(), sha256_of(&installation, "tsu-default-2"));
    assert_eq!(records::state(&installation, "tsu-default-1"), "retired");
    assert_eq!(records::of_key(&installation, "key-state-changed", "tsu-default-2").len(), 1);
    // A successor may be destroyed before it serves; SIGHUP then changes nothing.
    installation.run(&["key", "rotate"]);
    assert_eq!(records::state(&installation, "tsu-default-3"), "successor");
    installation.run(&["key", "destroy", "tsu-default-3", "--yes"]);
    reload(&server, RELOADED);
    assert_eq!(signer(&server, &roots).sha256(), sha256_of(&installation, "tsu-default-2"));
    // One that is gone from its token can't take over, and the key before it is not retired for it.
    installation.run(&["key", "rotate"]);
    let lost = installation.directory().join("keys/service");
    let file = std::fs::read_dir(&lost)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.display().to_string().contains("tsu-default-4"))
        .expect("the key's file");
    std::fs::rename(&file, installation.directory().join("away")).unwrap();
    reload(&server, FAILED);
    assert_eq!(records::state(&installation, "tsu-default-2"), "active");
    assert_eq!(records::state(&installation, "tsu-default-4"), "successor");
    assert_eq!(signer(&server, &roots).sha256(), sha256_of(&installation, "tsu-default-2"));
    assert_eq!(records::events(&installation, "reload-failed").len(), 1);
    assert!(server.stop());
    // At a start as well: the key that can serves.
    let server = installation.serve();
    assert_eq!(signer(&server, &roots).sha256(), sha256_of(&installation, "tsu-default-2"));
    assert!(server.log().contains("a successor could not take over"), "{}", server.log());
    std::fs::rename(installation.directory().join("away"), &file).unwrap();
    reload(&server, RELOADED);
    assert_eq!(signer(&server, &roots).sha256(), sha256_of(&installation, "tsu-default-4"));
    // A `key generate` that was killed left a key in the token that the store does not know: the next goes on.
    installation.run(&["key", "generate", "--profile", "default"]);
    let database = rusqlite::Connection::open(installation.directory().join("noonmark.db")).unwrap();
    assert_eq!(database.execute("DELETE FROM keys WHERE name = 'tsu-default-5'", []).unwrap(), 1);
    assert!(installation.run(&["key", "generate", "--profile", "default"]).contains("generated tsu-default-6"));
    // What the software tier can't tell is not claimed.
    let list: serde_json::Value = serde_json::from_str(&installation.run(&["key", "list", "--json"])).unwrap();
    let key = list["keys"].as_array().unwrap().iter().find(|key| key["state"] == "active").unwrap();
    assert_eq!(
        (&key["custody"]["generated_locally"], &key["custody"]["never_extractable"]),
        (&serde_json::Value::Null, &false.into())
    );
    assert!(key["custody_findings"][0].as_str().unwrap().contains("encrypted file"), "{key}");
    Ok(())
}

fn profiles_change() -> Result<(), Failed> {
    let installation = Installation::software();
    let roots = root(&installation);
    let server = installation.serve();
    let file = installation.directory().join("noonmark.toml");
    let policy = || {
        let request = Request::over(b"x");
        check(&request, &server.stamp(&request.to_der()).body, &roots).policy
    };
    let first = records::events(&installation, "profile-changed");
    assert_eq!((first.len(), &first[0]["before"]), (1, &serde_json::Value::Null));

    installation.reconfigure("0.4.0.2023.1.1", "1.2.3.9");
    reload(&server, RELOADED);
    assert_eq!(policy(), "1.2.3.9");
    let changed = records::events(&installation, "profile-changed").pop().unwrap();
    assert!(changed["before"].as_str().unwrap().contains("0.4.0.2023.1.1"), "{changed}");
    assert!(changed["after"].as_str().unwrap().contains("1.2.3.9"), "{changed}");

    // A file that does not hold together leaves everything, and is told of.
    let good = std::fs::read_to_string(&file).unwrap();
    let count = records::events(&installation, "profile-changed").len();
    for wrong in ["[tsa.default]\npolicies = [\"nonsense\"]\n", "not toml at all", ""] {
        std::fs::write(&file, wrong).unwrap();
        reload(&server, FAILED);
        assert_eq!(policy(), "1.2.3.9");
    }
    assert_eq!(records::events(&installation, "profile-changed").len(), count);
    let failed = records::events(&installation, "reload-failed");
    assert!(failed.iter().any(|event| event["reason"].as_str().unwrap().contains("nonsense")), "{failed:?}");

    // A new profile with its key, and a caller who alone may use it.
    let hash = |secret: &[u8]| hex::encode(DigestAlgorithm::Sha256.digest(secret).as_ref());
    let caller = format!("[caller.acme]\nsecret_sha256 = \"{}\"\n", hash(b"first"));
    std::fs::write(&file, format!("{good}\n[tsa.second]\npolicies = [\"1.2.3.10\"]\ncallers = [\"acme\"]\n{caller}"))
        .unwrap();
    installation.run(&["key", "rotate", "--profile", "second"]);
    let request = Request::over(b"x").to_der();
    let ask = |secret: &str| {
        let authorization = format!("Bearer {secret}");
        server.post_with("/tsa/second", &[("Content-Type", QUERY), ("Authorization", &authorization)], &request).status
    };
    assert_eq!(ask("first"), 401, "not known before the reload");
    reload(&server, RELOADED);
    assert_eq!((ask("first"), ask("second")), (200, 401));
    // The secret changes; the old one is worth nothing from the reload on.
    installation.reconfigure(&hash(b"first"), &hash(b"second"));
    reload(&server, RELOADED);
    assert_eq!((ask("first"), ask("second")), (401, 200));
    let loaded = records::events(&installation, "configuration-loaded");
    let fingerprints: Vec<_> = loaded.iter().rev().take(2).map(|event| event["callers"]["acme"].clone()).collect();
    assert!(fingerprints[0].is_string() && fingerprints[0] != fingerprints[1], "{fingerprints:?}");
    assert!(
        !loaded.iter().any(|event| event.to_string().contains(&hash(b"second"))),
        "no hash of a secret is recorded"
    );
    // A profile that goes away is not served any more, and shows in the record.
    std::fs::write(&file, &good).unwrap();
    reload(&server, RELOADED);
    assert_eq!(server.post("/tsa/second", QUERY, &request).status, 404);
    let last = records::events(&installation, "configuration-loaded").pop().unwrap();
    assert!(last["profiles"]["second"].is_null() && last["profiles"]["default"].is_object(), "{last}");
    // What SIGHUP does not read is told of.
    installation.reconfigure("[http]", "[http]\nkeep_alive_s = 7");
    reload(&server, RELOADED);
    assert!(server.log().contains("read at the next start only"), "{}", server.log());
    Ok(())
}

fn reload_without_ledger() -> Result<(), Failed> {
    let installation = Installation::software();
    let roots = root(&installation);
    let server = installation.serve();
    installation.run(&["key", "rotate"]);
    installation.reconfigure("precision_digits = 3", "precision_digits = 0");
    let events = records::events(&installation, "profile-changed").len();
    let database = rusqlite::Connection::open(installation.directory().join("noonmark.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    reload(&server, FAILED);
    let read = records::key(&installation, "tsu-default-2").state.name();
    database.execute_batch("ROLLBACK").unwrap();
    assert_eq!(read, "successor");
    server.wait_until_ready(Duration::from_secs(20));
    assert_eq!(records::state(&installation, "tsu-default-1"), "active");
    let request = Request::over(b"x");
    let answer = server.stamp(&request.to_der()).body;
    assert_eq!(check(&request, &answer, &roots).signer.sha256(), sha256_of(&installation, "tsu-default-1"));
    assert!(super::support::timestamp::token(&answer).gen_time.contains('.') || events == 1, "the old precision");
    assert!(records::of_key(&installation, "key-state-changed", "tsu-default-2").is_empty());
    reload(&server, RELOADED);
    assert_eq!(signer(&server, &roots).sha256(), sha256_of(&installation, "tsu-default-2"));
    assert_eq!(records::of_key(&installation, "key-state-changed", "tsu-default-2").len(), 1);
    assert!(installation.run(&["audit", "verify"]).contains("whole"));
    Ok(())
}
