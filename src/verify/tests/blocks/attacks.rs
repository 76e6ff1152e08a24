//! What somebody may try who holds a revoked or expired key, or another's signature.

use crl::ReasonCode;

use super::archives::{ENDED, ended_ca};
use super::world::{Life, Plan, SIGNER, World, at, revoked};
use crate::verify::cms::oid;
use crate::verify::policy::Policy;
use crate::verify::tests::archive::digest;
use crate::verify::tests::ocsp::{GOOD, Response, no_check, ocsp_signing};
use crate::verify::tests::pki::Key;

/// The signer is revoked on 2025-02-01, and the CRLs are of 2025-02-28.
fn revoked_signer() -> World {
    let mut world = World::new();
    world.hold_revocation("2025-02-28", "2025-03-07", &revoked(SIGNER, Some(ReasonCode::KeyCompromise), "2025-02-01"));
    world
}

#[test]
fn a_timestamp_over_another_signature_proves_nothing_of_this_one() {
    let world = revoked_signer();
    let other = world.sign();
    let token = world.unit.token(&digest(&other.signature), "2025-01-01", Vec::new());
    world.judge(&other.with(oid::SIGNATURE_TIMESTAMP, &token), "2025-03-01").passed("2025-01-01");
    let found = world.judge(&world.sign().with(oid::SIGNATURE_TIMESTAMP, &token), "2025-03-01");
    found.indeterminate("REVOKED_NO_POE", "2025-03-01").timestamps(&[("FAILED", "HASH_FAILURE")]);
}

#[test]
fn an_archive_of_another_message_proves_nothing_of_this_one() {
    let world = revoked_signer();
    let other = world.sign().archived(&world.unit, "2025-01-01");
    let found = world.judge(&other, "2025-03-01");
    found.passed("2025-01-01");
    let mut signed = world.sign();
    signed.unsigned = other.unsigned;
    let found = world.judge(&signed, "2025-03-01");
    found.indeterminate("REVOKED_NO_POE", "2025-03-01").timestamps(&[("FAILED", "HASH_FAILURE")]);
}

#[test]
fn revocation_data_that_an_archive_leaves_out_has_no_proof() {
    let (world, mut signed) = ended_ca(Plan { ca: ENDED, ..Plan::new() });
    signed.unsigned.pop();
    let left_out = signed.clone().archived_with(&world.unit, "2025-01-03", &[]);
    world.judge(&left_out, "2026-01-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-01-01");
    // All but the signer's.
    let crls = [signed.crls[0].clone(), signed.crls[2].clone()];
    let left_out = signed.clone().archived_with(&world.unit, "2025-01-03", &crls);
    world.judge(&left_out, "2026-01-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-01-01");
    let all = signed.archived(&world.unit, "2025-01-03");
    world.judge(&all, "2026-01-01").passed("2025-01-01");
}

#[test]
fn revocation_data_that_was_added_after_an_archive_has_no_proof() {
    let (world, mut signed) = ended_ca(Plan { ca: ENDED, ..Plan::new() });
    signed.unsigned.pop();
    let crls = std::mem::take(&mut signed.crls);
    let signed = signed.archived(&world.unit, "2025-01-03").carrying(crls);
    world.judge(&signed, "2026-01-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-01-01");
    // A later archive covers it, from before the CA's last CRL.
    let again = signed.clone().archived(&world.unit, "2025-05-29");
    world.judge(&again, "2026-01-01").passed("2025-01-01");
    let late = signed.archived(&world.unit, "2025-05-31");
    world.judge(&late, "2026-01-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-01-01");
}

#[test]
fn an_old_crl_does_not_hide_a_newer_one() {
    let mut world = revoked_signer();
    let old = world.crls("2025-01-31", "2025-03-07");
    // Both are fresh, the older one in the document.
    let stamped = world.sign().stamped(&world.unit, "2025-02-02").carrying(old);
    world.judge(&stamped, "2025-03-01").indeterminate("REVOKED_NO_POE", "2025-02-02");
    // Both are held, in the other order.
    world.hold_crls("2025-01-30", "2025-03-07");
    world.judge(&world.sign(), "2025-03-01").indeterminate("REVOKED_NO_POE", "2025-03-01");
}

#[test]
fn an_old_crl_alone_counts_as_far_as_it_is_fresh() {
    let world = World::new();
    let old = world.crls("2025-01-25", "2025-02-01");
    let stamped = |time| world.sign().stamped(&world.unit, time).carrying(old.clone());
    // Nobody told the verifier of the revocation on 2025-02-01.
    world.judge(&stamped("2025-02-01"), "2025-03-01").passed("2025-02-01");
    let mut world = World::new();
    let old = world.ca.crl("2025-01-25", "2025-02-01", &[]);
    let (root, tsa) =
        (world.root.crl("2025-01-25", "2025-03-07", &[]), world.tsa_ca.crl("2025-01-25", "2025-03-07", &[]));
    world.hold(&root).hold(&tsa);
    let late = world.sign().stamped(&world.unit, "2025-02-01T00:00:01Z").carrying([old]);
    let found = world.judge(&late, "2025-03-01");
    found.indeterminate("TRY_LATER", "2025-02-01T00:00:01Z").timestamps(&[("PASSED", "")]);
}

#[test]
fn a_revocation_is_known_after_the_crl_that_tells_of_it_is_stale() {
    let mut world = World::new();
    // The older CRL is still fresh, the newer one is not.
    world.hold_crls("2025-01-25", "2025-12-31");
    let listed = |reason| world.ca.crl("2025-02-28", "2025-03-07", &[revoked(SIGNER, reason, "2025-02-01")]);
    let (revoked, on_hold) = (listed(None), listed(Some(ReasonCode::CertificateHold)));
    let signed = world.sign();
    world.judge(&signed, "2025-06-01").passed("2025-06-01");
    // A hold may have ended.
    world.judge(&signed.clone().carrying([on_hold]), "2025-06-01").passed("2025-06-01");
    let told = signed.carrying([revoked.clone()]);
    world.judge(&told, "2025-06-01").indeterminate("REVOKED_NO_POE", "2025-06-01");
    world.judge(&told.stamped(&world.unit, "2025-01-31"), "2025-06-01").passed("2025-01-31");
    // With nothing else, and by a policy that tolerates what is not known.
    let mut world = World { held: crate::verify::Evidence::new(), ..world };
    world.hold(&revoked);
    let without = Policy::built_in("without-revocation").unwrap();
    world.judge_by(&world.sign(), "2025-06-01", without).indeterminate("REVOKED_NO_POE", "2025-06-01");
}

#[test]
fn a_revocation_that_lies_ahead_makes_no_stale_crl_fresh() {
    let mut world = World::new();
    world.hold_crls("2025-01-01", "2025-01-08");
    let ahead = world.ca.crl("2025-01-02", "2025-01-09", &[revoked(SIGNER, None, "2025-08-01")]);
    world.hold(&ahead);
    let [root, _, tsa] = world.crls("2025-05-31", "2025-06-07");
    world.hold(&root).hold(&tsa);
    world.judge(&world.sign(), "2025-06-01").indeterminate("TRY_LATER", "2025-06-01");
}

/// An answer of 2025-01-02 by a responder that ended on 2025-01-20.
fn answer(world: &World) -> Vec<u8> {
    let key = Key::new();
    let life: Life = (b"250101000000Z", b"250120000000Z");
    let certificate = world.ca.issue("Responder", &[8], &key, life, vec![ocsp_signing(), no_check()]);
    let response = Response {
        issuer: "CA",
        serial: SIGNER[0],
        this_update_s: at("2025-01-02"),
        next_update_s: Some(at("2025-02-09")),
        certificates: vec![certificate.der().to_vec()],
        responder: "Responder",
        ..Response::new(GOOD)
    };
    response.sign(&world.ca.key, &key)
}

#[test]
fn a_responder_that_has_ended_answers_no_more() {
    let mut world = World::new();
    let answer = answer(&world);
    let [root, _, tsa] = world.crls("2025-01-01", "2025-03-07");
    world.hold(&root).hold(&tsa);
    let signed = world.sign().carrying_ocsp(&answer);
    world.judge(&signed, "2025-01-20").passed("2025-01-20");
    world
        .judge(&signed, "2025-01-20T00:00:01Z")
        .indeterminate("REVOCATION_OUT_OF_BOUNDS_NO_POE", "2025-01-20T00:00:01Z");
}

#[test]
fn a_responder_that_has_ended_counts_where_its_answer_is_proven_older() {
    // The CA's end leaves it to the archive; its answer was archived before the responder's end, or after.
    for (archived, sub) in [("2025-01-19", ""), ("2025-01-21", "OUT_OF_BOUNDS_NO_POE")] {
        let mut world = World::with(Plan { ca: ENDED, ..Plan::new() });
        let answer = answer(&world);
        let before = world.root.crl("2025-05-30", "2025-06-06", &[]);
        world.hold_crls("2025-12-31", "2026-01-07").hold(&before);
        let signed = world.sign().stamped(&world.unit, "2025-01-01").carrying_ocsp(&answer);
        let found = world.judge(&signed.archived(&world.unit, archived), "2026-01-01");
        match sub {
            "" => found.passed("2025-01-01"),
            sub => found.indeterminate(sub, "2025-01-01"),
        };
    }
}
