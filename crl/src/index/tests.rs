use super::{build as laying, *};
use crate::scope::IssuingDistributionPoint;
use crate::test_support::{build, fields, name};
use crate::{CrlNumber, EntryFields, Reader};

fn index(octets: &[u8]) -> Index {
    Index::from_crl(Reader::from_slice(octets, u64::MAX, |_| {}).unwrap()).unwrap().0
}

fn written(index: &Index) -> Vec<u8> {
    let mut out = Vec::new();
    index.write_to(&mut out).unwrap();
    out
}

/// A thousand serials of 1 to 20 octets.
fn serials() -> Vec<Vec<u8>> {
    (1..=1000_u32)
        .map(|number| [&number.to_be_bytes()[2..], &vec![7; place_of(number)]].concat())
        .map(minimal)
        .collect()
}

fn place_of(number: u32) -> usize {
    usize::try_from(number % 19).unwrap()
}

fn minimal(mut serial: Vec<u8>) -> Vec<u8> {
    while serial.len() > 1 && serial[0] == 0 && serial[1] & 0x80 == 0 {
        serial.remove(0);
    }
    serial
}

#[test]
fn finds_every_entry_and_no_other() {
    let serials = serials();
    let entries: Vec<_> = serials
        .iter()
        .zip(0..)
        .map(|(serial, number)| EntryFields {
            reason: Some(ReasonCode::Superseded).filter(|_| number % 2 == 0),
            invalidity_date_s: Some(number).filter(|number| number % 3 == 0),
            ..EntryFields::new(serial, number)
        })
        .collect();
    let built = index(&build(&fields(), &entries));
    let read = Index::read_from(&mut &written(&built)[..], 1000).unwrap();
    assert_eq!(written(&read), written(&built));
    assert_eq!(read.starts, built.starts);
    for index in [&built, &read] {
        assert_eq!((index.len(), index.duplicates(), index.is_empty()), (1000, 0, false));
        for entry in &entries {
            let found = index.find(entry.serial).unwrap();
            assert_eq!(found.revocation_date_s, entry.revocation_date_s);
            assert_eq!(found.reason(), Ok(entry.reason));
            assert_eq!(found.invalidity_date_s, entry.invalidity_date_s);
        }
        for serial in &serials {
            let other = [&serial[..], &[1]].concat();
            assert_eq!(index.find(&other).is_some(), serials.contains(&other));
        }
        assert_eq!(index.iter().count(), 1000);
    }
}

#[test]
fn an_empty_crl_has_an_index() {
    let empty = index(&build(&fields(), &[]));
    assert_eq!((empty.len(), empty.find(&[1])), (0, None));
    assert_eq!(Index::read_from(&mut &written(&empty)[..], 0).unwrap().find(&[1]), None);
}

#[test]
fn long_serials_overflow() {
    let mut builder = IndexBuilder::new(&name("CA"));
    let octets = build(&fields(), &[EntryFields::new(&[1], 5)]);
    let mut reader = Reader::from_slice(&octets, 1, |_| {}).unwrap();
    let mut entry = reader.next_entry().unwrap().unwrap();
    let (one, two) = ([1; 21], [2; 40]);
    for serial in [&one[..], &two, &[3; 20]] {
        entry.serial = serial;
        builder.push(&entry).unwrap();
    }
    entry.serial = &[4; 41];
    assert!(matches!(builder.push(&entry), Err(IndexError::TooLarge)));
    let index = builder.finish().unwrap();
    let index = Index::read_from(&mut &written(&index)[..], 3).unwrap();
    assert!([&one[..], &two, &[3; 20]].iter().all(|serial| index.find(serial).is_some()));
    assert_eq!(index.find(&[1; 22]), None);
    assert_eq!(index.find(&[1; 20]), None);
}

#[test]
fn entries_of_other_issuers_stand_apart() {
    let (other, third) = (name("Other"), name("Third"));
    let mut fields = fields();
    fields.issuing_distribution_point = Some(IssuingDistributionPoint { indirect_crl: true, ..Default::default() });
    let entries = [
        EntryFields::new(&[1], 10),
        EntryFields { certificate_issuer: Some(&other), ..EntryFields::new(&[1], 20) },
        EntryFields::new(&[2], 30),
    ];
    let index = index(&build(&fields, &entries));
    let number = index.issuer(&other).unwrap();
    assert_eq!(index.find(&[1]).map(|found| found.revocation_date_s), Some(10));
    assert_eq!(index.find_of(number, &[1]).map(|found| found.revocation_date_s), Some(20));
    assert_eq!(index.find(&[2]), None);
    assert_eq!(index.find_of(number, &[2]).map(|found| found.issuer), Some(number));
    assert_eq!((index.issuer(&third), index.issuer(&name("CA"))), (None, Some(IssuerNumber::OWN)));
    assert_eq!(index.issuers().count(), 2);
}

#[test]
fn serials_that_share_a_hash_are_told_apart() {
    // Zeros at the end do not change a short serial's hash: seven serials a first octet, all in one bucket with one tag.
    let serials: Vec<Vec<u8>> =
        (1..=0x7f_u8).flat_map(|first| (0..7).map(move |zeros| [&[first][..], &vec![0; zeros]].concat())).collect();
    assert!(serials[..7].iter().all(|serial| hash(0, serial) == hash(0, &[1])));
    let entries: Vec<_> = serials.iter().zip(0..).map(|(serial, date_s)| EntryFields::new(serial, date_s)).collect();
    let built = index(&build(&fields(), &entries));
    let fullest = built.starts.windows(2).map(|pair| laying::place(pair[1] - pair[0])).max().unwrap();
    assert!(fullest > SCANNED_SLOTS, "{fullest}: no bucket is searched by halves");
    let read = Index::read_from(&mut &written(&built)[..], 1000).unwrap();
    for index in [&built, &read] {
        for entry in &entries {
            assert_eq!(index.find(entry.serial).map(|found| found.revocation_date_s), Some(entry.revocation_date_s));
        }
        assert_eq!(index.find(&[1, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(index.find(&[1, 1]), None);
    }
}

#[test]
fn of_duplicates_a_revocation_stays() {
    let mut fields = fields();
    fields.base_crl_number = Some(CrlNumber::from(1));
    let removed = EntryFields { reason: Some(ReasonCode::RemoveFromCrl), ..EntryFields::new(&[1], 10) };
    let index = index(&build(&fields, &[removed, EntryFields::new(&[1], 20), EntryFields::new(&[1], 30)]));
    assert_eq!((index.len(), index.duplicates()), (1, 2));
    assert_eq!(index.find(&[1]).map(|found| found.revocation_date_s), Some(20));
}

#[test]
fn files_that_are_none_are_refused() {
    let serials = serials();
    let entries: Vec<_> = serials.iter().map(|serial| EntryFields::new(serial, 0)).collect();
    let octets = written(&index(&build(&fields(), &entries)));
    let read = |octets: &[u8]| Index::read_from(&mut &*octets, 1000).err().expect("refused");
    let with = |place: usize, octet: u8| {
        let mut bad = octets.clone();
        bad[place] = octet;
        read(&bad)
    };
    assert!(matches!(with(0, b'C'), IndexError::NoIndex));
    assert!(matches!(with(8, 2), IndexError::Version { version: 2 }));
    assert!(matches!(with(12, 1), IndexError::Length { .. }));
    assert!(matches!(with(23, 1), IndexError::TooManyRecords { limit: 1000 }));
    assert!(matches!(with(24, 0), IndexError::BadIssuer { .. }));
    assert!(matches!(with(44, 4), IndexError::BadIssuer { number: 0 }));
    assert!(matches!(read(&octets[..octets.len() - 1]), IndexError::Truncated));
    assert!(matches!(read(&[&octets[..], &[0]].concat()), IndexError::Length { .. }));
    let records = octets.len() - 36 * 1000;
    assert!(matches!(with(records + 20, 41), IndexError::BadRecord { number: 0 }));
    let mut swapped = octets.clone();
    swapped[records..records + 72].rotate_left(36);
    assert!(matches!(read(&swapped), IndexError::Unordered { .. }));
    // No octet, changed, makes it panic.
    for place in 0..octets.len().min(2000) {
        let mut bad = octets.clone();
        bad[place] ^= 0x55;
        let _ = Index::read_from(&mut &bad[..], 1000).map(|index| index.find(&[1]));
    }
}
