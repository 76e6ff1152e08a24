//! Counter-signatures: over a signer's signature and over each other, and never over anything else.

use super::message::{Message, Signer, attribute, signing_certificate_v2};
use super::pki::Key;
use crate::asn1::writer::{self, tlv};
use crate::asn1::{DerError, Reader};
use crate::verify::cms::{
    AttributeError, CmsError, CmsFinding, Content, CounterSignatureVerification, SignedData, SignerFault, SignerInfo,
    oid,
};
use crate::verify::signature::{Digest, SignatureError};
use crate::verify::{Costs, Evidence, Origin, Resource};

const CONTENT: &[u8] = b"what is signed";

/// A SignerInfo's signature octets.
fn signature(info: &[u8]) -> Vec<u8> {
    SignerInfo::from_der(info).unwrap().signature.to_vec()
}

/// The SignerInfo with counter-signatures.
fn countersigned(info: &[u8], counters: &[Vec<u8>]) -> Vec<u8> {
    let mut reader = Reader::new(info);
    let fields = reader.expect(writer::SEQUENCE).unwrap().content;
    let attributes: Vec<u8> =
        counters.iter().flat_map(|counter| attribute(oid::COUNTER_SIGNATURE, &[counter])).collect();
    tlv(writer::SEQUENCE, &[fields, &tlv(writer::context(1), &[&attributes])])
}

/// The attributes that RFC 5652 §11.4 asks for, and CAdES.
fn attributes(signer: &Signer, over: &[u8]) -> Vec<Vec<u8>> {
    let digest = tlv(writer::OCTET_STRING, &[&Digest::Sha256.of(over).unwrap()]);
    let mut attributes =
        vec![attribute(oid::MESSAGE_DIGEST, &[&digest]), signing_certificate_v2(&signer.certificate, &[])];
    attributes.sort();
    attributes
}

struct Case {
    ca: Key,
    certificates: Vec<u8>,
    info: Vec<u8>,
}

impl Case {
    fn new() -> Self {
        let ca = Key::new();
        let signer = Signer::new("CA", &ca, 1, Vec::new()).over(oid::DATA, CONTENT);
        let (certificates, info) = (signer.certificate.der().to_vec(), signer.info(CONTENT));
        Self { ca, certificates, info }
    }

    /// A counter-signer, its certificate in the message.
    fn counter_signer(&mut self, serial: u8) -> Signer {
        let signer = Signer::new("CA", &self.ca, serial, Vec::new());
        self.certificates.extend_from_slice(signer.certificate.der());
        signer
    }

    /// A counter-signature of the usual form.
    fn counter(&mut self, serial: u8, over: &[u8]) -> Vec<u8> {
        let mut signer = self.counter_signer(serial);
        signer.attributes = attributes(&signer, over);
        signer.info(over)
    }

    fn message(&self, info: Vec<u8>) -> Vec<u8> {
        let mut message = Message::new(oid::DATA, Some(CONTENT));
        message.certificates = self.certificates.clone();
        message.signers = vec![info];
        message.der()
    }

    /// The message with these counter-signatures over the signer's signature.
    fn with(&self, counters: &[Vec<u8>]) -> Vec<u8> {
        self.message(countersigned(&self.info, counters))
    }
}

/// Each counter-signature's place, depth and fault, after the signer itself was found to hold.
fn verify(der: &[u8]) -> Vec<CounterSignatureVerification<'_>> {
    let data = SignedData::from_der(der).unwrap();
    let mut evidence = Evidence::new();
    data.add_to(&mut evidence);
    assert!(data.verify(Content::Attached, &evidence, Costs::LIMITS).iter().all(|found| found.holds()));
    data.counter_signatures(&data.signers[0], &evidence, Costs::LIMITS)
}

fn single(der: &[u8]) -> (Option<SignerFault>, Vec<CmsFinding>) {
    let found = verify(der).remove(0).verification.unwrap();
    (found.fault, found.findings)
}

#[test]
fn a_counter_signature_is_over_the_signature() {
    let mut case = Case::new();
    let over = signature(&case.info);
    let counter = case.counter(2, &over);
    let der = case.with(&[counter]);
    let found = verify(&der);
    assert!(found.len() == 1 && found[0].holds(), "{found:?}");
    assert_eq!((found[0].over, found[0].depth), (None, 1));
    let verification = found[0].verification.as_ref().unwrap();
    assert_eq!(verification.certificate.as_ref().unwrap().serial(), [2]);
    assert_eq!((verification.origin, verification.findings.len()), (Some(Origin::Embedded), 0));
    assert_eq!(verification.attributes.as_ref().unwrap().content_type, None);

    // Over the content, over the signature's OCTET STRING, over another's signature.
    for other in [CONTENT.to_vec(), tlv(writer::OCTET_STRING, &[&over]), signature(&Case::new().info)] {
        let counter = case.counter(3, &other);
        assert_eq!(single(&case.with(&[counter])).0, Some(SignerFault::MessageDigestDiffers));
    }
}

#[test]
fn the_attributes_are_those_of_a_counter_signature() {
    let mut case = Case::new();
    let over = signature(&case.info);
    let mut signer = case.counter_signer(2);
    signer.attributes = attributes(&signer, &over);
    // PKCS #7's, which RFC 5652 forbids.
    signer.attributes.insert(0, attribute(oid::CONTENT_TYPE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::DATA])]));
    signer.attributes.sort();
    let told = vec![CmsFinding::CounterSignatureContentType];
    assert_eq!(single(&case.with(&[signer.info(&over)])), (None, told));
    // RFC 5652 §11.4: message-digest MUST be there if any other is.
    signer.attributes = vec![signing_certificate_v2(&signer.certificate, &[])];
    let missing = SignerFault::Attribute(AttributeError::Missing { name: "message-digest" });
    assert_eq!(single(&case.with(&[signer.info(&over)])).0, Some(missing));
    // Without attributes the signature is over the other itself.
    signer.attributes = Vec::new();
    let told = vec![CmsFinding::NoSigningCertificateAttribute];
    assert_eq!(single(&case.with(&[signer.info(&over)])), (None, told));
    let fault = single(&case.with(&[signer.info(CONTENT)])).0;
    assert!(matches!(fault, Some(SignerFault::Signature { error: SignatureError::Bad, .. })), "{fault:?}");
}

#[test]
fn no_octet_of_a_counter_signature_or_of_what_it_is_over_can_be_changed() {
    let mut case = Case::new();
    let over = signature(&case.info);
    let counter = case.counter(2, &over);
    let der = case.with(std::slice::from_ref(&counter));
    let mut evidence = Evidence::new();
    SignedData::from_der(&der).unwrap().add_to(&mut evidence);
    let mut tried = 0;
    for part in [&counter, &over] {
        let start = der.windows(part.len()).position(|window| window == part).unwrap();
        for at in start..start + part.len() {
            for flip in [1, 2, 0x20, 0x80, 0xff] {
                let mut altered = der.clone();
                altered[at] ^= flip;
                let Ok(data) = SignedData::from_der(&altered) else { continue };
                for found in data.counter_signatures(&data.signers[0], &evidence, Costs::LIMITS) {
                    // The version and the signer's identifier are not signed: what is wrong there is told.
                    let told = found.verification.as_ref().is_ok_and(|found| !found.findings.is_empty());
                    assert!(!found.holds() || told, "octet {at}, {flip:#04x}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn counter_signatures_are_told_down_to_a_depth_and_a_number() {
    let mut case = Case::new();
    let over = signature(&case.info);
    // Two over the signer's signature, and a chain over the first: five deep.
    let mut chain = vec![case.counter(10, &over)];
    for serial in 11..15 {
        let over = signature(chain.last().unwrap());
        chain.push(case.counter(serial, &over));
    }
    let nested = chain.into_iter().rev().reduce(|inner, outer| countersigned(&outer, &[inner])).unwrap();
    let second = case.counter(20, &over);
    let der = case.with(&[nested, second]);
    let found = verify(&der);
    let places: Vec<_> = found.iter().map(|one| (one.over, one.depth, one.holds())).collect();
    let deep = (Some(3), 5, false);
    let expected = [(None, 1, true), (Some(0), 2, true), (Some(1), 3, true), (Some(2), 4, true), deep, (None, 1, true)];
    assert_eq!(places, expected);
    let limit = CmsError::TooMany { what: "counter-signatures over each other", limit: 4 };
    assert_eq!(found[4].verification.as_ref().err(), Some(&limit));

    let counter = case.counter(30, &over);
    let der = case.with(&vec![counter; 66]);
    let found = verify(&der);
    assert_eq!(found.len(), 65);
    assert!(found[..64].iter().all(CounterSignatureVerification::holds));
    let limit = CmsError::TooMany { what: "counter-signatures", limit: 64 };
    assert_eq!(found[64].verification.as_ref().err(), Some(&limit));

    let data = SignedData::from_der(&der).unwrap();
    let mut evidence = Evidence::new();
    data.add_to(&mut evidence);
    let found = data.counter_signatures(&data.signers[0], &evidence, Costs { signatures: 2, ..Costs::LIMITS });
    assert_eq!(found.iter().filter(|one| one.holds()).count(), 2);
    let fault = found[2].verification.as_ref().unwrap().fault.clone();
    assert!(matches!(fault, Some(SignerFault::Budget(one)) if one.resource == Resource::Signatures), "{fault:?}");

    let der = case.with(&[vec![0x30, 0]]);
    let unread = verify(&der).remove(0).verification.err();
    assert_eq!(unread, Some(CmsError::Malformed(DerError::Truncated { at: 0 })));
    let der = case.message(case.info.clone());
    assert!(verify(&der).is_empty());
}
