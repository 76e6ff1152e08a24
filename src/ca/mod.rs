//! Certificates: what they say, what each kind must say, making them.
//!
//! Owns: reading a certificate's facts from its original octets ([`Certificate`]), the kinds and what each demands
//! ([`CertificateKind`], [`profile`]), building and assembling in two phases ([`builder`]), certificate signing
//! requests ([`csr`]), and ordering a chain ([`chain`]).
//! Does not own: keys (a signature comes from `keys` through the caller), path validation for strangers' documents.
//! Enter by [`Certificate::from_der`] and [`builder::Draft`].

pub mod builder;
mod certificate;
pub mod chain;
pub mod csr;
mod name;
pub mod profile;

pub use certificate::{Certificate, CertificateError, pem_decode, pem_encode};
pub use name::{SubjectName, SubjectNameError};
pub use profile::{CertificateKind, Finding, Severity};
