use std::io::Cursor;

use super::*;
use crate::scope::{DistributionPoint, IssuingDistributionPoint, ScopeError};
use crate::test_support::{fields, name};
use crate::{CrlNumber, Reader, Version};

fn refused(fields: &CrlFields, entries: &[EntryFields<'_>]) -> BuildError {
    TbsCertList::new(fields, walk(entries).unwrap()).err().expect("refused")
}

#[test]
fn both_sources_write_the_same_and_the_phases_agree() {
    let serials: Vec<[u8; 4]> =
        (1..5000_u32).map(u32::to_be_bytes).map(|octets| [1, octets[1], octets[2], octets[3]]).collect();
    let entries: Vec<_> = serials.iter().map(|serial| EntryFields::new(serial, 1_700_000_000)).collect();
    let mut spool = EntrySpool::new(Cursor::new(Vec::new()));
    for entry in &entries {
        spool.push(entry).unwrap();
    }
    let mut spooled = TbsCertList::new(&fields(), spool.finish().unwrap()).unwrap();
    let mut walked = TbsCertList::new(&fields(), walk(&entries[..]).unwrap()).unwrap();
    let (mut one, mut two, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    spooled.for_each_tbs_chunk(|octets| one.extend_from_slice(octets)).unwrap();
    walked.write_tbs(&mut two).unwrap();
    assert_eq!(one, two);
    assert_eq!(walked.tbs_octets(), octets_u64(one.len()));
    walked.write_certificate_list(&[9; 256], &mut whole).unwrap();
    assert_eq!(whole, [walked.prefix(256), one.clone(), walked.suffix(&[9; 256])].concat());
    let mut seen = Vec::new();
    let crl = Reader::from_slice(&whole, u64::MAX, |octets| seen.extend_from_slice(octets)).unwrap().finish().unwrap();
    assert_eq!(seen, one, "the reader hands over what was signed");
    assert_eq!((crl.entries, crl.header.version, crl.signature), (4999, Version::V2, vec![9; 256]));
}

#[test]
fn every_field_reads_back() {
    let mut fields = fields();
    fields.issuing_distribution_point = Some(IssuingDistributionPoint::from_uri("http://a.example/1.crl").unwrap());
    fields.freshest_crl = vec![DistributionPoint::from_uri("http://a.example/1.delta").unwrap()];
    fields.expired_certs_on_crl_s = Some(1_600_000_000);
    let mut out = Vec::new();
    let entries: &[EntryFields<'_>] = &[];
    TbsCertList::new(&fields, walk(entries).unwrap()).unwrap().write_certificate_list(&[1], &mut out).unwrap();
    let crl = Reader::from_slice(&out, 0, |_| {}).unwrap().finish().unwrap();
    assert_eq!(crl.header.issuer, fields.issuer);
    assert_eq!(crl.header.signature_algorithm, fields.signature_algorithm);
    assert_eq!(crl.header.this_update.seconds, fields.this_update_s);
    assert_eq!(crl.header.next_update.unwrap().seconds, fields.next_update_s);
    assert_eq!(crl.extensions.authority_key_identifier, Some(fields.authority_key_identifier));
    assert_eq!(crl.extensions.crl_number, Some(fields.crl_number));
    assert_eq!(crl.extensions.base_crl_number, None);
    assert_eq!(crl.extensions.issuing_distribution_point, fields.issuing_distribution_point);
    assert_eq!(crl.extensions.freshest_crl, fields.freshest_crl);
    assert_eq!(crl.extensions.expired_certs_on_crl.unwrap().seconds, 1_600_000_000);
    assert_eq!(crl.obstacles(), []);
}

#[test]
fn refuses_fields_that_the_standard_forbids() {
    let good = fields();
    let with = |change: fn(&mut CrlFields)| {
        let mut fields = good.clone();
        change(&mut fields);
        refused(&fields, &[])
    };
    assert!(matches!(with(|f| f.issuer = vec![0x30, 0]), BuildError::Issuer(crate::DerError::Empty)));
    assert!(matches!(with(|f| f.issuer = vec![4, 0]), BuildError::Issuer(_)));
    assert!(matches!(with(|f| f.signature_algorithm = vec![0x30, 0]), BuildError::SignatureAlgorithm(_)));
    assert!(matches!(with(|f| f.next_update_s = f.this_update_s), BuildError::NextUpdateNotLater { .. }));
    assert!(matches!(with(|f| f.authority_key_identifier.clear()), BuildError::EmptyKeyIdentifier));
    assert!(matches!(with(|f| f.base_crl_number = Some(CrlNumber::from(u64::MAX))), BuildError::BaseAboveNumber));
    let empty = with(|f| f.issuing_distribution_point = Some(IssuingDistributionPoint::default()));
    assert!(matches!(empty, BuildError::Scope(ScopeError::EmptyIssuingDistributionPoint)));
    let freshest = with(|f| {
        f.base_crl_number = Some(CrlNumber::from(1));
        f.freshest_crl = vec![DistributionPoint::from_uri("http://a.example").unwrap()];
    });
    assert!(matches!(freshest, BuildError::FreshestCrlInDelta));
    let nameless = with(|f| f.freshest_crl = vec![DistributionPoint::default()]);
    assert!(matches!(nameless, BuildError::Scope(ScopeError::PointWithoutName)));
}

#[test]
fn refuses_entries_that_do_not_fit_the_crl() {
    let entry = |reason| EntryFields { reason: Some(reason), ..EntryFields::new(&[1], 0) };
    let mut fields = fields();
    let removed = [entry(ReasonCode::RemoveFromCrl)];
    assert!(matches!(refused(&fields, &removed), BuildError::RemoveFromCrlInCompleteCrl));
    fields.base_crl_number = Some(CrlNumber::from(1));
    assert!(TbsCertList::new(&fields, walk(&removed[..]).unwrap()).is_ok());
    let issuer = name("Other");
    let foreign = [EntryFields { certificate_issuer: Some(&issuer), ..EntryFields::new(&[1], 0) }];
    assert!(matches!(refused(&fields, &foreign), BuildError::CertificateIssuerInDirectCrl));
    let only_some_reasons = Some(ReasonFlags::of(&[ReasonCode::KeyCompromise]));
    fields.issuing_distribution_point = Some(IssuingDistributionPoint { only_some_reasons, ..Default::default() });
    let out_of_scope = refused(&fields, &[entry(ReasonCode::KeyCompromise), entry(ReasonCode::Superseded)]);
    assert!(matches!(out_of_scope, BuildError::ReasonOutOfScope { reason: ReasonCode::Superseded }));
}

/// A source that breaks its word: each walk gives an entry more.
struct Growing(std::cell::Cell<usize>);

impl EntrySource for Growing {
    fn entries(&self) -> std::io::Result<impl Iterator<Item = std::io::Result<EntryFields<'_>>>> {
        self.0.set(self.0.get() + 1);
        Ok((0..self.0.get()).map(|_| Ok(EntryFields::new(&[1], 0))))
    }
}

#[test]
fn a_source_that_changes_and_an_empty_signature_are_refused() {
    let mut tbs = TbsCertList::new(&fields(), walk(Growing(std::cell::Cell::new(0))).unwrap()).unwrap();
    let changed = tbs.write_tbs(&mut std::io::sink());
    assert!(matches!(changed, Err(BuildError::SourceChanged { first_octets: 20, octets: 40 })));
    let unsigned = tbs.write_certificate_list(&[], &mut std::io::sink());
    assert!(matches!(unsigned, Err(BuildError::EmptySignature)));
}
