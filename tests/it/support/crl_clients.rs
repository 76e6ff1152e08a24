//! Real clients hold certificates against a published CRL, each by its own means.
//!
//! They get files and fetch nothing, but for [`openssl_download`]. What each can't do is told where it is asked.

use std::path::Path;
use std::process::Output;

use super::clients::{self, Workplace};
use super::server::text;

/// A CRL as it was published, and certificates that it is to tell apart.
#[derive(Clone, Copy)]
pub struct Published<'a> {
    /// The trust anchor, PEM.
    pub root: &'a Path,
    /// Who issued the CRL and the leaves, PEM: the root itself where it did.
    pub issuer: &'a Path,
    /// One complete CRL or one partition, DER.
    pub crl: &'a Path,
    /// A delta over it, DER.
    pub delta: Option<&'a Path>,
    /// Certificates that are not revoked, PEM. NSS wants them fit for a TLS server.
    pub good: &'a [&'a Path],
    /// Certificates that are revoked, PEM; none for an empty CRL.
    pub revoked: &'a [&'a Path],
}

/// What a client says of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Revoked,
    /// The CRL, or the certificate for want of one, is not accepted; and what the client said.
    Refused(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `openssl crl -CAfile`, then `openssl verify -crl_check`.
    Openssl,
    /// GnuTLS: `certtool --verify-crl` and `--crl-info`, then `--verify --load-crl`.
    Certtool,
    BouncyCastle,
    /// The JDK's own path validation.
    Jdk,
    /// NSS: `crlutil -I`, then `certutil -V` and `vfychain`.
    Nss,
    /// pyHanko's pyhanko-certvalidator.
    PyHanko,
}

impl Client {
    pub const ALL: [Self; 6] = [Self::Openssl, Self::Certtool, Self::BouncyCastle, Self::Jdk, Self::Nss, Self::PyHanko];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Openssl => "openssl",
            Self::Certtool => "certtool",
            Self::BouncyCastle => "bouncycastle",
            Self::Jdk => "jdk",
            Self::Nss => "nss",
            Self::PyHanko => "pyhanko",
        }
    }

    /// Whether it is installed.
    pub fn available(self) -> bool {
        match self {
            Self::Openssl => clients::installed(&["openssl"]),
            Self::Certtool => clients::installed(&["certtool", "openssl"]),
            Self::BouncyCastle => clients::bouncycastle().is_some(),
            Self::Jdk => clients::installed(&["java", "javac"]),
            Self::Nss => clients::installed(&["certutil", "crlutil", "vfychain"]),
            Self::PyHanko => clients::has_module("pyhanko_certvalidator"),
        }
    }

    /// Whether it lays a delta over the CRL, as OpenSSL 3.0, BouncyCastle 1.72 and pyhanko-certvalidator 0.33 do.
    ///
    /// certtool 3.7 takes one CRL and holds it for complete, JDK 17 passes deltas over, NSS 3.87 refuses them as it does
    /// any critical extension.
    pub const fn takes_deltas(self) -> bool {
        matches!(self, Self::Openssl | Self::BouncyCastle | Self::PyHanko)
    }

    /// Whether it lays a delta over a complete CRL that names none. OpenSSL 3.0 and pyhanko-certvalidator 0.33 look for a delta
    /// only where freshestCRL stands: without it they pass one over that they were given.
    pub const fn takes_unnamed_deltas(self) -> bool {
        matches!(self, Self::BouncyCastle)
    }

    /// Whether it takes a CRL with an IssuingDistributionPoint. NSS 3.87 knows no critical extension of a CRL.
    pub const fn takes_partitions(self) -> bool {
        !matches!(self, Self::Nss)
    }

    /// How large a CRL it is given: a hundred thousand entries, or a million where `NOONMARK_TEST_MILLION` is set.
    ///
    /// GnuTLS 3.7 takes a time that grows with more than the square of the entries: 1.5 s of CPU for 10,000, 8 s for 20,000,
    /// 45 s for 40,000. A million took, with the leaves' verification and all, 3 to 17 s of the others, and 0.3 (NSS), 0.5
    /// (OpenSSL), 1.2 (pyHanko), 1.4 (JDK) and 2.3 GB (BouncyCastle).
    pub fn many_entries(self) -> u64 {
        match self {
            Self::Certtool => 5_000,
            _ if std::env::var_os("NOONMARK_TEST_MILLION").is_some() => 1_000_000,
            _ => 100_000,
        }
    }

    /// Whether a complete CRL with freshestCRL is enough for it without the delta.
    ///
    /// RFC 5280 §6.3.3 (c) asks for the delta only of those who use deltas; pyhanko-certvalidator 0.33 always does, and never
    /// fetches it by the CRL's freshestCRL, only by the certificate's.
    pub const fn can_do_without_delta(self) -> bool {
        !matches!(self, Self::PyHanko)
    }

    /// It accepts the CRL and tells good from revoked by it.
    pub fn accepts(self, published: &Published<'_>) {
        assert!(!published.good.is_empty(), "a client that refuses everything would pass");
        let leaves = [published.good, published.revoked].concat();
        let wanted =
            (0..leaves.len()).map(|at| if at < published.good.len() { Verdict::Good } else { Verdict::Revoked });
        let said = self.verdicts(published, &leaves);
        assert_eq!(said, wanted.collect::<Vec<_>>(), "{} on {leaves:?}", self.name());
    }

    /// It believes none of the certificates by this CRL. Gives what it said.
    pub fn refuses(self, published: &Published<'_>) -> String {
        let leaves = [published.good, published.revoked].concat();
        let reason = |verdict| match verdict {
            Verdict::Refused(said) => said,
            other => panic!("{} does not refuse: {other:?}", self.name()),
        };
        self.verdicts(published, &leaves).into_iter().map(reason).collect::<Vec<_>>().join("\n")
    }

    /// What it says of each of these certificates.
    pub fn verdicts(self, published: &Published<'_>, leaves: &[&Path]) -> Vec<Verdict> {
        let workplace = Workplace::new();
        let verdicts = match self {
            Self::Openssl => openssl(&workplace, published, leaves),
            Self::Certtool => certtool(&workplace, published, leaves),
            Self::BouncyCastle => {
                let jars = clients::bouncycastle().expect("the trial is ignored without");
                let program = clients::programs().join("bouncycastle/CrlStatus.java");
                let command = format!("java -cp {jars} {} {}", program.display(), published.issuer.display());
                by_program(&workplace, &command, published, leaves)
            }
            Self::Jdk => {
                let program = clients::programs().join("CrlStatus.java");
                let command = format!("java {} {}", program.display(), published.issuer.display());
                by_program(&workplace, &command, published, leaves)
            }
            Self::Nss => nss(&workplace, published, leaves),
            Self::PyHanko => {
                let program = clients::programs().join("crl_status.py");
                let command = format!("{} {}", clients::python().display(), program.display());
                let command = format!("{command} {} {}", published.root.display(), published.issuer.display());
                by_program(&workplace, &command, published, leaves)
            }
        };
        assert_eq!(verdicts.len(), leaves.len(), "{}: {verdicts:?}", self.name());
        verdicts
    }
}

/// `openssl verify -crl_check -crl_download`: it fetches the CRL by the address in the leaf's cRLDistributionPoints.
///
/// OpenSSL 3.0 waits for an address that does not answer without end: the caller's CRL must be there.
pub fn openssl_download(root: &Path, issuer: &Path, leaf: &Path) -> Verdict {
    let workplace = Workplace::new();
    let line = format!("timeout 60 openssl verify -crl_check -crl_download {}", chain(root, issuer, leaf));
    openssl_verdict(&output(&workplace, &line))
}

/// What pkilint finds above a notice, by each profile: `PROFILE: code (SEVERITY)…`. A CRL of end entities' certificates, or of
/// CAs' (`is_arl`).
///
/// pkilint 0.13 takes 0.3 ms and 10 KiB an entry, five minutes and ten gigabytes for a million: it is for small CRLs.
pub fn pkilint(crl: &Path, is_arl: bool) -> Vec<String> {
    let workplace = Workplace::new();
    let kind = if is_arl { "ARL" } else { "CRL" };
    let mut findings = Vec::new();
    for profile in ["PKIX", "BR"] {
        let program = clients::python_program("lint_crl");
        let (python, program, crl) = (clients::python(), program.display(), crl.display());
        let options = format!("-t {kind} -p {profile} -s WARNING --document-format DER");
        let output = output(&workplace, &format!("{} {program} lint {options} {crl}", python.display()));
        let said = text(&output);
        let lines =
            said.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("{profile}: {}", line.trim()));
        let before = findings.len();
        findings.extend(lines);
        // Its status is the number of findings: one that ended otherwise said nothing about the CRL.
        assert_eq!(output.status.success(), findings.len() == before, "{}: {said}", output.status);
    }
    findings
}

fn output(workplace: &Workplace, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    workplace.command(program).args(words).output().unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn all_refused(leaves: &[&Path], said: &str) -> Vec<Verdict> {
    vec![Verdict::Refused(said.to_owned()); leaves.len()]
}

fn chain(root: &Path, issuer: &Path, leaf: &Path) -> String {
    format!("-CAfile {} -untrusted {} {}", root.display(), issuer.display(), leaf.display())
}

fn openssl_verdict(output: &Output) -> Verdict {
    let said = text(output);
    match output.status.success() {
        true => Verdict::Good,
        false if said.contains("certificate revoked") => Verdict::Revoked,
        false => Verdict::Refused(said),
    }
}

fn openssl(workplace: &Workplace, published: &Published<'_>, leaves: &[&Path]) -> Vec<Verdict> {
    let mut lists = String::new();
    for (file, crl) in [Some(published.crl), published.delta].into_iter().flatten().enumerate() {
        // The list's own signature; what it prints of a large CRL is large.
        let (issuer, crl) = (published.issuer.display(), crl.display());
        let shown =
            output(workplace, &format!("openssl crl -inform DER -in {crl} -text -CAfile {issuer} -out {file}.pem"));
        let said = text(&shown);
        if !said.contains("verify OK") {
            return all_refused(leaves, &said);
        }
        lists += &format!(" -CRLfile {file}.pem");
    }
    // With these two it also takes CRLs that are cut by reasons or signed by others: all that it can.
    let deltas = if published.delta.is_some() { "-use_deltas -extended_crl" } else { "" };
    let verify = |leaf: &&Path| {
        let chain = chain(published.root, published.issuer, leaf);
        openssl_verdict(&output(workplace, &format!("openssl verify -crl_check {deltas} {lists} {chain}")))
    };
    leaves.iter().map(verify).collect()
}

/// certtool ends with 0 whether it verifies or not: what it says is the verdict.
fn certtool(workplace: &Workplace, published: &Published<'_>, leaves: &[&Path]) -> Vec<Verdict> {
    assert!(published.delta.is_none(), "certtool 3.7 takes one CRL");
    let [root, issuer, crl] = [published.root, published.issuer, published.crl].map(|path| path.display().to_string());
    // --inder says so of the CA's certificate too.
    workplace.run(&format!("openssl x509 -in {issuer} -outform DER -out issuer.der"));
    let verified = output(
        workplace,
        &format!("certtool --verify-crl --inder --load-ca-certificate issuer.der --infile {crl} --outfile verified"),
    );
    let said = text(&verified) + &std::fs::read_to_string(workplace.path("verified")).unwrap_or_default();
    if !said.contains("Verification output: Verified.") {
        return all_refused(leaves, &said);
    }
    let shown = workplace.run(&format!("certtool --crl-info --inder --infile {crl} --outfile shown.pem"));
    let shown = shown + &std::fs::read_to_string(workplace.path("shown.pem")).unwrap();
    assert!(shown.contains("Authority Key Identifier (not critical)") && shown.contains("CRL Number"), "{shown}");

    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    workplace.write("chain.pem", if root == issuer { read(&root) } else { read(&issuer) + &read(&root) });
    workplace.run(&format!("openssl crl -inform DER -in {crl} -out crl.pem"));
    let verify = |leaf: &&Path| {
        let line = "certtool --verify --load-ca-certificate chain.pem --load-crl crl.pem --infile";
        let said = text(&output(workplace, &format!("{line} {}", leaf.display())));
        match said.lines().find_map(|line| line.strip_prefix("Chain verification output: ")) {
            Some(verdict) if verdict.starts_with("Verified.") => Verdict::Good,
            Some(verdict) if verdict.contains("revoked") => Verdict::Revoked,
            _ => Verdict::Refused(said),
        }
    };
    leaves.iter().map(verify).collect()
}

/// A program of tests/clients that says `good`, `revoked …` or `refused …` of each certificate.
fn by_program(workplace: &Workplace, command: &str, published: &Published<'_>, leaves: &[&Path]) -> Vec<Verdict> {
    let delta = published.delta.map_or_else(String::new, |delta| format!(",{}", delta.display()));
    let names: Vec<String> = leaves.iter().map(|leaf| leaf.display().to_string()).collect();
    let asked = output(workplace, &format!("{command} {}{delta} {}", published.crl.display(), names.join(" ")));
    if !asked.status.success() {
        return all_refused(leaves, &text(&asked));
    }
    let said = String::from_utf8(asked.stdout).unwrap();
    let verdict = |line: &str| match line.split_whitespace().next() {
        Some("good") => Verdict::Good,
        Some("revoked") => Verdict::Revoked,
        _ => Verdict::Refused(line.to_owned()),
    };
    said.lines().map(verdict).collect()
}

fn nss(workplace: &Workplace, published: &Published<'_>, leaves: &[&Path]) -> Vec<Verdict> {
    assert!(published.delta.is_none(), "NSS 3.87 refuses deltas");
    std::fs::create_dir(workplace.path("nss")).unwrap();
    workplace.run("certutil -N -d sql:nss --empty-password");
    let import = |name: &str, trust: &str, path: &Path| {
        workplace.run(&format!("certutil -A -d sql:nss -n {name} -t {trust} -i {}", path.display()));
    };
    import("root", "C,C,C", published.root);
    if published.issuer != published.root {
        import("issuer", ",,", published.issuer);
    }
    // Without -B it verifies the CRL's signature.
    let imported = output(workplace, &format!("crlutil -I -d sql:nss -t 1 -i {}", published.crl.display()));
    if !imported.status.success() {
        return all_refused(leaves, &text(&imported));
    }
    let issuer = published.issuer.display();
    let verify = |(number, leaf): (usize, &&Path)| {
        import(&format!("leaf-{number}"), ",,", leaf);
        // V and 1 are a TLS server. requireInfo: without a CRL the chain would not hold by vfychain.
        let certutil = output(workplace, &format!("certutil -V -d sql:nss -u V -n leaf-{number}"));
        let vfychain = output(
            workplace,
            &format!(
                "vfychain -d sql:nss -u 1 -pp -g leaf -m crl -s requireInfo,forbidFetching -a {} {issuer}",
                leaf.display()
            ),
        );
        let said = text(&certutil) + &text(&vfychain);
        match (certutil.status.success(), vfychain.status.success()) {
            (true, true) => Verdict::Good,
            (false, false) if said.matches("has been revoked").count() >= 2 => Verdict::Revoked,
            _ => Verdict::Refused(said),
        }
    };
    leaves.iter().enumerate().map(verify).collect()
}
