//! Issuers beside the first: further ones of our own, other people's, and their responders.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use super::support::agent::{self, Agent};
use super::support::openssl_ca::{self, OpensslCa};
use super::support::records;
use super::support::server::{Installation, Server, text};

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    vec![
        Trial::test("issuers::a_further_one_of_our_own", a_further_one_of_our_own).with_ignored_flag(no_openssl),
        Trial::test("issuers::somebody_elses", somebody_elses).with_ignored_flag(no_openssl),
        Trial::test("issuers::a_responders_key_is_followed", a_responders_key_is_followed)
            .with_ignored_flag(no_openssl),
        Trial::test("issuers::what_is_refused", what_is_refused).with_ignored_flag(no_openssl),
        Trial::test("issuers::a_file_is_followed_past_what_is_refused", followed),
    ]
}

/// Asks until openssl verifies an answer that says `wanted`, and gives all it said.
fn asks_until(server: &Server, path: &str, directory: &Path, chain: &str, words: &[&str], wanted: &str) -> String {
    let began = Instant::now();
    loop {
        let output = Command::new("openssl")
            .current_dir(directory)
            .args(["ocsp", "-CAfile", chain, "-url", &format!("{}{path}", server.url()), "-resp_text"])
            .args(words)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if said.contains(wanted) && said.contains("Response verify OK") {
            return said;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "not {wanted} after ten seconds: {said}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn write_chain(directory: &Path, files: &[&str]) {
    let text: String = files.iter().map(|file| std::fs::read_to_string(directory.join(file)).unwrap()).collect();
    std::fs::write(directory.join("chain.pem"), text).unwrap();
}

fn a_further_one_of_our_own() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let directory = installation.directory();
    let words = ["issuer", "create", "documents", "--common-name", "Example Documents CA", "--algorithm", "p384"];
    installation.run(&words);
    installation.run(&["issuer", "responder", "documents"]);
    let csr = agent::signing_request(&installation, "alice", "/C=DE/CN=Alice", &[]);
    let pem = directory.join("alice.pem");
    let files = [csr.to_str().unwrap(), "-o", pem.to_str().unwrap()];
    installation.run(&[&["cert", "issue", "documents", "document-signer"][..], &files].concat());

    write_chain(directory, &["certificates/documents.pem", "certificates/root.pem"]);
    let verified = openssl_ca::openssl(directory, &["verify", "-x509_strict", "-CAfile", "chain.pem", "alice.pem"]);
    assert!(verified.contains("OK"), "{verified}");
    let words = ["-issuer", "certificates/documents.pem", "-cert", "alice.pem"];
    let said = asks_until(&server, "/ocsp/documents", directory, "chain.pem", &words, "alice.pem: good");
    assert!(said.contains("ecdsa-with-SHA384"), "its responder has the issuer's algorithm: {said}");
    // The root tells of the new issuer, and AIA caIssuers leads to its certificate.
    let words = ["-issuer", "certificates/root.pem", "-cert", "certificates/documents.pem"];
    asks_until(&server, "/ocsp/root", directory, "certificates/root.pem", &words, "documents.pem: good");
    let served = server.get("/ca/documents.cer");
    assert_eq!(served.status, 200);
    std::fs::write(directory.join("served.der"), &served.body)?;
    let text = |file: &str, form: &str| {
        openssl_ca::openssl(directory, &["x509", "-in", file, "-inform", form, "-noout", "-serial"])
    };
    assert_eq!(text("served.der", "DER"), text("certificates/documents.pem", "PEM"));
    assert_eq!(records::events(&installation, "issuer-created").len(), 1);
    Ok(())
}

/// A CA that openssl runs: its responder's key is here, certified by its own CA.
fn somebody_elses() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let directory = installation.directory();
    let ca = OpensslCa::new();
    let theirs = ca.path("intermediate.pem");
    installation.run(&["issuer", "add", "partner", theirs.to_str().unwrap()]);
    let request = ca.path("responder.csr");
    installation.run(&["issuer", "responder", "partner", "-o", request.to_str().unwrap()]);

    let wrong = ca.sign("responder", "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n");
    assert!(wrong.contains("BEGIN"));
    let signed = ca.path("responder.pem");
    let import = ["key", "import-cert", "ocsp-partner-1", "--certificate", signed.to_str().unwrap()];
    let output = installation.noonmark(&import);
    assert!(!output.status.success() && text(&output).contains("OCSPSigning"), "{}", text(&output));

    ca.sign(
        "responder",
        "keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=ignored\nauthorityKeyIdentifier=keyid\n",
    );
    installation.run(&import);
    std::fs::copy(&theirs, directory.join("theirs.pem"))?;
    std::fs::copy(ca.path("root.pem"), directory.join("their-root.pem"))?;
    write_chain(directory, &["theirs.pem", "their-root.pem"]);
    let words = ["-issuer", "theirs.pem", "-serial", "0x4711"];
    asks_until(&server, "/ocsp/partner", directory, "chain.pem", &words, "0x4711: unknown");
    let order = ["cert", "issue", "partner", "document-signer"];
    let csr = agent::signing_request(&installation, "x", "/C=DE/CN=x", &[]);
    let output = installation.noonmark(&[&order[..], &[csr.to_str().unwrap()]].concat());
    assert!(!output.status.success() && text(&output).contains("issuer partner is external"), "{}", text(&output));
    Ok(())
}

/// A new key of the same algorithm follows the old one; one of another algorithm answers beside it.
fn a_responders_key_is_followed() -> Result<(), Failed> {
    let installation = Installation::software();
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let directory = installation.directory();
    write_chain(directory, &["certificates/issuing.pem", "certificates/root.pem"]);
    let words = ["-issuer", "certificates/issuing.pem", "-cert", "certificates/tsu-default-1.pem"];
    asks_until(&server, "/ocsp/issuing", directory, "chain.pem", &words, "CN=Noonmark OCSP Responder 1");

    installation.run(&["issuer", "responder", "issuing"]);
    assert_eq!(records::state(&installation, "ocsp-issuing-1"), "retired");
    asks_until(&server, "/ocsp/issuing", directory, "chain.pem", &words, "CN=Noonmark ocsp-issuing-2");

    installation.run(&["issuer", "responder", "issuing", "--algorithm", "rsa3072"]);
    assert_eq!(records::state(&installation, "ocsp-issuing-2"), "active");
    assert_eq!(records::key(&installation, "ocsp-issuing-3").role, "ocsp:issuing:rsa3072");
    asks_until(&server, "/ocsp/issuing", directory, "chain.pem", &words, "CN=Noonmark ocsp-issuing-2");

    // The root's, by its own token.
    installation.run(&["issuer", "responder", "root"]);
    let words = ["-issuer", "certificates/root.pem", "-cert", "certificates/issuing.pem"];
    asks_until(&server, "/ocsp/root", directory, "certificates/root.pem", &words, "CN=Noonmark ocsp-root-2");
    Ok(())
}

fn what_is_refused() -> Result<(), Failed> {
    let installation = Installation::software();
    let ca = OpensslCa::new();
    ca.issue("leaf", "/C=DE/O=Elsewhere/CN=Leaf", "basicConstraints=CA:FALSE\n");
    let (theirs, leaf) = (ca.path("intermediate.pem"), ca.path("leaf.pem"));
    let (theirs, leaf) = (theirs.to_str().unwrap(), leaf.to_str().unwrap());
    for (words, why) in [
        (&["add", "issuing", theirs][..], "by the name of issuing is there already"),
        (&["add", "No/Name", theirs], "can't be an issuer's name"),
        (&["add", "leaf", leaf], "basicConstraints"),
        (&["add", "none", "/nowhere.pem"], "No such file"),
        (&["create", "issuing", "--common-name", "x"], "there is an issuer \"issuing\" already"),
        (&["create", "other", "--common-name", "Noonmark Issuing CA"], "has the subject"),
        (&["create", "Other", "--common-name", "x"], "can't be an issuer's name"),
        (&["responder", "nobody"], "there is no issuer \"nobody\""),
    ] {
        let output = installation.noonmark(&[&["issuer"], words].concat());
        assert!(!output.status.success() && text(&output).contains(why), "{words:?}: {}", text(&output));
    }
    assert!(records::events(&installation, "issuer-created").is_empty());
    Ok(())
}

/// Rows that can't be are refused before anything is written; a status that may not be taken stands in nobody's way.
fn followed() -> Result<(), Failed> {
    let installation = Installation::software();
    let file = installation.directory().join("rows.csv");
    let import = |rows: &[&str], more: &[&str]| {
        let text = format!("serial,not_after,state,reason,revoked_at\n{}\n", rows.join("\n"));
        std::fs::write(&file, text).unwrap();
        let words = ["cert", "import", "issuing", file.to_str().unwrap(), "--quiet"];
        installation.noonmark(&[&words[..], more].concat())
    };
    let end = "2036-01-01T00:00:00Z";
    for (row, reason) in [
        (format!("01,{end},revoked,removeFromCRL,2026-01-01T00:00:00Z"), "no reason to revoke"),
        (format!("01,{end},revoked,certificateHold,2026-01-01T00:00:00Z"), "it is held, not revoked"),
        (format!("01,{end},held,superseded,2026-01-01T00:00:00Z"), "certificateHold as its reason"),
        (format!("01,{end},good,superseded,"), "has no reason"),
        (format!("01,{end},revoked,,1969-12-31T23:59:59Z"), "before 1970"),
    ] {
        let output = import(&[&row], &[]);
        assert!(!output.status.success() && text(&output).contains(reason), "{row}: {}", text(&output));
    }
    let good = |serial: &str| format!("{serial},{end},good,,");
    let first: Vec<String> = ["0a", "0b", "0c"].into_iter().map(good).collect();
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    assert!(import(&first, &[]).status.success());
    let revoked = |serial: &str, reason: &str| format!("{serial},{end},revoked,{reason},2026-06-01T00:00:00Z");
    let held = format!("0c,{end},held,,2026-05-01T00:00:00Z");
    let second = [revoked("0a", "unspecified"), good("0b"), held];
    let second: Vec<&str> = second.iter().map(String::as_str).collect();
    assert!(import(&second, &["--update"]).status.success());
    // Good again after revoked is refused; what stands behind it is taken, a hold that became a revocation too.
    let third = [good("0a"), revoked("0b", "keyCompromise"), revoked("0c", "superseded")];
    let third: Vec<&str> = third.iter().map(String::as_str).collect();
    let output = import(&third, &["--update"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(said.contains(": 0a: ") && said.contains("1 known certificates"), "{said}");
    let listed = installation.run(&["cert", "list", "--issuer", "issuing", "--state", "revoked", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let serials: Vec<&str> = listed.as_array().unwrap().iter().map(|row| row["serial"].as_str().unwrap()).collect();
    assert_eq!(serials, ["0a", "0b", "0c"]);
    // The same file again: nothing is new, and what is as it was is no refusal.
    let again = [revoked("0a", "unspecified"), revoked("0b", "superseded"), revoked("0c", "superseded")];
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    let output = import(&again, &["--update"]);
    assert!(output.status.success() && text(&output).contains("0 of these changed"), "{}", text(&output));
    Ok(())
}
