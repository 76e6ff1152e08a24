//! Certificates: what they say, what each kind must say, making them, and how their status may change.
//!
//! Owns: reading a certificate's facts from its original octets ([`Certificate`]), the kinds and what each demands
//! ([`CertificateKind`], [`profile`]), building and assembling in two phases ([`builder`]), signing requests made
//! ([`csr`]) and received ([`SigningRequest`]), operators' profiles and issuing by them ([`IssuingProfile`]), the rules
//! that to-be-signed octets are held against ([`mod@lint`]), orders that wait for the agent ([`order`]), files of certificates and statuses from elsewhere ([`import`]), ordering a chain ([`chain`]), how a status may change
//! ([`status`]), where a status may come from beside the registry ([`StatusSource`]), and the issuers with their certificates' status, each change with its record ([`registry`]).
//! Does not own: keys (a signature comes from `keys` through the caller), path validation for strangers' documents.
//! Enter by [`Certificate::from_der`], [`builder::Draft`] and [`IssuingProfile::parse`].

mod alternative_name;
pub mod builder;
mod certificate;
pub mod chain;
mod crl_settings;
pub mod csr;
mod extension;
mod external_crl;
pub mod import;
mod issue;
mod issuer;
mod issuing_profile;
mod issuing_profiles;
pub mod lint;
mod name;
pub mod order;
pub mod profile;
mod profile_file;
mod reason;
pub mod registry;
mod signing_request;
pub mod status;
mod status_source;
mod subject;
#[cfg(test)]
mod test_key;

pub use alternative_name::{AlternativeName, AlternativeNameError, AlternativeNameKind, MAX_ALTERNATIVE_NAMES};
pub use certificate::{Certificate, CertificateError, pem_decode, pem_encode};
pub use crl_settings::{CrlSettings, CrlSettingsChange, CrlSettingsError};
pub use external_crl::{
    AnswersFrom, ExternalCrlError, ExternalCrlSettings, MAX_CRL_INTERVAL_S, MAX_CRL_URL_OCTETS, MAX_CRL_URLS,
    MIN_CRL_INTERVAL_S,
};
pub use issue::{IssueError, IssueRequest, fresh_serial};
pub use issuer::{IssuerSettings, IssuerSettingsError, MAX_VALIDITY_S, MIN_VALIDITY_S, NotIssuedAnswer};
pub use issuing_profile::{IssuingProfile, ProfileError, shipped};
pub use issuing_profiles::{IssuingProfiles, ProfilesError};
pub use lint::lint;
pub use name::{SubjectName, SubjectNameError, display as display_name};
pub use profile::{CertificateKind, Finding, Severity};
pub use reason::{reason_from_name, reason_name};
pub use signing_request::{SigningRequest, SigningRequestError};
pub use status_source::{Judgement, StatusQuestion, StatusSource, Unsure};
pub use subject::{AttributeType, Subject, SubjectError};
