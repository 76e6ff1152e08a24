//! revokedCertificates is absent where nothing is revoked.

use super::{About, Findings, Profile, Rule};
use crate::reader::Crl;

pub(super) struct RevokedCertificates;

impl Rule for RevokedCertificates {
    fn about(&self) -> About {
        About { name: "revoked-certificates-empty", source: "RFC 5280 §5.1.2.6" }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        if crl.header.revoked_certificates_empty {
            findings.error(|| "revokedCertificates is empty and must be absent".to_owned());
        }
    }
}
