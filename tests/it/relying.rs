//! Relying parties' own programs against the responder: each finds it by the URL in the certificate.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use super::support::agent::{self, Agent};
use super::support::clients::{self, has_module, installed, programs, python, python_program};
use super::support::openssl_ca;
use super::support::records;
use super::support::server::{Installation, Server, free_port, text};

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    let lacks = |programs: &[&str]| no_openssl || !installed(programs);
    vec![
        Trial::test("relying::nginx_staples_and_curl_believes", nginx_staples_and_curl_believes)
            .with_ignored_flag(lacks(&["nginx", "curl"])),
        Trial::test("relying::nss_vfychain", nss_vfychain).with_ignored_flag(lacks(&["vfychain", "certutil"])),
        Trial::test("relying::jdk_pkix_by_get_and_post", jdk_pkix).with_ignored_flag(lacks(&["java", "javac"])),
        Trial::test("relying::pyhanko_embeds_the_answers", pyhanko_embeds)
            .with_ignored_flag(no_openssl || !has_module("pyhanko")),
        Trial::test("relying::pkilint_finds_nothing", pkilint_finds_nothing)
            .with_ignored_flag(no_openssl || !has_module("pkilint")),
    ]
}

/// A server on the port that stands in its certificates, and a TLS server's certificate `web.pem` with its key.
struct House {
    _agent: Agent,
    server: Server,
    installation: Installation,
    serial: String,
}

const ROOT: &str = "certificates/root.pem";
const ISSUING: &str = "certificates/issuing.pem";

impl House {
    fn new() -> Self {
        let port = free_port();
        let installation = Installation::new(&["--public-url", &format!("http://127.0.0.1:{port}")]);
        let server = installation.serve_on(port);
        let agent = Agent::start(&installation);
        agent::issue(&installation, "web", "tls-server", "/", &["--name", "dns:web.example.com"]);
        let directory = installation.directory();
        let read = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap();
        std::fs::write(directory.join("chain.pem"), read(ISSUING) + &read(ROOT)).unwrap();
        openssl_ca::openssl(directory, &["x509", "-in", "web.pem", "-out", "leaf.pem"]);
        let serial = openssl_ca::openssl(directory, &["x509", "-in", "web.pem", "-noout", "-serial"]);
        let serial = serial.trim().trim_start_matches("serial=").to_owned();
        Self { _agent: agent, server, installation, serial }
    }

    fn directory(&self) -> &Path {
        self.installation.directory()
    }

    /// From now on, for every client that asks anew.
    fn revoke(&self) {
        self.installation.run(&["cert", "revoke", "issuing", &self.serial, "--reason", "superseded"]);
        std::thread::sleep(Duration::from_secs(1));
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.arg("60").arg(program).args(arguments).current_dir(self.directory()).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// How many answers the server gave so far, errors not counted.
    fn answers(&self) -> f64 {
        let text = self.server.get("/metrics").text();
        let lines = text.lines().filter(|line| line.starts_with("noonmark_ocsp_answers_total"));
        let good = lines.filter(|line| ["memory", "stored", "signed"].iter().any(|outcome| line.contains(outcome)));
        good.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

/// nginx, killed when dropped.
struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    fn start(house: &House, name: &str) -> Self {
        let port = free_port();
        let home = house.directory().join(name);
        std::fs::create_dir(&home).unwrap();
        let directory = house.directory().display();
        let home = home.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|what| format!("{what}_temp_path {home}/{what};\n"))
            .collect();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {home}/pid;\nerror_log {home}/error.log info;\n\
             events {{ worker_connections 64; }}\n\
             http {{\naccess_log off;\n{temporary}\
             server {{\nlisten 127.0.0.1:{port} ssl;\n\
             ssl_certificate {directory}/web.pem;\nssl_certificate_key {directory}/web.key;\n\
             ssl_stapling on;\nssl_stapling_verify on;\nssl_trusted_certificate {directory}/chain.pem;\n\
             location / {{ return 200 'served'; }}\n}}\n}}\n"
        );
        std::fs::write(format!("{home}/nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx")
            .args(["-p", &format!("{home}"), "-c", &format!("{home}/nginx.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, port }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The first handshake comes without a staple: nginx fetches one meanwhile, and verifies it.
fn nginx_staples_and_curl_believes() -> Result<(), Failed> {
    let house = House::new();
    let curl = |nginx: &Nginx| {
        let port = nginx.port;
        let (resolve, url) = (format!("web.example.com:{port}:127.0.0.1"), format!("https://web.example.com:{port}/"));
        house.run("curl", &["-sS", "--cert-status", "--cacert", ROOT, "--resolve", &resolve, &url])
    };
    let nginx = Nginx::start(&house, "nginx-1");
    let began = Instant::now();
    loop {
        let output = curl(&nginx);
        if output.status.success() {
            assert_eq!(output.stdout, b"served");
            break;
        }
        let said = text(&output);
        let may_pass = said.contains("No OCSP response received") || said.contains("Failed to connect");
        assert!(may_pass && began.elapsed() < Duration::from_secs(10), "{said}");
        std::thread::sleep(Duration::from_millis(100));
    }
    house.revoke();
    // A server that begins anew asks anew, and staples nothing that says revoked.
    let nginx = Nginx::start(&house, "nginx-2");
    let before = house.answers();
    let began = Instant::now();
    while house.answers() <= before {
        assert!(!curl(&nginx).status.success());
        assert!(began.elapsed() < Duration::from_secs(10), "it does not ask");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_millis(500));
    let output = curl(&nginx);
    assert!(!output.status.success(), "a revoked certificate is believed");
    Ok(())
}

fn nss_vfychain() -> Result<(), Failed> {
    let house = House::new();
    std::fs::create_dir(house.directory().join("nss"))?;
    for words in [
        &["-N", "-d", "sql:nss", "--empty-password"][..],
        &["-A", "-n", "root", "-t", "C,C,C", "-i", ROOT, "-d", "sql:nss"],
    ] {
        let output = house.run("certutil", words);
        assert!(output.status.success(), "{}", text(&output));
    }
    // Usage 1 is a TLS server; requireInfo: without an answer the chain does not hold.
    let verify = || {
        let words = ["-d", "sql:nss", "-u", "1", "-pp", "-g", "leaf", "-m", "ocsp", "-s", "requireInfo", "-a"];
        house.run("vfychain", &[&words[..], &["leaf.pem", ISSUING]].concat())
    };
    let before = house.answers();
    let output = verify();
    assert!(output.status.success() && text(&output).contains("Chain is good"), "{}", text(&output));
    assert!(house.answers() > before, "it asked");
    house.revoke();
    let output = verify();
    assert!(!output.status.success() && text(&output).contains("has been revoked"), "{}", text(&output));
    Ok(())
}

fn jdk_pkix() -> Result<(), Failed> {
    let house = House::new();
    let program = programs().join("PkixStatus.java");
    let ask = |get: bool| {
        let property = format!("-Dcom.sun.security.ocsp.useget={get}");
        let words = [property.as_str(), program.to_str().unwrap(), "leaf.pem", ISSUING, ROOT];
        text(&house.run("java", &words)).trim().to_owned()
    };
    for get in [true, false] {
        let before = house.answers();
        assert_eq!(ask(get), "good", "by GET: {get}");
        assert!(house.answers() - before >= 2.0, "it asked about both");
    }
    house.revoke();
    for get in [true, false] {
        assert_eq!(ask(get), "revoked SUPERSEDED", "by GET: {get}");
    }
    Ok(())
}

/// Embeds the answers in a PDF, validates the PDF without asking anybody, and does not sign with a revoked certificate.
fn pyhanko_embeds() -> Result<(), Failed> {
    let port = free_port();
    let installation = Installation::new(&["--public-url", &format!("http://127.0.0.1:{port}")]);
    let server = installation.serve_on(port);
    let _agent = Agent::start(&installation);
    agent::issue(&installation, "alice", "document-signer", "/C=DE/CN=Alice", &[]);
    let directory = installation.directory();
    openssl_ca::openssl(directory, &["x509", "-in", "alice.pem", "-out", "leaf.pem"]);
    let sign = || {
        let mut command = Command::new(python());
        command.arg(programs().join("pyhanko_status.py")).arg(format!("{}/tsa", server.url()));
        command.args(["alice.key", "leaf.pem", ISSUING, ROOT, "signed.pdf"]).current_dir(directory);
        for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy).env_remove(proxy.to_ascii_uppercase());
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        (output.status.success(), text(&output))
    };
    let (well, said) = sign();
    assert!(well && said.contains("answers embedded"), "{said}");
    let serial = openssl_ca::openssl(directory, &["x509", "-in", "leaf.pem", "-noout", "-serial"]);
    let serial = serial.trim().trim_start_matches("serial=");
    installation.run(&["cert", "revoke", "issuing", serial, "--reason", "superseded"]);
    std::thread::sleep(Duration::from_secs(1));
    let (well, said) = sign();
    assert!(!well && said.contains("revoked"), "{said}");
    Ok(())
}

/// pkilint's findings above a notice, on every kind of certificate that is issued and every kind of answer that is given.
fn pkilint_finds_nothing() -> Result<(), Failed> {
    let installation = Installation::new(&clients::IDENTITY);
    let server = installation.serve();
    let _agent = Agent::start(&installation);
    let directory = installation.directory();
    let lint = |program: &str, file: &str| {
        let mut command = Command::new(python());
        command.arg(python_program(program)).args(["lint", "-s", "WARNING", file]).current_dir(directory);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = text(&output);
        assert!(output.status.success() && said.trim().is_empty(), "{program} {file}: {said}");
    };
    for (name, profile, subject, more) in [
        ("alice", "document-signer", "/C=DE/CN=Alice", &["--name", "email:alice@example.com"][..]),
        ("web", "tls-server", "/", &["--name", "dns:web.example.com"]),
        ("unit", "tsu", "/C=DE/O=Example AG/CN=Unit", &[]),
        ("responder", "ocsp-responder", "/C=DE/O=Example AG/CN=Responder", &[]),
    ] {
        agent::issue(&installation, name, profile, subject, more);
        openssl_ca::openssl(directory, &["x509", "-in", &format!("{name}.pem"), "-out", &format!("{name}-leaf.pem")]);
        lint("lint_pkix_cert", &format!("{name}-leaf.pem"));
    }
    let words = ["issuer", "create", "documents", "--common-name", "Example Documents CA", "--algorithm", "p384"];
    installation.run(&words);
    installation.run(&["issuer", "responder", "documents"]);
    let mut linted = 0;
    for entry in std::fs::read_dir(directory.join("certificates"))?.flatten() {
        lint("lint_pkix_cert", &format!("certificates/{}", entry.file_name().to_str().unwrap()));
        linted += 1;
    }
    assert!(linted >= 6, "init's five, and the further issuer's: {linted}");
    let responder = records::key(&installation, "ocsp-documents-1").certificate_sha256.unwrap();
    let der = records::store(&installation).certificate_der(&responder)?.unwrap();
    std::fs::write(directory.join("responder.der"), der)?;
    openssl_ca::openssl(directory, &["x509", "-inform", "DER", "-in", "responder.der", "-out", "responder.pem"]);
    lint("lint_pkix_cert", "responder.pem");

    // Good, held, revoked with a reason, revoked without, unknown; with and without a nonce, by either hash.
    let serial = |name: &str| {
        let file = format!("{name}-leaf.pem");
        let told = openssl_ca::openssl(directory, &["x509", "-in", &file, "-noout", "-serial"]);
        format!("0x{}", told.trim().trim_start_matches("serial="))
    };
    installation.run(&["cert", "hold", "issuing", &serial("alice")[2..]]);
    installation.run(&["cert", "revoke", "issuing", &serial("web")[2..]]);
    installation.run(&["cert", "revoke", "issuing", &serial("responder")[2..], "--reason", "keyCompromise"]);
    std::thread::sleep(Duration::from_secs(1));
    let url = format!("{}/ocsp", server.url());
    let mut answers = 0;
    for serial in [serial("unit"), serial("alice"), serial("web"), serial("responder"), "0x4711".to_owned()] {
        for more in [&["-no_nonce"][..], &[], &["-sha256"]] {
            // -noverify: what is linted is the form alone, other trials verify.
            let words = ["ocsp", "-issuer", ISSUING];
            let rest = ["-serial", &serial, "-url", &url, "-respout", "answer.der", "-noverify"];
            openssl_ca::openssl(directory, &[&words[..], more, &rest].concat());
            lint("lint_ocsp_response", "answer.der");
            answers += 1;
        }
    }
    assert_eq!(answers, 15);
    Ok(())
}
