//! Each rule finds what it is there to find; a certificate that is right breaks none.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;

use super::*;
use crate::asn1::{Oid, Reader, writer};
use crate::ca::builder::{IssuerUrls, Unsigned};
use crate::ca::extension::{
    self, DAY_S, ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXTENDED_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_PRIVATE_KEY_USAGE_PERIOD,
    ID_CE_SUBJECT_ALT_NAME, ID_CE_SUBJECT_KEY_IDENTIFIER, ID_PE_AUTHORITY_INFO_ACCESS,
};
use crate::ca::issue::IssueRequest;
use crate::ca::profile::ID_PKIX_OCSP_NOCHECK;
use crate::ca::test_key::{NOW_S, TestIssuer, TestKey};
use crate::ca::{AlternativeName, AttributeType, Subject, shipped};

/// A TBSCertificate's parts, each whole, to be changed one by one.
#[derive(Clone)]
struct Parts {
    version: Vec<u8>,
    serial: Vec<u8>,
    algorithm: Vec<u8>,
    issuer: Vec<u8>,
    not_before: Vec<u8>,
    not_after: Vec<u8>,
    subject: Vec<u8>,
    key: Vec<u8>,
    unique: Vec<u8>,
    extensions: Vec<(Oid, Vec<u8>)>,
}

impl Parts {
    fn read(tbs_der: &[u8]) -> Self {
        let mut fields = Reader::only(tbs_der, writer::SEQUENCE).unwrap();
        let mut next = || fields.read().unwrap();
        let (version, serial, algorithm, issuer) = (next(), next(), next(), next());
        let mut validity = Reader::new(next().content);
        let (subject, key, extensions) = (next(), next(), next());
        let mut list = Reader::only(extensions.content, writer::SEQUENCE).unwrap();
        let mut extensions = Vec::new();
        while !list.is_finished() {
            let whole = list.read().unwrap();
            let oid = Reader::new(whole.content).expect(writer::OBJECT_IDENTIFIER).unwrap().content;
            extensions.push((Oid::from_octets(oid).unwrap(), whole.whole.to_vec()));
        }
        Self {
            version: version.whole.to_vec(),
            serial: serial.whole.to_vec(),
            algorithm: algorithm.whole.to_vec(),
            issuer: issuer.whole.to_vec(),
            not_before: validity.read().unwrap().whole.to_vec(),
            not_after: validity.read().unwrap().whole.to_vec(),
            subject: subject.whole.to_vec(),
            key: key.whole.to_vec(),
            unique: Vec::new(),
            extensions,
        }
    }

    fn to_der(&self) -> Vec<u8> {
        let extensions: Vec<Vec<u8>> = self.extensions.iter().map(|(_, whole)| whole.clone()).collect();
        let extensions = writer::tlv(writer::context(3), &[&extension::sequence_of(&extensions)]);
        writer::tlv(
            writer::SEQUENCE,
            &[
                &self.version,
                &self.serial,
                &self.algorithm,
                &self.issuer,
                &writer::tlv(writer::SEQUENCE, &[&self.not_before, &self.not_after]),
                &self.subject,
                &self.key,
                &self.unique,
                &extensions,
            ],
        )
    }

    fn remove(&mut self, oid: ObjectIdentifier) {
        self.extensions.retain(|(known, _)| *known != Oid::from(oid));
    }

    fn add(&mut self, oid: ObjectIdentifier, critical: bool, value: &[u8]) {
        self.extensions.push((oid.into(), extension::extension(oid, critical, value)));
    }

    fn set(&mut self, oid: ObjectIdentifier, critical: bool, value: &[u8]) {
        self.remove(oid);
        self.add(oid, critical, value);
    }

    fn set_whole(&mut self, oid: ObjectIdentifier, whole: Vec<u8>) {
        self.remove(oid);
        self.extensions.push((oid.into(), whole));
    }

    fn value(&self, oid: ObjectIdentifier) -> Vec<u8> {
        let (_, whole) = self.extensions.iter().find(|(known, _)| *known == Oid::from(oid)).unwrap();
        let mut fields = Reader::only(whole, writer::SEQUENCE).unwrap();
        fields.read().unwrap();
        fields.optional(writer::BOOLEAN).unwrap();
        fields.expect(writer::OCTET_STRING).unwrap().content.to_vec()
    }
}

struct Bench {
    issuer: TestIssuer,
    key: TestKey,
    seen: BTreeSet<&'static str>,
}

fn profile(name: &str, from: &str, to: &str) -> IssuingProfile {
    let (_, text) = shipped().into_iter().find(|(known, _)| *known == name).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    IssuingProfile::parse(name, &text.replace(from, to)).unwrap()
}

fn shipped_profile(name: &str) -> IssuingProfile {
    profile(name, "", "")
}

impl Bench {
    fn new() -> Self {
        Self { issuer: TestIssuer::new(), key: TestKey::p256(), seen: BTreeSet::new() }
    }

    fn above(&self, profile: &IssuingProfile) -> &Certificate {
        if profile.is_ca { &self.issuer.root } else { &self.issuer.certificate }
    }

    /// The profile's own certificate: right, and to be spoilt.
    fn right(&self, profile: &IssuingProfile) -> Parts {
        let names: Vec<AlternativeName> = vec!["dns:tsa.example.org".parse().unwrap()];
        let server = profile.tls_baseline;
        let subject = if server {
            Subject::new([(AttributeType::CommonName, "tsa.example.org".to_owned())])
        } else {
            let parts =
                [(AttributeType::Country, "DE"), (AttributeType::Organization, "y"), (AttributeType::CommonName, "x")];
            Subject::new(parts.map(|(attribute, value)| (attribute, value.to_owned())))
        };
        let unsigned: Unsigned = profile
            .draft(&IssueRequest {
                public_key: &self.key.public,
                subject: &subject.unwrap(),
                alternative_names: if server { &names } else { &[] },
                policies: &[],
                issuer: self.above(profile),
                urls: &IssuerUrls::new("http://tsa.noonmark.example", "issuing"),
                publishes_crls: true,
                algorithm: self.issuer.key.public.algorithm().default_signature(),
                not_before_s: NOW_S,
                days: None,
                serial: &[0x41; 16],
            })
            .unwrap();
        assert_eq!(Parts::read(unsigned.tbs_der()).to_der(), unsigned.tbs_der());
        Parts::read(unsigned.tbs_der())
    }

    /// Spoils the profile's certificate; the rule must find it, and must not have found anything before.
    fn finds_in(&mut self, profile: &IssuingProfile, rule: &'static str, spoil: impl FnOnce(&mut Parts)) {
        let mut parts = self.right(profile);
        let named = |findings: &[LintFinding]| findings.iter().any(|finding| finding.rule == rule);
        let before = lint(&parts.to_der(), self.above(profile), profile);
        spoil(&mut parts);
        let after = lint(&parts.to_der(), self.above(profile), profile);
        assert!(rule == "tls-policy" || !named(&before), "{rule} finds what is right: {before:?}");
        assert!(named(&after), "{rule} finds nothing; found: {after:?}");
        let severities: Vec<Severity> = after.iter().map(|finding| finding.severity).collect();
        assert!(severities.is_sorted_by(|one, other| one >= other), "errors come first");
        self.seen.insert(rule);
    }

    fn finds(&mut self, rule: &'static str, spoil: impl FnOnce(&mut Parts)) {
        self.finds_in(&shipped_profile("tsu"), rule, spoil);
    }
}

fn name(pairs: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let sets: Vec<Vec<u8>> = pairs
        .iter()
        .map(|(oid, tag, value)| {
            let oid = oid.parse::<Oid>().unwrap().to_der();
            writer::tlv(writer::SET, &[&writer::tlv(writer::SEQUENCE, &[&oid, &writer::tlv(*tag, &[value])])])
        })
        .collect();
    extension::sequence_of(&sets)
}

const C: &str = "2.5.4.6";
const CN: &str = "2.5.4.3";
const PRINTABLE: u8 = 0x13;
const UTF8: u8 = 0x0c;

fn time(tag: u8, text: &str) -> Vec<u8> {
    writer::tlv(tag, &[text.as_bytes()])
}

fn spki(algorithm: &str, bits: &[u8]) -> Vec<u8> {
    let bits = writer::tlv(writer::BIT_STRING, &[&[0], bits]);
    writer::tlv(writer::SEQUENCE, &[&hex::decode(algorithm).unwrap(), &bits])
}

/// An RSA key of so many octets, whose modulus ends with this octet and that has this exponent.
fn rsa(octets: usize, last: u8, exponent: &[u8]) -> Vec<u8> {
    let mut modulus = vec![0xc1; octets];
    *modulus.last_mut().unwrap() = last;
    let key =
        writer::tlv(writer::SEQUENCE, &[&writer::unsigned_integer(&modulus), &writer::unsigned_integer(exponent)]);
    spki("300d06092a864886f70d0101010500", &key)
}

fn fields(bench: &mut Bench) {
    bench.finds("version", |parts| parts.version = vec![0xa0, 3, 2, 1, 1]);
    bench.finds("version", |parts| parts.version.clear());
    for serial in [&[][..], &[0], &[0x80], &[0, 0x7f], &[1; 21]] {
        bench.finds("serial-number", |parts| parts.serial = writer::tlv(writer::INTEGER, &[serial]));
    }
    bench.finds("serial-number-entropy", |parts| parts.serial = writer::tlv(writer::INTEGER, &[&[1; 7]]));
    let rsa_sha256 = hex::decode("300d06092a864886f70d01010b0500").unwrap();
    let ecdsa_with_null = hex::decode("300c06082a8648ce3d0403020500").unwrap();
    for algorithm in [rsa_sha256, ecdsa_with_null, vec![0x30, 0]] {
        bench.finds("signature-algorithm", |parts| parts.algorithm = algorithm);
    }
    bench.finds("issuer-name", |parts| parts.issuer = parts.subject.clone());
    for wrong in [
        time(writer::GENERALIZED_TIME, "20261201000000Z"),
        time(tbs::UTC_TIME, "2612010000Z"),
        time(tbs::UTC_TIME, "261201000000+0100"),
        time(tbs::UTC_TIME, "261301000000Z"),
        time(writer::GENERALIZED_TIME, "20501201000000.5Z"),
    ] {
        bench.finds("time-form", |parts| parts.not_after = wrong);
    }
    bench.finds("validity-order", |parts| parts.not_after = parts.not_before.clone());
    bench.finds("validity-within-issuer", |parts| parts.not_before = time(tbs::UTC_TIME, "261101000000Z"));
    bench.finds("validity-within-issuer", |parts| parts.not_after = time(tbs::UTC_TIME, "490101000000Z"));
    bench.finds("unique-identifiers", |parts| parts.unique = vec![0x82, 2, 0, 1]);
}

fn subjects(bench: &mut Bench) {
    bench.finds("name-form", |parts| parts.subject = vec![0x30, 2, 0x30, 0]);
    bench.finds_in(&shipped_profile("intermediate"), "name-form", |parts| parts.subject = vec![0x30, 0]);
    for pair in
        [(C, UTF8, &b"DE"[..]), (CN, 0x1e, b"\0x"), (CN, PRINTABLE, b"a*b"), (CN, UTF8, b"\xff"), (CN, 0x16, b"x")]
    {
        bench.finds("name-string-types", |parts| parts.subject = name(&[pair]));
    }
    let long = "ä".repeat(65);
    for pair in [(C, PRINTABLE, &b"DEU"[..]), (C, PRINTABLE, b"D"), (CN, UTF8, b""), (CN, UTF8, long.as_bytes())] {
        bench.finds("name-lengths", |parts| parts.subject = name(&[pair]));
    }
    bench.finds("subject-is-not-issuer", |parts| parts.subject = parts.issuer.clone());
    let own = bench.issuer.certificate.public_key.spki_der().to_vec();
    bench.finds("subject-is-not-issuer", |parts| parts.key = own);
    let email = name(&[("1.2.840.113549.1.9.1", 0x16, b"a@b.example")]);
    bench.finds("email-address-in-subject", |parts| parts.subject = email);
}

fn subject_keys(bench: &mut Bench) {
    let p256 = "301306072a8648ce3d020106082a8648ce3d030107";
    bench.finds("key-form", |parts| parts.key = spki(p256, &[4; 64]));
    bench.finds("key-form", |parts| parts.key = spki(p256, &[2; 65]));
    bench.finds("key-form", |parts| parts.key = spki("300706032b65700500", &[1; 32]));
    let without_null = hex::encode(rsa(384, 1, &[1, 0, 1])).replace("0d01010105000", "0d01010104000");
    bench.finds("key-form", |parts| parts.key = hex::decode(without_null).unwrap());
    for (last, exponent) in [(1, &[3][..]), (1, &[1, 0, 2]), (1, &[0xff, 0xff]), (1, &[1, 0, 0, 0]), (2, &[1, 0, 1])] {
        bench.finds("rsa-exponent", |parts| parts.key = rsa(384, last, exponent));
    }
    bench.finds("key-in-profile", |parts| parts.key = rsa(256, 1, &[1, 0, 1]));
}

fn extension_rules(bench: &mut Bench) {
    bench.finds("extensions-once", |parts| {
        let first = parts.extensions[0].clone();
        parts.extensions.push(first);
    });
    bench.finds("extensions-known", |parts| parts.add(ObjectIdentifier::new_unwrap("1.2.3"), false, &[5, 0]));
    bench.finds("criticality", |parts| {
        let value = parts.value(ID_CE_SUBJECT_KEY_IDENTIFIER);
        parts.set(ID_CE_SUBJECT_KEY_IDENTIFIER, true, &value);
    });
    for flag in [0, 1] {
        bench.finds("criticality", |parts| {
            let whole = extension::extension(ID_CE_KEY_USAGE, true, &parts.value(ID_CE_KEY_USAGE));
            let whole = hex::decode(hex::encode(whole).replace("0101ff", &format!("0101{flag:02x}"))).unwrap();
            parts.set_whole(ID_CE_KEY_USAGE, whole);
        });
    }
    bench.finds("authority-key-identifier", |parts| parts.remove(ID_CE_AUTHORITY_KEY_IDENTIFIER));
    bench.finds("authority-key-identifier", |parts| {
        parts.set(ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &[0x30, 3, 0x80, 1, 1]);
    });
    bench.finds("subject-key-identifier", |parts| parts.remove(ID_CE_SUBJECT_KEY_IDENTIFIER));
    bench.finds("subject-key-identifier", |parts| parts.set(ID_CE_SUBJECT_KEY_IDENTIFIER, false, &[4, 0]));
    bench.finds("key-usage", |parts| parts.remove(ID_CE_KEY_USAGE));
    let no_bit = [3, 1, 0];
    let not_minimal = [3, 2, 0, 0x80];
    let cert_sign_without_ca = [3, 2, 2, 0x84];
    let crl_sign_without_ca = [3, 2, 1, 0x82];
    let key_encipherment_with_ec = [3, 2, 5, 0xa0];
    for value in [&no_bit[..], &not_minimal, &cert_sign_without_ca, &crl_sign_without_ca, &key_encipherment_with_ec] {
        bench.finds("key-usage", |parts| parts.set(ID_CE_KEY_USAGE, true, value));
    }
    bench.finds("key-usage", |parts| {
        // keyAgreement with RSA.
        parts.key = rsa(384, 1, &[1, 0, 1]);
        parts.set(ID_CE_KEY_USAGE, true, &[3, 2, 3, 0x88]);
    });
    let intermediate = shipped_profile("intermediate");
    bench.finds_in(&intermediate, "key-usage", |parts| parts.set(ID_CE_KEY_USAGE, true, &[3, 2, 1, 2]));
    bench.finds("key-usage-critical", |parts| {
        let value = parts.value(ID_CE_KEY_USAGE);
        parts.set(ID_CE_KEY_USAGE, false, &value);
    });
    let twice = [0x30, 0x0c, 0x30, 4, 6, 2, 0x2a, 3, 0x30, 4, 6, 2, 0x2a, 3];
    for value in [&twice[..], &[0x30, 0], &[5, 0], &[0x30, 2, 0x30, 0]] {
        bench.finds("policies", |parts| parts.set(ID_CE_CERTIFICATE_POLICIES, false, value));
    }
    bench.finds_in(&intermediate, "basic-constraints", |parts| {
        let value = parts.value(ID_CE_BASIC_CONSTRAINTS);
        parts.set(ID_CE_BASIC_CONSTRAINTS, false, &value);
    });
    bench.finds("basic-constraints", |parts| parts.set(ID_CE_BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0]));
    bench.finds("basic-constraints", |parts| parts.set(ID_CE_BASIC_CONSTRAINTS, true, &[0x30, 3, 2, 1, 0]));
    // The issuing CA's own pathLenConstraint is 0.
    bench.finds("basic-constraints", |parts| parts.set(ID_CE_BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0xff]));
    let purpose = |list: &[&str]| {
        extension::sequence_of(&list.iter().map(|oid| oid.parse::<Oid>().unwrap().to_der()).collect::<Vec<_>>())
    };
    for value in [purpose(&[]), purpose(&["1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.8"]), vec![5, 0]] {
        bench.finds("extended-key-usage", |parts| parts.set(ID_CE_EXTENDED_KEY_USAGE, true, &value));
    }
}

fn pointers(bench: &mut Bench) {
    bench.finds("pointers", |parts| parts.set(ID_CE_CRL_DISTRIBUTION_POINTS, false, &[0x30, 0]));
    bench.finds("pointers", |parts| parts.set(ID_PE_AUTHORITY_INFO_ACCESS, false, &[0x30, 0]));
    for url in ["/crl", "crl.example.org", "http://"] {
        bench.finds("pointers", |parts| {
            parts.set_whole(ID_CE_CRL_DISTRIBUTION_POINTS, extension::distribution_point(url).unwrap());
        });
    }
    bench.finds("pointers-http", |parts| {
        let access = extension::information_access(Some("https://ocsp.example.org/"), None).unwrap();
        parts.set_whole(ID_PE_AUTHORITY_INFO_ACCESS, access);
    });
    for (from_s, until_s) in [(NOW_S - 1, NOW_S + 10), (NOW_S + 10, NOW_S + 10), (NOW_S, NOW_S + 3_650 * DAY_S)] {
        bench.finds("private-key-usage-period", |parts| {
            let period = extension::private_key_usage_period(from_s, until_s).unwrap();
            parts.set_whole(ID_CE_PRIVATE_KEY_USAGE_PERIOD, period);
        });
    }
    bench.finds("private-key-usage-period", |parts| parts.set(ID_CE_PRIVATE_KEY_USAGE_PERIOD, false, &[0x30, 0]));
    bench.finds("no-check", |parts| parts.add(ID_PKIX_OCSP_NOCHECK, false, &[5, 0]));
    let responder = shipped_profile("ocsp-responder");
    bench.finds_in(&responder, "no-check", |parts| parts.set(ID_PKIX_OCSP_NOCHECK, false, &[4, 0]));
}

fn alternative_names(bench: &mut Bench) {
    let server = shipped_profile("tls-server");
    let names = |list: &[(u8, &[u8])]| {
        let list: Vec<Vec<u8>> = list.iter().map(|(tag, content)| writer::tlv(*tag, &[content])).collect();
        extension::sequence_of(&list)
    };
    let one = names(&[(0x82, b"tsa.example.org")]);
    bench.finds_in(&server, "subject-alt-name", |parts| parts.set(ID_CE_SUBJECT_ALT_NAME, true, &one));
    bench.finds_in(&server, "subject-alt-name", |parts| parts.subject = vec![0x30, 0]);
    bench.finds_in(&server, "subject-alt-name", |parts| {
        parts.subject = vec![0x30, 0];
        parts.remove(ID_CE_SUBJECT_ALT_NAME);
    });
    for wrong in [
        names(&[]),
        names(&[(0x82, b"tsa.example.org"), (0x82, b"tsa.example.org")]),
        names(&[(0x82, b"TSA.example.org")]),
        names(&[(0x82, b"tsa_1.example.org")]),
        names(&[(0xa4, &[0x30, 0])]),
    ] {
        bench.finds_in(&server, "subject-alt-name", |parts| parts.set(ID_CE_SUBJECT_ALT_NAME, false, &wrong));
    }
    let set = |value: Vec<u8>| move |parts: &mut Parts| parts.set(ID_CE_SUBJECT_ALT_NAME, false, &value);
    bench.finds_in(&server, "profile-subject-alt-name", |parts| parts.remove(ID_CE_SUBJECT_ALT_NAME));
    bench.finds_in(&server, "profile-subject-alt-name", set(names(&[(0x81, b"a@b.example")])));
    let strict = profile("tls-server", "wildcards = true", "wildcards = false");
    bench.finds_in(&strict, "profile-subject-alt-name", set(names(&[(0x82, b"*.example.org")])));
    bench.finds_in(&server, "tls-names", |parts| parts.remove(ID_CE_SUBJECT_ALT_NAME));
    bench.finds_in(&server, "tls-names", set(names(&[(0x86, b"https://tsa.example.org/")])));
    bench.finds_in(&server, "tls-common-name", set(names(&[(0x82, b"www.example.org")])));
    bench.finds_in(&server, "tls-common-name", |parts| parts.subject = name(&[(CN, UTF8, b"TSA.example.org")]));
    bench.finds_in(&server, "tls-public-names", set(names(&[(0x82, b"tsa")])));
    for address in [[10, 0, 0, 1], [127, 0, 0, 1], [192, 0, 2, 1], [169, 254, 0, 1]] {
        bench.finds_in(&server, "tls-public-names", set(names(&[(0x87, &address)])));
    }
    bench.finds_in(&server, "tls-policy", |_| {});
    bench.finds_in(&server, "tls-key", |parts| parts.key = spki("300506032b6570", &[1; 32]));
    bench.finds_in(&server, "tls-key", |parts| parts.key = rsa(255, 1, &[1, 0, 1]));
    for purposes in ["300a06082b06010505070302", "301406082b0601050507030106082b06010505070303"] {
        bench.finds_in(&server, "tls-purposes", |parts| {
            parts.set(ID_CE_EXTENDED_KEY_USAGE, false, &hex::decode(purposes).unwrap());
        });
    }
    // 200 days after 2026-11-24T00:00:00Z less an hour, and a second.
    bench.finds_in(&server, "tls-validity", |parts| parts.not_after = time(tbs::UTC_TIME, "270611230000Z"));
    let mut last = bench.right(&server);
    last.not_after = time(tbs::UTC_TIME, "270611225959Z");
    assert!(
        !lint(&last.to_der(), &bench.issuer.certificate, &server).iter().any(|finding| finding.rule == "tls-validity")
    );
}

fn conformance(bench: &mut Bench) {
    bench.finds("profile-validity", |parts| parts.not_after = time(tbs::UTC_TIME, "361125000000Z"));
    bench.finds("profile-kind", |parts| parts.set(ID_CE_BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0xff]));
    let intermediate = shipped_profile("intermediate");
    bench.finds_in(&intermediate, "profile-kind", |parts| {
        parts.set(ID_CE_BASIC_CONSTRAINTS, true, &[0x30, 6, 1, 1, 0xff, 2, 1, 1]);
    });
    bench.finds_in(&intermediate, "profile-kind", |parts| parts.remove(ID_CE_BASIC_CONSTRAINTS));
    bench.finds("profile-key-usage", |parts| parts.set(ID_CE_KEY_USAGE, true, &[3, 2, 6, 0xc0]));
    bench.finds("profile-key-usage", |parts| parts.set(ID_CE_KEY_USAGE, false, &[3, 2, 7, 0x80]));
    let time_stamping = hex::decode("300a06082b06010505070308").unwrap();
    bench.finds("profile-extended-key-usage", |parts| parts.set(ID_CE_EXTENDED_KEY_USAGE, false, &time_stamping));
    bench.finds("profile-extended-key-usage", |parts| parts.remove(ID_CE_EXTENDED_KEY_USAGE));
    bench.finds("profile-subject", |parts| parts.subject = name(&[(CN, UTF8, b"x")]));
    let street = name(&[(C, PRINTABLE, b"DE"), ("2.5.4.10", UTF8, b"y"), ("2.5.4.9", UTF8, b"z"), (CN, UTF8, b"x")]);
    bench.finds("profile-subject", |parts| parts.subject = street);
    let fixed = profile("document-signer", "required = [\"C\", \"CN\"]", "required = [\"CN\"]\nfixed = { C = \"DE\" }");
    bench.finds_in(&fixed, "profile-subject", |parts| {
        parts.subject = name(&[(C, PRINTABLE, b"FR"), (CN, UTF8, b"x")]);
    });
    bench.finds_in(&shipped_profile("ocsp-responder"), "profile-subject", |parts| parts.subject = vec![0x30, 0]);
    let responder = shipped_profile("ocsp-responder");
    bench.finds_in(&responder, "profile-extensions", |parts| parts.remove(ID_PKIX_OCSP_NOCHECK));
    bench.finds_in(&responder, "profile-extensions", |parts| {
        let points = extension::distribution_point("http://crl.example.org/").unwrap();
        parts.set_whole(ID_CE_CRL_DISTRIBUTION_POINTS, points);
    });
    bench.finds_in(&responder, "profile-extensions", |parts| {
        parts.set_whole(ID_CE_CERTIFICATE_POLICIES, extension::policies(&["1.2.3".parse().unwrap()]));
    });
    bench.finds("profile-extensions", |parts| parts.remove(ID_CE_CERTIFICATE_POLICIES));
    bench.finds("profile-extensions", |parts| parts.remove(ID_CE_PRIVATE_KEY_USAGE_PERIOD));
}

#[test]
fn every_rule_finds_what_it_is_there_for() {
    let mut bench = Bench::new();
    fields(&mut bench);
    subjects(&mut bench);
    subject_keys(&mut bench);
    extension_rules(&mut bench);
    pointers(&mut bench);
    alternative_names(&mut bench);
    conformance(&mut bench);
    let names: BTreeSet<&str> = rules().map(|rule| rule.name).collect();
    assert_eq!(names.len(), rules().count(), "names are unique");
    assert_eq!(bench.seen, names, "a rule that no test makes fail");
}

#[test]
fn what_can_not_be_read_is_one_error() {
    let bench = Bench::new();
    let tsu = shipped_profile("tsu");
    let right = bench.right(&tsu).to_der();
    let mut many = bench.right(&tsu);
    for at in 0..64 {
        many.add(ObjectIdentifier::new(&format!("1.2.3.{at}")).unwrap(), false, &[5, 0]);
    }
    let cut = &right[..right.len() - 1];
    for wrong in [&[][..], &[0x30, 0], cut, &[&right[..], &[0]].concat(), &many.to_der()] {
        let found = lint(wrong, &bench.issuer.certificate, &tsu);
        let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, [READABLE]);
        assert!(list(&found).starts_with("readable (RFC 5280 §4.1): not a TBSCertificate"), "{}", list(&found));
    }
}

#[test]
fn changed_octets_never_panic() {
    let bench = Bench::new();
    let server = shipped_profile("tls-server");
    let right = bench.right(&server).to_der();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % below
    };
    for _ in 0..20_000 {
        let mut der = right.clone();
        for _ in 0..=random(3) {
            let at = random(der.len());
            der[at] = u8::try_from(random(256)).unwrap();
        }
        let _ = lint(&der, &bench.issuer.certificate, &server);
    }
}
