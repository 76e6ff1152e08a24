//! Serial numbers are positive and have at most 20 octets.

use super::{About, Findings, Rule, entry_name};
use crate::reader::Entry;

/// RFC 5280 §4.1.2.2.
const MAX_SERIAL_OCTETS: usize = 20;

pub(super) struct SerialNumber;

impl Rule for SerialNumber {
    fn about(&self) -> About {
        About { name: "serial-number", source: "RFC 5280 §4.1.2.2" }
    }

    fn entry(&mut self, entry: &Entry<'_>, findings: &mut Findings) {
        if entry.serial.len() > MAX_SERIAL_OCTETS {
            findings.error(|| format!("{} has {} octets, more than 20", entry_name(entry), entry.serial.len()));
        }
        if entry.serial == [0] {
            findings.error(|| format!("{} has number 0, which is not positive", entry_name(entry)));
        }
    }
}
