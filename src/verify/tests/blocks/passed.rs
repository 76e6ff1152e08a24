//! TOTAL-PASSED: levels B, T and LT.

use crl::ReasonCode;

use super::world::{SIGNER, World, revoked};

#[test]
fn level_b_holds_while_everything_is_fresh() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    let found = world.judge(&world.sign(), "2025-01-01");
    found.passed("2025-01-01");
    assert_eq!((&*found.0.level, &*found.0.best_signature_time.proven_by), ("B", "presence"));
}

#[test]
fn level_t_is_proven_by_its_timestamp() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    let found = world.judge(&world.sign().stamped(&world.unit, "2025-01-01"), "2025-01-02");
    found.passed("2025-01-01").timestamps(&[("PASSED", "")]);
    assert_eq!((&*found.0.level, &*found.0.best_signature_time.proven_by), ("T", "timestamp"));
}

#[test]
fn of_two_timestamps_the_earlier_counts() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    let signed = world.sign().stamped(&world.unit, "2025-01-03").stamped(&world.unit, "2025-01-02");
    world.judge(&signed, "2025-01-04").passed("2025-01-02");
}

#[test]
fn level_lt_holds_years_later_by_what_was_fresh_then() {
    let world = World::new();
    let crls = world.crls("2024-12-31", "2025-01-07");
    let signed = world.sign().stamped(&world.unit, "2025-01-01").carrying(crls);
    let found = world.judge(&signed, "2028-06-01");
    found.passed("2025-01-01").timestamps(&[("PASSED", "")]);
    assert_eq!(found.0.level, "LT");
}

#[test]
fn a_signer_that_ended_after_a_timestamp_and_was_not_revoked_before() {
    let mut world = World::new();
    let crls = world.crls("2024-12-31", "2025-01-07");
    let signed = world.sign().stamped(&world.unit, "2025-01-01").carrying(crls);
    world.judge(&signed, "2031-06-01").passed("2025-01-01");
    // The CRL that came after the end says nothing of it, and does not hide the older one.
    world.hold_crls("2031-05-31", "2031-06-07");
    world.judge(&signed, "2031-06-01").passed("2025-01-01");
}

#[test]
fn a_signer_that_was_revoked_after_a_timestamp() {
    let mut world = World::new();
    for reason in [Some(ReasonCode::KeyCompromise), None] {
        world.hold_revocation("2025-02-28", "2025-03-07", &revoked(SIGNER, reason, "2025-02-01"));
        world
            .judge(&world.sign().stamped(&world.unit, "2025-01-31T23:59:59Z"), "2025-03-01")
            .passed("2025-01-31T23:59:59Z");
    }
}

#[test]
fn a_signer_on_hold_after_a_timestamp() {
    let mut world = World::new();
    let entry = revoked(SIGNER, Some(ReasonCode::CertificateHold), "2025-02-01");
    world.hold_revocation("2025-02-28", "2025-03-07", &entry);
    world.judge(&world.sign().stamped(&world.unit, "2025-01-01"), "2025-03-01").passed("2025-01-01");
}
