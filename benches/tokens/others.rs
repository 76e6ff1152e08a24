//! The others: a program around OpenSSL's library, and pyHanko in the tests' Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ROUND_S;
use crate::corpus::Corpus;
use crate::signing::NOW_S;

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/tokens").join(name)
}

/// Runs a program that prints nanoseconds of CPU time a token.
fn nanoseconds(command: &mut Command) -> f64 {
    let output = command.output().expect("a program that was there before");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("nanoseconds")
}

/// `TS_RESP_verify_response` of the system's OpenSSL.
pub(crate) struct OpenSsl {
    program: PathBuf,
}

impl OpenSsl {
    /// Compiles the program; says why where it can't.
    pub(crate) fn compile(directory: &Path) -> Result<Self, String> {
        let program = directory.join("openssl_ts");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-Wall", "-o"]).arg(&program).arg(source("openssl_ts.c")).arg("-lcrypto");
        let output = compiler.output().map_err(|error| format!("no C compiler: cc: {error}"))?;
        if output.status.success() {
            return Ok(Self { program });
        }
        Err(format!("cc fails (libssl-dev has the headers): {}", String::from_utf8_lossy(&output.stderr)))
    }

    pub(crate) fn round(&self, corpus: &Corpus, with_crl: bool) -> f64 {
        let mut command = Command::new(&self.program);
        command.arg(corpus.path("stamps")).arg(corpus.path("root.der"));
        command.args([NOW_S.to_string(), ROUND_S.to_string()]);
        if with_crl {
            command.arg(corpus.path("root.crl"));
        }
        nanoseconds(&mut command)
    }
}

/// pyHanko's `validate_tst_signed_data`.
pub(crate) struct PyHanko {
    python: PathBuf,
}

impl PyHanko {
    /// Looks for the tests' Python; says why it is not there.
    pub(crate) fn find() -> Result<Self, String> {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
        match Command::new(&python).args(["-c", "import pyhanko"]).output() {
            Ok(output) if output.status.success() => Ok(Self { python }),
            _ => Err("it is not in .venv (scripts/venv.sh)".to_owned()),
        }
    }

    pub(crate) fn round(&self, corpus: &Corpus) -> f64 {
        let mut command = Command::new(&self.python);
        command.arg(source("pyhanko_tokens.py")).arg(corpus.path("stamps")).arg(corpus.path("root.der"));
        nanoseconds(command.args([NOW_S.to_string(), ROUND_S.to_string()]))
    }
}
