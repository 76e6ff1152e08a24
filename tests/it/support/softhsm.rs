//! A SoftHSM of the test process' own.
//!
//! SoftHSM reads its configuration's path from the environment when it is loaded, and a process can't safely change
//! its environment once it has threads: the test binary starts itself again with `SOFTHSM2_CONF` set to a directory
//! of its own, which the first process removes at the end.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Where Debian and others put the module.
const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

/// The SoftHSM module, if it is installed.
pub fn module() -> Option<&'static Path> {
    MODULES.into_iter().map(Path::new).find(|path| path.exists())
}

/// Writes a softhsm2.conf with an empty token directory below `directory` and gives its path.
pub fn write_configuration(directory: &Path) -> PathBuf {
    let tokens = directory.join("tokens");
    std::fs::create_dir_all(&tokens).unwrap();
    let path = directory.join("softhsm2.conf");
    std::fs::write(
        &path,
        format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display()),
    )
    .unwrap();
    path
}

/// Starts the test binary again with a SoftHSM of its own; None in the process so started.
pub fn enter() -> Option<ExitCode> {
    const MARK: &str = "NOONMARK_TEST_SOFTHSM";
    if std::env::var_os(MARK).is_some() {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let configuration = write_configuration(directory.path());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(std::env::args_os().skip(1))
        .env(MARK, "1")
        .env("SOFTHSM2_CONF", configuration)
        .status()
        .unwrap();
    Some(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
