//! A CRL is of version 2.

use super::{About, Findings, Profile, Rule};
use crate::reader::{self, Crl};

pub(super) struct Version;

impl Rule for Version {
    fn about(&self) -> About {
        About { name: "version", source: "RFC 5280 §5.1, TLS BR 7.2" }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        if crl.header.version == reader::Version::V1 {
            findings.error(|| "the CRL is of version 1: conforming CAs issue version 2".to_owned());
        }
    }
}
