//! SignerInfo (RFC 5652 §5.3): who signed, what beside the content, and the signature.

use super::super::certificate::Certificate;
use super::super::name::CanonicalName;
use super::attribute::{Attributes, UnsignedAttribute};
use super::fault::CmsError;
use crate::asn1::{DerError, Reader, Tlv, writer};

/// SignerIdentifier: which certificate is the signer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerIdentifier<'a> {
    /// issuerAndSerialNumber.
    IssuerAndSerialNumber {
        /// The issuer's Name, whole.
        issuer: &'a [u8],
        /// The serial number's content octets.
        serial: &'a [u8],
    },
    /// subjectKeyIdentifier: the extension's value.
    SubjectKeyIdentifier(&'a [u8]),
}

impl SignerIdentifier<'_> {
    /// Whether the issuer's name is not written as the certificate has it.
    pub(super) fn is_written_differently(&self, certificate: &Certificate) -> bool {
        matches!(self, Self::IssuerAndSerialNumber { issuer, .. } if *issuer != certificate.issuer_der())
    }

    /// Whether this names a certificate: a test to be asked of many.
    pub(super) fn matcher(&self) -> impl Fn(&Certificate) -> bool {
        let issuer = match self {
            Self::IssuerAndSerialNumber { issuer, .. } => CanonicalName::from_der(issuer).ok(),
            Self::SubjectKeyIdentifier(_) => None,
        };
        move |certificate| match self {
            Self::IssuerAndSerialNumber { serial, .. } => {
                *serial == certificate.serial() && issuer.as_ref() == Some(certificate.issuer_name())
            }
            Self::SubjectKeyIdentifier(identifier) => certificate.subject_key_identifier() == Ok(Some(*identifier)),
        }
    }
}

/// One signer's part of a message; slices are the message's octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerInfo<'a> {
    /// As written.
    pub version: u8,
    /// Who signed.
    pub identifier: SignerIdentifier<'a>,
    /// digestAlgorithm, whole.
    pub digest_algorithm: &'a [u8],
    /// signedAttrs.
    pub signed_attributes: Option<Attributes<'a>>,
    /// signatureAlgorithm, whole.
    pub signature_algorithm: &'a [u8],
    /// The signature: what a signature timestamp is over.
    pub signature: &'a [u8],
    /// unsignedAttrs; none where absent.
    pub unsigned_attributes: Attributes<'a>,
    /// The whole of it.
    pub whole: &'a [u8],
}

impl<'a> SignerInfo<'a> {
    /// Reads a SignerInfo and nothing else, as a counter-signature's value is.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_der(der: &'a [u8]) -> Result<Self, CmsError> {
        let mut reader = Reader::new(der);
        let signer = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(signer)
    }

    /// Reads the next value as a SignerInfo.
    ///
    /// # Errors
    /// Not one, or more attributes than are read.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, CmsError> {
        let whole = reader.expect(writer::SEQUENCE)?;
        let mut fields = Reader::new(whole.content);
        let version = small_version(&mut fields)?;
        let identifier = match fields.optional(0x80)? {
            Some(identifier) => SignerIdentifier::SubjectKeyIdentifier(identifier.content),
            None => {
                let mut pair = fields.enter(writer::SEQUENCE)?;
                let issuer = pair.expect(writer::SEQUENCE)?.whole;
                // As in a certificate: negative and padded numbers are in use.
                let serial = pair.expect(writer::INTEGER)?.content;
                pair.finish()?;
                SignerIdentifier::IssuerAndSerialNumber { issuer, serial }
            }
        };
        let digest_algorithm = fields.expect(writer::SEQUENCE)?.whole;
        let attributes = |field: Option<Tlv<'a>>| field.map(|field| Attributes::read(field.content));
        let signed_attributes = attributes(fields.optional(writer::context(0))?).transpose()?;
        let signature_algorithm = fields.expect(writer::SEQUENCE)?.whole;
        let signature = fields.expect(writer::OCTET_STRING)?.content;
        let unsigned_attributes = attributes(fields.optional(writer::context(1))?).transpose()?.unwrap_or_default();
        fields.finish()?;
        Ok(Self {
            version,
            identifier,
            digest_algorithm,
            signed_attributes,
            signature_algorithm,
            signature,
            unsigned_attributes,
            whole: whole.whole,
        })
    }

    /// Timestamps, counter-signatures and whatever else is not signed.
    #[must_use]
    pub fn unsigned(&self) -> Vec<UnsignedAttribute<'a>> {
        UnsignedAttribute::of(&self.unsigned_attributes)
    }

    /// The version that goes with the identifier (RFC 5652 §5.3).
    pub(super) fn expected_version(&self) -> u8 {
        match self.identifier {
            SignerIdentifier::IssuerAndSerialNumber { .. } => 1,
            SignerIdentifier::SubjectKeyIdentifier(_) => 3,
        }
    }
}

/// CMSVersion: 0 to 5.
pub(super) fn small_version(fields: &mut Reader<'_>) -> Result<u8, DerError> {
    match fields.integer()? {
        [version @ 0..=5] => Ok(*version),
        _ => Err(DerError::Value { what: "CMSVersion" }),
    }
}
