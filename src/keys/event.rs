//! What happens to tokens and their threads, for the log and the ledger.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::token::TokenFacts;
use super::uri::KeyUri;

/// Where events go. Called on the pool's threads, with no lock held; it should be quick.
pub type EventSink = Arc<dyn Fn(KeyEvent) + Send + Sync>;

/// Something that an operator or auditor wants to know of a pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeyEvent {
    /// The token was logged in to, and every key signed its challenge on every session: it serves.
    LoggedIn {
        /// The token's configured name.
        token: String,
        /// What the token says of itself.
        facts: TokenFacts,
    },
    /// The token is gone, or can't be used: no signature until it is back.
    TokenLost {
        /// The token's configured name.
        token: String,
        /// Why.
        reason: String,
    },
    /// An attempt to get the token back failed for another reason than the last one.
    StillLost {
        /// The token's configured name.
        token: String,
        /// Why.
        reason: String,
    },
    /// The token serves again.
    TokenBack {
        /// The token's configured name.
        token: String,
        /// How long it did not serve.
        after: Duration,
    },
    /// A key did not sign its challenge, or its signature did not verify under its certificate's public key.
    ChallengeFailed {
        /// The token's configured name.
        token: String,
        /// The key's configured name.
        key: String,
        /// The key.
        uri: KeyUri,
        /// How it failed.
        reason: String,
    },
    /// A call into the module did not return in time; its thread is left behind.
    ThreadLost {
        /// The token's configured name.
        token: String,
        /// The thread's name.
        thread: String,
        /// How many are lost now.
        lost: usize,
    },
    /// A lost thread's call returned after all; its result was dropped.
    ThreadReturned {
        /// The token's configured name.
        token: String,
        /// The thread's name.
        thread: String,
        /// How many are lost now.
        lost: usize,
    },
    /// The set of keys was exchanged; each signed its challenge.
    KeysChanged {
        /// The token's configured name.
        token: String,
        /// The keys' names.
        keys: Vec<String>,
    },
    /// A completion panicked: a defect of its owner.
    CompletionPanicked {
        /// The token's configured name.
        token: String,
        /// The key's configured name.
        key: String,
    },
    /// The pool has stopped.
    Stopped {
        /// The token's configured name.
        token: String,
        /// Jobs that were refused because the time to drain the queue was over.
        refused: usize,
    },
}

impl fmt::Display for KeyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedIn { token, facts } => {
                write!(f, "token {token:?} serves: label {:?}, serial {:?}", facts.label, facts.serial)
            }
            Self::TokenLost { token, reason } => write!(f, "token {token:?} lost, refusing to sign: {reason}"),
            Self::StillLost { token, reason } => write!(f, "token {token:?} is still not usable: {reason}"),
            Self::TokenBack { token, after } => write!(f, "token {token:?} is back after {after:.1?}"),
            Self::ChallengeFailed { token, key, uri, reason } => {
                write!(f, "token {token:?}: key {key:?} ({uri}) failed its challenge: {reason}")
            }
            Self::ThreadLost { token, thread, lost } => {
                write!(f, "token {token:?}: a call of {thread} did not return; threads lost: {lost}")
            }
            Self::ThreadReturned { token, thread, lost } => {
                write!(f, "token {token:?}: the call of {thread} returned, its result is dropped; threads lost: {lost}")
            }
            Self::KeysChanged { token, keys } => write!(f, "token {token:?}: serving keys {}", keys.join(", ")),
            Self::CompletionPanicked { token, key } => {
                write!(f, "token {token:?}: a completion for key {key:?} panicked (a defect)")
            }
            Self::Stopped { token, refused } => write!(f, "token {token:?}: pool stopped, {refused} jobs refused"),
        }
    }
}
