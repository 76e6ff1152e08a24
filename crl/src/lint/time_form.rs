//! UTCTime through 2049, GeneralizedTime from 2050 on.

use super::{About, Findings, Profile, Rule, entry_name};
use crate::reader::{Crl, Entry};
use crate::time;

pub(super) struct TimeForm;

impl Rule for TimeForm {
    fn about(&self) -> About {
        About { name: "time-form", source: "RFC 5280 §5.1.2.4, §5.1.2.6; X.509 §9.5.2.8" }
    }

    fn entry(&mut self, entry: &Entry<'_>, findings: &mut Findings) {
        if entry.revocation_date.form != entry.revocation_date.expected_form() {
            let date = entry.revocation_date;
            findings.error(|| format!("revocationDate {date} of {} is a {:?}", entry_name(entry), date.form));
        }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        let header = &crl.header;
        for (name, time) in [("thisUpdate", Some(header.this_update)), ("nextUpdate", header.next_update)] {
            if let Some(time) = time.filter(|time| time.form != time.expected_form()) {
                findings.error(|| format!("{name} {time} is a {:?}", time.form));
            }
        }
        if let Some(since) = crl.extensions.expired_certs_on_crl.filter(|since| since.form == time::TimeForm::UtcTime) {
            findings.error(|| format!("expiredCertsOnCRL {since} is a UTCTime: it is a GeneralizedTime of any year"));
        }
    }
}
