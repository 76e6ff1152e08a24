//! What the wire must say: what a client can send to the responder that is odd, each with its exact answer.

use std::sync::OnceLock;

use libtest_mimic::{Failed, Trial};
use noonmark::asn1::writer;
use noonmark::ca::Certificate;

use super::lifecycle::certificates_in;
use super::support::ocsp::{
    MALFORMED, MEDIA_TYPE, NONCE, SUCCESSFUL, TRY_LATER, UNAUTHORIZED, extension, nonce, request, request_with, status,
    status_of,
};
use super::support::server::{Installation, Server};
use super::support::{mutation, openssl_ca};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn(&House)| {
        Trial::test(format!("ocsp_protocol::{name}"), move || -> Result<(), Failed> {
            test(House::shared());
            Ok(())
        })
    };
    vec![
        trial("a_nonce_of_every_length", nonces),
        trial("none_one_a_hundred_a_thousand_at_once", how_many),
        trial("extensions_that_nobody_knows", extensions),
        trial("issuers_that_are_not_ours_among_those_that_are", mixed),
        trial("a_signed_request", signed).with_ignored_flag(!openssl_ca::available()),
        trial("a_hundred_thousand_mutated_requests", mutations),
    ]
}

static HOUSE: OnceLock<House> = OnceLock::new();

/// Ends the shared server: what is static is never dropped.
pub fn finish() {
    if let Some(house) = HOUSE.get() {
        house.server.signal("-KILL");
        if let Some(home) = house.installation.directory().parent() {
            drop(std::fs::remove_dir_all(home));
        }
    }
}

/// A server for all of them.
struct House {
    server: Server,
    installation: Installation,
    issuing: Certificate,
    tsu: Certificate,
    /// Of the TSU's certificate.
    serial: Vec<u8>,
}

impl House {
    fn shared() -> &'static Self {
        HOUSE.get_or_init(|| {
            let installation = Installation::software();
            let server = installation.serve();
            let certificate = |name: &str| {
                let path = installation.directory().join(format!("certificates/{name}.pem"));
                certificates_in(&std::fs::read_to_string(path).unwrap()).remove(0)
            };
            let (issuing, tsu) = (certificate("issuing"), certificate("tsu-default-1"));
            let serial = tsu.serial_number.clone();
            Self { server, installation, issuing, tsu, serial }
        })
    }

    fn post(&self, request: &[u8]) -> (u8, Vec<u8>) {
        let response = self.server.post("/ocsp", MEDIA_TYPE, request);
        assert_eq!(response.status, 200);
        (status(&response), response.body)
    }
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

/// RFC 9654 §2.1: 1 to 128 octets; below 16 it may go unanswered, and the stored answer is given.
fn nonces(house: &House) {
    let ask = |value: Option<&[u8]>| house.post(&request(&house.issuing, &[&house.serial], value));
    let (code, stored) = ask(None);
    assert_eq!(code, SUCCESSFUL);
    assert!(!contains(&stored, &NONCE));
    for length in [1, 15] {
        assert_eq!(ask(Some(&nonce(length))), (SUCCESSFUL, stored.clone()), "{length} octets: the stored answer");
    }
    for length in [16, 32, 128] {
        let (code, body) = ask(Some(&nonce(length)));
        assert_eq!(code, SUCCESSFUL, "{length} octets");
        let echoed = extension(&NONCE, false, &nonce(length));
        assert!(contains(&body, &echoed), "{length} octets come back as they were");
    }
    for length in [0, 129] {
        assert_eq!(ask(Some(&nonce(length))).0, MALFORMED, "{length} octets");
    }
    // Without the OCTET STRING inside, as a common idiom sends it.
    let unwrapped = [0x55; 20];
    let (code, body) = ask(Some(&unwrapped));
    assert_eq!(code, SUCCESSFUL);
    assert!(contains(&body, &extension(&NONCE, false, &unwrapped)), "unwrapped it comes back unwrapped");
}

fn how_many(house: &House) {
    let serials: Vec<Vec<u8>> = (0..1_000_u32).map(|n| [&[0x40; 4][..], &n.to_be_bytes()].concat()).collect();
    let request = |count: usize| {
        let some: Vec<&[u8]> = serials[..count].iter().map(Vec::as_slice).collect();
        request(&house.issuing, &some, None)
    };
    let ask = |count: usize| house.post(&request(count));
    for count in [1, 2, 100] {
        let (code, body) = ask(count);
        assert_eq!(code, SUCCESSFUL, "{count}");
        // RFC 6960 §4.2.2.3: a SingleResponse for each that was asked for.
        for serial in &serials[..count] {
            let integer = writer::tlv(writer::INTEGER, &[serial]);
            assert_eq!(body.windows(integer.len()).filter(|window| *window == integer).count(), 1);
        }
    }
    for count in [0, 101, 500] {
        assert_eq!(ask(count).0, MALFORMED, "{count}");
    }
    // More octets than a body may have: HTTP says so as well.
    let response = house.server.post("/ocsp", MEDIA_TYPE, &request(1_000));
    assert_eq!((response.status, status(&response)), (413, MALFORMED));
}

fn extensions(house: &House) {
    let ask = |extensions: &[Vec<u8>]| house.post(&request_with(&house.issuing, &[&house.serial], extensions)).0;
    let unknown = [0x2a, 3, 4];
    assert_eq!(ask(&[extension(&unknown, false, b"x")]), SUCCESSFUL, "ignored (RFC 6960 §4.1.2)");
    assert_eq!(ask(&[extension(&unknown, true, b"x")]), MALFORMED);
    assert_eq!(ask(&[extension(&NONCE, false, &nonce(16)), extension(&NONCE, false, &nonce(16))]), MALFORMED, "twice");
    assert_eq!(ask(&[extension(&NONCE, true, &nonce(16))]), SUCCESSFUL, "known, and marked as critical");
}

/// The first issuer that is ours is answered for; about the others nothing is known (RFC 6960 §2.2).
fn mixed(house: &House) {
    let ours = request(&house.issuing, &[&house.serial], None);
    // As if the TSU had issued it.
    let strangers = request(&house.tsu, &[&house.serial], None);
    assert_eq!(house.post(&strangers).0, UNAUTHORIZED);
    // `SEQUENCE OF Request` of both: the lists' contents one after the other.
    let content = |der: &[u8]| {
        let mut reader = noonmark::asn1::Reader::only(der, writer::SEQUENCE).unwrap();
        let mut tbs = reader.enter(writer::SEQUENCE).unwrap();
        tbs.expect(writer::SEQUENCE).unwrap().content.to_vec()
    };
    for parts in [[&strangers, &ours], [&ours, &strangers]] {
        let list = writer::tlv(writer::SEQUENCE, &[&content(parts[0]), &content(parts[1])]);
        let both = writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::SEQUENCE, &[&list])]);
        let (code, body) = house.post(&both);
        assert_eq!(code, SUCCESSFUL);
        // CertStatus good is [0] of nothing, unknown [2]; each CertID ends with the serial number.
        let integer = writer::tlv(writer::INTEGER, &[&house.serial]);
        let statuses: Vec<u8> = body
            .windows(integer.len() + 1)
            .filter(|window| window.starts_with(&integer))
            .map(|window| window[integer.len()])
            .filter(|tag| [0x80, 0x82].contains(tag))
            .collect();
        let wanted = if std::ptr::eq(parts[0], &ours) { [0x80, 0x82] } else { [0x82, 0x80] };
        assert_eq!(statuses, wanted);
    }
}

/// Its form is read, and nothing depends on the signature (docs/DIVERGENCES.md).
fn signed(house: &House) {
    let directory = house.installation.directory();
    let subject = "/CN=Signer of requests";
    openssl_ca::openssl(
        directory,
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "asker.key",
            "-out",
            "asker.pem",
            "-subj",
            subject,
        ],
    );
    let words = ["ocsp", "-issuer", "certificates/issuing.pem", "-cert", "certificates/tsu-default-1.pem", "-no_nonce"];
    let more = ["-signer", "asker.pem", "-signkey", "asker.key", "-reqout", "signed.der"];
    openssl_ca::openssl(directory, &[&words[..], &more].concat());
    let request = std::fs::read(directory.join("signed.der")).unwrap();
    assert_eq!(house.post(&request).0, SUCCESSFUL);
    // Cut off within the signature it is no request.
    assert_eq!(house.post(&request[..request.len() - 40]).0, MALFORMED);
}

/// Never a panic, never anything but an OCSPResponse, never an answer that the standard does not have.
fn mutations(house: &House) {
    let seeds = [
        request(&house.issuing, &[&house.serial], None),
        request(&house.issuing, &[&house.serial], Some(&nonce(16))),
        request(&house.issuing, &[&house.serial, &[1], &[2]], Some(&nonce(32))),
        request_with(&house.issuing, &[&house.serial], &[extension(&[0x2a, 3, 4], false, b"x")]),
    ];
    mutation::send_all(&house.server, ("/ocsp", MEDIA_TYPE), &seeds, 100_000, |body| {
        let code = status_of(body);
        assert!([SUCCESSFUL, MALFORMED, UNAUTHORIZED, TRY_LATER].contains(&code), "{code}");
    });
    assert_eq!(house.post(&seeds[0]).0, SUCCESSFUL);
}
