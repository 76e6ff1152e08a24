//! Certificates of a CA elsewhere, and certificates that must not serve.

use libtest_mimic::{Failed, Trial};

use super::lifecycle::{QUERY, RELOADED, certificates_in, check, refused, reload, root, sha256_of, signer, wait_until};
use super::support::openssl_ca::{self, OpensslCa, TSU, private_key_usage};
use super::support::records;
use super::support::server::{Installation, text};
use super::support::timestamp::{Outcome, Request, outcome};

pub fn trials() -> Vec<Trial> {
    let openssl = openssl_ca::available();
    vec![
        Trial::test("certificates::a_ca_elsewhere", ca_elsewhere).with_ignored_flag(!openssl),
        Trial::test("certificates::refused_at_their_import", refused_certificates).with_ignored_flag(!openssl),
        Trial::test("certificates::another_key_than_the_tokens", mismatch),
        Trial::test("certificates::the_private_keys_period", period).with_ignored_flag(!openssl),
    ]
}

/// `key generate` and `key csr` for a profile; the request stands in the CA's directory as `name.csr`.
fn request_certificate(installation: &Installation, ca: &OpensslCa, profile: &str, name: &str) {
    installation.run(&["key", "generate", "--profile", profile]);
    let output = ca.path(&format!("{name}.csr"));
    let common_name = format!("Unit {name}");
    installation.run(&[
        "key",
        "csr",
        name,
        "--common-name",
        &common_name,
        "--organization",
        "Example AG",
        "--country",
        "DE",
        "-o",
        output.to_str().unwrap(),
    ]);
}

fn ca_elsewhere() -> Result<(), Failed> {
    let installation = Installation::software();
    let ca = OpensslCa::new();
    installation.configure("[tsa.archive]\npolicies = [\"1.2.3.4\"]\n");
    request_certificate(&installation, &ca, "archive", "tsu-archive-1");
    let told = ca.openssl(&["req", "-in", "tsu-archive-1.csr", "-noout", "-verify", "-text"]);
    assert!(told.contains("Time Stamping") && told.contains("CN = Unit tsu-archive-1"), "{told}");
    let unit = ca.sign("tsu-archive-1", TSU);
    // Root first, the unit last: the order in the file is nobody's business.
    let bundle = ca.write("bundle.pem", &[ca.read("root.pem"), ca.read("intermediate.pem"), unit].concat());
    let import =
        |name: &str| installation.run(&["key", "import-cert", name, "--certificate", bundle.to_str().unwrap()]);
    assert!(import("tsu-archive-1").contains("it is active"), "a profile without a key has one at once");
    let roots = certificates_in(&ca.read("root.pem"));
    let server = installation.serve();
    let stamp = || {
        let request = Request::over(b"x");
        check(&request, &server.post("/tsa/archive", QUERY, &request.to_der()).body, &roots).signer.sha256()
    };
    assert_eq!(stamp(), sha256_of(&installation, "tsu-archive-1"));
    assert_eq!(certificates_in(&server.get("/tsa/archive/certchain").text()).len(), 3);

    request_certificate(&installation, &ca, "archive", "tsu-archive-2");
    let unit = ca.sign("tsu-archive-2", TSU);
    ca.write("bundle.pem", &[unit, ca.read("intermediate.pem"), ca.read("root.pem")].concat());
    assert!(import("tsu-archive-2").contains("it waits as the successor"));
    assert_eq!(stamp(), sha256_of(&installation, "tsu-archive-1"));
    reload(&server, RELOADED);
    assert_eq!(stamp(), sha256_of(&installation, "tsu-archive-2"));
    let imported = records::of_key(&installation, "certificate-imported", "tsu-archive-2");
    assert_eq!((&imported[0]["before"], &imported[0]["after"]), (&"pending".into(), &"successor".into()));
    assert_eq!(records::of_key(&installation, "certificate-requested", "tsu-archive-2").len(), 1);
    refused(
        &installation,
        &["key", "import-cert", "tsu-archive-2", "--certificate", bundle.to_str().unwrap()],
        "only a pending key takes a certificate",
    );
    Ok(())
}

fn refused_certificates() -> Result<(), Failed> {
    let installation = Installation::software();
    let ca = OpensslCa::new();
    request_certificate(&installation, &ca, "default", "tsu-default-2");
    let chain = [ca.read("intermediate.pem"), ca.read("root.pem")].concat();
    let now_s = jiff::Timestamp::now().as_second();
    let other = ca.issue("other", "/C=DE/O=Example AG/CN=Other", TSU);
    let sign = |extensions: &str| ca.sign("tsu-default-2", extensions) + &chain;
    let rows = [
        (other + &chain, "the certificate is for another key than tsu-default-2"),
        (sign(&TSU.replace("critical,timeStamping", "timeStamping")), "extendedKeyUsage is not critical"),
        (
            sign(&TSU.replace("critical,timeStamping", "critical,timeStamping,codeSigning")),
            "not exactly id-kp-timeStamping",
        ),
        (sign(&TSU.replace("extendedKeyUsage=critical,timeStamping\n", "")), "no extendedKeyUsage"),
        (sign(&TSU.replace("digitalSignature", "digitalSignature,keyCertSign")), "keyUsage has keyCertSign"),
        (sign(&TSU.replace("CA:FALSE", "CA:TRUE")), "basicConstraints says cA"),
        (sign(&format!("{TSU}{}", private_key_usage(now_s - 120, now_s - 60))), "its key's period is"),
        (ca.sign("tsu-default-2", TSU) + &ca.read("intermediate.pem"), "no certificate at hand issued CN=Intermediate"),
        (ca.sign("tsu-default-2", TSU), "no certificate at hand issued CN=Unit tsu-default-2"),
        ("rubbish".to_owned(), "no PEM block with the label \"CERTIFICATE\""),
    ];
    for (pem, reason) in rows {
        let path = ca.write("import.pem", &pem);
        refused(
            &installation,
            &["key", "import-cert", "tsu-default-2", "--certificate", path.to_str().unwrap()],
            reason,
        );
        assert_eq!(records::state(&installation, "tsu-default-2"), "pending", "{reason}");
    }
    refused(&installation, &["key", "import-cert", "tsu-default-2", "--certificate", "/nowhere.pem"], "/nowhere.pem: ");
    assert!(records::events(&installation, "certificate-imported").is_empty());
    refused(&installation, &["key", "generate", "--profile", "nobody"], "add [tsa.nobody] first");
    Ok(())
}

fn mismatch() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.run(&["key", "rotate"]);
    let database = rusqlite::Connection::open(installation.directory().join("noonmark.db")).unwrap();
    let good: Vec<u8> = database
        .query_row("SELECT certificate_sha256 FROM keys WHERE name = 'tsu-default-1'", [], |row| row.get(0))
        .unwrap();
    installation.run(&["key", "destroy", "tsu-default-2", "--yes"]);
    database
        .execute(
            "UPDATE keys SET certificate_sha256 = (SELECT certificate_sha256 FROM keys WHERE name = 'tsu-default-2') \
             WHERE name = 'tsu-default-1'",
            [],
        )
        .unwrap();
    let log = installation.refuses_to_serve();
    assert!(log.contains("the key in the token and its certificate do not belong together"), "{log}");
    assert!(log.contains("tsu-default-1"), "{log}");
    let checked = installation.noonmark(&["check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked).contains("FAILED") && text(&checked).contains("was the token"), "{}", text(&checked));
    let stopped = records::events(&installation, "server-stopped");
    let failure = stopped.last().unwrap()["failure"].as_str().unwrap().to_owned();
    assert!(failure.contains("do not belong together"), "{failure}");

    database.execute("UPDATE keys SET certificate_sha256 = ?1 WHERE name = 'tsu-default-1'", [good]).unwrap();
    let server = installation.serve();
    signer(&server, &root(&installation));
    assert!(records::events(&installation, "ended-without-stopping").is_empty(), "a refused start ends in good order");
    assert!(server.stop());
    // The key is not in the token any more: somebody gave it another one.
    let keys = installation.directory().join("keys/service");
    for entry in std::fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.display().to_string().contains("tsu-default-1") {
            std::fs::remove_file(entry).unwrap();
        }
    }
    let log = installation.refuses_to_serve();
    assert!(log.contains("there is no key") && log.contains("tsu-default-1"), "{log}");
    Ok(())
}

fn period() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.reconfigure(
        "[tsa.default]",
        "[tsa.soon]\npolicies = [\"1.2.3\"]\n[tsa.short]\npolicies = [\"1.2.3\"]\n\n[tsa.default]",
    );
    let ca = OpensslCa::new();
    let now_s = jiff::Timestamp::now().as_second();
    let ends_s = now_s + 15;
    let import = |name: &str, until_s: i64| {
        request_certificate(&installation, &ca, name.trim_start_matches("tsu-").trim_end_matches("-1"), name);
        let unit = ca.sign(name, &format!("{TSU}{}", private_key_usage(now_s - 60, until_s)));
        let bundle = ca.write("bundle.pem", &[unit, ca.read("intermediate.pem"), ca.read("root.pem")].concat());
        installation.run(&["key", "import-cert", name, "--certificate", bundle.to_str().unwrap()]);
    };
    import("tsu-short-1", ends_s);
    import("tsu-soon-1", now_s + 59 * 86_400);
    let server = installation.serve();
    let profile = |name: &str| {
        let report = server.get("/readyz").json();
        let checks = report["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == format!("profile {name}")).unwrap()
    };
    let warned = profile("soon");
    let reason = warned["reason"].as_str().unwrap();
    assert_eq!(warned["state"], "warning");
    assert!(reason.starts_with("key tsu-soon-1 may sign for 58 more days"), "{reason}");
    assert_eq!(profile("default")["state"], "ok");
    let listed: serde_json::Value =
        serde_json::from_slice(&installation.noonmark(&["check", "--json"]).stdout).unwrap();
    let listed = listed.as_array().unwrap().iter().find(|check| check["name"] == "profile soon").unwrap().clone();
    assert_eq!((&listed["state"], &listed["reason"]), (&warned["state"], &warned["reason"]));
    let request = Request::over(b"x").to_der();
    // While it serves: no token once the period is over, and readiness says so.
    wait_until("the period's end", &server, || jiff::Timestamp::now().as_second() > ends_s);
    assert!(matches!(outcome(&server.post("/tsa/short", QUERY, &request).body), Outcome::Refused(_)));
    assert_eq!(profile("short")["state"], "failed");
    assert!(matches!(outcome(&server.stamp(&request).body), Outcome::Granted(_)), "the other profile is not concerned");
    assert!(server.stop());
    // At a start with nothing else to serve: refused, with the period.
    installation.reconfigure("[tsa.soon]\npolicies = [\"1.2.3\"]\n", "");
    installation.reconfigure("[tsa.default]", "[tsa.without]");
    let log = installation.refuses_to_serve();
    let until = jiff::Timestamp::from_second(ends_s).unwrap().to_string();
    assert!(log.contains("its key's period is") && log.contains(&until), "{log}");
    Ok(())
}
