//! What several tests share: SoftHSM, chronyd, PostgreSQL, a running server.

pub mod chrony;
pub mod http;
pub mod postgres;
pub mod server;
pub mod softhsm;
pub mod timestamp;
