//! gpgsm, in a home of its own: it signs messages, and writes them in BER.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use noonmark::verify::signature::Digest;

use super::clients::installed;

/// Whether it is installed, with what it needs.
pub fn available() -> bool {
    installed(&["openssl", "gpgsm", "gpg-agent", "gpgconf"])
}

/// Signs a file, attached and detached, by `NAME.pem` and `NAME.key` in a directory, whose subject is CN=NAME; `chain` is a PEM
/// file of the certificates above it, the last of which is `root`.
pub fn sign(directory: &Path, name: &str, chain: &str, root: &[u8], file: &str) -> Result<[Vec<u8>; 2], Failed> {
    let home = directory.join("gnupg");
    std::fs::create_dir(&home)?;
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700))?;
    std::fs::write(home.join("gpg-agent.conf"), "allow-loopback-pinentry\n")?;
    let fingerprint = Digest::Sha1.of(root).ok_or("SHA-1")?;
    std::fs::write(home.join("trustlist.txt"), format!("{} S relax\n", hex::encode_upper(fingerprint)))?;
    let (certificate, key, bundle) = (format!("{name}.pem"), format!("{name}.key"), format!("{name}.p12"));
    // What gpgsm 2.2 reads of PKCS #12.
    let output = Command::new("openssl")
        .args(["pkcs12", "-export", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"])
        .args(["-passout", "pass:x", "-in", &certificate, "-inkey", &key, "-certfile", chain, "-out", &bundle])
        .current_dir(directory)
        .output()?;
    if !output.status.success() {
        return Err(format!("openssl pkcs12: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let run = |words: &[&str]| -> Result<(), Failed> {
        let mut child = Command::new("gpgsm")
            .args(["--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--disable-crl-checks"])
            .args(words)
            .env("GNUPGHOME", &home)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().ok_or("stdin")?.write_all(b"x\n")?;
        let output = child.wait_with_output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("gpgsm {words:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    };
    let user = format!("/CN={name}");
    let made = run(&["--import", &bundle])
        .and_then(|()| run(&["-u", &user, "--sign", "-o", "attached", file]))
        .and_then(|()| run(&["-u", &user, "--detach-sign", "-o", "detached", file]));
    // The agent that gpgsm started for this directory.
    let ended = Command::new("gpgconf").args(["--kill", "gpg-agent"]).env("GNUPGHOME", &home).status();
    made?;
    if !ended.is_ok_and(|status| status.success()) {
        return Err("gpg-agent did not end".into());
    }
    Ok([std::fs::read(directory.join("attached"))?, std::fs::read(directory.join("detached"))?])
}
