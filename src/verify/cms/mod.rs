//! Signed messages (CMS, RFC 5652): what they contain, and whether their signers' signatures hold.
//!
//! Owns BER as CMS is written in it, the structure, the signed attributes and their binding to the content and to the
//! signer's certificate, and finding that certificate. Does not own whether the certificate may be believed
//! ([`judge_certificate`](super::judge_certificate)), at which time, or whether an algorithm is still good: a
//! [`SignerVerification`] names algorithm, digest and key for a policy to judge. Timestamps in attributes are handed out as
//! octets; `timestamp` judges them.
//!
//! Enter at [`normalise`], then [`SignedData::from_der`], [`SignedData::add_to`] and [`SignedData::verify`]; what is not signed goes through
//! [`SignedData::counter_signatures`] and [`SignedData::archive_timestamp_v3`].

mod algorithm;
mod archive;
mod attribute;
mod ber;
mod counter_signature;
mod embedded;
mod fault;
pub mod oid;
mod signed_data;
mod signer_info;
mod signing_certificate;
mod verification;

pub use archive::{ArchiveFault, ArchiveImprint, Coverage};
pub use attribute::{Attribute, Attributes, SignedAttributes, UnsignedAttribute};
pub use ber::{BerError, MAX_CMS_OCTETS, normalise};
pub use counter_signature::CounterSignatureVerification;
pub use embedded::{EmbeddedKind, NotTaken};
pub use fault::{AttributeError, CmsError, CmsFinding, SignerFault};
pub use signed_data::{OtherRevocation, SignedData};
pub use signer_info::{SignerIdentifier, SignerInfo};
pub use signing_certificate::{Binding, SigningCertificate};
pub use verification::{Content, SignerVerification};
