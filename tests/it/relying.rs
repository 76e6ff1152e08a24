//! Relying parties' own programs against the responder: each finds it by the URL in the certificate.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use super::support::agent::{self, Agent};
use super::support::clients::{installed, programs};
use super::support::openssl_ca;
use super::support::server::{Installation, Server, free_port, text};

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    let lacks = |programs: &[&str]| no_openssl || !installed(programs);
    vec![
        Trial::test("relying::nginx_staples_and_curl_believes", nginx_staples_and_curl_believes)
            .with_ignored_flag(lacks(&["nginx", "curl"])),
        Trial::test("relying::nss_vfychain", nss_vfychain).with_ignored_flag(lacks(&["vfychain", "certutil"])),
        Trial::test("relying::jdk_pkix_by_get_and_post", jdk_pkix).with_ignored_flag(lacks(&["java", "javac"])),
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
