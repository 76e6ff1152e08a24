//! A CA's fields for unit tests, with fixed dates.

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
