//! Revocation reasons.

use std::fmt;

/// CRLReason (RFC 5280 §5.3.1), in the standard's order; 7 is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReasonCode {
    /// unspecified(0): SHOULD be left out instead of written.
    Unspecified,
    /// keyCompromise(1).
    KeyCompromise,
    /// cACompromise(2).
    CaCompromise,
    /// affiliationChanged(3).
    AffiliationChanged,
    /// superseded(4).
    Superseded,
    /// cessationOfOperation(5).
    CessationOfOperation,
    /// certificateHold(6).
    CertificateHold,
    /// removeFromCRL(8): only in delta CRLs.
    RemoveFromCrl,
    /// privilegeWithdrawn(9).
    PrivilegeWithdrawn,
    /// aACompromise(10).
    AaCompromise,
}

/// A number that is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonCodeError {
    /// The number.
    pub number: u8,
}

impl ReasonCode {
    /// Every reason, in the standard's order.
    pub const ALL: [Self; 10] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::RemoveFromCrl,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The number in CRLReason.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::RemoveFromCrl => 8,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// Whether a token that a TSU issued before its revocation for this reason stays good: 0, 3, 4 and 5 say so (RFC 3161 §4 item 1).
    #[must_use]
    pub const fn keeps_earlier_timestamps(self) -> bool {
        matches!(self, Self::Unspecified | Self::AffiliationChanged | Self::Superseded | Self::CessationOfOperation)
    }

    /// Whether an entry with this reason may stand in a complete CRL.
    #[must_use]
    pub const fn may_stand_in_complete_crl(self) -> bool {
        !matches!(self, Self::RemoveFromCrl)
    }
}

impl TryFrom<u8> for ReasonCode {
    type Error = ReasonCodeError;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::ALL.into_iter().find(|reason| reason.number() == number).ok_or(ReasonCodeError { number })
    }
}

impl fmt::Display for ReasonCodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no CRL reason (RFC 5280 §5.3.1)", self.number)
    }
}

impl std::error::Error for ReasonCodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_seven_is_none() {
        for reason in ReasonCode::ALL {
            assert_eq!(ReasonCode::try_from(reason.number()), Ok(reason));
        }
        assert_eq!(ReasonCode::try_from(7), Err(ReasonCodeError { number: 7 }));
        assert_eq!(ReasonCode::try_from(11), Err(ReasonCodeError { number: 11 }));
    }
}
