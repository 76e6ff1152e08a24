//! Paths: what each condition is called when it fails, and which of several paths is chosen.

use super::pki::{Draft, Key, NOW_S, anchor, ca, evidence, extension, judge, root, settings};
use crate::asn1::writer::{self, tlv};
use crate::verify::signature::{AlgorithmPolicy, KeyAlgorithm, SignatureAlgorithm, SignatureError};
use crate::verify::{AnchorRule, Conformance, Failure, Fault, Finding, oid};

fn fault(failure: Option<Failure>) -> Option<Fault> {
    match failure {
        Some(Failure::Certificate { fault, .. }) => Some(fault),
        None => None,
        other => panic!("{other:?}"),
    }
}

/// Judges a target under a CA of which a part is changed.
fn with(change: impl FnOnce(&mut Draft, &mut Draft)) -> Option<Fault> {
    let (root_key, key) = (Key::new(), Key::new());
    let trusted = anchor(&root("Root", &root_key, []), AnchorRule::NameAndKey);
    let mut issuer = Draft::new("Root", "CA", &key).with(ca());
    let mut target = Draft::new("CA", "Target", &Key::new());
    change(&mut issuer, &mut target);
    let (issuer, target) = (issuer.certificate(&root_key), target.certificate(&key));
    fault(judge(&target, &evidence([&issuer]), &settings(&[&trusted])).failure)
}

#[test]
fn each_condition_has_its_fault() {
    assert_eq!(with(|_, _| {}), None);
    let expired = with(|issuer, _| issuer.until = b"241231235959Z");
    assert_eq!(expired, Some(Fault::Expired { time_s: NOW_S, not_after_s: NOW_S - 1 }));
    let early = with(|_, target| target.from = b"250101000001Z");
    assert_eq!(early, Some(Fault::NotYetValid { time_s: NOW_S, not_before_s: NOW_S + 1 }));
    assert_eq!(with(|issuer, _| issuer.until = b"250101000000Z"), None);
    assert_eq!(with(|_, target| target.from = b"250101000000Z"), None);
    let not_ca = with(|issuer, _| issuer.extensions.clear());
    assert_eq!(not_ca, Some(Fault::NotCa { has_basic_constraints: false }));
    let not_ca = with(|issuer, _| issuer.extensions = vec![extension(oid::BASIC_CONSTRAINTS, true, &[0x30, 0])]);
    assert_eq!(not_ca, Some(Fault::NotCa { has_basic_constraints: true }));
    let no_sign = with(|issuer, _| issuer.extensions[1] = extension(oid::KEY_USAGE, true, &[3, 2, 1, 2]));
    assert_eq!(no_sign, Some(Fault::NoKeyCertSign));
    let unknown = with(|_, target| target.extensions.push(extension(&[0x2a, 3], true, &[5, 0])));
    assert_eq!(unknown, Some(Fault::UnknownCriticalExtension { oid: "1.2.3".to_owned() }));
    assert_eq!(with(|_, target| target.extensions.push(extension(&[0x2a, 3], false, &[5, 0]))), None);
    let malformed = with(|_, target| target.extensions.push(extension(oid::KEY_USAGE, false, &[3, 0])));
    assert!(matches!(malformed, Some(Fault::MalformedExtension { extension: "keyUsage", .. })), "{malformed:?}");
}

#[test]
fn a_purpose_that_is_not_allowed() {
    let (root_key, time_stamping): (Key, &[u8]) = (Key::new(), &[0x2b, 6, 1, 5, 5, 7, 3, 8]);
    let trusted = anchor(&root("Root", &root_key, []), AnchorRule::NameAndKey);
    let judge_for = |allowed: Option<&[u8]>| {
        let mut target = Draft::new("Root", "Target", &Key::new());
        if let Some(allowed) = allowed {
            let list = tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[allowed])]);
            target.extensions.push(extension(oid::EXTENDED_KEY_USAGE, true, &list));
        }
        let mut settings = settings(&[&trusted]);
        settings.purpose = Some(time_stamping);
        fault(judge(&target.certificate(&root_key), &evidence([]), &settings).failure)
    };
    assert_eq!(judge_for(None), None);
    assert_eq!(judge_for(Some(time_stamping)), None);
    assert_eq!(judge_for(Some(oid::ANY_EXTENDED_KEY_USAGE)), None);
    assert_eq!(judge_for(Some(oid::OCSP_SIGNING)), Some(Fault::Purpose));
}

#[test]
fn a_signature_of_another_key_is_bad_and_an_algorithm_may_be_refused() {
    struct Nothing;
    impl AlgorithmPolicy for Nothing {
        fn permits(&self, _: SignatureAlgorithm, _: KeyAlgorithm) -> bool {
            false
        }
    }
    let (root_key, key) = (Key::new(), Key::new());
    let trusted = anchor(&root("Root", &root_key, []), AnchorRule::NameAndKey);
    let issuer = Draft::new("Root", "CA", &key).with(ca()).certificate(&root_key);
    let forged = Draft::new("CA", "Target", &Key::new()).certificate(&Key::new());
    let judgement = judge(&forged, &evidence([&issuer]), &settings(&[&trusted]));
    assert_eq!(fault(judgement.failure), Some(Fault::Signature(SignatureError::Bad)));

    let target = Draft::new("Root", "Target", &Key::new()).certificate(&root_key);
    let mut settings = settings(&[&trusted]);
    settings.algorithms = &Nothing;
    let found = fault(judge(&target, &evidence([]), &settings).failure);
    assert!(matches!(found, Some(Fault::AlgorithmNotPermitted { .. })), "{found:?}");
}

#[test]
fn a_finding_fails_only_where_conformance_is_required() {
    let root_key = Key::new();
    let trusted = anchor(&root("Root", &root_key, []), AnchorRule::NameAndKey);
    let target = Draft::new("Root", "Target", &Key::new()).serial(&[0]).certificate(&root_key);
    let mut settings = settings(&[&trusted]);
    assert!(judge(&target, &evidence([]), &settings).is_good());
    assert_eq!(target.findings(), [Finding::SerialNotPositive, Finding::AuthorityKeyIdentifierMissing]);
    settings.conformance = Conformance::Required;
    let found = fault(judge(&target, &evidence([]), &settings).failure);
    assert_eq!(found, Some(Fault::Finding(Finding::SerialNotPositive)));
}

#[test]
fn of_several_paths_the_one_that_holds_is_found() {
    // The CA's first certificate has expired, its second is good; both have the same key.
    let (root_key, key) = (Key::new(), Key::new());
    let trusted = anchor(&root("Root", &root_key, []), AnchorRule::NameAndKey);
    let mut old = Draft::new("Root", "CA", &key).with(ca());
    old.until = b"230101000000Z";
    let old = old.certificate(&root_key);
    let new = Draft::new("Root", "CA", &key).with(ca()).serial(&[2]).certificate(&root_key);
    let target = Draft::new("CA", "Target", &Key::new()).certificate(&key);
    for order in [[&old, &new], [&new, &old]] {
        let judgement = judge(&target, &evidence(order), &settings(&[&trusted]));
        assert!(judgement.is_good());
        assert_eq!(judgement.chain.unwrap().links[0].certificate, new);
    }
    // Judged for a time when the first was good, either will do.
    let mut past = settings(&[&trusted]);
    past.time_s = 1_600_000_000;
    assert!(judge(&target, &evidence([&old]), &past).is_good());
}

#[test]
fn a_missing_issuer_is_named() {
    let key = Key::new();
    let trusted = anchor(&root("Root", &Key::new(), []), AnchorRule::NameAndKey);
    let issuer = Draft::new("Nobody", "CA", &key).with(ca()).certificate(&Key::new());
    let target = Draft::new("CA", "Target", &Key::new()).certificate(&key);
    let judgement = judge(&target, &evidence([&issuer]), &settings(&[&trusted]));
    match judgement.failure {
        Some(Failure::NoIssuer { certificate }) => assert_eq!(certificate, issuer),
        other => panic!("{other:?}"),
    }
    // That the CA's old key did not sign is not the fault.
    let old = Draft::new("Nobody", "CA", &Key::new()).with(ca()).certificate(&Key::new());
    for order in [[&issuer, &old], [&old, &issuer]] {
        let judgement = judge(&target, &evidence(order), &settings(&[&trusted]));
        assert!(matches!(judgement.failure, Some(Failure::NoIssuer { .. })), "{:?}", judgement.failure);
    }
}
