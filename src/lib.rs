//! Noonmark: a self-hosted timestamping and verification server.
//!
//! The rooms, from the lowest up; imports point down only (`tests/layers.rs` holds that):
//! [`asn1`], [`crypto`] < [`clock`], [`keys`], [`store`] < [`ledger`] < [`ca`] < [`tsa`], [`ocsp`], [`crls`], [`verify`] <
//! [`gather`] < [`config`] < [`http`] < [`app`] < [`cli`]. docs/ARCHITECTURE.md says what each owns.

pub mod app;
pub mod asn1;
pub mod ca;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crls;
pub mod crypto;
pub mod gather;
pub mod http;
pub mod keys;
pub mod ledger;
pub mod ocsp;
pub mod store;
pub mod tsa;
pub mod verify;
