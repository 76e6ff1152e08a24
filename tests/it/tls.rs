//! TLS with certificates of a CA: the server's, and the clients' that tell callers apart.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::ca::{Certificate, pem_decode};

use super::support::openssl_ca::{self, OpensslCa};
use super::support::records;
use super::support::server::{Installation, Server, text};
use super::support::timestamp::{Request, token};

pub fn trials() -> Vec<Trial> {
    let curl = Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok();
    let lacks = !curl || !openssl_ca::available();
    vec![
        Trial::test("tls::callers_by_their_certificates", callers).with_ignored_flag(lacks),
        Trial::test("tls::noonmark_timestamp_trusts_what_it_is_told", timestamp).with_ignored_flag(lacks),
        Trial::test("tls::what_is_refused", refused).with_ignored_flag(lacks),
        Trial::test("tls::a_renewed_certificate", renewed).with_ignored_flag(lacks),
    ]
}

const CLIENT: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n";
const SERVER: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n\
    subjectAltName=IP:127.0.0.1\n";

/// An installation that serves by TLS, with client certificates of `ca`.
fn installation(ca: &OpensslCa) -> Installation {
    let installation = Installation::software();
    let leaf = ca.issue("server", "/CN=127.0.0.1", SERVER);
    ca.write("chain.pem", &(leaf + &ca.read("intermediate.pem")));
    ca.write("clients.pem", &(ca.read("root.pem") + &ca.read("intermediate.pem")));
    std::fs::set_permissions(ca.path("server.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    installation.configure(&format!(
        "[http.tls]\ncertificate = {:?}\nkey = {:?}\nclient_ca = {:?}\n",
        ca.path("chain.pem"),
        ca.path("server.key"),
        ca.path("clients.pem")
    ));
    installation
}

/// Runs curl against the server with its CA; the answer's body is the output.
fn curl(ca: &OpensslCa, server: &Server, path: &str, arguments: &[&str]) -> Output {
    Command::new("curl")
        .current_dir(ca.path(""))
        .args(["-sS", "--max-time", "20", "--cacert", "root.pem"])
        .args(arguments)
        .arg(format!("https://127.0.0.1:{}{path}", server.port))
        .output()
        .unwrap()
}

fn serve(installation: &Installation, ca: &OpensslCa) -> Server {
    let server = installation.spawn(&[]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !curl(ca, &server, "/readyz", &["-f"]).status.success() {
        assert!(Instant::now() < deadline, "not ready; log:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

fn sha256(pem: &str) -> String {
    hex::encode(Certificate::from_der(&pem_decode("CERTIFICATE", pem).unwrap()[0]).unwrap().sha256())
}

fn callers() -> Result<(), Failed> {
    let (ca, other_ca) = (OpensslCa::new(), OpensslCa::new());
    let known = ca.issue("known", "/CN=Known", CLIENT);
    let unknown = ca.issue("unknown", "/CN=Unknown", CLIENT);
    let stranger = other_ca.issue("stranger", "/CN=Stranger", CLIENT);
    ca.write("stranger.pem", &stranger);
    ca.write("stranger.key", &other_ca.read("stranger.key"));
    for name in ["known", "unknown"] {
        ca.write(&format!("{name}.pem"), &(ca.read(&format!("{name}.pem")) + &ca.read("intermediate.pem")));
    }
    let installation = installation(&ca);
    installation.configure(&format!(
        "[caller.acme]\ncertificate_sha256 = \"{}\"\n[tsa.closed]\npolicies = [\"1.2.3\"]\ncallers = [\"acme\"]\n",
        sha256(&known)
    ));
    installation.run(&["key", "rotate", "--profile", "closed"]);
    let server = serve(&installation, &ca);
    let request = Request::over(b"x").to_der();
    std::fs::write(ca.path("request.tsq"), &request).unwrap();
    let post = |path: &str, client: Option<&str>| {
        let mut arguments = vec![
            "-H".to_owned(),
            "Content-Type: application/timestamp-query".to_owned(),
            "--data-binary".to_owned(),
            "@request.tsq".to_owned(),
        ];
        if let Some(name) = client {
            arguments.extend(["--cert".to_owned(), format!("{name}.pem"), "--key".to_owned(), format!("{name}.key")]);
        }
        curl(&ca, &server, path, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut serials = Vec::new();
    for (client, caller) in [
        (Some("known"), "name:acme".to_owned()),
        (Some("unknown"), format!("certificate:{}", sha256(&unknown))),
        (None, "address:127.0.0.1".to_owned()),
    ] {
        let output = post("/tsa", client);
        assert!(output.status.success(), "{client:?}: {}", text(&output));
        serials.push((token(&output.stdout).serial, caller));
    }
    for (serial, caller) in serials {
        let row = records::store(&installation).token_by_serial(&serial).unwrap().unwrap();
        assert_eq!(&*row.token.unwrap().caller, caller);
    }
    token(&post("/tsa/closed", Some("known")).stdout);
    for client in [Some("unknown"), None] {
        let answer = post("/tsa/closed", client).stdout;
        let problem: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(problem["status"], 401, "{client:?}");
    }
    let handshake = post("/tsa", Some("stranger"));
    assert!(!handshake.status.success() && handshake.stdout.is_empty(), "{}", text(&handshake));
    // Its CA is not known to this server's clients.
    std::fs::write(ca.path("other-root.pem"), other_ca.read("root.pem")).unwrap();
    let distrust = curl(&ca, &server, "/readyz", &["--cacert", "other-root.pem"]);
    assert_eq!(distrust.status.code(), Some(60), "{}", text(&distrust));

    // Plain HTTP on the TLS port ends without an answer, and harms nobody.
    let mut stream = server.connect();
    stream.write_all(b"POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    token(&post("/tsa", None).stdout);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    assert!(server.stop());
    Ok(())
}

fn timestamp() -> Result<(), Failed> {
    let ca = OpensslCa::new();
    let installation = installation(&ca);
    let server = serve(&installation, &ca);
    let file = ca.write("file.txt", "noon");
    let url = format!("https://127.0.0.1:{}/tsa", server.port);
    let stamp = |answer: &str, arguments: &[&str], variables: &[(&str, &str)]| {
        let output = ca.path(answer);
        let root = installation.root();
        installation
            .command(&["timestamp", file.to_str().unwrap(), "--server", &url, "--root", root.to_str().unwrap()])
            .arg("-o")
            .arg(&output)
            .args(arguments)
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    };
    let distrust = stamp("1.tsr", &[], &[]);
    let said = text(&distrust);
    assert_eq!(distrust.status.code(), Some(1), "{said}");
    assert!(said.contains("certificate") && said.contains("--server-ca"), "{said}");
    assert!(!ca.path("1.tsr").exists());
    let root = ca.path("root.pem");
    let root = root.to_str().unwrap();
    let named = stamp("2.tsr", &["--server-ca", root], &[]);
    assert!(named.status.success(), "{}", text(&named));
    let variable = stamp("3.tsr", &[], &[("SSL_CERT_FILE", root)]);
    assert!(variable.status.success(), "the platform's variable is heard: {}", text(&variable));
    let other = OpensslCa::new();
    let wrong = stamp("4.tsr", &["--server-ca", other.path("root.pem").to_str().unwrap()], &[("SSL_CERT_FILE", root)]);
    assert_eq!(wrong.status.code(), Some(1), "the CA that is named replaces the platform's");
    assert!(!ca.path("4.tsr").exists());
    Ok(())
}

fn refused() -> Result<(), Failed> {
    let ca = OpensslCa::new();
    let installation = installation(&ca);
    let refuses = || installation.refuses_to_serve();
    let key = ca.path("server.key");
    for mode in [0o644, 0o640] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let log = refuses();
        assert!(log.contains(&format!("run `chmod 600 {}`", key.display())), "{log}");
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    // A key that is not the certificate's.
    let right = ca.read("server.key");
    ca.key("other");
    std::fs::write(&key, ca.read("other.key")).unwrap();
    let log = refuses();
    assert!(log.contains("[http.tls]"), "{log}");
    std::fs::write(&key, right).unwrap();
    ca.write("clients.pem", "no certificate");
    let log = refuses();
    assert!(log.contains("clients.pem") && log.contains("no certificate"), "{log}");
    Ok(())
}

/// SIGHUP shows a renewed certificate to whoever connects from then on; one that is not in order changes nothing.
fn renewed() -> Result<(), Failed> {
    let ca = OpensslCa::new();
    let installation = installation(&ca);
    let server = serve(&installation, &ca);
    let shown = || {
        let address = format!("127.0.0.1:{}", server.port);
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &address, "-showcerts"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let der = pem_decode("CERTIFICATE", &String::from_utf8_lossy(&output.stdout)).unwrap().remove(0);
        Certificate::from_der(&der).unwrap().sha256()
    };
    let before = shown();
    let leaf = ca.issue("server", "/CN=127.0.0.1", SERVER);
    std::fs::set_permissions(ca.path("server.key"), std::fs::Permissions::from_mode(0o600))?;
    // The key is the new one's, the certificate still the old one's.
    server.signal("-HUP");
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}: {}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until("the reload fails", &|| server.log().contains("the reload failed"));
    assert_eq!(shown(), before, "what was shown before is still shown");
    ca.write("chain.pem", &(leaf + &ca.read("intermediate.pem")));
    server.signal("-HUP");
    until("the renewed one is shown", &|| shown() != before);
    assert!(curl(&ca, &server, "/healthz", &["-f"]).status.success());
    Ok(())
}
