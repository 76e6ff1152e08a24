//! Level LTA: what holds by proofs of existence alone.

use crl::ReasonCode;

use super::world::{Life, Plan, SIGNER, Signed, Unit, World, revoked};
use crate::verify::cms::oid;

/// A CA that ended on 2025-06-01.
pub(super) const ENDED: Life = (b"000101000000Z", b"250601000000Z");

/// A signature of 2025-01-01 with a timestamp, an archive of 2025-01-03 over the signer's CRL, and a CA that has ended since;
/// held is a CRL from before its end.
pub(super) fn ended_ca(plan: Plan) -> (World, Signed) {
    let mut world = World::with(plan);
    let crls = world.crls("2025-01-02", "2025-01-09");
    let signed = world.sign().stamped(&world.unit, "2025-01-01").carrying(crls);
    let signed = signed.archived(&world.unit, "2025-01-03");
    world.hold_crls("2025-12-31", "2026-01-07");
    let before = world.root.crl("2025-05-30", "2025-06-06", &[]);
    world.hold(&before);
    (world, signed)
}

#[test]
fn an_ended_ca_is_settled_by_an_archive() {
    let (world, signed) = ended_ca(Plan { ca: ENDED, ..Plan::new() });
    let found = world.judge(&signed, "2026-01-01");
    found.passed("2025-01-01").timestamps(&[("PASSED", ""), ("PASSED", "")]);
    assert_eq!(found.0.level, "LTA");
    assert!(found.has("past-signature", "passed"), "{found:?}");
    // What could not be told at the best signature time is told, and is no part of the verdict.
    assert!(found.has("chain", "information"), "{found:?}");
}

#[test]
fn without_the_archive_nothing_settles_it() {
    let (world, mut signed) = ended_ca(Plan { ca: ENDED, ..Plan::new() });
    signed.unsigned.pop();
    world.judge(&signed, "2026-01-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-01-01");
}

#[test]
fn a_signature_that_is_younger_than_the_crl_in_its_archive() {
    // The CRL tells of 2025-01-02; what is proven from 2025-01-03 on may have been made after a revocation.
    let (world, mut signed) = ended_ca(Plan { ca: ENDED, ..Plan::new() });
    signed.unsigned.clear();
    let signed = signed.archived(&world.unit, "2025-01-03");
    world.judge(&signed, "2026-01-01").indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-01-03");
}

/// Units that ended, a CA that ended, and two generations of archive timestamps over all of it.
fn generations() -> (World, Signed) {
    let mut world = World::with(Plan {
        ca: (b"000101000000Z", b"270601000000Z"),
        unit: (b"080101000000Z", b"260101000000Z"),
        ..Plan::new()
    });
    let second = Unit::new(&world.tsa_ca, "Second unit", &[10], (b"080101000000Z", b"280101000000Z"));
    let third = Unit::new(&world.tsa_ca, "Third unit", &[11], (b"080101000000Z", b"440101000000Z"));
    let signed = world.sign().stamped(&world.unit, "2025-01-01").carrying(world.crls("2025-01-02", "2025-01-09"));
    let signed = signed.archived(&second, "2025-01-03");
    let signed =
        signed.carrying(world.crls("2025-12-30", "2026-01-06")).carrying(world.crls("2027-05-30", "2027-06-06"));
    let signed = signed.archived(&third, "2027-05-31");
    // The second unit's last CRL, and those of the day.
    world.hold_crls("2027-12-30", "2028-01-06").hold_crls("2029-05-31", "2029-06-07");
    (world, signed)
}

#[test]
fn two_generations_of_archives_outlive_units_and_ca() {
    let (world, signed) = generations();
    let found = world.judge(&signed, "2029-06-01");
    found.passed("2025-01-01").timestamps(&[("PASSED", ""); 3]);
    assert_eq!((&*found.0.level, &*found.0.best_signature_time.proven_by), ("LTA", "timestamp"));
}

#[test]
fn one_generation_does_not_outlive_its_unit() {
    let (world, mut signed) = generations();
    signed.unsigned.pop();
    let ended = ("INDETERMINATE", "OUT_OF_BOUNDS_NOT_REVOKED");
    let found = world.judge(&signed, "2029-06-01");
    found.indeterminate("OUT_OF_BOUNDS_NO_POE", "2029-06-01").timestamps(&[ended; 2]);
}

#[test]
fn an_archive_by_a_unit_that_is_compromised_since() {
    // The unit's key is revoked in 2028; a later archive proves that its tokens are older.
    let (mut world, signed) = generations();
    let entry = revoked(&[10], Some(ReasonCode::KeyCompromise), "2027-07-01");
    let crl = world.tsa_ca.crl("2027-12-30T12:00:00Z", "2028-01-06", &[entry]);
    world.hold(&crl);
    world.judge(&signed, "2029-06-01").passed("2025-01-01");
    let (mut world, signed) = generations();
    let entry = revoked(&[10], Some(ReasonCode::KeyCompromise), "2027-05-31");
    let crl = world.tsa_ca.crl("2027-12-30T12:00:00Z", "2028-01-06", &[entry]);
    world.hold(&crl);
    let found = world.judge(&signed, "2029-06-01");
    found.indeterminate("OUT_OF_BOUNDS_NO_POE", "2027-05-31");
}

#[test]
fn a_signature_by_sha1_with_an_archive_from_before_its_end() {
    // The signer has ended since, or has not.
    for until in [b"130101000000Z", b"300101000000Z"] {
        let mut world = World::with(Plan { signer: (b"080101000000Z", until), ..Plan::new() });
        world.hold_crls("2012-12-30", "2013-01-06").hold_crls("2025-05-31", "2025-06-07");
        let signed = world.sign_by_sha1();
        let archived = |time| world.judge(&signed.clone().archived(&world.unit, time), "2025-06-01");
        archived("2010-06-01").passed("2010-06-01");
        archived("2012-07-31T23:59:59Z").passed("2012-07-31T23:59:59Z");
        archived("2012-08-01").indeterminate("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "2012-08-01");
        let stamped = signed.clone().stamped(&world.unit, "2010-06-01");
        world.judge(&stamped, "2025-06-01").passed("2010-06-01");
    }
}

#[test]
fn an_archive_that_has_no_index_is_told() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    let token = world.unit.token(&[0; 32], "2025-01-01", Vec::new());
    let found = world.judge(&world.sign().with(oid::ARCHIVE_TIMESTAMP_V3, &token), "2025-01-02");
    found.passed("2025-01-02").timestamps(&[]);
    assert!(found.has("archive-timestamp", "warning"), "{found:?}");
}

#[test]
fn a_revocation_from_after_the_signature_leaves_it() {
    for (date, holds) in [("2025-03-01", true), ("2025-01-01T00:00:01Z", true), ("2025-01-01", false)] {
        let (world, signed) = ended_ca(Plan { ca: ENDED, ..Plan::new() });
        // A CRL that is proven to be from before the CA's end.
        let crl = world.ca.crl("2025-05-28", "2025-06-06", &[revoked(SIGNER, None, date)]);
        let signed = signed.carrying([crl]).archived(&world.unit, "2025-05-29");
        let found = world.judge(&signed, "2026-01-01");
        match holds {
            true => found.passed("2025-01-01"),
            false => found.indeterminate("OUT_OF_BOUNDS_NO_POE", "2025-01-01"),
        };
    }
}

#[test]
fn a_signature_timestamp_whose_unit_ended_counts_by_its_archive() {
    // The signature holds to this day; since when it exists is told by the archive.
    let mut world = World::with(Plan { unit: (b"080101000000Z", b"250601000000Z"), ..Plan::new() });
    let later = Unit::new(&world.tsa_ca, "Later unit", &[10], (b"080101000000Z", b"440101000000Z"));
    world.hold_crls("2025-05-30", "2025-06-06").hold_crls("2025-06-30", "2025-07-07");
    let signed = world.sign().stamped(&world.unit, "2025-01-01").archived(&later, "2025-01-03");
    world.judge(&signed, "2025-07-01").passed("2025-01-01").timestamps(&[("PASSED", ""); 2]);
}
