//! Timestamps by themselves, and what a signature makes of those that do not hold.

use crl::ReasonCode;

use super::world::{Issuer, Plan, SIGNER, UNIT, Unit, World, policy, revoked};
use crate::asn1::writer::{self, tlv};
use crate::verify::cms::{Content, oid};
use crate::verify::policy::Policy;
use crate::verify::report::Verdict;
use crate::verify::tests::archive::digest;

fn fresh() -> World {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    world
}

/// The unit is revoked on 2025-02-01, and the CRLs are of 2025-02-28.
fn revoked_unit(reason: Option<ReasonCode>) -> World {
    let mut world = World::new();
    world.hold_crls("2025-02-28", "2025-03-07");
    let crl = world.tsa_ca.crl("2025-02-28T12:00:00Z", "2025-03-07", &[revoked(UNIT, reason, "2025-02-01")]);
    world.hold(&crl);
    world
}

#[test]
fn an_imprint_of_something_else() {
    let world = fresh();
    let other = world.unit.token(&digest(b"other"), "2025-01-01", Vec::new());
    let found = world.judge(&world.sign().with(oid::SIGNATURE_TIMESTAMP, &other), "2025-01-02");
    found.passed("2025-01-02").timestamps(&[("FAILED", "HASH_FAILURE")]);
    // One that holds counts beside it.
    let both = world.sign().with(oid::SIGNATURE_TIMESTAMP, &other).stamped(&world.unit, "2025-01-01");
    world.judge(&both, "2025-01-02").passed("2025-01-01").timestamps(&[("FAILED", "HASH_FAILURE"), ("PASSED", "")]);
}

#[test]
fn a_token_that_cannot_be_read_is_told() {
    let world = fresh();
    let found = world.judge(&world.sign().with(oid::SIGNATURE_TIMESTAMP, &[0x30, 0]), "2025-01-02");
    found.passed("2025-01-02").timestamps(&[]);
    assert!(found.has("signature-timestamp", "warning"), "{found:?}");
}

#[test]
fn an_altered_token_does_not_spoil_a_signature() {
    let world = fresh();
    let mut signed = world.sign().stamped(&world.unit, "2025-01-01");
    *signed.unsigned[0].last_mut().unwrap() ^= 1;
    world.judge(&signed, "2025-01-02").passed("2025-01-02").timestamps(&[("FAILED", "SIG_CRYPTO_FAILURE")]);
}

#[test]
fn by_its_reason_a_revocation_leaves_what_was_stamped_before() {
    use ReasonCode as R;
    // Unspecified (0) is what CRLs leave out.
    for reason in [R::AffiliationChanged, R::Superseded, R::CessationOfOperation] {
        let world = revoked_unit(Some(reason));
        let found = world.judge(&world.sign().stamped(&world.unit, "2025-01-31T23:59:59Z"), "2025-03-01");
        found.passed("2025-01-31T23:59:59Z").timestamps(&[("PASSED", "")]);
        let late = world.judge(&world.sign().stamped(&world.unit, "2025-02-01"), "2025-03-01");
        late.passed("2025-03-01").timestamps(&[("INDETERMINATE", "REVOKED_NO_POE")]);
    }
    let without = policy("[revocation]\nreason_rule = false");
    let world = revoked_unit(Some(R::Superseded));
    let found = world.judge_by(&world.sign().stamped(&world.unit, "2025-01-31"), "2025-03-01", &without);
    found.passed("2025-03-01").timestamps(&[("INDETERMINATE", "REVOKED_NO_POE")]);
}

#[test]
fn a_compromise_or_no_reason_leaves_nothing() {
    for (reason, sub) in [
        (Some(ReasonCode::KeyCompromise), "REVOKED_NO_POE"),
        (Some(ReasonCode::PrivilegeWithdrawn), "REVOKED_NO_POE"),
        (None, "REVOKED_NO_POE"),
        (Some(ReasonCode::CertificateHold), "TRY_LATER"),
    ] {
        let world = revoked_unit(reason);
        let found = world.judge(&world.sign().stamped(&world.unit, "2025-01-31"), "2025-03-01");
        found.passed("2025-03-01").timestamps(&[("INDETERMINATE", sub)]);
    }
}

#[test]
fn a_compromise_is_known_after_the_crl_that_tells_it_is_stale() {
    // At the time of judging nothing is fresh; at genTime the older CRL was, and the later one is held all the same.
    for (reason, holds) in [(Some(ReasonCode::KeyCompromise), false), (Some(ReasonCode::Superseded), true)] {
        let mut world = revoked_unit(reason);
        world.hold_crls("2025-01-30", "2025-02-06");
        let found = world.judge(&world.sign().stamped(&world.unit, "2025-01-31"), "2025-05-01");
        match holds {
            true => found.timestamps(&[("PASSED", "")]),
            false => found.timestamps(&[("INDETERMINATE", "REVOKED_NO_POE")]),
        };
    }
}

#[test]
fn a_token_of_the_future_proves_nothing() {
    let world = fresh();
    let judged = |time| world.judge(&world.sign().stamped(&world.unit, time), "2025-01-02");
    let refused = [("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE")];
    judged("2025-01-02T00:05:01Z").passed("2025-01-02").timestamps(&refused);
    // Two clocks differ by minutes; what is proven is no more than presence.
    let found = judged("2025-01-02T00:05:00Z");
    found.passed("2025-01-02").timestamps(&[("PASSED", "")]);
    assert_eq!(found.0.best_signature_time.proven_by, "presence");
}

#[test]
fn a_token_older_than_its_unit_proves_nothing() {
    let mut world = World::with(Plan { unit: (b"250101000000Z", b"440101000000Z"), ..Plan::new() });
    world.hold_crls("2024-12-30", "2025-01-07");
    let judged = |time| world.judge(&world.sign().stamped(&world.unit, time), "2025-01-02");
    judged("2024-12-31T23:59:59Z").passed("2025-01-02").timestamps(&[("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE")]);
    judged("2025-01-01").passed("2025-01-01").timestamps(&[("PASSED", "")]);
}

#[test]
fn a_tsa_policy_that_is_demanded_is_not_settled_by_an_archive() {
    let mut world = World::with(Plan { unit: (b"080101000000Z", b"250601000000Z"), ..Plan::new() });
    let later = Unit::new(&world.tsa_ca, "Later", &[10], (b"080101000000Z", b"440101000000Z"));
    let crls = world.crls("2025-01-01", "2025-01-07");
    // The unit's last CRL came after its token was archived.
    world.hold_crls("2025-05-30", "2025-06-06").hold_crls("2025-06-30", "2025-07-07");
    let signed = world.sign().stamped(&world.unit, "2025-01-02").carrying(crls).archived(&later, "2025-01-03");
    let named = policy("[timestamps]\ntsa_policies = [\"1.2\", \"1.3\"]");
    world.judge_by(&signed, "2025-07-01", &named).passed("2025-01-02").timestamps(&[("PASSED", ""), ("PASSED", "")]);
    // The later unit's alone: its policy is 1.2 as well, so that neither is demanded.
    let other = policy("[timestamps]\ntsa_policies = [\"1.3\"]");
    let refused = ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE");
    world.judge_by(&signed, "2025-07-01", &other).passed("2025-07-01").timestamps(&[refused, refused]);
    let mut renewed = Unit::new(&world.tsa_ca, "Renewed", &[11], (b"080101000000Z", b"440101000000Z"));
    renewed.tsa_policy = vec![0x2b];
    let crls = world.crls("2025-01-01", "2025-01-07");
    let signed = world.sign().stamped(&world.unit, "2025-01-02").carrying(crls).archived(&renewed, "2025-01-03");
    let found = world.judge_by(&signed, "2025-07-01", &other);
    found.passed("2025-01-03").timestamps(&[refused, ("PASSED", "")]);
}

#[test]
fn units_are_trusted_by_anchors_of_their_own() {
    let mut world = fresh();
    let root = Issuer::root("Other root");
    let unit = Unit::new(&root, "Other unit", &[9], Plan::new().unit);
    world.held.add_crl_der(&root.crl("2024-12-31", "2025-01-07", &[]), crate::verify::Origin::Held).unwrap();
    let other = crate::verify::tests::pki::anchor(&root.certificate, crate::verify::AnchorRule::NameAndKey);
    let untrusted = [("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND")];
    let by_other = world.sign().stamped(&unit, "2025-01-01");
    world.judge(&by_other, "2025-01-02").passed("2025-01-02").timestamps(&untrusted);
    world.anchors.timestamping = vec![other];
    world.judge(&by_other, "2025-01-02").passed("2025-01-01");
    // The signers' root makes no unit trusted, however good the chain.
    let by_own = world.sign().stamped(&world.unit, "2025-01-01");
    world.judge(&by_own, "2025-01-02").passed("2025-01-02").timestamps(&untrusted);
}

#[test]
fn a_backdated_token_by_a_stranger_does_not_undo_a_revocation() {
    let mut world = World::new();
    world.hold_revocation("2025-02-28", "2025-03-07", &revoked(SIGNER, None, "2025-02-01"));
    let stranger = Unit::new(&Issuer::root("Stranger"), "Stranger's unit", &[9], Plan::new().unit);
    let found = world.judge(&world.sign().stamped(&stranger, "2025-01-01"), "2025-03-01");
    found.indeterminate("REVOKED_NO_POE", "2025-03-01").timestamps(&[("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND")]);
}

#[test]
fn a_unit_of_which_nothing_is_known_proves_nothing() {
    let mut world = World::new();
    let [root, ca, tsa] = world.crls("2024-12-31", "2025-01-07");
    world.hold(&root).hold(&ca);
    let signed = world.sign().stamped(&world.unit, "2025-01-01");
    world.judge(&signed, "2025-01-02").passed("2025-01-02").timestamps(&[("INDETERMINATE", "TRY_LATER")]);
    // An archive by the same unit does not help either.
    let archived = signed.archived(&world.unit, "2025-01-02");
    world.judge(&archived, "2025-01-03").passed("2025-01-03").timestamps(&[("INDETERMINATE", "TRY_LATER"); 2]);
    world.hold(&tsa);
    world.judge(&archived, "2025-01-03").passed("2025-01-01");
}

#[test]
fn a_token_that_is_handed_in_alone() {
    let world = fresh();
    let token = world.unit.token(&digest(b"data"), "2025-01-01", Vec::new());
    let judged = |content| {
        let report = world.report(&token, content, "2025-01-02", Policy::default_policy(), None);
        let one = &report.timestamps[0];
        (report.verdict, one.sub_indication.clone().unwrap_or_default(), one.compared)
    };
    assert_eq!(judged(Content::Detached(b"data")), (Verdict::Passed, String::new(), true));
    assert_eq!(judged(Content::Detached(b"other")), (Verdict::Failed, "HASH_FAILURE".to_owned(), true));
    assert_eq!(judged(Content::Attached), (Verdict::Passed, String::new(), false));
    // The answer of a TSA, and a token whose unit is revoked.
    let world = revoked_unit(None);
    let token = world.unit.token(&digest(b"data"), "2025-01-31", Vec::new());
    let granted = tlv(writer::SEQUENCE, &[&[0x30, 3, 2, 1, 0], &token]);
    let report = world.report(&granted, Content::Detached(b"data"), "2025-03-01", Policy::default_policy(), None);
    let sub = report.timestamps[0].sub_indication.as_deref();
    assert_eq!((report.verdict, sub), (Verdict::Indeterminate, Some("REVOKED_NO_POE")));
}

#[test]
fn a_certificate_that_is_handed_in_alone() {
    let mut world = fresh();
    world.held.add_certificate(std::sync::Arc::clone(&world.ca.certificate), crate::verify::Origin::Held).unwrap();
    let der = world.signer.der().to_vec();
    let judged = |now| {
        let report = world.report(&der, Content::Attached, now, Policy::default_policy(), None);
        (report.verdict, report.certificates[0].sub_indication.clone().unwrap_or_default())
    };
    assert_eq!(judged("2025-01-07"), (Verdict::Passed, String::new()));
    assert_eq!(judged("2025-01-08"), (Verdict::Indeterminate, "TRY_LATER".to_owned()));
    assert_eq!(judged("2030-01-02"), (Verdict::Indeterminate, "OUT_OF_BOUNDS_NOT_REVOKED".to_owned()));
}
