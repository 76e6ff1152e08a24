//! deltaCRLIndicator is critical, and builds on a CRL that is not later.

use super::{About, Findings, Profile, Rule};
use crate::extension::oid;
use crate::reader::Crl;

pub(super) struct DeltaCrlIndicator;

impl Rule for DeltaCrlIndicator {
    fn about(&self) -> About {
        About { name: "delta-crl-indicator", source: "RFC 5280 §5.2.4" }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        if crl.extensions.find(oid::DELTA_CRL_INDICATOR).is_some_and(|extension| !extension.critical) {
            findings.error(|| "deltaCRLIndicator is not critical: others take the delta for a complete CRL".to_owned());
        }
        if let (Some(base), Some(number)) = (&crl.extensions.base_crl_number, &crl.extensions.crl_number)
            && base > number
        {
            findings.error(|| "BaseCRLNumber is above the delta's own number".to_owned());
        }
    }
}
