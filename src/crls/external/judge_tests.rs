//! What is said of a certificate, case by case; and which CRL may take the place of which.

use std::sync::Arc;

use crl::{CrlFields, CrlNumber, EntryFields, Index, Reader, ReasonCode, TbsCertList, walk};

use super::held::{Held, Kind, MAX_AHEAD_S, Newness};
use super::judge::judge;
use super::verified::{Refusal, Verified};
use crate::ca::{AnswersFrom, Judgement, StatusQuestion, Unsure};
use crate::store::{CertificateState, StatusRow};

const NOW_S: i64 = 1_795_464_000;
const HOUR_S: i64 = 3_600;

fn name() -> Vec<u8> {
    // CN=a
    vec![0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, b'a']
}

/// A CRL of this number, issued an hour ago, that holds an hour longer.
fn fields(number: u64) -> CrlFields {
    CrlFields {
        issuer: name(),
        // ecdsa-with-SHA256
        signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        this_update_s: NOW_S - HOUR_S,
        next_update_s: NOW_S + HOUR_S,
        authority_key_identifier: vec![7; 20],
        crl_number: CrlNumber::from(number),
        base_crl_number: None,
        issuing_distribution_point: None,
        freshest_crl: Vec::new(),
        expired_certs_on_crl_s: None,
    }
}

fn delta(number: u64, base: u64) -> CrlFields {
    CrlFields { base_crl_number: Some(CrlNumber::from(base)), ..fields(number) }
}

fn entry(serial: &[u8], reason: Option<ReasonCode>) -> EntryFields<'_> {
    EntryFields { reason, invalidity_date_s: Some(5), ..EntryFields::new(serial, NOW_S - 2 * HOUR_S) }
}

fn verified(fields: &CrlFields, entries: &[EntryFields<'_>]) -> Arc<Verified> {
    let mut tbs = TbsCertList::new(fields, walk(entries).unwrap()).unwrap();
    let mut octets = Vec::new();
    tbs.write_certificate_list(&[0xa5; 64], &mut octets).unwrap();
    let (index, crl) = Index::from_crl(Reader::from_slice(&octets, 100, |_| {}).unwrap()).unwrap();
    Arc::new(Verified { crl, index })
}

fn held(answers: AnswersFrom, complete: Arc<Verified>) -> Held {
    Held::nothing(answers).taking(Kind::Complete, complete)
}

fn status(state: CertificateState) -> StatusRow {
    let at = matches!(state, CertificateState::Revoked | CertificateState::Held).then_some(77);
    StatusRow { state, reason: None, revoked_at_s: at, invalidity_s: None, change_number: 3 }
}

fn ask(held: &Held, serial: &[u8], registry: Option<CertificateState>) -> Result<Judgement, Unsure> {
    ask_at(held, serial, registry, NOW_S)
}

fn ask_at(held: &Held, serial: &[u8], registry: Option<CertificateState>, now_s: i64) -> Result<Judgement, Unsure> {
    let question = StatusQuestion {
        serial,
        registry: registry.map(status),
        not_after_s: registry.map(|_| NOW_S + 1_000 * HOUR_S),
        certificate: &|| Ok(None),
        now_s,
    };
    judge(held, &name(), &question)
}

#[test]
fn what_is_listed_is_revoked_and_what_is_not_is_good_if_it_is_known() {
    let complete = verified(&fields(1), &[entry(&[5], Some(ReasonCode::KeyCompromise)), entry(&[6], None)]);
    let held = held(AnswersFrom::Crl, complete);
    for registry in [None, Some(CertificateState::Good)] {
        let said = ask(&held, &[5], registry).unwrap();
        let row = said.status.unwrap();
        assert_eq!((row.state, row.reason), (CertificateState::Revoked, Some(1)));
        assert_eq!((row.revoked_at_s, row.invalidity_s), (Some(NOW_S - 2 * HOUR_S), Some(5)));
        assert_eq!(said.period_s, Some((NOW_S - HOUR_S, NOW_S + HOUR_S)), "the CRL's own");
        assert_eq!(said.edition, held.edition);
    }
    let good = ask(&held, &[7], Some(CertificateState::Good)).unwrap();
    assert_eq!(good.status, Some(status(CertificateState::Good)));
    assert_eq!(good.period_s, Some((NOW_S - HOUR_S, NOW_S + HOUR_S)));
    assert_eq!(ask(&held, &[7], None).unwrap().status, None, "never good for what nobody is known to have issued");
    // What is revoked here is revoked, whatever the CRL has not heard of yet.
    let revoked = ask(&held, &[7], Some(CertificateState::Revoked)).unwrap();
    assert_eq!((revoked.status, revoked.period_s), (Some(status(CertificateState::Revoked)), None));
}

#[test]
fn any_serial_is_good_only_where_it_was_chosen() {
    let held = held(AnswersFrom::CrlAnySerial, verified(&fields(1), &[entry(&[5], None)]));
    assert_eq!(ask(&held, &[7], None).unwrap().status.unwrap().state, CertificateState::Good);
    assert_eq!(ask(&held, &[5], None).unwrap().status.unwrap().state, CertificateState::Revoked);
    assert!(matches!(ask_at(&held, &[7], None, NOW_S + HOUR_S), Err(Unsure::Stale)), "and only while it is current");
}

#[test]
fn past_its_next_update_a_crl_revokes_and_says_good_of_nothing() {
    let held = held(AnswersFrom::Crl, verified(&fields(1), &[entry(&[5], None)]));
    let after_s = NOW_S + HOUR_S;
    let revoked = ask_at(&held, &[5], None, after_s).unwrap();
    assert_eq!(revoked.status.unwrap().state, CertificateState::Revoked);
    assert_eq!(revoked.period_s, Some((NOW_S - HOUR_S, after_s + 300)));
    assert!(matches!(ask_at(&held, &[7], Some(CertificateState::Good), after_s), Err(Unsure::Stale)));
    assert!(matches!(ask_at(&held, &[7], None, after_s), Err(Unsure::Stale)));
    assert!(ask_at(&held, &[7], Some(CertificateState::Held), after_s).is_ok(), "the registry's own word stands");
    let nothing = Held::nothing(AnswersFrom::Crl);
    assert!(matches!(ask(&nothing, &[7], Some(CertificateState::Good)), Err(Unsure::NothingHeld)));
    assert!(ask(&nothing, &[7], Some(CertificateState::Revoked)).is_ok());
}

#[test]
fn odd_reasons_revoke_all_the_same() {
    let hold = held(AnswersFrom::Crl, verified(&fields(1), &[entry(&[5], Some(ReasonCode::CertificateHold))]));
    assert_eq!(ask(&hold, &[5], None).unwrap().status.unwrap().reason, Some(6));
    // removeFromCRL has no place in a complete CRL; it takes nothing back there.
    let mut base = fields(1);
    base.base_crl_number = Some(CrlNumber::from(1));
    let mut removed = Held::nothing(AnswersFrom::Crl);
    removed.complete = Some(verified(&base, &[entry(&[5], Some(ReasonCode::RemoveFromCrl))]));
    let row = ask(&removed, &[5], None).unwrap().status.unwrap();
    assert_eq!((row.state, row.reason), (CertificateState::Revoked, None));
}

#[test]
fn a_delta_adds_and_takes_back_while_it_is_current() {
    let hold = Some(ReasonCode::CertificateHold);
    let complete = held(AnswersFrom::Crl, verified(&fields(1), &[entry(&[5], hold)]));
    let mut newer = delta(2, 1);
    newer.this_update_s = NOW_S - 60;
    newer.next_update_s = NOW_S + 60;
    let entries = [entry(&[5], Some(ReasonCode::RemoveFromCrl)), entry(&[6], None)];
    let both = complete.taking(Kind::Delta, verified(&newer, &entries));
    let good = ask(&both, &[5], Some(CertificateState::Good)).unwrap();
    assert_eq!(good.status.unwrap().state, CertificateState::Good);
    assert_eq!(good.period_s, Some((NOW_S - 60, NOW_S + 60)), "the delta's times are those of the list");
    assert_eq!(ask(&both, &[6], None).unwrap().status.unwrap().state, CertificateState::Revoked);
    // Past its end it still revokes; it takes nothing back, and the complete one speaks for the rest.
    let late_s = NOW_S + 60;
    let again = ask_at(&both, &[5], Some(CertificateState::Good), late_s).unwrap();
    assert_eq!(again.status.unwrap().state, CertificateState::Held);
    assert_eq!(ask_at(&both, &[6], None, late_s).unwrap().status.unwrap().state, CertificateState::Revoked);
    let rest = ask_at(&both, &[7], Some(CertificateState::Good), late_s).unwrap();
    assert_eq!(rest.period_s, Some((NOW_S - HOUR_S, NOW_S + HOUR_S)));
    // RFC 5280 §5.2.4: a current delta makes a current list over an older base.
    let mut long = delta(2, 1);
    long.next_update_s = NOW_S + 10 * HOUR_S;
    let over_old = complete.taking(Kind::Delta, verified(&long, &[]));
    let said = ask_at(&over_old, &[7], Some(CertificateState::Good), NOW_S + 2 * HOUR_S).unwrap();
    assert_eq!(said.period_s, Some((NOW_S - HOUR_S, NOW_S + 10 * HOUR_S)));
}

#[test]
fn what_is_not_understood_says_good_of_nothing() {
    let complete = verified(&fields(1), &[entry(&[5], None)]);
    let mut odd = Arc::into_inner(complete).unwrap();
    odd.crl.extensions.unknown_critical.push("1.2.3".to_owned());
    let held = held(AnswersFrom::CrlAnySerial, Arc::new(odd));
    assert!(matches!(ask(&held, &[7], Some(CertificateState::Good)), Err(Unsure::NotUnderstood)));
    assert_eq!(ask(&held, &[5], None).unwrap().status.unwrap().state, CertificateState::Revoked);
}

#[test]
fn what_expired_may_have_left_the_list() {
    let ask = |fields: &CrlFields| {
        let held = held(AnswersFrom::Crl, verified(fields, &[]));
        let question = StatusQuestion {
            serial: &[7],
            registry: Some(status(CertificateState::Good)),
            not_after_s: Some(NOW_S - 2 * HOUR_S),
            certificate: &|| Ok(None),
            now_s: NOW_S,
        };
        judge(&held, &name(), &question)
    };
    assert!(matches!(ask(&fields(1)), Err(Unsure::Expired)));
    let kept = CrlFields { expired_certs_on_crl_s: Some(NOW_S - 3 * HOUR_S), ..fields(1) };
    assert!(ask(&kept).is_ok());
    let kept_too_late = CrlFields { expired_certs_on_crl_s: Some(NOW_S - HOUR_S), ..fields(1) };
    assert!(matches!(ask(&kept_too_late), Err(Unsure::Expired)));
}

#[test]
fn a_crl_of_a_part_says_good_only_of_a_certificate_that_is_here() {
    let point = crl::scope::IssuingDistributionPoint::from_uri("http://crl.example.org/1.crl").unwrap();
    let partial = CrlFields { issuing_distribution_point: Some(point), ..fields(1) };
    let held = held(AnswersFrom::Crl, verified(&partial, &[entry(&[5], None)]));
    assert!(matches!(ask(&held, &[7], Some(CertificateState::Good)), Err(Unsure::OutOfScope)));
    assert!(ask(&held, &[5], Some(CertificateState::Good)).is_ok());
}

#[test]
fn an_older_one_never_takes_the_place_of_a_newer() {
    let held = held(AnswersFrom::Crl, verified(&fields(5), &[]));
    let compare = |fields: &CrlFields| held.compare(Kind::Complete, &verified(fields, &[]).crl, NOW_S);
    let at = |number, this_update_s| CrlFields { this_update_s, ..fields(number) };
    assert!(matches!(compare(&at(4, NOW_S)), Err(Refusal::Older)), "its number counts, not its time");
    assert_eq!(compare(&at(6, NOW_S - 2 * HOUR_S)).unwrap(), Newness::Newer);
    assert_eq!(compare(&fields(5)).unwrap(), Newness::Same);
    assert_eq!(compare(&at(5, NOW_S - HOUR_S + 1)).unwrap(), Newness::Newer, "issued anew under its number");
    assert!(matches!(compare(&at(5, NOW_S - HOUR_S - 1)), Err(Refusal::Older)));
    let ahead = CrlFields { next_update_s: NOW_S + HOUR_S, ..at(6, NOW_S + MAX_AHEAD_S + 1) };
    assert!(matches!(compare(&ahead), Err(Refusal::Future { ahead_s: 301 })));
    assert!(compare(&at(6, NOW_S + MAX_AHEAD_S)).is_ok());
    assert!(matches!(compare(&delta(6, 5)), Err(Refusal::IsDelta)));
}

#[test]
fn a_delta_goes_only_over_its_base() {
    let base = held(AnswersFrom::Crl, verified(&fields(5), &[]));
    let compare = |held: &Held, fields: &CrlFields| held.compare(Kind::Delta, &verified(fields, &[]).crl, NOW_S);
    assert_eq!(compare(&base, &delta(6, 5)).unwrap(), Newness::Newer);
    assert_eq!(compare(&base, &delta(4, 3)).unwrap(), Newness::Same, "older than the base: nothing to add");
    assert!(matches!(compare(&base, &delta(8, 7)), Err(Refusal::Delta(_))), "its base is not here yet");
    assert!(matches!(compare(&base, &fields(6)), Err(Refusal::Delta(_))), "no delta");
    assert_eq!(compare(&Held::nothing(AnswersFrom::Crl), &delta(6, 5)).unwrap(), Newness::Same);
    let with = base.taking(Kind::Delta, verified(&delta(7, 5), &[]));
    assert!(matches!(compare(&with, &delta(6, 5)), Err(Refusal::Older)));
    // A complete one that is newer than the delta has all that it says.
    assert!(with.taking(Kind::Complete, verified(&fields(8), &[])).delta.is_none());
    assert!(with.taking(Kind::Complete, verified(&fields(6), &[])).delta.is_some());
    assert!(with.without_delta().delta.is_none());
}

#[test]
fn every_state_has_an_edition_of_its_own() {
    let one = held(AnswersFrom::Crl, verified(&fields(1), &[]));
    let two = one.taking(Kind::Complete, verified(&fields(2), &[]));
    let three = two.with_answers(AnswersFrom::CrlAnySerial);
    let mut editions = [one.edition, two.edition, three.edition, Held::nothing(AnswersFrom::Crl).edition];
    editions.sort_unstable();
    assert!(editions.windows(2).all(|pair| pair[0] < pair[1]) && editions[0] > 0, "{editions:?}");
}
