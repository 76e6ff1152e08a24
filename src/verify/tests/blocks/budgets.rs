//! Messages full of timestamps and counter-signatures, and judgements that are kept from one document to the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::world::{CONTENT, Plan, World};
use crate::asn1::writer::{self, tlv};
use crate::verify::blocks::ChainMemory;
use crate::verify::cms::{Content, oid};
use crate::verify::policy::Policy;
use crate::verify::tests::archive::digest;
use crate::verify::tests::message::{Message, attribute, signing_certificate_v2};
use crate::verify::tests::pki::Key;

/// Far more than it takes on a machine that does nothing else, and far less than without limits.
const AT_MOST: Duration = Duration::from_secs(10);

fn fresh() -> World {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    world
}

#[test]
fn hundreds_of_signature_timestamps() {
    let world = fresh();
    let mut signed = world.sign();
    let imprint = digest(&signed.signature);
    let tokens: Vec<Vec<u8>> = (0..400).map(|_| world.unit.token(&imprint, "2025-01-01", Vec::new())).collect();
    let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
    signed.unsigned.push(attribute(oid::SIGNATURE_TIMESTAMP, &tokens));
    let begin = Instant::now();
    let found = world.judge(&signed, "2025-01-02");
    assert!(begin.elapsed() < AT_MOST, "{:?}", begin.elapsed());
    found.passed("2025-01-01");
    assert_eq!(found.0.timestamps.len(), 64);
    assert!(found.has("timestamps", "warning"));
}

#[test]
fn hundreds_of_archive_timestamps_that_prove_nothing() {
    let world = fresh();
    let mut signed = world.sign();
    let token = world.unit.token(&[0; 32], "2025-01-01", Vec::new());
    let tokens: Vec<&[u8]> = std::iter::repeat_n(token.as_slice(), 500).collect();
    signed.unsigned.push(attribute(oid::ARCHIVE_TIMESTAMP_V3, &tokens));
    let found = world.judge(&signed, "2025-01-02");
    found.passed("2025-01-02");
    // Each was hashed for, and told of; the rest in one sentence.
    assert_eq!(found.0.checks.iter().filter(|one| one.name == "archive-timestamp").count(), 64);
    assert!(found.has("timestamps", "warning"));
}

#[test]
fn dozens_of_signers_with_dozens_of_timestamps_each() {
    let world = fresh();
    let mut signed = world.sign();
    let imprint = digest(&signed.signature);
    let tokens: Vec<Vec<u8>> = (0..64).map(|_| world.unit.token(&imprint, "2025-01-01", Vec::new())).collect();
    let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
    signed.unsigned.push(attribute(oid::SIGNATURE_TIMESTAMP, &tokens));
    let mut message = Message::new(oid::DATA, Some(CONTENT));
    message.certificates = signed.certificates.concat();
    message.signers = vec![signed.info(); 64];
    let begin = Instant::now();
    let report = world.report(&message.der(), Content::Attached, "2025-01-02", Policy::default_policy(), None);
    assert!(begin.elapsed() < AT_MOST, "{:?}", begin.elapsed());
    assert_eq!(report.signatures.len(), 64);
    let judged = |indication: &str| {
        report.signatures.iter().flat_map(|one| &one.timestamps).filter(|one| one.indication == indication).count()
    };
    // What the document may cost is spent before the end, and the rest is left open.
    assert!(judged("PASSED") > 500 && judged("INDETERMINATE") > 500, "{}", judged("PASSED"));
    assert_eq!(judged("FAILED"), 0);
}

#[test]
fn what_is_kept_is_used_again_for_the_same_and_for_nothing_else() {
    let world = fresh();
    let kept = ChainMemory::new(16);
    let der = world.sign().stamped(&world.unit, "2025-01-01").der();
    let judged = |world: &World, now: &str| {
        let report = world.report(&der, Content::Attached, now, Policy::default_policy(), Some(&kept));
        (report.signatures[0].indication.clone(), kept.len())
    };
    // The signer's chain and the unit's.
    assert_eq!(judged(&world, "2025-01-02"), ("TOTAL-PASSED".to_owned(), 2));
    assert_eq!(judged(&world, "2025-01-02"), ("TOTAL-PASSED".to_owned(), 2));
    // Another time, other evidence, other anchors.
    assert_eq!(judged(&world, "2025-01-03"), ("TOTAL-PASSED".to_owned(), 4));
    let mut more = world;
    more.hold_revocation("2025-01-01", "2025-01-07", &super::world::revoked(super::world::SIGNER, None, "2024-12-01"));
    assert_eq!(judged(&more, "2025-01-02"), ("INDETERMINATE".to_owned(), 6));
    // Without a chain the timestamps are not come to.
    more.anchors.signers.clear();
    assert_eq!(judged(&more, "2025-01-02"), ("INDETERMINATE".to_owned(), 7));
}

#[test]
fn what_was_judged_with_a_spent_budget_is_not_kept() {
    let mut world = fresh();
    // Both messages carry the same certificates, so that what is kept of the one would count for the other.
    let key = Key::new();
    let other = world.ca.issue("Other", &[5], &key, Plan::new().signer, Vec::new());
    let mut signed = world.sign();
    signed.certificates.push(other.der().to_vec());
    signed.certificates.push(world.unit.certificate.der().to_vec());
    signed.certificates.push(world.tsa_ca.certificate.der().to_vec());
    let imprint = digest(&signed.signature);
    let tokens: Vec<Vec<u8>> = (0..64).map(|_| world.unit.token(&imprint, "2025-01-01", Vec::new())).collect();
    let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
    signed.unsigned.push(attribute(oid::SIGNATURE_TIMESTAMP, &tokens));
    (world.signer, world.signer_key) = (Arc::clone(&other), key);
    let by_other = world.sign();
    let mut message = Message::new(oid::DATA, Some(CONTENT));
    message.certificates = signed.certificates.concat();
    message.signers = vec![signed.info(); 16];
    message.signers.push(by_other.info());
    let kept = ChainMemory::new(16);
    let judged = |der: &[u8]| {
        let report = world.report(der, Content::Attached, "2025-01-02", Policy::default_policy(), Some(&kept));
        report.signatures.last().unwrap().sub_indication.clone()
    };
    assert_eq!(judged(&message.der()).as_deref(), Some("CERTIFICATE_CHAIN_GENERAL_FAILURE"));
    message.signers.drain(..16);
    assert_eq!(judged(&message.der()), None);
}

#[test]
fn a_large_message_is_hashed_for_so_many_archive_timestamps_only() {
    let world = fresh();
    let content = vec![7; 15 * 1024 * 1024];
    let mut signer = world.signing().over(oid::DATA, &content);
    let token = world.unit.token(&[0; 32], "2025-01-01", Vec::new());
    let tokens: Vec<&[u8]> = std::iter::repeat_n(token.as_slice(), 60).collect();
    signer.unsigned.push(attribute(oid::ARCHIVE_TIMESTAMP_V3, &tokens));
    let mut message = Message::new(oid::DATA, Some(&content)).signed_by(&signer, &content);
    message.certificates.extend_from_slice(world.ca.certificate.der());
    let found = world.judge_der(&message.der(), Content::Attached, "2025-01-02", Policy::default_policy());
    found.passed("2025-01-02");
    // 256 MiB hold 16 of 15 MiB and what goes with them.
    assert_eq!(found.0.checks.iter().filter(|one| one.name == "archive-timestamp").count(), 16);
    assert!(found.has("timestamps", "warning"));
}

#[test]
fn dozens_of_counter_signatures() {
    let world = fresh();
    let signed = world.sign();
    let mut signer = world.signing();
    let value = tlv(writer::OCTET_STRING, &[&digest(&signed.signature)]);
    signer.attributes = vec![attribute(oid::MESSAGE_DIGEST, &[&value]), signing_certificate_v2(&world.signer, &[])];
    signer.attributes.sort();
    let counters: Vec<Vec<u8>> = (0..200).map(|_| signer.info(&signed.signature)).collect();
    let counters: Vec<&[u8]> = counters.iter().map(Vec::as_slice).collect();
    let mut signed = signed;
    signed.unsigned.push(attribute(oid::COUNTER_SIGNATURE, &counters));
    let found = world.judge(&signed, "2025-01-02");
    found.passed("2025-01-02");
    let subs: Vec<Option<&str>> = found.0.counter_signatures.iter().map(|one| one.sub_indication.as_deref()).collect();
    assert_eq!((subs.len(), &subs[..64]), (65, &[None; 64][..]));
    assert_eq!(subs[64], Some("SIG_CONSTRAINTS_FAILURE"));
}
