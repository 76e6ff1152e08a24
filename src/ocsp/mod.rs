//! Certificates' status: OCSP (RFC 6960, RFC 9654, RFC 9919).
//!
//! Owns: the octets of an answer ([`SingleAnswer`], [`ResponderTemplate`]) and of a refusal ([`ErrorResponse`]), how an
//! issuer is named in a request ([`IssuerHashes`]), and what a GET's path asks ([`decode_get_path`]).
//! Does not own: the request's structure (see `asn1`), HTTP, keys, what is known of a certificate (see `store`).
//! Enter by [`ResponderTemplate::prepare`].

mod error_response;
mod get_path;
mod issuer_hashes;
mod single;
mod template;

pub use error_response::ErrorResponse;
pub use get_path::{MAX_GET_PATH_OCTETS, decode_get_path};
pub use issuer_hashes::IssuerHashes;
pub use single::{AnswerError, CertStatus, SingleAnswer};
pub use template::{FORM, Prepared, ResponderTemplate, ResponderTemplateError};
