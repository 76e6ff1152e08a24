//! What several tests share: SoftHSM, chronyd, PostgreSQL, a running server.

pub mod agent;
pub mod chrony;
pub mod clients;
pub mod crl_clients;
pub mod crl_server;
pub mod gpgsm;
pub mod http;
pub mod load;
pub mod mutation;
pub mod ocsp;
pub mod openssl_ca;
pub mod postgres;
pub mod records;
pub mod server;
pub mod softhsm;
pub mod timestamp;
