//! The CA's agent: what it renews, and as a user of its own.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::ca::Certificate;

use super::lifecycle::certificates_in;
use super::support::agent::{self, Agent};
use super::support::clients::installed;
use super::support::postgres::{self, Cluster};
use super::support::server::{Installation, Server, program, text};
use super::support::{ocsp, openssl_ca, records, softhsm};

pub fn trials() -> Vec<Trial> {
    let can_change_user = is_root() && softhsm::module().is_some() && openssl_ca::available();
    vec![
        Trial::test("ca_agent::renews_what_is_due", renews_what_is_due).with_ignored_flag(!installed(&["faketime"])),
        Trial::test("ca_agent::a_directory_of_its_own", a_directory_of_its_own)
            .with_ignored_flag(softhsm::module().is_none() || !openssl_ca::available() || !postgres::available()),
        Trial::test("ca_agent::a_user_of_its_own", a_user_of_its_own).with_ignored_flag(!can_change_user),
    ]
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The certificate of the issuing CA's responder, as the store has it.
fn responder(installation: &Installation) -> Certificate {
    let sha256 = records::key(installation, "ocsp-issuing-1").certificate_sha256.unwrap();
    Certificate::from_der(&records::store(installation).certificate_der(&sha256).unwrap().unwrap()).unwrap()
}

/// An installation made sixty days ago: its responder's certificate, which lives ninety days, is past its half.
fn renews_what_is_due() -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let directory = home.path().join("var");
    let output = Command::new("faketime")
        .args(["-f", "-60d"])
        .arg(program())
        .args(["init", "--clock", "system", "--tier", "software", "--dir"])
        .arg(&directory)
        .output()?;
    assert!(output.status.success(), "{}", text(&output));
    let installation = Installation::found(home);
    let before = responder(&installation);
    let server = installation.serve();
    let tsu = certificates_in(&std::fs::read_to_string(directory.join("certificates/tsu-default-1.pem"))?).remove(0);
    let issuing = certificates_in(&std::fs::read_to_string(directory.join("certificates/issuing.pem"))?).remove(0);
    let request = ocsp::request(&issuing, &[&tsu.serial_number], None);
    let answer = || server.post("/ocsp", "application/ocsp-request", &request).body;
    let carries =
        |certificate: &Certificate| answer().windows(certificate.der().len()).any(|octets| octets == certificate.der());
    assert!(carries(&before), "an answer carries the certificate of the key that signed it");

    let agent = Agent::start(&installation);
    let after = until("the certificate is renewed", Duration::from_secs(20), || {
        Some(responder(&installation)).filter(|after| after.sha256() != before.sha256())
    });
    assert_eq!(after.public_key.spki_der(), before.public_key.spki_der(), "the same key");
    assert_ne!(after.serial_number, before.serial_number);
    assert!(after.not_after_s > before.not_after_s + 50 * 86_400);
    until("the server answers with it", Duration::from_secs(20), || carries(&after).then_some(()));
    let renewed = records::of_key(&installation, "certificate-renewed", "ocsp-issuing-1");
    assert_eq!(renewed.len(), 1);
    assert_eq!((&renewed[0]["who"], &renewed[0]["after"]), (&"ca-agent".into(), &after.serial_hex().into()));
    // What is not due stays: once is enough, and the root's key is not the agent's to use.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(responder(&installation).sha256(), after.sha256());
    assert!(records::of_key(&installation, "certificate-renewed", "ocsp-root-1").is_empty());
    assert!(agent.stop());
    assert!(installation.run(&["audit", "verify"]).contains("whole"));
    Ok(())
}

/// On PostgreSQL the agent joins with the ca token alone; the server's configuration need not know that token.
fn a_directory_of_its_own() -> Result<(), Failed> {
    let cluster = Cluster::start();
    let installation = Installation::new(&["--database", &cluster.url()]);
    let ca = format!("ca=noonmark-ca:{}", installation.directory().join("secrets/ca.pin").display());
    let softhsm = installation.directory().join("softhsm2.conf").display().to_string();
    let words = ["--join", "--database", &cluster.url(), "--use-token", &ca];
    let agents = Installation::with_environment(&words, &[("SOFTHSM2_CONF", &softhsm)]);
    let configured = std::fs::read_to_string(agents.directory().join("noonmark.toml"))?;
    assert!(configured.contains("[token.ca]") && !configured.contains("[token.service]"), "{configured}");
    let _server = installation.serve();
    let _agent = Agent::start(&agents);
    let pem = agent::issue(&installation, "alice", "document-signer", "/C=DE/CN=Alice", &[]);
    assert!(std::fs::read_to_string(pem)?.contains("BEGIN CERTIFICATE"));
    // And no server comes out of it.
    let said = agents.refuses_to_serve();
    assert!(said.contains("there is nothing to serve"), "{said}");
    Ok(())
}

/// Numbers that nobody has: no user need be made.
const SERVER: u32 = 61_610;
const AGENT: u32 = 61_611;
const GROUP: u32 = 61_610;
/// A copy of the program, beside the installation.
const PROGRAM: &str = "noonmark";

/// A command run by another user in the group, with umask 007 as the units have it.
fn run_as(user: u32, installation: &Installation, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let program = installation.directory().with_file_name(PROGRAM);
    command.args(["-c", "umask 007; exec \"$0\" \"$@\""]).arg(program).args(arguments);
    command.arg("--dir").arg(installation.directory()).current_dir("/").stdin(Stdio::null());
    command.uid(user).gid(GROUP);
    command
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// deploy/separate-agent.sh does what it says, and both work on.
fn a_user_of_its_own() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let directory = installation.directory();
    let home = directory.parent().unwrap();
    std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o755))?;
    // The program may stand in a directory that these users can't enter.
    std::fs::copy(program(), home.join(PROGRAM))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/separate-agent.sh");
    let (server, agent, group) = (SERVER.to_string(), AGENT.to_string(), GROUP.to_string());
    let output = Command::new("sh").arg(script).arg(directory).args([&server, &agent, &group]).output()?;
    assert!(output.status.success(), "{}", text(&output));

    let reads = |user: u32, file: &str| {
        let mut command = Command::new("cat");
        command.arg(directory.join(file)).uid(user).gid(GROUP).current_dir("/");
        command.output().unwrap().status.success()
    };
    let token = |role: &str| {
        let entries = std::fs::read_dir(directory.join("tokens")).unwrap().flatten();
        let label = format!("noonmark-{role}");
        let is_it = |object: &Path| {
            std::fs::read(object).is_ok_and(|octets| octets.windows(label.len()).any(|part| part == label.as_bytes()))
        };
        let object = entries.map(|entry| entry.path().join("token.object")).find(|object| is_it(object)).unwrap();
        object.strip_prefix(directory).unwrap().display().to_string()
    };
    for (role, user, others) in [("service", SERVER, [AGENT, 0]), ("ca", AGENT, [SERVER, 0])] {
        for file in [format!("secrets/{role}.pin"), token(role)] {
            assert!(reads(user, &file), "{file} is {user}'s");
            assert!(!reads(others[0], &file), "{file} is not {}'s", others[0]);
        }
    }
    for file in ["secrets/root.pin".to_owned(), token("root")] {
        assert!(!reads(SERVER, &file) && !reads(AGENT, &file), "{file} is root's");
    }

    // Neither writes what tells the other what to do, nor puts another in its place.
    for user in [SERVER, AGENT] {
        for words in [
            "echo x >> noonmark.toml",
            "mv noonmark.toml mine.toml",
            "echo x > profiles/tsu.toml",
            "mv profiles mine",
            "echo x >> softhsm2.conf",
        ] {
            let mut command = Command::new("sh");
            command.args(["-c", words]).current_dir(directory).uid(user).gid(GROUP).stderr(Stdio::null());
            assert!(!command.status()?.success(), "{user} may {words}");
        }
    }
    let mut command = Command::new("sh");
    command.args(["-c", "mkdir -p cache/crls"]).current_dir(directory).uid(SERVER).gid(GROUP);
    assert!(command.status()?.success(), "the server keeps large CRLs there");
    let server = Server::spawn(&mut run_as(SERVER, &installation, &["serve"]), directory, &[]);
    server.wait_until_ready(Duration::from_secs(20));
    let mut command = run_as(AGENT, &installation, &["ca-agent"]);
    let agent = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let csr = agent::signing_request(&installation, "alice", "/C=DE/CN=Alice", &[]);
    chown(&csr, Some(SERVER), Some(GROUP))?;
    let words = ["cert", "issue", "issuing", "document-signer", csr.to_str().unwrap()];
    let output = run_as(SERVER, &installation, &words).output()?;
    assert!(output.status.success() && text(&output).contains("BEGIN CERTIFICATE"), "{}", text(&output));
    drop(agent);
    assert!(server.stop());
    let verified = run_as(SERVER, &installation, &["audit", "verify"]).output()?;
    assert!(text(&verified).contains("whole"), "{}", text(&verified));
    Ok(())
}
