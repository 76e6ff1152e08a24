//! Issuing by profiles, shipped ones and changed ones.

use std::collections::HashSet;

use super::*;
use crate::ca::builder::Draft;
use crate::ca::test_key::{NOW_S, TestIssuer, TestKey};
use crate::ca::{SubjectName, chain, shipped};
use crate::crypto::DigestAlgorithm;

fn profile(name: &str) -> IssuingProfile {
    let (_, text) = shipped().into_iter().find(|(known, _)| *known == name).unwrap();
    IssuingProfile::parse(name, text).unwrap()
}

fn changed(name: &str, from: &str, to: &str) -> IssuingProfile {
    let (_, text) = shipped().into_iter().find(|(known, _)| *known == name).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    IssuingProfile::parse(name, &text.replace(from, to)).unwrap()
}

fn subject(name: &str) -> Subject {
    Subject::from(&SubjectName::new("DE", "Example", name).unwrap())
}

fn common_name(name: &str) -> Subject {
    Subject::new([(AttributeType::CommonName, name.to_owned())]).unwrap()
}

fn names(list: &[&str]) -> Vec<AlternativeName> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

const SERIAL: [u8; 16] = [0x41; 16];

fn request<'a>(issuer: &'a TestIssuer, key: &'a TestKey, subject: &'a Subject) -> IssueRequest<'a> {
    IssueRequest {
        public_key: &key.public,
        subject,
        alternative_names: &[],
        policies: &[],
        issuer: &issuer.certificate,
        urls: &issuer.urls,
        publishes_crls: true,
        algorithm: issuer.key.public.algorithm().default_signature(),
        not_before_s: NOW_S,
        days: None,
        serial: &SERIAL,
    }
}

/// Everything that a certificate says but its serial number and signature.
fn content(certificate: &Certificate) -> Vec<Vec<u8>> {
    use crate::asn1::Reader;
    let mut outer = Reader::only(certificate.der(), writer::SEQUENCE).unwrap();
    let mut fields = outer.enter(writer::SEQUENCE).unwrap();
    let mut parts = Vec::new();
    while !fields.is_finished() {
        let field = fields.read().unwrap();
        if field.tag == writer::context(3) {
            let mut list = Reader::only(field.content, writer::SEQUENCE).unwrap();
            while !list.is_finished() {
                parts.push(list.read().unwrap().whole.to_vec());
            }
        } else if field.tag != writer::INTEGER {
            parts.push(field.whole.to_vec());
        }
    }
    parts
}

#[test]
fn tsu_and_responder_are_what_the_builder_makes() {
    let (issuer, key) = (TestIssuer::new(), TestKey::p256());
    let policy = ["0.4.0.2023.1.1".parse().unwrap()];
    for (name, kind, policies) in
        [("tsu", CertificateKind::Tsu, &policy[..]), ("ocsp-responder", CertificateKind::OcspResponder, &[])]
    {
        let subject = subject(name);
        let theirs = Draft {
            kind,
            subject_der: &subject.to_der(),
            public_key: &key.public,
            issuer: Some((&issuer.certificate, &issuer.urls)),
            algorithm: key.public.algorithm().default_signature(),
            not_before_s: NOW_S,
            policies,
            days: None,
            private_key_usage_days: 395,
        };
        let theirs = issuer.sign(&theirs.build().unwrap());
        let ours = issuer.sign(&profile(name).draft(&request(&issuer, &key, &subject)).unwrap());
        assert_eq!(content(&ours), content(&theirs), "{name}");
        assert!(content(&ours).len() > 10, "{name}: the extensions are compared one by one");
        assert_eq!(ours.serial_number, SERIAL);
        assert_eq!(chain::check(&[ours, issuer.certificate.clone(), issuer.root.clone()], NOW_S), Ok(()));
    }
    // A TSU under other policies, as noonmark.toml names them.
    let (other, subject) = (["1.2.3.4".parse().unwrap()], subject("tsu"));
    let request = IssueRequest { policies: &other, ..request(&issuer, &key, &subject) };
    let tsu = issuer.sign(&profile("tsu").draft(&request).unwrap());
    assert!(tsu.der().windows(5).any(|octets| octets == [6, 3, 0x2a, 3, 4]));
}

#[test]
fn each_shipped_profile_issues_and_its_lint_finds_no_error() {
    let issuer = TestIssuer::new();
    for (name, text) in shipped() {
        let profile = IssuingProfile::parse(name, text).unwrap();
        let (key, alternative_names) = (TestKey::p256(), names(&["dns:tsa.example.org"]));
        let is_server = name == "tls-server";
        let subject = if is_server { common_name("tsa.example.org") } else { subject(name) };
        let request = IssueRequest {
            alternative_names: if is_server { &alternative_names } else { &[] },
            ..request(&issuer, &key, &subject)
        };
        // The issuing CA's own limit keeps it from making another CA: the root makes it.
        let drafted = if name == "intermediate" {
            assert!(matches!(profile.draft(&request), Err(IssueError::Issuer { .. })));
            profile.draft(&IssueRequest { issuer: &issuer.root, ..request })
        } else {
            profile.draft(&request)
        };
        let unsigned = drafted.unwrap_or_else(|error| panic!("{name}: {error}"));
        let above = if name == "intermediate" { &issuer.root } else { &issuer.certificate };
        let warnings: Vec<&str> =
            lint::lint(unsigned.tbs_der(), above, &profile).iter().map(|finding| finding.rule).collect();
        assert_eq!(warnings, if is_server { vec!["tls-policy"] } else { vec![] }, "{name}");
    }
}

#[test]
fn keys_and_issuers_must_fit() {
    let (issuer, key) = (TestIssuer::new(), TestKey::p256());
    let subject = subject("x");
    let tsu = profile("tsu");
    let ask = request(&issuer, &key, &subject);
    assert!(tsu.draft(&ask).is_ok());
    let rsa_only = changed("tsu", "[\"p256\", \"p384\", \"ed25519\", \"rsa3072\"]", "[\"rsa3072\"]");
    assert!(matches!(rsa_only.draft(&ask), Err(IssueError::Key { key: KeyAlgorithm::EcP256, .. })));
    let own = tsu.draft(&IssueRequest { public_key: &issuer.key.public, ..ask });
    assert_eq!(own.unwrap_err(), IssueError::IssuersKey);
    let same = Subject::from_name_der(&issuer.certificate.subject_der).unwrap();
    assert_eq!(tsu.draft(&IssueRequest { subject: &same, ..ask }).unwrap_err(), IssueError::IssuersName);
    let algorithm = SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256);
    assert!(matches!(tsu.draft(&IssueRequest { algorithm, ..ask }), Err(IssueError::Algorithm { .. })));
    let no_ca = issuer.sign(&tsu.draft(&ask).unwrap());
    let other = TestKey::p256();
    let below = IssueRequest { issuer: &no_ca, public_key: &other.public, ..ask };
    assert!(matches!(tsu.draft(&below), Err(IssueError::Issuer { .. })));
    let mut no_signer = issuer.certificate.clone();
    no_signer.key_usage = None;
    assert!(matches!(tsu.draft(&IssueRequest { issuer: &no_signer, ..ask }), Err(IssueError::Issuer { .. })));
}

#[test]
fn the_subject_is_the_profiles() {
    let (issuer, key) = (TestIssuer::new(), TestKey::p256());
    let tsu = profile("tsu");
    let draft = |profile: &IssuingProfile, parts: &[(AttributeType, &str)]| {
        let parts = parts.iter().map(|(attribute, value)| (*attribute, (*value).to_owned()));
        let subject = Subject::new(parts).unwrap();
        let unsigned = profile.draft(&request(&issuer, &key, &subject))?;
        Ok(Subject::from_name_der(&unsigned.preview().unwrap().subject_der).unwrap().to_string())
    };
    use AttributeType::{CommonName, Country, EmailAddress, Organization};
    let whole = [(CommonName, "x"), (Country, "DE"), (Organization, "y")];
    assert_eq!(draft(&tsu, &whole), Ok("C=DE, O=y, CN=x".to_owned()));
    let lacks = draft(&tsu, &whole[..2]);
    assert_eq!(lacks, Err(IssueError::SubjectLacks { profile: "tsu".to_owned(), attribute: Organization }));
    let has = draft(&tsu, &[&whole[..], &[(EmailAddress, "a@b.example")]].concat());
    assert_eq!(has, Err(IssueError::SubjectHas { profile: "tsu".to_owned(), attribute: EmailAddress }));
    let fixed =
        changed("tsu", "required = [\"C\", \"O\", \"CN\"]", "required = [\"CN\"]\nfixed = { C = \"DE\", O = \"Z\" }");
    assert_eq!(draft(&fixed, &whole[..2]), Ok("C=DE, O=Z, CN=x".to_owned()), "added, and not written twice");
    assert!(matches!(draft(&fixed, &whole), Err(IssueError::SubjectFixed { attribute: Organization, .. })));
    // Nothing is required, and nothing is given.
    let free = changed("tls-server", "empty_allowed = true", "required = [\"C\"]");
    let lacks = free.draft(&IssueRequest {
        alternative_names: &names(&["dns:a.example"]),
        ..request(&issuer, &key, &Subject::default())
    });
    assert!(matches!(lacks, Err(IssueError::SubjectLacks { attribute: Country, .. })));
}

#[test]
fn alternative_names_are_the_profiles() {
    let (issuer, key) = (TestIssuer::new(), TestKey::p256());
    let server = profile("tls-server");
    let empty = Subject::default();
    let draft = |profile: &IssuingProfile, subject: &Subject, list: &[&str]| {
        let list = names(list);
        let request = IssueRequest { alternative_names: &list, ..request(&issuer, &key, subject) };
        profile.draft(&request).map(|unsigned| unsigned.preview().unwrap())
    };
    let critical = |certificate: &Certificate| {
        certificate.extensions.iter().find(|(oid, _)| *oid == ID_CE_SUBJECT_ALT_NAME).map(|(_, critical)| *critical)
    };
    let without_subject = draft(&server, &empty, &["dns:a.example", "ip:192.0.2.1"]).unwrap();
    assert_eq!(critical(&without_subject), Some(true), "RFC 5280 §4.2.1.6");
    let with_subject = draft(&server, &common_name("a.example"), &["dns:a.example", "dns:A.example"]).unwrap();
    assert_eq!(critical(&with_subject), Some(false));
    let twice = with_subject.der().windows(9).filter(|octets| octets == b"a.example").count();
    assert_eq!(twice, 2, "in the subject and once in subjectAltName");
    assert!(draft(&server, &empty, &["dns:*.a.example"]).is_ok());
    let no_wildcards = changed("tls-server", "wildcards = true", "wildcards = false");
    assert!(matches!(draft(&no_wildcards, &empty, &["dns:*.a.example"]), Err(IssueError::Wildcard { .. })));
    assert!(matches!(draft(&server, &empty, &[]), Err(IssueError::AlternativeNameMissing { .. })));
    let email = draft(&server, &empty, &["email:a@b.example"]);
    assert!(matches!(email, Err(IssueError::AlternativeName { kind: AlternativeNameKind::Email, .. })));
    assert!(matches!(draft(&server, &empty, &["dns:a.example"; 101]), Err(IssueError::TooManyNames { count: 101 })));
    let elsewhere = draft(&server, &common_name("b.example"), &["dns:a.example"]).unwrap_err();
    assert!(elsewhere.to_string().contains("tls-common-name (TLS BR 7.1.4.3): CN=b.example"), "{elsewhere}");
}

#[test]
fn pointers_policies_and_serials_are_as_they_are_given() {
    let (issuer, key) = (TestIssuer::new(), TestKey::p256());
    let subject = subject("x");
    let ask = request(&issuer, &key, &subject);
    let signer = profile("document-signer");
    let has_points = |unsigned: &Unsigned| {
        let certificate = unsigned.preview().unwrap();
        certificate.extensions.iter().any(|(oid, _)| *oid == extension::ID_CE_CRL_DISTRIBUTION_POINTS)
    };
    assert!(has_points(&signer.draft(&ask).unwrap()));
    assert!(!has_points(&signer.draft(&IssueRequest { publishes_crls: false, ..ask }).unwrap()));
    let policies = ["1.2.3".parse().unwrap(), "1.2.3".parse().unwrap()];
    let refused = signer.draft(&IssueRequest { policies: &policies[..1], ..ask });
    assert!(matches!(refused, Err(IssueError::Policies { .. })));
    let twice = profile("tsu").draft(&IssueRequest { policies: &policies, ..ask }).unwrap_err();
    assert!(twice.to_string().contains("policies (RFC 5280 §4.2.1.4)"), "{twice}");
    for (wrong, right) in [(&[0x41; 15][..], &[0x41; 16][..]), (&[0x41; 21], &[0x41; 20])] {
        assert!(signer.draft(&IssueRequest { serial: right, ..ask }).is_ok());
        assert_eq!(signer.draft(&IssueRequest { serial: wrong, ..ask }).unwrap_err(), IssueError::SerialNumber);
    }
    for first in [0, 0x80, 0xff] {
        let mut serial = SERIAL;
        serial[0] = first;
        assert_eq!(signer.draft(&IssueRequest { serial: &serial, ..ask }).unwrap_err(), IssueError::SerialNumber);
    }
    let fresh: HashSet<[u8; 16]> = (0..1_000).map(|_| fresh_serial().unwrap()).collect();
    assert!(fresh.len() == 1_000 && fresh.iter().all(|serial| is_serial(serial)));
}

#[test]
fn the_validity_lies_within_the_issuers() {
    let (issuer, key) = (TestIssuer::new(), TestKey::p256());
    let subject = subject("x");
    let signer = profile("document-signer");
    let ends_s = issuer.certificate.not_after_s;
    let draft = |not_before_s: i64, days: Option<u32>| {
        let request = IssueRequest { not_before_s, days, ..request(&issuer, &key, &subject) };
        let certificate = signer.draft(&request)?.preview().unwrap();
        Ok((certificate.not_before_s, certificate.not_after_s))
    };
    let day = DAY_S;
    assert_eq!(draft(NOW_S, None), Ok((NOW_S - 300, NOW_S - 300 + 730 * day - 1)), "backdate_s");
    assert_eq!(draft(NOW_S, Some(1)), Ok((NOW_S - 300, NOW_S - 300 + day - 1)));
    assert!(draft(NOW_S, Some(1_095)).is_ok());
    for days in [0, 1_096] {
        let refused = draft(NOW_S, Some(days)).unwrap_err();
        assert!(matches!(refused, IssueError::Days { most: 1_095, .. }), "{refused}");
    }
    let begins_s = issuer.certificate.not_before_s;
    assert_eq!(draft(begins_s + 10, None).unwrap().0, begins_s, "not before its issuer, whatever the backdate");
    assert!(matches!(draft(begins_s - 1, None), Err(IssueError::OutsideIssuer { .. })));
    let late_s = ends_s - 10 * day;
    assert_eq!(draft(late_s, None).unwrap().1, ends_s, "cut where no days are asked for");
    assert!(matches!(draft(late_s, Some(11)), Err(IssueError::OutsideIssuer { .. })), "never cut in silence");
    assert!(draft(late_s, Some(10)).is_ok());
    assert!(matches!(draft(ends_s, None), Err(IssueError::OutsideIssuer { .. })));
    assert!(matches!(draft(i64::MAX, None), Err(IssueError::OutsideIssuer { .. })));
    assert!(matches!(draft(i64::MIN, None), Err(IssueError::OutsideIssuer { .. })));
}

#[test]
fn the_baseline_shortens_tls_by_the_day_of_issuing() {
    let (issuer, key) = (TestIssuer::new(), TestKey::p256());
    let list = names(&["dns:a.example"]);
    let subject = Subject::default();
    let draft = |not_before_s: i64, days: u32| {
        let request = request(&issuer, &key, &subject);
        let request = IssueRequest { not_before_s, days: Some(days), alternative_names: &list, ..request };
        profile("tls-server").draft(&request)
    };
    assert!(draft(NOW_S, 200).is_ok());
    assert!(matches!(draft(NOW_S, 201), Err(IssueError::Days { .. })));
    let in_2027 = 1_805_068_800 + 3_600;
    assert!(draft(in_2027 - 1, 200).is_ok());
    assert!(draft(in_2027, 100).is_ok());
    let refused = draft(in_2027, 101).unwrap_err().to_string();
    assert!(refused.contains("tls-validity (TLS BR 6.3.2)") && refused.contains("100 days"), "{refused}");
}
