//! What several tests share: SoftHSM, PostgreSQL, a running server.

pub mod chrony;
pub mod softhsm;
