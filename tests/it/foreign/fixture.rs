//! Keys, certificates and CRLs by openssl, made once a process: valid from 2020 to 2040, so that no clock matters.
//!
//! A root, an intermediate, signers of every kind of key and timestamping units by that; and `late`, another root whose unit
//! `archivist` outlives them all to 2070.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use noonmark::ca::pem_decode;
use noonmark::verify::blocks::Anchors;
use noonmark::verify::{AnchorRule, Evidence, Origin, TrustAnchor};

use super::super::support::clients::{self, programs, python};
use super::super::support::server::text;
use super::judged::Bench;

/// What is signed and stamped.
pub const CONTENT: &[u8] = b"what other programs sign\n";

/// 2025-06-01: after everything was signed, and before anything ends.
pub const JUDGED_S: i64 = 1_748_736_000;
/// 2050-01-01: all but `late` and `archivist` have ended.
pub const ARCHIVED_S: i64 = 2_524_608_000;

const CONFIGURATION: &str = "[ca]
default_ca=authority
[authority]
dir=.
database=$dir/$ENV::CA.index
crlnumber=$dir/$ENV::CA.crlnumber
new_certs_dir=.
default_md=sha256
policy=any
rand_serial=yes
[any]
commonName=supplied
[req]
distinguished_name=name
prompt=no
[name]
CN=Somebody
[ca_certificate]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[signer_certificate]
keyUsage=critical,digitalSignature,nonRepudiation
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[tsu_certificate]
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[crl]
authorityKeyIdentifier=keyid
[tsa]
serial=$ENV::SERIAL
default_policy=1.2.3.4
digests=sha256,sha384,sha512
ess_cert_id_alg=sha256
signer_digest=sha256
";

/// A key that is made by `openssl genpkey`.
type KeyOptions = &'static [&'static str];

const P256: KeyOptions = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: KeyOptions = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

/// Signers by the intermediate.
const SIGNERS: [(&str, KeyOptions); 8] = [
    ("p256", P256),
    ("p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("rsa", RSA),
    ("brainpool", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"]),
    ("dsa", &["-paramfile", "dsa.parameters"]),
    ("ed25519", &["-algorithm", "ED25519"]),
    ("ed448", &["-algorithm", "ED448"]),
    ("notary", P256),
];

/// The directory in which everything lies, and what is held of it.
pub struct Pki {
    directory: tempfile::TempDir,
    /// Whether each program has made what it makes.
    bouncycastle: OnceLock<()>,
    pyhanko: OnceLock<()>,
}

static PKI: OnceLock<Pki> = OnceLock::new();

/// The one of this process, made when first asked for.
pub fn pki() -> &'static Pki {
    PKI.get_or_init(Pki::new)
}

/// Removes its directory: what is static is never dropped.
pub fn finish() {
    if let Some(pki) = PKI.get() {
        let directory = pki.directory.path();
        std::fs::remove_dir_all(directory).unwrap_or_else(|error| eprintln!("{}: {error}", directory.display()));
    }
}

impl Pki {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pki = Self { directory, bouncycastle: OnceLock::new(), pyhanko: OnceLock::new() };
        pki.write("openssl.cnf", CONFIGURATION);
        pki.write("content", CONTENT);
        let parameters = ["-pkeyopt", "dsa_paramgen_bits:2048", "-pkeyopt", "dsa_paramgen_q_bits:256"];
        pki.openssl(
            &[&["genpkey", "-genparam", "-algorithm", "DSA"], &parameters[..], &["-out", "dsa.parameters"]].concat(),
        );
        pki.issue("root", "root", "ca_certificate", P256, "20400101000000Z");
        pki.issue("late", "late", "ca_certificate", P256, "20700101000000Z");
        pki.issue("intermediate", "root", "ca_certificate", P256, "20400101000000Z");
        for (name, key) in SIGNERS {
            pki.issue(name, "intermediate", "signer_certificate", key, "20400101000000Z");
        }
        for (name, key) in [("tsu", P256), ("tsu-rsa", RSA)] {
            pki.issue(name, "intermediate", "tsu_certificate", key, "20400101000000Z");
        }
        pki.issue("archivist", "late", "tsu_certificate", P256, "20700101000000Z");
        for (issuer, file, from, until) in [
            ("root", "root.crl", "20200102000000Z", "20400101000000Z"),
            ("intermediate", "intermediate.crl", "20200102000000Z", "20400101000000Z"),
            // Of a month after everything was signed: what is known to have been good to then, once all has ended.
            ("root", "root-later.crl", "20250601000000Z", "20700101000000Z"),
            ("intermediate", "intermediate-later.crl", "20250601000000Z", "20400101000000Z"),
            ("late", "late.crl", "20200102000000Z", "20700101000000Z"),
        ] {
            pki.revoke_nothing(issuer, file, from, until);
        }
        pki
    }

    /// A key, and a certificate for it from 2020 on.
    fn issue(&self, name: &str, issuer: &str, extensions: &str, key_options: KeyOptions, until: &str) {
        let [key, request, certificate] = ["key", "csr", "pem"].map(|kind| format!("{name}.{kind}"));
        self.openssl(&[&["genpkey", "-out", &key], key_options].concat());
        if extensions == "ca_certificate" {
            self.write(&format!("{name}.index"), "");
            self.write(&format!("{name}.crlnumber"), "01\n");
        }
        let subject = format!("/CN={name}");
        let words = ["req", "-new", "-config", "openssl.cnf", "-key", &key, "-subj", &subject, "-out", &request];
        self.openssl(&words);
        let (issuer_key, issuer_certificate) = (format!("{issuer}.key"), format!("{issuer}.pem"));
        let mut words = vec!["ca", "-config", "openssl.cnf", "-batch", "-notext", "-startdate", "20200101000000Z"];
        words.extend(["-enddate", until, "-extensions", extensions, "-keyfile", &issuer_key, "-in", &request]);
        words.extend(["-out", &certificate]);
        if name == issuer {
            words.push("-selfsign");
        } else {
            words.extend(["-cert", &issuer_certificate]);
        }
        self.run(Command::new("openssl").args(&words).env("CA", issuer));
    }

    /// A CRL without an entry, in DER.
    fn revoke_nothing(&self, issuer: &str, file: &str, from: &str, until: &str) {
        let (key, certificate, pem) = (format!("{issuer}.key"), format!("{issuer}.pem"), format!("{file}.pem"));
        let mut words = vec!["ca", "-config", "openssl.cnf", "-gencrl", "-crlexts", "crl", "-crl_lastupdate", from];
        words.extend(["-crl_nextupdate", until, "-keyfile", &key, "-cert", &certificate, "-out", &pem]);
        self.run(Command::new("openssl").args(&words).env("CA", issuer));
        self.openssl(&["crl", "-in", &pem, "-outform", "DER", "-out", file]);
    }

    /// Where everything lies.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, octets: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), octets).unwrap();
    }

    /// A certificate in DER.
    pub fn certificate(&self, name: &str) -> Vec<u8> {
        let pem = String::from_utf8(self.read(&format!("{name}.pem"))).unwrap();
        pem_decode("CERTIFICATE", &pem).unwrap().remove(0)
    }

    /// Runs openssl here, which must succeed.
    pub fn openssl(&self, words: &[&str]) {
        self.run(Command::new("openssl").args(words));
    }

    /// Runs openssl at a time when everything is valid; its serial numbers are in a file.
    pub fn openssl_in_2025(&self, words: &[&str], serial: &str) {
        let mut command = Command::new("faketime");
        self.run(command.args(["-f", "@2025-05-01 00:00:00", "openssl"]).args(words).env("SERIAL", serial));
    }

    /// Runs a program here, which must succeed. openssl.cnf names two variables, which are always there.
    fn run(&self, command: &mut Command) {
        let known = |name: &str| command.get_envs().any(|(other, _)| other == name);
        let missing: Vec<&str> = ["CA", "SERIAL"].into_iter().filter(|name| !known(name)).collect();
        command.envs(missing.into_iter().map(|name| (name, "none"))).env("TZ", "UTC");
        let output = command.current_dir(self.directory.path()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", text(&output));
    }

    /// What tests/clients/bouncycastle/SignedMessages.java made.
    pub fn by_bouncycastle(&self, name: &str) -> Vec<u8> {
        self.bouncycastle.get_or_init(|| {
            let jars = clients::bouncycastle().expect("the trial is ignored without");
            let program = programs().join("bouncycastle/SignedMessages.java");
            self.run(Command::new("java").args(["-cp", &jars]).arg(program).arg("."));
        });
        self.read(&format!("bc-{name}"))
    }

    /// What tests/clients/pyhanko_messages.py made.
    pub fn by_pyhanko(&self, name: &str) -> Vec<u8> {
        self.pyhanko.get_or_init(|| {
            self.run(Command::new(python()).arg(programs().join("pyhanko_messages.py")).arg("."));
        });
        self.read(&format!("pyhanko-{name}"))
    }

    /// The default policy in 2025, with the CRLs held: a message brings its certificates itself.
    pub fn bench(&self) -> Bench {
        self.bench_at(JUDGED_S, &["root.crl", "intermediate.crl", "late.crl"])
    }

    /// The same with these certificates held too.
    pub fn bench_with(&self, certificates: &[&str]) -> Bench {
        let mut bench = self.bench();
        for name in certificates {
            bench.held.add_certificate_der(&self.certificate(name), Origin::Held).unwrap();
        }
        bench
    }

    /// Twenty-five years later, when all certificates but the archive timestamp's have ended.
    pub fn bench_of_the_archive(&self) -> Bench {
        self.bench_at(ARCHIVED_S, &["root-later.crl", "intermediate-later.crl", "late.crl"])
    }

    fn bench_at(&self, time_s: i64, crls: &[&str]) -> Bench {
        let anchor = |name: &str| {
            let der = self.certificate(name);
            Arc::new(TrustAnchor::from_certificate_der(&der, AnchorRule::NameAndKey).unwrap())
        };
        let mut held = Evidence::new();
        for crl in crls {
            held.add_crl_der(&self.read(crl), Origin::Held).unwrap();
        }
        Bench::new(time_s, held, Anchors::for_everything(vec![anchor("root"), anchor("late")]))
    }
}
