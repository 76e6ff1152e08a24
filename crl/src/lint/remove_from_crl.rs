//! removeFromCRL stands only in deltas.

use super::{About, Findings, Profile, Rule, entry_name};
use crate::ReasonCode;
use crate::reader::{Crl, Entry};

/// Whether the CRL is a delta is known after the entries: how many there were, and the first's name.
#[derive(Default)]
pub(super) struct RemoveFromCrl {
    count: u64,
    first: Option<String>,
}

impl Rule for RemoveFromCrl {
    fn about(&self) -> About {
        About { name: "remove-from-crl", source: "RFC 5280 §5.3.1" }
    }

    fn entry(&mut self, entry: &Entry<'_>, _: &mut Findings) {
        if entry.reason_number == Some(ReasonCode::RemoveFromCrl.number()) {
            self.count += 1;
            self.first.get_or_insert_with(|| entry_name(entry));
        }
    }

    fn end(&mut self, crl: &Crl, _: Profile, findings: &mut Findings) {
        if let (Some(first), false) = (self.first.take(), crl.is_delta()) {
            findings.error(|| format!("{first} says removeFromCRL outside a delta; {} do", self.count));
        }
    }
}
