//! A certificate's facts, read from its original octets.

use const_oid::ObjectIdentifier;
use crl::scope::{DistributionPoint, DistributionPointName, ScopeError};
use der::Decode;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, PrivateKeyUsagePeriod};

use crate::asn1::{DerError, Reader, writer};
use crate::crypto::{PublicKey, PublicKeyError, SignatureAlgorithm, sha256};

/// Why octets are refused as a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not a Certificate in DER.
    #[error("not an X.509 certificate in DER: {0}")]
    Malformed(#[from] DerError),
    /// An extension that Noonmark reads is malformed.
    #[error("the certificate's {extension} extension is malformed")]
    Extension {
        /// The extension's name.
        extension: &'static str,
    },
    /// An extension stands twice (RFC 5280 §4.2: MUST NOT).
    #[error("the certificate has the extension {oid} twice")]
    DuplicateExtension {
        /// The extension's identifier.
        oid: ObjectIdentifier,
    },
    /// A date is malformed.
    #[error("the certificate's {field} is no date that RFC 5280 allows")]
    Date {
        /// notBefore or notAfter.
        field: &'static str,
    },
    /// The public key is not supported.
    #[error("the certificate's key: {0}")]
    Key(#[from] PublicKeyError),
    /// No PEM block with this label.
    #[error("no PEM block with the label {label:?}")]
    Pem {
        /// The label looked for.
        label: &'static str,
    },
}

/// The most octets a certificate may have; real ones are below 10 KiB.
const MAX_CERTIFICATE_OCTETS: usize = 64 * 1024;
/// The most extensions read; real certificates have below 20.
const MAX_EXTENSIONS: usize = 64;

/// A certificate with the facts that Noonmark decides by. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs_der: Vec<u8>,
    signature: Vec<u8>,
    /// The serial number's content octets.
    pub serial_number: Vec<u8>,
    /// The issuer's Name, whole.
    pub issuer_der: Vec<u8>,
    /// The subject's Name, whole.
    pub subject_der: Vec<u8>,
    /// notBefore.
    pub not_before_s: i64,
    /// notAfter.
    pub not_after_s: i64,
    /// The public key.
    pub public_key: PublicKey,
    /// The algorithm it was signed with, if Noonmark knows it.
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// basicConstraints: (cA, pathLenConstraint).
    pub basic_constraints: Option<(bool, Option<u8>)>,
    /// keyUsage, with its criticality.
    pub key_usage: Option<(KeyUsage, bool)>,
    /// extendedKeyUsage, with its criticality.
    pub extended_key_usage: Option<(Vec<ObjectIdentifier>, bool)>,
    /// privateKeyUsagePeriod: notBefore and notAfter.
    pub private_key_usage: Option<(Option<i64>, Option<i64>)>,
    /// subjectKeyIdentifier.
    pub subject_key_identifier: Option<Vec<u8>>,
    /// authorityKeyIdentifier's keyIdentifier.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// cRLDistributionPoints' extnValue, for those who hold a CRL against it.
    pub crl_distribution_points: Option<Vec<u8>>,
    /// The identifiers of all extensions, with criticality.
    pub extensions: Vec<(ObjectIdentifier, bool)>,
}

impl Certificate {
    /// Reads a certificate (RFC 5280 §4.1).
    ///
    /// # Errors
    /// Anything that is not one certificate in DER with a key that Noonmark supports.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_OCTETS {
            return Err(DerError::Value { what: "certificate size" }.into());
        }
        let mut outer = Reader::only(der, writer::SEQUENCE)?;
        let tbs = outer.expect(writer::SEQUENCE)?;
        let algorithm = outer.expect(writer::SEQUENCE)?.whole;
        let signature = match outer.expect(writer::BIT_STRING)?.content {
            [0, octets @ ..] => octets.to_vec(),
            _ => return Err(DerError::Value { what: "signatureValue" }.into()),
        };
        outer.finish()?;

        let mut fields = Reader::new(tbs.content);
        fields.optional(writer::context(0))?;
        let serial_number = fields.integer()?.to_vec();
        // RFC 5280 §4.1.1.2: signatureAlgorithm MUST be the same as in tbsCertificate.
        if fields.expect(writer::SEQUENCE)?.whole != algorithm {
            return Err(DerError::Value { what: "signature algorithm: the two identifiers differ" }.into());
        }
        let issuer_der = fields.expect(writer::SEQUENCE)?.whole.to_vec();
        let mut validity = fields.enter(writer::SEQUENCE)?;
        let not_before_s = date(validity.read()?.whole, "notBefore")?;
        let not_after_s = date(validity.read()?.whole, "notAfter")?;
        validity.finish()?;
        let subject_der = fields.expect(writer::SEQUENCE)?.whole.to_vec();
        let public_key = PublicKey::from_spki_der(fields.expect(writer::SEQUENCE)?.whole)?;
        fields.optional(0x81)?;
        fields.optional(0x82)?;

        let mut certificate = Self {
            der: der.to_vec(),
            tbs_der: tbs.whole.to_vec(),
            signature,
            serial_number,
            issuer_der,
            subject_der,
            not_before_s,
            not_after_s,
            public_key,
            signature_algorithm: SignatureAlgorithm::from_identifier_der(algorithm, None),
            basic_constraints: None,
            key_usage: None,
            extended_key_usage: None,
            private_key_usage: None,
            subject_key_identifier: None,
            authority_key_identifier: None,
            crl_distribution_points: None,
            extensions: Vec::new(),
        };
        if let Some(extensions) = fields.optional(writer::context(3))? {
            let mut list = Reader::only(extensions.content, writer::SEQUENCE)?;
            while !list.is_finished() {
                certificate.read_extension(list.enter(writer::SEQUENCE)?)?;
            }
        }
        fields.finish()?;
        Ok(certificate)
    }

    fn read_extension(&mut self, mut fields: Reader<'_>) -> Result<(), CertificateError> {
        let oid = ObjectIdentifier::from_bytes(fields.expect(writer::OBJECT_IDENTIFIER)?.content)
            .map_err(|_| DerError::Value { what: "extension identifier" })?;
        let critical = fields.optional(writer::BOOLEAN)?.is_some_and(|value| value.content == [0xff]);
        let value = fields.expect(writer::OCTET_STRING)?.content;
        fields.finish()?;
        if self.extensions.iter().any(|(known, _)| *known == oid) {
            return Err(CertificateError::DuplicateExtension { oid });
        }
        if self.extensions.len() == MAX_EXTENSIONS {
            return Err(DerError::Value { what: "number of extensions" }.into());
        }
        self.extensions.push((oid, critical));
        let malformed = |extension| move |_: der::Error| CertificateError::Extension { extension };
        match oid.to_string().as_str() {
            "2.5.29.19" => {
                let value = BasicConstraints::from_der(value).map_err(malformed("basicConstraints"))?;
                self.basic_constraints = Some((value.ca, value.path_len_constraint));
            }
            "2.5.29.15" => {
                self.key_usage = Some((KeyUsage::from_der(value).map_err(malformed("keyUsage"))?, critical));
            }
            "2.5.29.37" => {
                let value = ExtendedKeyUsage::from_der(value).map_err(malformed("extendedKeyUsage"))?;
                self.extended_key_usage = Some((value.0, critical));
            }
            "2.5.29.16" => {
                let value = PrivateKeyUsagePeriod::from_der(value).map_err(malformed("privateKeyUsagePeriod"))?;
                let seconds = |time: der::asn1::GeneralizedTime| seconds(time.to_unix_duration());
                self.private_key_usage = Some((value.not_before.map(seconds), value.not_after.map(seconds)));
            }
            "2.5.29.14" => {
                let value = Reader::new(value).expect(writer::OCTET_STRING)?;
                self.subject_key_identifier = Some(value.content.to_vec());
            }
            "2.5.29.35" => {
                let mut fields = Reader::only(value, writer::SEQUENCE)?;
                self.authority_key_identifier = fields.optional(0x80)?.map(|key| key.content.to_vec());
            }
            "2.5.29.31" => self.crl_distribution_points = Some(value.to_vec()),
            _ => {}
        }
        Ok(())
    }

    /// The original octets.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The SHA-256 of the original octets: the certificate's name in the store and in records.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// The URIs at which its CRL is, as cRLDistributionPoints' full names say; none without the extension.
    ///
    /// # Errors
    /// An extension that does not read.
    pub fn crl_uris(&self) -> Result<Vec<String>, ScopeError> {
        let Some(octets) = &self.crl_distribution_points else { return Ok(Vec::new()) };
        let names = DistributionPoint::read_all(octets)?.into_iter().filter_map(|point| match point.name {
            Some(DistributionPointName::FullName(names)) => Some(names),
            _ => None,
        });
        Ok(names.flatten().filter_map(|name| name.uri().map(str::to_owned)).collect())
    }

    /// Whether subject and issuer are the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer_der == self.subject_der
    }

    /// Whether `issuer`'s key signed this certificate and the names meet.
    #[must_use]
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        self.issuer_der == issuer.subject_der
            && self
                .signature_algorithm
                .is_some_and(|algorithm| issuer.public_key.verify(algorithm, &self.tbs_der, &self.signature).is_ok())
    }

    /// The subject as RFC 4514 writes it, for people.
    #[must_use]
    pub fn subject(&self) -> String {
        super::name::display(&self.subject_der)
    }

    /// The issuer as RFC 4514 writes it, for people.
    #[must_use]
    pub fn issuer(&self) -> String {
        super::name::display(&self.issuer_der)
    }

    /// The serial number in hexadecimal.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        hex::encode(&self.serial_number)
    }

    /// The last second at which the key may sign: the private-key usage's end or the certificate's, whichever is first.
    #[must_use]
    pub fn usable_until_s(&self) -> i64 {
        let usage_end = self.private_key_usage.and_then(|(_, end)| end);
        usage_end.map_or(self.not_after_s, |end| end.min(self.not_after_s))
    }

    /// The first second at which the key may sign.
    #[must_use]
    pub fn usable_from_s(&self) -> i64 {
        let usage_start = self.private_key_usage.and_then(|(start, _)| start);
        usage_start.map_or(self.not_before_s, |start| start.max(self.not_before_s))
    }
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn date(whole: &[u8], field: &'static str) -> Result<i64, CertificateError> {
    let time = x509_cert::time::Time::from_der(whole).map_err(|_| CertificateError::Date { field })?;
    Ok(seconds(time.to_unix_duration()))
}

/// A PEM block (RFC 7468).
#[must_use]
pub fn pem_encode(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// The contents of every PEM block with this label, in order.
///
/// # Errors
/// No such block, or one whose base64 is broken.
pub fn pem_decode(label: &'static str, text: &str) -> Result<Vec<Vec<u8>>, CertificateError> {
    use base64::Engine as _;
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let (body, after) = after.split_once(&end).ok_or(CertificateError::Pem { label })?;
        let body: String = body.split_whitespace().collect();
        let block = base64::engine::general_purpose::STANDARD.decode(body);
        blocks.push(block.map_err(|_| CertificateError::Pem { label })?);
        rest = after;
    }
    if blocks.is_empty() { Err(CertificateError::Pem { label }) } else { Ok(blocks) }
}
