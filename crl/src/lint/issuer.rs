//! The issuer has a name.

use super::{About, Findings, Profile, Rule};
use crate::der::{only, tag};
use crate::reader::Crl;

pub(super) struct Issuer;

impl Rule for Issuer {
    fn about(&self) -> About {
        About { name: "issuer", source: "RFC 5280 §5.1.2.3" }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        if only(&crl.header.issuer, tag::SEQUENCE).is_ok_and(<[u8]>::is_empty) {
            findings.error(|| "issuer is an empty name".to_owned());
        }
    }
}
