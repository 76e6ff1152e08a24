//! What goes wrong with tokens and keys, worded for the operator who must act. No message holds a PIN.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::crypto::{KeyAlgorithm, PublicKeyError, SignatureAlgorithm, SignatureEncodingError};

use super::settings::TierKind;
use super::uri::KeyUri;

/// Why a PIN can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// The file is not there or not readable.
    #[error("the PIN file {} can't be read: {error}; create it with mode 600, or correct the path", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Group or others may read it.
    #[error("{} has mode {mode:o}: others than its owner can use it; chmod 600 it, and change what it holds if someone may have read it", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Too large for what it should be.
    #[error("{} is larger than {max_bytes} octets: this is not the right file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        max_bytes: u64,
    },
    /// Not UTF-8.
    #[error("{} is not UTF-8 text: this is not the right file", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The variable is not set.
    #[error("the environment variable {name} with the PIN is not set; set it, or name a PIN file")]
    VariableUnset {
        /// The variable.
        name: String,
    },
    /// Nothing in it.
    #[error("the PIN in {place} is empty")]
    Empty {
        /// The file or variable.
        place: String,
    },
}

/// A call into a PKCS#11 module that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The module was finalized and initialized since the session was opened.
    #[error("the module was started anew since this session was opened; open the token again")]
    Stale,
    /// The module answered with an error code.
    #[error("{call} answered {code}")]
    Answered {
        /// The function: `C_Sign`.
        call: String,
        /// The code: `CKR_DEVICE_ERROR`.
        code: String,
        /// Whether the code means that the token, or the session with it, is gone.
        token_lost: bool,
    },
    /// The module's answer made no sense.
    #[error("the module's answer can't be used: {reason}")]
    Unusable {
        /// What was wrong with it.
        reason: String,
    },
}

impl CallError {
    /// Whether the token, or the session with it, is gone.
    #[must_use]
    pub fn means_token_lost(&self) -> bool {
        match self {
            Self::Stale => true,
            Self::Answered { token_lost, .. } => *token_lost,
            Self::Unusable { .. } => false,
        }
    }

    /// Whether the module answered this code.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Answered { code, .. } if code == wanted)
    }
}

/// Why a token or key can't be used, made or destroyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Impossible settings.
    #[error("token {token:?}: {reason}")]
    Settings {
        /// The token's configured name.
        token: String,
        /// What is wrong.
        reason: String,
    },
    /// The PIN can't be read.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// No such module.
    #[error("there is no PKCS#11 module at {} ({error}); install it or correct the path", path.display())]
    ModuleMissing {
        /// The path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The library can't be loaded, or is not a PKCS#11 module.
    #[error("{} can't be loaded as a PKCS#11 module: {reason}", path.display())]
    ModuleUnusable {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Calls into the module do not return.
    #[error("the module hangs: {calls} of its calls have not returned; look at the module's device and service")]
    ModuleHangs {
        /// How many calls are out.
        calls: usize,
    },
    /// A call failed.
    #[error("{doing}: {error}")]
    Call {
        /// What was being done.
        doing: &'static str,
        /// How it failed.
        error: CallError,
    },
    /// No such token.
    #[error("there is no token with {selector} in {}; tokens there: {present}", place.display())]
    TokenMissing {
        /// What was looked for.
        selector: String,
        /// The module or directory.
        place: PathBuf,
        /// The labels that are there.
        present: String,
    },
    /// Several tokens fit.
    #[error("{count} tokens have {selector} in {}; select by serial number", place.display())]
    TokenAmbiguous {
        /// What was looked for.
        selector: String,
        /// The module.
        place: PathBuf,
        /// How many fit.
        count: usize,
    },
    /// A token is made only where there is none.
    #[error("a token {name:?} is already in {}; nothing was changed", place.display())]
    TokenExists {
        /// The token's label or directory.
        name: String,
        /// The module or directory.
        place: PathBuf,
    },
    /// The module has no slot for a new token.
    #[error("{} has no slot with an uninitialized token; initialize one with the vendor's tool", place.display())]
    NoFreeSlot {
        /// The module.
        place: PathBuf,
    },
    /// The token refused the PIN. It is not tried again until it changes, since tokens lock after a few failures.
    #[error("token {token:?} refused the PIN; correct what {place} holds (it is not tried again until it changes)")]
    PinRefused {
        /// The token's configured name.
        token: String,
        /// Where the PIN was read from.
        place: String,
    },
    /// Too many wrong PINs.
    #[error("the PIN of token {token:?} is locked; the security officer must unlock it")]
    PinLocked {
        /// The token's configured name.
        token: String,
    },
    /// A label or name that can't be used.
    #[error("{name:?} can't name a {what}: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// Token or key.
        what: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// No such key.
    #[error("there is no key {uri} in token {token:?}")]
    KeyMissing {
        /// The key.
        uri: KeyUri,
        /// The token's configured name.
        token: String,
    },
    /// Several keys fit.
    #[error("{count} keys fit {uri}; add its id")]
    KeyAmbiguous {
        /// The key.
        uri: KeyUri,
        /// How many fit.
        count: usize,
    },
    /// The URI is not of this token.
    #[error("{uri} names a key of another token than {token:?}: {reason}")]
    KeyElsewhere {
        /// The key.
        uri: KeyUri,
        /// The token's configured name.
        token: String,
        /// What differs.
        reason: String,
    },
    /// A key's label is unique in a token.
    #[error("a key labelled {label:?} is already in token {token:?}; nothing was changed")]
    KeyExists {
        /// The label.
        label: String,
        /// The token's configured name.
        token: String,
    },
    /// A kind of key that is not made or used here.
    #[error("{algorithm} keys are not made or used for signing; choose p256, p384, rsa2048 to rsa4096 or ed25519")]
    KeyUnsupported {
        /// The kind.
        algorithm: KeyAlgorithm,
    },
    /// The key's attributes do not let Noonmark use it.
    #[error("the key {uri} can't be used: {reason}")]
    KeyUnusable {
        /// The key.
        uri: KeyUri,
        /// Why.
        reason: String,
    },
    /// A challenge's signature failed or did not verify under the expected public key.
    #[error("the key {key:?} ({uri}) failed its challenge: {reason}")]
    ChallengeFailed {
        /// The key's configured name.
        key: String,
        /// Where it was.
        uri: KeyUri,
        /// How it failed.
        reason: String,
    },
    /// Two keys of one name.
    #[error("two keys are named {name:?}")]
    KeyNamedTwice {
        /// The name.
        name: String,
    },
    /// The signature's algorithm does not go with the key.
    #[error("the key {name:?} is to sign with {signature}, which does not go with a {key} key")]
    AlgorithmMismatch {
        /// The key's configured name.
        name: String,
        /// The signature's algorithm.
        signature: SignatureAlgorithm,
        /// The key's.
        key: KeyAlgorithm,
    },
    /// A public key that can't be read.
    #[error("the public key of {uri} can't be used: {error}")]
    PublicKey {
        /// The key.
        uri: KeyUri,
        /// Why.
        error: PublicKeyError,
    },
    /// A file of the software tier.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A file of the software tier that is not what it should be.
    #[error("{} is not a key file of the software tier: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The token was opened for reading only.
    #[error("token {token:?} is open for reading only")]
    ReadOnly {
        /// The token's configured name.
        token: String,
    },
    /// The system refused a thread.
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed while {doing}")]
    Library {
        /// What was being done.
        doing: &'static str,
    },
    /// The pool is stopping.
    #[error("the signing pool has stopped")]
    Stopped,
}

impl KeyError {
    /// Whether another try, a moment later, may find what this one did not.
    ///
    /// SoftHSM rewrites a token's file while another process logs in; a reader then sees no token, or half of it.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::TokenMissing { .. } => true,
            Self::Call { error, .. } => error.means_token_lost() || error.is("CKR_USER_PIN_NOT_INITIALIZED"),
            _ => false,
        }
    }

    /// Whether the token answered well, and a key in it is not what it should be.
    pub(super) fn is_of_a_key(&self) -> bool {
        matches!(
            self,
            Self::KeyMissing { .. }
                | Self::KeyAmbiguous { .. }
                | Self::KeyElsewhere { .. }
                | Self::KeyUnusable { .. }
                | Self::ChallengeFailed { .. }
        )
    }

    /// Whether the module may have to be started anew before the token can be had.
    pub(super) fn asks_for_a_new_start(&self) -> bool {
        match self {
            Self::TokenMissing { .. } | Self::ModuleHangs { .. } => true,
            Self::Call { error, .. } => error.means_token_lost(),
            // A wrong PIN, a missing or a swapped key: others who use the module well are not to suffer from it.
            _ => false,
        }
    }
}

/// Why a message was not signed. Says nothing about the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The token's call did not return in time. The signature may still come to be; it is dropped.
    #[error("the token did not answer within {after_ms} ms")]
    TimedOut {
        /// The time waited, in milliseconds.
        after_ms: u128,
    },
    /// The token is gone; the pool is recovering.
    #[error("the token is not available: {reason}")]
    TokenLost {
        /// Why.
        reason: Arc<str>,
    },
    /// A call into the module failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The key can't be found or failed its challenge.
    #[error("{reason}")]
    Key {
        /// Why.
        reason: Arc<str>,
    },
    /// This tier or token can't sign so.
    #[error("a {tier} key of kind {key} can't sign with {signature}")]
    Unsupported {
        /// The tier.
        tier: TierKind,
        /// The key's kind.
        key: KeyAlgorithm,
        /// The signature's algorithm.
        signature: SignatureAlgorithm,
    },
    /// The token's raw signature is malformed.
    #[error("the token's signature is malformed: {0}")]
    Encoding(#[from] SignatureEncodingError),
    /// The cryptographic library failed.
    #[error("the cryptographic library could not sign")]
    Library,
    /// The signing thread panicked: a defect, reported in the log.
    #[error("a defect in the signing thread; see the log")]
    Panicked,
    /// The job was not taken.
    #[error(transparent)]
    NotTaken(#[from] SubmitError),
    /// The pool stopped before the job's turn.
    #[error("the signing pool has stopped")]
    Stopped,
}

impl SignError {
    /// Whether the token, or the session with it, is gone.
    #[must_use]
    pub fn means_token_lost(&self) -> bool {
        match self {
            Self::TokenLost { .. } => true,
            Self::Call(error) => error.means_token_lost(),
            _ => false,
        }
    }
}

/// Why a job was not taken. Its completion is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The lane's queue is full.
    #[error("the signing queue is full")]
    Full,
    /// The token is not ready.
    #[error("the signing token is not ready: {reason}")]
    NotReady {
        /// Why.
        reason: Arc<str>,
    },
}
