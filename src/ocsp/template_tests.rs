//! The response read back field by field, its octets held, a signature joined to octets that were built again.

use super::*;
use crate::asn1::Reader;
use crate::ca::builder::Draft;
use crate::ca::{CertificateKind, SubjectName, pem_decode};
use crate::crypto::{DigestAlgorithm, PublicKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

/// 2026-11-23T20:00:00Z.
const NOW_S: i64 = 1_795_464_000;
const ECDSA: SignatureAlgorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);

fn fixed_responder() -> Certificate {
    let der = pem_decode("CERTIFICATE", include_str!("../../testdata/ocsp/issuer.pem")).unwrap().remove(0);
    Certificate::from_der(&der).unwrap()
}

fn answer(cert_id: &[u8], status: CertStatus) -> SingleAnswer<'_> {
    SingleAnswer { cert_id, status, this_update_s: NOW_S, next_update_s: NOW_S + 86_400, archive_cutoff_s: None }
}

/// A response's ResponseData, signature algorithm, signature and certificates.
fn taken_apart(response: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>) {
    let mut fields = Reader::only(response, writer::SEQUENCE).unwrap();
    assert_eq!(fields.expect(0x0a).unwrap().content, [0]);
    let explicit = fields.expect(writer::context(0)).unwrap();
    fields.finish().unwrap();
    let mut bytes = Reader::only(explicit.content, writer::SEQUENCE).unwrap();
    assert_eq!(bytes.expect(writer::OBJECT_IDENTIFIER).unwrap().whole, ID_PKIX_OCSP_BASIC);
    let octets = bytes.expect(writer::OCTET_STRING).unwrap();
    bytes.finish().unwrap();
    let mut basic = Reader::only(octets.content, writer::SEQUENCE).unwrap();
    let tbs = basic.expect(writer::SEQUENCE).unwrap().whole.to_vec();
    let algorithm = basic.expect(writer::SEQUENCE).unwrap().whole.to_vec();
    let signature = basic.expect(writer::BIT_STRING).unwrap().content[1..].to_vec();
    let certificates = basic.optional(writer::context(0)).unwrap().map(|certificates| certificates.content.to_vec());
    basic.finish().unwrap();
    (tbs, algorithm, signature, certificates)
}

#[test]
fn the_octets_are_those_of_form_1() {
    // A change here is a change of what is signed: raise FORM, or stored answers are served with wrong signatures.
    assert_eq!(FORM, 1);
    let template = ResponderTemplate::new(&fixed_responder(), &[], ECDSA).unwrap();
    let good = template.prepare(&[answer(&[0x30, 0], CertStatus::Good)], NOW_S, None).unwrap();
    let key_hash = hex::encode(fixed_responder().public_key.key_identifier());
    let expected = format!(
        "3055a2160414{key_hash}180f32303236313132333230303030305a302a30283000\
         8000180f32303236313132333230303030305aa011180f32303236313132343230303030305a"
    );
    assert_eq!(hex::encode(good.to_be_signed()), expected);

    let all = [
        SingleAnswer { archive_cutoff_s: Some(0), ..answer(&[0x30, 0], CertStatus::Good) },
        answer(&[0x30, 0], CertStatus::Revoked { at_s: NOW_S - 1, reason: None }),
        answer(&[0x30, 0], CertStatus::Revoked { at_s: NOW_S - 1, reason: Some(4) }),
        answer(&[0x30, 0], CertStatus::Unknown),
        SingleAnswer { archive_cutoff_s: Some(0), ..answer(&[0x30, 0], CertStatus::NotIssued) },
    ];
    let all = template.prepare(&all, NOW_S, Some(&[4, 2, 0xaa, 0xbb])).unwrap();
    let digest = hex::encode(DigestAlgorithm::Sha256.digest(all.to_be_signed()).as_ref());
    assert_eq!(digest, "e31c0b9fe005673adf5ca3cdbbfcc0e3fc1e5c2cfc6dca58e43926250dcad6fe");
}

#[test]
fn extensions_stand_where_they_belong() {
    let template = ResponderTemplate::new(&fixed_responder(), &[], ECDSA).unwrap();
    let extensions = |status, nonce: Option<&[u8]>| {
        let prepared = template.prepare(&[answer(&[0x30, 0], status)], NOW_S, nonce).unwrap();
        let mut fields = Reader::only(prepared.to_be_signed(), writer::SEQUENCE).unwrap();
        fields.expect(writer::context(2)).unwrap();
        fields.expect(writer::GENERALIZED_TIME).unwrap();
        fields.expect(writer::SEQUENCE).unwrap();
        let extensions = fields.optional(writer::context(1)).unwrap();
        fields.finish().unwrap();
        extensions.map(|explicit| {
            let mut list = Reader::only(explicit.content, writer::SEQUENCE).unwrap();
            std::iter::from_fn(|| (!list.is_finished()).then(|| hex::encode(list.read().unwrap().whole)))
                .collect::<Vec<_>>()
        })
    };
    let nonce = "301106092b0601050507300102040404020102";
    let extended_revoke = "300f06092b060105050730010904020500";
    assert_eq!(extensions(CertStatus::Good, None), None);
    assert_eq!(extensions(CertStatus::Good, Some(&[4, 2, 1, 2])), Some(vec![nonce.to_owned()]));
    assert_eq!(extensions(CertStatus::NotIssued, None), Some(vec![extended_revoke.to_owned()]));
    let both = extensions(CertStatus::NotIssued, Some(&[4, 2, 1, 2]));
    assert_eq!(both, Some(vec![nonce.to_owned(), extended_revoke.to_owned()]));
    // Bare, and longer than a one-octet length can say.
    let bare = extensions(CertStatus::Good, Some(&[0xab; 128])).unwrap();
    assert!(bare[0].ends_with(&format!("048180{}", "ab".repeat(128))), "{bare:?}");
    // A held certificate was issued.
    assert_eq!(extensions(CertStatus::Revoked { at_s: 0, reason: Some(6) }, None), None);
}

#[test]
fn a_response_is_what_was_signed_with_its_signature_and_certificates() {
    let responder = fixed_responder();
    for chain in [vec![], vec![responder.clone()], vec![responder.clone(), responder.clone()]] {
        let template = ResponderTemplate::new(&responder, &chain, ECDSA).unwrap();
        for count in [1, 2, 100] {
            let answers = vec![answer(&[0x30, 0], CertStatus::Good); count];
            let prepared = template.prepare(&answers, NOW_S, None).unwrap();
            let response = template.assemble(&prepared, &[0x55; 71]);
            assert_eq!(response.capacity(), response.len());
            let (tbs, algorithm, signature, certificates) = taken_apart(&response);
            assert_eq!(tbs, prepared.to_be_signed());
            assert_eq!(algorithm, ECDSA.x509_identifier_der().unwrap());
            assert_eq!(signature, [0x55; 71]);
            let sent = chain.iter().map(Certificate::der).collect::<Vec<_>>().concat();
            let list = (!chain.is_empty()).then(|| writer::tlv(writer::SEQUENCE, &[&sent]));
            assert_eq!(certificates, list);
        }
    }
}

#[test]
fn a_stored_signature_goes_with_octets_that_are_built_again() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let algorithm = hex::decode("301306072a8648ce3d020106082a8648ce3d030107").unwrap();
    let bits = writer::tlv(writer::BIT_STRING, &[&[0], pair.public_key().as_ref()]);
    let key = PublicKey::from_spki_der(&writer::tlv(writer::SEQUENCE, &[&algorithm, &bits])).unwrap();
    let random = aws_lc_rs::rand::SystemRandom::new();
    let unsigned = Draft {
        kind: CertificateKind::Root,
        subject_der: &SubjectName::new("DE", "Example", "Root").unwrap().to_der(),
        public_key: &key,
        issuer: None,
        algorithm: ECDSA,
        not_before_s: NOW_S,
        policies: &[],
        days: None,
        private_key_usage_days: 0,
    }
    .build()
    .unwrap();
    let certificate = unsigned.assemble(pair.sign(&random, unsigned.tbs_der()).unwrap().as_ref(), &key).unwrap();
    let answers = || {
        let status = CertStatus::Revoked { at_s: NOW_S - 5, reason: Some(1) };
        [SingleAnswer { archive_cutoff_s: Some(NOW_S - 10), ..answer(&[0x30, 0], status) }]
    };

    let (signature, tbs) = {
        let template = ResponderTemplate::new(&certificate, std::slice::from_ref(&certificate), ECDSA).unwrap();
        let prepared = template.prepare(&answers(), NOW_S, None).unwrap();
        (pair.sign(&random, prepared.to_be_signed()).unwrap(), prepared.to_be_signed().to_vec())
    };
    // Another process, later: only the certificate's DER, the status and the signature are left.
    let certificate = Certificate::from_der(certificate.der()).unwrap();
    let template = ResponderTemplate::new(&certificate, std::slice::from_ref(&certificate), ECDSA).unwrap();
    let again = template.prepare(&answers(), NOW_S, None).unwrap();
    assert_eq!(again.to_be_signed(), tbs);
    let (tbs, _, value, _) = taken_apart(&template.assemble(&again, signature.as_ref()));
    assert_eq!(key.verify(ECDSA, &tbs, &value), Ok(()));
    // And not with any other octets.
    let other = template.prepare(&answers(), NOW_S + 1, None).unwrap();
    assert!(key.verify(ECDSA, other.to_be_signed(), signature.as_ref()).is_err());
}

#[test]
fn refuses_what_does_not_go_together() {
    let responder = fixed_responder();
    assert!(matches!(
        ResponderTemplate::new(&responder, &[], SignatureAlgorithm::Ed25519),
        Err(ResponderTemplateError::AlgorithmMismatch { key: KeyAlgorithm::EcP256, .. })
    ));
    assert!(matches!(
        ResponderTemplate::new(&responder, &[], SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha1)),
        Err(ResponderTemplateError::Algorithm(_))
    ));
    let template = ResponderTemplate::new(&responder, &[], ECDSA).unwrap();
    assert_eq!(template.prepare(&[], NOW_S, None), Err(AnswerError::Empty));
    let one = [answer(&[0x30, 0], CertStatus::Good)];
    let out_of_range = template.prepare(&one, i64::MIN, None);
    assert_eq!(out_of_range, Err(AnswerError::Time { field: "producedAt", unix_s: i64::MIN }));
    let bad = [one[0], answer(&[0x30, 0], CertStatus::Revoked { at_s: 0, reason: Some(7) })];
    assert_eq!(template.prepare(&bad, NOW_S, None), Err(AnswerError::Reason { reason: 7 }));
}
