//! INDETERMINATE: what the evidence at hand does not settle.

use std::sync::Arc;

use crl::ReasonCode;

use super::world::{CA, Plan, SIGNER, World, policy, revoked};
use crate::verify::blocks::Anchors;
use crate::verify::tests::pki::anchor;
use crate::verify::{AnchorConstraints, AnchorRule, TrustAnchor};

#[test]
fn a_revoked_signer_without_an_older_timestamp() {
    let mut world = World::new();
    world.hold_revocation("2025-02-28", "2025-03-07", &revoked(SIGNER, Some(ReasonCode::Superseded), "2025-02-01"));
    world.judge(&world.sign(), "2025-03-01").indeterminate("REVOKED_NO_POE", "2025-03-01");
    // A timestamp of the same second is not older.
    let late = world.sign().stamped(&world.unit, "2025-02-01");
    world.judge(&late, "2025-03-01").indeterminate("REVOKED_NO_POE", "2025-02-01");
}

#[test]
fn a_revoked_ca_without_an_older_proof() {
    let mut world = World::new();
    world.hold_crls("2025-01-31", "2025-03-07");
    let listed =
        world.root.crl("2025-02-28", "2025-03-07", &[revoked(CA, Some(ReasonCode::CaCompromise), "2025-02-01")]);
    world.hold(&listed);
    world.judge(&world.sign(), "2025-03-01").indeterminate("REVOKED_CA_NO_POE", "2025-03-01");
    // A CA that is compromised may have issued anything: that the signature is older says nothing of the certificates.
    let stamped = world.sign().stamped(&world.unit, "2025-01-31");
    world.judge(&stamped, "2025-03-01").indeterminate("REVOKED_CA_NO_POE", "2025-01-31");
}

#[test]
fn an_ended_signer() {
    // Nothing is known of its revocation: the CRL came after its end, when it need not be listed any more.
    let mut world = World::new();
    world.hold_crls("2030-01-31", "2030-02-07");
    world.judge(&world.sign(), "2030-02-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2030-02-01");
    // A policy that tolerates what is not known does not make it known.
    let told = policy("[revocation]\nsigner = \"told\"");
    world.judge_by(&world.sign(), "2030-02-01", &told).indeterminate("OUT_OF_BOUNDS_NO_POE", "2030-02-01");
    // By one from before the end it was not revoked.
    world.hold_crls("2029-12-30", "2030-01-07");
    world.judge(&world.sign(), "2030-02-01").indeterminate("OUT_OF_BOUNDS_NOT_REVOKED", "2030-02-01");
    let late = world.sign().stamped(&world.unit, "2030-01-02");
    world.judge(&late, "2030-02-01").indeterminate("OUT_OF_BOUNDS_NOT_REVOKED", "2030-01-02");
}

#[test]
fn an_ended_ca() {
    let mut world = World::with(Plan { ca: (b"000101000000Z", b"250601000000Z"), ..Plan::new() });
    world.hold_crls("2025-05-30", "2025-06-07").hold_crls("2025-06-30", "2025-07-07");
    world.judge(&world.sign(), "2025-07-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-07-01");
}

#[test]
fn an_ended_ca_whose_root_lists_those_that_ended() {
    // The status of the CA is known to this day, and that its validity has ended all the same.
    let mut world = World::with(Plan { ca: (b"000101000000Z", b"250601000000Z"), ..Plan::new() });
    world.hold_crls("2025-06-30", "2025-07-07");
    let mut draft = crate::verify::tests::pki::CrlDraft::new("Root", &world.root.key);
    draft.fields.this_update_s = super::world::at("2025-06-30");
    draft.fields.next_update_s = super::world::at("2025-07-07");
    draft.fields.expired_certs_on_crl_s = Some(super::world::at("2000-01-01"));
    let crl = draft.sign(&[], &world.root.key);
    world.hold(&crl);
    world.judge(&world.sign(), "2025-07-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-07-01");
    let stamped = world.sign().stamped(&world.unit, "2025-06-30");
    world.judge(&stamped, "2025-07-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-06-30");
    world.hold_crls("2025-05-30", "2025-06-07");
    world.judge(&stamped, "2025-07-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-06-30");
}

#[test]
fn no_anchor_or_no_ca() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    let mut signed = world.sign();
    signed.certificates.truncate(1);
    world.judge(&signed, "2025-01-01").indeterminate("NO_CERTIFICATE_CHAIN_FOUND", "2025-01-01");
    world.anchors = Anchors::default();
    world.judge(&world.sign(), "2025-01-01").indeterminate("NO_CERTIFICATE_CHAIN_FOUND", "2025-01-01");
}

/// A root that is trusted until a time.
fn until(world: &World, time: &str) -> Anchors {
    let root = TrustAnchor::from_certificate(Arc::clone(&world.root.certificate), AnchorRule::NameAndKey).unwrap();
    let constraints = AnchorConstraints { until_s: Some(super::world::at(time)), ..AnchorConstraints::default() };
    let timestamping = vec![anchor(&world.root.certificate, AnchorRule::NameAndKey)];
    Anchors { signers: vec![Arc::new(root.with_constraints(constraints))], timestamping }
}

#[test]
fn an_anchor_whose_trust_has_ended() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    world.anchors = until(&world, "2024-12-31T12:00:00Z");
    world.judge(&world.sign(), "2024-12-31").passed("2024-12-31");
    world.judge(&world.sign(), "2025-01-01").indeterminate("NO_CERTIFICATE_CHAIN_FOUND_NO_POE", "2025-01-01");
    let late = world.sign().stamped(&world.unit, "2025-01-01");
    world.judge(&late, "2025-01-02").indeterminate("NO_CERTIFICATE_CHAIN_FOUND_NO_POE", "2025-01-01");
    // An archive from before the end proves the chain as well.
    let crls = world.crls("2024-12-31", "2025-01-07");
    let archived = world.sign().carrying(crls).archived(&world.unit, "2024-12-31T06:00:00Z");
    world.judge(&archived, "2025-01-02").passed("2024-12-31T06:00:00Z");
    let late = world.sign().carrying(world.crls("2024-12-31", "2025-01-07")).archived(&world.unit, "2025-01-01");
    world.judge(&late, "2025-01-02").indeterminate("NO_CERTIFICATE_CHAIN_FOUND_NO_POE", "2025-01-01");
}

#[test]
fn an_algorithm_that_is_relied_on_no_more() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    let signed = world.sign_by_sha1();
    world.judge(&signed, "2025-01-01").indeterminate("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "2025-01-01");
    let late = signed.clone().stamped(&world.unit, "2025-01-01");
    world.judge(&late, "2025-01-02").indeterminate("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "2025-01-01");
    let longer = policy("[suites.digests]\nsha1 = \"2025-01-02\"");
    world.judge_by(&signed, "2025-01-01T23:59:59Z", &longer).passed("2025-01-01T23:59:59Z");
    world.judge_by(&signed, "2025-01-02", &longer).indeterminate("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "2025-01-02");
    // Before the end a timestamp proves it, to the second.
    let stamped = |time| signed.clone().stamped(&world.unit, time);
    world.judge_by(&stamped("2025-01-01T23:59:59Z"), "2025-01-03", &longer).passed("2025-01-01T23:59:59Z");
    let at_the_end = world.judge_by(&stamped("2025-01-02"), "2025-01-03", &longer);
    at_the_end.indeterminate("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "2025-01-02");
}

#[test]
fn an_algorithm_that_was_never_relied_on_or_is_proven_to_be_late() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    let never = policy("[suites.digests]\nsha1 = \"never\"");
    let signed = world.sign_by_sha1().stamped(&world.unit, "2025-01-01");
    // No proof of existence could help.
    world.judge_by(&signed, "2025-01-02", &never).indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "2025-01-02");
    // The content was stamped when the digest was over, and signed after that.
    let signed = world.sign_stamped_by_sha1(&world.unit, "2025-01-02");
    world.judge(&signed, "2025-01-04").indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "2025-01-04");
    // Stamped before, it may have been signed before as well.
    let longer = policy("[suites.digests]\nsha1 = \"2025-01-03\"");
    let found = world.judge_by(&signed, "2025-01-04", &longer);
    found.indeterminate("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "2025-01-04");
}

#[test]
fn signers_that_are_not_there() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    let mut signed = world.sign();
    signed.certificates.clear();
    world.judge(&signed, "2025-01-01").indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "2025-01-01");
    let mut detached = world.sign();
    detached.content = None;
    world.judge(&detached, "2025-01-01").indeterminate("SIGNED_DATA_NOT_FOUND", "2025-01-01");
}

#[test]
fn without_revocation_data_a_timestamp_does_not_help() {
    let mut world = World::new();
    world.judge(&world.sign(), "2025-01-02").indeterminate("TRY_LATER", "2025-01-02");
    let [root, ca, tsa] = world.crls("2024-12-31", "2025-01-07");
    world.hold(&root).hold(&tsa);
    let stamped = world.sign().stamped(&world.unit, "2025-01-01");
    let found = world.judge(&stamped, "2025-01-02");
    found.indeterminate("TRY_LATER", "2025-01-01").timestamps(&[("PASSED", "")]);
    world.hold(&ca);
    world.judge(&stamped, "2025-01-02").passed("2025-01-01");
}

#[test]
fn stale_revocation_data_holds_for_its_own_time() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    world.judge(&world.sign(), "2025-01-08").indeterminate("TRY_LATER", "2025-01-08");
    // The unit's is stale too, but was fresh when it stamped.
    let stamped = world.sign().stamped(&world.unit, "2025-01-07");
    world.judge(&stamped, "2025-01-09").passed("2025-01-07");
    let late = world.sign().stamped(&world.unit, "2025-01-08");
    let found = world.judge(&late, "2025-01-09");
    found.indeterminate("TRY_LATER", "2025-01-09").timestamps(&[("INDETERMINATE", "TRY_LATER")]);
    let now = policy("[revocation]\ntimestamp_freshness = \"judging-time\"");
    world.judge_by(&stamped, "2025-01-09", &now).indeterminate("TRY_LATER", "2025-01-09");
}

#[test]
fn a_maximal_age_counts_from_this_update() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-12-31");
    let day = policy("[revocation]\nfreshness = \"24h\"");
    world.judge_by(&world.sign(), "2025-01-01", &day).passed("2025-01-01");
    let found = world.judge_by(&world.sign(), "2025-01-01T00:00:01Z", &day);
    found.indeterminate("TRY_LATER", "2025-01-01T00:00:01Z");
}

#[test]
fn a_signer_on_hold() {
    let mut world = World::new();
    let entry = revoked(SIGNER, Some(ReasonCode::CertificateHold), "2025-02-01");
    world.hold_revocation("2025-02-28", "2025-03-07", &entry);
    world.judge(&world.sign(), "2025-03-01").indeterminate("TRY_LATER", "2025-03-01");
    let late = world.sign().stamped(&world.unit, "2025-02-02");
    world.judge(&late, "2025-03-01").indeterminate("TRY_LATER", "2025-02-02");
}
