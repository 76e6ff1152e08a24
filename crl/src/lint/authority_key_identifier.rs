//! authorityKeyIdentifier is there, with a keyIdentifier, not critical.

use super::{About, Findings, Profile, Rule};
use crate::extension::oid;
use crate::reader::{self, Crl};

pub(super) struct AuthorityKeyIdentifier;

impl Rule for AuthorityKeyIdentifier {
    fn about(&self) -> About {
        About { name: "authority-key-identifier", source: "RFC 5280 §5.2.1, §4.2.1.1" }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        match crl.extensions.find(oid::AUTHORITY_KEY_IDENTIFIER) {
            // One error is enough for a CRL that can't have extensions.
            None if crl.header.version == reader::Version::V1 => {}
            None => findings.error(|| "authorityKeyIdentifier is absent".to_owned()),
            Some(extension) if extension.critical => {
                findings.error(|| "authorityKeyIdentifier is critical".to_owned());
            }
            Some(_) if crl.extensions.authority_key_identifier.is_none() => {
                findings.error(|| "authorityKeyIdentifier has no keyIdentifier".to_owned());
            }
            Some(_) => {}
        }
    }
}
