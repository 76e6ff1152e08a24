//! Writes the seeds of the fuzz target `crl_reader`: `cargo run --example fuzz_seeds -- ../fuzz/seeds/crl_reader`.
//!
//! Dates are fixed, so that the same seeds come out each time.

use std::fs;
use std::path::PathBuf;

use crl::scope::{DistributionPoint, IssuingDistributionPoint, OnlyContains, ReasonFlags};
use crl::{BuildError, CrlFields, CrlNumber, EntryFields, Index, Reader, ReasonCode, TbsCertList, walk};

/// A Name of one commonName of one letter.
fn name(letter: u8) -> Vec<u8> {
    vec![0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, letter]
}

fn build(fields: &CrlFields, entries: &[EntryFields<'_>]) -> Result<Vec<u8>, BuildError> {
    let mut out = Vec::new();
    TbsCertList::new(fields, walk(entries)?)?.write_certificate_list(&[0xa5; 8], &mut out)?;
    Ok(out)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("usage: fuzz_seeds DIRECTORY")?);
    fs::create_dir_all(&directory)?;
    let complete = CrlFields {
        issuer: name(b'a'),
        signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        this_update_s: 1_700_000_000,
        next_update_s: 2_600_000_000,
        authority_key_identifier: vec![7; 4],
        crl_number: CrlNumber::from(300),
        base_crl_number: None,
        issuing_distribution_point: None,
        freshest_crl: vec![DistributionPoint::from_uri("http://a.example/d")?],
        expired_certs_on_crl_s: Some(1_500_000_000),
    };
    let delta = CrlFields {
        base_crl_number: Some(CrlNumber::from(299)),
        freshest_crl: Vec::new(),
        issuing_distribution_point: Some(IssuingDistributionPoint {
            only_contains: OnlyContains::UserCerts,
            only_some_reasons: Some(ReasonFlags::of(&[ReasonCode::KeyCompromise])),
            ..IssuingDistributionPoint::from_uri("http://a.example/1")?
        }),
        ..complete.clone()
    };
    let indirect = CrlFields {
        issuing_distribution_point: Some(IssuingDistributionPoint { indirect_crl: true, ..Default::default() }),
        ..complete.clone()
    };
    let other = name(b'b');
    let revoked = EntryFields { reason: Some(ReasonCode::KeyCompromise), ..EntryFields::new(&[1], 1_690_000_000) };
    let dated = EntryFields { invalidity_date_s: Some(1_680_000_000), ..EntryFields::new(&[2; 20], 1_690_000_000) };
    let removed = EntryFields { reason: Some(ReasonCode::RemoveFromCrl), ..EntryFields::new(&[3], 1_690_000_000) };
    let foreign = EntryFields { certificate_issuer: Some(&other), ..EntryFields::new(&[4], 2_550_000_000) };

    let foreign_crl = build(&indirect, &[revoked, foreign, dated])?;
    let (index, _) = Index::from_crl(Reader::from_slice(&foreign_crl, 10, |_| {})?)?;
    let mut index_file = Vec::new();
    index.write_to(&mut index_file)?;
    for (file, octets) in [
        ("complete", build(&complete, &[revoked, dated])?),
        ("delta", build(&delta, &[revoked, removed])?),
        ("empty", build(&complete, &[])?),
        ("indirect", foreign_crl),
        ("index", index_file),
    ] {
        fs::write(directory.join(file), octets)?;
    }
    Ok(())
}
