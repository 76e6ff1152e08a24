//! CRLs: freshness, scope, what a later CRL says of the past. PKITS has the rest.

use std::sync::Arc;

use crl::scope::{IssuingDistributionPoint, OnlyContains};
use crl::{CrlNumber, EntryFields, ReasonCode};

use super::pki::{CrlDraft, DAY_S, Draft, Key, NOW_S, anchor, ca, evidence, judge, root, settings};
use crate::verify::{
    AnchorRule, Certificate, CertificateStatus, Conformance, Evidence, Failure, Judgement, Origin, RevocationMode,
    RevocationRule, Settings, SourceKind, TrustAnchor, WhyNotUsed,
};

struct World {
    key: Key,
    anchor: Arc<TrustAnchor>,
    target: Arc<Certificate>,
    evidence: Evidence,
}

impl World {
    /// A target with the serial 5 directly under an anchor.
    fn new() -> Self {
        let key = Key::new();
        let anchor = anchor(&root("Root", &key, []), AnchorRule::NameAndKey);
        let target = Draft::new("Root", "Target", &Key::new()).serial(&[5]).certificate(&key);
        Self { key, anchor, target, evidence: evidence([]) }
    }

    fn crl(mut self, change: impl FnOnce(&mut CrlDraft), entries: &[EntryFields<'_>]) -> Self {
        let mut draft = CrlDraft::new("Root", &self.key);
        change(&mut draft);
        self.evidence.add_crl_der(&draft.sign(entries, &self.key), Origin::Held).unwrap();
        self
    }

    fn settings<'a>(&self) -> Settings<'a> {
        Settings { revocation: RevocationRule::required_at(NOW_S), ..settings(&[&self.anchor]) }
    }

    fn judge(&self) -> Judgement {
        judge(&self.target, &self.evidence, &self.settings())
    }

    fn why(&self) -> Vec<WhyNotUsed> {
        match self.judge().failure {
            Some(Failure::StatusUnknown { not_used, .. }) => not_used.into_iter().map(|one| one.why).collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn entry(serial: &[u8], reason: ReasonCode, date_s: i64) -> EntryFields<'_> {
    EntryFields { reason: Some(reason), ..EntryFields::new(serial, date_s) }
}

#[test]
fn good_revoked_and_why_not() {
    assert!(World::new().crl(|_| {}, &[]).judge().is_good());
    let world = World::new().crl(|_| {}, &[entry(&[5], ReasonCode::Superseded, NOW_S - DAY_S)]);
    match world.judge().failure {
        Some(Failure::Revoked { revocation, .. }) => {
            assert_eq!(
                (revocation.reason, revocation.revocation_date_s),
                (Some(ReasonCode::Superseded), NOW_S - DAY_S)
            );
            assert_eq!((revocation.source.kind, revocation.source.origin), (SourceKind::Crl, Origin::Held));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(World::new().why(), []);
    let stale = World::new().crl(|draft| draft.fields.next_update_s = NOW_S - 1, &[]);
    assert_eq!(stale.why(), [WhyNotUsed::Stale]);
    let later = World::new().crl(|draft| draft.fields.this_update_s = NOW_S + 1, &[]);
    assert_eq!(later.why(), [WhyNotUsed::NotYetCurrent]);
    let of_cas = IssuingDistributionPoint { only_contains: OnlyContains::CaCerts, ..Default::default() };
    let of_cas = World::new().crl(|draft| draft.fields.issuing_distribution_point = Some(of_cas), &[]);
    assert!(matches!(of_cas.why()[..], [WhyNotUsed::OutOfScope(_)]));
}

#[test]
fn without_an_answer_the_mode_decides() {
    let world = World::new();
    let mut settings = world.settings();
    settings.revocation.mode = RevocationMode::Told;
    let judgement = judge(&world.target, &world.evidence, &settings);
    assert!(judgement.is_good());
    assert_eq!(judgement.chain.unwrap().links[0].status, CertificateStatus::Unknown(Vec::new()));
    let world = World::new().crl(|_| {}, &[entry(&[5], ReasonCode::KeyCompromise, NOW_S)]);
    let mut settings = Settings { revocation: settings.revocation, ..world.settings() };
    assert!(matches!(judge(&world.target, &world.evidence, &settings).failure, Some(Failure::Revoked { .. })));
    settings.revocation.mode = RevocationMode::NotAsked;
    assert!(judge(&world.target, &world.evidence, &settings).is_good());
}

#[test]
fn the_newest_of_several_crls_counts() {
    let hold = [entry(&[5], ReasonCode::CertificateHold, NOW_S - 9 * DAY_S)];
    let old = |draft: &mut CrlDraft| draft.fields.this_update_s = NOW_S - 3 * DAY_S;
    assert!(World::new().crl(old, &hold).crl(|_| {}, &[]).judge().is_good());
    assert!(!World::new().crl(|_| {}, &hold).crl(old, &[]).judge().is_good());
}

#[test]
fn a_revocation_after_the_time_judged_for_is_told_and_does_not_fail() {
    let world = World::new().crl(|_| {}, &[entry(&[5], ReasonCode::CessationOfOperation, NOW_S - 5 * DAY_S)]);
    let mut past = world.settings();
    past.time_s = NOW_S - 30 * DAY_S;
    let judgement = judge(&world.target, &world.evidence, &past);
    assert!(judgement.is_good(), "{:?}", judgement.failure);
    assert!(matches!(judgement.chain.unwrap().links[0].status, CertificateStatus::Revoked(_)));
}

#[test]
fn a_crl_after_the_certificates_end_says_good_only_where_it_keeps_the_expired() {
    let end_s = 1_893_456_000;
    let late = |draft: &mut CrlDraft| {
        draft.fields.this_update_s = end_s + DAY_S;
        draft.fields.next_update_s = end_s + 9 * DAY_S;
    };
    let rule = RevocationRule { latest_this_update_s: end_s + 2 * DAY_S, ..RevocationRule::required_at(NOW_S) };
    let judge_late = |world: &World| {
        let settings = Settings { revocation: rule, ..world.settings() };
        judge(&world.target, &world.evidence, &settings).failure
    };
    match judge_late(&World::new().crl(late, &[])) {
        Some(Failure::StatusUnknown { not_used, .. }) => {
            assert_eq!(not_used[0].why, WhyNotUsed::CertificateExpiredBefore);
        }
        other => panic!("{other:?}"),
    }
    let keeping = |draft: &mut CrlDraft| {
        late(draft);
        draft.fields.expired_certs_on_crl_s = Some(NOW_S);
    };
    assert!(judge_late(&World::new().crl(keeping, &[])).is_none());
    let listed = [entry(&[5], ReasonCode::KeyCompromise, NOW_S - DAY_S)];
    assert!(matches!(judge_late(&World::new().crl(late, &listed)), Some(Failure::Revoked { .. })));
}

#[test]
fn a_delta_counts_over_its_base_only() {
    let delta = |draft: &mut CrlDraft| {
        draft.fields.crl_number = CrlNumber::from(9);
        draft.fields.base_crl_number = Some(CrlNumber::from(7));
    };
    let revoked = [entry(&[5], ReasonCode::KeyCompromise, NOW_S - DAY_S)];
    assert_eq!(World::new().crl(delta, &revoked).why(), [WhyNotUsed::DeltaWithoutBase]);
    let world = World::new().crl(|_| {}, &[]).crl(delta, &revoked);
    match world.judge().failure {
        Some(Failure::Revoked { revocation, .. }) => assert_eq!(revocation.source.kind, SourceKind::DeltaCrl),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_may_sign() {
    // Another key of the CA's name, certified by the CA or by nobody.
    let other = Key::new();
    let signed_by_other = |signer: Option<Draft>| {
        let mut world = World::new();
        world.evidence.add_crl_der(&CrlDraft::new("Root", &other).sign(&[], &other), Origin::Held).unwrap();
        // The CA's own key tells of the other's certificate.
        let own = CrlDraft::new("Root", &world.key)
            .scope(IssuingDistributionPoint { only_contains: OnlyContains::CaCerts, ..Default::default() });
        world.evidence.add_crl_der(&own.sign(&[], &world.key), Origin::Held).unwrap();
        if let Some(signer) = signer {
            world.evidence.add_certificate(signer.certificate(&world.key), Origin::Held).unwrap();
        }
        world
    };
    let draft = || Draft::new("Root", "Root", &other).serial(&[9]).with(ca());
    assert!(signed_by_other(Some(draft())).judge().is_good());
    assert!(signed_by_other(None).why().iter().any(|why| matches!(why, WhyNotUsed::Signature(_))));
    let mut not_for_crls = draft();
    not_for_crls.extensions[1] = super::pki::extension(crate::verify::oid::KEY_USAGE, true, &[3, 2, 2, 4]);
    assert!(signed_by_other(Some(not_for_crls)).why().contains(&WhyNotUsed::SignerNotAllowed));
    let mut expired = draft();
    expired.until = b"240101000000Z";
    assert!(signed_by_other(Some(expired)).why().contains(&WhyNotUsed::SignerOutOfBounds));
    // A user's certificate that vouches for its own status.
    let mut circular = draft();
    circular.extensions.remove(0);
    assert!(signed_by_other(Some(circular)).why().contains(&WhyNotUsed::SignerNotTrusted));
}

#[test]
fn conformance_reaches_crls() {
    let world = World::new().crl(|_| {}, &[]);
    let mut settings = world.settings();
    settings.conformance = Conformance::Required;
    // The target itself has findings; the CRL has none, so that it is the target that fails.
    let failure = judge(&world.target, &world.evidence, &settings).failure;
    assert!(matches!(failure, Some(Failure::Certificate { .. })), "{failure:?}");
}

/// A CRL of the root with a critical extension that nobody knows, written by hand; a delta of complete CRL 7 where asked.
fn obstructed(world: &World, listed: &[u8], is_delta: bool) -> Vec<u8> {
    use crate::asn1::writer::{self, tlv};
    let utc = |text: &[u8]| tlv(0x17, &[text]);
    let algorithm = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let entry = |serial: &u8| tlv(writer::SEQUENCE, &[&tlv(writer::INTEGER, &[&[*serial]]), &utc(b"241230000000Z")]);
    let entries = match listed {
        [] => Vec::new(),
        listed => tlv(writer::SEQUENCE, &[&listed.iter().flat_map(entry).collect::<Vec<u8>>()]),
    };
    let number = super::pki::extension(&[0x55, 0x1d, 20], false, &[2, 1, 8]);
    let base = super::pki::extension(&[0x55, 0x1d, 27], true, &[2, 1, 7]);
    let unknown = super::pki::extension(&[0x2a, 3, 4], true, &[5, 0]);
    let key = super::pki::extension(&[0x55, 0x1d, 35], false, &{
        let id = tlv(0x80, &[&world.key.identifier()]);
        tlv(writer::SEQUENCE, &[&id])
    });
    let base: &[u8] = if is_delta { &base } else { &[] };
    let list = tlv(writer::SEQUENCE, &[&key, &number, base, &unknown]);
    let extensions = tlv(writer::context(0), &[&list]);
    let times = (utc(b"241231120000Z"), utc(b"250107000000Z"));
    let name = super::pki::name("Root");
    let tbs = tlv(writer::SEQUENCE, &[&[2, 1, 1], &algorithm, &name, &times.0, &times.1, &entries, &extensions]);
    world.key.signed(&tbs, &[])
}

#[test]
fn what_can_not_be_understood_determines_no_status_and_lets_nothing_listed_pass() {
    let with = |listed: &[u8], is_delta: bool, complete: bool| {
        let mut world = World::new();
        if complete {
            world = world.crl(|_| {}, &[]);
        }
        let der = obstructed(&world, listed, is_delta);
        world.evidence.add_crl_der(&der, Origin::Held).unwrap();
        world
    };
    assert_eq!(with(&[9], false, false).why(), [WhyNotUsed::Obstacle]);
    assert_eq!(with(&[5], false, false).why(), [WhyNotUsed::ObstacleAndListed]);
    // Over a complete CRL by which it is good.
    assert!(with(&[9], true, true).judge().is_good());
    assert!(with(&[9, 5], true, true).why().contains(&WhyNotUsed::ObstacleAndListed));
    // Where the status is only told, an unknown one passes, and a listed one does not.
    let told = |world: &World| {
        let mut settings = world.settings();
        settings.revocation.mode = RevocationMode::Told;
        judge(&world.target, &world.evidence, &settings).is_good()
    };
    assert!(told(&with(&[9], false, false)));
    assert!(!told(&with(&[5], false, false)));
    // Unless somebody else made it up.
    let mut world = World::new();
    let forged = obstructed(&World::new(), &[5], false);
    world.evidence.add_crl_der(&forged, Origin::Embedded).unwrap();
    assert!(told(&world));
}
