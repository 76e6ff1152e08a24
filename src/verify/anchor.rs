//! Trust anchors: a name and a key, and constraints that go with them (RFC 5280 §6.1.1 (d), RFC 5937).

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::certificate::{Certificate, CertificateError};
use super::name::CanonicalName;
use super::signature::{KeyError, VerificationKey};
use crate::asn1::{DerError, Oid};
use crate::crypto::sha256;

/// How much of a certificate that an anchor is given as counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorRule {
    /// Its name and key: all that RFC 5280 §6.1.1 (d) takes.
    NameAndKey,
    /// Also its validity, constraints and key usage, as if it were the path's first certificate (RFC 5937 §4).
    WholeCertificate,
}

/// Why there is no anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// The name is none.
    #[error("the trust anchor's name is malformed: {0}")]
    Name(#[from] DerError),
    /// The key can't be used.
    #[error("the trust anchor's key: {0}")]
    Key(#[from] KeyError),
    /// The certificate can't be read.
    #[error("the trust anchor's certificate: {0}")]
    Certificate(#[from] CertificateError),
}

/// What an operator adds to an anchor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorConstraints {
    /// The first second for which it is trusted.
    pub from_s: Option<i64>,
    /// The last second for which it is trusted.
    pub until_s: Option<i64>,
    /// How many certificates that are not self-issued may stand below it before the target.
    pub max_path_length: Option<u32>,
    /// A NameConstraints' DER (RFC 5280 §4.2.1.10) that holds for all below it.
    pub name_constraints: Option<Vec<u8>>,
    /// The policies that it stands for; `None` for all.
    pub policies: Option<Vec<Oid>>,
}

/// A trust anchor.
pub struct TrustAnchor {
    pub(super) name: CanonicalName,
    key: Option<VerificationKey>,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) rule: AnchorRule,
    pub(super) constraints: AnchorConstraints,
    fingerprint: OnceLock<[u8; 32]>,
}

impl TrustAnchor {
    /// A name and a key.
    ///
    /// # Errors
    /// A name or key that is none.
    pub fn from_name_and_key(name_der: &[u8], spki_der: &[u8]) -> Result<Self, AnchorError> {
        Ok(Self {
            name: CanonicalName::from_der(name_der)?,
            key: Some(VerificationKey::from_spki_der(spki_der)?),
            certificate: None,
            rule: AnchorRule::NameAndKey,
            constraints: AnchorConstraints::default(),
            fingerprint: OnceLock::new(),
        })
    }

    /// A certificate; that it signed itself is not asked.
    ///
    /// # Errors
    /// A key that can't be used.
    pub fn from_certificate(certificate: Arc<Certificate>, rule: AnchorRule) -> Result<Self, AnchorError> {
        certificate.key()?;
        Ok(Self {
            name: certificate.subject_name().clone(),
            key: None,
            certificate: Some(certificate),
            rule,
            constraints: AnchorConstraints::default(),
            fingerprint: OnceLock::new(),
        })
    }

    /// A certificate's DER.
    ///
    /// # Errors
    /// Not a certificate, or a key that can't be used.
    pub fn from_certificate_der(der: &[u8], rule: AnchorRule) -> Result<Self, AnchorError> {
        Self::from_certificate(Arc::new(Certificate::from_der(der)?), rule)
    }

    /// The anchor with an operator's constraints, beside those of its certificate.
    #[must_use]
    pub fn with_constraints(mut self, constraints: AnchorConstraints) -> Self {
        self.constraints = constraints;
        self.fingerprint = OnceLock::new();
        self
    }

    /// How much of the certificate counts.
    #[must_use]
    pub fn rule(&self) -> AnchorRule {
        self.rule
    }

    /// What the operator added.
    #[must_use]
    pub fn constraints(&self) -> &AnchorConstraints {
        &self.constraints
    }

    /// A digest of all that a judgement depends on: name, key, certificate, rule and constraints.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        self.fingerprint.get_or_init(|| {
            let key = self.key().map(VerificationKey::spki_der).unwrap_or_default();
            let certificate = self.certificate.as_deref().map(Certificate::der).unwrap_or_default();
            let words = format!("{:?} {:?}", self.rule, self.constraints);
            let mut octets = Vec::new();
            for part in [&self.name.to_der()[..], key, certificate, words.as_bytes()] {
                octets.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                octets.extend_from_slice(part);
            }
            sha256(&octets)
        })
    }

    /// The last second for which it is trusted, where there is one (EN 319 102-1 §5.2.6: the sunset date).
    #[must_use]
    pub fn trusted_until_s(&self) -> Option<i64> {
        let of_certificate = self.whole_certificate().map(Certificate::not_after_s);
        [self.constraints.until_s, of_certificate].into_iter().flatten().min()
    }

    /// The name for comparing.
    #[must_use]
    pub fn name(&self) -> &CanonicalName {
        &self.name
    }

    /// The certificate that it was given as.
    #[must_use]
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> Option<&VerificationKey> {
        match (&self.key, &self.certificate) {
            (Some(key), _) => Some(key),
            (None, Some(certificate)) => certificate.key().ok(),
            (None, None) => None,
        }
    }

    /// The certificate where all of it counts.
    pub(super) fn whole_certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref().filter(|_| self.rule == AnchorRule::WholeCertificate)
    }
}

impl fmt::Debug for TrustAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustAnchor").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
