//! certificateIssuer stands only in indirect CRLs.

use super::{About, Findings, Profile, Rule};
use crate::reader::Crl;

pub(super) struct CertificateIssuer;

impl Rule for CertificateIssuer {
    fn about(&self) -> About {
        About { name: "certificate-issuer", source: "RFC 5280 §5.3.3" }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        if crl.has_certificate_issuer && !crl.is_indirect() {
            findings.error(|| "certificateIssuer stands in a CRL that is not indirect".to_owned());
        }
    }
}
