//! The software tier: a directory of encrypted PKCS#8 files, for trials and tests, and for machines without hardware.
//!
//! `key` is one key pair in memory; `store` is the directory. The passphrase is held against the token's own key
//! (`.token.pem`, whose public half also gives the serial number), so that a wrong one is refused before a key is made
//! or used with it.

mod key;
mod store;

pub(super) use key::SoftwareKey;
pub(super) use store::SoftwareToken;
