//! The only wiring: builds the rooms from the configuration, runs and stops the server.
//!
//! Owns: opening an installation ([`Installation`]), making one ([`setup`]), keys' lives ([`lifecycle`]),
//! what serving needs and whether it is there (`serving`, `readiness`), signals.
//! Does not own: anything that one room can do alone.

mod adoption;
mod agent;
mod answering;
pub mod checks;
mod crl_publishing;
mod desk;
mod events;
mod installation;
mod issuer_key;
mod issuing;
pub mod lifecycle;
mod loading;
mod observability;
mod readiness;
mod serving;
pub mod setup;
mod toml_template;
mod units;
pub mod verification;
mod verifying;

pub use agent::{AgentError, run as run_agent};
pub use desk::Desk;
pub use installation::{Installation, InstallationError};
pub use serving::{ServeError, serve};
pub use units::{UnitFault, WARN_DAYS, rfc3339};
