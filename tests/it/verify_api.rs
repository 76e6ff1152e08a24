//! `/v1/verify`: what is judged, by which policy and with what evidence, and what is refused.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::support::agent::{self, Agent};
use super::support::http::Response;
use super::support::openssl_ca::{self, OpensslCa};
use super::support::server::{Installation, Server, program, text};
use super::support::timestamp::Request;

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    vec![
        Trial::test("verify_api::own_timestamps", own_timestamps),
        Trial::test("verify_api::own_certificates", own_certificates).with_ignored_flag(no_openssl),
        Trial::test("verify_api::somebody_elses_certificates", somebody_elses_certificates)
            .with_ignored_flag(no_openssl),
        Trial::test("verify_api::what_is_refused", what_is_refused),
        Trial::test("verify_api::who_may_ask", who_may_ask),
        Trial::test("verify_api::a_full_queue_refuses", a_full_queue_refuses).with_ignored_flag(no_openssl),
        Trial::test("verify_api::broken_files_keep_it_from_serving", broken_files_keep_it_from_serving),
        Trial::test("verify_api::policies_are_read_again", policies_are_read_again),
    ]
}

const DATA: &[u8] = b"what is stamped";
/// How long a CRL, or a file read again, may take until judgements rest on it.
const NEWS: Duration = Duration::from_secs(2);

fn own_timestamp(server: &Server) -> Vec<u8> {
    let response = server.stamp(&Request::over(DATA).to_der());
    assert_eq!(response.status, 200);
    response.body
}

fn verify(server: &Server, path: &str, document: &[u8]) -> Response {
    server.post(path, "application/octet-stream", document)
}

fn verify_json(server: &Server, path: &str, question: &Value) -> Response {
    server.post(path, "application/json", question.to_string().as_bytes())
}

/// A form's parts by their names.
fn verify_form(server: &Server, path: &str, parts: &[(&str, &[u8])]) -> Response {
    let mut body = Vec::new();
    for (name, octets) in parts {
        let head = format!("--line\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(octets);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--line--\r\n");
    server.post(path, "multipart/form-data; boundary=line", &body)
}

/// The report, after the verdict was compared.
fn report(response: &Response, verdict: &str) -> Value {
    assert_eq!(response.status, 200, "{}", response.text());
    let report = response.json();
    assert_eq!(report["verdict"], verdict, "{report}");
    report
}

fn problem(response: &Response) -> (u16, String) {
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{}", response.text());
    let body = response.json();
    assert_eq!(body["status"], response.status, "{body}");
    (response.status, body["detail"].as_str().unwrap().to_owned())
}

/// Asks until the news has come.
fn soon(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < NEWS, "not {what} within {NEWS:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn sha256(data: &[u8]) -> String {
    hex::encode(noonmark::crypto::sha256(data))
}

/// Judges the evidence of an answer again, without the server and its installation.
fn judged_again(answer: &Value) -> (Output, Value) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("answer.json");
    std::fs::write(&file, format!("{{\"report\":null,\"evidence\":{}}}", answer["evidence"])).unwrap();
    let words = ["verify", "--offline", "--json", file.to_str().unwrap()];
    let output = Command::new(program()).args(words).output().unwrap();
    let again = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    (output, again)
}

/// What of a report does not depend on where a piece of evidence lay.
fn findings(report: &Value) -> Value {
    let mut report = report.clone();
    let object = report.as_object_mut().unwrap();
    object.remove("evidence");
    object.remove("file");
    report
}

fn own_timestamps() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let reply = own_timestamp(&server);
    soon("passed", || verify(&server, "/v1/verify", &reply).json()["verdict"] == "passed");

    let alone = report(&verify(&server, "/v1/verify", &reply), "passed");
    assert_eq!((&alone["format"], &alone["policy"]), (&json!("timestamp"), &json!("default")));
    assert_eq!(alone["timestamps"][0]["compared"], false);
    assert_eq!(alone["timestamps"][0]["imprint"], sha256(DATA));
    // Whatever curl says it is.
    let media = "application/x-www-form-urlencoded";
    report(&server.post("/v1/verify", media, &reply), "passed");
    report(&server.post("/v1/verify/timestamp", "application/timestamp-reply", &reply), "passed");

    // Wrong credentials are not those of nobody.
    let headers = [("Content-Type", "application/timestamp-reply"), ("Authorization", "Bearer nm_wrong")];
    assert_eq!(problem(&server.post_with("/v1/verify", &headers, &reply)).0, 401);

    let form = verify_form(&server, "/v1/verify", &[("document", &reply), ("content", DATA)]);
    assert_eq!(report(&form, "passed")["timestamps"][0]["compared"], true);
    let digest = format!("sha256:{}", sha256(DATA));
    let by_digest = verify(&server, &format!("/v1/verify?content_digest={digest}"), &reply);
    assert_eq!(report(&by_digest, "passed")["timestamps"][0]["compared"], true);
    let question = json!({ "document": STANDARD.encode(&reply), "content": STANDARD.encode(DATA) });
    assert_eq!(report(&verify_json(&server, "/v1/verify", &question), "passed")["timestamps"][0]["compared"], true);
    let form = [("document", &reply[..]), ("content_digest", digest.as_bytes()), ("policy", b"without-revocation")];
    assert_eq!(report(&verify_form(&server, "/v1/verify", &form), "passed")["policy"], "without-revocation");

    for altered in [
        verify_form(&server, "/v1/verify", &[("document", &reply), ("content", b"something else")]),
        verify(&server, &format!("/v1/verify?content_digest=sha256:{}", sha256(b"something else")), &reply),
        verify_json(
            &server,
            "/v1/verify",
            &json!({ "document": STANDARD.encode(&reply), "content": STANDARD.encode("something else") }),
        ),
    ] {
        let failed = report(&altered, "failed");
        assert_eq!(failed["timestamps"][0]["sub_indication"], "HASH_FAILURE", "{failed}");
    }

    // The same by the program, with the evidence of the answer and without anything else.
    let question = json!({
        "document": STANDARD.encode(&reply), "content": STANDARD.encode(DATA), "evidence": true,
        "time": jiff::Timestamp::now().to_string(),
    });
    let answer = verify_json(&server, "/v1/verify", &question).json();
    assert_eq!(answer["report"]["verdict"], "passed", "{answer:.300}");
    let (output, again) = judged_again(&answer);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(findings(&again), findings(&answer["report"]));

    // And by the program with the same files.
    let directory = installation.directory();
    std::fs::write(directory.join("x.tsr"), &reply)?;
    std::fs::create_dir(directory.join("crls"))?;
    let urls = [("/crl/issuing.crl", "a.crl"), ("/crl/issuing/delta.crl", "b.crl"), ("/crl/root.crl", "c.crl")];
    for (url, file) in urls {
        let crl = server.get(url);
        if crl.status == 200 {
            std::fs::write(directory.join("crls").join(file), &crl.body)?;
        }
    }
    let time = answer["report"]["time"].as_str().unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (root, crls, file) = (installation.root(), path("crls"), path("x.tsr"));
    // As the server holds its own.
    let issuing = path("certificates");
    let words = ["verify", &file, "--trust", root.to_str().unwrap(), "--held", &issuing, "--held", &crls, "--offline"];
    let more = ["--at", time, "--content-digest", &digest, "--json"];
    let output = Command::new(program()).args([&words[..], &more].concat()).output()?;
    let by_program: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(findings(&by_program), findings(&answer["report"]), "{}", text(&output));

    assert!(server.metric("noonmark_verifications_total{format=\"timestamp\",verdict=\"failed\"}") >= 3.0);
    assert!(server.metric("noonmark_verification_seconds_count") >= 10.0);
    Ok(())
}

fn own_certificates() -> Result<(), Failed> {
    let installation = Installation::software();
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let pem = agent::issue(&installation, "x", "document-signer", "/C=DE/CN=x", &[]);
    let pem = std::fs::read(pem)?;
    let ask = || server.post("/v1/verify/certificate", "application/x-pem-file", &pem);
    soon("passed", || ask().json()["verdict"] == "passed");
    let passed = report(&ask(), "passed");
    assert_eq!(passed["certificates"][0]["chain"].as_array().unwrap().len(), 3, "{passed}");

    let serial = openssl_ca::openssl(installation.directory(), &["x509", "-in", "x.pem", "-noout", "-serial"]);
    let serial = serial.trim().trim_start_matches("serial=");
    installation.run(&["cert", "revoke", "issuing", serial, "--reason", "keyCompromise"]);
    let octets = hex::decode(serial)?;
    let lists = |url: &str| server.get(url).body.windows(octets.len()).any(|window| window == octets);
    let began = Instant::now();
    while !lists("/crl/issuing/delta.crl") && !lists("/crl/issuing.crl") {
        assert!(began.elapsed() < Duration::from_secs(60), "the revocation is on no CRL");
        std::thread::sleep(Duration::from_millis(20));
    }
    soon("revoked", || ask().json()["verdict"] != "passed");
    let revoked = report(&ask(), "indeterminate");
    assert_eq!(revoked["certificates"][0]["sub_indication"], "REVOKED_NO_POE", "{revoked}");
    Ok(())
}

/// Anchors and evidence by the configuration, and evidence by the question.
fn somebody_elses_certificates() -> Result<(), Failed> {
    let installation = Installation::software();
    let ca = OpensslCa::new();
    let leaf = ca.issue("leaf", "/C=DE/CN=Leaf", "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n");
    let intermediate = ca.read("intermediate.pem");
    std::fs::create_dir(installation.directory().join("theirs"))?;
    std::fs::copy(ca.path("root.pem"), installation.directory().join("theirs/root.pem"))?;
    installation.configure("[verification]\nanchors = [\"theirs\"]\ntrust_own = false\n");
    let server = installation.serve();

    let ask = |more: Value| {
        let mut question = json!({ "document": STANDARD.encode(&leaf), "policy": "without-revocation" });
        question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        verify_json(&server, "/v1/verify/certificate", &question)
    };
    let alone = report(&ask(json!({})), "indeterminate");
    assert_eq!(alone["certificates"][0]["sub_indication"], "NO_CERTIFICATE_CHAIN_FOUND", "{alone}");
    let block = noonmark::asn1::pem_blocks(intermediate.as_bytes()).next().unwrap();
    let der = STANDARD.encode(block.decode().unwrap());
    let given = ask(json!({ "certificates": [der], "evidence": true })).json();
    assert_eq!(given["report"]["verdict"], "passed", "{:?}", given["report"]);
    assert_eq!(given["report"]["certificates"][0]["chain"][1]["source"], "embedded");
    let (output, again) = judged_again(&given);
    assert!(output.status.success(), "what was sent along is in the evidence: {}", text(&output));
    assert_eq!(again["verdict"], "passed");
    // Without an own anchor the own timestamps have none.
    let own = report(&verify(&server, "/v1/verify", &own_timestamp(&server)), "indeterminate");
    assert_eq!(own["timestamps"][0]["sub_indication"], "NO_CERTIFICATE_CHAIN_FOUND", "{own}");

    let (status, detail) = problem(&ask(json!({ "crls": [STANDARD.encode(b"no CRL")] })));
    assert_eq!(status, 422, "{detail}");
    let (status, detail) = problem(&ask(json!({ "certificates": ["???"] })));
    assert!(status == 400 && detail.contains("certificates"), "{detail}");
    Ok(())
}

fn what_is_refused() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.configure("[verification]\nmax_document_octets = 65536\nmax_content_octets = 65536\n");
    let server = installation.serve();
    let reply = own_timestamp(&server);
    let (long, document) = (vec![0x30; 70_000], STANDARD.encode(&reply));
    let pem = std::fs::read(installation.root())?;
    let octets = |path: &str, body: &[u8]| verify(&server, path, body);
    let json = |body: Value| verify_json(&server, "/v1/verify", &body);
    let form = |parts: &[(&str, &[u8])]| verify_form(&server, "/v1/verify", parts);
    for (response, status, why) in [
        (octets("/v1/verify?policy=mine", &reply), 422, "default, without-revocation"),
        (octets("/v1/verify?colour=red", &reply), 400, "colour"),
        (octets("/v1/verify?time=soon", &reply), 400, "soon"),
        (octets("/v1/verify?content_digest=sha256:00", &reply), 400, "sha256:00"),
        (octets("/v1/verify?content_digest=md4:00", &reply), 400, "md4:00"),
        (octets("/v1/verify?evidence=perhaps", &reply), 400, "`true` or `false`"),
        (octets("/v1/verify", b""), 422, "empty"),
        (octets("/v1/verify", b"garbage"), 422, "Neither a CMS message"),
        (octets("/v1/verify", b"%PDF-1.7"), 422, "PDF"),
        (octets("/v1/verify", &long), 413, "65536"),
        (octets("/v1/verify/certificate", &reply), 422, "This is a timestamp, not a certificate"),
        (octets("/v1/verify/timestamp", &pem), 422, "This is a certificate, not a timestamp"),
        (server.post("/v1/verify", "text/html", &reply), 415, "application/timestamp-reply"),
        (server.post("/v1/verify", "application/json", b"{"), 400, "body does not read"),
        (json(json!({ "document": document, "colour": "red" })), 400, "colour"),
        (json(json!({ "document": document, "policy": "x".repeat(2_000) })), 400, "policy has more than 1024"),
        (json(json!({ "content": document })), 400, "document"),
        (json(json!({ "document": "?" })), 400, "base64"),
        (json(json!({ "document": STANDARD.encode(&long) })), 413, "document may have 65536"),
        (json(json!({ "document": document, "content": STANDARD.encode(&long) })), 413, "content may have 65536"),
        (json(json!({ "document": document, "content": "", "content_digest": "sha256:00" })), 400, "not both"),
        (form(&[("content", DATA)]), 400, "no part document"),
        (form(&[("document", &reply), ("document", &reply)]), 400, "twice"),
        (form(&[("document", &reply), ("colour", b"red")]), 400, "colour"),
        (form(&[("document", &reply), ("content", &long)]), 413, "content may have 65536"),
        (form(&[("document", &reply), ("policy", &long)]), 413, "policy may have 1024"),
        (form(&[("document", &reply), ("policy", &[0xff])]), 400, "no text"),
        (server.post("/v1/verify", "multipart/form-data; boundary=line", b"--line\r\nX"), 400, "ended early"),
        (server.post("/v1/verify", "multipart/form-data", b"--line--\r\n"), 400, "form does not read"),
    ] {
        let (found, detail) = problem(&response);
        assert!(found == status && detail.contains(why), "{why}: {found} {detail}");
    }
    let both = verify_form(&server, "/v1/verify?policy=default", &[("document", &reply), ("policy", b"default")]);
    let (status, detail) = problem(&both);
    assert!(status == 400 && detail.contains("give it once"), "{detail}");
    let response = server.get("/v1/verify");
    assert_eq!((problem(&response).0, response.header("allow")), (405, Some("POST")));
    // A part's head without an end is no way around the limit.
    let endless = [b"--line\r\nContent-Disposition: ".as_slice(), &vec![b'x'; 300_000]].concat();
    assert_eq!(problem(&server.post("/v1/verify", "multipart/form-data; boundary=line", &endless)).0, 413);
    assert!(!server.log().contains("panic"), "{}", server.log());
    Ok(())
}

fn who_may_ask() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.configure("[verification]\nanonymous = false\n");
    let server = installation.serve();
    let reply = own_timestamp(&server);
    assert_eq!(problem(&verify(&server, "/v1/verify", &reply)).0, 401);
    let secret = installation.run(&["api-key", "create", "acme", "--role", "client"]);
    let bearer = format!("Bearer {}", secret.trim());
    let headers = [("Content-Type", "application/timestamp-reply"), ("Authorization", bearer.as_str())];
    soon("known", || server.post_with("/v1/verify", &headers, &reply).status == 200);
    drop(server);

    installation.reconfigure("anonymous = false", "enabled = false");
    let server = installation.serve();
    let (status, detail) = problem(&verify(&server, "/v1/verify", &reply));
    assert!(status == 404 && detail.contains("[verification] enabled"), "{detail}");
    Ok(())
}

/// One thread that waits for a host that says nothing, one place behind it: what comes then is refused, and nothing is lost.
fn a_full_queue_refuses() -> Result<(), Failed> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let address = silent.local_addr()?;
    let ca = OpensslCa::new();
    let extensions = format!(
        "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\ncrlDistributionPoints=URI:http://{address}/x.crl\n"
    );
    let leaf = ca.issue("leaf", "/C=DE/CN=Leaf", &extensions);
    let installation = Installation::software();
    for name in ["root.pem", "intermediate.pem"] {
        std::fs::copy(ca.path(name), installation.directory().join(name))?;
    }
    installation.configure(&format!(
        "[verification]\nanchors = [\"root.pem\"]\nheld = [\"intermediate.pem\"]\nfetch_hosts = [\"{address}\"]\nthreads = 1\nqueue = 1\n"
    ));
    let server = installation.serve();
    let (is_over, server, leaf) = (AtomicBool::new(false), &server, leaf.as_bytes());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Connections are accepted and kept until it is over; then they are closed without a word.
            silent.set_nonblocking(true).unwrap();
            let mut kept = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                match silent.accept() {
                    Ok((stream, _)) => kept.push(stream),
                    Err(_) => std::thread::sleep(Duration::from_millis(10)),
                }
            }
            drop(silent);
            for mut stream in kept {
                let _ = stream.set_nonblocking(true);
                let _ = stream.read(&mut [0; 4096]);
            }
        });
        let ask = || verify(server, "/v1/verify", leaf);
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let waits = scope.spawn(ask);
                // The first is taken by the thread before the second has the place behind it.
                std::thread::sleep(Duration::from_millis(500));
                waits
            })
            .collect();
        let refused = ask();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(problem(&refused).0, 503);
        assert_eq!(refused.header("retry-after"), Some("1"));
        for waits in waiting {
            let judged = report(&waits.join().unwrap(), "indeterminate");
            assert!(judged["evidence"]["fetched"][0]["error"].is_string(), "{judged}");
        }
    });
    assert_eq!(server.get("/readyz").status, 200);
    Ok(())
}

fn broken_files_keep_it_from_serving() -> Result<(), Failed> {
    let installation = Installation::software();
    let directory = installation.directory();
    std::fs::write(directory.join("garbage.pem"), "garbage")?;
    std::fs::create_dir(directory.join("policies"))?;
    let put = |name: &str, text: &str| std::fs::write(directory.join("policies").join(name), text);
    let row = |wanted: &str| {
        let output = installation.noonmark(&["check", "--json"]);
        let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = checks.as_array().unwrap().iter().find(|check| check["name"] == "verification").unwrap().clone();
        assert!(found["reason"].as_str().unwrap_or_default().contains(wanted), "{wanted}: {found}");
        found["state"].as_str().unwrap().to_owned()
    };
    installation.configure("[verification]\n#\n");
    assert_eq!(row(""), "ok");
    for (line, why) in [
        ("anchors = [\"garbage.pem\"]", "garbage.pem"),
        ("anchors = [\"nowhere\"]", "nowhere"),
        ("held = [\"garbage.pem\"]", "garbage.pem"),
        ("policy = \"mine\"", "mine.toml"),
    ] {
        installation.reconfigure("[verification]\n", &format!("[verification]\n{line}\n"));
        assert_eq!(row(why), "failed", "{line}");
        let log = installation.refuses_to_serve();
        assert!(log.contains("[verification]") && log.contains(why), "{line}: {log}");
        installation.reconfigure(&format!("{line}\n"), "");
    }
    put("mine.toml", "colour = \"red\"\n")?;
    assert_eq!(row("mine.toml"), "failed");
    std::fs::remove_file(directory.join("policies/mine.toml"))?;
    put("default.toml", "")?;
    assert_eq!(row("built in"), "failed");
    std::fs::remove_file(directory.join("policies/default.toml"))?;
    installation.reconfigure("[verification]\n", "[verification]\ntrust_own = false\n");
    assert_eq!(row("no anchors"), "warning");
    Ok(())
}

fn policies_are_read_again() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let reply = own_timestamp(&server);
    let ask = || verify(&server, "/v1/verify?policy=mine", &reply);
    assert_eq!(problem(&ask()).0, 422);
    let policies: &Path = &installation.directory().join("policies");
    std::fs::create_dir(policies)?;
    std::fs::write(policies.join("mine.toml"), "extends = \"without-revocation\"\n")?;
    server.signal("-HUP");
    soon("known", || ask().status == 200);
    assert_eq!(report(&ask(), "passed")["policy"], "mine", "with the anchors of the configuration");
    let answer = verify(&server, "/v1/verify?policy=mine&evidence=true", &reply).json();
    let (output, again) = judged_again(&answer);
    assert!(output.status.success() && again["policy"] == "mine", "{}", text(&output));

    std::fs::write(policies.join("mine.toml"), "colour = \"red\"\n")?;
    server.signal("-HUP");
    soon("said", || server.log().contains("the reload failed"));
    assert_eq!(ask().status, 200, "what was served before is still served");
    Ok(())
}
