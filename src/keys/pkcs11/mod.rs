//! The PKCS#11 tier.
//!
//! `module` loads a shared library once a process and guards its life: no call runs while it is finalized, and a
//! session of an earlier life is never used or closed in a later one. `session` is one session with its calls;
//! `mechanism` says how each signature algorithm is asked for; `token` selects, opens and makes tokens; `keys` reads,
//! generates and destroys what is in them.

mod attributes;
mod keys;
mod mechanism;
mod module;
mod session;
mod token;

pub(super) use module::{Module, Renewal};
pub(super) use session::Resolved;
pub(super) use token::{Access, Beat, PinGuard, Pkcs11Token};
