//! Input made to be expensive: each ends in its error, with no more spent than allowed.
//!
//! docs/PERFORMANCE.md has the time and memory that they take.

use super::pki::{
    CrlDraft, Draft, Key, NOW_S, anchor, ca, evidence, extension, general_names, judge, name, root, settings,
};
use crate::asn1::writer::{self, tlv};
use crate::verify::{
    AnchorRule, BudgetExhausted, Certificate, CertificateError, Costs, Evidence, EvidenceError, Failure, HeldCrl,
    HeldOcspResponse, Judgement, MAX_CERTIFICATE_OCTETS, Origin, Resource, RevocationRule, oid,
};

/// Asserts that a judgement ended for want of a resource, all of which was spent and no more.
fn assert_exhausted(judgement: &Judgement, resource: Resource) {
    let limits = Costs::LIMITS;
    let limit = match resource {
        Resource::Signatures => limits.signatures,
        Resource::PathSteps => limits.path_steps,
        Resource::NameComparisons => limits.name_comparisons,
        Resource::PolicyNodes => limits.policy_nodes,
        Resource::RevocationItems => limits.revocation_items,
    };
    match judgement.failure {
        Some(Failure::Budget(exhausted)) => assert_eq!(exhausted, BudgetExhausted { resource, limit }),
        ref other => panic!("{other:?}, {:?}", judgement.spent),
    }
    let spent = judgement.spent;
    assert!(spent.signatures <= limits.signatures && spent.path_steps <= limits.path_steps);
    assert!(spent.name_comparisons <= limits.name_comparisons && spent.policy_nodes <= limits.policy_nodes);
    assert!(spent.revocation_items <= limits.revocation_items);
}

/// CAs that all certified each other, and a certificate by the first; none leads to the anchor.
fn mesh(size: usize) -> Judgement {
    let trusted = anchor(&root("Root", &Key::new(), []), AnchorRule::NameAndKey);
    let keys: Vec<Key> = (0..size).map(|_| Key::new()).collect();
    let names: Vec<String> = (0..size).map(|number| format!("CA {number}")).collect();
    let mut certificates = Vec::new();
    for (subject, key) in names.iter().zip(&keys) {
        for (issuer, issuer_key) in names.iter().zip(&keys).filter(|(issuer, _)| *issuer != subject) {
            certificates.push(Draft::new(issuer, subject, key).with(ca()).certificate(issuer_key));
        }
    }
    let target = Draft::new("CA 0", "Target", &Key::new()).certificate(&keys[0]);
    judge(&target, &evidence(&certificates), &settings(&[&trusted]))
}

#[test]
fn a_star_of_cross_certificates_ends_by_signatures() {
    let trusted = anchor(&root("Root", &Key::new(), []), AnchorRule::NameAndKey);
    let key = Key::new();
    let mut certificates = Vec::new();
    for number in 1..150 {
        let (other, other_key) = (format!("CA {number}"), Key::new());
        certificates.push(Draft::new(&other, "CA 0", &key).with(ca()).certificate(&other_key));
        certificates.push(Draft::new("Nobody", &other, &other_key).with(ca()).certificate(&Key::new()));
    }
    let target = Draft::new("CA 0", "Target", &Key::new()).certificate(&key);
    assert_exhausted(&judge(&target, &evidence(&certificates), &settings(&[&trusted])), Resource::Signatures);
}

#[test]
fn a_mesh_of_cross_certificates_ends_by_steps() {
    assert_exhausted(&mesh(15), Resource::PathSteps);
}

#[test]
fn a_small_mesh_with_millions_of_paths_ends_by_steps() {
    let judgement = mesh(9);
    assert_exhausted(&judgement, Resource::PathSteps);
    // Eight for each of nine, and the target's.
    assert!(judgement.spent.signatures <= 73, "{:?}", judgement.spent);
}

/// Certificates of one name, each with a number and another key.
fn namesakes(count: usize) -> Vec<Vec<u8>> {
    let key = Key::new();
    let mut draft = Draft::new("Root", "CA", &key).with(ca());
    (0..count)
        .map(|number| {
            draft.serial = [&[1], &number.to_be_bytes()[..]].concat();
            let at = draft.spki.len() - 8;
            draft.spki[at..].copy_from_slice(&number.to_be_bytes());
            draft.sign(&key)
        })
        .collect()
}

#[test]
fn ten_thousand_issuers_of_one_name_end_by_signatures() {
    let trusted = anchor(&root("Root", &Key::new(), []), AnchorRule::NameAndKey);
    let mut evidence = Evidence::new();
    for der in namesakes(10_000) {
        evidence.add_certificate_der(&der, Origin::Embedded).unwrap();
    }
    let target = Draft::new("CA", "Target", &Key::new()).certificate(&Key::new());
    assert_exhausted(&judge(&target, &evidence, &settings(&[&trusted])), Resource::Signatures);
}

#[test]
fn among_ten_thousand_the_one_that_is_named_is_found_at_once() {
    let (root_key, key) = (Key::new(), Key::new());
    let trusted = anchor(&root("Root", &root_key, []), AnchorRule::NameAndKey);
    let mut evidence = Evidence::new();
    for der in namesakes(10_000) {
        evidence.add_certificate_der(&der, Origin::Embedded).unwrap();
    }
    let own = tlv(writer::OCTET_STRING, &[&key.identifier()]);
    let issuer = Draft::new("Root", "CA", &key).with(ca()).with([extension(oid::SUBJECT_KEY_IDENTIFIER, false, &own)]);
    evidence.add_certificate(issuer.certificate(&root_key), Origin::Held).unwrap();
    let named = tlv(writer::SEQUENCE, &[&tlv(0x80, &[&key.identifier()])]);
    let target = Draft::new("CA", "Target", &Key::new())
        .with([extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &named)])
        .certificate(&key);
    let judgement = judge(&target, &evidence, &settings(&[&trusted]));
    assert!(judgement.is_good(), "{:?}", judgement.failure);
    assert_eq!(judgement.spent.signatures, 2);
}

#[test]
fn evidence_takes_no_more_than_it_holds() {
    let mut evidence = Evidence::new();
    let mut refused = None;
    for der in namesakes(16 * 1024 + 1) {
        refused = evidence.add_certificate_der(&der, Origin::Embedded).err();
    }
    assert_eq!(refused, Some(EvidenceError::TooMany { what: "certificates", limit: 16 * 1024 }));

    let mut evidence = Evidence::new();
    let padding = extension(&[0x2a, 3], false, &vec![0; 120_000]);
    let mut added = 0;
    let refused = loop {
        let draft = Draft::new("Root", "CA", &Key::new()).with([padding.clone()]);
        match evidence.add_certificate_der(&draft.sign(&Key::new()), Origin::Embedded) {
            Ok(()) => added += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, EvidenceError::TooMany { what: "octets of certificates", limit: 32 * 1024 * 1024 });
    assert!(added < 300);
}

#[test]
fn a_path_of_a_thousand_ends_by_its_length() {
    let trusted = anchor(&root("Root", &Key::new(), []), AnchorRule::NameAndKey);
    let keys: Vec<Key> = (0..1000).map(|_| Key::new()).collect();
    let links = keys.windows(2).enumerate().map(|(number, pair)| {
        let (issuer, subject) = (format!("CA {number}"), format!("CA {}", number + 1));
        Draft::new(&issuer, &subject, &pair[1]).with(ca()).certificate(&pair[0])
    });
    let certificates: Vec<_> = links.collect();
    let judgement = judge(&certificates[998], &evidence(&certificates), &settings(&[&trusted]));
    assert!(matches!(judgement.failure, Some(Failure::TooLong { limit: 24 })), "{:?}", judgement.failure);
    assert_eq!(judgement.spent.signatures, 23);
}

#[test]
fn a_policy_bomb_ends_by_nodes() {
    let policies: Vec<Vec<u8>> = (0..60_u8).map(|number| tlv(writer::OBJECT_IDENTIFIER, &[&[0x2a, number]])).collect();
    let list: Vec<u8> = policies.iter().flat_map(|policy| tlv(writer::SEQUENCE, &[policy])).collect();
    let pairs = policies.iter().flat_map(|from| policies.iter().map(move |to| tlv(writer::SEQUENCE, &[from, to])));
    let mappings: Vec<u8> = pairs.flatten().collect();
    let list = extension(oid::CERTIFICATE_POLICIES, false, &tlv(writer::SEQUENCE, &[&list]));
    let mappings = extension(oid::POLICY_MAPPINGS, true, &tlv(writer::SEQUENCE, &[&mappings]));
    let keys: Vec<Key> = (0..20).map(|_| Key::new()).collect();
    let trusted = anchor(&root("CA 0", &keys[0], []), AnchorRule::NameAndKey);
    let links = keys.windows(2).enumerate().map(|(number, pair)| {
        let (issuer, subject) = (format!("CA {number}"), format!("CA {}", number + 1));
        let draft = Draft::new(&issuer, &subject, &pair[1]).with(ca());
        draft.with([list.clone(), mappings.clone()]).certificate(&pair[0])
    });
    let certificates: Vec<_> = links.collect();
    let judgement = judge(&certificates[18], &evidence(&certificates), &settings(&[&trusted]));
    assert_exhausted(&judgement, Resource::PolicyNodes);
}

#[test]
fn names_against_constraints_end_by_comparisons() {
    let (root_key, key) = (Key::new(), Key::new());
    let trusted = anchor(&root("Root", &root_key, []), AnchorRule::NameAndKey);
    let host = |number: u16| format!("host-{number}.example.com").into_bytes();
    let bases: Vec<u8> =
        (0..2000).flat_map(|number| tlv(writer::SEQUENCE, &[&tlv(0x82, &[b"not-", &host(number)])])).collect();
    let constraints = tlv(writer::SEQUENCE, &[&tlv(writer::context(1), &[&bases])]);
    let issuer = Draft::new("Root", "CA", &key).with(ca());
    let issuer = issuer.with([extension(oid::NAME_CONSTRAINTS, true, &constraints)]).certificate(&root_key);
    let hosts: Vec<Vec<u8>> = (0..2000).map(host).collect();
    let names: Vec<(u8, &[u8])> = hosts.iter().map(|host| (0x82, host.as_slice())).collect();
    let names = extension(oid::SUBJECT_ALT_NAME, false, &general_names(&names));
    let target = Draft::new("CA", "Target", &Key::new()).with([names]).certificate(&key);
    assert_exhausted(&judge(&target, &evidence([&issuer]), &settings(&[&trusted])), Resource::NameComparisons);
}

#[test]
fn crls_that_do_not_verify_end_by_signatures() {
    let root_key = Key::new();
    let trusted = anchor(&root("Root", &root_key, []), AnchorRule::NameAndKey);
    let target = Draft::new("Root", "Target", &Key::new()).certificate(&root_key);
    let mut evidence = Evidence::new();
    let forger = Key::new();
    for _ in 0..1000 {
        evidence.add_crl_der(&CrlDraft::new("Root", &root_key).sign(&[], &forger), Origin::Embedded).unwrap();
    }
    let mut settings = settings(&[&trusted]);
    settings.revocation = RevocationRule::required_at(NOW_S);
    assert_exhausted(&judge(&target, &evidence, &settings), Resource::Signatures);
    // Those that are out of date are not even verified.
    settings.revocation = RevocationRule::required_at(NOW_S + 1_000_000);
    let judgement = judge(&target, &evidence, &settings);
    assert!(matches!(judgement.failure, Some(Failure::StatusUnknown { .. })), "{:?}", judgement.failure);
    assert_eq!((judgement.spent.signatures, judgement.spent.revocation_items), (1, 1000));
}

#[test]
fn nesting_and_lengths_are_errors_at_once() {
    // A million octets of SEQUENCEs in each other.
    let mut nested = Vec::new();
    for _ in 0..200_000 {
        nested.extend_from_slice(&[0x30, 0x83, 0x0f, 0x00, 0x00]);
    }
    assert_eq!(Certificate::from_der(&nested).err(), Some(CertificateError::TooLarge { octets: nested.len() }));
    assert!(HeldCrl::from_der(&nested, Origin::Embedded).is_err());
    assert!(HeldOcspResponse::from_der(&nested, Origin::Embedded).is_err());
    assert!(Certificate::from_der(&nested[..MAX_CERTIFICATE_OCTETS]).is_err());

    // A gigabyte that is not there, at every place of a certificate, a CRL, a response.
    let key = Key::new();
    let certificate = Draft::new("Root", "Target", &key).with(ca()).sign(&key);
    let crl = CrlDraft::new("Root", &key).sign(&[], &key);
    for (octets, at) in
        [&certificate, &crl].into_iter().flat_map(|octets| (0..octets.len()).map(move |at| (octets, at)))
    {
        let claim = [&octets[..at], &[0x30, 0x84, 0x40, 0, 0, 0], &octets[at..]].concat();
        assert!(Certificate::from_der(&claim).is_err());
        assert!(HeldCrl::from_der(&claim, Origin::Embedded).is_err());
        assert!(HeldOcspResponse::from_der(&claim, Origin::Embedded).is_err());
    }
}

#[test]
fn a_name_of_a_hundred_thousand_parts_is_refused() {
    let key = Key::new();
    let mut draft = Draft::new("Root", "Target", &key);
    draft.subject = tlv(writer::SEQUENCE, &[&name("a")[2..].repeat(5000)]);
    assert!(Certificate::from_der(&draft.sign(&key)).is_err());
}
