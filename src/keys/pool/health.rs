//! How a pool is.

use std::time::SystemTime;

use crate::keys::token::TokenFacts;

use super::queue::{Phase, Shared};

/// How a pool is, at one moment.
#[derive(Clone, Debug)]
pub struct PoolHealth {
    /// The token's configured name.
    pub token: String,
    /// Whether it serves.
    pub state: PoolState,
    /// Interactive jobs that wait.
    pub interactive_queued: usize,
    /// Bulk jobs that wait.
    pub bulk_queued: usize,
    /// Signing threads at work or waiting for work.
    pub threads: usize,
    /// Threads whose call into the module has not returned.
    pub threads_lost: usize,
    /// The last thing that went wrong, since the pool's start.
    pub last_error: Option<LastError>,
    /// What the token said of itself when it was last logged in to.
    pub facts: Option<TokenFacts>,
}

/// Whether a pool serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolState {
    /// It serves.
    Ready,
    /// It refuses, and tries to get the token back.
    Recovering {
        /// Since when it refuses.
        since: SystemTime,
        /// Why, by the newest knowledge.
        reason: String,
    },
    /// It takes no more jobs and signs what is queued.
    Stopping,
    /// It has ended.
    Stopped,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: SystemTime,
    /// What.
    pub reason: String,
    /// Whether the token answered, and a key in it is missing or not the one that its certificate says.
    pub key_at_fault: bool,
}

impl Shared {
    pub(super) fn health(&self) -> PoolHealth {
        let state = self.lock();
        PoolHealth {
            token: self.settings.name.clone(),
            state: match &state.phase {
                Phase::Ready => PoolState::Ready,
                Phase::Recovering { since, reason, .. } => {
                    PoolState::Recovering { since: *since, reason: reason.to_string() }
                }
                Phase::Draining { .. } => PoolState::Stopping,
                Phase::Stopped => PoolState::Stopped,
            },
            interactive_queued: state.interactive.len(),
            bulk_queued: state.bulk.len(),
            threads: state.seats.iter().flatten().count(),
            threads_lost: state.lost,
            last_error: state.last_error.clone(),
            facts: state.facts.clone(),
        }
    }
}
