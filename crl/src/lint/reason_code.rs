//! reasonCode: a reason, not unspecified, and one that the profile allows.

use super::{About, Findings, Profile, Rule, entry_name};
use crate::reader::{Crl, Entry};

/// What only the profile, which is known at the end, makes wrong: how many, and the first's name.
#[derive(Default)]
pub(super) struct ReasonCode {
    holds: u64,
    first_hold: Option<String>,
    without: u64,
    first_without: Option<String>,
}

impl Rule for ReasonCode {
    fn about(&self) -> About {
        About { name: "reason-code", source: "RFC 5280 §5.3.1, TLS BR 7.2.2" }
    }

    fn entry(&mut self, entry: &Entry<'_>, findings: &mut Findings) {
        match entry.reason() {
            Err(error) => findings.error(|| format!("{}: {error}", entry_name(entry))),
            Ok(Some(crate::ReasonCode::Unspecified)) => {
                findings.warning(|| format!("{} writes unspecified(0), which SHOULD be absent", entry_name(entry)));
            }
            Ok(Some(crate::ReasonCode::CertificateHold)) => {
                self.holds += 1;
                self.first_hold.get_or_insert_with(|| entry_name(entry));
            }
            Ok(None) => {
                self.without += 1;
                self.first_without.get_or_insert_with(|| entry_name(entry));
            }
            Ok(Some(_)) => {}
        }
    }

    fn end(&mut self, _: &Crl, profile: Profile, findings: &mut Findings) {
        if let (Some(first), false) = (self.first_hold.take(), profile == Profile::Rfc5280) {
            findings.error(|| format!("{first} is on hold, which TLS BR 7.2.2 forbids; {} are", self.holds));
        }
        if let (Some(first), Profile::Ca) = (self.first_without.take(), profile) {
            findings.error(|| {
                format!(
                    "{first} has no reasonCode, which TLS BR 7.2.2 wants for CA certificates; {} have none",
                    self.without
                )
            });
        }
    }
}
