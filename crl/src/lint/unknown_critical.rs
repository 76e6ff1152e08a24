//! No critical extension that verifiers don't know.

use super::{About, Findings, Profile, Rule, entry_name};
use crate::der::dotted;
use crate::reader::{Crl, Entry};

pub(super) struct UnknownCritical;

impl Rule for UnknownCritical {
    fn about(&self) -> About {
        About { name: "unknown-critical", source: "RFC 5280 §5.2, §5.3" }
    }

    fn entry(&mut self, entry: &Entry<'_>, findings: &mut Findings) {
        if let Some(oid) = entry.unknown_critical {
            findings.warning(|| {
                format!("{} has critical extension {}, so the CRL can't say good", entry_name(entry), dotted(oid))
            });
        }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        for oid in &crl.extensions.unknown_critical {
            findings.warning(|| format!("critical extension {oid} is not known, so the CRL can't say good"));
        }
    }
}
