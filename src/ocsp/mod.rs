//! Certificates' status: OCSP (RFC 6960, RFC 9654, RFC 9919).
//!
//! Owns: the octets of an answer ([`SingleAnswer`], [`ResponderTemplate`]) and of a refusal ([`ErrorResponse`]), how an
//! issuer is named in a request ([`IssuerHashes`]), and what a GET's path asks ([`decode_get_path`]); answering from memory,
//! from the store or by a signature ([`Responder`]), signing ahead ([`Ahead`]), hearing of changes ([`Follower`]).
//! Does not own: the request's structure (see `asn1`), HTTP, keys, who may change a status (see `ca`).
//! Enter by [`Responder::begin`]; the octets by [`ResponderTemplate::prepare`].

mod ahead;
mod cache;
mod currency;
mod error_response;
mod follow;
mod get_path;
mod issuer;
mod issuer_hashes;
mod keeper;
mod memory;
mod responder;
mod single;
mod sourced;
mod template;

pub use ahead::Ahead;
pub use cache::{AnswerCache, AnswerKey, HttpTexts, SignedAnswer};
pub use error_response::ErrorResponse;
pub use follow::Follower;
pub use get_path::{MAX_GET_PATH_OCTETS, decode_get_path};
pub use issuer::{ResponderParts, ServedIssuer, ServedResponder};
pub use issuer_hashes::IssuerHashes;
pub use responder::{Answer, Deps, Outcome, Pending, Respond, Responder};
pub use single::{AnswerError, CertStatus, SingleAnswer};
pub use template::{FORM, Prepared, ResponderTemplate, ResponderTemplateError};
