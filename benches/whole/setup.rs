//! Installations and servers for the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const HOME: &str = "NOONMARK_BENCH_HOME";

/// Starts the benchmark again with a home of its own and SoftHSM's configuration in the environment.
pub(crate) fn enter() -> Option<ExitCode> {
    if std::env::var_os(HOME).is_some() {
        return None;
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let status = Command::new(std::env::current_exe().expect("this program"))
        .env(HOME, home.path())
        .env("SOFTHSM2_CONF", home.path().join("p256/softhsm2.conf"))
        .status()
        .expect("the benchmark");
    Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) fn home() -> PathBuf {
    PathBuf::from(std::env::var_os(HOME).expect("set by enter()"))
}

fn noonmark() -> Command {
    Command::new(env!("CARGO_BIN_EXE_noonmark"))
}

/// Makes an installation; `arguments` go to `noonmark init`.
pub(crate) fn init(name: &str, arguments: &[&str]) -> PathBuf {
    let directory = home().join(name);
    let output = noonmark()
        .args(["init", "--clock", "system", "--dir"])
        .arg(&directory)
        .args(arguments)
        .output()
        .expect("noonmark init");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    directory
}

/// A running `noonmark serve` as shipped but for its port.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(directory: &Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let log = std::fs::File::create(directory.join("serve.log")).expect("a log");
        let child = noonmark()
            .arg("serve")
            .arg("--dir")
            .arg(directory)
            .env("NOONMARK_HTTP__LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("noonmark serve");
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/tsa", self.port)
    }

    /// Tokens granted since the start, by the server's own count.
    pub(crate) fn granted(&self) -> u64 {
        let output = Command::new("curl").args(["-s", &format!("http://127.0.0.1:{}/metrics", self.port)]).output();
        let text = String::from_utf8(output.expect("curl").stdout).expect("text");
        text.lines()
            .find(|line| line.starts_with("noonmark_timestamps_total") && line.contains("granted"))
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}
