//! CRLReason: why a certificate is revoked or held (RFC 5280 §5.3.1).

/// Every reason that has a number; 7 is not used.
const REASONS: [(u8, &str); 10] = [
    (0, "unspecified"),
    (1, "keyCompromise"),
    (2, "cACompromise"),
    (3, "affiliationChanged"),
    (4, "superseded"),
    (5, "cessationOfOperation"),
    (6, "certificateHold"),
    (8, "removeFromCRL"),
    (9, "privilegeWithdrawn"),
    (10, "aACompromise"),
];

/// unspecified: written by leaving the reason out.
pub(super) const UNSPECIFIED: u8 = 0;
/// keyCompromise.
pub(super) const KEY_COMPROMISE: u8 = 1;
/// certificateHold: the one state that a certificate comes back from.
pub(super) const CERTIFICATE_HOLD: u8 = 6;
/// removeFromCRL: in delta CRLs alone, never a certificate's own reason.
pub(super) const REMOVE_FROM_CRL: u8 = 8;

/// The reason's name in RFC 5280; None for 7 and above 10.
#[must_use]
pub fn reason_name(reason: u8) -> Option<&'static str> {
    REASONS.iter().find(|(number, _)| *number == reason).map(|(_, name)| *name)
}

/// The reason with this name, whatever the case.
#[must_use]
pub fn reason_from_name(name: &str) -> Option<u8> {
    REASONS.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| *number)
}

/// Reasons as a message lists them: `keyCompromise, superseded`.
pub(super) fn names(reasons: &[u8]) -> String {
    reasons.iter().filter_map(|reason| reason_name(*reason)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rfc_5280s() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|reason| reason_name(*reason).is_some()).collect();
        assert_eq!(known, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]);
        for reason in known {
            assert_eq!(reason_from_name(reason_name(reason).unwrap()), Some(reason));
        }
        assert_eq!(reason_from_name("KEYCOMPROMISE"), Some(1));
        assert_eq!(reason_from_name("unused"), None);
        assert_eq!(names(&[1, 7, 4]), "keyCompromise, superseded");
    }
}
