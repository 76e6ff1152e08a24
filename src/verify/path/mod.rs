//! Certification paths: built from what is held, validated by RFC 5280 §6.1.
//!
//! Owns the search for a path, the validation of one, and what comes of both. Does not own revocation (see `revocation`),
//! which the search asks about every path that holds otherwise.

mod fault;
mod name_constraints;
mod policy_graph;
mod search;
mod signatures;
mod validation;

pub use fault::Fault;
pub use name_constraints::NameViolation;
pub use policy_graph::PolicyOutcome;
pub(crate) use search::{Judge, PathCertificate, Request, is_acceptable};
pub(crate) use signatures::{SignatureMemory, Signed};
pub(crate) use validation::{Inputs, Place, ValidPath, WorkingKey, validate};
