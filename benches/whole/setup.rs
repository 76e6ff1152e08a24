//! Installations for the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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

pub(crate) fn noonmark() -> Command {
    Command::new(env!("CARGO_BIN_EXE_noonmark"))
}

/// Runs a verb on an installation; it must succeed.
pub(crate) fn run(directory: &Path, arguments: &[&str]) {
    let output = noonmark().args(arguments).arg("--dir").arg(directory).output().expect("noonmark");
    assert!(output.status.success(), "noonmark {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
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
