//! A CA's fields, and CRLs in parts that a test may spoil, with fixed dates.

use crate::der::{tag, value};
use crate::{CrlFields, CrlNumber, EntryFields, TbsCertList, walk};

/// sha256WithRSAEncryption with NULL parameters.
pub(crate) const ALGORITHM: &[u8] = &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0];

/// A Name of a commonName.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    let attribute = [&[6, 3, 0x55, 4, 3][..], &value(0x0c, common_name.as_bytes())].concat();
    value(tag::SEQUENCE, &value(tag::SET, &value(tag::SEQUENCE, &attribute)))
}

/// A complete CRL's fields, number 7, of 2023-11-14 for seven days.
pub(crate) fn fields() -> CrlFields {
    CrlFields {
        issuer: name("CA"),
        signature_algorithm: ALGORITHM.to_vec(),
        this_update_s: 1_700_000_000,
        next_update_s: 1_700_604_800,
        authority_key_identifier: vec![5; 20],
        crl_number: CrlNumber::from(7),
        base_crl_number: None,
        issuing_distribution_point: None,
        freshest_crl: Vec::new(),
        expired_certs_on_crl_s: None,
    }
}

/// The CRL of these fields and entries, with a signature that is none.
pub(crate) fn build(fields: &CrlFields, entries: &[EntryFields<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut tbs = TbsCertList::new(fields, walk(entries).unwrap()).unwrap();
    tbs.write_certificate_list(&[0xa5; 64], &mut out).unwrap();
    out
}

/// A CRL in parts, each a whole DER value, so that a test may spoil one.
pub(crate) struct Parts {
    pub(crate) version: Vec<u8>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: Vec<u8>,
    pub(crate) next_update: Vec<u8>,
    pub(crate) revoked: Vec<u8>,
    pub(crate) extensions: Vec<u8>,
    pub(crate) outer_algorithm: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Parts {
    pub(crate) fn new() -> Self {
        Self {
            version: vec![2, 1, 1],
            algorithm: ALGORITHM.to_vec(),
            issuer: name("CA"),
            this_update: value(tag::UTC_TIME, b"240101000000Z"),
            next_update: value(tag::UTC_TIME, b"240108000000Z"),
            revoked: value(tag::SEQUENCE, &entry(&[])),
            extensions: extensions(&[extension(20, None, &[2, 1, 1])]),
            outer_algorithm: ALGORITHM.to_vec(),
            signature: vec![3, 2, 0, 0xa5],
        }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let tbs = [
            &self.version[..],
            &self.algorithm,
            &self.issuer,
            &self.this_update,
            &self.next_update,
            &self.revoked,
            &self.extensions,
        ]
        .concat();
        let tbs = value(tag::SEQUENCE, &tbs);
        value(tag::SEQUENCE, &[&tbs[..], &self.outer_algorithm, &self.signature].concat())
    }
}

/// An entry of serial 1 with these extensions.
pub(crate) fn entry(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut content = [&[2, 1, 1][..], &value(tag::UTC_TIME, b"231231000000Z")].concat();
    if !extensions.is_empty() {
        content.extend(value(tag::SEQUENCE, &extensions.concat()));
    }
    value(tag::SEQUENCE, &content)
}

/// An extension 2.5.29.`last`.
pub(crate) fn extension(last: u8, critical: Option<u8>, extension_value: &[u8]) -> Vec<u8> {
    let critical = critical.map(|octet| vec![1, 1, octet]).unwrap_or_default();
    let octets = value(tag::OCTET_STRING, extension_value);
    value(tag::SEQUENCE, &[&[6, 3, 0x55, 0x1d, last][..], &critical, &octets].concat())
}

/// crlExtensions of these.
pub(crate) fn extensions(all: &[Vec<u8>]) -> Vec<u8> {
    value(tag::CONTEXT_0_CONSTRUCTED, &value(tag::SEQUENCE, &all.concat()))
}
