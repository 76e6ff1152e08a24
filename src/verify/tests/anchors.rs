//! Anchors with constraints, and several anchors.

use std::sync::Arc;

use super::pki::{DAY_S, Draft, Key, NOW_S, anchor, ca, evidence, extension, judge, root, settings};
use crate::asn1::Oid;
use crate::asn1::writer::{self, tlv};
use crate::verify::{
    AnchorConstraints, AnchorRule, Certificate, Failure, Fault, Judgement, NameForm, NameViolation, PolicySet,
    TrustAnchor, oid,
};

struct World {
    root_key: Key,
    key: Key,
}

impl World {
    fn new() -> Self {
        Self { root_key: Key::new(), key: Key::new() }
    }

    /// Root, CA, target, judged with the root as it is given and constrained.
    fn judge(&self, root: &Arc<Certificate>, rule: AnchorRule, constraints: AnchorConstraints) -> Judgement {
        let trusted = TrustAnchor::from_certificate(Arc::clone(root), rule).unwrap().with_constraints(constraints);
        let issuer = Draft::new("Root", "CA", &self.key).with(ca()).certificate(&self.root_key);
        let target = Draft::new("CA", "Target", &Key::new()).certificate(&self.key);
        judge(&target, &evidence([&issuer]), &settings(&[&Arc::new(trusted)]))
    }
}

fn fault(judgement: &Judgement) -> Option<&Fault> {
    match &judgement.failure {
        Some(Failure::Certificate { fault, .. } | Failure::Anchor { fault, .. }) => Some(fault),
        None => None,
        other => panic!("{other:?}"),
    }
}

/// nameConstraints that permits one common name only.
fn only(common_name: &str) -> Vec<u8> {
    let base = tlv(writer::SEQUENCE, &[&tlv(0xa4, &[&super::pki::name(common_name)])]);
    tlv(writer::SEQUENCE, &[&tlv(writer::context(0), &[&base])])
}

#[test]
fn a_certificate_is_a_name_and_a_key_or_counts_whole() {
    let world = World::new();
    let none = AnchorConstraints::default();
    let mut expired = Draft::new("Root", "Root", &world.root_key).with(ca());
    expired.until = b"240101000000Z";
    let roots = [
        (expired.certificate(&world.root_key), "Expired"),
        (Draft::new("Root", "Root", &world.root_key).certificate(&world.root_key), "NotCa"),
        (root("Root", &world.root_key, [extension(&[0x2a, 3], true, &[5, 0])]), "UnknownCriticalExtension"),
        (root("Root", &world.root_key, [extension(oid::NAME_CONSTRAINTS, true, &only("Other"))]), "Name"),
        (root("Root", &world.root_key, [extension(oid::NAME_CONSTRAINTS, true, &[0x30, 0])]), "MalformedExtension"),
    ];
    for (root, expected) in roots {
        let by_name = world.judge(&root, AnchorRule::NameAndKey, none.clone());
        assert!(by_name.is_good(), "{expected}: {:?}", by_name.failure);
        let whole = world.judge(&root, AnchorRule::WholeCertificate, none.clone());
        assert!(format!("{:?}", fault(&whole)).contains(expected), "{expected}: {:?}", whole.failure);
    }
    let good = root("Root", &world.root_key, []);
    assert!(world.judge(&good, AnchorRule::WholeCertificate, none).is_good());
}

#[test]
fn a_path_length_of_the_anchor_counts() {
    let world = World::new();
    let mut short = Draft::new("Root", "Root", &world.root_key);
    short.extensions = vec![extension(oid::BASIC_CONSTRAINTS, true, &[0x30, 6, 1, 1, 0xff, 2, 1, 0])];
    let short = short.certificate(&world.root_key);
    let none = AnchorConstraints::default();
    assert!(world.judge(&short, AnchorRule::NameAndKey, none.clone()).is_good());
    assert_eq!(fault(&world.judge(&short, AnchorRule::WholeCertificate, none)), Some(&Fault::PathTooLong));
}

#[test]
fn an_operators_constraints_count_for_any_anchor() {
    let world = World::new();
    let root = root("Root", &world.root_key, []);
    let with = |constraints| world.judge(&root, AnchorRule::NameAndKey, constraints);
    let none = AnchorConstraints::default();
    let late = with(AnchorConstraints { from_s: Some(NOW_S + 1), ..none.clone() });
    assert_eq!(fault(&late), Some(&Fault::NotYetValid { time_s: NOW_S, not_before_s: NOW_S + 1 }));
    let over = with(AnchorConstraints { until_s: Some(NOW_S - 1), ..none.clone() });
    assert_eq!(fault(&over), Some(&Fault::Expired { time_s: NOW_S, not_after_s: NOW_S - 1 }));
    assert!(with(AnchorConstraints { from_s: Some(NOW_S), until_s: Some(NOW_S), ..none.clone() }).is_good());
    let short = with(AnchorConstraints { max_path_length: Some(0), ..none.clone() });
    assert_eq!(fault(&short), Some(&Fault::PathTooLong));
    let named = with(AnchorConstraints { name_constraints: Some(only("CA")), ..none.clone() });
    let outside = Fault::Name { form: NameForm::DirectoryName, violation: NameViolation::NotPermitted };
    assert_eq!(fault(&named), Some(&outside));
    let policies = Some(vec!["1.2.3".parse::<Oid>().unwrap()]);
    assert_eq!(fault(&with(AnchorConstraints { policies, ..none })), Some(&Fault::NoPolicy));
}

#[test]
fn the_anchors_policies_and_the_users_both_count() {
    let (root_key, key) = (Key::new(), Key::new());
    let policy = |arcs: &[&[u8]]| {
        let list: Vec<u8> =
            arcs.iter().flat_map(|arcs| tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[arcs])])).collect();
        extension(oid::CERTIFICATE_POLICIES, false, &tlv(writer::SEQUENCE, &[&list]))
    };
    let (one, two): (&[u8], &[u8]) = (&[0x2a, 1], &[0x2a, 2]);
    let issuer = Draft::new("Root", "CA", &key).with(ca()).with([policy(&[one, two])]).certificate(&root_key);
    let target = Draft::new("CA", "Target", &Key::new()).with([policy(&[one, two])]).certificate(&key);
    let constraints = AnchorConstraints { policies: Some(vec![Oid::from_octets(one).unwrap()]), ..Default::default() };
    let trusted = TrustAnchor::from_certificate(root("Root", &root_key, []), AnchorRule::NameAndKey).unwrap();
    let mut settings = settings(&[&Arc::new(trusted.with_constraints(constraints))]);
    let found = |settings: &_| {
        let judgement = judge(&target, &evidence([&issuer]), settings);
        judgement.failure.is_none().then(|| judgement.chain.unwrap().policies.user_constrained)
    };
    assert_eq!(found(&settings), Some([one.to_vec()].into()));
    settings.user_initial_policy_set = PolicySet::Of(vec![Oid::from_octets(two).unwrap()]);
    assert_eq!(found(&settings), None);
}

#[test]
fn any_of_several_anchors_will_do() {
    let (old_key, new_key, key) = (Key::new(), Key::new(), Key::new());
    let (old, new) = (root("Root", &old_key, []), root("Root", &new_key, []));
    let over = AnchorConstraints { until_s: Some(NOW_S - DAY_S), ..Default::default() };
    let old_anchor = TrustAnchor::from_certificate(Arc::clone(&old), AnchorRule::NameAndKey).unwrap();
    let old_anchor = Arc::new(old_anchor.with_constraints(over));
    let new_anchor = anchor(&new, AnchorRule::NameAndKey);
    let issuer = Draft::new("Root", "CA", &key).with(ca()).certificate(&old_key);
    let cross = Draft::new("Root", "Root", &old_key).with(ca()).serial(&[2]).certificate(&new_key);
    let target = Draft::new("CA", "Target", &Key::new()).certificate(&key);
    // The old root is trusted no more, but the new one certified its key.
    let judgement = judge(&target, &evidence([&issuer]), &settings(&[&old_anchor, &new_anchor]));
    assert!(matches!(fault(&judgement), Some(Fault::Signature(_) | Fault::Expired { .. })), "{:?}", judgement.failure);
    let judgement = judge(&target, &evidence([&issuer, &cross]), &settings(&[&new_anchor]));
    assert!(judgement.is_good(), "{:?}", judgement.failure);
    assert_eq!(judgement.chain.unwrap().links.len(), 3);
}

#[test]
fn an_anchors_own_certificate_is_good_as_it_stands() {
    let key = Key::new();
    let root = root("Root", &key, []);
    let judgement = judge(&root, &evidence([]), &settings(&[&anchor(&root, AnchorRule::NameAndKey)]));
    assert!(judgement.is_good() && judgement.chain.unwrap().links.is_empty());
}
