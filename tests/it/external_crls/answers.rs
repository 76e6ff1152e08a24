//! A running server with somebody else's CRLs: what OCSP says by them, and who may name where they are.

use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::support::crl_server::{CrlServer, Route};
use crate::support::openssl_ca::OpensslCa;
use crate::support::server::{Installation, Server, text};

/// An external issuer whose responder's key is here, and two certificates, one of which the registry knows.
struct Partner {
    ca: OpensslCa,
    installation: Installation,
    crls: CrlServer,
}

impl Partner {
    fn new() -> Self {
        let installation = Installation::software();
        let directory = installation.directory().to_owned();
        let ca = OpensslCa::new();
        let theirs = ca.path("intermediate.pem");
        installation.run(&["issuer", "add", "partner", theirs.to_str().unwrap()]);
        let request = ca.path("responder.csr");
        installation.run(&["issuer", "responder", "partner", "-o", request.to_str().unwrap()]);
        ca.sign("responder", "keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=ignored\n");
        let signed = ca.path("responder.pem");
        installation.run(&["key", "import-cert", "ocsp-partner-1", "--certificate", signed.to_str().unwrap()]);
        for name in ["leaf", "other"] {
            ca.issue(name, &format!("/C=DE/O=Elsewhere/CN={name}"), "basicConstraints=CA:FALSE\n");
            let file = ca.path(&format!("{name}.pem"));
            installation.run(&["cert", "import", "partner", file.to_str().unwrap(), "--quiet"]);
            std::fs::copy(file, directory.join(format!("{name}.pem"))).unwrap();
        }
        std::fs::write(directory.join("chain.pem"), ca.read("intermediate.pem") + &ca.read("root.pem")).unwrap();
        std::fs::copy(theirs, directory.join("theirs.pem")).unwrap();
        ca.write(
            "crl.cnf",
            "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\ncertificate=intermediate.pem\n\
             private_key=intermediate.key\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n",
        );
        ca.write("index.txt", "");
        ca.write("number", "01\n");
        Self { ca, installation, crls: CrlServer::start() }
    }

    /// What `openssl ca -gencrl` makes, which holds so many seconds.
    fn crl(&self, seconds: &str) -> Vec<u8> {
        self.ca.openssl(&["ca", "-config", "crl.cnf", "-gencrl", "-crlsec", seconds, "-out", "crl.pem"]);
        self.ca.openssl(&["crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der"]);
        std::fs::read(self.ca.path("crl.der")).unwrap()
    }

    fn set(&self, words: &[&str]) {
        self.installation.run(&[&["issuer", "set", "partner"][..], words].concat());
    }

    /// Asks with openssl until it hears `wanted`.
    fn hears(&self, server: &Server, certificate: &[&str], wanted: &str) -> String {
        let began = Instant::now();
        loop {
            let output = Command::new("openssl")
                .current_dir(self.installation.directory())
                .args(["ocsp", "-CAfile", "chain.pem", "-url", &format!("{}/ocsp/partner", server.url()), "-resp_text"])
                .args(["-issuer", "theirs.pem"])
                .args(certificate)
                .output()
                .unwrap();
            let said = text(&output);
            if said.contains(wanted) && (said.contains("Response verify OK") || said.contains("Responder Error")) {
                return said;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "not {wanted}: {said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The words of `/readyz` about the CRL; none while the server has not heard of it.
    fn readiness(&self, server: &Server) -> String {
        let report = server.readiness().unwrap().json();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "crl partner");
        let words = |check: &serde_json::Value| {
            format!("{}: {}", check["state"].as_str().unwrap(), check["reason"].as_str().unwrap())
        };
        check.map(words).unwrap_or_default()
    }

    fn is_ready_with(&self, server: &Server, wanted: &str) {
        let began = Instant::now();
        loop {
            let said = self.readiness(server);
            if said.contains(wanted) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "not {wanted}: {said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

const LEAF: [&str; 2] = ["-cert", "leaf.pem"];
const OTHER: [&str; 2] = ["-cert", "other.pem"];
const STRANGER: [&str; 2] = ["-serial", "0x4711"];

pub(super) fn ocsp_says() -> Result<(), Failed> {
    let partner = Partner::new();
    let server = partner.installation.serve();
    let first = partner.crl("86400");
    partner.crls.route("/ca.crl", Route::Crl(first.clone(), "\"1\""));
    let url = partner.crls.url("/ca.crl");
    partner.set(&["--crl-url", &url, "--crl-fetch-seconds", "5", "--crl-answers", "crl"]);
    let listed = partner.installation.run(&["issuer", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let settings = &listed.as_array().unwrap().iter().find(|issuer| issuer["name"] == "partner").unwrap()["settings"];
    assert_eq!(settings["external_crl"]["urls"][0], url.as_str());
    assert_eq!(settings["external_crl"]["answers"], "crl");
    partner.is_ready_with(&server, "ok: ");
    let said = partner.hears(&server, &LEAF, "leaf.pem: good");
    let crl = partner.ca.openssl(&["crl", "-in", "crl.pem", "-noout", "-lastupdate", "-nextupdate"]);
    let times: Vec<&str> = crl.lines().filter_map(|line| line.split_once('=').map(|(_, time)| time)).collect();
    let update = |name: &str| said.lines().find(|line| line.contains(name)).unwrap().trim().to_owned();
    assert!(update("This Update:").ends_with(times[0]), "{said}\n{crl}");
    assert!(update("Next Update:").ends_with(times[1]), "never past the CRL's: {said}\n{crl}");
    partner.hears(&server, &STRANGER, "0x4711: unknown");

    partner.ca.openssl(&["ca", "-config", "crl.cnf", "-revoke", "leaf.pem", "-crl_reason", "keyCompromise"]);
    partner.crls.route("/ca.crl", Route::Crl(partner.crl("86400"), "\"2\""));
    let said = partner.hears(&server, &LEAF, "leaf.pem: revoked");
    assert!(said.contains("Reason: keyCompromise"), "{said}");
    partner.hears(&server, &[&LEAF[..], &["-no_nonce"]].concat(), "leaf.pem: revoked");
    partner.hears(&server, &[&["-sha256"][..], &OTHER].concat(), "other.pem: good");
    assert_eq!(server.metric("noonmark_crl_entries{issuer=\"partner\",scope=\"external\"}"), 1.0);
    assert!(server.metric("noonmark_crl_next_update_timestamp_seconds{issuer=\"partner\",scope=\"external\"}") > 1e9);

    // The older one again: refused, said, and nothing it says is believed.
    partner.crls.route("/ca.crl", Route::Crl(first, "\"1\""));
    partner.is_ready_with(&server, "older than the one that is held");
    partner.hears(&server, &LEAF, "leaf.pem: revoked");

    // The network is away, the server begins anew: what is kept is enough.
    partner.crls.forget();
    assert!(server.stop());
    let server = partner.installation.serve();
    partner.hears(&server, &LEAF, "leaf.pem: revoked");
    partner.hears(&server, &OTHER, "other.pem: good");
    let output = partner.installation.noonmark(&["check", "--json"]);
    let checks: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let check = checks.as_array().unwrap().iter().find(|check| check["name"] == "crl partner").unwrap();
    assert_eq!(check["state"], "ok", "{check}");

    partner.set(&["--crl-answers", "crl-any-serial"]);
    partner.hears(&server, &STRANGER, "0x4711: good");
    partner.set(&["--no-crl-url"]);
    partner.hears(&server, &LEAF, "leaf.pem: good");
    partner.hears(&server, &STRANGER, "0x4711: unknown");
    Ok(())
}

pub(super) fn ocsp_of_a_stale_one() -> Result<(), Failed> {
    let partner = Partner::new();
    let server = partner.installation.serve();
    partner.set(&["--crl-url", &partner.crls.url("/ca.crl"), "--crl-fetch-seconds", "5", "--crl-answers", "crl"]);
    // Nothing is here yet: come back later, which no cache keeps for an answer.
    partner.hears(&server, &OTHER, "trylater");
    partner.is_ready_with(&server, "warning: no CRL is here yet");
    partner.ca.openssl(&["ca", "-config", "crl.cnf", "-revoke", "leaf.pem", "-crl_reason", "superseded"]);
    partner.crls.route("/ca.crl", Route::Crl(partner.crl("12"), "\"1\""));
    partner.hears(&server, &OTHER, "other.pem: good");
    partner.is_ready_with(&server, "past its nextUpdate");
    partner.hears(&server, &OTHER, "trylater");
    partner.hears(&server, &STRANGER, "trylater");
    let said = partner.hears(&server, &LEAF, "leaf.pem: revoked");
    assert!(said.contains("Reason: superseded"), "{said}");
    assert_eq!(server.readiness().unwrap().status, 200, "timestamps and other issuers go on");
    // Two rounds more: it is said once.
    std::thread::sleep(Duration::from_secs(11));
    let said = server.log().matches("its CRL is past its nextUpdate").count();
    assert_eq!(said, 1, "{}", server.log());
    partner.crls.route("/ca.crl", Route::Crl(partner.crl("86400"), "\"2\""));
    partner.hears(&server, &OTHER, "other.pem: good");
    partner.is_ready_with(&server, "ok: ");
    Ok(())
}

/// A CRL with an issuingDistributionPoint says good only of certificates that are here to be held against it; what expired
/// may have left it.
pub(super) fn ocsp_of_a_partial_one() -> Result<(), Failed> {
    let partner = Partner::new();
    let rows = partner.ca.write(
        "rows.csv",
        "serial,not_after,state,reason,revoked_at\n0777,2036-01-01T00:00:00Z,good,,\n0778,2026-01-01T00:00:00Z,good,,\n",
    );
    partner.installation.run(&["cert", "import", "partner", rows.to_str().unwrap(), "--quiet"]);
    let server = partner.installation.serve();
    partner.crls.route("/ca.crl", Route::Crl(partner.crl("86400"), "\"1\""));
    partner.set(&["--crl-url", &partner.crls.url("/ca.crl"), "--crl-fetch-seconds", "5", "--crl-answers", "crl"]);
    partner.hears(&server, &["-serial", "0x777"], "0x777: good");
    partner.hears(&server, &["-serial", "0x778"], "unauthorized");
    let configuration = partner.ca.read("crl.cnf") + "issuingDistributionPoint=critical,@p\n[p]\nonlyuser=TRUE\n";
    partner.ca.write("crl.cnf", &configuration);
    partner.crls.route("/ca.crl", Route::Crl(partner.crl("86400"), "\"2\""));
    partner.hears(&server, &["-serial", "0x777"], "unauthorized");
    partner.hears(&server, &LEAF, "leaf.pem: good");
    // A stop does not wait for a CRL that takes its time.
    partner.crls.answered();
    partner.crls.route("/ca.crl", Route::Slow(partner.crl("86400"), Duration::from_millis(500)));
    let began = Instant::now();
    while partner.crls.answered().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "it is not asked");
        std::thread::sleep(Duration::from_millis(50));
    }
    let began = Instant::now();
    assert!(server.stop() && began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    Ok(())
}

pub(super) fn api() -> Result<(), Failed> {
    let installation = Installation::software();
    let ca = OpensslCa::new();
    installation.run(&["issuer", "add", "partner", ca.path("intermediate.pem").to_str().unwrap()]);
    let key = |name: &str, role: &str| installation.run(&["api-key", "create", name, "--role", role]).trim().to_owned();
    let (officer, operator) = (key("ann", "officer"), key("otto", "operator"));
    let server = installation.serve();
    let set = |key: &str, body: &str| {
        let head = format!(
            "PATCH /v1/issuers/partner HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        server.raw(&[head.as_bytes(), body.as_bytes()].concat())
    };
    let named = r#"{"external_crl":{"urls":["http://127.0.0.1:1/ca.crl"],"answers":"crl"}}"#;
    assert_eq!(set(&operator, named).status, 403);
    assert_eq!(set(&operator, r#"{"archive_cutoff":true}"#).status, 200, "the rest is an operator's to set");
    let response = set(&officer, named);
    assert_eq!(response.status, 200, "{}", response.text());
    let said = &response.json()["settings"]["external_crl"];
    assert_eq!((said["urls"][0].as_str(), said["answers"].as_str()), (Some("http://127.0.0.1:1/ca.crl"), Some("crl")));
    assert_eq!(said["interval_s"], 3_600);
    assert_eq!(set(&officer, r#"{"external_crl":{"urls":["ldap://x/"]}}"#).status, 422);
    Ok(())
}

pub(super) fn settings() -> Result<(), Failed> {
    let installation = Installation::software();
    let ca = OpensslCa::new();
    installation.run(&["issuer", "add", "partner", ca.path("intermediate.pem").to_str().unwrap()]);
    for (words, why) in [
        (&["issuing", "--crl-url", "http://x/"][..], "Noonmark's own"),
        (&["partner", "--crl-url", "ldap://x/"], "no URL that a CRL is fetched from"),
        (&["partner", "--crl-url", "http://user:secret@x/"], "no URL that a CRL is fetched from"),
        (&["partner", "--crl-answers", "crl"], "need the URL"),
        (&["partner", "--crl-delta-url", "http://x/"], "give the URL of that as well"),
        (&["partner", "--crl-url", "http://x/", "--crl-fetch-seconds", "1"], "every 5 to"),
        (&["partner", "--crl-url", "http://x/", "--no-crl-url"], "cannot be used with"),
    ] {
        let output = installation.noonmark(&[&["issuer", "set"][..], words].concat());
        assert!(!output.status.success() && text(&output).contains(why), "{words:?}: {}", text(&output));
    }
    // By what stands in a certificate of the issuer's.
    let points =
        "basicConstraints=CA:FALSE\ncrlDistributionPoints=URI:ldap://x/,URI:http://crl.partner.example/ca.crl\n";
    ca.issue("pointed", "/CN=pointed", points);
    ca.issue("pointless", "/CN=pointless", "basicConstraints=CA:FALSE\n");
    let path = |name: &str| ca.path(name).to_str().unwrap().to_owned();
    installation.run(&["issuer", "set", "partner", "--crl-url-of", &path("pointed.pem")]);
    let list = installation.run(&["issuer", "list", "--json"]);
    assert!(list.contains("http://crl.partner.example/ca.crl") && !list.contains("ldap"), "{list}");
    for (file, why) in [("pointless.pem", "names no CRL"), ("root.pem", "not signed by this issuer")] {
        let output = installation.noonmark(&["issuer", "set", "partner", "--crl-url-of", &path(file)]);
        assert!(!output.status.success() && text(&output).contains(why), "{file}: {}", text(&output));
    }
    Ok(())
}
