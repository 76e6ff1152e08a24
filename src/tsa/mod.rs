//! Timestamps: request, profile, token, authority (RFC 3161, RFC 5816, ETSI EN 319 421 and 319 422).
//!
//! Owns: what a profile promises ([`Profile`]), holding a request against it ([`Refusal`]), the token's octets
//! ([`TokenTemplate`]), and the way from a request to a recorded, signed answer ([`Authority`]).
//! Does not own: HTTP, the clock, keys, the ledger; it is handed them.
//! Enter by [`Authority::answer`].

mod authority;
mod ordering;
mod profile;
mod refusal;
pub mod response;
mod serial;
mod token;

pub use authority::{Answer, Authority, AuthoritySettings, Deps, Respond, Unit, UnitError};
pub use profile::{Profile, ProfileError};
pub use refusal::Refusal;
pub use token::{TokenError, TokenTemplate};
