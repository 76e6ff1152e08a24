//! Signed messages: what holds, and each way in which none does.

use std::sync::Arc;

use aws_lc_rs::signature::{KeyPair as _, ML_DSA_65_SIGNING, PqdsaKeyPair};

use super::message::{Message, Signer, attribute, signing_certificate_v2};
use super::pki::{CrlDraft, Draft, Key, extension, general_names};
use crate::asn1::writer::{self, tlv};
use crate::verify::cms::{
    AttributeError, CmsError, CmsFinding, Content, EmbeddedKind, NotTaken, SignedData, SignerFault, UnsignedAttribute,
    normalise, oid,
};
use crate::verify::signature::{Digest, SignatureError};
use crate::verify::{Costs, Evidence, Origin, Resource, oid as extension_oid};

const CONTENT: &[u8] = b"what is signed";

fn signer() -> Signer {
    Signer::new("CA", &Key::new(), 7, Vec::new()).over(oid::DATA, CONTENT)
}

/// The first signer's fault and findings.
fn verify(der: &[u8], content: Content<'_>) -> (Option<SignerFault>, Vec<CmsFinding>) {
    let mut evidence = Evidence::new();
    let data = SignedData::from_der(der).unwrap();
    data.add_to(&mut evidence);
    let found = data.verify(content, &evidence, Costs::LIMITS).remove(0);
    (found.fault, found.findings)
}

fn attached(signer: &Signer) -> Vec<u8> {
    Message::new(oid::DATA, Some(CONTENT)).signed_by(signer, CONTENT).der()
}

fn detached(signer: &Signer) -> Vec<u8> {
    Message::new(oid::DATA, None).signed_by(signer, CONTENT).der()
}

const GOOD: (Option<SignerFault>, Vec<CmsFinding>) = (None, Vec::new());

#[test]
fn an_attached_content_is_what_is_signed() {
    let signer = signer();
    let der = attached(&signer);
    assert_eq!(verify(&der, Content::Attached), GOOD);
    assert_eq!(verify(&der, Content::Detached(CONTENT)), GOOD);
    assert_eq!(verify(&der, Content::Detached(b"other")).0, Some(SignerFault::ContentDiffers));
    let data = SignedData::from_der(&der).unwrap();
    let mut evidence = Evidence::new();
    data.add_to(&mut evidence);
    let found = data.verify(Content::Attached, &evidence, Costs::LIMITS).remove(0);
    assert_eq!(found.certificate, Some(Arc::clone(&signer.certificate)));
    assert_eq!(found.origin, Some(Origin::Embedded));

    let other = Message::new(oid::DATA, Some(b"what is not")).signed_by(&signer, CONTENT).der();
    assert_eq!(verify(&other, Content::Attached).0, Some(SignerFault::MessageDigestDiffers));
}

#[test]
fn a_detached_content_is_given_or_its_digest() {
    let der = detached(&signer());
    assert_eq!(verify(&der, Content::Detached(CONTENT)), GOOD);
    assert_eq!(verify(&der, Content::Attached).0, Some(SignerFault::NoContent));
    assert_eq!(verify(&der, Content::Detached(b"other")).0, Some(SignerFault::MessageDigestDiffers));
    let by = |digest: Digest, octets: &[u8]| {
        verify(&der, Content::DetachedDigest { digest, value: &digest.of(octets).unwrap() })
    };
    assert_eq!(by(Digest::Sha256, CONTENT), GOOD);
    assert_eq!(by(Digest::Sha256, b"other").0, Some(SignerFault::MessageDigestDiffers));
    assert_eq!(by(Digest::Sha512, CONTENT).0, Some(SignerFault::DigestNotGiven { digest: Digest::Sha256 }));
    let der = attached(&signer());
    let value = Digest::Sha512.of(CONTENT).unwrap();
    assert_eq!(verify(&der, Content::DetachedDigest { digest: Digest::Sha512, value: &value }), GOOD);
    let value = Digest::Sha512.of(b"other").unwrap();
    let given = Content::DetachedDigest { digest: Digest::Sha512, value: &value };
    assert_eq!(verify(&der, given).0, Some(SignerFault::ContentDiffers));
}

#[test]
fn without_signed_attributes_the_content_itself_is_signed() {
    let mut signer = signer();
    let attributes = std::mem::take(&mut signer.attributes);
    let der = attached(&signer);
    let plain = vec![CmsFinding::NoSigningCertificateAttribute];
    assert_eq!(verify(&der, Content::Attached), (None, plain));
    // By its digest too, but then nobody has looked at it.
    let by = |digest: Digest, octets: &[u8]| {
        verify(&detached(&signer), Content::DetachedDigest { digest, value: &digest.of(octets).unwrap() })
    };
    let told = vec![CmsFinding::NoSigningCertificateAttribute, CmsFinding::ContentByDigestAlone];
    assert_eq!(by(Digest::Sha256, CONTENT), (None, told));
    let fault = by(Digest::Sha256, b"other").0;
    assert!(matches!(fault, Some(SignerFault::Signature { error: SignatureError::Bad, .. })), "{fault:?}");
    assert_eq!(by(Digest::Sha512, CONTENT).0, Some(SignerFault::DigestNotGiven { digest: Digest::Sha256 }));
    assert_eq!(by(Digest::Sha3_256, CONTENT).0, Some(SignerFault::DigestNotGiven { digest: Digest::Sha256 }));
    let typed = Message::new(oid::TST_INFO, Some(CONTENT)).signed_by(&signer, CONTENT).der();
    assert_eq!(verify(&typed, Content::Attached).0, Some(SignerFault::NoSignedAttributes));

    // The signature over one message's attributes, shown as one over a message that consists of them.
    let as_content = writer::set_of(writer::SET, attributes);
    let der = Message::new(oid::DATA, Some(&as_content)).signed_by(&signer, &as_content).der();
    assert_eq!(verify(&der, Content::Attached).0, Some(SignerFault::ContentIsAttributes));
}

#[test]
fn a_signer_is_named_by_its_key_identifier() {
    let identifier = extension(extension_oid::SUBJECT_KEY_IDENTIFIER, false, &tlv(writer::OCTET_STRING, &[b"key"]));
    let mut signer = Signer::new("CA", &Key::new(), 7, vec![identifier]).over(oid::DATA, CONTENT);
    signer.by_key_identifier = true;
    let mut message = Message::new(oid::DATA, Some(CONTENT)).signed_by(&signer, CONTENT);
    message.version = 3;
    assert_eq!(verify(&message.der(), Content::Attached), GOOD);
    message.version = 1;
    let wrong = CmsFinding::SignedDataVersion { version: 1, expected: 3 };
    assert_eq!(verify(&message.der(), Content::Attached), (None, vec![wrong]));
    message.certificates.clear();
    assert_eq!(verify(&message.der(), Content::Attached).0, Some(SignerFault::NoSigningCertificate));
}

#[test]
fn attributes_that_are_not_sorted_are_verified_both_ways() {
    let mut signer = signer();
    signer.attributes.reverse();
    for signed_sorted in [true, false] {
        signer.signs_sorted = signed_sorted;
        let finding = CmsFinding::AttributesNotSorted { signed_sorted };
        assert_eq!(verify(&attached(&signer), Content::Attached), (None, vec![finding]));
    }
    signer.key = Key::new();
    let (fault, findings) = verify(&attached(&signer), Content::Attached);
    assert!(matches!(fault, Some(SignerFault::Signature { error: SignatureError::Bad, .. })), "{fault:?}");
    assert_eq!(findings, []);
}

#[test]
fn signed_attributes_are_of_this_content_and_complete() {
    let fault = |attributes: Vec<Vec<u8>>| {
        let mut signer = signer();
        signer.attributes = attributes;
        verify(&attached(&signer), Content::Attached).0
    };
    let good = signer().attributes;
    let missing = |name| Some(SignerFault::Attribute(AttributeError::Missing { name }));
    assert_eq!(fault(vec![good[1].clone(), good[2].clone()]), missing("content-type"));
    let other = attribute(oid::CONTENT_TYPE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::TST_INFO])]);
    let digest = attribute(oid::MESSAGE_DIGEST, &[&tlv(writer::OCTET_STRING, &[&Digest::Sha256.of(CONTENT).unwrap()])]);
    assert_eq!(fault(vec![other, digest.clone()]), Some(SignerFault::ContentTypeDiffers));
    let type_ = attribute(oid::CONTENT_TYPE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::DATA])]);
    assert_eq!(fault(vec![type_.clone()]), missing("message-digest"));
    let twice = Some(SignerFault::Attribute(AttributeError::NotSingle { name: "message-digest", values: 2 }));
    assert_eq!(fault(vec![type_, digest.clone(), digest]), twice);
}

#[test]
fn the_certificate_is_the_one_that_the_attributes_name() {
    let ca = Key::new();
    let mut signer = Signer::new("CA", &ca, 7, Vec::new()).over(oid::DATA, CONTENT);
    let other = Draft::new("CA", "Signer", &Key::new()).serial(&[7]).certificate(&ca);
    // A namesake, first and alone: the hash decides.
    let mut message = Message::new(oid::DATA, Some(CONTENT)).signed_by(&signer, CONTENT);
    message.certificates = [other.der(), signer.certificate.der()].concat();
    assert_eq!(verify(&message.der(), Content::Attached), GOOD);
    message.certificates = other.der().to_vec();
    assert_eq!(verify(&message.der(), Content::Attached).0, Some(SignerFault::SigningCertificateDiffers));

    // One key in two certificates: the signature would hold under either.
    let twin = Draft::new("CA", "Somebody else", &signer.key).serial(&[7]).certificate(&ca);
    message.certificates = twin.der().to_vec();
    assert_eq!(verify(&message.der(), Content::Attached).0, Some(SignerFault::SigningCertificateDiffers));

    // issuerSerial of another.
    let issuer_serial =
        |issuer: &[u8], serial: u8| tlv(writer::SEQUENCE, &[&general_names(&[(0xa4, issuer)]), &[2, 1, serial]]);
    let plain = signer.attributes.clone();
    let issuer = signer.certificate.issuer_der().to_vec();
    for (serial, expected) in [(7, Vec::new()), (8, vec![CmsFinding::IssuerSerialDiffers])] {
        let named = signing_certificate_v2(&signer.certificate, &issuer_serial(&issuer, serial));
        signer.attributes = vec![plain[0].clone(), plain[1].clone(), named];
        assert_eq!(verify(&attached(&signer), Content::Attached), (None, expected));
    }

    // v1 names it by SHA-1, and both must.
    let v1 = |octets: &[u8]| {
        let hash = Digest::Sha1.of(octets).unwrap();
        let id = tlv(writer::SEQUENCE, &[&tlv(writer::OCTET_STRING, &[&hash])]);
        attribute(oid::SIGNING_CERTIFICATE, &[&tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&id])])])
    };
    for (octets, fault) in [
        (signer.certificate.der().to_vec(), None),
        (other.der().to_vec(), Some(SignerFault::SigningCertificateDiffers)),
    ] {
        signer.attributes = [plain.clone(), vec![v1(&octets)]].concat();
        signer.attributes.sort();
        assert_eq!(verify(&attached(&signer), Content::Attached).0, fault);
    }
}

#[test]
fn each_of_several_signers_is_told_apart() {
    let ca = Key::new();
    let mut message = Message::new(oid::DATA, Some(CONTENT));
    let signers: Vec<Signer> =
        (1..=3).map(|serial| Signer::new("CA", &ca, serial, Vec::new()).over(oid::DATA, CONTENT)).collect();
    for signer in &signers {
        message = message.signed_by(signer, CONTENT);
    }
    let last = message.signers[1].len() - 1;
    message.signers[1][last] ^= 1;
    let der = message.der();
    let data = SignedData::from_der(&der).unwrap();
    let mut evidence = Evidence::new();
    data.add_to(&mut evidence);
    let found = data.verify(Content::Attached, &evidence, Costs::LIMITS);
    let holds: Vec<bool> = found.iter().map(|one| one.holds()).collect();
    assert_eq!(holds, [true, false, true]);
    let found = data.verify(Content::Attached, &evidence, Costs { signatures: 1, ..Costs::LIMITS });
    assert!(found[0].holds());
    let exhausted = found[2].fault.clone();
    assert!(matches!(exhausted, Some(SignerFault::Budget(one)) if one.resource == Resource::Signatures));
}

/// The message in BER as streaming writers have it: indefinite lengths, the content in segments.
fn streamed(der: &[u8]) -> Vec<u8> {
    fn write(value: &[u8], out: &mut Vec<u8>, depth: usize) {
        let mut reader = crate::asn1::Reader::new(value);
        while !reader.is_finished() {
            let one = reader.read().unwrap();
            if depth < 5 && one.tag & 0x20 != 0 && one.tag != 0x31 {
                out.extend_from_slice(&[one.tag, 0x80]);
                write(one.content, out, depth + 1);
                out.extend_from_slice(&[0, 0]);
            } else if depth == 5 && one.tag == writer::OCTET_STRING {
                out.extend_from_slice(&[0x24, 0x80]);
                for part in one.content.chunks(5) {
                    out.extend_from_slice(&tlv(writer::OCTET_STRING, &[part]));
                }
                out.extend_from_slice(&[0, 0]);
            } else {
                out.extend_from_slice(one.whole);
            }
        }
    }
    let mut out = Vec::new();
    write(der, &mut out, 0);
    out
}

#[test]
fn ber_is_read_as_what_it_means() {
    let der = attached(&signer());
    // ContentInfo, [0], SignedData, EncapsulatedContentInfo, [0]: the content is five deep.
    let mut ber = streamed(&der);
    assert_ne!(ber, der);
    assert_eq!(normalise(&ber).unwrap().as_ref(), der);
    let at = ber.windows(5).position(|part| part == b"what ").unwrap();
    ber[at] ^= 1;
    let altered = normalise(&ber).unwrap();
    assert_eq!(verify(&altered, Content::Attached).0, Some(SignerFault::MessageDigestDiffers));
}

#[test]
fn what_is_embedded_becomes_evidence_and_the_rest_is_left() {
    let ca = Key::new();
    let signer = Signer::new("CA", &ca, 7, Vec::new()).over(oid::DATA, CONTENT);
    let mut message = Message::new(oid::DATA, Some(CONTENT)).signed_by(&signer, CONTENT);
    message.version = 5;
    // A v1 attribute certificate, and a certificate that is none.
    message.certificates.extend_from_slice(&[0xa1, 2, 5, 0, 0x30, 2, 5, 0]);
    message.crls.extend_from_slice(&CrlDraft::new("CA", &ca).sign(&[], &ca));
    let format = tlv(writer::OBJECT_IDENTIFIER, &[oid::OCSP_RESPONSE]);
    message.crls.extend_from_slice(&tlv(writer::context(1), &[&format, &[0x30, 0]]));
    let der = message.der();
    let data = SignedData::from_der(&der).unwrap();
    assert_eq!((data.other_certificates.len(), data.other_revocations.len()), (1, 1));
    let mut evidence = Evidence::new();
    let not_taken = data.add_to(&mut evidence);
    let kinds: Vec<EmbeddedKind> = not_taken.iter().map(|NotTaken { kind, .. }| *kind).collect();
    assert_eq!(kinds, [EmbeddedKind::Certificate, EmbeddedKind::OcspResponse]);
    assert_eq!((evidence.certificates().len(), evidence.crls().len()), (1, 1));
    assert_eq!(verify(&der, Content::Attached), GOOD);
}

#[test]
fn unsigned_attributes_are_told_and_their_values_become_evidence() {
    let ca = Key::new();
    let mut signer = Signer::new("CA", &ca, 7, Vec::new()).over(oid::DATA, CONTENT);
    let list = |items: &[&[u8]]| tlv(writer::SEQUENCE, items);
    let held = Draft::new("Root", "CA", &ca).sign(&Key::new());
    let crl = CrlDraft::new("CA", &ca).sign(&[], &ca);
    let revocation = list(&[&tlv(writer::context(0), &[&list(&[&crl])]), &tlv(writer::context(1), &[&list(&[])])]);
    signer.unsigned = vec![
        attribute(oid::SIGNATURE_TIMESTAMP, &[&[0x30, 0], &[0x30, 1, 5]]),
        attribute(oid::COUNTER_SIGNATURE, &[&[0x30, 2, 5, 0]]),
        attribute(oid::ARCHIVE_TIMESTAMP_V3, &[&[0x30, 0]]),
        attribute(oid::CERTIFICATE_VALUES, &[&list(&[&held])]),
        attribute(oid::REVOCATION_VALUES, &[&revocation, &[5, 0]]),
        attribute(&[0x2a, 3], &[&[5, 0]]),
    ];
    let der = attached(&signer);
    let data = SignedData::from_der(&der).unwrap();
    let unsigned = data.signers[0].unsigned();
    assert_eq!(unsigned[0], UnsignedAttribute::SignatureTimestamp(&[0x30, 0]));
    assert_eq!(unsigned[1], UnsignedAttribute::SignatureTimestamp(&[0x30, 1, 5]));
    assert_eq!(unsigned[2], UnsignedAttribute::CounterSignature(&[0x30, 2, 5, 0]));
    assert_eq!(unsigned[3], UnsignedAttribute::ArchiveTimestampV3(&[0x30, 0]));
    assert_eq!(unsigned[7], UnsignedAttribute::Other { oid: &[0x2a, 3], value: &[5, 0] });
    let mut evidence = Evidence::new();
    let not_taken = data.add_to(&mut evidence);
    let kinds: Vec<EmbeddedKind> = not_taken.iter().map(|NotTaken { kind, .. }| *kind).collect();
    use EmbeddedKind::{CounterSignature, Timestamp, Values};
    assert_eq!(kinds, [Timestamp, Timestamp, CounterSignature, Timestamp, Values]);
    assert_eq!((evidence.certificates().len(), evidence.crls().len()), (2, 1));
}

#[test]
fn no_octet_of_a_message_can_be_changed() {
    let der = attached(&signer());
    let mut evidence = Evidence::new();
    SignedData::from_der(&der).unwrap().add_to(&mut evidence);
    let held = evidence;
    for at in 0..der.len() {
        for flip in [1, 2, 0x20, 0x80, 0xff] {
            let mut altered = der.clone();
            altered[at] ^= flip;
            let Ok(normal) = normalise(&altered) else { continue };
            let Ok(data) = SignedData::from_der(&normal) else { continue };
            // The certificate is held: that its own octets are what the CA signed is for the judgement of the chain.
            for found in data.verify(Content::Attached, &held, Costs::LIMITS) {
                let told = !found.findings.is_empty();
                let own = data.certificates != SignedData::from_der(&der).unwrap().certificates;
                assert!(!found.holds() || told || own, "octet {at}, {flip:#04x}");
            }
        }
    }
}

#[test]
fn another_structure_is_refused_by_name() {
    let der = attached(&signer());
    let enveloped = tlv(writer::SEQUENCE, &[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3], &[0xa0, 0]]);
    let error = SignedData::from_der(&enveloped).err();
    assert_eq!(error, Some(CmsError::NotSignedData { oid: "1.2.840.113549.1.7.3".to_owned() }));
    let mut message = Message::new(oid::DATA, Some(CONTENT)).signed_by(&signer(), CONTENT);
    message.signers = vec![message.signers.remove(0); 65];
    let error = SignedData::from_der(&message.der()).err();
    assert_eq!(error, Some(CmsError::TooMany { what: "signers", limit: 64 }));
    message.signers.clear();
    message.certificates = [0x30, 0].repeat(1025);
    let error = SignedData::from_der(&message.der()).err();
    assert_eq!(error, Some(CmsError::TooMany { what: "certificates", limit: 1024 }));
    let at = der.windows(CONTENT.len()).position(|part| part == CONTENT).unwrap() - 2;
    let mut other = der;
    other[at] = 0x0c;
    assert_eq!(SignedData::from_der(&other).err(), Some(CmsError::ContentNotOctetString { tag: 0x0c }));
    for (kind, tag) in [(&[0x2a, 3][..], 0x24), (oid::TST_INFO, 0x30)] {
        let mut message = Message::new(kind, Some(&[4, 1, 7]));
        message.content_tag = tag;
        let error = SignedData::from_der(&message.der()).err();
        assert_eq!(error, Some(CmsError::ContentNotOctetString { tag }));
    }
}

#[test]
fn a_content_of_another_type_is_signed_without_its_tag_and_length() {
    // spcIndirectData, a SEQUENCE, as Authenticode has it.
    let kind = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 1, 4];
    let signer = Signer::new("CA", &Key::new(), 7, Vec::new()).over(kind, CONTENT);
    let mut message = Message::new(kind, Some(CONTENT)).signed_by(&signer, CONTENT);
    message.content_tag = writer::SEQUENCE;
    let der = message.der();
    let finding = CmsFinding::ContentNotOctetString { tag: writer::SEQUENCE };
    assert_eq!(verify(&der, Content::Attached), (None, vec![finding]));
    assert_eq!(verify(&der, Content::Detached(CONTENT)), (None, vec![finding]));
    let data = SignedData::from_der(&der).unwrap();
    assert_eq!((data.content, data.content_tag), (Some(CONTENT), Some(writer::SEQUENCE)));
    let start = der.windows(CONTENT.len()).position(|part| part == CONTENT).unwrap();
    for at in start..start + CONTENT.len() {
        let mut altered = der.clone();
        altered[at] ^= 1;
        assert_eq!(verify(&altered, Content::Attached).0, Some(SignerFault::MessageDigestDiffers));
    }
    // Over the whole value: not what RFC 5652 §5.2.1 says.
    let whole = tlv(writer::SEQUENCE, &[CONTENT]);
    let signer = Signer::new("CA", &Key::new(), 7, Vec::new()).over(kind, &whole);
    let mut message = Message::new(kind, Some(CONTENT)).signed_by(&signer, &whole);
    message.content_tag = writer::SEQUENCE;
    assert_eq!(verify(&message.der(), Content::Attached).0, Some(SignerFault::MessageDigestDiffers));
}

#[test]
fn ml_dsa_signs_attributes_or_the_content_itself() {
    let key = PqdsaKeyPair::generate(&ML_DSA_65_SIGNING).unwrap();
    let sha512 = [0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
    let ml_dsa_65 = [0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18];
    let bits = tlv(writer::BIT_STRING, &[&[0], key.public_key().as_ref()]);
    let ca = Key::new();
    let mut draft = Draft::new("CA", "Signer", &ca).serial(&[7]);
    draft.spki = tlv(writer::SEQUENCE, &[&ml_dsa_65, &bits]);
    let certificate = draft.certificate(&ca);
    let type_ = attribute(oid::CONTENT_TYPE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::DATA])]);
    let digest = attribute(oid::MESSAGE_DIGEST, &[&tlv(writer::OCTET_STRING, &[&Digest::Sha512.of(CONTENT).unwrap()])]);
    let mut attributes = vec![type_, digest, signing_certificate_v2(&certificate, &[])];
    attributes.sort();
    let message = |attributes: Vec<Vec<u8>>| {
        let signed = if attributes.is_empty() { CONTENT.to_vec() } else { tlv(writer::SET, &[&attributes.concat()]) };
        let mut signature = vec![0; 3309];
        assert_eq!(key.sign(&signed, &mut signature).unwrap(), 3309);
        let serial = tlv(writer::INTEGER, &[certificate.serial()]);
        let identifier = tlv(writer::SEQUENCE, &[certificate.issuer_der(), &serial]);
        let signature = tlv(writer::OCTET_STRING, &[&signature]);
        let field = if attributes.is_empty() { Vec::new() } else { tlv(writer::context(0), &[&attributes.concat()]) };
        let info = tlv(writer::SEQUENCE, &[&[2, 1, 1], &identifier, &sha512, &field, &ml_dsa_65, &signature]);
        let mut message = Message::new(oid::DATA, None);
        message.digest_algorithms = sha512.to_vec();
        message.certificates = certificate.der().to_vec();
        message.signers = vec![info];
        message.der()
    };
    let der = message(attributes);
    assert_eq!(verify(&der, Content::Detached(CONTENT)), GOOD);
    assert_eq!(verify(&der, Content::Detached(b"other")).0, Some(SignerFault::MessageDigestDiffers));
    let data = SignedData::from_der(&der).unwrap();
    let at = der.len() - data.signers[0].signature.len();
    for at in (at..der.len()).step_by(331) {
        let mut altered = der.clone();
        altered[at] ^= 1;
        let fault = verify(&altered, Content::Detached(CONTENT)).0;
        assert!(matches!(fault, Some(SignerFault::Signature { error: SignatureError::Bad, .. })), "{fault:?}");
    }
    let der = message(Vec::new());
    let plain = vec![CmsFinding::NoSigningCertificateAttribute];
    assert_eq!(verify(&der, Content::Detached(CONTENT)), (None, plain));
    let value = Digest::Sha512.of(CONTENT).unwrap();
    let given = Content::DetachedDigest { digest: Digest::Sha512, value: &value };
    assert_eq!(verify(&der, given).0, Some(SignerFault::ContentNeeded));
}

#[test]
fn a_message_full_of_namesakes_is_soon_done_with() {
    let ca = Key::new();
    let mut signer = Signer::new("CA", &ca, 7, Vec::new()).over(oid::DATA, CONTENT);
    signer.attributes.retain(|one| one != &signing_certificate_v2(&signer.certificate, &[]));
    let mut message = Message::new(oid::DATA, Some(CONTENT));
    message.signers = vec![signer.info(CONTENT); 64];
    message.certificates =
        (0..200).flat_map(|_| Draft::new("CA", "Signer", &Key::new()).serial(&[7]).sign(&ca)).collect();
    let der = message.der();
    let data = SignedData::from_der(&der).unwrap();
    let mut evidence = Evidence::new();
    data.add_to(&mut evidence);
    let found = data.verify(Content::Attached, &evidence, Costs::LIMITS);
    assert!(found.iter().all(|one| !one.holds()));
    assert!(matches!(found[63].fault, Some(SignerFault::Budget(_))));
}

#[test]
fn large_namesakes_are_hashed_no_more_than_a_few_times() {
    let ca = Key::new();
    let mut signer = Signer::new("CA", &ca, 7, Vec::new()).over(oid::DATA, CONTENT);
    // By the slowest of the digests, and of no certificate.
    let sha3_512 = [0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 10];
    let id = tlv(writer::SEQUENCE, &[&sha3_512, &[4, 1, 0]]);
    let named = tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&id])]);
    signer.attributes.truncate(2);
    signer.attributes.push(attribute(oid::SIGNING_CERTIFICATE_V2, &[&named]));
    let padding = extension(&[0x2a, 3], false, &vec![0; 120_000]);
    let namesake = || Draft::new("CA", "Signer", &Key::new()).serial(&[7]).with([padding.clone()]).sign(&ca);
    let mut message = Message::new(oid::DATA, Some(CONTENT));
    message.signers = vec![signer.info(CONTENT); 64];
    message.certificates = (0..100).flat_map(|_| namesake()).collect();
    let der = message.der();
    let data = SignedData::from_der(&der).unwrap();
    let mut evidence = Evidence::new();
    assert_eq!(data.add_to(&mut evidence), []);
    let found = data.verify(Content::Attached, &evidence, Costs::LIMITS);
    assert!(found.iter().all(|one| one.fault == Some(SignerFault::SigningCertificateDiffers)));
}
