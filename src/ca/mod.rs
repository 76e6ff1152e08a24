//! Certificates: what they say, what each kind must say, making them.
//!
//! Owns: reading a certificate's facts from its original octets ([`Certificate`]), the kinds and what each demands
//! ([`CertificateKind`], [`profile`]), building and assembling in two phases ([`builder`]), certificate signing
//! requests ([`csr`]), ordering a chain ([`chain`]), how a status may change ([`status`]), and the issuers with their
//! certificates' status, each change with its record ([`registry`]).
//! Does not own: keys (a signature comes from `keys` through the caller), path validation for strangers' documents.
//! Enter by [`Certificate::from_der`] and [`builder::Draft`].

mod alternative_name;
pub mod builder;
mod certificate;
pub mod chain;
pub mod csr;
mod extension;
mod issuer;
mod name;
pub mod profile;
mod reason;
pub mod registry;
pub mod status;
mod subject;

pub use alternative_name::{AlternativeName, AlternativeNameError, AlternativeNameKind, MAX_ALTERNATIVE_NAMES};
pub use certificate::{Certificate, CertificateError, pem_decode, pem_encode};
pub use issuer::{AheadHash, IssuerSettings, IssuerSettingsError, MAX_VALIDITY_S, MIN_VALIDITY_S, NotIssuedAnswer};
pub use name::{SubjectName, SubjectNameError};
pub use profile::{CertificateKind, Finding, Severity};
pub use reason::{reason_from_name, reason_name};
pub use subject::{AttributeType, Subject, SubjectError};
