//! Certificates issued by profile: ordered, signed by the agent, answered for.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use super::support::agent::{self, Agent};
use super::support::openssl_ca;
use super::support::postgres::{self, Cluster};
use super::support::records;
use super::support::server::{Installation, text};

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    vec![
        Trial::test("orders::issued_and_answered_for", issued_and_answered_for).with_ignored_flag(no_openssl),
        Trial::test("orders::on_postgresql", on_postgresql).with_ignored_flag(no_openssl || !postgres::available()),
        Trial::test("orders::refused_by_profile", refused_by_profile).with_ignored_flag(no_openssl),
        Trial::test("orders::one_waits_for_the_agent", one_waits_for_the_agent).with_ignored_flag(no_openssl),
        Trial::test("orders::an_operators_profile", an_operators_profile).with_ignored_flag(no_openssl),
        Trial::test("orders::hold_by_profile", hold_by_profile).with_ignored_flag(no_openssl),
    ]
}

const LEAF: [&str; 3] = ["document-signer", "/C=DE/O=Example/CN=Alice", "alice"];

fn issue_alice(installation: &Installation) -> String {
    agent::issue(installation, LEAF[2], LEAF[0], LEAF[1], &[]);
    let serial = openssl_ca::openssl(installation.directory(), &["x509", "-in", "alice.pem", "-noout", "-serial"]);
    serial.trim().trim_start_matches("serial=").to_ascii_lowercase()
}

fn issued_and_answered_for() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let serial = issue_alice(&installation);
    let directory = installation.directory();
    let verified = openssl_ca::openssl(
        directory,
        &["verify", "-CAfile", "certificates/root.pem", "-untrusted", "certificates/issuing.pem", "alice.pem"],
    );
    assert!(verified.contains("alice.pem: OK"), "{verified}");

    let asked = openssl_ca::openssl(
        directory,
        &[
            "ocsp",
            "-issuer",
            "certificates/issuing.pem",
            "-cert",
            "alice.pem",
            "-CAfile",
            "certificates/root.pem",
            "-verify_other",
            "certificates/issuing.pem",
            "-url",
            &format!("{}/ocsp/issuing", server.url()),
        ],
    );
    assert!(asked.contains("alice.pem: good"), "{asked}");

    let listed = installation.run(&["cert", "list", "--issuer", "issuing", "--subject", "alice", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    assert_eq!(listed[0]["serial"], serial.as_str());
    assert_eq!((&listed[0]["profile"], &listed[0]["status"]["state"]), (&"document-signer".into(), &"good".into()));

    // The records, in their order: what was asked, the serial number, the certificate.
    let order = &records::events(&installation, "certificate-ordered")[0];
    assert_eq!(order["subject"], "CN=Alice,O=Example,C=DE");
    for kind in ["certificate-intended", "certificate-issued"] {
        let events = records::events(&installation, kind);
        let event = events.iter().find(|event| event["order"] == order["order"]).unwrap();
        assert_eq!((&event["serial"], &event["who"]), (&serial.as_str().into(), &order["who"]), "{kind}");
    }
    assert!(installation.run(&["audit", "verify"]).contains("whole"));
    Ok(())
}

fn on_postgresql() -> Result<(), Failed> {
    let cluster = Cluster::start();
    let installation = Installation::new(&["--tier", "software", "--database", &cluster.url()]);
    let _agent = Agent::start(&installation);
    let serial = issue_alice(&installation);
    let listed = installation.run(&["cert", "list", "--subject", "Alice"]);
    assert!(listed.contains(&serial), "{listed}");
    Ok(())
}

fn refused_by_profile() -> Result<(), Failed> {
    let installation = Installation::software();
    // No agent: all of these are refused before anything waits for it.
    let csr = agent::signing_request(&installation, "x", "/C=DE/CN=x", &[]);
    let csr = csr.to_str().unwrap();
    for (words, why) in [
        (&["issuing", "tls-server", csr][..], "profile tls-server does not take C in the subject"),
        (&["issuing", "nobody", csr], "there is no profile \"nobody\"; there are document-signer, intermediate"),
        (&["nobody", "tsu", csr], "there is no issuer \"nobody\""),
        (&["issuing", "tsu", csr], "profile tsu needs O in the subject"),
        (&["issuing", "document-signer", csr, "--days", "4000"], "4000 days are asked for"),
        (&["issuing", "document-signer", csr, "--subject", "nonsense"], "is not ATTRIBUTE=VALUE"),
        (&["issuing", "document-signer", csr, "--name", "dns:a.example"], "takes no dns in subjectAltName"),
        (&["issuing", "document-signer", csr, "--policy", "1.2.3"], "gives its own policies"),
        (&["issuing", "document-signer", "certificates/root.pem"], "no such file"),
        (&["issuing", "intermediate", csr, "--subject", "C=DE,O=x,CN=y"], "allows no CA below it"),
    ] {
        let output = installation.noonmark(&[&["cert", "issue"], words].concat());
        let said = text(&output).to_lowercase();
        assert!(!output.status.success() && said.contains(&why.to_lowercase()), "{words:?}: {said}");
    }
    assert!(records::events(&installation, "certificate-ordered").is_empty());
    Ok(())
}

fn one_waits_for_the_agent() -> Result<(), Failed> {
    let installation = Installation::software();
    let csr = agent::signing_request(&installation, "x", "/C=DE/CN=x", &[]);
    let words = ["cert", "issue", "issuing", "document-signer", csr.to_str().unwrap()];
    let output = installation.noonmark(&[&words[..], &["--wait", "1"]].concat());
    assert!(!output.status.success() && text(&output).contains("is `noonmark ca-agent` running?"), "{output:?}");
    let id = installation.run(&[&words[..], &["--wait", "0"]].concat()).trim().to_owned();
    assert!(installation.run(&["cert", "order", &id]).contains("is waiting for the agent since"));

    let agent = Agent::start(&installation);
    let began = Instant::now();
    let said = loop {
        let said = installation.run(&["cert", "order", &id]);
        if said.contains("BEGIN CERTIFICATE") {
            break said;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{said}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(said.matches("BEGIN CERTIFICATE").count(), 2, "the certificate and its issuer's");
    assert!(agent.stop());
    let nobody = installation.noonmark(&["cert", "order", "0123"]);
    assert!(!nobody.status.success() && text(&nobody).contains("there is no order 0123"));
    Ok(())
}

/// A profile that was written while the agent ran is followed; a broken one stops issuing and says so, and nothing else.
fn an_operators_profile() -> Result<(), Failed> {
    let installation = Installation::software();
    let _agent = Agent::start(&installation);
    let folder = installation.directory().join("profiles");
    std::fs::create_dir_all(&folder)?;
    let mine = include_str!("../../src/ca/profiles/document-signer.toml").replace("730", "10");
    std::fs::write(folder.join("mine.toml"), &mine)?;
    assert!(installation.run(&["cert", "profiles"]).contains("mine"));
    agent::issue(&installation, "ten", "mine", "/C=DE/CN=Ten", &[]);
    let ends_within = |days: u32| {
        let words = ["x509", "-in", "ten.pem", "-noout", "-checkend", &(days * 86_400).to_string()];
        let mut command = Command::new("openssl");
        !command.args(words).current_dir(installation.directory()).stdout(Stdio::null()).status().unwrap().success()
    };
    assert!(ends_within(11) && !ends_within(9));

    std::fs::write(folder.join("broken.toml"), "validity_days = 0")?;
    let output = installation.noonmark(&["cert", "profiles"]);
    assert!(!output.status.success() && text(&output).contains("profile broken"), "{output:?}");
    let serial = openssl_ca::openssl(installation.directory(), &["x509", "-in", "ten.pem", "-noout", "-serial"]);
    let serial = serial.trim().trim_start_matches("serial=");
    let held = installation.noonmark(&["cert", "hold", "issuing", serial]);
    assert!(!held.status.success(), "what only the profile could allow");
    installation.run(&["cert", "revoke", "issuing", serial, "--reason", "keyCompromise"]);
    Ok(())
}

fn hold_by_profile() -> Result<(), Failed> {
    let installation = Installation::software();
    let _agent = Agent::start(&installation);
    let signer = issue_alice(&installation);
    installation.run(&["cert", "hold", "issuing", &signer]);
    installation.run(&["cert", "release", "issuing", &signer]);
    agent::issue(&installation, "web", "tls-server", "/", &["--name", "dns:web.example.com"]);
    let serial = openssl_ca::openssl(installation.directory(), &["x509", "-in", "web.pem", "-noout", "-serial"]);
    let output = installation.noonmark(&["cert", "hold", "issuing", serial.trim().trim_start_matches("serial=")]);
    assert!(!output.status.success() && text(&output).contains("never held"), "{output:?}");
    Ok(())
}
