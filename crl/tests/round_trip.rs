//! What is built reads back, whatever the entries; and no mutation of it makes the reader panic.

use crl::lint::{Profile, lint};
use crl::scope::IssuingDistributionPoint;
use crl::{CrlFields, CrlNumber, EntryFields, Index, Reader, ReasonCode, TbsCertList, walk};
use proptest::prelude::*;

/// SEQUENCE { SET { SEQUENCE { commonName, UTF8String "x" } } }, with the letter to be chosen.
fn name(letter: u8) -> Vec<u8> {
    vec![0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, letter]
}

fn fields(delta: bool, indirect: bool) -> CrlFields {
    CrlFields {
        issuer: name(b'a'),
        signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        this_update_s: 1_700_000_000,
        next_update_s: 1_700_600_000,
        authority_key_identifier: vec![7; 20],
        crl_number: CrlNumber::from(300),
        base_crl_number: delta.then(|| CrlNumber::from(299)),
        issuing_distribution_point: indirect
            .then(|| IssuingDistributionPoint { indirect_crl: true, ..Default::default() }),
        freshest_crl: Vec::new(),
        expired_certs_on_crl_s: Some(1_500_000_000),
    }
}

/// An entry that owns its octets.
#[derive(Clone, Debug)]
struct Owned {
    serial: Vec<u8>,
    date_s: i64,
    reason: Option<ReasonCode>,
    invalidity_s: Option<i64>,
    issuer: Option<Vec<u8>>,
}

impl Owned {
    fn fields(&self) -> EntryFields<'_> {
        EntryFields {
            serial: &self.serial,
            revocation_date_s: self.date_s,
            reason: self.reason,
            invalidity_date_s: self.invalidity_s,
            certificate_issuer: self.issuer.as_deref(),
        }
    }
}

fn build(fields: &CrlFields, entries: &[Owned]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(Owned::fields).collect();
    let mut tbs = TbsCertList::new(fields, walk(&entries[..]).unwrap()).unwrap();
    let mut out = Vec::new();
    tbs.write_certificate_list(&[1; 70], &mut out).unwrap();
    out
}

/// From the year 0 to the year 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

fn entry() -> impl Strategy<Value = Owned> {
    let serial = prop::collection::vec(any::<u8>(), 1..=20).prop_map(|mut serial| {
        // Positive, and never padded.
        serial[0] = serial[0] & 0x7f | 0x40;
        serial
    });
    let reason = prop::option::of(prop::sample::select(ReasonCode::ALL.to_vec()));
    let issuer = prop::option::weighted(0.2, (b'a'..=b'e').prop_map(name));
    (serial, SECONDS, reason, prop::option::of(SECONDS), issuer).prop_map(
        |(serial, date_s, reason, invalidity_s, issuer)| Owned { serial, date_s, reason, invalidity_s, issuer },
    )
}

proptest! {
    #[test]
    fn what_is_built_reads_back(entries in prop::collection::vec(entry(), 0..200)) {
        let octets = build(&fields(true, true), &entries);
        let mut seen = Vec::new();
        let mut reader = Reader::from_read(&octets[..], 200, |octets| seen.extend_from_slice(octets)).unwrap();
        let mut issuer = None;
        for entry in &entries {
            let read = reader.next_entry().unwrap().expect("an entry");
            if let Some(name_of_entry) = &entry.issuer {
                issuer = Some(name_of_entry.clone()).filter(|issuer| *issuer != name(b'a'));
            }
            prop_assert_eq!(read.serial, &entry.serial[..]);
            prop_assert_eq!(read.revocation_date.seconds, entry.date_s);
            prop_assert_eq!(read.revocation_date.form, read.revocation_date.expected_form());
            prop_assert_eq!(read.reason(), Ok(entry.reason.filter(|reason| *reason != ReasonCode::Unspecified)));
            prop_assert_eq!(read.invalidity_date.map(|date| date.seconds), entry.invalidity_s);
            prop_assert_eq!(read.certificate_issuer, issuer.as_deref());
        }
        prop_assert!(reader.next_entry().unwrap().is_none());
        let crl = reader.finish().unwrap();
        prop_assert_eq!(crl.obstacles(), vec![]);
        prop_assert_eq!(crl.entries, u64::try_from(entries.len()).unwrap());
        // What the reader hands over is what stands in the CRL between its header and the algorithm.
        let start = octets.len() - seen.len() - 12 - 73;
        prop_assert_eq!(&octets[start..start + seen.len()], &seen[..]);
    }
}

/// A generator of numbers (xorshift), so that a failure can be had again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// Changes octets, cuts, doubles and swaps, one to three times.
fn mutate(octets: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) {
        if octets.is_empty() {
            return;
        }
        let place = numbers.below(octets.len());
        match numbers.below(6) {
            0 => octets[place] = numbers.octet(),
            1 => octets[place] ^= 1 << numbers.below(8),
            2 => octets[place] = [0, 0x7f, 0x80, 0x81, 0x82, 0xff, 0x30, 0xa0][numbers.below(8)],
            3 => octets.truncate(place),
            4 => octets.insert(place, numbers.octet()),
            _ => {
                octets.remove(place);
            }
        }
    }
}

#[test]
fn a_million_mutated_crls_do_not_panic() {
    let entry = |serial: u8, reason, issuer| Owned {
        serial: vec![serial],
        date_s: 1_690_000_000,
        reason,
        invalidity_s: Some(1_680_000_000),
        issuer,
    };
    let simple = [entry(1, Some(ReasonCode::KeyCompromise), None)];
    let foreign = [entry(2, None, Some(name(b'b'))), entry(3, Some(ReasonCode::Superseded), None)];
    let seeds = [
        build(&fields(false, false), &simple),
        build(&fields(true, true), &foreign),
        build(&fields(false, false), &[]),
    ];
    let mut numbers = Numbers(0x5eed);
    let (mut read, mut refused) = (0_u32, 0_u32);
    for turn in 0..1_000_000 {
        let mut octets = seeds[turn % seeds.len()].clone();
        mutate(&mut octets, &mut numbers);
        match Reader::from_slice(&octets, 10, |_| {}).and_then(Reader::finish) {
            Ok(_) => {
                read += 1;
                // What reads is indexed and linted as well, now and then by the stream.
                let reader = || Reader::from_slice(&octets, 10, |_| {}).unwrap();
                Index::from_crl(reader()).unwrap();
                let _ = lint(reader(), Profile::Ca);
            }
            Err(error) => {
                refused += 1;
                if turn % 1000 == 0 {
                    let by_stream = Reader::from_read(&octets[..], 10, |_| {}).and_then(Reader::finish);
                    assert_eq!(by_stream.unwrap_err().to_string(), error.to_string());
                }
            }
        }
    }
    assert!(read > 10_000 && refused > 500_000, "{read} read, {refused} refused: the mutations are of no use");
}

#[test]
fn mutated_index_files_do_not_panic() {
    let entries: Vec<_> = (1..100_u8)
        .map(|serial| Owned {
            serial: vec![serial],
            date_s: 0,
            reason: None,
            invalidity_s: None,
            issuer: (serial == 50).then(|| name(b'b')),
        })
        .collect();
    let octets = build(&fields(true, true), &entries);
    let (index, _) = Index::from_crl(Reader::from_slice(&octets, 100, |_| {}).unwrap()).unwrap();
    let mut file = Vec::new();
    index.write_to(&mut file).unwrap();
    let mut numbers = Numbers(0xfade);
    let mut refused = 0;
    for _ in 0..100_000 {
        let mut octets = file.clone();
        mutate(&mut octets, &mut numbers);
        match Index::read_from(&mut &octets[..], 1000) {
            Ok(index) => {
                let _ = index.find(&[7]);
                let mut again = Vec::new();
                index.write_to(&mut again).unwrap();
                assert_eq!(again, octets, "what reads is what would be written");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50_000, "{refused} refused: the mutations are of no use");
}
