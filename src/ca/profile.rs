//! The kinds of certificate, and what each must say.
//!
//! One list of demands serves both ends: what Noonmark issues is held against it before it is signed, and what an
//! operator imports is held against it before it serves.

use std::fmt;

use const_oid::ObjectIdentifier;

use super::certificate::Certificate;
use super::name;
use crate::crypto::KeyAlgorithm;

/// id-kp-timeStamping.
pub const ID_KP_TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// id-kp-OCSPSigning.
pub const ID_KP_OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");
/// id-pkix-ocsp-nocheck.
pub const ID_PKIX_OCSP_NOCHECK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.5");
const ID_CE_CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
const ID_CE_CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
const ID_PE_AUTHORITY_INFO_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateKind {
    /// A self-signed root.
    Root,
    /// A CA that issues end-entity certificates.
    IssuingCa,
    /// A time-stamping unit.
    Tsu,
    /// A delegated OCSP responder.
    OcspResponder,
}

impl CertificateKind {
    /// The kind's name in the store and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::IssuingCa => "issuing-ca",
            Self::Tsu => "tsu",
            Self::OcspResponder => "ocsp-responder",
        }
    }

    /// How long Noonmark issues it for, in days, unless the issuer ends before.
    ///
    /// A TSU's ten years stay below the 135 months of CSBR 6.3.2; a responder's certificate can't be revoked
    /// (it carries id-pkix-ocsp-nocheck), so it lives shortly (RFC 6960 §4.2.2.2.1).
    #[must_use]
    pub const fn validity_days(self) -> i64 {
        match self {
            Self::Root => 25 * 365,
            Self::IssuingCa => 15 * 365,
            Self::Tsu => 10 * 365,
            Self::OcspResponder => 90,
        }
    }
}

impl fmt::Display for CertificateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; serving goes on.
    Warning,
    /// The certificate may not be used for this.
    Error,
}

/// Something that a certificate should or must say, and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// What is wrong and what the standard demands.
    pub text: &'static str,
}

impl Finding {
    const fn error(text: &'static str) -> Self {
        Self { severity: Severity::Error, text }
    }

    const fn warning(text: &'static str) -> Self {
        Self { severity: Severity::Warning, text }
    }
}

/// Holds a certificate against its kind; errors first.
#[must_use]
pub fn findings(kind: CertificateKind, certificate: &Certificate) -> Vec<Finding> {
    let mut found = match kind {
        CertificateKind::Root | CertificateKind::IssuingCa => ca_findings(kind, certificate),
        CertificateKind::Tsu => tsu_findings(certificate),
        CertificateKind::OcspResponder => responder_findings(certificate),
    };
    if certificate.not_before_s >= certificate.not_after_s {
        found.push(Finding::error("notAfter does not follow notBefore"));
    }
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

/// The first error, if there is one.
#[must_use]
pub fn first_error(kind: CertificateKind, certificate: &Certificate) -> Option<Finding> {
    findings(kind, certificate).into_iter().find(|finding| finding.severity == Severity::Error)
}

fn ca_findings(kind: CertificateKind, certificate: &Certificate) -> Vec<Finding> {
    let mut found = Vec::new();
    if certificate.basic_constraints.is_none_or(|(ca, _)| !ca) {
        found.push(Finding::error("basicConstraints does not say cA (RFC 5280 §4.2.1.9)"));
    }
    if !certificate.key_usage.is_some_and(|(usage, _)| usage.key_cert_sign()) {
        found.push(Finding::error("keyUsage lacks keyCertSign (RFC 5280 §4.2.1.3)"));
    }
    if certificate.subject_key_identifier.is_none() {
        found.push(Finding::error("no subjectKeyIdentifier (RFC 5280 §4.2.1.2: MUST in a CA certificate)"));
    }
    if kind == CertificateKind::Root && !certificate.is_signed_by(certificate) {
        found.push(Finding::error("a root signs itself, this one does not"));
    }
    found
}

fn end_entity_findings(certificate: &Certificate, found: &mut Vec<Finding>) {
    if certificate.basic_constraints.is_some_and(|(ca, _)| ca) {
        found.push(Finding::error("basicConstraints says cA in an end-entity certificate"));
    }
    match certificate.key_usage {
        None => found.push(Finding::error("no keyUsage; it must be there with digitalSignature (CSBR 7.1.2.3)")),
        Some((usage, critical)) => {
            if !usage.digital_signature() {
                found.push(Finding::error("keyUsage lacks digitalSignature"));
            }
            if usage.key_cert_sign() || usage.crl_sign() {
                found.push(Finding::error("keyUsage has keyCertSign or cRLSign (CSBR 7.1.2.3: MUST NOT)"));
            }
            if !critical {
                found.push(Finding::warning("keyUsage is not critical (RFC 5280 §4.2.1.3: SHOULD)"));
            }
        }
    }
    if certificate.authority_key_identifier.is_none() {
        found.push(Finding::warning("no authorityKeyIdentifier (RFC 5280 §4.2.1.1: MUST)"));
    }
}

fn tsu_findings(certificate: &Certificate) -> Vec<Finding> {
    let mut found = Vec::new();
    match &certificate.extended_key_usage {
        Some((usages, critical)) => {
            if usages.as_slice() != [ID_KP_TIME_STAMPING] {
                found.push(Finding::error("extendedKeyUsage is not exactly id-kp-timeStamping (RFC 3161 §2.3: MUST)"));
            }
            if !critical {
                found.push(Finding::error("extendedKeyUsage is not critical (RFC 3161 §2.3: MUST)"));
            }
        }
        None => {
            found.push(Finding::error("no extendedKeyUsage; id-kp-timeStamping, critical, is a MUST (RFC 3161 §2.3)"))
        }
    }
    end_entity_findings(certificate, &mut found);
    if let KeyAlgorithm::Rsa { bits } = certificate.public_key.algorithm()
        && bits < 3072
    {
        found.push(Finding::warning("the RSA key has fewer than 3072 bits (CSBR 6.1.5.2)"));
    }
    if certificate.private_key_usage.is_none() {
        found.push(Finding::warning("no privateKeyUsagePeriod (EN 319 421 TIS-7.6.7: SHOULD)"));
    }
    if !name::has_attribute(&certificate.subject_der, 6) || !name::has_attribute(&certificate.subject_der, 10) {
        found.push(Finding::warning("the subject lacks countryName or organizationName (EN 319 422 §6.2)"));
    }
    let has = |wanted: ObjectIdentifier| certificate.extensions.iter().any(|(oid, _)| *oid == wanted);
    if !has(ID_CE_CRL_DISTRIBUTION_POINTS) {
        found.push(Finding::warning("no cRLDistributionPoints (CSBR 7.1.2.3)"));
    }
    if !has(ID_CE_CERTIFICATE_POLICIES) {
        found.push(Finding::warning("no certificatePolicies (CSBR 7.1.2.3)"));
    }
    if !has(ID_PE_AUTHORITY_INFO_ACCESS) {
        found.push(Finding::warning("no authorityInfoAccess (CSBR 7.1.2.3)"));
    }
    found
}

fn responder_findings(certificate: &Certificate) -> Vec<Finding> {
    let mut found = Vec::new();
    match &certificate.extended_key_usage {
        Some((usages, _)) if usages.as_slice() == [ID_KP_OCSP_SIGNING] => {}
        _ => found.push(Finding::error("extendedKeyUsage is not exactly id-kp-OCSPSigning (RFC 6960 §4.2.2.2: MUST)")),
    }
    end_entity_findings(certificate, &mut found);
    if !certificate.extensions.iter().any(|(oid, _)| *oid == ID_PKIX_OCSP_NOCHECK) {
        found.push(Finding::warning("no id-pkix-ocsp-nocheck: clients will ask for the responder's own status"));
    }
    found
}
