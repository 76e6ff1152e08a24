//! One malformed certificate, one exact error; and what is read of good ones.

use super::pki::{Draft, Key, ca, extension, general_names};
use crate::asn1::DerError;
use crate::asn1::writer::{self, tlv};
use crate::verify::{Certificate, CertificateError, Finding, GeneralName, oid};

fn read(draft: &Draft) -> Result<Certificate, CertificateError> {
    Certificate::from_der(&draft.sign(&Key::new()))
}

fn draft() -> Draft {
    Draft::new("Root", "Target", &Key::new())
}

/// Replaces the only occurrence of some octets in a signed certificate.
fn replaced(from: &[u8], to: &[u8]) -> Result<Certificate, CertificateError> {
    let mut der = draft().with(ca()).sign(&Key::new());
    let at = der.windows(from.len()).position(|window| window == from).unwrap();
    der[at..at + from.len()].copy_from_slice(to);
    Certificate::from_der(&der)
}

#[test]
fn each_malformation_has_its_error() {
    assert_eq!(read(&draft()).map(|_| ()), Ok(()));
    let v4 = replaced(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 3]);
    assert_eq!(v4.err(), Some(CertificateError::Version { version: 4 }));
    let v2_with_extensions = replaced(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]);
    assert_eq!(v2_with_extensions.err(), Some(CertificateError::Version { version: 2 }));
    let other_algorithm = replaced(&[0xce, 0x3d, 4, 3, 2], &[0xce, 0x3d, 4, 3, 3]);
    assert_eq!(other_algorithm.err(), Some(CertificateError::AlgorithmsDiffer));
    let twice = draft().with(ca()).with([extension(oid::KEY_USAGE, false, &[3, 2, 1, 6])]);
    let twice = read(&twice).err();
    assert_eq!(twice, Some(CertificateError::DuplicateExtension { oid: "2.5.29.15".to_owned() }));
    let mut no_time = draft();
    no_time.from = b"200101000000+";
    let error = crl::TimeError::NoZulu;
    assert_eq!(read(&no_time).err(), Some(CertificateError::Time { field: "notBefore", error }));
    let no_serial = read(&draft().serial(&[])).err();
    assert_eq!(no_serial, Some(CertificateError::Malformed(DerError::Value { what: "serialNumber" })));
    let many = draft().with((0..65_u8).map(|number| extension(&[0x2a, number], false, &[5, 0])));
    let many = read(&many).err();
    assert_eq!(many, Some(CertificateError::Malformed(DerError::Value { what: "number of extensions" })));
    let der = draft().sign(&Key::new());
    let trailing = Certificate::from_der(&[&der[..], &[0]].concat()).err();
    assert_eq!(trailing, Some(CertificateError::Malformed(DerError::Trailing { count: 1 })));
    for end in 0..der.len() {
        assert!(Certificate::from_der(&der[..end]).is_err());
    }
}

#[test]
fn strange_but_readable() {
    // Negative, zero and long serials; a signature of a part of an octet, which verifies under nothing.
    for serial in [&[0xff][..], &[0], &[1; 40], &[0, 0, 1]] {
        assert_eq!(read(&draft().serial(serial)).unwrap().serial(), serial);
    }
    let key = Key::new();
    let mut der = draft().sign(&key);
    let bits_at = der.len() - read(&draft()).unwrap().signature().len().max(70) - 4;
    let at = bits_at + der[bits_at..].windows(2).position(|pair| pair == [0, 0x30]).unwrap();
    der[at] = 1;
    assert!(Certificate::from_der(&der).unwrap().signature().is_empty());
    // An empty subjectAltName names nothing, and is told.
    let empty = read(&draft().with([extension(oid::SUBJECT_ALT_NAME, false, &[0x30, 0])])).unwrap();
    assert_eq!(empty.subject_alt_names(), Ok(Some(Vec::new())));
    assert_eq!(empty.malformed_extension(), None);
    assert!(empty.findings().contains(&Finding::ExtensionMalformed));
}

#[test]
fn extensions_are_read_as_they_are_written() {
    let critical = [
        extension(oid::BASIC_CONSTRAINTS, true, &[0x30, 9, 1, 1, 0xff, 2, 4, 0x7f, 0xff, 0xff, 0xff]),
        extension(oid::INHIBIT_ANY_POLICY, true, &[2, 6, 1, 0, 0, 0, 0, 0]),
        extension(oid::POLICY_CONSTRAINTS, true, &[0x30, 6, 0x80, 1, 2, 0x81, 1, 0]),
    ];
    let certificate = read(&draft().with(critical)).unwrap();
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert_eq!((constraints.is_ca, constraints.path_length), (true, Some(0x7fff_ffff)));
    assert_eq!(certificate.inhibit_any_policy(), Ok(Some(u32::MAX)));
    let constraints = certificate.policy_constraints().unwrap().unwrap();
    assert_eq!((constraints.require_explicit_policy, constraints.inhibit_policy_mapping), (Some(2), Some(0)));

    let bad: [(&[u8], &[u8], &str); 7] = [
        (oid::BASIC_CONSTRAINTS, &[0x30, 6, 1, 1, 0xff, 2, 1, 0x80], "basicConstraints"),
        (oid::KEY_USAGE, &[3, 2, 8, 0], "keyUsage"),
        (oid::EXTENDED_KEY_USAGE, &[0x30, 0], "extKeyUsage"),
        (oid::SUBJECT_ALT_NAME, &[0x30, 2, 0x89, 0], "subjectAltName"),
        (oid::NAME_CONSTRAINTS, &[0x30, 0], "nameConstraints"),
        (oid::CERTIFICATE_POLICIES, &[0x30, 8, 0x30, 2, 6, 0, 0x30, 2, 6, 0], "certificatePolicies"),
        (oid::INHIBIT_ANY_POLICY, &[2, 1, 0xff], "inhibitAnyPolicy"),
    ];
    for (oid, value, name) in bad {
        let certificate = read(&draft().with([extension(oid, false, value)])).unwrap();
        assert_eq!(certificate.malformed_extension().map(|(name, _)| name), Some(name));
    }
    // A minimum above zero and a maximum, which RFC 5280 §4.2.1.10 forbids.
    for bounds in [&[0x80, 1, 1][..], &[0x81, 1, 1]] {
        let subtree = tlv(writer::SEQUENCE, &[&[0x82, 1, b'a'], bounds]);
        let value = tlv(writer::SEQUENCE, &[&tlv(writer::context(0), &[&subtree])]);
        assert!(
            read(&draft().with([extension(oid::NAME_CONSTRAINTS, true, &value)])).unwrap().name_constraints().is_err()
        );
    }
}

#[test]
fn access_locations_are_read() {
    let url = tlv(0x86, &[b"http://a.example/"]);
    let describe =
        |method: &[u8], more: &[u8]| tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[method]), &url, more]);
    let with = |value: &[u8]| read(&draft().with([extension(oid::AUTHORITY_INFO_ACCESS, false, value)])).unwrap();
    let both = [describe(oid::ACCESS_OCSP, &[]), describe(oid::ACCESS_CA_ISSUERS, &[])].concat();
    let certificate = with(&tlv(writer::SEQUENCE, &[&both]));
    let described = certificate.authority_info_access().unwrap();
    let location = GeneralName::UniformResourceIdentifier(b"http://a.example/");
    assert!(described.iter().all(|one| one.location == location));
    let methods: Vec<&[u8]> = described.iter().map(|one| one.method).collect();
    assert_eq!(methods, [oid::ACCESS_OCSP, oid::ACCESS_CA_ISSUERS]);
    assert_eq!(read(&draft()).unwrap().authority_info_access(), Ok(Vec::new()));
    let trailing = tlv(writer::SEQUENCE, &[&describe(oid::ACCESS_OCSP, &[5, 0])]);
    for bad in [&[0x30, 0][..], &[0x31, 0], &trailing] {
        assert!(with(bad).authority_info_access().is_err(), "{bad:?}");
    }
}

#[test]
fn findings_are_told() {
    let found = |draft: Draft| read(&draft).unwrap().findings().to_vec();
    let names = |name: &[u8]| extension(oid::SUBJECT_ALT_NAME, false, &general_names(&[(0x82, name)]));
    for (name, good) in [
        (&b"*.example.com"[..], true),
        (b"xn--mller-kva.example", true),
        (b"under_score.example.com", false),
        (b"-a.example.com", false),
        (b"a..example.com", false),
        (b"*", false),
        (b"127.0.0.1", false),
    ] {
        assert_eq!(!found(draft().with([names(name)])).contains(&Finding::DnsNameSyntax), good, "{name:?}");
    }
    let mut nobody = draft();
    (nobody.issuer, nobody.subject) = (vec![0x30, 0], vec![0x30, 0]);
    let nobody = found(nobody.serial(&[0x80]));
    for finding in [Finding::SerialNotPositive, Finding::EmptyIssuer, Finding::EmptySubjectWithoutCriticalAltName] {
        assert!(nobody.contains(&finding), "{nobody:?}");
    }
    let user_signs = found(draft().with([extension(oid::KEY_USAGE, true, &[3, 2, 2, 4])]));
    assert!(user_signs.contains(&Finding::KeyCertSignWithoutCa));
}
