//! CRLNumber is there and not critical; that it has at most 20 octets the reader sees to.

use super::{About, Findings, Profile, Rule};
use crate::extension::oid;
use crate::reader::{self, Crl};

pub(super) struct CrlNumber;

impl Rule for CrlNumber {
    fn about(&self) -> About {
        About { name: "crl-number", source: "RFC 5280 §5.2.3, TLS BR 7.2" }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        match crl.extensions.find(oid::CRL_NUMBER) {
            None if crl.header.version == reader::Version::V1 => {}
            None => findings.error(|| "cRLNumber is absent".to_owned()),
            Some(extension) if extension.critical => findings.error(|| "cRLNumber is critical".to_owned()),
            Some(_) => {}
        }
    }
}
