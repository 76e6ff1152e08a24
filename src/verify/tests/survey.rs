//! What counts as held before a judgement is made.

use std::sync::Arc;

use crl::CrlNumber;
use crl::scope::{IssuingDistributionPoint, OnlyContains};

use super::ocsp::{GOOD, Response, UNKNOWN, no_check, ocsp_signing};
use super::pki::{CrlDraft, Draft, Key, NOW_S};
use crate::verify::{Certificate, Costs, Evidence, Origin, RevocationRule, Survey};

struct World {
    key: Key,
    target: Arc<Certificate>,
    evidence: Evidence,
}

impl World {
    fn new() -> Self {
        let key = Key::new();
        let target = Draft::new("Root", "Target", &Key::new()).serial(&[5]).certificate(&key);
        Self { key, target, evidence: Evidence::new() }
    }

    fn is_held_by(&self, survey: &mut Survey) -> Option<bool> {
        let issuer = Draft::new("Root", "Root", &self.key).certificate(&self.key);
        let rule = RevocationRule::required_at(NOW_S);
        survey.is_status_held(&self.evidence, &self.target, issuer.key().unwrap(), &rule).ok()
    }

    fn is_held(&self) -> bool {
        self.is_held_by(&mut Survey::new(Costs::LIMITS)).unwrap()
    }
}

/// Whether a CRL by the issuer's key, or by another, settles the target's status.
fn by_crl(is_forged: bool, change: impl FnOnce(&mut CrlDraft)) -> bool {
    let mut world = World::new();
    let forger = Key::new();
    let mut draft = CrlDraft::new("Root", &world.key);
    change(&mut draft);
    let der = draft.sign(&[], if is_forged { &forger } else { &world.key });
    world.evidence.add_crl_der(&der, Origin::Embedded).unwrap();
    world.is_held()
}

#[test]
fn a_current_crl_of_the_issuer_in_scope_is_held() {
    assert!(by_crl(false, |_| {}));
    assert!(!by_crl(true, |_| {}));
    assert!(!by_crl(false, |draft| draft.fields.next_update_s = NOW_S - 1));
    assert!(!by_crl(false, |draft| draft.fields.this_update_s = NOW_S + 1));
    assert!(!by_crl(false, |draft| draft.fields.base_crl_number = Some(CrlNumber::from(6))));
    let of = |only_contains| Some(IssuingDistributionPoint { only_contains, ..Default::default() });
    assert!(!by_crl(false, |draft| draft.fields.issuing_distribution_point = of(OnlyContains::CaCerts)));
    assert!(by_crl(false, |draft| draft.fields.issuing_distribution_point = of(OnlyContains::UserCerts)));
}

/// Whether an answer by the CA, or by another key of its name, settles the target's status.
fn by_answer(is_forged: bool, change: impl FnOnce(&mut Response)) -> bool {
    let mut world = World::new();
    let forger = Key::new();
    let mut response = Response::new(GOOD);
    change(&mut response);
    let der = response.sign(&world.key, if is_forged { &forger } else { &world.key });
    world.evidence.add_ocsp_response_der(&der, Origin::Embedded).unwrap();
    world.is_held()
}

#[test]
fn a_current_answer_of_the_ca_is_held() {
    assert!(by_answer(false, |_| {}) && by_answer(false, |response| response.by_key = true));
    assert!(!by_answer(true, |_| {}));
    assert!(!by_answer(false, |response| response.status = UNKNOWN.to_vec()));
    assert!(!by_answer(false, |response| response.next_update_s = Some(NOW_S - 1)));
    assert!(!by_answer(false, |response| response.next_update_s = None));
    assert!(!by_answer(false, |response| response.this_update_s = NOW_S + 1));
}

#[test]
fn a_delegates_answer_is_held_where_nothing_more_need_be_known_of_it() {
    let by_delegate = |extensions: Vec<Vec<u8>>, is_certified: bool, until: &'static [u8]| {
        let mut world = World::new();
        let delegate = Key::new();
        let mut draft = Draft::new("Root", "Responder", &delegate).serial(&[8]).with(extensions);
        draft.until = until;
        let certificate = draft.sign(if is_certified { &world.key } else { &delegate });
        let response = Response { certificates: vec![certificate], responder: "Responder", ..Response::new(GOOD) };
        world.evidence.add_ocsp_response_der(&response.sign(&world.key, &delegate), Origin::Embedded).unwrap();
        world.is_held()
    };
    let later = b"300101000000Z";
    assert!(by_delegate(vec![ocsp_signing(), no_check()], true, later));
    assert!(!by_delegate(vec![ocsp_signing(), no_check()], false, later));
    assert!(!by_delegate(vec![ocsp_signing()], true, later));
    assert!(!by_delegate(vec![no_check()], true, later));
    // It was valid when it answered, and is not at the time judged for.
    assert!(!by_delegate(vec![ocsp_signing(), no_check()], true, b"241231120000Z"));
}

#[test]
fn nothing_is_verified_twice_and_all_of_it_counts() {
    let mut world = World::new();
    let forger = Key::new();
    for number in 0..3_u64 {
        let mut draft = CrlDraft::new("Root", &world.key);
        draft.fields.crl_number = CrlNumber::from(number);
        world.evidence.add_crl_der(&draft.sign(&[], &forger), Origin::Embedded).unwrap();
    }
    let mut enough = Survey::new(Costs { signatures: 3, ..Costs::LIMITS });
    assert_eq!([world.is_held_by(&mut enough), world.is_held_by(&mut enough)], [Some(false), Some(false)]);
    assert_eq!(world.is_held_by(&mut Survey::new(Costs { signatures: 2, ..Costs::LIMITS })), None);
    assert_eq!(world.is_held_by(&mut Survey::new(Costs { revocation_items: 2, ..Costs::LIMITS })), None);
}
