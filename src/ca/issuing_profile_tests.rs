//! Profiles read and refused.

use super::*;

const LEAST: &str = r#"
description = "x"
kind = "end-entity"
validity_days = 90
keys = ["p256", "rsa2048"]
key_usage = ["digitalSignature"]
subject.required = ["CN"]
status = { hold_allowed = true, reasons = [] }
"#;

fn parse(text: &str) -> Result<IssuingProfile, ProfileError> {
    IssuingProfile::parse("mine", text)
}

/// The least profile with a line replaced, or added.
fn with(lines: &[&str]) -> Result<IssuingProfile, ProfileError> {
    let mut text = LEAST.to_owned();
    for line in lines {
        let field = line.split('=').next().unwrap();
        let kept: Vec<&str> = text.lines().filter(|known| !known.starts_with(field)).collect();
        text = format!("{}\n{line}\n", kept.join("\n"));
    }
    parse(&text)
}

#[test]
fn the_least_profile_has_safe_defaults() {
    let profile = parse(LEAST).unwrap();
    assert_eq!((profile.name(), profile.description(), profile.validity_days()), ("mine", "x", (90, 90)));
    assert!(!profile.is_ca() && !profile.is_tsu() && !profile.is_responder());
    assert!(!profile.policies_by_request && !profile.wildcards && !profile.no_check && !profile.tls_baseline);
    assert!(profile.key_usage_critical && profile.crl_distribution_point && profile.ocsp_pointer);
    assert!(!profile.subject.empty_allowed && profile.alternative_names.is_empty());
    assert!(profile.status_policy().reasons.is_empty());
    for (key, taken) in [
        (KeyAlgorithm::EcP256, true),
        (KeyAlgorithm::EcP384, false),
        (KeyAlgorithm::Ed25519, false),
        (KeyAlgorithm::EcP521, false),
        (KeyAlgorithm::Rsa { bits: 2048 }, true),
        (KeyAlgorithm::Rsa { bits: 4096 }, true),
        (KeyAlgorithm::Rsa { bits: 2047 }, false),
        (KeyAlgorithm::Rsa { bits: 16_384 }, false),
    ] {
        assert_eq!(profile.takes_key(key), taken, "{key}");
    }
}

#[test]
fn every_shipped_profile_is_read_and_named() {
    let names: Vec<&str> = shipped().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["tsu", "ocsp-responder", "document-signer", "tls-server", "intermediate"]);
    for (name, text) in shipped() {
        let profile = IssuingProfile::parse(name, text).unwrap();
        assert_eq!((profile.to_string().as_str(), profile.is_ca()), (name, name == "intermediate"));
    }
    let policy = |name: &str| {
        let (_, text) = shipped().into_iter().find(|(known, _)| *known == name).unwrap();
        IssuingProfile::parse(name, text).unwrap().status_policy().clone()
    };
    let tsu = StatusPolicy { hold_allowed: false, reasons: vec![1, 3, 4, 5], reason_required: true, is_ca: false };
    assert_eq!(policy("tsu"), tsu);
    assert!(!policy("tls-server").hold_allowed && policy("document-signer").hold_allowed);
    assert!(policy("intermediate").is_ca);
}

#[test]
fn names_are_those_of_files_and_urls() {
    for wrong in ["", "A", "1a", "a_b", "-a", "../x", "ä", &"a".repeat(41)] {
        assert!(matches!(IssuingProfile::parse(wrong, LEAST), Err(ProfileError::Name { .. })), "{wrong}");
    }
    assert!(IssuingProfile::parse(&"a".repeat(40), LEAST).is_ok());
}

#[test]
fn what_is_no_profile_is_refused_by_field_and_line() {
    let message = |text: &str| parse(text).unwrap_err().to_string();
    let unknown = message(&format!("colour = 1{LEAST}"));
    assert!(unknown.contains("profile mine") && unknown.contains("unknown field `colour`"), "{unknown}");
    assert!(message(&LEAST.replace("validity_days = 90", "")).contains("missing field `validity_days`"));
    assert!(message(&LEAST.replace("90", "\"x\"")).contains("validity_days = \"x\""));
    assert!(message(&LEAST.replace("90", "-1")).contains("validity_days"));
    assert!(message(&LEAST.replace("end-entity", "leaf")).contains("expected `ca` or `end-entity`"));
    assert!(message(&LEAST.replace("reasons = []", "reasons = [], x = 1")).contains("unknown field `x`"));
    assert!(message("=").contains("profile mine"));
    let long = format!("{LEAST}#{}", "x".repeat(MAX_FILE_OCTETS));
    assert!(matches!(parse(&long), Err(ProfileError::TooLong { .. })));
}

#[test]
fn each_impossible_field_is_refused_by_name() {
    let ca = ["kind = \"ca\"", "key_usage = [\"keyCertSign\"]"];
    let strict = "status = { hold_allowed = false, reasons = [\"keyCompromise\"], reason_required = true }";
    let with_ca = |lines: &[&str]| with(&[&ca[..], &[strict], lines].concat());
    assert!(with_ca(&[]).is_ok());
    let tsu = ["extended_key_usage = [\"timeStamping\"]", "extended_key_usage_critical = true"];
    let with_tsu = |lines: &[&str]| with(&[&tsu[..], &[strict], lines].concat());
    assert!(with_tsu(&[]).is_ok());
    let san = "subject_alt_name = { allowed = [\"dns\"], required = true }";
    assert!(with(&[san, "subject.empty_allowed = true", "subject.required = []"]).is_ok());
    let responder = "extended_key_usage = [\"OCSPSigning\"]";
    assert!(with(&[responder, "no_check = true"]).is_ok());
    let rows = [
        ("validity_days", with(&["validity_days = 0"])),
        ("validity_days", with(&["validity_days = 91", "max_validity_days = 90"])),
        ("max_validity_days", with(&["max_validity_days = 36526"])),
        ("backdate_s", with(&["backdate_s = 172801"])),
        ("private_key_usage_days", with(&["private_key_usage_days = 0"])),
        ("private_key_usage_days", with(&["private_key_usage_days = 91"])),
        ("keys", with(&["keys = []"])),
        ("keys", with(&["keys = [\"p521\"]"])),
        ("keys", with(&["keys = [\"rsa1024\"]"])),
        ("keys", with(&["keys = [\"rsa\"]"])),
        ("keys", with(&["keys = [\"p256\", \"p256\"]"])),
        ("key_usage", with(&["key_usage = []"])),
        ("key_usage", with(&["key_usage = [\"signing\"]"])),
        ("key_usage", with(&["key_usage = [\"digitalSignature\", \"digitalSignature\"]"])),
        ("key_usage", with(&["key_usage = [\"keyCertSign\"]"])),
        ("key_usage", with(&["key_usage = [\"digitalSignature\", \"cRLSign\"]"])),
        ("key_usage", with_ca(&["key_usage = [\"cRLSign\"]"])),
        ("key_usage_critical", with_ca(&["key_usage_critical = false"])),
        ("path_len", with(&["path_len = 0"])),
        ("extended_key_usage", with(&["extended_key_usage = [\"web\"]"])),
        ("extended_key_usage", with(&["extended_key_usage = [\"serverAuth\", \"1.3.6.1.5.5.7.3.1\"]"])),
        ("extended_key_usage_critical", with(&["extended_key_usage_critical = true"])),
        ("extended_key_usage", with_tsu(&["extended_key_usage = [\"timeStamping\", \"serverAuth\"]"])),
        ("extended_key_usage", with_tsu(&["extended_key_usage_critical = false"])),
        ("extended_key_usage", with_ca(&tsu)),
        ("key_usage", with_tsu(&["key_usage = [\"nonRepudiation\"]"])),
        ("extended_key_usage", with(&["extended_key_usage = [\"OCSPSigning\", \"serverAuth\"]"])),
        ("extended_key_usage", with_ca(&[responder, "key_usage = [\"digitalSignature\", \"keyCertSign\"]"])),
        ("key_usage", with(&[responder, "key_usage = [\"nonRepudiation\"]"])),
        ("no_check", with(&["no_check = true"])),
        ("tls_baseline", with(&["tls_baseline = true"])),
        ("policies", with(&["policies = [\"x\"]"])),
        ("policies", with(&["policies = [\"1.2.3\", \"1.2.3\"]"])),
        ("subject.required", with(&["subject.required = [\"XX\"]"])),
        ("subject.required", with(&["subject.required = []"])),
        ("subject.optional", with(&["subject.optional = [\"cn\"]"])),
        ("subject.fixed", with(&["subject.fixed = { X = \"a\" }"])),
        ("subject.fixed", with(&["subject.fixed = { C = \"Germany\" }"])),
        ("subject", with(&["subject.optional = [\"CN\"]"])),
        ("subject", with(&["subject.fixed = { CN = \"a\" }"])),
        ("subject", with(&["subject.optional = [\"O\"]", "subject.fixed = { O = \"a\" }"])),
        ("subject.empty_allowed", with(&[san, "subject.empty_allowed = true"])),
        ("subject.empty_allowed", with(&["subject.empty_allowed = true", "subject.required = []"])),
        ("subject.empty_allowed", with_ca(&[san, "subject.empty_allowed = true", "subject.required = []"])),
        ("subject_alt_name.allowed", with(&["subject_alt_name = { allowed = [\"DNS\"] }"])),
        ("subject_alt_name.required", with(&["subject_alt_name = { required = true }"])),
        ("subject_alt_name.wildcards", with(&["subject_alt_name = { allowed = [\"ip\"], wildcards = true }"])),
        ("status.reasons", with(&["status = { hold_allowed = true, reasons = [\"none\"] }"])),
        ("status.reasons", with(&["status = { hold_allowed = true, reasons = [\"certificateHold\"] }"])),
        ("status.reasons", with(&["status = { hold_allowed = true, reasons = [\"cACompromise\"] }"])),
        ("status.reasons", with(&["status = { hold_allowed = true, reasons = [], reason_required = true }"])),
        ("status.reasons", with_tsu(&[&strict.replace("keyCompromise", "privilegeWithdrawn")])),
        ("status.reason_required", with_tsu(&[&strict.replace("= true", "= false")])),
        ("status.reason_required", with_ca(&[&strict.replace("= true", "= false")])),
        ("status.hold_allowed", with_tsu(&[&strict.replace("hold_allowed = false", "hold_allowed = true")])),
    ];
    for (at, (field, result)) in rows.into_iter().enumerate() {
        match result {
            Err(ProfileError::Field { field: found, .. }) => assert_eq!(found, field, "row {at}"),
            other => panic!("row {at}, {field}: {other:?}"),
        }
    }
    let demand = with(&["keys = [\"p521\"]"]).unwrap_err().to_string();
    assert_eq!(
        demand,
        "profile mine: keys: \"p521\" is not known; write p256, p384, ed25519, or rsa2048 to rsa8192 for RSA of so \
         many bits and more"
    );
}
