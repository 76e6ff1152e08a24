//! How a certificate's status may change: pure, over rows that the caller read and will write.
//!
//! Good ⇄ Held, Good → Revoked, Held → Revoked. Nothing leads out of Revoked; what may still change there is a reason
//! that becomes keyCompromise, with an earlier date (TLS BR 7.2.2: the date of the compromise, once it is known).

use super::certificate::Certificate;
use super::profile::ID_KP_TIME_STAMPING;
use super::reason::{self, CERTIFICATE_HOLD, KEY_COMPROMISE, REMOVE_FROM_CRL, UNSPECIFIED};
use crate::store::{CertificateState, RegistryRow, StatusRow};

/// What somebody wants of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWish {
    /// It holds no more, for ever.
    Revoke {
        /// CRLReason; 0 is the same as none (RFC 5280 §5.3.1).
        reason: Option<u8>,
        /// Since when, in seconds since 1970; now if it is not given.
        at_s: Option<i64>,
        /// invalidityDate, in seconds since 1970.
        invalidity_s: Option<i64>,
    },
    /// It is suspended: certificateHold.
    Hold,
    /// It holds again.
    Release,
}

/// What a certificate's status may become; see [`super::IssuingProfile::status_policy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPolicy {
    /// Whether it may be held.
    pub hold_allowed: bool,
    /// The reasons that a revocation may have; keyCompromise is always one.
    pub reasons: Vec<u8>,
    /// Whether a revocation must have one.
    pub reason_required: bool,
    /// Whether it is a CA's certificate: its revocation needs a reason whatever else is said here.
    pub is_ca: bool,
}

/// Why a status does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// It was never issued.
    #[error("this serial number is only intended: no certificate was issued with it, and none can be revoked or held")]
    NotIssued,
    /// It is revoked already.
    #[error("the certificate is revoked, for ever; only its reason may still become keyCompromise")]
    Revoked,
    /// It is held already.
    #[error("the certificate is held already; release it or revoke it")]
    Held,
    /// It is not held.
    #[error("the certificate is not held: there is nothing to release")]
    NotHeld,
    /// Its profile has no hold.
    #[error("certificates of this profile are never held; revoke it, or leave it")]
    HoldNotAllowed,
    /// A hold is asked for as a revocation.
    #[error("certificateHold is no revocation; ask for a hold")]
    HoldAsReason,
    /// 7 and what is above 10, and removeFromCRL.
    #[error("{reason} is no reason to revoke a certificate (RFC 5280 §5.3.1)")]
    NoReason {
        /// As given.
        reason: u8,
    },
    /// A reason that the profile does not know.
    #[error("{} is no reason for this certificate; its profile lists those that are", reason::reason_name(*reason).unwrap_or("this"))]
    ReasonNotAllowed {
        /// As given.
        reason: u8,
    },
    /// A reason must be given.
    #[error("this certificate is not revoked without a reason: give one that its profile lists")]
    ReasonMissing,
    /// A date that has not come.
    #[error("{field} {at_s} s since 1970 has not come yet")]
    Future {
        /// Which date.
        field: &'static str,
        /// As given.
        at_s: i64,
    },
    /// A revocation from before the certificate's time.
    #[error("the revocation's date {at_s} s since 1970 is before the certificate's notBefore {not_before_s}")]
    BeforeCertificate {
        /// As given.
        at_s: i64,
        /// The certificate's notBefore.
        not_before_s: i64,
    },
    /// A revocation that would begin after the hold did.
    #[error("the certificate is held since {held_s} s since 1970, and can't be revoked from a later time {at_s}")]
    AfterHold {
        /// As given.
        at_s: i64,
        /// The hold's date.
        held_s: i64,
    },
    /// An invalidityDate that is none.
    #[error("the invalidity date {at_s} s since 1970 is before 1970 or after the revocation itself")]
    Invalidity {
        /// As given.
        at_s: i64,
    },
}

/// The reasons that RFC 3161 §4 item 1 leaves to a time-stamping unit.
const TSU_REASONS: [u8; 4] = [1, 3, 4, 5];

impl Default for StatusPolicy {
    /// Of certificates that Noonmark did not issue: whatever RFC 5280 allows. Their CA decided, it is only repeated here.
    fn default() -> Self {
        Self { hold_allowed: true, reasons: vec![1, 2, 3, 4, 5, 9, 10], reason_required: false, is_ca: false }
    }
}

impl StatusPolicy {
    /// Of a certificate that came without a profile, by what it says itself: a TSU's and a CA's are stricter.
    #[must_use]
    pub fn for_certificate(certificate: &Certificate) -> Self {
        let is_ca = certificate.basic_constraints.is_some_and(|(ca, _)| ca);
        let usages = certificate.extended_key_usage.as_ref();
        let is_tsu = usages.is_some_and(|(usages, _)| usages.contains(&ID_KP_TIME_STAMPING));
        if is_tsu && !is_ca {
            Self { hold_allowed: false, reasons: TSU_REASONS.to_vec(), reason_required: true, is_ca }
        } else {
            Self { reason_required: is_ca, is_ca, ..Self::default() }
        }
    }

    /// The reasons that a profile may list (X.509 §9.5.3.1: cACompromise is a CA's, aACompromise an attribute authority's).
    pub(super) fn reasons_for(is_ca: bool, is_tsu: bool) -> Vec<u8> {
        match (is_ca, is_tsu) {
            (_, true) => TSU_REASONS.to_vec(),
            (true, false) => vec![1, 2, 3, 4, 5, 9],
            (false, false) => vec![1, 3, 4, 5, 9],
        }
    }

    fn reason(&self, wished: Option<u8>) -> Result<Option<u8>, StatusError> {
        match wished {
            // RFC 5280 §5.3.1: absent rather than unspecified.
            None | Some(UNSPECIFIED) if self.reason_required || self.is_ca => Err(StatusError::ReasonMissing),
            None | Some(UNSPECIFIED) => Ok(None),
            Some(CERTIFICATE_HOLD) => Err(StatusError::HoldAsReason),
            Some(reason) if reason == REMOVE_FROM_CRL || reason::reason_name(reason).is_none() => {
                Err(StatusError::NoReason { reason })
            }
            // A key that others have is never silenced by a profile.
            Some(reason) if reason == KEY_COMPROMISE || self.reasons.contains(&reason) => Ok(Some(reason)),
            Some(reason) => Err(StatusError::ReasonNotAllowed { reason }),
        }
    }
}

/// The row as it shall be, or why not. Who changed it and when is the caller's to say, and the change number the store's.
///
/// - A revocation's date is now, or one given that lies between notBefore and now.
/// - A held certificate that is revoked stays so from the hold's date on, or from an earlier one given: it did not hold
///   in between (X.509 §9.5.3.1: the revocation's date is then the date of the hold).
/// - A released one has no reason and no date any more.
/// - A revoked one takes keyCompromise as its reason, once; its date stays, or becomes an earlier one given. One that
///   has that reason may still get an earlier date or another invalidityDate.
///
/// # Errors
/// What the certificate's state or policy forbids, and dates that can't be.
pub fn change(
    row: &RegistryRow,
    wish: &StatusWish,
    policy: &StatusPolicy,
    now_s: i64,
) -> Result<RegistryRow, StatusError> {
    let before = row.status;
    let after = match (*wish, before.state) {
        (_, CertificateState::Intended) => return Err(StatusError::NotIssued),
        (StatusWish::Hold | StatusWish::Release, CertificateState::Revoked) => return Err(StatusError::Revoked),
        (StatusWish::Hold, CertificateState::Held) => return Err(StatusError::Held),
        (StatusWish::Hold, CertificateState::Good) if !policy.hold_allowed => return Err(StatusError::HoldNotAllowed),
        (StatusWish::Hold, CertificateState::Good) => StatusRow {
            state: CertificateState::Held,
            reason: Some(CERTIFICATE_HOLD),
            revoked_at_s: Some(now_s),
            invalidity_s: None,
            ..before
        },
        (StatusWish::Release, CertificateState::Good) => return Err(StatusError::NotHeld),
        (StatusWish::Release, CertificateState::Held) => {
            StatusRow { state: CertificateState::Good, reason: None, revoked_at_s: None, invalidity_s: None, ..before }
        }
        (StatusWish::Revoke { reason, .. }, CertificateState::Revoked) if reason != Some(KEY_COMPROMISE) => {
            return Err(StatusError::Revoked);
        }
        (StatusWish::Revoke { reason, at_s, invalidity_s }, state) => {
            let reason = policy.reason(reason)?;
            check_dates(row, at_s, invalidity_s, now_s)?;
            let held_s = before.revoked_at_s.unwrap_or(now_s);
            let (revoked_at_s, invalidity_s) = match state {
                CertificateState::Held => match at_s {
                    Some(at_s) if at_s > held_s => return Err(StatusError::AfterHold { at_s, held_s }),
                    at_s => (at_s.unwrap_or(held_s), invalidity_s),
                },
                CertificateState::Revoked => {
                    let date_s = at_s.map_or(held_s, |at_s| at_s.min(held_s));
                    (date_s, invalidity_s.or(before.invalidity_s.map(|date| date.min(date_s))))
                }
                CertificateState::Good | CertificateState::Intended => (at_s.unwrap_or(now_s), invalidity_s),
            };
            if let Some(at_s) = invalidity_s.filter(|date| *date > revoked_at_s) {
                return Err(StatusError::Invalidity { at_s });
            }
            let state_row = StatusRow {
                state: CertificateState::Revoked,
                reason,
                revoked_at_s: Some(revoked_at_s),
                invalidity_s,
                ..before
            };
            if state_row == before {
                return Err(StatusError::Revoked);
            }
            state_row
        }
    };
    Ok(RegistryRow { status: after, ..row.clone() })
}

fn check_dates(row: &RegistryRow, at_s: Option<i64>, invalidity_s: Option<i64>, now_s: i64) -> Result<(), StatusError> {
    for (field, date) in [("the revocation's date", at_s), ("the invalidity date", invalidity_s)] {
        if let Some(at_s) = date.filter(|date| *date > now_s) {
            return Err(StatusError::Future { field, at_s });
        }
    }
    if let Some(at_s) = at_s.filter(|date| *date < row.not_before_s) {
        return Err(StatusError::BeforeCertificate { at_s, not_before_s: row.not_before_s });
    }
    // A key may have been lost before its certificate was made: no other bound than GeneralizedTime's use here.
    if let Some(at_s) = invalidity_s.filter(|date| *date < 0) {
        return Err(StatusError::Invalidity { at_s });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOT_BEFORE_S: i64 = 1_000_000;
    const NOW_S: i64 = 2_000_000;

    fn row(state: CertificateState, reason: Option<u8>, revoked_at_s: Option<i64>) -> RegistryRow {
        RegistryRow {
            issuer_id: 1,
            serial: vec![1],
            status: StatusRow { state, reason, revoked_at_s, invalidity_s: None, change_number: 7 },
            profile: "document-signer".to_owned(),
            subject: "CN=x".to_owned(),
            not_before_s: NOT_BEFORE_S,
            not_after_s: 3_000_000,
            crl_partition: 0,
            certificate_sha256: None,
            changed_by: "somebody".to_owned(),
            changed_at_us: 5,
        }
    }

    fn good() -> RegistryRow {
        row(CertificateState::Good, None, None)
    }

    fn held(since_s: i64) -> RegistryRow {
        row(CertificateState::Held, Some(6), Some(since_s))
    }

    fn revoked(reason: Option<u8>, since_s: i64) -> RegistryRow {
        row(CertificateState::Revoked, reason, Some(since_s))
    }

    fn revoke(reason: u8) -> StatusWish {
        StatusWish::Revoke { reason: Some(reason), at_s: None, invalidity_s: None }
    }

    fn revoke_at(reason: Option<u8>, at_s: i64) -> StatusWish {
        StatusWish::Revoke { reason, at_s: Some(at_s), invalidity_s: None }
    }

    fn changed(row: &RegistryRow, wish: StatusWish) -> Result<StatusRow, StatusError> {
        changed_by(row, wish, &StatusPolicy::default())
    }

    fn changed_by(row: &RegistryRow, wish: StatusWish, policy: &StatusPolicy) -> Result<StatusRow, StatusError> {
        let after = change(row, &wish, policy, NOW_S)?;
        assert_eq!(RegistryRow { status: row.status, ..after.clone() }, *row, "only the status changes");
        Ok(after.status)
    }

    #[test]
    fn a_certificate_is_held_released_and_revoked() {
        assert_eq!(changed(&good(), StatusWish::Hold), Ok(held(NOW_S).status));
        assert_eq!(changed(&held(1_500_000), StatusWish::Release), Ok(good().status));
        assert_eq!(changed(&good(), revoke(4)), Ok(revoked(Some(4), NOW_S).status));
        assert_eq!(changed(&good(), revoke(0)), Ok(revoked(None, NOW_S).status), "unspecified is left out");
        assert_eq!(changed(&held(1_500_000), revoke(4)), Ok(revoked(Some(4), 1_500_000).status), "the hold's date");
        assert_eq!(changed(&held(1_500_000), revoke_at(Some(1), 1_400_000)), Ok(revoked(Some(1), 1_400_000).status));
        assert_eq!(
            changed(&held(1_500_000), revoke_at(Some(1), 1_500_001)),
            Err(StatusError::AfterHold { at_s: 1_500_001, held_s: 1_500_000 })
        );
        assert_eq!(changed(&held(1_500_000), StatusWish::Hold), Err(StatusError::Held));
        assert_eq!(changed(&good(), StatusWish::Release), Err(StatusError::NotHeld));
    }

    #[test]
    fn what_was_never_issued_has_no_status() {
        let intended = row(CertificateState::Intended, None, None);
        for wish in [revoke(1), StatusWish::Hold, StatusWish::Release] {
            assert_eq!(changed(&intended, wish), Err(StatusError::NotIssued));
        }
    }

    #[test]
    fn a_revoked_one_only_becomes_keycompromise() {
        let since_s = 1_500_000;
        for wish in [revoke(4), revoke(0), revoke(7), StatusWish::Hold, StatusWish::Release] {
            assert_eq!(changed(&revoked(Some(4), since_s), wish), Err(StatusError::Revoked), "{wish:?}");
            assert_eq!(changed(&revoked(Some(1), since_s), wish), Err(StatusError::Revoked), "{wish:?}");
        }
        assert_eq!(changed(&revoked(Some(4), since_s), revoke(1)), Ok(revoked(Some(1), since_s).status));
        assert_eq!(
            changed(&revoked(None, since_s), revoke_at(Some(1), 1_200_000)),
            Ok(revoked(Some(1), 1_200_000).status)
        );
        let later = changed(&revoked(Some(4), since_s), revoke_at(Some(1), 1_600_000));
        assert_eq!(later, Ok(revoked(Some(1), since_s).status), "the earlier date stays");
        assert_eq!(changed(&revoked(Some(1), since_s), revoke(1)), Err(StatusError::Revoked), "nothing new");
        assert_eq!(
            changed(&revoked(Some(1), since_s), revoke_at(Some(1), 1_200_000)),
            Ok(revoked(Some(1), 1_200_000).status)
        );
        let mut known = revoked(Some(1), since_s);
        known.status.invalidity_s = Some(1_450_000);
        let earlier = changed(&known, revoke_at(Some(1), 1_200_000)).unwrap();
        assert_eq!(earlier.invalidity_s, Some(1_200_000), "it did not become invalid after its revocation");
    }

    #[test]
    fn dates_lie_between_the_certificates_begin_and_now() {
        assert_eq!(changed(&good(), revoke_at(Some(1), NOW_S)), Ok(revoked(Some(1), NOW_S).status));
        assert_eq!(changed(&good(), revoke_at(Some(1), NOT_BEFORE_S)), Ok(revoked(Some(1), NOT_BEFORE_S).status));
        let future = changed(&good(), revoke_at(None, NOW_S + 1));
        assert_eq!(future, Err(StatusError::Future { field: "the revocation's date", at_s: NOW_S + 1 }));
        let before = changed(&good(), revoke_at(None, NOT_BEFORE_S - 1));
        let expected = StatusError::BeforeCertificate { at_s: NOT_BEFORE_S - 1, not_before_s: NOT_BEFORE_S };
        assert_eq!(before, Err(expected));
        let invalid = |invalidity_s| {
            let wish = StatusWish::Revoke { reason: Some(1), at_s: Some(1_500_000), invalidity_s: Some(invalidity_s) };
            changed(&good(), wish).map(|status| status.invalidity_s)
        };
        assert_eq!(invalid(1_500_000), Ok(Some(1_500_000)));
        assert_eq!(invalid(0), Ok(Some(0)), "the key may have been lost before the certificate was made");
        assert_eq!(invalid(-1), Err(StatusError::Invalidity { at_s: -1 }));
        assert_eq!(invalid(1_500_001), Err(StatusError::Invalidity { at_s: 1_500_001 }));
        assert_eq!(invalid(NOW_S + 1), Err(StatusError::Future { field: "the invalidity date", at_s: NOW_S + 1 }));
    }

    #[test]
    fn reasons_are_those_of_the_policy() {
        assert_eq!(changed(&good(), revoke(6)), Err(StatusError::HoldAsReason));
        for reason in [7, 8, 11, 255] {
            assert_eq!(changed(&good(), revoke(reason)), Err(StatusError::NoReason { reason }));
        }
        let none = StatusWish::Revoke { reason: None, at_s: None, invalidity_s: None };
        let policy = StatusPolicy { hold_allowed: false, reasons: vec![4], reason_required: true, is_ca: false };
        for wish in [none, revoke(0)] {
            assert_eq!(changed_by(&good(), wish, &policy), Err(StatusError::ReasonMissing));
            let ca = StatusPolicy { is_ca: true, ..StatusPolicy::default() };
            assert_eq!(changed_by(&good(), wish, &ca), Err(StatusError::ReasonMissing), "TLS BR 7.2.2");
            assert!(changed(&good(), wish).is_ok());
        }
        assert_eq!(changed_by(&good(), revoke(3), &policy), Err(StatusError::ReasonNotAllowed { reason: 3 }));
        assert!(changed_by(&good(), revoke(4), &policy).is_ok());
        assert!(changed_by(&good(), revoke(1), &policy).is_ok(), "keyCompromise is always a reason");
        assert_eq!(changed_by(&good(), StatusWish::Hold, &policy), Err(StatusError::HoldNotAllowed));
        // A hold from before the profile forbade it can still be left.
        assert!(changed_by(&held(1_500_000), StatusWish::Release, &policy).is_ok());
    }

    #[test]
    fn a_certificate_without_a_profile_has_the_policy_of_what_it_is() {
        use crate::ca::builder::Draft;
        use crate::ca::test_key::{NOW_S, TestIssuer, TestKey};
        use crate::ca::{CertificateKind, SubjectName};
        let (issuer, key) = (TestIssuer::new(), TestKey::p256());
        let make = |kind| {
            let unsigned = Draft {
                kind,
                subject_der: &SubjectName::new("DE", "Example", "x").unwrap().to_der(),
                public_key: &key.public,
                issuer: Some((&issuer.certificate, &issuer.urls)),
                algorithm: key.public.algorithm().default_signature(),
                not_before_s: NOW_S,
                policies: &[],
                days: None,
                private_key_usage_days: 395,
            };
            StatusPolicy::for_certificate(&issuer.sign(&unsigned.build().unwrap()))
        };
        let tsu = StatusPolicy { hold_allowed: false, reasons: vec![1, 3, 4, 5], reason_required: true, is_ca: false };
        assert_eq!(make(CertificateKind::Tsu), tsu);
        assert_eq!(make(CertificateKind::OcspResponder), StatusPolicy::default());
        let ca = StatusPolicy::for_certificate(&issuer.certificate);
        assert_eq!(ca, StatusPolicy { is_ca: true, reason_required: true, ..StatusPolicy::default() });
    }

    fn wishes() -> impl Strategy<Value = StatusWish> {
        let date = || prop::option::of(900_000_i64..2_100_000);
        let reason = prop_oneof![3 => Just(Some(1)), 2 => prop::option::of(0_u8..12)];
        prop_oneof![
            Just(StatusWish::Hold),
            Just(StatusWish::Release),
            (reason, date(), date()).prop_map(|(reason, at_s, invalidity_s)| StatusWish::Revoke {
                reason,
                at_s,
                invalidity_s
            }),
        ]
    }

    proptest! {
        #[test]
        fn nothing_leads_out_of_revoked(
            sequence in prop::collection::vec((wishes(), 1_000_000_i64..2_200_000), 1..40),
            reason_required in any::<bool>(),
            hold_allowed in any::<bool>(),
        ) {
            let policy = StatusPolicy { hold_allowed, reason_required, ..StatusPolicy::default() };
            let mut row = good();
            for (wish, now_s) in sequence {
                let Ok(after) = change(&row, &wish, &policy, now_s) else { continue };
                let (before, status) = (row.status, after.status);
                if before.state == CertificateState::Revoked {
                    prop_assert_eq!(status.state, CertificateState::Revoked);
                    prop_assert_eq!(status.reason, Some(KEY_COMPROMISE));
                    prop_assert!(status.revoked_at_s <= before.revoked_at_s, "a revocation begins no later than it did");
                }
                match status.state {
                    CertificateState::Good => prop_assert!(
                        (status.reason, status.revoked_at_s, status.invalidity_s) == (None, None, None)
                    ),
                    CertificateState::Held => prop_assert!(hold_allowed && status.reason == Some(CERTIFICATE_HOLD)),
                    CertificateState::Revoked => {
                        prop_assert!(!matches!(status.reason, Some(0 | 6 | 7 | 8 | 11..)));
                        prop_assert!(status.revoked_at_s.is_some() && status.invalidity_s <= status.revoked_at_s);
                        prop_assert!(!reason_required || status.reason.is_some());
                    }
                    CertificateState::Intended => prop_assert!(false, "nothing becomes intended"),
                }
                prop_assert_ne!(status, before, "what is no change is refused");
                row = after;
            }
        }
    }
}
