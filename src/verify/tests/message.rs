//! Signed messages for tests, written octet by octet.

use std::sync::Arc;

use super::pki::{Draft, Key};
use crate::asn1::writer::{self, tlv};
use crate::verify::Certificate;
use crate::verify::cms::oid;
use crate::verify::signature::Digest;

/// SHA-256 and ecdsa-with-SHA256.
pub(super) const SHA256: &[u8] = &[0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
pub(super) const ECDSA_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

pub(super) fn attribute(oid: &[u8], values: &[&[u8]]) -> Vec<u8> {
    tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid]), &tlv(writer::SET, values)])
}

/// signing-certificate-v2 by SHA-256, with these octets after the hash.
pub(super) fn signing_certificate_v2(certificate: &Certificate, issuer_serial: &[u8]) -> Vec<u8> {
    let id = tlv(writer::SEQUENCE, &[&tlv(writer::OCTET_STRING, &[certificate.sha256()]), issuer_serial]);
    attribute(oid::SIGNING_CERTIFICATE_V2, &[&tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&id])])])
}

/// A signer to be.
pub(super) struct Signer {
    pub(super) key: Key,
    pub(super) certificate: Arc<Certificate>,
    pub(super) attributes: Vec<Vec<u8>>,
    /// The attributes are written in the order given, and signed sorted or as they are written.
    pub(super) signs_sorted: bool,
    pub(super) by_key_identifier: bool,
    pub(super) unsigned: Vec<Vec<u8>>,
}

impl Signer {
    /// With a certificate by `issuer`.
    pub(super) fn new(issuer: &str, issuer_key: &Key, serial: u8, extensions: Vec<Vec<u8>>) -> Self {
        let key = Key::new();
        let draft = Draft::new(issuer, "Signer", &key).serial(&[serial]).with(extensions);
        let certificate = draft.certificate(issuer_key);
        Self {
            key,
            certificate,
            attributes: Vec::new(),
            signs_sorted: true,
            by_key_identifier: false,
            unsigned: Vec::new(),
        }
    }

    /// The signed attributes that CAdES asks for, over this content.
    pub(super) fn over(mut self, content_type: &[u8], content: &[u8]) -> Self {
        let digest = Digest::Sha256.of(content).unwrap();
        self.attributes = vec![
            attribute(oid::CONTENT_TYPE, &[&tlv(writer::OBJECT_IDENTIFIER, &[content_type])]),
            attribute(oid::MESSAGE_DIGEST, &[&tlv(writer::OCTET_STRING, &[&digest])]),
            signing_certificate_v2(&self.certificate, &[]),
        ];
        self.attributes.sort();
        self
    }

    /// The SignerInfo; without attributes, over the content itself.
    pub(super) fn info(&self, content: &[u8]) -> Vec<u8> {
        let (version, identifier) = if self.by_key_identifier {
            (3, tlv(0x80, &[self.certificate.subject_key_identifier().unwrap().unwrap()]))
        } else {
            let serial = tlv(writer::INTEGER, &[self.certificate.serial()]);
            (1, tlv(writer::SEQUENCE, &[self.certificate.issuer_der(), &serial]))
        };
        let written = self.attributes.concat();
        let signature = if written.is_empty() {
            self.key.sign(content)
        } else if self.signs_sorted {
            self.key.sign(&writer::set_of(writer::SET, self.attributes.clone()))
        } else {
            self.key.sign(&tlv(writer::SET, &[&written]))
        };
        let field = |number: u8, content: &[u8]| match content {
            [] => Vec::new(),
            content => tlv(writer::context(number), &[content]),
        };
        tlv(
            writer::SEQUENCE,
            &[
                &[2, 1, version],
                &identifier,
                SHA256,
                &field(0, &written),
                ECDSA_SHA256,
                &tlv(writer::OCTET_STRING, &[&signature]),
                &field(1, &self.unsigned.concat()),
            ],
        )
    }
}

/// A message to be: its certificates and CRLs are SETs' content.
pub(super) struct Message<'m> {
    pub(super) version: u8,
    pub(super) content_type: &'m [u8],
    pub(super) content: Option<&'m [u8]>,
    /// A SET's content: SHA-256 unless it is told otherwise.
    pub(super) digest_algorithms: Vec<u8>,
    /// OCTET STRING, or what PKCS #7 has.
    pub(super) content_tag: u8,
    pub(super) certificates: Vec<u8>,
    pub(super) crls: Vec<u8>,
    pub(super) signers: Vec<Vec<u8>>,
}

impl<'m> Message<'m> {
    pub(super) fn new(content_type: &'m [u8], content: Option<&'m [u8]>) -> Self {
        let version = if content_type == oid::DATA { 1 } else { 3 };
        Self {
            version,
            content_type,
            content,
            digest_algorithms: SHA256.to_vec(),
            content_tag: writer::OCTET_STRING,
            certificates: Vec::new(),
            crls: Vec::new(),
            signers: Vec::new(),
        }
    }

    /// Adds a signer and its certificate.
    pub(super) fn signed_by(mut self, signer: &Signer, content: &[u8]) -> Self {
        self.certificates.extend_from_slice(signer.certificate.der());
        self.signers.push(signer.info(content));
        self
    }

    pub(super) fn der(&self) -> Vec<u8> {
        let content = self.content.map(|content| tlv(writer::context(0), &[&tlv(self.content_tag, &[content])]));
        let content_type = tlv(writer::OBJECT_IDENTIFIER, &[self.content_type]);
        let info = tlv(writer::SEQUENCE, &[&content_type, content.as_deref().unwrap_or_default()]);
        let field = |number: u8, content: &[u8]| match content {
            [] => Vec::new(),
            content => tlv(writer::context(number), &[content]),
        };
        let data = tlv(
            writer::SEQUENCE,
            &[
                &[2, 1, self.version],
                &tlv(writer::SET, &[&self.digest_algorithms]),
                &info,
                &field(0, &self.certificates),
                &field(1, &self.crls),
                &tlv(writer::SET, &[&self.signers.concat()]),
            ],
        );
        let signed_data = tlv(writer::OBJECT_IDENTIFIER, &[oid::SIGNED_DATA]);
        tlv(writer::SEQUENCE, &[&signed_data, &tlv(writer::context(0), &[&data])])
    }
}
