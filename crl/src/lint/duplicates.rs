//! A certificate has one entry. The only rule that keeps something of each entry: 36 octets.

use super::{About, Findings, Profile, Rule};
use crate::index::IndexBuilder;
use crate::reader::{Crl, Entry, Header};

/// The entries in an index; `None` where there were more than it holds.
#[derive(Default)]
pub(super) struct Duplicates(Option<IndexBuilder>);

impl Rule for Duplicates {
    fn about(&self) -> About {
        About { name: "duplicate-serial", source: "RFC 5280 §5.1.2.6" }
    }

    fn header(&mut self, header: &Header) {
        self.0 = Some(IndexBuilder::new(&header.issuer));
    }

    fn entry(&mut self, entry: &Entry<'_>, _: &mut Findings) {
        if self.0.as_mut().is_some_and(|index| index.push(entry).is_err()) {
            self.0 = None;
        }
    }

    fn end(&mut self, _: &Crl, _: Profile, findings: &mut Findings) {
        match self.0.take().map(IndexBuilder::finish) {
            Some(Ok(index)) if index.duplicates() == 0 => {}
            Some(Ok(index)) => {
                findings.error(|| format!("{} entries repeat the serial of another", index.duplicates()));
            }
            _ => findings.warning(|| "too many entries to look for serials that stand twice".to_owned()),
        }
    }
}
