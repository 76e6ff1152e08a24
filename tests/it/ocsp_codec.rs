//! OCSP's octets before other people's eyes: openssl makes the requests and reads the answers, which are signed in
//! software. Every kind of responder's key must also be found out when its signature is broken.

use std::process::Command;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use libtest_mimic::{Failed, Trial};
use noonmark::asn1::OcspRequest;
use noonmark::ca::builder::{Draft, IssuerUrls};
use noonmark::ca::{Certificate, CertificateKind, SubjectName, pem_encode};
use noonmark::crypto::{PublicKey, SignatureAlgorithm};
use noonmark::ocsp::{CertStatus, ErrorResponse, IssuerHashes, ResponderTemplate, SingleAnswer};
use noonmark::store::CertIdHash;

use super::support::clients::{has_module, installed, python, python_program};
use super::support::openssl_ca;

pub fn trials() -> Vec<Trial> {
    let openssl = openssl_ca::available();
    let trial = |name: &str, possible: bool, body: fn()| {
        let body = move || -> Result<(), Failed> {
            body();
            Ok(())
        };
        Trial::test(format!("ocsp_codec::{name}"), body).with_ignored_flag(!possible)
    };
    vec![
        trial("openssl_takes_every_status_p256", openssl, || every_status(Kind::P256)),
        trial("openssl_takes_every_status_rsa2048", openssl, || every_status(Kind::Rsa2048)),
        trial("openssl_takes_every_status_ed25519", openssl, || every_status(Kind::Ed25519)),
        trial("openssl_takes_several_at_once_with_its_nonce", openssl, several_with_nonce),
        trial("openssl_takes_the_issuer_s_own_signature", openssl, issuer_signs),
        trial("openssl_takes_an_answer_made_ahead", openssl, made_ahead),
        trial("openssl_reads_each_refusal", openssl, refusals),
        trial("openssl_s_requests_are_read", openssl, requests),
        trial("gnutls_verifies", openssl && installed(&["ocsptool"]), gnutls),
        trial("pkilint_finds_nothing", openssl && has_module("pkilint"), lint),
    ]
}

#[derive(Clone, Copy)]
enum Kind {
    P256,
    Rsa2048,
    Ed25519,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

struct Key {
    pair: Pair,
    public: PublicKey,
}

impl Key {
    fn generate(kind: Kind) -> Self {
        let (pair, spki): (Pair, PublicKeyX509Der<'static>) = match kind {
            Kind::P256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
                let spki = pair.public_key().as_der().unwrap();
                (Pair::Ecdsa(pair), spki)
            }
            Kind::Rsa2048 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let spki = pair.public_key().as_der().unwrap();
                (Pair::Rsa(pair), spki)
            }
            Kind::Ed25519 => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let spki = pair.public_key().as_der().unwrap();
                (Pair::Ed25519(pair), spki)
            }
        };
        Self { pair, public: PublicKey::from_spki_der(spki.as_ref()).unwrap() }
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.public.algorithm().default_signature()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// A root, an issuing CA and its delegated responder, in a directory for openssl.
struct House {
    directory: tempfile::TempDir,
    now_s: i64,
    issuer_key: Key,
    issuer: Certificate,
    responder_key: Key,
    responder: Certificate,
}

fn issue(kind: CertificateKind, key: &Key, issuer: Option<(&Certificate, &Key)>, from_s: i64) -> Certificate {
    let urls = IssuerUrls::new("https://pki.noonmark.example", "issuing");
    let unsigned = Draft {
        kind,
        subject_der: &SubjectName::new("DE", "Example", kind.name()).unwrap().to_der(),
        public_key: &key.public,
        issuer: issuer.map(|(certificate, _)| (certificate, &urls)),
        algorithm: issuer.map_or(key, |(_, key)| key).algorithm(),
        not_before_s: from_s,
        policies: &[],
        days: None,
        private_key_usage_days: 0,
    }
    .build()
    .unwrap();
    let signer = issuer.map_or(key, |(_, key)| key);
    unsigned.assemble(&signer.sign(unsigned.tbs_der()), &signer.public).unwrap()
}

impl House {
    fn new(kind: Kind) -> Self {
        let now_s = jiff::Timestamp::now().as_second();
        let (root_key, issuer_key, responder_key) =
            (Key::generate(Kind::P256), Key::generate(Kind::P256), Key::generate(kind));
        let root = issue(CertificateKind::Root, &root_key, None, now_s - 600);
        let issuer = issue(CertificateKind::IssuingCa, &issuer_key, Some((&root, &root_key)), now_s - 600);
        let responder =
            issue(CertificateKind::OcspResponder, &responder_key, Some((&issuer, &issuer_key)), now_s - 600);
        let directory = tempfile::tempdir().unwrap();
        for (name, certificate) in [("root.pem", &root), ("issuer.pem", &issuer)] {
            std::fs::write(directory.path().join(name), pem_encode("CERTIFICATE", certificate.der())).unwrap();
        }
        Self { directory, now_s, issuer_key, issuer, responder_key, responder }
    }

    fn write(&self, name: &str, octets: &[u8]) {
        std::fs::write(self.directory.path().join(name), octets).unwrap();
    }

    /// `openssl ocsp` in the house's directory: whether it succeeded, and all that it said.
    fn openssl(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("openssl")
            .arg("ocsp")
            .args(["-issuer", "issuer.pem"])
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    }

    /// What openssl asks with these arguments.
    fn ask(&self, arguments: &[&str]) -> Vec<u8> {
        let (success, told) = self.openssl(&[arguments, &["-reqout", "request.der"]].concat());
        assert!(success, "{told}");
        std::fs::read(self.directory.path().join("request.der")).unwrap()
    }

    fn answer<'a>(&self, cert_id: &'a [u8], status: CertStatus) -> SingleAnswer<'a> {
        SingleAnswer {
            cert_id,
            status,
            this_update_s: self.now_s - 60,
            next_update_s: self.now_s + 86_400,
            archive_cutoff_s: None,
        }
    }

    fn template(&self) -> ResponderTemplate {
        let algorithm = self.responder_key.algorithm();
        ResponderTemplate::new(&self.responder, std::slice::from_ref(&self.responder), algorithm).unwrap()
    }

    fn respond(&self, answers: &[SingleAnswer<'_>], nonce: Option<&[u8]>) -> Vec<u8> {
        let template = self.template();
        let prepared = template.prepare(answers, self.now_s - 60, nonce).unwrap();
        template.assemble(&prepared, &self.responder_key.sign(prepared.to_be_signed()))
    }

    /// Has openssl verify a response to what these arguments ask for, and gives what it said.
    fn read(&self, response: &[u8], asked: &[&str]) -> (bool, String) {
        self.write("response.der", response);
        let arguments = ["-no_nonce", "-respin", "response.der", "-CAfile", "root.pem", "-resp_text"];
        let (success, told) = self.openssl(&[asked, &arguments].concat());
        (success && told.contains("Response verify OK"), told)
    }
}

/// Every status with the words that openssl has for it.
fn statuses(at_s: i64) -> Vec<(CertStatus, &'static str, Option<&'static str>)> {
    let mut statuses = vec![
        (CertStatus::Good, "good", None),
        (CertStatus::Unknown, "unknown", None),
        (CertStatus::NotIssued, "revoked", Some("certificateHold")),
        (CertStatus::Revoked { at_s, reason: None }, "revoked", None),
        (CertStatus::Revoked { at_s, reason: Some(0) }, "revoked", None),
    ];
    let reasons = [
        (1, "keyCompromise"),
        (2, "cACompromise"),
        (3, "affiliationChanged"),
        (4, "superseded"),
        (5, "cessationOfOperation"),
        (6, "certificateHold"),
        // OpenSSL 3.0 has no words for these two.
        (9, "(0x9)"),
        (10, "(0xa)"),
    ];
    statuses.extend(
        reasons.map(|(reason, name)| (CertStatus::Revoked { at_s, reason: Some(reason) }, "revoked", Some(name))),
    );
    statuses
}

/// id-pkix-ocsp-extended-revoke in openssl's words: 3.0 knows the identifier by the name that drafts gave it.
const EXTENDED_REVOKE: &str = "Response Extensions:\n        valid: \n";

fn every_status(kind: Kind) {
    let house = House::new(kind);
    let hashes = IssuerHashes::of(&house.issuer);
    for (round, (status, word, reason)) in statuses(house.now_s - 3_600).into_iter().enumerate() {
        let (hash, asked): (_, &[&str]) = if round % 2 == 0 {
            (CertIdHash::Sha1, &["-serial", "0x00ff1234"])
        } else {
            (CertIdHash::Sha256, &["-sha256", "-serial", "0x00ff1234"])
        };
        let request = house.ask(&[asked, &["-no_nonce"]].concat());
        let request = OcspRequest::from_der(&request).unwrap();
        let cert_id = request.cert_ids.first();
        assert_eq!(hashes.matches(cert_id), Some(hash));
        assert_eq!(cert_id.serial, [0, 0xff, 0x12, 0x34]);
        let answer =
            SingleAnswer { archive_cutoff_s: Some(house.now_s - 7_200), ..house.answer(cert_id.whole, status) };
        let (verified, told) = house.read(&house.respond(&[answer], None), asked);
        assert!(verified, "{status:?}: {told}");
        assert!(told.contains(&format!("FF1234: {word}\n")) || told.contains(&format!("ff1234: {word}\n")), "{told}");
        assert!(!told.contains("WARNING"), "{status:?}: {told}");
        let told_reason = told.lines().find(|line| line.contains("Revocation Reason: "));
        match reason {
            Some(reason) => assert!(told_reason.is_some_and(|line| line.contains(reason)), "{status:?}: {told}"),
            None => assert!(told_reason.is_none(), "{status:?}: {told}"),
        }
        let not_issued = status == CertStatus::NotIssued;
        assert_eq!(told.contains(EXTENDED_REVOKE), not_issued, "{told}");
        assert_eq!(told.contains("Revocation Time: Jan  1 00:00:00 1970 GMT"), not_issued, "{told}");
        assert_eq!(told.contains("OCSP Archive Cutoff"), !not_issued, "{told}");
    }

    // One octet of what is signed, and of the signature: both are found out.
    let request = house.ask(&["-serial", "1", "-no_nonce"]);
    let request = OcspRequest::from_der(&request).unwrap();
    let template = house.template();
    let answers = [house.answer(request.cert_ids.first().whole, CertStatus::Good)];
    let prepared = template.prepare(&answers, house.now_s - 60, None).unwrap();
    let mut signature = house.responder_key.sign(prepared.to_be_signed());
    let other = template.prepare(&answers, house.now_s - 59, None).unwrap();
    let (verified, told) = house.read(&template.assemble(&other, &signature), &["-serial", "1"]);
    assert!(!verified && told.contains("Response Verify Failure"), "{told}");
    let last = signature.len() - 1;
    signature[last] ^= 1;
    let (verified, told) = house.read(&template.assemble(&prepared, &signature), &["-serial", "1"]);
    assert!(!verified && told.contains("Response Verify Failure"), "{told}");
}

fn several_with_nonce() {
    let house = House::new(Kind::P256);
    let asked = ["-serial", "1", "-serial", "2", "-sha256", "-serial", "3", "-serial", "4"];
    let der = house.ask(&asked);
    let request = OcspRequest::from_der(&der).unwrap();
    let statuses = [
        CertStatus::Good,
        CertStatus::Revoked { at_s: house.now_s - 100, reason: Some(1) },
        CertStatus::Unknown,
        CertStatus::NotIssued,
    ];
    assert_eq!(request.cert_ids.len(), statuses.len());
    let answers: Vec<SingleAnswer<'_>> =
        request.cert_ids.iter().zip(statuses).map(|(cert_id, status)| house.answer(cert_id.whole, status)).collect();
    let response = house.respond(&answers, request.nonce);
    let (verified, told) = house.read(&response, &asked);
    assert!(verified, "{told}");
    for line in ["1: good\n", "2: revoked\n", "3: unknown\n", "4: revoked\n"] {
        assert!(told.contains(line), "{line:?} in {told}");
    }
    // With its own request at hand openssl compares the nonces.
    house.write("asked.der", &der);
    let compare = |response: &[u8]| {
        house.write("response.der", response);
        let files = ["-reqin", "asked.der", "-no_nonce", "-respin", "response.der", "-CAfile", "root.pem"];
        house.openssl(&files).1
    };
    let told = compare(&response);
    assert!(told.contains("Response verify OK") && !told.to_lowercase().contains("nonce"), "{told}");
    let told = compare(&house.respond(&answers, None));
    assert!(told.contains("WARNING: no nonce in response"), "{told}");
    let told = compare(&house.respond(&answers, Some(&[4, 2, 1, 2])));
    assert!(told.contains("Nonce Verify error"), "{told}");
}

fn issuer_signs() {
    let house = House::new(Kind::P256);
    let der = house.ask(&["-serial", "1", "-no_nonce"]);
    let request = OcspRequest::from_der(&der).unwrap();
    let template = ResponderTemplate::new(&house.issuer, &[], house.issuer_key.algorithm()).unwrap();
    let answers = [house.answer(request.cert_ids.first().whole, CertStatus::Good)];
    let prepared = template.prepare(&answers, house.now_s, None).unwrap();
    let response = template.assemble(&prepared, &house.issuer_key.sign(prepared.to_be_signed()));
    let (verified, told) = house.read(&response, &["-serial", "1"]);
    assert!(verified && told.contains("1: good\n"), "{told}");
}

fn made_ahead() {
    let house = House::new(Kind::P256);
    let hashes = IssuerHashes::of(&house.issuer);
    for (hash, asked) in
        [(CertIdHash::Sha1, &["-serial", "0x7f"][..]), (CertIdHash::Sha256, &["-sha256", "-serial", "0x7f"])]
    {
        let cert_id = hashes.cert_id_der(hash, &[0x7f]);
        let der = house.ask(&[asked, &["-no_nonce"]].concat());
        assert_eq!(OcspRequest::from_der(&der).unwrap().cert_ids.first().whole, cert_id);
        let response = house.respond(&[house.answer(&cert_id, CertStatus::Good)], None);
        let (verified, told) = house.read(&response, asked);
        assert!(verified && told.to_lowercase().contains("7f: good\n"), "{told}");
        // openssl compares the fields: without NULL it is the same certificate.
        let mut without = cert_id;
        let null = without.windows(2).position(|octets| octets == [5, 0]).unwrap();
        without.drain(null..null + 2);
        without[1] -= 2;
        without[3] -= 2;
        let (verified, told) = house.read(&house.respond(&[house.answer(&without, CertStatus::Good)], None), asked);
        assert!(verified && told.to_lowercase().contains("7f: good\n"), "{told}");
    }
}

fn refusals() {
    let house = House::new(Kind::P256);
    for refusal in ErrorResponse::ALL {
        let (_, told) = house.read(&refusal.der(), &["-serial", "1"]);
        let expected = format!("Responder Error: {} ({})", refusal.name().to_lowercase(), refusal.number());
        assert!(told.to_lowercase().contains(&expected.to_lowercase()), "{told}");
    }
}

fn requests() {
    let house = House::new(Kind::P256);
    let many: Vec<String> = (1..=100).map(|serial: u32| format!("{serial}")).collect();
    let many: Vec<&str> = many.iter().flat_map(|serial| ["-serial", serial.as_str()]).collect();
    let der = house.ask(&many);
    let request = OcspRequest::from_der(&der).unwrap();
    let serials: Vec<u8> = request.cert_ids.iter().map(|cert_id| *cert_id.serial.last().unwrap()).collect();
    assert_eq!(serials, (1..=100).collect::<Vec<u8>>());
    assert!(request.nonce.is_some());
    assert!(OcspRequest::from_der(&house.ask(&[&many[..], &["-serial", "101"]].concat())).is_err());

    house.write("signer.key", &[]);
    openssl_ca::openssl(
        house.directory.path(),
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "signer.key",
            "-out",
            "signer.pem",
            "-subj",
            "/CN=signer",
        ],
    );
    let der = house.ask(&["-serial", "5", "-signer", "signer.pem", "-signkey", "signer.key"]);
    let request = OcspRequest::from_der(&der).unwrap();
    assert!(request.is_signed && request.cert_ids.first().serial == [5]);
}

fn gnutls() {
    for kind in [Kind::P256, Kind::Rsa2048, Kind::Ed25519] {
        let house = House::new(kind);
        let cert_id = IssuerHashes::of(&house.issuer).cert_id_der(CertIdHash::Sha1, &[0x7f]);
        let verify = |response: &[u8]| {
            house.write("response.der", response);
            let output = Command::new("ocsptool")
                .args(["--verify-response", "--load-response", "response.der", "--load-signer", "responder.pem"])
                .current_dir(house.directory.path())
                .output()
                .unwrap();
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
        };
        house.write("responder.pem", pem_encode("CERTIFICATE", house.responder.der()).as_bytes());
        let mut response = house.respond(&[house.answer(&cert_id, CertStatus::NotIssued)], None);
        let told = verify(&response);
        assert!(told.contains("Verifying OCSP Response: Success"), "{told}");
        // The last octet before the responder's certificate is the signature's.
        let at = response.len() - house.responder.der().len() - 9;
        response[at] ^= 1;
        let told = verify(&response);
        assert!(told.contains("Verifying OCSP Response: Failure"), "{told}");
    }
}

/// pkilint's findings above a notice: none.
fn lint() {
    let lint = |house: &House, response: &[u8]| {
        house.write("response.der", response);
        let output = Command::new(python())
            .arg(python_program("lint_ocsp_response"))
            .args(["lint", "-s", "WARNING", "response.der"])
            .current_dir(house.directory.path())
            .output()
            .unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success() && told.trim().is_empty(), told)
    };
    let nonce = [&[4, 16][..], &[7; 16]].concat();
    for kind in [Kind::P256, Kind::Rsa2048, Kind::Ed25519] {
        let house = House::new(kind);
        let cert_id = IssuerHashes::of(&house.issuer).cert_id_der(CertIdHash::Sha1, &[0x7f]);
        // The key changes the signature and the certificate only: one status is enough for the others.
        let count = if matches!(kind, Kind::P256) { usize::MAX } else { 1 };
        for (round, (status, _, _)) in statuses(house.now_s - 3_600).into_iter().take(count).enumerate() {
            let answer = SingleAnswer {
                archive_cutoff_s: (round % 3 == 0).then_some(house.now_s - 7_200),
                ..house.answer(&cert_id, status)
            };
            let response = house.respond(&[answer], (round % 2 == 0).then_some(&nonce[..]));
            let (clean, told) = lint(&house, &response);
            assert!(clean, "{status:?}: {told}");
        }
    }
    // It does find what is wrong: a time without its Z.
    let house = House::new(Kind::P256);
    let cert_id = IssuerHashes::of(&house.issuer).cert_id_der(CertIdHash::Sha1, &[0x7f]);
    let mut response = house.respond(&[house.answer(&cert_id, CertStatus::Good)], None);
    let at = response.windows(2).position(|octets| octets == [0x18, 0x0f]).unwrap();
    response[at + 16] = b'0';
    let (clean, told) = lint(&house, &response);
    assert!(!clean && told.contains("(ERROR)"), "{told}");
}
