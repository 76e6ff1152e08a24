//! Signed messages and timestamp tokens of others: the corpus' tokens by its manifest, and what `openssl cms`,
//! `openssl ts`, gpgsm, osslsigncode and BouncyCastle make; each altered in every part, and never passed.
//!
//! The corpus lies outside the repository: NOONMARK_CORPUS, or shared/corpus beside the checkout. Without it, or without
//! openssl, the trials are shown as ignored.

mod documents;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use noonmark::ca::pem_decode;
use noonmark::verify::cms::{CmsFinding, Content, CounterSignatureVerification, SignedData, SignerFault, normalise};
use noonmark::verify::signature::{AnyAlgorithm, Digest, SignatureAlgorithm};
use noonmark::verify::{
    AnchorRule, ChainTime, Costs, Evidence, Origin, Settings, Stamped, TimestampFault, TimestampFinding,
    TimestampJudgement, TimestampToken, TrustAnchor, judge_certificate, judge_timestamp, token_in_response,
};
use serde_json::Value;

use super::support::{clients, gpgsm};

/// What is made by openssl, and held against what must come of it.
type Run = fn(&Made) -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let mut trials = corpus_trials();
    let no_openssl = !available("openssl", "version");
    let made: [(&str, Run); 12] = [
        ("attached", |made| made.message(&["-nodetach", "-signer", "p256.pem", "-inkey", "p256.key"], None)),
        ("detached", |made| made.message(&["-signer", "p256.pem", "-inkey", "p256.key"], Some(CONTENT))),
        ("streamed_in_ber", |made| {
            made.message(&["-stream", "-nodetach", "-signer", "p256.pem", "-inkey", "p256.key"], None)
        }),
        ("rsa", |made| made.message(&["-nodetach", "-signer", "rsa.pem", "-inkey", "rsa.key"], None)),
        ("pss", |made| {
            let pss = ["-nodetach", "-signer", "rsa.pem", "-inkey", "rsa.key", "-keyopt", "rsa_padding_mode:pss"];
            made.message(&pss, None)
        }),
        ("several_signers_in_cades", |made| {
            let two =
                ["-cades", "-signer", "p256.pem", "-inkey", "p256.key", "-signer", "rsa.pem", "-inkey", "rsa.key"];
            made.message(&two, Some(CONTENT))
        }),
        ("by_key_identifier", |made| {
            made.message(&["-keyid", "-signer", "rsa.pem", "-inkey", "rsa.key"], Some(CONTENT))
        }),
        ("without_attributes", |made| {
            made.message(&["-noattr", "-nodetach", "-signer", "p256.pem", "-inkey", "p256.key"], None)
        }),
        ("brainpool_with_sha512", |made| {
            made.message(&["-md", "sha512", "-signer", "brainpool.pem", "-inkey", "brainpool.key"], Some(CONTENT))
        }),
        ("without_attributes_by_digest", Made::without_attributes_by_digest),
        ("without_certificates", Made::without_certificates),
        ("timestamp", Made::token),
    ];
    trials.extend(made.into_iter().map(|(name, run)| {
        Trial::test(format!("cms::openssl::{name}"), move || run(&Made::new()?)).with_ignored_flag(no_openssl)
    }));
    trials.push(Trial::test("cms::gpgsm", || Made::new()?.gpgsm()).with_ignored_flag(!gpgsm::available()));
    let no_osslsigncode = no_openssl || !clients::installed(&["osslsigncode", "python3"]);
    let trial = Trial::test("cms::authenticode", || Made::new()?.authenticode());
    trials.push(trial.with_ignored_flag(no_osslsigncode));
    let no_bouncycastle = no_openssl || clients::bouncycastle().is_none();
    let trial = Trial::test("cms::counter_signatures", || Made::new()?.counter_signatures());
    trials.push(trial.with_ignored_flag(no_bouncycastle));
    trials
}

// The corpus.

fn corpus_trials() -> Vec<Trial> {
    let Some(tokens) = super::limbo::corpus().map(|corpus| corpus.join("tokens")).filter(|path| path.exists()) else {
        return vec![Trial::test("cms::corpus", || Ok(())).with_ignored_flag(true)];
    };
    let manifest = std::fs::read(tokens.join("manifest.json")).expect("the manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let files = manifest["files"].as_array().expect("files").clone();
    let text = |file: &Value, field: &str| file[field].as_str().expect("a text").to_owned();
    let of_tokens = files.into_iter().filter(|file| text(file, "kind").starts_with("rfc3161-"));
    let trials = of_tokens.map(|file| {
        let (tokens, name, expected) = (tokens.clone(), text(&file, "file"), text(&file, "expected"));
        Trial::test(format!("cms::corpus::{name}"), move || run(&tokens, &name, &expected))
    });
    trials.collect()
}

/// A file's token, in DER.
fn read(tokens: &Path, name: &str) -> Result<Vec<u8>, Failed> {
    let octets = std::fs::read(tokens.join(name))?;
    let der = normalise(&octets)?.into_owned();
    Ok(token_in_response(&der).map_or(der.clone(), <[u8]>::to_vec))
}

/// The signer's certificate among these, as the anchor: whom its root belongs to is no matter here.
fn pinned(token: &TimestampToken<'_>, evidence: &Evidence) -> Option<Arc<TrustAnchor>> {
    let found = token.signed_data.verify(Content::Attached, evidence, Costs::LIMITS).remove(0);
    let certificate = found.certificate?;
    TrustAnchor::from_certificate(certificate, AnchorRule::NameAndKey).ok().map(Arc::new)
}

fn judged(
    token: &TimestampToken<'_>,
    stamped: Stamped<'_>,
    evidence: &Evidence,
    anchor: Option<&Arc<TrustAnchor>>,
) -> TimestampJudgement {
    let settings = Settings::new(0, anchor.into_iter().cloned().collect(), &AnyAlgorithm);
    judge_timestamp(token, stamped, ChainTime::GenTime, evidence, &settings)
}

fn run(tokens: &Path, name: &str, expected: &str) -> Result<(), Failed> {
    let other = read(tokens, "rfc3161-client/sigstage/response-sha256.tsr")?;
    let other = TimestampToken::from_der(&other)?.signed_data.certificates[0];
    let is_of_other = expected.starts_with("valid only with the held");
    documents::run(&std::fs::read(tokens.join(name))?, expected, is_of_other.then_some(other))?;
    let der = read(tokens, name)?;
    let token = TimestampToken::from_der(&der)?;
    let mut evidence = Evidence::new();
    token.signed_data.add_to(&mut evidence);
    let anchor = pinned(&token, &evidence);
    let judgement = judged(&token, Stamped::NotAsked, &evidence, anchor.as_ref());
    let fault = judgement.fault.as_ref();
    let no_certificate = Some(&TimestampFault::Signer(SignerFault::NoSigningCertificate));
    if expected.starts_with("INVALID") {
        let signature = matches!(fault, Some(TimestampFault::Signer(SignerFault::Signature { .. })));
        return check(signature, fault);
    }
    if is_of_other {
        check(fault == no_certificate, fault)?;
        evidence.add_certificate_der(other, Origin::Held)?;
        let anchor = pinned(&token, &evidence);
        let judgement = judged(&token, Stamped::NotAsked, &evidence, anchor.as_ref());
        return check(judgement.is_good(), &judgement);
    }
    if token.signed_data.certificates.is_empty() {
        // sigstore.mock's: its certificate is in no file of the corpus.
        return check(fault == no_certificate, fault);
    }
    if expected.contains("v1 and v2") {
        // Both name another certificate than the one that is there, by hash and serial number alike, whatever the manifest
        // says: it signed the token all the same, and RFC 5035 §5 has it refused.
        let found = token.signed_data.verify(Content::Attached, &evidence, Costs::LIMITS).remove(0);
        let attributes = found.attributes.ok_or("attributes")?;
        let both = attributes.signing_certificate.is_some() && attributes.signing_certificate_v2.is_some();
        let differs = Some(&TimestampFault::Signer(SignerFault::SigningCertificateDiffers));
        return check(both && fault == differs, fault);
    }
    check(judgement.is_good(), &judgement)?;
    if expected.contains("message \"hello\"") {
        check(judged(&token, Stamped::Data(b"hello"), &evidence, anchor.as_ref()).is_good(), "over hello")?;
        let other = judged(&token, Stamped::Data(b"hullo"), &evidence, anchor.as_ref()).fault;
        check(other == Some(TimestampFault::ImprintDiffers), other)?;
    }
    if expected.contains("another request") {
        let response = read(tokens, "rfc3161-client/test_tsa/response.tsr")?;
        let response = TimestampToken::from_der(&response)?;
        check(response.tst_info.nonce != token.tst_info.nonce, "the nonces are the same")?;
    }
    altered_token(&der, &evidence, anchor.as_ref(), Stamped::NotAsked)
}

fn check(holds: bool, found: impl std::fmt::Debug) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("{found:?}").into()) }
}

/// Changes each octet of a token: it must not pass unless the octet is one that nothing of the verdict rests on.
fn altered_token(
    der: &[u8],
    evidence: &Evidence,
    anchor: Option<&Arc<TrustAnchor>>,
    stamped: Stamped<'_>,
) -> Result<(), Failed> {
    let token = TimestampToken::from_der(der)?;
    let before = judged(&token, stamped, evidence, anchor);
    let signer_certificate = before.certificate.as_ref().ok_or("a certificate")?;
    let free = unprotected(der, &token.signed_data, signer_certificate.der());
    for at in 0..der.len() {
        let mut altered = der.to_vec();
        altered[at] ^= 1 << (at % 8);
        let Ok(normal) = normalise(&altered) else { continue };
        let Ok(other) = TimestampToken::from_der(&normal) else { continue };
        let mut evidence = Evidence::new();
        other.signed_data.add_to(&mut evidence);
        let after = judged(&other, stamped, &evidence, anchor);
        // The versions and the signer's identifier are not signed: what is wrong there is told.
        let told = after.findings.iter().any(|finding| !before.findings.contains(finding) && is_told(finding));
        let free = free.iter().any(|range| range.contains(&at));
        if after.is_good()
            && !told
            && !free
            && !same_algorithm(&token.signed_data, &other.signed_data, before.algorithm, after.algorithm)
        {
            return Err(format!("passed with octet {at} changed: {:?}", after.findings).into());
        }
    }
    Ok(())
}

fn is_told(finding: &TimestampFinding) -> bool {
    matches!(
        finding,
        TimestampFinding::Cms(
            CmsFinding::SignedDataVersion { .. }
                | CmsFinding::SignerInfoVersion { .. }
                | CmsFinding::IssuerWrittenDifferently
        )
    )
}

/// Whether two messages differ in the signer's signatureAlgorithm alone, and mean the same by it: rsaEncryption is one octet
/// from sha256WithRSAEncryption.
fn same_algorithm(
    one: &SignedData<'_>,
    other: &SignedData<'_>,
    before: Option<SignatureAlgorithm>,
    after: Option<SignatureAlgorithm>,
) -> bool {
    let pairs = || one.signers.iter().zip(&other.signers);
    before == after
        && before.is_some()
        && pairs().any(|(one, other)| one.signature_algorithm != other.signature_algorithm)
}

/// Where the octets are that no signature of the message covers: others' certificates, CRLs, unsigned attributes, digests
/// that the signer does not use.
fn unprotected(der: &[u8], data: &SignedData<'_>, signer_certificate: &[u8]) -> Vec<Range<usize>> {
    let mut parts: Vec<&[u8]> = data.certificates.iter().copied().filter(|one| *one != signer_certificate).collect();
    parts.extend(data.other_certificates.iter().map(|other| other.whole));
    parts.extend(&data.crls);
    parts.extend(data.other_revocations.iter().flat_map(|other| [other.format, other.value]));
    for signer in &data.signers {
        parts.extend(signer.unsigned_attributes.list().iter().map(|attribute| attribute.whole));
        parts.extend(data.digest_algorithms.iter().filter(|one| **one != signer.digest_algorithm));
    }
    parts.into_iter().map(|part| span(der, part)).collect()
}

fn span(der: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - der.as_ptr().addr();
    start..start + part.len()
}

// What openssl makes.

const CONTENT: &[u8] = b"what openssl signs\n";

const CONFIGURATION: &str = "[req]
distinguished_name=name
prompt=no
[name]
CN=Somebody
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[signer]
keyUsage=critical,digitalSignature
subjectKeyIdentifier=hash
[tsu]
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
[tsa]
serial=serial
default_policy=1.2.3
digests=sha256,sha512
ess_cert_id_alg=sha256
signer_digest=sha256
";

fn available(program: &str, version: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(version).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A directory with a CA and signers by it.
struct Made {
    directory: tempfile::TempDir,
    anchor: Arc<TrustAnchor>,
}

impl Made {
    fn new() -> Result<Self, Failed> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("openssl.cnf"), CONFIGURATION)?;
        std::fs::write(directory.path().join("content"), CONTENT)?;
        std::fs::write(directory.path().join("serial"), "01\n")?;
        let p256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let by_ca = ["-CA", "ca.pem", "-CAkey", "ca.key"];
        certificate(directory.path(), "ca", "ca", &p256)?;
        certificate(directory.path(), "p256", "signer", &[&p256[..], &by_ca].concat())?;
        certificate(directory.path(), "rsa", "signer", &[&["-newkey", "rsa:2048"][..], &by_ca].concat())?;
        let brainpool = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"];
        certificate(directory.path(), "brainpool", "signer", &[&brainpool[..], &by_ca].concat())?;
        certificate(directory.path(), "tsu", "tsu", &[&p256[..], &by_ca].concat())?;
        let pem = std::fs::read_to_string(directory.path().join("ca.pem"))?;
        let ca = pem_decode("CERTIFICATE", &pem)?.remove(0);
        let anchor = Arc::new(TrustAnchor::from_certificate_der(&ca, AnchorRule::NameAndKey)?);
        Ok(Self { directory, anchor })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Signs with these options; what is made passes, and altered in any part it does not.
    fn message(&self, options: &[&str], detached: Option<&[u8]>) -> Result<(), Failed> {
        let words = ["cms", "-sign", "-binary", "-in", "content", "-outform", "DER", "-out", "message"];
        openssl(self.directory.path(), &[&words[..], options].concat())?;
        self.altered(&std::fs::read(self.path("message"))?, detached)
    }

    /// A message passes, and altered in any part it does not.
    fn altered(&self, made: &[u8], detached: Option<&[u8]>) -> Result<(), Failed> {
        let content = detached.map_or(Content::Attached, Content::Detached);
        check(self.passes(made, content), "as it was made")?;
        if detached.is_some() {
            check(!self.passes(made, Content::Detached(b"something else")), "over something else")?;
            check(!self.passes(made, Content::Attached), "without its content")?;
        }
        for at in 0..made.len() {
            for flip in [1, 0x80 >> (at % 8)] {
                let mut altered = made.to_vec();
                altered[at] ^= flip;
                if self.passes(&altered, content) && !same_meaning(made, &altered) {
                    return Err(format!("passed with octet {at} changed by {flip:#04x}").into());
                }
            }
        }
        // Each part, whole: gone to zeros.
        let der = normalise(made)?.into_owned();
        let data = SignedData::from_der(&der)?;
        let mut parts: Vec<&[u8]> = data.certificates.clone();
        parts.extend(data.content);
        for signer in &data.signers {
            parts.extend([signer.digest_algorithm, signer.signature_algorithm, signer.signature]);
            parts.extend(signer.signed_attributes.iter().flat_map(|set| set.list()).map(|one| one.whole));
        }
        for part in parts {
            let range = span(&der, part);
            let zeroed = [&der[..range.start], &vec![0; part.len()], &der[range.end..]].concat();
            check(!self.passes(&zeroed, content), ("zeros", range))?;
        }
        Ok(())
    }

    /// Whether all signers' signatures hold, with nothing to be told, under certificates that are good.
    fn passes(&self, message: &[u8], content: Content<'_>) -> bool {
        let Ok(der) = normalise(message) else { return false };
        let Ok(data) = SignedData::from_der(&der) else { return false };
        let mut evidence = Evidence::new();
        data.add_to(&mut evidence);
        let now_s = jiff::Timestamp::now().as_second();
        let settings = Settings::new(now_s, vec![Arc::clone(&self.anchor)], &AnyAlgorithm);
        let found = data.verify(content, &evidence, Costs::LIMITS);
        !found.is_empty()
            && found.iter().all(|one| {
                let certificate = one.certificate.as_ref();
                let told = one.findings.iter().any(|finding| *finding != CmsFinding::NoSigningCertificateAttribute);
                let good = |certificate| judge_certificate(certificate, &evidence, &settings).is_good();
                one.holds() && !told && certificate.is_some_and(good)
            })
    }

    /// Signatures over the content itself, of which only the digest is known.
    fn without_attributes_by_digest(&self) -> Result<(), Failed> {
        let pss = ["-keyopt", "rsa_padding_mode:pss"];
        for (name, more) in [("p256", &[][..]), ("rsa", &[]), ("rsa", &pss), ("brainpool", &[])] {
            let (pem, key) = (format!("{name}.pem"), format!("{name}.key"));
            let words = ["cms", "-sign", "-binary", "-in", "content", "-outform", "DER", "-out", "message", "-noattr"];
            let by = ["-md", "sha256", "-signer", &pem, "-inkey", &key];
            openssl(self.directory.path(), &[&words[..], &by, more].concat())?;
            let made = std::fs::read(self.path("message"))?;
            let data = SignedData::from_der(&made)?;
            let mut evidence = Evidence::new();
            data.add_to(&mut evidence);
            for (octets, holds) in [(CONTENT, true), (b"something else", false)] {
                let value = Digest::Sha256.of(octets).ok_or("SHA-256")?;
                let content = Content::DetachedDigest { digest: Digest::Sha256, value: &value };
                let found = data.verify(content, &evidence, Costs::LIMITS).remove(0);
                check(found.holds() == holds, (name, more, &found.fault))?;
                check(found.findings.contains(&CmsFinding::ContentByDigestAlone), (name, &found.findings))?;
            }
            let value = Digest::Sha512.of(CONTENT).ok_or("SHA-512")?;
            let content = Content::DetachedDigest { digest: Digest::Sha512, value: &value };
            let fault = data.verify(content, &evidence, Costs::LIMITS).remove(0).fault;
            check(fault == Some(SignerFault::DigestNotGiven { digest: Digest::Sha256 }), (name, fault))?;
        }
        Ok(())
    }

    /// Authenticode by osslsigncode: PKCS #7, whose content is a SEQUENCE.
    fn authenticode(&self) -> Result<(), Failed> {
        let program = clients::programs().join("make_pe.py");
        self.run("python3", &[&program.display().to_string(), "program.exe"])?;
        let sign = ["sign", "-h", "sha256", "-certs", "p256.pem", "-key", "p256.key"];
        self.run("osslsigncode", &[&sign[..], &["-in", "program.exe", "-out", "signed.exe"]].concat())?;
        self.run("osslsigncode", &["extract-signature", "-in", "signed.exe", "-out", "signature"])?;
        let der = normalise(&std::fs::read(self.path("signature"))?)?.into_owned();
        let data = SignedData::from_der(&der)?;
        let mut evidence = Evidence::new();
        data.add_to(&mut evidence);
        let found = data.verify(Content::Attached, &evidence, Costs::LIMITS).remove(0);
        check(found.holds() && found.certificate.is_some(), &found.fault)?;
        check(found.findings.contains(&CmsFinding::ContentNotOctetString { tag: 0x30 }), &found.findings)?;
        let range = span(&der, data.content.ok_or("content")?);
        for at in range {
            let mut altered = der.clone();
            altered[at] ^= 1;
            let Ok(data) = SignedData::from_der(&altered) else { continue };
            let fault = data.verify(Content::Attached, &evidence, Costs::LIMITS).remove(0).fault;
            check(fault == Some(SignerFault::MessageDigestDiffers), (at, fault))?;
        }
        Ok(())
    }

    /// Counter-signatures by BouncyCastle, one over the other.
    fn counter_signatures(&self) -> Result<(), Failed> {
        let jars = clients::bouncycastle().ok_or("the jars")?;
        let program = clients::programs().join("bouncycastle/CounterSignature.java").display().to_string();
        let files = ["content", "message", "p256", "rsa", "brainpool"];
        self.run("java", &[&["-cp", &jars, &program][..], &files].concat())?;
        let der = normalise(&std::fs::read(self.path("message"))?)?.into_owned();
        let data = SignedData::from_der(&der)?;
        let mut evidence = Evidence::new();
        data.add_to(&mut evidence);
        let found = data.verify(Content::Attached, &evidence, Costs::LIMITS).remove(0);
        check(found.holds(), &found.fault)?;
        let found = data.counter_signatures(&data.signers[0], &evidence, Costs::LIMITS);
        let places: Vec<_> = found.iter().map(|one| (one.over, one.depth, one.holds())).collect();
        check(places == [(None, 1, true), (Some(0), 2, true)], &found)?;
        let clean = |one: &CounterSignatureVerification<'_>| {
            let plain = [CmsFinding::NoSigningCertificateAttribute];
            one.verification.as_ref().is_ok_and(|found| found.findings == plain)
        };
        check(found.iter().all(clean), &found)?;
        // Another signature beneath, and the one directly over it does not hold.
        let mut altered = der.clone();
        altered[span(&der, data.signers[0].signature).end - 1] ^= 1;
        let data = SignedData::from_der(&altered)?;
        let found = data.counter_signatures(&data.signers[0], &evidence, Costs::LIMITS);
        let held: Vec<bool> = found.iter().map(CounterSignatureVerification::holds).collect();
        check(held == [false, true], &found)
    }

    fn run(&self, program: &str, words: &[&str]) -> Result<(), Failed> {
        let output = Command::new(program).args(words).current_dir(self.directory.path()).output()?;
        check(output.status.success(), (program, words, String::from_utf8_lossy(&output.stderr)))
    }

    /// A signer whose certificate is held, and not in the message.
    fn without_certificates(&self) -> Result<(), Failed> {
        let words = ["cms", "-sign", "-binary", "-in", "content", "-outform", "DER", "-out", "message", "-nodetach"];
        let by = ["-nocerts", "-signer", "p256.pem", "-inkey", "p256.key"];
        openssl(self.directory.path(), &[&words[..], &by].concat())?;
        let made = std::fs::read(self.path("message"))?;
        let data = SignedData::from_der(&made)?;
        let alone = data.verify(Content::Attached, &Evidence::new(), Costs::LIMITS).remove(0).fault;
        check(alone == Some(SignerFault::NoSigningCertificate), alone)?;
        for (name, holds) in [("rsa.pem", false), ("p256.pem", true)] {
            let pem = std::fs::read_to_string(self.path(name))?;
            let mut evidence = Evidence::new();
            evidence.add_certificate_der(&pem_decode("CERTIFICATE", &pem)?.remove(0), Origin::Held)?;
            let found = data.verify(Content::Attached, &evidence, Costs::LIMITS).remove(0);
            check(found.holds() == holds, &found.fault)?;
            check(!holds || found.origin == Some(Origin::Held), found.origin)?;
        }
        Ok(())
    }

    /// Messages by gpgsm, which writes BER.
    fn gpgsm(&self) -> Result<(), Failed> {
        let pem = std::fs::read_to_string(self.path("ca.pem"))?;
        let ca = pem_decode("CERTIFICATE", &pem)?.remove(0);
        let [attached, detached] = gpgsm::sign(self.directory.path(), "rsa", "ca.pem", &ca, "content")?;
        self.altered(&attached, None)?;
        self.altered(&detached, Some(CONTENT))
    }

    /// A token by `openssl ts`.
    fn token(&self) -> Result<(), Failed> {
        let directory = self.directory.path();
        let query = ["ts", "-query", "-data", "content", "-sha256", "-cert", "-out", "query", "-config", "openssl.cnf"];
        openssl(directory, &query)?;
        let reply = ["ts", "-reply", "-config", "openssl.cnf", "-section", "tsa", "-queryfile", "query"];
        let by = ["-signer", "tsu.pem", "-inkey", "tsu.key", "-out", "reply"];
        openssl(directory, &[&reply[..], &by].concat())?;
        let response = std::fs::read(self.path("reply"))?;
        let der = token_in_response(&response)?;
        let token = TimestampToken::from_der(der)?;
        let mut evidence = Evidence::new();
        token.signed_data.add_to(&mut evidence);
        let judgement = judged(&token, Stamped::Data(CONTENT), &evidence, Some(&self.anchor));
        check(judgement.is_good() && judgement.findings.is_empty(), judgement)?;
        let other = judged(&token, Stamped::Data(b"other"), &evidence, Some(&self.anchor));
        check(other.fault == Some(TimestampFault::ImprintDiffers), other)?;
        altered_token(der, &evidence, Some(&self.anchor), Stamped::Data(CONTENT))
    }
}

/// Whether what was altered says the same by another identifier, as [`same_algorithm`] has it.
fn same_meaning(made: &[u8], altered: &[u8]) -> bool {
    let (Ok(one), Ok(other)) = (normalise(made), normalise(altered)) else { return false };
    let (Ok(one), Ok(other)) = (SignedData::from_der(&one), SignedData::from_der(&other)) else { return false };
    let algorithms = |data: &SignedData<'_>| -> Vec<Option<SignatureAlgorithm>> {
        let found = data.verify(Content::Attached, &Evidence::new(), Costs::LIMITS);
        found.into_iter().map(|one| one.algorithm).collect()
    };
    let (before, after) = (algorithms(&one), algorithms(&other));
    let pairs = || one.signers.iter().zip(&other.signers);
    before == after && pairs().any(|(one, other)| one.signature_algorithm != other.signature_algorithm)
}

fn certificate(directory: &Path, name: &str, extensions: &str, more: &[&str]) -> Result<(), Failed> {
    let (key, pem, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    let words = ["req", "-x509", "-config", "openssl.cnf", "-nodes", "-days", "2", "-extensions", extensions];
    let files = ["-keyout", &key, "-out", &pem, "-subj", &subject];
    openssl(directory, &[&words[..], &files, more].concat())
}

fn openssl(directory: &Path, words: &[&str]) -> Result<(), Failed> {
    let output = Command::new("openssl").args(words).current_dir(directory).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
