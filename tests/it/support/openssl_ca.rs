//! A CA of somebody else's, made by openssl: a root and an intermediate.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Root and intermediate in a temporary directory.
pub struct OpensslCa {
    directory: tempfile::TempDir,
}

/// What a TSU's certificate must say, and where its CA says more.
pub const TSU: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
    extendedKeyUsage=critical,timeStamping\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n\
    certificatePolicies=1.2.3.4\nauthorityInfoAccess=OCSP;URI:http://ocsp.example.org\n\
    crlDistributionPoints=URI:http://crl.example.org/ca.crl\n";

/// Whether openssl is installed.
pub fn available() -> bool {
    Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success())
}

/// Runs openssl, which must succeed, and gives its standard output.
pub fn openssl(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").current_dir(directory).args(arguments).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A privateKeyUsagePeriod for openssl's extension file; seconds since 1970.
pub fn private_key_usage(from_s: i64, until_s: i64) -> String {
    let time = |at_s: i64| {
        let text = jiff::Timestamp::from_second(at_s).unwrap().to_string();
        hex::encode(text.replace(['-', ':', 'T'], ""))
    };
    format!("2.5.29.16=DER:3022800f{}810f{}\n", time(from_s), time(until_s))
}

impl OpensslCa {
    pub fn new() -> Self {
        let ca = Self { directory: tempfile::tempdir().unwrap() };
        let authority =
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
        ca.key("root");
        ca.write("root.ext", authority);
        ca.openssl(&["req", "-new", "-key", "root.key", "-subj", "/C=DE/O=Elsewhere/CN=Root", "-out", "root.csr"]);
        ca.openssl(&[
            "x509", "-req", "-in", "root.csr", "-signkey", "root.key", "-days", "3650", "-extfile", "root.ext", "-out",
            "root.pem",
        ]);
        ca.key("intermediate");
        ca.write("intermediate.ext", &format!("{authority}authorityKeyIdentifier=keyid\n"));
        let subject = "/C=DE/O=Elsewhere/CN=Intermediate";
        ca.openssl(&["req", "-new", "-key", "intermediate.key", "-subj", subject, "-out", "intermediate.csr"]);
        ca.openssl(&[
            "x509",
            "-req",
            "-in",
            "intermediate.csr",
            "-CA",
            "root.pem",
            "-CAkey",
            "root.key",
            "-CAcreateserial",
            "-days",
            "3000",
            "-extfile",
            "intermediate.ext",
            "-out",
            "intermediate.pem",
        ]);
        ca
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    pub fn openssl(&self, arguments: &[&str]) -> String {
        openssl(self.directory.path(), arguments)
    }

    /// Makes a P-256 key `name.key`.
    pub fn key(&self, name: &str) {
        let file = format!("{name}.key");
        self.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &file]);
    }

    /// Signs `name.csr` by the intermediate with these extensions; gives the certificate `name.pem`.
    pub fn sign(&self, name: &str, extensions: &str) -> String {
        let (request, extension_file, certificate) =
            (format!("{name}.csr"), format!("{name}.ext"), format!("{name}.pem"));
        self.write(&extension_file, extensions);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "intermediate.pem",
            "-CAkey",
            "intermediate.key",
            "-CAcreateserial",
            "-days",
            "365",
            "-extfile",
            &extension_file,
            "-out",
            &certificate,
        ]);
        self.read(&certificate)
    }

    /// Makes a key and a certificate for it, by the intermediate.
    pub fn issue(&self, name: &str, subject: &str, extensions: &str) -> String {
        self.key(name);
        let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
        self.openssl(&["req", "-new", "-key", &key, "-subj", subject, "-out", &request]);
        self.sign(name, extensions)
    }
}
