use super::*;
use crate::der::{tag, value};
use crate::test_support::{Parts, build, entry, extension, extensions, fields, name};
use crate::{EntryFields, ReasonCode};

fn findings(octets: &[u8], profile: Profile) -> Vec<Finding> {
    match Reader::from_slice(octets, 1000, |_| {}) {
        Ok(reader) => lint(reader, profile),
        Err(error) => vec![unreadable(&error)],
    }
}

/// The rules that a good CRL with one change breaks, each once.
fn broken(profile: Profile, change: impl FnOnce(&mut Parts)) -> Vec<&'static str> {
    let mut parts = good();
    change(&mut parts);
    let mut rules: Vec<_> = findings(&parts.der(), profile).iter().map(|finding| finding.rule).collect();
    rules.dedup();
    rules
}

fn good() -> Parts {
    let mut parts = Parts::new();
    parts.extensions = extensions(&[key_identifier(), number()]);
    parts
}

fn key_identifier() -> Vec<u8> {
    extension(35, None, &[0x30, 3, 0x80, 1, 9])
}

fn number() -> Vec<u8> {
    extension(20, None, &[2, 1, 1])
}

fn with_extensions(more: &[Vec<u8>]) -> Vec<&'static str> {
    let all = [&[key_identifier(), number()], more].concat();
    broken(Profile::Rfc5280, |parts| parts.extensions = extensions(&all))
}

fn with_entry(extensions: &[Vec<u8>]) -> Vec<&'static str> {
    broken(Profile::Rfc5280, |parts| parts.revoked = value(tag::SEQUENCE, &entry(extensions)))
}

fn reason(critical: Option<u8>, number: u8) -> Vec<u8> {
    extension(21, critical, &[0x0a, 1, number])
}

#[test]
fn a_good_crl_has_no_findings() {
    assert_eq!(findings(&good().der(), Profile::EndEntity), []);
    let keyed = EntryFields { reason: Some(ReasonCode::KeyCompromise), ..EntryFields::new(&[1], 0) };
    assert_eq!(findings(&build(&fields(), &[keyed]), Profile::Ca), []);
}

#[test]
fn rules_on_the_header() {
    let time = |content: &[u8]| value(tag::UTC_TIME, content);
    assert_eq!(
        broken(Profile::Rfc5280, |parts| {
            parts.version.clear();
            parts.extensions.clear();
        }),
        ["version"]
    );
    assert_eq!(broken(Profile::Rfc5280, |parts| parts.version = vec![2, 1, 0]), ["version"]);
    assert_eq!(
        broken(Profile::Rfc5280, |parts| parts.outer_algorithm = vec![0x30, 3, 6, 1, 0x2a]),
        ["algorithms-identical"]
    );
    assert_eq!(broken(Profile::Rfc5280, |parts| parts.issuer = vec![0x30, 0]), ["issuer"]);
    assert_eq!(broken(Profile::Rfc5280, |parts| parts.next_update.clear()), ["next-update"]);
    assert_eq!(broken(Profile::Rfc5280, |parts| parts.next_update = parts.this_update.clone()), ["next-update"]);
    let eleven_days = |parts: &mut Parts| parts.next_update = time(b"240112000000Z");
    assert_eq!(broken(Profile::Rfc5280, eleven_days), [""; 0]);
    assert_eq!(broken(Profile::EndEntity, eleven_days), ["next-update"]);
    assert_eq!(broken(Profile::Ca, |parts| parts.next_update = time(b"250102000000Z")), ["next-update", "reason-code"]);
    let early = value(tag::GENERALIZED_TIME, b"20240108000000Z");
    assert_eq!(broken(Profile::Rfc5280, |parts| parts.next_update = early), ["time-form"]);
    assert_eq!(broken(Profile::Rfc5280, |parts| parts.this_update = time(b"240230000000Z")), ["time"]);
    let empty = broken(Profile::Rfc5280, |parts| parts.revoked = vec![0x30, 0]);
    assert_eq!(empty, ["revoked-certificates-empty"]);
}

#[test]
fn rules_on_extensions() {
    let of = |all: &[Vec<u8>]| broken(Profile::Rfc5280, |parts| parts.extensions = extensions(all));
    assert_eq!(of(&[number()]), ["authority-key-identifier"]);
    assert_eq!(of(&[number(), extension(35, None, &[0x30, 0])]), ["authority-key-identifier"]);
    assert_eq!(of(&[number(), extension(35, Some(0xff), &[0x30, 3, 0x80, 1, 9])]), ["authority-key-identifier"]);
    assert_eq!(of(&[key_identifier()]), ["crl-number"]);
    assert_eq!(of(&[key_identifier(), extension(20, Some(0xff), &[2, 1, 1])]), ["crl-number"]);
    assert_eq!(of(&[key_identifier(), extension(20, None, &value(tag::INTEGER, &[1; 21]))]), ["crl-number-length"]);
    assert_eq!(with_extensions(&[extension(27, None, &[2, 1, 1])]), ["delta-crl-indicator"]);
    assert_eq!(with_extensions(&[extension(27, Some(0xff), &[2, 1, 2])]), ["delta-crl-indicator"]);
    let users = [0x30, 3, 0x81, 1, 0xff];
    assert_eq!(with_extensions(&[extension(28, None, &users)]), ["issuing-distribution-point"]);
    assert_eq!(with_extensions(&[extension(28, Some(0xff), &users)]), [""; 0]);
    assert_eq!(with_extensions(&[extension(28, Some(0xff), &[0x30, 0])]), ["issuing-distribution-point-empty"]);
    let written = [0x30, 6, 0x81, 1, 0xff, 0x82, 1, 0];
    assert_eq!(with_extensions(&[extension(28, Some(0xff), &written)]), ["issuing-distribution-point"]);
    let points = [0x30, 9, 0x30, 7, 0xa0, 5, 0xa0, 3, 0x86, 1, b'u'];
    assert_eq!(with_extensions(&[extension(46, None, &points)]), [""; 0]);
    assert_eq!(with_extensions(&[extension(46, Some(0xff), &points)]), ["freshest-crl"]);
    let delta = extension(27, Some(0xff), &[2, 1, 1]);
    assert_eq!(with_extensions(&[extension(46, None, &points), delta]), ["freshest-crl"]);
    assert_eq!(with_extensions(&[extension(99, Some(0xff), &[])]), ["unknown-critical"]);
    assert_eq!(with_extensions(&[extension(99, Some(0), &[])]), ["default-written"]);
    let since = extension(60, None, &value(tag::UTC_TIME, b"200101000000Z"));
    assert_eq!(with_extensions(&[since]), ["time-form"]);
    assert_eq!(with_extensions(&[number()]), ["extension-repeated"]);
}

#[test]
fn rules_on_entries() {
    assert_eq!(with_entry(&[reason(None, 1)]), [""; 0]);
    assert_eq!(with_entry(&[reason(None, 0)]), ["reason-code"]);
    assert_eq!(with_entry(&[reason(None, 7)]), ["reason-code"]);
    assert_eq!(with_entry(&[reason(None, 8)]), ["remove-from-crl"]);
    assert_eq!(with_entry(&[reason(Some(0xff), 1)]), ["entry-criticality"]);
    assert_eq!(with_entry(&[reason(Some(0), 1)]), ["default-written"]);
    assert_eq!(with_entry(&[extension(99, Some(0xff), &[])]), ["unknown-critical"]);
    let issuer = value(tag::SEQUENCE, &value(0xa4, &name("Other")));
    assert_eq!(with_entry(&[extension(29, Some(0xff), &issuer)]), ["certificate-issuer"]);
    assert_eq!(with_entry(&[extension(29, None, &issuer)]), ["entry-criticality", "certificate-issuer"]);
    let hold = |parts: &mut Parts| parts.revoked = value(tag::SEQUENCE, &entry(&[reason(None, 6)]));
    assert_eq!(broken(Profile::Rfc5280, hold), [""; 0]);
    assert_eq!(broken(Profile::EndEntity, hold), ["reason-code"]);
    assert_eq!(broken(Profile::Ca, |_| {}), ["reason-code"]);
    let of = |serial: &[u8], date: &[u8]| {
        let entry = value(tag::SEQUENCE, &[value(tag::INTEGER, serial), value(tag::UTC_TIME, date)].concat());
        broken(Profile::Rfc5280, |parts| parts.revoked = value(tag::SEQUENCE, &entry))
    };
    assert_eq!(of(&[1; 21], b"231231000000Z"), ["serial-number"]);
    assert_eq!(of(&[0], b"231231000000Z"), ["serial-number"]);
    assert_eq!(of(&[0x80], b"231231000000Z"), ["serial-number"]);
    assert_eq!(of(&[1], b"240101000001Z"), ["revocation-date"]);
    let twice = |parts: &mut Parts| parts.revoked = value(tag::SEQUENCE, &entry(&[]).repeat(2));
    assert_eq!(broken(Profile::Rfc5280, twice), ["duplicate-serial"]);
}

#[test]
fn many_findings_of_a_rule_are_counted() {
    let mut parts = good();
    parts.revoked = value(tag::SEQUENCE, &entry(&[reason(None, 0)]).repeat(50));
    let findings = findings(&parts.der(), Profile::Rfc5280);
    let of_rule: Vec<_> = findings.iter().filter(|finding| finding.rule == "reason-code").collect();
    assert_eq!(of_rule.len(), 11);
    assert_eq!(of_rule[10].text, "and 40 more like these");
    let shown = of_rule[0].to_string();
    assert!(shown.starts_with("warning reason-code: the entry of serial 01 at octet "), "{shown}");
}
