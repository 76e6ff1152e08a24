//! Delta CRLs: whether one goes with a complete CRL, and what the two say together (RFC 5280 §5.2.4, §6.3.3).

use std::fmt;

use crate::index::{Index, IndexedEntry};
use crate::reader::Crl;
use crate::scope::IssuingDistributionPoint;
use crate::{CrlNumber, ReasonCode};

/// Why a delta does not go with a complete CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeltaMismatch {
    /// The CRL that was given as delta has no deltaCRLIndicator.
    NoDelta,
    /// The CRL that was given as base is itself a delta.
    BaseIsDelta,
    /// §6.3.3 (c)(1): not the same issuer, octet for octet.
    Issuer,
    /// §6.3.3 (c)(2): not the same scope.
    Scope,
    /// §6.3.3 (c)(3): not the same authority key identifier, or one has none.
    AuthorityKeyIdentifier,
    /// §5.2.3: one of them has no CRLNumber.
    NoNumber,
    /// §5.2.4 (c): the base is older than the one that the delta builds on.
    BaseTooOld {
        /// BaseCRLNumber.
        wanted: CrlNumber,
        /// The base's number.
        found: CrlNumber,
    },
    /// §5.2.4 (d): the delta is older than the base.
    DeltaOlder {
        /// The base's number.
        base: CrlNumber,
        /// The delta's number.
        delta: CrlNumber,
    },
}

/// Checks that a delta goes with a complete CRL. Signatures, freshness and [`Crl::obstacles`] are for the caller to judge.
///
/// §5.2.4 (d) wants the delta's number above the base's; an equal one, of the pair that is issued together and says the
/// same, is taken.
///
/// # Errors
/// The first condition that does not hold.
pub fn check_delta(base: &Crl, delta: &Crl) -> Result<(), DeltaMismatch> {
    let wanted = delta.extensions.base_crl_number.as_ref().ok_or(DeltaMismatch::NoDelta)?;
    if base.is_delta() {
        return Err(DeltaMismatch::BaseIsDelta);
    }
    if base.header.issuer != delta.header.issuer {
        return Err(DeltaMismatch::Issuer);
    }
    if scope(base) != scope(delta) {
        return Err(DeltaMismatch::Scope);
    }
    let (of_base, of_delta) = (&base.extensions, &delta.extensions);
    if of_base.authority_key_identifier.is_none()
        || of_base.authority_key_identifier != of_delta.authority_key_identifier
    {
        return Err(DeltaMismatch::AuthorityKeyIdentifier);
    }
    let (Some(base), Some(delta)) = (&of_base.crl_number, &of_delta.crl_number) else {
        return Err(DeltaMismatch::NoNumber);
    };
    if base < wanted {
        return Err(DeltaMismatch::BaseTooOld { wanted: wanted.clone(), found: base.clone() });
    }
    if delta < base {
        return Err(DeltaMismatch::DeltaOlder { base: base.clone(), delta: delta.clone() });
    }
    Ok(())
}

/// A CRL's scope; that a default was written makes none another.
fn scope(crl: &Crl) -> Option<IssuingDistributionPoint> {
    let point = crl.extensions.issuing_distribution_point.clone();
    point.map(|point| IssuingDistributionPoint { default_written: false, ..point })
}

/// A complete CRL's index and, over it, that of a delta which [`check_delta`] found to go with it.
#[derive(Clone, Copy)]
pub struct Overlay<'a> {
    /// The complete CRL's.
    pub base: &'a Index,
    /// The delta's, if there is one.
    pub delta: Option<&'a Index>,
}

impl Overlay<'_> {
    /// The entry that counts for a certificate of the CRL's own issuer: the delta's before the base's, and none where the
    /// delta's is removeFromCRL (§6.3.3 (i), (j)). `serial` is an INTEGER's content octets.
    #[must_use]
    pub fn find(&self, serial: &[u8]) -> Option<IndexedEntry> {
        self.pick(self.delta.and_then(|delta| delta.find(serial)), || self.base.find(serial))
    }

    /// The same for a certificate of an issuer by its Name's DER, in indirect CRLs. The entry's issuer number is of the
    /// index that has it.
    #[must_use]
    pub fn find_of(&self, issuer: &[u8], serial: &[u8]) -> Option<IndexedEntry> {
        let of = |index: &Index| index.issuer(issuer).and_then(|number| index.find_of(number, serial));
        self.pick(self.delta.and_then(of), || of(self.base))
    }

    fn pick(&self, delta: Option<IndexedEntry>, base: impl FnOnce() -> Option<IndexedEntry>) -> Option<IndexedEntry> {
        match delta {
            Some(entry) if entry.reason() == Ok(Some(ReasonCode::RemoveFromCrl)) => None,
            Some(entry) => Some(entry),
            None => base(),
        }
    }
}

impl fmt::Display for DeltaMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |number: &CrlNumber| crate::hex(&number.integer_octets());
        match self {
            Self::NoDelta => f.write_str("the CRL has no deltaCRLIndicator: it is no delta"),
            Self::BaseIsDelta => f.write_str("the base is itself a delta"),
            Self::Issuer => f.write_str("base and delta are of different issuers"),
            Self::Scope => f.write_str("base and delta have different issuing distribution points"),
            Self::AuthorityKeyIdentifier => f.write_str("base and delta do not name the same key"),
            Self::NoNumber => f.write_str("base or delta has no CRL number"),
            Self::BaseTooOld { wanted, found } => {
                write!(f, "the delta builds on CRL {} (hex) and the base is {}", hex(wanted), hex(found))
            }
            Self::DeltaOlder { base, delta } => {
                write!(f, "the delta's number {} (hex) is below the base's, {}", hex(delta), hex(base))
            }
        }
    }
}

impl std::error::Error for DeltaMismatch {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{build, fields, name};
    use crate::{CrlFields, EntryFields, Reader};

    fn read(fields: &CrlFields, entries: &[EntryFields<'_>]) -> (Index, Crl) {
        Index::from_crl(Reader::from_slice(&build(fields, entries), 100, |_| {}).unwrap()).unwrap()
    }

    fn mismatch(change: impl FnOnce(&mut CrlFields, &mut CrlFields)) -> Option<DeltaMismatch> {
        let (mut base, mut delta) = (fields(), fields());
        delta.crl_number = CrlNumber::from(9);
        delta.base_crl_number = Some(CrlNumber::from(7));
        change(&mut base, &mut delta);
        check_delta(&read(&base, &[]).1, &read(&delta, &[]).1).err()
    }

    #[test]
    fn each_condition_has_its_error() {
        let number = CrlNumber::from;
        assert_eq!(mismatch(|_, _| {}), None);
        assert_eq!(mismatch(|base, _| base.crl_number = number(8)), None, "a later base will do");
        assert_eq!(mismatch(|base, _| base.crl_number = number(9)), None, "issued together");
        assert_eq!(mismatch(|_, delta| delta.base_crl_number = None), Some(DeltaMismatch::NoDelta));
        assert_eq!(mismatch(|base, _| base.base_crl_number = Some(number(1))), Some(DeltaMismatch::BaseIsDelta));
        assert_eq!(mismatch(|_, delta| delta.issuer = name("Other")), Some(DeltaMismatch::Issuer));
        let partition = IssuingDistributionPoint::from_uri("http://a.example").unwrap();
        let scoped = mismatch(|_, delta| delta.issuing_distribution_point = Some(partition));
        assert_eq!(scoped, Some(DeltaMismatch::Scope));
        let other_key = mismatch(|base, _| base.authority_key_identifier = vec![1]);
        assert_eq!(other_key, Some(DeltaMismatch::AuthorityKeyIdentifier));
        let old = mismatch(|base, _| base.crl_number = number(6));
        assert_eq!(old, Some(DeltaMismatch::BaseTooOld { wanted: number(7), found: number(6) }));
        let older = mismatch(|base, _| base.crl_number = number(10));
        assert_eq!(older, Some(DeltaMismatch::DeltaOlder { base: number(10), delta: number(9) }));
    }

    #[test]
    fn the_delta_speaks_first() {
        let held = EntryFields { reason: Some(ReasonCode::CertificateHold), ..EntryFields::new(&[1], 10) };
        let base = read(&fields(), &[held, EntryFields::new(&[2], 20)]).0;
        let mut fields = fields();
        fields.base_crl_number = Some(CrlNumber::from(7));
        let removed = EntryFields { reason: Some(ReasonCode::RemoveFromCrl), ..held };
        let delta = read(&fields, &[removed, EntryFields::new(&[3], 30)]).0;
        let overlay = Overlay { base: &base, delta: Some(&delta) };
        let date = |found: Option<IndexedEntry>| found.map(|entry| entry.revocation_date_s);
        assert_eq!([&[1], &[2], &[3], &[4]].map(|serial| date(overlay.find(serial))), [None, Some(20), Some(30), None]);
        assert_eq!(date(overlay.find_of(&name("CA"), &[3])), Some(30));
        assert_eq!(date(overlay.find_of(&name("Other"), &[3])), None);
        let alone = Overlay { base: &base, delta: None };
        assert_eq!(date(alone.find(&[1])), Some(10));
    }
}
