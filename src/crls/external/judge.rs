//! What CRL and registry together say of a certificate. Pure: what is held, the question, the time.

use crl::scope::{CertificateFacts, CertificateKind, CrlFacts, DistributionPoint, ReasonFlags, covered_reasons};
use crl::{IndexedEntry, Overlay, ReasonCode};

use super::held::{Held, is_current};
use super::verified::Verified;
use crate::ca::{AnswersFrom, Certificate, Judgement, StatusQuestion, Unsure};
use crate::store::{CertificateState, StatusRow};

/// How long an answer holds that rests on a CRL past its nextUpdate, in seconds: a newer one may come any moment.
const STALE_VALIDITY_S: i64 = 300;

/// What is to be said of a certificate of the issuer with this subject.
pub(super) fn judge(held: &Held, subject: &[u8], question: &StatusQuestion<'_>) -> Result<Judgement, Unsure> {
    let now_s = question.now_s;
    let judgement = |status, period_s| Ok(Judgement { status, period_s, edition: held.edition });
    let revoked_here =
        question.registry.filter(|status| matches!(status.state, CertificateState::Revoked | CertificateState::Held));
    let Some(complete) = &held.complete else {
        // A revocation that is known here does not wait for a CRL.
        return if revoked_here.is_some() { judgement(revoked_here, None) } else { Err(Unsure::NothingHeld) };
    };
    let change_number = question.registry.map_or(0, |status| status.change_number);
    let delta = held.delta.as_ref();
    let current_delta = delta.filter(|delta| is_current(&delta.crl, now_s));
    let period_s = period(complete, current_delta.map(|delta| &**delta), now_s);
    if let Some(entry) = find(complete, delta.map(|delta| &**delta), current_delta.is_some(), question.serial) {
        let this_update_s = newest(complete, current_delta.map(|delta| &**delta)).min(now_s);
        let stale = (this_update_s, now_s.saturating_add(STALE_VALIDITY_S));
        return judgement(Some(revoked(entry, change_number)), Some(period_s.unwrap_or(stale)));
    }
    if revoked_here.is_some() {
        return judgement(revoked_here, None);
    }
    let period_s = period_s.ok_or(Unsure::Stale)?;
    let all = [Some(complete), current_delta];
    if all.into_iter().flatten().any(|verified| !verified.crl.obstacles().is_empty()) {
        return Err(Unsure::NotUnderstood);
    }
    if question.not_after_s.is_some_and(|not_after_s| has_left(complete, not_after_s)) {
        return Err(Unsure::Expired);
    }
    if !covers(complete, subject, question)? {
        return Err(Unsure::OutOfScope);
    }
    let known = question.registry.filter(|status| status.state == CertificateState::Good);
    match (known, held.answers) {
        (Some(_), _) => judgement(known, Some(period_s)),
        (None, AnswersFrom::CrlAnySerial) => judgement(Some(good(change_number)), Some(period_s)),
        // Never good for a serial number that nobody is known to have issued (TLS BR 4.9.9).
        (None, AnswersFrom::Crl | AnswersFrom::Registry) => judgement(question.registry, None),
    }
}

/// The entry that counts. A delta past its nextUpdate still revokes, but releases nothing that the complete CRL lists.
fn find(complete: &Verified, delta: Option<&Verified>, delta_is_current: bool, serial: &[u8]) -> Option<IndexedEntry> {
    let overlay = Overlay { base: &complete.index, delta: delta.map(|delta| &delta.index) };
    let entry = overlay.find(serial);
    if entry.is_none() && !delta_is_current { complete.index.find(serial) } else { entry }
}

/// thisUpdate and nextUpdate of what is current: a delta's times are those of the list that it completes (RFC 5280 §5.2.4).
/// None where nothing is current.
fn period(complete: &Verified, current_delta: Option<&Verified>, now_s: i64) -> Option<(i64, i64)> {
    let next = |verified: &Verified| verified.crl.header.next_update.map(|time| time.seconds);
    let current_complete = Some(complete).filter(|complete| is_current(&complete.crl, now_s));
    let until_s = [current_complete, current_delta].into_iter().flatten().filter_map(next).min()?;
    Some((newest(complete, current_delta).min(now_s), until_s))
}

fn newest(complete: &Verified, current_delta: Option<&Verified>) -> i64 {
    let this_update_s = complete.crl.header.this_update.seconds;
    current_delta.map_or(this_update_s, |delta| this_update_s.max(delta.crl.header.this_update.seconds))
}

/// Whether the CRL speaks for this certificate, for every reason (RFC 5280 §6.3.3 (b), (d)).
///
/// Without an issuingDistributionPoint it speaks for all that its issuer issued; else the certificate must be here to tell.
fn covers(complete: &Verified, subject: &[u8], question: &StatusQuestion<'_>) -> Result<bool, Unsure> {
    let Some(point) = &complete.crl.extensions.issuing_distribution_point else { return Ok(true) };
    let Some(der) = (question.certificate)()? else { return Ok(false) };
    let Ok(certificate) = Certificate::from_der(&der) else { return Ok(false) };
    let points = certificate.crl_distribution_points.as_deref().map_or(Ok(Vec::new()), DistributionPoint::read_all);
    let Ok(points) = points else { return Ok(false) };
    let is_ca = certificate.basic_constraints.is_some_and(|(is_ca, _)| is_ca);
    let facts = CertificateFacts {
        kind: if is_ca { CertificateKind::Ca } else { CertificateKind::User },
        issuer: &certificate.issuer_der,
        distribution_points: &points,
    };
    let crl = CrlFacts { issuer: subject, issuing_distribution_point: Some(point) };
    Ok(covered_reasons(crl, facts) == Ok(ReasonFlags::ALL))
}

/// Whether a certificate that ended then may have left the CRL (RFC 5280 §3.3: an entry stays until one CRL past its end).
/// expiredCertsOnCRL says since when those that expired are still there (X.509 §9.5.2.8).
fn has_left(complete: &Verified, not_after_s: i64) -> bool {
    let crl = &complete.crl;
    let kept_since_s = crl.extensions.expired_certs_on_crl.map_or(i64::MAX, |since| since.seconds);
    not_after_s < crl.header.this_update.seconds && not_after_s < kept_since_s
}

/// A status from an entry. A reason that is none, or stands in deltas alone, is left out: revoked it is all the same.
fn revoked(entry: IndexedEntry, change_number: i64) -> StatusRow {
    let reason = entry.reason().ok().flatten();
    let is_held = reason == Some(ReasonCode::CertificateHold);
    StatusRow {
        state: if is_held { CertificateState::Held } else { CertificateState::Revoked },
        reason: reason.filter(|reason| *reason != ReasonCode::RemoveFromCrl).map(ReasonCode::number),
        revoked_at_s: Some(entry.revocation_date_s),
        invalidity_s: entry.invalidity_date_s,
        change_number,
    }
}

fn good(change_number: i64) -> StatusRow {
    StatusRow { state: CertificateState::Good, reason: None, revoked_at_s: None, invalidity_s: None, change_number }
}
