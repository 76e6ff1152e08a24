//! DER omits `critical` where it is FALSE, its default.

use super::{About, Findings, Profile, Rule, entry_name};
use crate::reader::{Crl, Entry};

pub(super) struct DefaultWritten;

impl Rule for DefaultWritten {
    fn about(&self) -> About {
        About { name: "default-written", source: "X.690 §11.5" }
    }

    fn entry(&mut self, entry: &Entry<'_>, findings: &mut Findings) {
        for extension in entry.extensions().filter(|extension| extension.default_written) {
            findings.error(|| {
                format!("extension {} of {} writes critical FALSE", extension.dotted_oid(), entry_name(entry))
            });
        }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        for extension in crl.extensions.iter().filter(|extension| extension.default_written) {
            findings.error(|| format!("extension {} writes critical FALSE", extension.dotted_oid()));
        }
    }
}
