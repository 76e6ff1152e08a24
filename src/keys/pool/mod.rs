//! The signing pool: bounded queues, threads with a session each, and a supervisor that gets a lost token back.
//!
//! `queue` is the state that all share: lanes, seats, phase. `worker` is a signing thread, `station` what it works
//! at (a session and the keys found in it). `supervisor` watches the threads and the token; what it needs from the
//! module it has done by an `attempt`, a thread that can be left behind when the module hangs. `after` is what completions
//! put off until a batch is signed.
//!
//! The locks: `Shared::state` for the queues, and one slot a seat for the job in hand. A slot may be locked under the
//! state, never the other way round. No lock is held while the module, a completion or the event sink is called.

mod after;
mod attempt;
mod health;
mod key;
mod measure;
mod queue;
mod station;
mod supervisor;
mod worker;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

pub use after::after_batch;
pub use health::{LastError, PoolHealth, PoolState};
pub use key::{KeyHandle, KeySpec};
pub use measure::describe_metrics;
pub use queue::{Completion, Lane};

use super::error::{KeyError, SignError, SubmitError};
use super::event::EventSink;
use super::settings::TokenSettings;
use key::KeySet;
use queue::{DRAIN_LIMIT, KeyRequest, Phase, Shared};

/// A token that serves: submit a message, and a completion gets its signature.
///
/// Dropping the pool lets it drain and end by itself; [`Pool::stop`] waits for that.
pub struct Pool {
    shared: Arc<Shared>,
}

impl Pool {
    /// Starts the pool and waits for its first attempt at the token.
    ///
    /// If that attempt fails the pool is there all the same, refuses every job with the reason, and keeps trying:
    /// [`Pool::health`] tells. An installed metrics recorder must be there before, since handles are cached here.
    ///
    /// # Errors
    /// Settings or keys that can never work, or no thread from the system.
    pub fn start(settings: TokenSettings, keys: Vec<KeySpec>, events: EventSink) -> Result<Arc<Self>, KeyError> {
        settings.validate()?;
        let keys = KeySet::new(&settings, keys)?;
        let shared = Shared::new(settings, Arc::new(keys), events);
        supervisor::start(&shared)?;
        shared.wait_for_first_attempt();
        Ok(Arc::new(Self { shared }))
    }

    /// Exchanges the keys, for a reload: each new key is found and challenged on every session before this returns.
    /// Jobs already queued for an earlier key are still signed with it. On an error nothing has changed.
    ///
    /// While the token is lost this is an attempt to get it back, with the new keys.
    ///
    /// # Errors
    /// A key that is not there or fails its challenge, a module that hangs, or a pool that has stopped.
    pub fn set_keys(&self, keys: Vec<KeySpec>) -> Result<(), KeyError> {
        let keys = Arc::new(KeySet::new(&self.shared.settings, keys)?);
        let (reply, answer) = mpsc::channel();
        // One exchange at a time: the supervisor holds one request.
        let _one_at_a_time = queue::lock(&self.shared.exchange);
        {
            let mut state = self.shared.lock();
            if matches!(state.phase, Phase::Draining { .. } | Phase::Stopped) {
                return Err(KeyError::Stopped);
            }
            state.request = Some(KeyRequest { keys, reply });
            state.nudged = true;
        }
        self.shared.watch.notify_all();
        // The supervisor answers every request, or drops it when it ends.
        answer.recv().unwrap_or(Err(KeyError::Stopped))
    }

    /// A key by its configured name. Callers keep the handle; a look-up takes a lock.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<KeyHandle> {
        self.shared.lock().keys.find(name)
    }

    /// Queues a message. If it is taken, `done` is called exactly once, on a thread of the pool: with the signature,
    /// or with what went wrong. If it is not, `done` is dropped and the error says why, at once.
    ///
    /// # Errors
    /// [`SubmitError::Full`], or [`SubmitError::NotReady`] while the token is lost or the pool stops.
    pub fn submit(&self, lane: Lane, key: &KeyHandle, message: Vec<u8>, done: Completion) -> Result<(), SubmitError> {
        self.shared.submit(lane, key, message, done)
    }

    /// As [`Self::submit`], and waits for the signature. Not from a completion: the pool's threads would wait for
    /// themselves.
    ///
    /// # Errors
    /// As a completion gets them; a job that is not taken is [`SignError::NotTaken`].
    pub fn sign(&self, lane: Lane, key: &KeyHandle, message: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let done: Completion = Box::new(move |result| {
            // The receiver waits below; it can't be gone.
            reply.send(result).ok();
        });
        self.submit(lane, key, message, done)?;
        answer.recv().unwrap_or(Err(SignError::Stopped))
    }

    /// How the pool is, for `/readyz` and `check`.
    #[must_use]
    pub fn health(&self) -> PoolHealth {
        self.shared.health()
    }

    /// Takes no more jobs, signs what is queued, for 10 s at most, refuses the rest, and ends the threads.
    pub fn stop(&self) {
        self.begin_stop();
        self.shared.wait_until_stopped(DRAIN_LIMIT);
    }

    fn begin_stop(&self) {
        self.shared.begin_drain(Instant::now() + DRAIN_LIMIT);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.begin_stop();
    }
}
