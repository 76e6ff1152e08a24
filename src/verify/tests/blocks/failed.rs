//! TOTAL-FAILED: what no evidence that comes to light later can mend.

use crl::ReasonCode;

use super::world::{CONTENT, Plan, SIGNER, World, revoked};
use crate::verify::cms::Content;
use crate::verify::policy::Policy;

fn fresh() -> World {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    world
}

#[test]
fn other_content_is_a_hash_failure() {
    let world = fresh();
    let mut signed = world.sign();
    signed.content = None;
    let judged = |content: &[u8]| {
        world.judge_der(&signed.der(), Content::Detached(content), "2025-01-01", Policy::default_policy())
    };
    judged(CONTENT).passed("2025-01-01");
    judged(b"something else").failed("HASH_FAILURE", "2025-01-01");
}

#[test]
fn an_altered_signature_is_a_crypto_failure() {
    let world = fresh();
    let mut signed = world.sign();
    let last = signed.fields.len() - 1;
    signed.fields[last] ^= 1;
    world.judge(&signed, "2025-01-01").failed("SIG_CRYPTO_FAILURE", "2025-01-01");
}

#[test]
fn a_digest_that_the_message_does_not_list_is_a_format_failure() {
    let world = fresh();
    let by_sha1 = world.sign_by_sha1();
    let signed = super::world::Signed { fields: by_sha1.fields, ..world.sign() };
    world.judge(&signed, "2025-01-01").failed("FORMAT_FAILURE", "2025-01-01");
}

#[test]
fn content_that_was_stamped_after_the_revocation_was_signed_after_it() {
    let mut world = World::new();
    let entry = revoked(SIGNER, Some(ReasonCode::KeyCompromise), "2025-01-01");
    world.hold_revocation("2025-01-31", "2025-02-07", &entry);
    let judged = |time| world.judge(&world.sign_stamped(&world.unit, time), "2025-02-01");
    judged("2025-01-02").failed("REVOKED", "2025-02-01").timestamps(&[("PASSED", "")]);
    // Stamped before, it may have been signed before as well.
    judged("2024-12-31").indeterminate("REVOKED_NO_POE", "2025-02-01");
}

#[test]
fn content_that_was_stamped_after_the_end_was_signed_after_it() {
    let mut world = World::new();
    world.hold_crls("2029-12-31", "2030-01-07").hold_crls("2030-01-31", "2030-02-07");
    let judged = |time| world.judge(&world.sign_stamped(&world.unit, time), "2030-02-01");
    judged("2030-01-02").failed("EXPIRED", "2030-02-01");
    judged("2029-12-31").indeterminate("OUT_OF_BOUNDS_NOT_REVOKED", "2030-02-01");
}

#[test]
fn what_is_proven_older_than_its_certificate_was_made_without_it() {
    let mut world = World::new();
    world.hold_crls("2019-12-30", "2020-01-07");
    let judged = |time, now| world.judge(&world.sign().stamped(&world.unit, time), now);
    judged("2019-12-31", "2020-01-02").failed("NOT_YET_VALID", "2019-12-31");
    judged("2020-01-01", "2020-01-02").passed("2020-01-01");
    // As well before the certificate's begin, since the timestamp proves it.
    judged("2019-12-30", "2019-12-31").failed("NOT_YET_VALID", "2019-12-30");
}

#[test]
fn a_certificate_that_begins_later_fails_nothing_by_itself() {
    // That the signature is here now is told by the verifier's clock alone, and tomorrow it may hold.
    let mut world = World::with(Plan { signer: (b"250102000000Z", b"300101000000Z"), ..Plan::new() });
    world.hold_crls("2024-12-31", "2025-01-07");
    let signed = world.sign();
    world.judge(&signed, "2025-01-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-01-01");
    world.judge(&signed, "2025-01-02").passed("2025-01-02");
}
