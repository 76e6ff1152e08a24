//! Others' CRLs: fetched on a schedule, verified, held, and asked.
//!
//! | file | what it owns |
//! |---|---|
//! | `mirror` | the thread and the schedule: [`Mirror`] |
//! | `issuer_crl` | one issuer's CRLs from fetch to answer: [`IssuerCrl`] |
//! | `fetch` | octets over HTTP into a file, within limits |
//! | `verified` | a file held against its issuer's key before anything in it is believed |
//! | `held` | which CRL may take the place of which: an older number never replaces a newer |
//! | `judge` | what CRL and registry together say of a certificate |
//! | `shelf` | the files in the cache directory |
//! | `report`, `measures` | how they stand, in words and figures |
//!
//! URLs come from the operator's settings alone, never from a document. Does not own: the settings ([`crate::ca`]), a CRL's
//! octets (the crate `crl`), who answers (`ocsp`, by [`crate::ca::StatusSource`]). Enter by [`Mirror::start`].

mod fetch;
mod held;
mod issuer_crl;
mod judge;
#[cfg(test)]
mod judge_tests;
mod measures;
mod mirror;
mod report;
mod shelf;
mod verified;

pub use fetch::{FetchError, FetchLimits, Fetched, Fetcher, MAX_REDIRECTS, Validators};
pub use held::{Held, Kind, MAX_AHEAD_S};
pub use issuer_crl::{IssuerCrl, RoundError, UrlFault};
pub use mirror::{Mirror, MirrorDeps, MirroredIssuer};
pub use report::{CrlReport, HeldReport};
pub use verified::{MAX_ED25519_OCTETS, MAX_ENTRIES, Refusal, Verified, verify};
