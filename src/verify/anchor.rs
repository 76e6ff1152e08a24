//! Trust anchors: a name and a key, and constraints that go with them (RFC 5280 §6.1.1 (d), RFC 5937).

use std::fmt;
use std::sync::Arc;

use super::certificate::{Certificate, CertificateError};
use super::name::CanonicalName;
use super::signature::{KeyError, VerificationKey};
use crate::asn1::{DerError, Oid};

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
        self
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
