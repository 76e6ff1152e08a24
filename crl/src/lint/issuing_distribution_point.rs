//! issuingDistributionPoint is critical; that it is not empty the reader sees to.

use super::{About, Findings, Profile, Rule};
use crate::extension::oid;
use crate::reader::Crl;
use crate::scope::DistributionPointName;

pub(super) struct IssuingDistributionPoint;

impl Rule for IssuingDistributionPoint {
    fn about(&self) -> About {
        About { name: "issuing-distribution-point", source: "RFC 5280 §5.2.5, TLS BR 7.2" }
    }

    fn end(&mut self, crl: &Crl, profile: Profile, findings: &mut Findings) {
        if crl.extensions.find(oid::ISSUING_DISTRIBUTION_POINT).is_some_and(|extension| !extension.critical) {
            findings.error(|| {
                "issuingDistributionPoint is not critical: others take the partition for a complete CRL".to_owned()
            });
        }
        let Some(point) = &crl.extensions.issuing_distribution_point else { return };
        if matches!(point.distribution_point, Some(DistributionPointName::NameRelativeToCrlIssuer(_))) {
            findings.warning(|| "nameRelativeToCRLIssuer is used: conforming CAs SHOULD NOT".to_owned());
        }
        if point.only_some_reasons.is_some_and(|reasons| reasons.is_empty()) {
            findings.error(|| "onlySomeReasons has no reason that is known".to_owned());
        }
        if point.default_written {
            findings.error(|| "a FALSE is written, which DER omits as the default".to_owned());
        }
        if profile != Profile::Rfc5280 && (point.indirect_crl || point.only_some_reasons.is_some()) {
            findings.error(|| "indirectCRL or onlySomeReasons is used, which TLS BR 7.2 forbids".to_owned());
        }
    }
}
