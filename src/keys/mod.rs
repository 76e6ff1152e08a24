//! Keys: tokens, the keys in them, custody facts, and the signing pool with its supervisor.
//!
//! Owns: how a token is found, opened, made; how a key is generated, named ([`KeyUri`]), found and used; what the
//! token says of its custody ([`Custody`]); the threads that sign ([`Pool`]) and their recovery when a token goes.
//! Does not own: what is signed (a message is octets here), certificates (a key's public half comes from the caller),
//! the ledger (a completion and an [`EventSink`] are closures).
//!
//! Enter by [`Token`] for administration (`init`, `key`, `check`) and by [`Pool`] for serving.
//!
//! Two tiers: `pkcs11` (a module and its token) and `software` (encrypted PKCS#8 files, for trying things out).
//! No tier ever makes a token or a key because one is missing: it answers an error.

mod custody;
mod error;
mod event;
mod pkcs11;
mod pool;
mod private_file;
mod settings;
mod signer;
mod software;
mod token;
mod uri;

pub use custody::{Custody, Finding};
pub use error::{CallError, KeyError, PinError, SignError, SubmitError};
pub use event::{EventSink, KeyEvent};
pub use pool::{
    Completion, KeyHandle, KeySpec, Lane, LastError, Pool, PoolHealth, PoolState, after_batch,
    describe_metrics as describe_pool_metrics,
};
pub use settings::{
    DEFAULT_BULK_QUEUE_LENGTH, DEFAULT_CALL_TIMEOUT, DEFAULT_QUEUE_LENGTH, DEFAULT_SESSIONS, Pin, Tier, TierKind,
    TokenSelector, TokenSettings,
};
pub use signer::Signer;
pub use token::{KeyInfo, Token, TokenFacts, UnusableKey};
pub use uri::{KeyUri, KeyUriError};
