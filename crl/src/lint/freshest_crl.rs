//! freshestCRL is not critical, and never stands in a delta.

use super::{About, Findings, Profile, Rule};
use crate::extension::oid;
use crate::reader::Crl;

pub(super) struct FreshestCrl;

impl Rule for FreshestCrl {
    fn about(&self) -> About {
        About { name: "freshest-crl", source: "RFC 5280 §5.2.6" }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        let Some(extension) = crl.extensions.find(oid::FRESHEST_CRL) else { return };
        if extension.critical {
            findings.error(|| "freshestCRL is critical".to_owned());
        }
        if crl.is_delta() {
            findings.error(|| "freshestCRL stands in a delta".to_owned());
        }
    }
}
