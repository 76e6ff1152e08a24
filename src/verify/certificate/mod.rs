//! A certificate as a verifier sees it: anybody's, its octets kept, read no further than it is asked.
//!
//! Owns the structure (RFC 5280 §4.1), the values of the extensions that a path is judged by, and what a certificate does
//! against §4 ([`Certificate::findings`]). Does not own whether it may be believed. `ca::Certificate` is another thing: one of
//! our own, of which more is demanded. Enter at [`Certificate::from_der`].

mod extension;
mod findings;

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use super::name::CanonicalName;
use super::signature::{AlgorithmError, KeyError, SignatureAlgorithm, VerificationKey, VerifiedUnder};
use crate::asn1::{DerError, Oid, Reader, writer};
use crate::crypto::sha256;

pub use extension::{
    AccessDescription, AuthorityKeyIdentifier, BasicConstraints, ExtensionRef, GeneralSubtree, KeyUsage,
    NameConstraints, PolicyConstraints, PolicyInformation, PolicyMapping, oid,
};
pub use findings::Finding;

/// Octets of a certificate that are read: real ones take up to 10 KiB, those with thousands of names up to 100.
pub const MAX_CERTIFICATE_OCTETS: usize = 128 * 1024;
/// Extensions that are read: real certificates have up to twenty.
const MAX_EXTENSIONS: usize = 64;

/// Why octets are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not a Certificate in DER.
    #[error("not an X.509 certificate in DER: {0}")]
    Malformed(#[from] DerError),
    /// More octets than are read.
    #[error("a certificate of {octets} octets, more than {MAX_CERTIFICATE_OCTETS}")]
    TooLarge {
        /// Octets.
        octets: usize,
    },
    /// A version that X.509 has not, or extensions in one before v3 (RFC 5280 §4.1.2.1).
    #[error("the certificate's version (v{version}) does not exist, or has no extensions")]
    Version {
        /// As people count: 3 for v3.
        version: u8,
    },
    /// RFC 5280 §4.1.1.2: signatureAlgorithm MUST be the same as tbsCertificate's signature.
    #[error("the certificate's two signature algorithm identifiers differ (RFC 5280 §4.1.1.2)")]
    AlgorithmsDiffer,
    /// notBefore or notAfter is no time of RFC 5280 §4.1.2.5.
    #[error("the certificate's {field} {error}")]
    Time {
        /// Which.
        field: &'static str,
        /// What is wrong.
        error: crl::TimeError,
    },
    /// RFC 5280 §4.2: MUST NOT include more than one instance of an extension.
    #[error("the certificate has the extension {oid} twice (RFC 5280 §4.2)")]
    DuplicateExtension {
        /// Dotted.
        oid: String,
    },
}

/// Where an extension stands in the certificate's octets.
struct ExtensionSpan {
    oid: Range<usize>,
    critical: bool,
    value: Range<usize>,
}

/// A certificate. Times are seconds since 1970.
pub struct Certificate {
    der: Box<[u8]>,
    tbs: Range<usize>,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
    serial: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    extensions: Vec<ExtensionSpan>,
    issuer_name: CanonicalName,
    subject_name: CanonicalName,
    version: u8,
    not_before_s: i64,
    not_after_s: i64,
    sha256: [u8; 32],
    key: OnceLock<Result<VerificationKey, KeyError>>,
    verified_under: VerifiedUnder,
    findings: OnceLock<Vec<Finding>>,
    malformed: OnceLock<Option<(&'static str, DerError)>>,
    /// Subject and issuer for people, as [`wording`](super::wording) writes them.
    pub(super) subject_text: OnceLock<String>,
    pub(super) issuer_text: OnceLock<String>,
}

impl Certificate {
    /// Reads a certificate. Extensions' values and the key are read when they are asked for.
    ///
    /// # Errors
    /// Anything that is not one certificate in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        Self::from_hashed_der(der, sha256(der))
    }

    /// As [`Self::from_der`], where the octets' SHA-256 is known already.
    pub(super) fn from_hashed_der(der: &[u8], sha256: [u8; 32]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_OCTETS {
            return Err(CertificateError::TooLarge { octets: der.len() });
        }
        let span = |part: &[u8]| {
            let start = part.as_ptr().addr() - der.as_ptr().addr();
            start..start + part.len()
        };
        let mut outer = Reader::only(der, writer::SEQUENCE)?;
        let tbs = outer.expect(writer::SEQUENCE)?;
        let signature_algorithm = outer.expect(writer::SEQUENCE)?.whole;
        let signature = match outer.expect(writer::BIT_STRING)?.content {
            [0, signature @ ..] => signature,
            // Not of whole octets: a signature that verifies under no key, in a certificate that can be read.
            [1..=7, rest @ ..] => &rest[rest.len()..],
            _ => return Err(DerError::Value { what: "signatureValue" }.into()),
        };
        outer.finish()?;

        let mut fields = Reader::new(tbs.content);
        let version = match fields.optional(writer::context(0))? {
            None => 1,
            Some(explicit) => match Reader::new(explicit.content).integer()? {
                [number @ 0..=2] => number + 1,
                other => {
                    return Err(CertificateError::Version { version: other.last().map_or(0, |n| n.wrapping_add(1)) });
                }
            },
        };
        // Not more than an INTEGER: negative, zero and long numbers are in use.
        let serial = fields.expect(writer::INTEGER)?.content;
        if serial.is_empty() {
            return Err(DerError::Value { what: "serialNumber" }.into());
        }
        if fields.expect(writer::SEQUENCE)?.whole != signature_algorithm {
            return Err(CertificateError::AlgorithmsDiffer);
        }
        let issuer = fields.expect(writer::SEQUENCE)?.whole;
        let mut validity = fields.enter(writer::SEQUENCE)?;
        let not_before_s = time(&mut validity, "notBefore")?;
        let not_after_s = time(&mut validity, "notAfter")?;
        validity.finish()?;
        let subject = fields.expect(writer::SEQUENCE)?.whole;
        let spki = fields.expect(writer::SEQUENCE)?.whole;
        // issuerUniqueID and subjectUniqueID: of no meaning (RFC 5280 §4.1.2.8).
        fields.optional(0x81)?;
        fields.optional(0x82)?;
        let extensions = match fields.optional(writer::context(3))? {
            None => Vec::new(),
            Some(_) if version != 3 => return Err(CertificateError::Version { version }),
            Some(explicit) => read_extensions(explicit.content, span)?,
        };
        fields.finish()?;
        Ok(Self {
            tbs: span(tbs.whole),
            signature_algorithm: span(signature_algorithm),
            signature: span(signature),
            serial: span(serial),
            issuer: span(issuer),
            subject: span(subject),
            spki: span(spki),
            extensions,
            issuer_name: CanonicalName::from_der(issuer)?,
            subject_name: CanonicalName::from_der(subject)?,
            version,
            not_before_s,
            not_after_s,
            sha256,
            key: OnceLock::new(),
            verified_under: VerifiedUnder::default(),
            findings: OnceLock::new(),
            malformed: OnceLock::new(),
            subject_text: OnceLock::new(),
            issuer_text: OnceLock::new(),
            der: der.into(),
        })
    }

    fn part(&self, span: &Range<usize>) -> &[u8] {
        // Unwrap safety: every span is of a part of these octets, which never change.
        self.der.get(span.clone()).unwrap()
    }

    /// The original octets.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The octets that are signed.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        self.part(&self.tbs)
    }

    /// The signature's octets; none where it is not of whole octets.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.part(&self.signature)
    }

    /// The algorithm that it is signed by.
    ///
    /// # Errors
    /// One that is not known here.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, AlgorithmError> {
        SignatureAlgorithm::from_identifier_der(self.part(&self.signature_algorithm))
    }

    /// The serial number's content octets.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        self.part(&self.serial)
    }

    /// The issuer's Name as it is written.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        self.part(&self.issuer)
    }

    /// The subject's Name as it is written.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        self.part(&self.subject)
    }

    /// The issuer's Name for comparing.
    #[must_use]
    pub fn issuer_name(&self) -> &CanonicalName {
        &self.issuer_name
    }

    /// The subject's Name for comparing.
    #[must_use]
    pub fn subject_name(&self) -> &CanonicalName {
        &self.subject_name
    }

    /// The SubjectPublicKeyInfo as it is written.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.part(&self.spki)
    }

    /// The public key, parsed once.
    ///
    /// # Errors
    /// A key that can't be used here.
    pub fn key(&self) -> Result<&VerificationKey, KeyError> {
        self.key.get_or_init(|| VerificationKey::from_spki_der(self.spki_der())).as_ref().map_err(Clone::clone)
    }

    /// The SHA-256 of the original octets.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// What is known of its signature.
    pub(super) fn verified_under(&self) -> &VerifiedUnder {
        &self.verified_under
    }

    /// 1, 2 or 3.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// notBefore.
    #[must_use]
    pub fn not_before_s(&self) -> i64 {
        self.not_before_s
    }

    /// notAfter, a second of the validity itself.
    #[must_use]
    pub fn not_after_s(&self) -> i64 {
        self.not_after_s
    }

    /// Whether subject and issuer are the same name (RFC 5280 §6.1: self-issued).
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject_name == self.issuer_name
    }

    /// The extensions as they are written.
    pub fn extensions(&self) -> impl Iterator<Item = ExtensionRef<'_>> {
        self.extensions.iter().map(|extension| ExtensionRef {
            oid: self.part(&extension.oid),
            critical: extension.critical,
            value: self.part(&extension.value),
        })
    }

    /// The first extension of those that every path depends on which can't be read, with why.
    #[must_use]
    pub fn malformed_extension(&self) -> Option<(&'static str, DerError)> {
        *self.malformed.get_or_init(|| {
            let checks: [(&'static str, Result<(), DerError>); 9] = [
                ("basicConstraints", self.basic_constraints().map(|_| ())),
                ("keyUsage", self.key_usage().map(|_| ())),
                ("extKeyUsage", self.extended_key_usage().map(|_| ())),
                ("subjectAltName", self.subject_alt_names().map(|_| ())),
                ("nameConstraints", self.name_constraints().map(|_| ())),
                ("certificatePolicies", self.certificate_policies().map(|_| ())),
                ("policyMappings", self.policy_mappings().map(|_| ())),
                ("policyConstraints", self.policy_constraints().map(|_| ())),
                ("inhibitAnyPolicy", self.inhibit_any_policy().map(|_| ())),
            ];
            checks.into_iter().find_map(|(name, read)| read.err().map(|error| (name, error)))
        })
    }

    /// The extension with this identifier's content octets.
    #[must_use]
    pub fn extension(&self, oid: &[u8]) -> Option<ExtensionRef<'_>> {
        self.extensions().find(|extension| extension.oid == oid)
    }
}

fn time(validity: &mut Reader<'_>, field: &'static str) -> Result<i64, CertificateError> {
    let value = validity.read()?;
    let time = crl::Time::read(value.tag, value.content).map_err(|error| CertificateError::Time { field, error })?;
    Ok(time.seconds)
}

fn read_extensions(
    explicit: &[u8],
    span: impl Fn(&[u8]) -> Range<usize>,
) -> Result<Vec<ExtensionSpan>, CertificateError> {
    let mut list = Reader::only(explicit, writer::SEQUENCE)?;
    let mut extensions = Vec::new();
    let mut seen: Vec<&[u8]> = Vec::new();
    while !list.is_finished() {
        let mut fields = list.enter(writer::SEQUENCE)?;
        let oid = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
        // Anything but FALSE is taken for TRUE: BER's reading, and the safe one.
        let critical = fields.optional(writer::BOOLEAN)?.is_some_and(|value| value.content != [0]);
        let value = fields.expect(writer::OCTET_STRING)?.content;
        fields.finish()?;
        if seen.contains(&oid) {
            let oid = Oid::from_octets(oid).map_or_else(|_| hex::encode(oid), |oid| oid.to_string());
            return Err(CertificateError::DuplicateExtension { oid });
        }
        if seen.len() == MAX_EXTENSIONS {
            return Err(DerError::Value { what: "number of extensions" }.into());
        }
        seen.push(oid);
        extensions.push(ExtensionSpan { oid: span(oid), critical, value: span(value) });
    }
    Ok(extensions)
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("sha256", &hex::encode(self.sha256)).finish_non_exhaustive()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for Certificate {}
