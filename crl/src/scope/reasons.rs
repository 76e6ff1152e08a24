//! ReasonFlags: which reasons a CRL or a distribution point speaks of (RFC 5280 §4.2.1.13).

use crate::ReasonCode;
use crate::der::DerError;

/// A set of reasons. The named bits are 1 to 8; `ALL` is RFC 5280 §6.3.2's all-reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReasonFlags(u16);

/// keyCompromise(1) to aACompromise(8); bit 0 is unused.
const NAMED_BITS: u16 = 0b1_1111_1110;

/// Octets of a BIT STRING with nine named bits, its count of unused bits included.
const MAX_BIT_STRING_OCTETS: usize = 3;

impl ReasonFlags {
    /// Every reason.
    pub const ALL: Self = Self(NAMED_BITS);
    /// No reason.
    pub const NONE: Self = Self(0);

    /// The set of these reasons; unspecified and removeFromCRL have no bit and are left out.
    #[must_use]
    pub fn of(reasons: &[ReasonCode]) -> Self {
        Self(reasons.iter().filter_map(|reason| Self::bit(*reason)).fold(0, |bits, bit| bits | 1 << bit))
    }

    /// The reason's bit number, which is not its number in CRLReason for all of them.
    const fn bit(reason: ReasonCode) -> Option<u8> {
        match reason {
            ReasonCode::Unspecified | ReasonCode::RemoveFromCrl => None,
            ReasonCode::PrivilegeWithdrawn => Some(7),
            ReasonCode::AaCompromise => Some(8),
            _ => Some(reason.number()),
        }
    }

    /// Whether a reason is in it. An entry without a reason, or unspecified, may stand in any CRL, so it is in every set.
    #[must_use]
    pub fn contains(self, reason: ReasonCode) -> bool {
        Self::bit(reason).is_none_or(|bit| self.0 & 1 << bit != 0)
    }

    /// Reasons in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Reasons in either: a reasons_mask that grows CRL by CRL (RFC 5280 §6.3.3 (l)).
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Reasons in this that are not in the other: what a further CRL would add (RFC 5280 §6.3.3 (e)).
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether no reason is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reads a BIT STRING's content; trailing zero bits, which DER cuts (X.690 §11.2.2), are taken.
    pub(crate) fn from_bit_string(content: &[u8]) -> Result<Self, DerError> {
        let (&unused, bits) = content.split_first().ok_or(DerError::BadBitString)?;
        if unused > 7 || content.len() > MAX_BIT_STRING_OCTETS || (bits.is_empty() && unused != 0) {
            return Err(DerError::BadBitString);
        }
        if bits.last().is_some_and(|last| last & ((1 << unused) - 1) != 0) {
            return Err(DerError::BadBitString);
        }
        let octet = |index: usize| bits.get(index).copied().unwrap_or(0);
        let first = octet(0).reverse_bits();
        let second = octet(1).reverse_bits();
        // Bits above 8 have no name: a CRL for them alone speaks for none that is known.
        Ok(Self((u16::from(first) | u16::from(second) << 8) & NAMED_BITS))
    }

    /// A BIT STRING's content, without trailing zero bits.
    pub(crate) fn bit_string(self) -> Vec<u8> {
        let [second, first] = self.0.to_be_bytes().map(u8::reverse_bits);
        let unused = |octet: u8| u8::try_from(octet.trailing_zeros()).unwrap_or(0);
        match (first, second) {
            (0, 0) => vec![0],
            (first, 0) => vec![unused(first), first],
            (first, second) => vec![unused(second), first, second],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_read_as_they_are_written() {
        assert_eq!(ReasonFlags::of(&[ReasonCode::KeyCompromise]).bit_string(), [6, 0x40]);
        assert_eq!(ReasonFlags::of(&[ReasonCode::AaCompromise]).bit_string(), [7, 0, 0x80]);
        assert_eq!(ReasonFlags::NONE.bit_string(), [0]);
        for set in [
            ReasonFlags::ALL,
            ReasonFlags::NONE,
            ReasonFlags::of(&[ReasonCode::KeyCompromise, ReasonCode::PrivilegeWithdrawn]),
            ReasonFlags::of(&[ReasonCode::AaCompromise]),
        ] {
            assert_eq!(ReasonFlags::from_bit_string(&set.bit_string()), Ok(set));
        }
        for bad in [&[][..], &[8, 0], &[1], &[1, 1], &[0, 0, 0, 0]] {
            assert_eq!(ReasonFlags::from_bit_string(bad), Err(DerError::BadBitString));
        }
    }

    #[test]
    fn sets() {
        let some = ReasonFlags::of(&[ReasonCode::KeyCompromise, ReasonCode::Superseded]);
        assert!(some.contains(ReasonCode::KeyCompromise) && !some.contains(ReasonCode::CaCompromise));
        assert!(some.contains(ReasonCode::Unspecified));
        assert_eq!(some.union(ReasonFlags::ALL), ReasonFlags::ALL);
        assert_eq!(some.intersection(ReasonFlags::ALL), some);
        assert!(some.without(ReasonFlags::ALL).is_empty());
    }
}
