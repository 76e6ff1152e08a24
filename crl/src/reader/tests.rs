//! One malformed CRL, one exact error.

use super::*;
use crate::der::value;
use crate::scope::{IssuingDistributionPoint, ScopeError};
use crate::test_support::{Parts, build, entry, extension, extensions, fields, name};
use crate::{CrlNumberError, EntryFields, ReasonCode, TimeError, TimeForm};

trait ReadParts {
    fn read(&self) -> Result<Crl, ReadError>;
}

impl ReadParts for Parts {
    fn read(&self) -> Result<Crl, ReadError> {
        read(&self.der())
    }
}

fn with(change: impl FnOnce(&mut Parts)) -> ReadError {
    let mut parts = Parts::new();
    change(&mut parts);
    parts.read().expect_err("refused")
}

/// Reads octets by both ways, which must agree, the stream an octet at a time.
fn read(octets: &[u8]) -> Result<Crl, ReadError> {
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(1);
            self.0.read(&mut buffer[..count])
        }
    }
    let slice = Reader::from_slice(octets, 100, |_| {}).and_then(Reader::finish);
    let stream = Reader::from_read(Slow(octets), 100, |_| {}).and_then(Reader::finish);
    match (&slice, &stream) {
        (Ok(slice), Ok(stream)) => assert_eq!(slice, stream),
        (
            Err(ReadError::Der { error: DerError::TrailingOctets { .. }, .. }),
            Err(ReadError::Der { error: DerError::TrailingOctets { .. }, .. }),
        ) => {}
        _ => assert_eq!(format!("{slice:?}"), format!("{stream:?}")),
    }
    slice
}

fn der(error: &ReadError) -> (Field, DerError) {
    match error {
        ReadError::Der { field, error, .. } => (*field, *error),
        other => panic!("{other:?}"),
    }
}

fn time(error: &ReadError) -> (Field, TimeError) {
    match error {
        ReadError::Time { field, error, .. } => (*field, *error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_parts_alone_are_a_crl() {
    let crl = Parts::new().read().unwrap();
    assert_eq!((crl.entries, crl.signature, crl.header.version), (1, vec![0xa5], Version::V2));
}

#[test]
fn lengths() {
    let der_octets = Parts::new().der();
    assert_eq!(der(&read(&[&[0x30, 0x80][..], &der_octets[3..]].concat()).unwrap_err()).1, DerError::IndefiniteLength);
    let padded = [&[0x30, 0x82, 0][..], &der_octets[2..]].concat();
    assert_eq!(der(&read(&padded).unwrap_err()), (Field::CertificateList, DerError::NonMinimalLength));
    let trailing = [&der_octets[..], &[0]].concat();
    let error = read(&trailing).unwrap_err();
    assert_eq!(der(&error), (Field::CertificateList, DerError::TrailingOctets { octets: 1 }));
    for end in 0..der_octets.len() {
        assert_eq!(der(&read(&der_octets[..end]).unwrap_err()).1, DerError::Truncated, "cut at {end}");
    }
    let long_entry = with(|parts| parts.revoked = vec![0x30, 3, 0x30, 9, 2]);
    assert_eq!(der(&long_entry), (Field::Entry, DerError::Truncated));
    let twice = with(|parts| parts.extensions.extend(extensions(&[extension(35, None, &[0x30, 0])])));
    assert!(matches!(der(&twice), (Field::TbsCertList, DerError::TrailingOctets { .. })));
    let more = with(|parts| parts.signature.extend([5, 0]));
    assert_eq!(der(&more), (Field::CertificateList, DerError::TrailingOctets { octets: 2 }));
}

#[test]
fn version_and_algorithms() {
    assert!(matches!(with(|parts| parts.version = vec![2, 1, 2]), ReadError::BadVersion { number: 2, .. }));
    assert!(matches!(with(|parts| parts.version = vec![2, 1, 0]), ReadError::BadVersion { number: 0, .. }));
    assert!(matches!(with(|parts| parts.version.clear()), ReadError::ExtensionsInV1 { .. }));
    let mut v1 = Parts::new();
    v1.version.clear();
    v1.extensions.clear();
    assert_eq!(v1.read().unwrap().header.version, Version::V1);
    v1.revoked = value(tag::SEQUENCE, &entry(&[extension(21, None, &[0x0a, 1, 1])]));
    assert!(matches!(v1.read(), Err(ReadError::ExtensionsInV1 { .. })));
    let differ = with(|parts| parts.outer_algorithm = vec![0x30, 3, 6, 1, 0x2a]);
    assert!(matches!(differ, ReadError::AlgorithmsDiffer { .. }));
    let bits = with(|parts| parts.signature = vec![3, 2, 1, 0xa4]);
    assert_eq!(der(&bits), (Field::SignatureValue, DerError::BadBitString));
    let no_name = with(|parts| parts.issuer = vec![0x30, 2, 5, 0]);
    assert_eq!(der(&no_name), (Field::Issuer, DerError::UnexpectedTag { expected: 0x31, found: 5 }));
}

#[test]
fn times() {
    let this = |tag, content: &[u8]| with(|parts| parts.this_update = value(tag, content));
    let fraction = this(tag::GENERALIZED_TIME, b"20240101000000.5Z");
    assert_eq!(time(&fraction), (Field::ThisUpdate, TimeError::FractionalSeconds));
    assert_eq!(time(&this(tag::UTC_TIME, b"240101000000")).1, TimeError::NoZulu);
    assert_eq!(time(&this(tag::UTC_TIME, b"240230000000Z")).1, TimeError::NotInCalendar);
    assert_eq!(time(&this(4, b"")).1, TimeError::NoTime { tag: 4 });
    let mut no_next = Parts::new();
    no_next.next_update.clear();
    assert_eq!(no_next.read().unwrap().header.next_update, None);
    let generalized = value(tag::GENERALIZED_TIME, b"20240108000000Z");
    no_next.next_update = generalized;
    assert_eq!(no_next.read().unwrap().header.next_update.unwrap().form, TimeForm::GeneralizedTime);
}

#[test]
fn entries() {
    let empty = with(|parts| parts.revoked = vec![0x30, 0]);
    assert!(matches!(empty, ReadError::EmptyRevokedCertificates { .. }));
    let mut parts = Parts::new();
    parts.revoked = vec![0x30, 0];
    let octets = parts.der();
    let tolerant = Reader::from_slice(&octets, 0, |_| {}).unwrap().tolerating_empty_list().finish().unwrap();
    assert!(tolerant.header.revoked_certificates_empty && tolerant.entries == 0);
    let serial = |octets: &[u8]| {
        let date = value(tag::UTC_TIME, b"231231000000Z");
        let entry = value(tag::SEQUENCE, &[value(tag::INTEGER, octets), date].concat());
        with(|parts| parts.revoked = value(tag::SEQUENCE, &entry))
    };
    assert_eq!(der(&serial(&[0x80])), (Field::UserCertificate, DerError::NegativeInteger));
    assert_eq!(der(&serial(&[0, 1])), (Field::UserCertificate, DerError::PaddedInteger));
    assert_eq!(der(&serial(&[])), (Field::UserCertificate, DerError::EmptyInteger));
    let mut negative = Parts::new();
    let of_minus_one = [value(tag::INTEGER, &[0xff]), value(tag::UTC_TIME, b"231231000000Z")].concat();
    negative.revoked = value(tag::SEQUENCE, &value(tag::SEQUENCE, &of_minus_one));
    let octets = negative.der();
    let tolerant = Reader::from_slice(&octets, 9, |_| {}).unwrap().tolerating_negative_serials();
    let index = crate::Index::from_crl(tolerant).unwrap().0;
    assert!(index.find(&[0xff]).is_some() && index.find(&[0, 0xff]).is_none());
    assert!(matches!(serial(&[1; 41]), ReadError::TooLarge { field: Field::UserCertificate, octets: 41, .. }));
    let bad_date = with(|parts| {
        let date = value(tag::UTC_TIME, b"2312310000Z");
        parts.revoked = value(tag::SEQUENCE, &value(tag::SEQUENCE, &[vec![2, 1, 1], date].concat()));
    });
    assert_eq!(time(&bad_date), (Field::RevocationDate, TimeError::NoSeconds));
    let many = with(|parts| parts.revoked = value(tag::SEQUENCE, &entry(&[]).repeat(101)));
    assert!(matches!(many, ReadError::TooManyEntries { limit: 100 }));
    let large = with(|parts| {
        let extension = extension(99, None, &[0; 40_000]);
        parts.revoked = value(tag::SEQUENCE, &entry(&[extension]));
    });
    assert!(matches!(large, ReadError::TooLarge { field: Field::Entry, limit: MAX_ENTRY_OCTETS, .. }));
}

fn with_entry_extensions(extensions: &[Vec<u8>]) -> Result<Crl, ReadError> {
    let mut parts = Parts::new();
    parts.revoked = value(tag::SEQUENCE, &entry(extensions));
    parts.read()
}

#[test]
fn entry_extensions() {
    let reason = |octets: &[u8]| extension(21, None, &value(tag::ENUMERATED, octets));
    let repeated = with_entry_extensions(&[reason(&[1]), reason(&[1])]).unwrap_err();
    assert!(
        matches!(repeated, ReadError::ExtensionRepeated { field: Field::CrlEntryExtensions, oid, .. } if oid == "2.5.29.21")
    );
    let negative = with_entry_extensions(&[reason(&[0xff])]).unwrap_err();
    assert_eq!(der(&negative), (Field::ReasonCode, DerError::NegativeInteger));
    let wide = with_entry_extensions(&[reason(&[1, 0])]).unwrap_err();
    assert!(matches!(wide, ReadError::TooLarge { field: Field::ReasonCode, .. }));
    assert!(with_entry_extensions(&[reason(&[7])]).is_ok(), "a reason that is none is told, not refused");
    let date = extension(24, None, &value(tag::UTC_TIME, b"231231000000Z"));
    let date = with_entry_extensions(&[date]).unwrap_err();
    assert_eq!(der(&date), (Field::InvalidityDate, DerError::UnexpectedTag { expected: 0x18, found: 0x17 }));
    let uri = extension(29, Some(0xff), &[0x30, 3, 0x86, 1, b'u']);
    let nameless = with_entry_extensions(&[uri]).unwrap_err();
    assert!(matches!(nameless, ReadError::CertificateIssuerWithoutName { .. }));
    let many: Vec<_> = (100..117).map(|last| extension(last, None, &[])).collect();
    let many = with_entry_extensions(&many).unwrap_err();
    assert!(matches!(many, ReadError::TooManyExtensions { limit: MAX_ENTRY_EXTENSIONS, .. }));
    let boolean = with_entry_extensions(&[extension(99, Some(1), &[])]).unwrap_err();
    assert_eq!(der(&boolean), (Field::CrlEntryExtensions, DerError::BadBoolean { value: 1 }));
    let empty = with(|parts| {
        let date = value(tag::UTC_TIME, b"231231000000Z");
        parts.revoked = value(tag::SEQUENCE, &value(tag::SEQUENCE, &[vec![2, 1, 1], date, vec![0x30, 0]].concat()));
    });
    assert_eq!(der(&empty), (Field::CrlEntryExtensions, DerError::Empty));
}

#[test]
fn crl_extensions() {
    let of = |all: &[Vec<u8>]| {
        let mut parts = Parts::new();
        parts.extensions = extensions(all);
        parts.read()
    };
    let number = extension(20, None, &[2, 1, 1]);
    let repeated = of(&[number.clone(), number]).unwrap_err();
    assert!(matches!(repeated, ReadError::ExtensionRepeated { field: Field::CrlExtensions, .. }));
    let negative = of(&[extension(20, None, &[2, 1, 0x80])]).unwrap_err();
    assert!(matches!(negative, ReadError::Number { error: CrlNumberError::Negative, .. }));
    let long = of(&[extension(20, None, &value(tag::INTEGER, &[1; 21]))]).unwrap_err();
    assert!(matches!(long, ReadError::Number { error: CrlNumberError::TooLong { octets: 21 }, .. }));
    let empty = of(&[extension(28, Some(0xff), &[0x30, 0])]).unwrap_err();
    assert!(matches!(empty, ReadError::Scope { error: ScopeError::EmptyIssuingDistributionPoint, .. }));
    assert_eq!(der(&of(&[]).unwrap_err()), (Field::CrlExtensions, DerError::Empty));
    let many: Vec<_> = (64..97).map(|last| extension(last, None, &[])).collect();
    assert!(matches!(of(&many), Err(ReadError::TooManyExtensions { limit: MAX_CRL_EXTENSIONS, .. })));
}

#[test]
fn after_an_error_nothing_is_read() {
    let mut parts = Parts::new();
    let bad = value(tag::SEQUENCE, &[2, 1, 0x80]);
    parts.revoked = value(tag::SEQUENCE, &[entry(&[]), bad, entry(&[])].concat());
    let octets = parts.der();
    let mut reader = Reader::from_slice(&octets, 100, |_| {}).unwrap();
    assert!(reader.next_entry().unwrap().is_some());
    assert_eq!(der(&reader.next_entry().unwrap_err()), (Field::UserCertificate, DerError::NegativeInteger));
    assert!(matches!(reader.next_entry(), Err(ReadError::AfterError)));
    assert!(matches!(reader.finish(), Err(ReadError::AfterError)));
}

#[test]
fn obstacles_are_told() {
    let mut parts = Parts::new();
    parts.extensions = extensions(&[extension(99, Some(0xff), &[])]);
    parts.revoked = value(tag::SEQUENCE, &entry(&[extension(98, Some(0xff), &[])]));
    let unknown = |last: u8| format!("2.5.29.{last}");
    assert_eq!(
        parts.read().unwrap().obstacles(),
        [
            Obstacle::UnknownCriticalExtension { oid: unknown(99) },
            Obstacle::UnknownCriticalEntryExtension { oid: unknown(98) },
        ]
    );
    let issuer = extension(29, Some(0xff), &value(tag::SEQUENCE, &value(0xa4, &name("Other"))));
    let direct = with_entry_extensions(&[issuer]).unwrap();
    assert_eq!(direct.obstacles(), [Obstacle::CertificateIssuerInDirectCrl]);
}

#[test]
fn the_certificate_issuer_carries_over() {
    let (own, other) = (name("CA"), name("Other"));
    let mut fields = fields();
    fields.issuing_distribution_point =
        Some(IssuingDistributionPoint { indirect_crl: true, ..IssuingDistributionPoint::default() });
    let plain = EntryFields { reason: Some(ReasonCode::Superseded), ..EntryFields::new(&[1], 0) };
    let entries = [
        plain,
        EntryFields { certificate_issuer: Some(&other), ..plain },
        plain,
        EntryFields { certificate_issuer: Some(&own), ..EntryFields::new(&[2], 0) },
        plain,
    ];
    let octets = build(&fields, &entries);
    let mut reader = Reader::from_slice(&octets, 5, |_| {}).unwrap();
    let mut issuers = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        issuers.push(entry.certificate_issuer.map(<[u8]>::to_vec));
        assert_eq!(
            entry.extensions().filter(|extension| extension.critical).count() == 1,
            entry.certificate_issuer_written
        );
    }
    assert_eq!(issuers, [None, Some(other.clone()), Some(other), None, None]);
    assert_eq!(reader.finish().unwrap().obstacles(), []);
}

#[test]
fn errors_name_field_and_place() {
    let error = with(|parts| parts.this_update = value(tag::UTC_TIME, b"240230000000Z"));
    assert_eq!(error.to_string(), "thisUpdate at octet 37 is no date and time of the calendar");
}
