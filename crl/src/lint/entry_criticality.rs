//! reasonCode and invalidityDate are not critical; certificateIssuer is.

use super::{About, Findings, Rule, entry_name};
use crate::extension::oid;
use crate::reader::Entry;

pub(super) struct EntryCriticality;

impl Rule for EntryCriticality {
    fn about(&self) -> About {
        About { name: "entry-criticality", source: "RFC 5280 §5.3.1, §5.3.2, §5.3.3" }
    }

    fn entry(&mut self, entry: &Entry<'_>, findings: &mut Findings) {
        for extension in entry.extensions() {
            let (name, critical) = match extension.oid {
                oid::REASON_CODE => ("reasonCode", false),
                oid::INVALIDITY_DATE => ("invalidityDate", false),
                oid::CERTIFICATE_ISSUER => ("certificateIssuer", true),
                _ => continue,
            };
            if extension.critical != critical {
                let is = if critical { "is not critical" } else { "is critical" };
                findings.error(|| format!("{name} of {} {is}", entry_name(entry)));
            }
        }
    }
}
