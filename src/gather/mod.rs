//! Gathering, then judging: what a judgement lacks is fetched before: issuers' certificates, OCSP answers, CRLs.
//!
//! Owns where may be fetched from, what fetching may cost, what is asked for and where the certificates say that it is
//! (RFC 5280 §4.2.1.13, §4.2.2.1). Does not own whether what came may be believed: it is added to the evidence, and `verify`
//! judges. Nor others' CRLs that are held for long: `crls::external` mirrors those.
//!
//! URLs are written by strangers, so that a document could make a server ask hosts in its operator's network. Only HTTP, only
//! the usual ports, and only addresses of the public internet are fetched from, unless a rule names the host; the addresses
//! that are looked at are those that are connected to, at each redirection anew. CRLs and OCSP responders are asked for
//! certificates below a trust anchor only.
//!
//! Enter at [`Verifier::verify_document`], at [`VerificationService`], or at [`Gatherer::gather`].
//!
//! | file | what |
//! |---|---|
//! | `settings.rs`, `host_rule.rs` | what goes in |
//! | `address.rs`, `destination.rs`, `resolver.rs` | where may be fetched from |
//! | `fetcher.rs`, `pem.rs` | octets over HTTP, bounded; DER from them |
//! | `ocsp_request.rs` | what a responder is asked |
//! | `chains.rs` | who issued what, as far as it is held |
//! | `gatherer.rs`, `budget.rs` | the order of things, and what it may cost |
//! | `report.rs` | what comes out besides the evidence |
//! | `verifier.rs` | gather, then judge: what the API and `noonmark verify` call |
//! | `service.rs`, `judges.rs` | the same on a server: on threads of its own, with what is held as it changes |

mod address;
mod budget;
mod chains;
mod destination;
mod fetcher;
mod gatherer;
mod host_rule;
mod judges;
mod ocsp_request;
mod pem;
mod report;
mod resolver;
mod service;
mod settings;
mod verifier;

pub use address::NotPublic;
pub use gatherer::Gatherer;
pub use host_rule::{HostRule, HostRuleError};
pub use judges::QueueFull;
pub use report::{Exhausted, FetchError, FetchKind, FetchRecord, Gathered};
pub use service::VerificationService;
pub use settings::{GatherLimits, GatherSettings};
pub use verifier::{NamedPolicy, QuestionTime, Verified, Verifier, VerifierError};

#[cfg(test)]
mod tests;
