//! A TBSCertificate's parts as they stand, not judged.

use const_oid::ObjectIdentifier;
use der::Decode;

use crate::asn1::{DerError, Reader, Tlv, writer};
use crate::ca::certificate::CertificateError;
use crate::ca::extension::{
    ID_CE_BASIC_CONSTRAINTS, ID_CE_EXTENDED_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME,
};
use crate::crypto::PublicKey;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

/// More than any certificate has; bounds the work of rules that compare extensions.
const MAX_EXTENSIONS: usize = 64;

/// UTCTime's tag.
pub(super) const UTC_TIME: u8 = 0x17;

/// The parts.
pub(super) struct Tbs<'a> {
    /// The version's number, 0 where it is left out.
    pub(super) version: u8,
    /// The serial number's content octets, padded or not.
    pub(super) serial: &'a [u8],
    /// The signature's AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    /// The issuer's Name.
    pub(super) issuer: &'a [u8],
    /// notBefore.
    pub(super) not_before: Tlv<'a>,
    /// notAfter.
    pub(super) not_after: Tlv<'a>,
    /// The subject's Name.
    pub(super) subject: &'a [u8],
    /// The SubjectPublicKeyInfo.
    pub(super) key: PublicKey,
    /// Whether there is an issuerUniqueID or subjectUniqueID.
    pub(super) has_unique_identifiers: bool,
    /// The extensions in their order.
    pub(super) extensions: Vec<ExtensionParts<'a>>,
}

/// An Extension's parts.
pub(super) struct ExtensionParts<'a> {
    /// extnID's content octets.
    pub(super) oid: &'a [u8],
    /// The BOOLEAN's content octet, if it is written.
    pub(super) critical: Option<u8>,
    /// extnValue's content.
    pub(super) value: &'a [u8],
}

impl ExtensionParts<'_> {
    pub(super) fn is_critical(&self) -> bool {
        self.critical.is_some_and(|octet| octet != 0)
    }
}

impl<'a> Tbs<'a> {
    pub(super) fn from_der(der: &'a [u8]) -> Result<Self, CertificateError> {
        let mut fields = Reader::only(der, writer::SEQUENCE)?;
        let version = match fields.optional(writer::context(0))? {
            None => 0,
            Some(explicit) => match Reader::only(explicit.content, writer::INTEGER).map(|_| explicit.content)? {
                [_, _, version] => *version,
                _ => return Err(DerError::Value { what: "version" }.into()),
            },
        };
        let serial = fields.expect(writer::INTEGER)?.content;
        let algorithm = fields.expect(writer::SEQUENCE)?.whole;
        let issuer = fields.expect(writer::SEQUENCE)?.whole;
        let mut validity = fields.enter(writer::SEQUENCE)?;
        let (not_before, not_after) = (validity.read()?, validity.read()?);
        validity.finish()?;
        let subject = fields.expect(writer::SEQUENCE)?.whole;
        let key = PublicKey::from_spki_der(fields.expect(writer::SEQUENCE)?.whole)?;
        let unique_identifiers = [fields.optional(0x81)?, fields.optional(0x82)?];
        let mut extensions = Vec::new();
        if let Some(explicit) = fields.optional(writer::context(3))? {
            let mut list = Reader::only(explicit.content, writer::SEQUENCE)?;
            while !list.is_finished() {
                if extensions.len() == MAX_EXTENSIONS {
                    return Err(DerError::Value { what: "number of extensions" }.into());
                }
                let mut extension = list.enter(writer::SEQUENCE)?;
                let oid = extension.expect(writer::OBJECT_IDENTIFIER)?.content;
                let critical = extension.optional(writer::BOOLEAN)?;
                let critical = critical.map(|flag| flag.content.first().copied().unwrap_or_default());
                let value = extension.expect(writer::OCTET_STRING)?.content;
                extension.finish()?;
                extensions.push(ExtensionParts { oid, critical, value });
            }
        }
        fields.finish()?;
        Ok(Self {
            version,
            serial,
            algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            key,
            has_unique_identifiers: unique_identifiers.iter().any(Option::is_some),
            extensions,
        })
    }

    /// The first extension with this identifier.
    pub(super) fn extension(&self, oid: ObjectIdentifier) -> Option<&ExtensionParts<'a>> {
        self.extensions.iter().find(|extension| extension.oid == oid.as_bytes())
    }

    /// Whether the subject is an empty sequence.
    pub(super) fn subject_is_empty(&self) -> bool {
        self.subject == [writer::SEQUENCE, 0]
    }

    /// keyUsage, if it is there and reads.
    pub(super) fn key_usage(&self) -> Option<KeyUsage> {
        KeyUsage::from_der(self.extension(ID_CE_KEY_USAGE)?.value).ok()
    }

    /// basicConstraints, if it is there and reads.
    pub(super) fn basic_constraints(&self) -> Option<BasicConstraints> {
        BasicConstraints::from_der(self.extension(ID_CE_BASIC_CONSTRAINTS)?.value).ok()
    }

    /// Whether basicConstraints says cA.
    pub(super) fn is_ca(&self) -> bool {
        self.basic_constraints().is_some_and(|constraints| constraints.ca)
    }

    /// extKeyUsage's identifiers; none if it is not there or does not read.
    pub(super) fn extended_key_usage(&self) -> Vec<ObjectIdentifier> {
        let usage = self.extension(ID_CE_EXTENDED_KEY_USAGE);
        usage.and_then(|usage| ExtendedKeyUsage::from_der(usage.value).ok()).map_or_else(Vec::new, |usage| usage.0)
    }

    /// subjectAltName's names: tag and content. None if it is not there or is no sequence.
    pub(super) fn alternative_names(&self) -> Option<Vec<Tlv<'a>>> {
        let value = self.extension(ID_CE_SUBJECT_ALT_NAME)?.value;
        elements(value).ok()
    }

    /// notBefore and notAfter in seconds since 1970, if they read.
    pub(super) fn validity_s(&self) -> Option<(i64, i64)> {
        let seconds = |time: &Tlv<'_>| {
            let time = x509_cert::time::Time::from_der(time.whole).ok()?;
            i64::try_from(time.to_unix_duration().as_secs()).ok()
        };
        Some((seconds(&self.not_before)?, seconds(&self.not_after)?))
    }
}

/// A sequence's elements; at most as many as a certificate may have names, and some.
pub(super) fn elements(sequence: &[u8]) -> Result<Vec<Tlv<'_>>, DerError> {
    const MAX_ELEMENTS: usize = 512;
    let mut list = Reader::only(sequence, writer::SEQUENCE)?;
    let mut found = Vec::new();
    while !list.is_finished() {
        if found.len() == MAX_ELEMENTS {
            return Err(DerError::Value { what: "number of elements" });
        }
        found.push(list.read()?);
    }
    Ok(found)
}
