//! The API below `/v1`: who may do what, and what each endpoint says.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use super::support::agent::{self, Agent};
use super::support::http::Response;
use super::support::openssl_ca::{self, OpensslCa};
use super::support::postgres::{self, Cluster};
use super::support::records;
use super::support::server::{Installation, Server, text};
use super::support::timestamp::Request;

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    vec![
        Trial::test("api::roles_and_methods", roles_and_methods),
        Trial::test("api::keys_come_and_go", keys_come_and_go),
        Trial::test("api::a_certificate_through_its_life", a_certificate_through_its_life)
            .with_ignored_flag(no_openssl),
        Trial::test("api::on_postgresql", on_postgresql).with_ignored_flag(no_openssl || !postgres::available()),
        Trial::test("api::a_write_that_comes_twice", a_write_that_comes_twice).with_ignored_flag(no_openssl),
        Trial::test("api::pages", pages),
        Trial::test("api::somebody_elses_certificates", somebody_elses_certificates).with_ignored_flag(no_openssl),
        Trial::test("api::what_is_refused", what_is_refused),
        Trial::test("api::the_document_is_whole", the_document_is_whole),
    ]
}

/// A caller with an API key.
struct Client<'a> {
    server: &'a Server,
    secret: String,
}

impl<'a> Client<'a> {
    /// Makes a key, and waits until the server knows it.
    fn new(installation: &Installation, server: &'a Server, name: &str, role: &str) -> Self {
        let secret = installation.run(&["api-key", "create", name, "--role", role]).trim().to_owned();
        let client = Self { server, secret };
        let began = Instant::now();
        while client.get("/v1/me").status != 200 {
            assert!(began.elapsed() < Duration::from_secs(2), "{name} is not known");
            std::thread::sleep(Duration::from_millis(20));
        }
        client
    }

    fn ask(&self, method: &str, path: &str, more: &str, body: &str) -> Response {
        let secret = &self.secret;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n");
        let length = body.len();
        self.server.raw(format!("{head}{more}Content-Length: {length}\r\n\r\n{body}").as_bytes())
    }

    fn get(&self, path: &str) -> Response {
        self.ask("GET", path, "", "")
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        self.ask(method, path, "Content-Type: application/json\r\n", &body.to_string())
    }

    fn post(&self, path: &str, body: &Value) -> Response {
        self.send("POST", path, body)
    }

    fn post_once(&self, path: &str, key: &str, body: &Value) -> Response {
        let more = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
        self.ask("POST", path, &more, &body.to_string())
    }
}

/// A problem's status, and that it is one.
fn problem(response: &Response) -> (u16, String) {
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{}", response.text());
    let body = response.json();
    assert_eq!(body["status"], response.status, "{body}");
    (response.status, body["detail"].as_str().unwrap().to_owned())
}

fn roles_and_methods() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let roles = ["officer", "operator", "auditor", "client"];
    let clients: Vec<Client<'_>> =
        roles.iter().map(|role| Client::new(&installation, &server, &format!("{role}-1"), role)).collect();
    // Method, path, body, who may: the last are refused with 403, the first get anything else.
    let table: [(&str, &str, Value, usize); 11] = [
        ("GET", "/v1/me", json!(null), 4),
        ("GET", "/v1/issuers", json!(null), 3),
        ("GET", "/v1/issuers/issuing", json!(null), 3),
        ("GET", "/v1/certificates", json!(null), 3),
        ("GET", "/v1/api-keys", json!(null), 3),
        ("GET", "/v1/profiles", json!(null), 3),
        ("GET", "/v1/orders/00", json!(null), 3),
        ("PATCH", "/v1/issuers/issuing", json!({ "validity_s": 90_000 }), 2),
        ("POST", "/v1/issuers", json!({ "name": "x", "certificate": "" }), 1),
        ("POST", "/v1/certificates", json!({ "issuer": "x", "profile": "y", "csr": "" }), 1),
        ("POST", "/v1/issuers/issuing/import", json!([]), 1),
    ];
    for (method, path, body, may) in &table {
        for (at, client) in clients.iter().enumerate() {
            let response = client.send(method, path, body);
            if at < *may {
                assert!(![401, 403, 405].contains(&response.status), "{method} {path} as {}: {response:?}", roles[at]);
            } else {
                assert_eq!(problem(&response).0, 403, "{method} {path} as {}", roles[at]);
            }
        }
        let stranger = Client { server: &server, secret: "nm_wrong".to_owned() };
        let response = stranger.send(method, path, body);
        assert_eq!(problem(&response).0, 401, "{method} {path}");
        assert!(response.header("www-authenticate").is_some());
        let none = server.raw(format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());
        assert_eq!(problem(&none).0, 401, "{method} {path} without a key");
    }
    for path in ["revoke", "hold", "release"] {
        let path = format!("/v1/certificates/issuing/4711/{path}");
        assert_eq!(problem(&clients[0].post(&path, &json!({}))).0, 404);
        assert_eq!(problem(&clients[1].post(&path, &json!({}))).0, 403);
        let response = clients[0].get(&path);
        assert_eq!((problem(&response).0, response.header("allow")), (405, Some("POST")));
    }
    assert_eq!(problem(&clients[0].send("DELETE", "/v1/issuers", &json!({}))).0, 405);
    assert_eq!(problem(&clients[0].get("/v1/nothing")).0, 404);

    let me = clients[2].get("/v1/me").json();
    assert_eq!(me, json!({ "caller": "name:auditor-1", "name": "auditor-1", "role": "auditor" }));
    let set = records::events(&installation, "issuer-changed");
    let who: Vec<&str> = set.iter().map(|event| event["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["name:officer-1", "name:operator-1"], "the second one changed nothing, and was asked to");
    let listed = clients[0].get("/v1/api-keys");
    assert!(!listed.text().contains("sha256") && !listed.text().contains("nm_"), "{}", listed.text());
    assert_eq!(listed.json().as_array().unwrap().len(), 4);
    Ok(())
}

/// A key is known, and forgotten, within a second; it names its caller to timestamping profiles too.
fn keys_come_and_go() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.reconfigure("[tsa.default]", "[caller.taken]\nsecret_sha256 = \"00000000000000000000000000000000000000000000000000000000000000ff\"\n\n[tsa.default]\ncallers = [\"acme\"]");
    let server = installation.serve();
    let request = Request::over(b"x").to_der();
    let stamp = |authorization: &str| {
        let headers = [("Content-Type", "application/timestamp-query"), ("Authorization", authorization)];
        server.post_with("/tsa", &headers, &request).status
    };
    let acme = Client::new(&installation, &server, "acme", "client");
    let bearer = format!("Bearer {}", acme.secret);
    assert_eq!(stamp(&bearer), 200);
    let other = Client::new(&installation, &server, "other", "officer");
    assert_eq!(stamp(&format!("Bearer {}", other.secret)), 403, "another caller's profile");

    let revoked_at = Instant::now();
    installation.run(&["api-key", "revoke", "acme"]);
    while stamp(&bearer) != 401 {
        assert!(revoked_at.elapsed() < Duration::from_secs(2), "a revoked key still opens");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(problem(&acme.get("/v1/me")).0, 401);
    for (words, why) in [
        (&["create", "acme", "--role", "client"][..], "is there already"),
        (&["create", "taken", "--role", "client"], "[caller.taken]"),
        (&["create", "No", "--role", "client"], "can't be a key's name"),
        (&["create", "x", "--role", "king"], "is no role"),
        (&["revoke", "acme"], "or it is revoked already"),
        (&["revoke", "nobody"], "there is no API key"),
    ] {
        let output = installation.noonmark(&[&["api-key"], words].concat());
        assert!(!output.status.success() && text(&output).contains(why), "{words:?}: {}", text(&output));
    }
    // No secret, and nothing to find it by, in what is kept or said.
    assert!(!server.log().contains(&acme.secret));
    let events = records::events(&installation, "api-key-created");
    assert_eq!((&events[0]["key"], &events[0]["role"]), (&"acme".into(), &"client".into()));
    assert!(!events[0].to_string().contains("sha256"));
    assert_eq!(records::events(&installation, "api-key-revoked").len(), 1);
    let listed: Value = serde_json::from_str(&installation.run(&["api-key", "list", "--json"]))?;
    assert!(listed[0]["revoked_at"].is_string() && listed[1]["revoked_at"].is_null(), "{listed}");
    Ok(())
}

/// Ordered, issued, looked at, held, released, revoked; each step recorded with who took it.
fn life(installation: &Installation) {
    let (server, _agent) = (installation.serve(), Agent::start(installation));
    let officer = Client::new(installation, &server, "alice", "officer");
    let csr = agent::signing_request(installation, "x", "/C=DE/CN=x", &[]);
    let csr = std::fs::read_to_string(csr).unwrap();
    let order = json!({ "issuer": "issuing", "profile": "document-signer", "csr": csr, "days": 10 });
    let ordered = officer.post("/v1/certificates", &order);
    assert_eq!(ordered.status, 202, "{}", ordered.text());
    let location = ordered.header("location").unwrap().to_owned();
    let began = Instant::now();
    let done = loop {
        let report = officer.get(&location).json();
        if report["state"] == "done" {
            break report;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{report}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let pem = installation.directory().join("x.pem");
    std::fs::write(&pem, done["certificate"].as_str().unwrap()).unwrap();
    let serial = done["serial"].as_str().unwrap();
    let path = format!("/v1/certificates/issuing/{serial}");
    let shown = officer.get(&path).json();
    assert_eq!(shown["certificate"], done["certificate"]);
    assert_eq!((&shown["changed_by"], &shown["status"]["state"]), (&"name:alice".into(), &"good".into()));

    let ask = |wanted: &str| {
        let began = Instant::now();
        loop {
            let url = format!("{}/ocsp", server.url());
            let words = ["ocsp", "-noverify", "-issuer", "certificates/issuing.pem", "-cert", "x.pem", "-url", &url];
            let said = openssl_ca::openssl(installation.directory(), &words);
            if said.contains(wanted) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(1), "not {wanted} within a second: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    ask("x.pem: good");
    assert_eq!(officer.post(&format!("{path}/hold"), &json!({})).json()["status"]["reason"], "certificateHold");
    ask("Reason: certificateHold");
    assert_eq!(officer.post(&format!("{path}/release"), &json!({})).json()["status"]["state"], "good");
    ask("x.pem: good");
    let revoked = officer.post(&format!("{path}/revoke"), &json!({ "reason": "superseded" })).json();
    assert_eq!((&revoked["status"]["state"], &revoked["status"]["reason"]), (&"revoked".into(), &"superseded".into()));
    ask("Reason: superseded");
    assert_eq!(problem(&officer.post(&format!("{path}/release"), &json!({}))).0, 409, "never comes back");
}

fn a_certificate_through_its_life() -> Result<(), Failed> {
    let installation = Installation::software();
    life(&installation);
    let changes = records::events(&installation, "certificate-status-changed");
    assert_eq!(changes.len(), 3);
    assert!(changes.iter().all(|change| change["who"] == "name:alice"), "{changes:?}");
    Ok(())
}

fn on_postgresql() -> Result<(), Failed> {
    let cluster = Cluster::start();
    life(&Installation::new(&["--tier", "software", "--database", &cluster.url()]));
    Ok(())
}

fn a_write_that_comes_twice() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let officer = Client::new(&installation, &server, "alice", "officer");
    let csr = std::fs::read_to_string(agent::signing_request(&installation, "x", "/C=DE/CN=x", &[]))?;
    let order = json!({ "issuer": "issuing", "profile": "document-signer", "csr": csr });
    let first = officer.post_once("/v1/certificates", "key-1", &order);
    let again = officer.post_once("/v1/certificates", "key-1", &order);
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!((&first.body, first.header("location")), (&again.body, again.header("location")));
    assert_eq!(records::events(&installation, "certificate-ordered").len(), 1);
    let mut other = order.clone();
    other["days"] = json!(3);
    let (status, detail) = problem(&officer.post_once("/v1/certificates", "key-1", &other));
    assert!(status == 422 && detail.contains("another request"), "{detail}");
    // Another caller's key of the same name is another key; a refused request frees its key.
    let bob = Client::new(&installation, &server, "bob", "officer");
    assert_ne!(bob.post_once("/v1/certificates", "key-1", &order).body, first.body);
    let nobody = json!({ "issuer": "nobody", "profile": "document-signer", "csr": csr });
    assert_eq!(problem(&officer.post_once("/v1/certificates", "key-2", &nobody)).0, 404);
    assert_eq!(officer.post_once("/v1/certificates", "key-2", &order).status, 202);
    // Of many at once, one is done.
    let before = records::events(&installation, "certificate-ordered").len();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| officer.post_once("/v1/certificates", "key-3", &order).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| [202, 409].contains(status)), "{statuses:?}");
    assert_eq!(records::events(&installation, "certificate-ordered").len(), before + 1);
    for key in ["", "a b", &"x".repeat(129)] {
        assert_eq!(problem(&officer.post_once("/v1/certificates", key, &order)).0, 400, "{key:?}");
    }
    Ok(())
}

fn rows(from: u32, count: u32) -> Value {
    let row = |n: u32| {
        json!({
            "serial": format!("{:08x}", 0x0100_0000 + n), "subject": format!("CN=row {n}"), "state": "good",
            "not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z",
        })
    };
    (from..from + count).map(row).collect()
}

/// Every certificate comes once, whatever the pages' size.
fn pages() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let officer = Client::new(&installation, &server, "alice", "officer");
    let imported = officer.post("/v1/issuers/issuing/import", &rows(0, 1_234));
    let wanted = json!({ "read": 1_234, "new": 1_234, "changed": 0, "refused": 0, "refusals": [] });
    assert_eq!(imported.json(), wanted, "{}", imported.text());
    assert_eq!(officer.post("/v1/issuers/issuing/import", &rows(1_000, 300)).json()["new"], 66, "the others are known");
    for (limit, pages) in [(1_000, 2), (100, 13), (434, 3)] {
        let (mut seen, mut asked, mut after) = (Vec::new(), 0, String::new());
        loop {
            let path = format!("/v1/certificates?issuer=issuing&profile=imported&subject=ROW&limit={limit}{after}");
            let page = officer.get(&path).json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|row| row["serial"].as_str().unwrap().to_owned()));
            asked += 1;
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let different: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((asked, seen.len(), different.len()), (pages, 1_300, 1_300), "limit {limit}");
    }
    let ending = officer.get("/v1/certificates?ends_before=2030-01-01T00:00:00Z&state=good").json();
    let issuers: BTreeSet<&str> =
        ending["items"].as_array().unwrap().iter().map(|row| row["profile"].as_str().unwrap()).collect();
    assert_eq!(issuers, BTreeSet::from(["ocsp-responder"]), "of both issuers: {ending}");
    Ok(())
}

fn somebody_elses_certificates() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let officer = Client::new(&installation, &server, "alice", "officer");
    let ca = OpensslCa::new();
    let theirs = ca.read("intermediate.pem");
    let added = officer.post("/v1/issuers", &json!({ "name": "partner", "certificate": theirs }));
    assert_eq!((added.status, added.header("location")), (201, Some("/v1/issuers/partner")), "{}", added.text());
    assert_eq!(problem(&officer.post("/v1/issuers", &json!({ "name": "partner", "certificate": theirs }))).0, 409);
    assert_eq!(officer.get("/v1/issuers/partner").json()["origin"], "external");

    let leaf = ca.issue("leaf", "/C=DE/CN=Leaf", "basicConstraints=CA:FALSE\n");
    let serial = ca.openssl(&["x509", "-in", "leaf.pem", "-noout", "-serial"]);
    let serial = serial.trim().trim_start_matches("serial=");
    let mut row = rows(0, 1)[0].clone();
    row["serial"] = json!(serial);
    row["certificate"] = json!(leaf);
    assert_eq!(officer.post("/v1/issuers/partner/import", &json!([row])).json()["new"], 1);
    let shown = officer.get(&format!("/v1/certificates/partner/{serial}")).json();
    assert!(shown["certificate"].as_str().unwrap().contains("BEGIN CERTIFICATE"), "{shown}");
    let (status, detail) = problem(&officer.post("/v1/issuers/issuing/import", &json!([row])));
    assert!(status == 409 && detail.contains("was not signed by issuer issuing"), "{detail}");
    // Their CA pushes a revocation: by rows, then by name.
    let mut other = rows(7, 1)[0].clone();
    assert_eq!(officer.post("/v1/issuers/partner/import", &json!([other])).json()["new"], 1);
    other["state"] = json!("revoked");
    other["revoked_at"] = json!("2026-06-01T00:00:00Z");
    assert_eq!(officer.post("/v1/issuers/partner/import", &json!([other])).json()["changed"], 0, "left as it is");
    let pushed = officer.post("/v1/issuers/partner/import?update=true", &json!([other])).json();
    assert_eq!((&pushed["new"], &pushed["changed"]), (&json!(0), &json!(1)));
    assert_eq!(officer.post("/v1/issuers/partner/import?update=true", &json!([other])).json()["changed"], 0);
    let revoked = officer.post(&format!("/v1/certificates/partner/{serial}/revoke"), &json!({}));
    assert_eq!(revoked.json()["status"]["state"], "revoked");
    Ok(())
}

fn what_is_refused() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let officer = Client::new(&installation, &server, "alice", "officer");
    let long = "x".repeat(300_000);
    let row = |field: &str, value: Value| {
        let mut row = rows(0, 1)[0].clone();
        row[field] = value;
        json!([row])
    };
    let import = "/v1/issuers/issuing/import";
    for (method, path, body, status, why) in [
        ("GET", "/v1/certificates?limit=0", json!(null), 400, "limit is 0"),
        ("GET", "/v1/certificates?limit=x", json!(null), 400, "query"),
        ("GET", "/v1/certificates?colour=red", json!(null), 400, "colour"),
        ("GET", "/v1/certificates?after=zzz", json!(null), 400, "cursor"),
        ("GET", "/v1/certificates?state=fine", json!(null), 400, "state"),
        ("GET", "/v1/certificates?ends_before=soon", json!(null), 400, "RFC 3339"),
        ("GET", "/v1/certificates?issuer=nobody", json!(null), 404, "nobody"),
        ("GET", "/v1/certificates/issuing/zz", json!(null), 422, "serial number"),
        ("GET", "/v1/certificates/issuing/4711", json!(null), 404, "4711"),
        ("GET", "/v1/certificates/..%2f..%2fetc/4711", json!(null), 404, "issuer"),
        ("GET", "/v1/issuers/nobody", json!(null), 404, "nobody"),
        ("PATCH", "/v1/issuers/issuing", json!({ "validity_s": 1 }), 422, "Validity_s = 1"),
        ("PATCH", "/v1/issuers/issuing", json!({ "validity": 1 }), 400, "validity"),
        ("PATCH", "/v1/issuers/issuing", json!({ "ahead": ["md5"] }), 400, "md5"),
        ("POST", "/v1/issuers", json!({ "name": "A", "certificate": "" }), 422, "No PEM block"),
        ("POST", "/v1/certificates", json!({ "issuer": "issuing" }), 400, "profile"),
        (
            "POST",
            "/v1/certificates",
            json!({ "issuer": "issuing", "profile": "tsu", "csr": "x" }),
            422,
            "CERTIFICATE REQUEST",
        ),
        ("POST", "/v1/certificates", json!({ "issuer": "issuing", "profile": "tsu", "csr": long }), 413, "octets"),
        ("POST", "/v1/certificates/issuing/01/revoke", json!({ "reason": "dislike" }), 400, "dislike"),
        ("POST", "/v1/certificates/issuing/01/revoke", json!({ "at": "soon" }), 400, "at"),
        ("POST", import, row("state", json!("intended")), 400, "Row 0"),
        ("POST", import, row("serial", json!("")), 422, "Row 0"),
        ("POST", import, row("state", json!("revoked")), 409, "revocation date"),
        ("POST", import, row("not_after", json!("2036")), 400, "not_after"),
        ("POST", import, row("subject", json!("CN=\u{0}")), 409, "control"),
    ] {
        let response = officer.send(method, path, &body);
        let (found, detail) = problem(&response);
        assert!(found == status && detail.contains(why), "{method} {path} {body:.100}: {found} {detail}");
    }
    assert_eq!(problem(&officer.ask("POST", "/v1/certificates", "Content-Type: text/plain\r\n", "{}")).0, 415);
    assert_eq!(problem(&officer.ask("POST", "/v1/certificates", "Content-Type: application/json\r\n", "{")).0, 400);
    Ok(())
}

/// Every path is described, every description is of a path, and the page shows without any other host.
fn the_document_is_whole() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let officer = Client::new(&installation, &server, "alice", "officer");
    let document = server.get("/openapi.json").json();
    assert_eq!(document["openapi"].as_str().map(|version| &version[..2]), Some("3."));
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let asked = path.replace("{issuer}", "issuing").replace("{serial}", "01").replace("{id}", "00");
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let response = officer.send(&method, &asked, &json!({}));
            assert_ne!(response.status, 405, "{method} {asked}");
            assert!(response.text().contains("There is no such path here.").eq(&false), "{method} {asked}");
            assert!(operation["security"].is_array(), "{method} {path} says who may");
            described.insert(format!("{method} {path}"));
        }
    }
    // The sources' own list of routes.
    let mut routed = 0;
    for file in ["certificates", "issuers", "keys", "orders", "verify/mod"] {
        let source = std::fs::read_to_string(format!("{}/src/http/v1/{file}.rs", env!("CARGO_MANIFEST_DIR")))?;
        routed += source.matches(".route(web::").count();
    }
    assert_eq!(described.len(), routed, "{described:?}");

    assert_eq!(server.get("/docs").status, 307);
    let page = server.get("/docs/");
    assert!(page.status == 200 && page.text().contains("swagger-ui"), "{}", page.text());
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'self'"));
    let text = page.text();
    let mut words = text.split(['"', '\'']);
    let elsewhere = words.find(|word| word.starts_with("http") || word.starts_with("//"));
    assert_eq!(elsewhere, None, "the page names another host");
    assert!(server.get("/docs/swagger-initializer.js").text().contains("/openapi.json"));
    Ok(())
}
