//! Nothing is revoked later than the CRL was made.

use super::{About, Findings, Rule, entry_name};
use crate::reader::{Entry, Header};

#[derive(Default)]
pub(super) struct RevocationDate {
    this_update_s: i64,
}

impl Rule for RevocationDate {
    fn about(&self) -> About {
        About { name: "revocation-date", source: "RFC 5280 §5.1.2.4, §5.1.2.6" }
    }

    fn header(&mut self, header: &Header) {
        self.this_update_s = header.this_update.seconds;
    }

    fn entry(&mut self, entry: &Entry<'_>, findings: &mut Findings) {
        if entry.revocation_date.seconds > self.this_update_s {
            let date = entry.revocation_date;
            findings.error(|| format!("revocationDate {date} of {} is later than thisUpdate", entry_name(entry)));
        }
    }
}
