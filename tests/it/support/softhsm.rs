//! A SoftHSM of the test process' own.
//!
//! SoftHSM reads its configuration's path from the environment when it is loaded, and a process can't safely change
//! its environment once it has threads: the test binary starts itself again with `SOFTHSM2_CONF` set to a directory
//! of its own, which the first process removes at the end.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::Failed;

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

/// Set in a process that was started again.
const MARK: &str = "NOONMARK_TEST_SOFTHSM";
/// Names the one trial that a process runs for itself.
const ALONE: &str = "NOONMARK_TEST_ALONE";
/// What the faulty module of `testdata/faulty-module` shall do stands in the file of this name.
pub const FAULTS: &str = "NOONMARK_TEST_FAULTS";

/// The test binary with a SoftHSM and a fault file of its own below `directory`.
fn this_binary(directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(MARK, "1").env("SOFTHSM2_CONF", write_configuration(directory)).env(FAULTS, directory.join("faults"));
    command
}

/// Starts the test binary again with a SoftHSM of its own; None in the process so started.
pub fn enter() -> Option<ExitCode> {
    if std::env::var_os(MARK).is_some() {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let status = this_binary(directory.path()).args(std::env::args_os().skip(1)).status().unwrap();
    Some(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Runs the body of the trial `name` in a process and with a SoftHSM of its own: for trials that would disturb others.
pub fn alone(name: &str, body: fn() -> Result<(), Failed>) -> Result<(), Failed> {
    if std::env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return body();
    }
    let directory = tempfile::tempdir().unwrap();
    let output = this_binary(directory.path()).env(ALONE, name).args([name, "--exact"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    // A name that no trial has would pass with none run.
    if output.status.success() && text.contains("1 passed") {
        return Ok(());
    }
    Err(format!("{}: {text}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// The directory of this process' SoftHSM: `tokens` and the fault file are in it.
pub fn directory() -> PathBuf {
    let configuration = PathBuf::from(std::env::var_os("SOFTHSM2_CONF").unwrap());
    configuration.parent().unwrap().to_owned()
}

/// Whether the faulty module can be compiled here.
pub fn has_compiler() -> bool {
    Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Compiles the faulty module into this process' directory and gives its path. Until [`fault`] says otherwise it does
/// as SoftHSM does.
pub fn faulty_module() -> PathBuf {
    compile_faulty_module(&directory())
}

/// As [`faulty_module`], in another directory: for a server, whose environment names the fault file.
pub fn compile_faulty_module(directory: &Path) -> PathBuf {
    let path = directory.join("faulty.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/faulty-module/faulty.c");
    let output = Command::new("cc")
        .args(["-std=c11", "-D_DEFAULT_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
        .arg(format!("-DSOFTHSM_MODULE=\"{}\"", module().unwrap().display()))
        .arg("-o")
        .args([&path, &source])
        .arg("-ldl")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// How often C_Login of the faulty module was called in this process.
pub fn logins() -> usize {
    let mut path = std::env::var_os(FAULTS).unwrap();
    path.push(".logins");
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Tells the faulty module what to do: see `testdata/faulty-module/faulty.c`.
pub fn fault(command: &str) {
    write_fault(Path::new(&std::env::var_os(FAULTS).unwrap()), command);
}

/// As [`fault`], for the module that reads this file.
pub fn write_fault(path: &Path, command: &str) {
    // Renamed into place, so that the module never reads half a command.
    let new = path.with_extension("new");
    std::fs::write(&new, command).unwrap();
    std::fs::rename(new, path).unwrap();
}
