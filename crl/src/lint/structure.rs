//! What the reader refuses, as a finding.

use super::{Finding, Severity};
use crate::CrlNumberError;
use crate::reader::{Field, ReadError};
use crate::scope::ScopeError;

pub(super) fn finding(error: &ReadError) -> Finding {
    let (rule, source) = match error {
        ReadError::AlgorithmsDiffer { .. } => ("algorithms-identical", "RFC 5280 §5.1.1.2"),
        ReadError::BadVersion { .. } | ReadError::ExtensionsInV1 { .. } => ("version", "RFC 5280 §5.1.2.1"),
        ReadError::EmptyRevokedCertificates { .. } => ("revoked-certificates-empty", "RFC 5280 §5.1.2.6"),
        ReadError::Time { .. } => ("time", "RFC 5280 §5.1.2.4"),
        ReadError::ExtensionRepeated { .. } => ("extension-repeated", "RFC 5280 §4.2"),
        ReadError::Number { error: CrlNumberError::TooLong { .. }, .. } => {
            ("crl-number-length", "RFC 5280 §5.2.3, TLS BR 7.2")
        }
        ReadError::Number { .. } => ("crl-number", "RFC 5280 §5.2.3"),
        ReadError::Scope { error: ScopeError::EmptyIssuingDistributionPoint, .. } => {
            ("issuing-distribution-point-empty", "RFC 5280 §5.2.5")
        }
        ReadError::Der { field: Field::UserCertificate, .. } => ("serial-number", "RFC 5280 §4.1.2.2"),
        _ => ("structure", "RFC 5280 §5.1"),
    };
    Finding { rule, severity: Severity::Error, text: error.to_string(), source }
}
