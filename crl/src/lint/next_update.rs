//! nextUpdate is there, later than thisUpdate, and not too late.

use super::{About, Findings, Profile, Rule};
use crate::reader::Crl;

const DAY_S: i64 = 86_400;
/// TLS BR 7.2: ten days, for CRLs of subscriber certificates.
const END_ENTITY_MAX_S: i64 = 10 * DAY_S;
/// TLS BR 7.2: twelve months, for CRLs of CA certificates; the longest of them has 366 days.
const CA_MAX_S: i64 = 366 * DAY_S;

pub(super) struct NextUpdate;

impl Rule for NextUpdate {
    fn about(&self) -> About {
        About { name: "next-update", source: "RFC 5280 §5.1.2.5, TLS BR 7.2, CSBR 4.9.7" }
    }

    fn end(&mut self, crl: &Crl, profile: Profile, findings: &mut Findings) {
        let Some(next_update) = crl.header.next_update else {
            findings.error(|| "nextUpdate is absent".to_owned());
            return;
        };
        let validity_s = next_update.seconds - crl.header.this_update.seconds;
        if validity_s <= 0 {
            findings.error(|| format!("nextUpdate {next_update} is not later than thisUpdate"));
        }
        let max_s = match profile {
            Profile::Rfc5280 => return,
            Profile::EndEntity => END_ENTITY_MAX_S,
            Profile::Ca => CA_MAX_S,
        };
        if validity_s > max_s {
            findings.error(|| {
                format!("nextUpdate is {validity_s} s after thisUpdate: at most {} days are allowed", max_s / DAY_S)
            });
        }
    }
}
