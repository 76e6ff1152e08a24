//! Files as operators have them, made by testdata/anchors/make.sh.

use super::*;
use crate::asn1::writer::tlv;
use crate::ca::{pem_decode, pem_encode};

const ONE: &str = include_str!("../../../../testdata/anchors/one.pem");
const TWO: &str = include_str!("../../../../testdata/anchors/two.pem");
const BUNDLE: &[u8] = include_bytes!("../../../../testdata/anchors/bundle.p7b");
const TRUSTED: &str = include_str!("../../../../testdata/anchors/trusted.pem");
const SIGNED: &[u8] = include_bytes!("../../../../testdata/anchors/signed.p7m");
const OPENSSL: &[u8] = include_bytes!("../../../../testdata/anchors/openssl.p12");
const KEYTOOL: &[u8] = include_bytes!("../../../../testdata/anchors/truststore.p12");
const RC2: &[u8] = include_bytes!("../../../../testdata/anchors/rc2.p12");
const EMPTY_PASSWORD: &[u8] = include_bytes!("../../../../testdata/anchors/empty-password.p12");
const PLAIN: &[u8] = include_bytes!("../../../../testdata/anchors/plain.p12");
const NO_MAC: &[u8] = include_bytes!("../../../../testdata/anchors/no-mac.p12");

fn der(pem: &str) -> Vec<u8> {
    pem_decode("CERTIFICATE", pem).unwrap().remove(0)
}

fn read(octets: &[u8], password: Option<&str>) -> Result<Vec<Vec<u8>>, AnchorFileError> {
    read_anchors(octets, password).map(|list| list.iter().map(|one| one.der().to_vec()).collect())
}

fn pkcs12_error(octets: &[u8], password: Option<&str>) -> Pkcs12Error {
    match read(octets, password) {
        Err(AnchorFileError::Pkcs12(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn der_is_read() {
    assert_eq!(read(&der(ONE), None), Ok(vec![der(ONE)]));
    let trailing = [der(ONE), vec![0]].concat();
    assert_eq!(read(&trailing, None), Err(AnchorFileError::Encoding(BerError::Trailing { count: 1 })));
    assert_eq!(read(BUNDLE, None), Ok(vec![der(ONE), der(TWO)]));
}

#[test]
fn pem_is_read_with_text_between_and_each_certificate_once() {
    let text = format!("\u{feff}{ONE}subject: Dürer\r\n{}\n-----BEGIN X-----\n{ONE}", TWO.replace('\n', "\r\n"));
    assert_eq!(read(text.as_bytes(), None), Ok(vec![der(ONE), der(TWO)]));
    // Latin-1, and a text that begins with the digit 0.
    let latin = [b"0 D\xfcrer\n", ONE.as_bytes()].concat();
    assert_eq!(read(&latin, None), Ok(vec![der(ONE)]));
    assert_eq!(read(pem_encode("X509 CERTIFICATE", &der(TWO)).as_bytes(), None), Ok(vec![der(TWO)]));
    for label in ["PKCS7", "CMS"] {
        assert_eq!(read(pem_encode(label, BUNDLE).as_bytes(), None), Ok(vec![der(ONE), der(TWO)]), "{label}");
    }
}

#[test]
fn trusted_certificates_are_read_without_the_uses_behind() {
    assert_eq!(read(TRUSTED.as_bytes(), None), Ok(vec![der(ONE)]));
    let twice = pem_encode("TRUSTED CERTIFICATE", &[der(ONE), vec![0x30, 0], vec![0x30, 0]].concat());
    assert!(matches!(read(twice.as_bytes(), None), Err(AnchorFileError::Structure(_))));
    let plain = pem_encode("CERTIFICATE", &[der(ONE), vec![0x30, 0]].concat());
    assert!(matches!(read(plain.as_bytes(), None), Err(AnchorFileError::Certificate { number: 1, .. })));
}

#[test]
fn broken_pem_is_told_by_its_line() {
    let unended = format!("text\n{}", ONE.replace("-----END CERTIFICATE-----", ""));
    let error = AnchorFileError::Pem(PemError::Unended { line: 2 });
    assert_eq!(read(unended.as_bytes(), None), Err(error.clone()));
    assert_eq!(read(format!("{unended}{TWO}").as_bytes(), None), Err(error));
    let broken = format!("{ONE}{}", TWO.replacen("MII", "*II", 1));
    let line = ONE.lines().count() + 1;
    assert_eq!(read(broken.as_bytes(), None), Err(AnchorFileError::Pem(PemError::Base64 { line })));
    let not_a_certificate = format!("{ONE}{}", pem_encode("CERTIFICATE", &[0x30, 0]));
    let error = read(not_a_certificate.as_bytes(), None).unwrap_err();
    assert!(matches!(error, AnchorFileError::Certificate { number: 2, .. }), "{error}");
}

#[test]
fn files_without_certificates_are_errors() {
    assert_eq!(read(b"", None), Err(AnchorFileError::Form));
    assert_eq!(read(b"<html></html>", None), Err(AnchorFileError::Form));
    assert_eq!(read(b"0123", None), Err(AnchorFileError::Encoding(BerError::Truncated { at: 4 })));
    assert_eq!(read(&[0x30, 0], None), Err(AnchorFileError::NoCertificate));
    assert_eq!(
        read(&[0x30, 2, 5, 0], None).unwrap_err().to_string().split(':').next(),
        Some("DER, but of no certificate, CMS bundle (p7b) or PKCS #12 (p12)")
    );
    let key = pem_encode("PRIVATE KEY", &[0x30, 0]);
    assert_eq!(read(key.as_bytes(), None), Err(AnchorFileError::NoCertificate));
}

#[test]
fn a_signed_message_is_no_bundle() {
    assert_eq!(read(SIGNED, None), Err(AnchorFileError::Signed));
    let data = tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[crate::verify::cms::oid::DATA])]);
    assert!(matches!(read(&data, None), Err(AnchorFileError::Bundle(CmsError::NotSignedData { .. }))));
}

#[test]
fn octets_and_certificates_are_bounded() {
    let octets = MAX_ANCHOR_FILE_OCTETS + 1;
    assert_eq!(read(&vec![0x30; octets], None), Err(AnchorFileError::TooLarge { octets }));
    assert_eq!(read(ONE.repeat(MAX_CERTIFICATES).as_bytes(), None), Ok(vec![der(ONE)]));
    assert_eq!(read(ONE.repeat(MAX_CERTIFICATES + 1).as_bytes(), None), Err(AnchorFileError::TooMany));
}

#[test]
fn pkcs12_by_openssl_and_keytool_is_read() {
    assert_eq!(read(OPENSSL, Some("secret")), Ok(vec![der(ONE), der(TWO)]));
    let mut keytool = read(KEYTOOL, Some("secret1")).unwrap();
    keytool.sort_unstable();
    let mut both = vec![der(ONE), der(TWO)];
    both.sort_unstable();
    assert_eq!(keytool, both);
    // No password, and the empty one: files are made either way.
    assert_eq!(read(EMPTY_PASSWORD, None).map(|list| list.len()), Ok(2));
    assert_eq!(read(EMPTY_PASSWORD, Some("")).map(|list| list.len()), Ok(2));
    for password in [None, Some("any")] {
        assert_eq!(read(PLAIN, password), Ok(vec![der(ONE), der(TWO)]));
    }
}

#[test]
fn a_wrong_password_is_told_from_a_broken_file() {
    assert_eq!(pkcs12_error(OPENSSL, Some("other")), Pkcs12Error::PasswordWrong);
    assert_eq!(pkcs12_error(OPENSSL, Some("")), Pkcs12Error::PasswordWrong);
    assert_eq!(pkcs12_error(OPENSSL, None), Pkcs12Error::PasswordNeeded);
    assert_eq!(pkcs12_error(KEYTOOL, Some("secret")), Pkcs12Error::PasswordWrong);
    assert_eq!(pkcs12_error(OPENSSL, Some("se\0cret")), Pkcs12Error::PasswordNul);
    assert_eq!(pkcs12_error(RC2, Some("other")), Pkcs12Error::PasswordWrong);
    assert_eq!(pkcs12_error(RC2, Some("secret")), Pkcs12Error::Unsupported);
    assert_eq!(pkcs12_error(NO_MAC, Some("secret")), Pkcs12Error::NoMac);
    let truncated = read(&OPENSSL[..OPENSSL.len() - 1], Some("secret"));
    assert!(matches!(truncated, Err(AnchorFileError::Encoding(BerError::Truncated { .. }))), "{truncated:?}");
}

/// A PFX of a MAC alone, which is over nothing that is there.
fn pfx(digest: &[u8], iterations: &[u8]) -> Vec<u8> {
    let info = tlv(writer::SEQUENCE, &[digest, &tlv(writer::OCTET_STRING, &[&[7; 32]])]);
    let mac = tlv(writer::SEQUENCE, &[&info, &[4, 1, 7], iterations]);
    tlv(writer::SEQUENCE, &[&[2, 1, 3], &[0x30, 0], &mac])
}

#[test]
fn rounds_of_key_derivation_are_bounded() {
    const SHA256: &[u8] = &[0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    let broken = |error: &Pkcs12Error| matches!(error, Pkcs12Error::Broken { .. });
    // 10,000,000 and one more.
    assert!(broken(&pkcs12_error(&pfx(SHA256, &[2, 4, 0, 0x98, 0x96, 0x80]), Some("secret"))));
    let more = pfx(SHA256, &[2, 4, 0, 0x98, 0x96, 0x81]);
    assert_eq!(pkcs12_error(&more, Some("secret")), Pkcs12Error::TooManyIterations);
    let negative = pfx(SHA256, &[2, 1, 0x80]);
    assert_eq!(pkcs12_error(&negative, Some("secret")), Pkcs12Error::TooManyIterations);
    let pbmac1 = |iterations: &[u8]| {
        let parameters = tlv(writer::SEQUENCE, &[&[4, 1, 7], iterations, &[2, 1, 32]]);
        let pbkdf2 = [6, 9, 42, 0x86, 72, 0x86, 0xf7, 13, 1, 5, 12];
        let derivation = tlv(writer::SEQUENCE, &[&pbkdf2, &parameters]);
        let identifier = [6, 9, 42, 0x86, 72, 0x86, 0xf7, 13, 1, 5, 14];
        let algorithm = tlv(writer::SEQUENCE, &[&identifier, &tlv(writer::SEQUENCE, &[&derivation, SHA256])]);
        pfx(&algorithm, &[2, 1, 1])
    };
    assert_eq!(pkcs12_error(&pbmac1(&[2, 4, 0x7f, 0, 0, 0]), Some("secret")), Pkcs12Error::TooManyIterations);
    assert!(broken(&pkcs12_error(&pbmac1(&[2, 1, 9]), Some("secret"))));
}
