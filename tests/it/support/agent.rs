//! `noonmark ca-agent` on an installation, and certificates that it issues.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::openssl_ca;
use super::server::Installation;

/// A running agent; ended with the value.
pub struct Agent(Child);

impl Agent {
    pub fn start(installation: &Installation) -> Self {
        Self(installation.command(&["ca-agent"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Asks it to end, and tells whether it did so in order.
    pub fn stop(mut self) -> bool {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        asked.success() && self.0.wait().unwrap().success()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A key and a signing request in the installation's directory, `NAME.key` and `NAME.csr`, made by openssl.
pub fn signing_request(installation: &Installation, name: &str, subject: &str, more: &[&str]) -> PathBuf {
    let (key, csr) = (format!("{name}.key"), format!("{name}.csr"));
    let usual = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch"];
    let files = ["-keyout", &key, "-out", &csr, "-subj", subject];
    openssl_ca::openssl(installation.directory(), &[&usual[..], &files, more].concat());
    installation.directory().join(csr)
}

/// Has a certificate issued for a new key and gives its file, `NAME.pem`; an agent must be running.
pub fn issue(installation: &Installation, name: &str, profile: &str, subject: &str, more: &[&str]) -> PathBuf {
    let csr = signing_request(installation, name, subject, &[]);
    let pem = installation.directory().join(format!("{name}.pem"));
    let words = ["cert", "issue", "issuing", profile, csr.to_str().unwrap(), "-o", pem.to_str().unwrap()];
    installation.run(&[&words[..], more].concat());
    pem
}
