//! What a policy demands beyond validity: of the chain, of the signature, of timestamps' order.

use super::archives::{ENDED, ended_ca};
use super::world::{Plan, SIGNER, World, octets, policy, revoked};
use crate::asn1::writer::{self, tlv};
use crate::verify::cms::oid;
use crate::verify::oid as extension_oid;
use crate::verify::tests::archive::digest;
use crate::verify::tests::message::{Signer, attribute, signing_certificate_v2};
use crate::verify::tests::pki::extension;
use crate::verify::tests::timestamps::purposes;

/// id-kp-emailProtection and id-kp-clientAuth.
const EMAIL: &str = "1.3.6.1.5.5.7.3.4";
const CLIENT: &str = "1.3.6.1.5.5.7.3.2";

fn world_with(extensions: Vec<Vec<u8>>) -> World {
    let mut world = World::with(Plan { signer_extensions: extensions, ..Plan::new() });
    world.hold_crls("2024-12-31", "2025-01-07");
    world
}

#[test]
fn a_certificate_policy_that_is_demanded() {
    let demanded = policy("[signer]\npolicies = [\"2.5.1\"]\nexplicit_policy = true");
    let world = world_with(Vec::new());
    let found = world.judge_by(&world.sign(), "2025-01-01", &demanded);
    found.indeterminate("CHAIN_CONSTRAINTS_FAILURE", "2025-01-01");
    world.judge(&world.sign(), "2025-01-01").passed("2025-01-01");
}

#[test]
fn a_purpose_that_is_demanded() {
    let demanded = policy(&format!("[signer]\npurposes = [\"{EMAIL}\"]"));
    let with = |purpose: &str| world_with(vec![purposes(false, &[&octets(purpose)])]);
    let world = with(CLIENT);
    let found = world.judge_by(&world.sign(), "2025-01-01", &demanded);
    found.indeterminate("CHAIN_CONSTRAINTS_FAILURE", "2025-01-01");
    for world in [with(EMAIL), world_with(Vec::new())] {
        world.judge_by(&world.sign(), "2025-01-01", &demanded).passed("2025-01-01");
    }
}

#[test]
fn a_purpose_is_demanded_of_the_past_as_well() {
    // That the certificate has ended is settled by the archive; what it is for is not.
    let demanded = policy(&format!("[signer]\npurposes = [\"{EMAIL}\"]"));
    for (purpose, holds) in [(EMAIL, true), (CLIENT, false)] {
        let ended = Plan { ca: ENDED, signer_extensions: vec![purposes(false, &[&octets(purpose)])], ..Plan::new() };
        let (world, signed) = ended_ca(ended);
        let found = world.judge_by(&signed, "2026-01-01", &demanded);
        match holds {
            true => found.passed("2025-01-01"),
            false => found.indeterminate("CHAIN_CONSTRAINTS_FAILURE", "2026-01-01"),
        };
    }
}

#[test]
fn a_ca_that_is_none_is_a_general_failure() {
    let mut world = World::new();
    world.hold_crls("2024-12-31", "2025-01-07");
    // The signer issues a certificate to somebody.
    let key = crate::verify::tests::pki::Key::new();
    let issuer = super::world::Issuer {
        name: "Signer",
        key: world.signer_key.clone(),
        certificate: std::sync::Arc::clone(&world.signer),
    };
    world.signer = issuer.issue("Impostor", &[5], &key, Plan::new().signer, Vec::new());
    world.signer_key = key;
    let mut signed = world.sign();
    signed.certificates.push(issuer.certificate.der().to_vec());
    world.judge(&signed, "2025-01-01").indeterminate("CERTIFICATE_CHAIN_GENERAL_FAILURE", "2025-01-01");
}

#[test]
fn a_key_that_is_not_for_signing() {
    // keyEncipherment alone.
    let world = world_with(vec![extension(extension_oid::KEY_USAGE, true, &[3, 2, 5, 0x20])]);
    let found = world.judge(&world.sign(), "2025-01-01");
    found.indeterminate("SIG_CONSTRAINTS_FAILURE", "2025-01-01");
    assert!(found.has("signer-key-usage", "failed"), "{found:?}");
}

#[test]
fn a_timestamp_that_is_demanded_holds() {
    let world = world_with(Vec::new());
    let demanded = policy("[levels]\nsignature-timestamp = \"fail\"");
    let judged = |signed| world.judge_by(&signed, "2025-01-03", &demanded);
    judged(world.sign()).indeterminate("SIG_CONSTRAINTS_FAILURE", "2025-01-03");
    judged(world.sign().stamped(&world.unit, "2025-01-01")).passed("2025-01-01");
    let other = world.unit.token(&digest(b"other"), "2025-01-01", Vec::new());
    let broken = judged(world.sign().with(oid::SIGNATURE_TIMESTAMP, &other));
    broken.indeterminate("SIG_CONSTRAINTS_FAILURE", "2025-01-03").timestamps(&[("FAILED", "HASH_FAILURE")]);
    let content = policy("[levels]\ncontent-timestamp = \"fail\"");
    world.judge_by(&world.sign(), "2025-01-03", &content).indeterminate("SIG_CONSTRAINTS_FAILURE", "2025-01-03");
    let stamped = world.sign_stamped(&world.unit, "2025-01-01");
    world.judge_by(&stamped, "2025-01-03", &content).passed("2025-01-03");
}

#[test]
fn timestamps_stand_in_the_order_of_what_they_are_over() {
    let world = world_with(Vec::new());
    let judged = |content, signature| {
        world.judge(&world.sign_stamped(&world.unit, content).stamped(&world.unit, signature), "2025-01-06")
    };
    judged("2025-01-02", "2025-01-02").passed("2025-01-02");
    judged("2025-01-03", "2025-01-02").indeterminate("TIMESTAMP_ORDER_FAILURE", "2025-01-02");
    let archived =
        |time| world.judge(&world.sign().stamped(&world.unit, "2025-01-02").archived(&world.unit, time), "2025-01-06");
    archived("2025-01-03").passed("2025-01-02");
    archived("2025-01-01").indeterminate("TIMESTAMP_ORDER_FAILURE", "2025-01-01");
    let without = world.sign_stamped(&world.unit, "2025-01-03").archived(&world.unit, "2025-01-02");
    world.judge(&without, "2025-01-06").indeterminate("TIMESTAMP_ORDER_FAILURE", "2025-01-02");
}

#[test]
fn an_order_that_fails_is_not_settled_by_time() {
    let mut world = World::new();
    let crls = world.crls("2025-01-01", "2025-01-07");
    let signed = world.sign_stamped(&world.unit, "2025-01-03").stamped(&world.unit, "2025-01-02").carrying(crls);
    let signed = signed.archived(&world.unit, "2025-01-04");
    world.hold_revocation("2025-02-28", "2025-03-07", &revoked(SIGNER, None, "2025-02-01"));
    world.judge(&signed, "2025-03-01").indeterminate("TIMESTAMP_ORDER_FAILURE", "2025-01-02");
}

#[test]
fn a_timestamp_follows_the_claimed_time_soon_enough() {
    let world = world_with(Vec::new());
    let hour = policy("[timestamps]\nmax_delay = \"1h\"");
    let claimed = attribute(oid::SIGNING_TIME, &[&tlv(0x17, &[b"250101000000Z"])]);
    let judged = |time| {
        let signed = world.sign_with(vec![claimed.clone()]).stamped(&world.unit, time);
        world.judge_by(&signed, "2025-01-02", &hour)
    };
    judged("2025-01-01T01:00:00Z").passed("2025-01-01T01:00:00Z");
    judged("2025-01-01T01:00:01Z").indeterminate("SIG_CONSTRAINTS_FAILURE", "2025-01-01T01:00:01Z");
}

#[test]
fn counter_signatures_are_told_or_demanded() {
    let world = world_with(Vec::new());
    let counter = |over: &[u8]| {
        let mut signer: Signer = world.signing();
        signer.attributes = vec![
            attribute(oid::MESSAGE_DIGEST, &[&tlv(writer::OCTET_STRING, &[&digest(over)])]),
            signing_certificate_v2(&world.signer, &[]),
        ];
        signer.attributes.sort();
        signer.info(over)
    };
    let signed = world.sign();
    let good = counter(&signed.signature);
    let with = |counters: &[&[u8]]| {
        counters.iter().fold(signed.clone(), |signed, counter| signed.with(oid::COUNTER_SIGNATURE, counter))
    };
    let demanded = policy("[levels]\ncounter-signature = \"fail\"");
    let indications = |found: &super::world::Found| -> Vec<String> {
        found.0.counter_signatures.iter().map(|one| one.sub_indication.clone().unwrap_or_default()).collect()
    };
    let found = world.judge_by(&with(&[&good]), "2025-01-01", &demanded);
    assert_eq!(indications(found.passed("2025-01-01")), [""]);
    let over_another = counter(b"another signature");
    let both = with(&[&good, &over_another, &[0x30, 0]]);
    let found = world.judge(&both, "2025-01-01");
    assert_eq!(indications(found.passed("2025-01-01")), ["", "HASH_FAILURE", "FORMAT_FAILURE"]);
    assert!(found.has("counter-signature", "warning"), "{found:?}");
    world.judge_by(&both, "2025-01-01", &demanded).indeterminate("SIG_CONSTRAINTS_FAILURE", "2025-01-01");
}

#[test]
fn evidence_that_cannot_be_read_is_told_or_refused() {
    let world = world_with(Vec::new());
    let signed = world.sign().with(oid::SIGNATURE_TIMESTAMP, &[0x30, 0]);
    let found = world.judge(&signed, "2025-01-01");
    assert!(found.passed("2025-01-01").has("unread-evidence", "information"), "{found:?}");
    let demanded = policy("[levels]\nunread-evidence = \"fail\"");
    world.judge_by(&signed, "2025-01-01", &demanded).indeterminate("SIG_CONSTRAINTS_FAILURE", "2025-01-01");
    world.judge_by(&world.sign(), "2025-01-01", &demanded).passed("2025-01-01");
}

#[test]
fn a_signature_policy_is_told_and_is_not_at_hand() {
    let with = |value: &[u8]| attribute(oid::SIGNATURE_POLICY, &[value]);
    let named = tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[&[0x2a, 3]]), &[0x30, 0]]);
    let demanded = policy("[levels]\nsignature-policy = \"fail\"");
    let world = world_with(Vec::new());
    let plain = world.judge_by(&world.sign(), "2025-01-01", &demanded);
    assert_eq!(plain.passed("2025-01-01").0.signature_policy, None);
    let cases: [(&[u8], Option<&str>, &str); 3] = [
        (&named, Some("1.2.3"), "SIGNATURE_POLICY_NOT_AVAILABLE"),
        (&[5, 0], Some("implied"), "SIGNATURE_POLICY_NOT_AVAILABLE"),
        (&[4, 0], None, "POLICY_PROCESSING_ERROR"),
    ];
    for (value, name, sub) in cases {
        let signed = world.sign_with(vec![with(value)]);
        let told = world.judge(&signed, "2025-01-01");
        assert_eq!(told.passed("2025-01-01").0.signature_policy.as_deref(), name);
        assert!(told.has("signature-policy", "information"));
        world.judge_by(&signed, "2025-01-01", &demanded).indeterminate(sub, "2025-01-01");
    }
}
