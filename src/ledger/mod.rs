//! What was signed, when, by which key, for whom: recorded before it leaves the house.
//!
//! Owns: the records' canonical octets and the hash chain ([`canonical`]), group commit ([`Ledger`]), the proof that a
//! chain is whole ([`verify()`]). Does not own: tables and SQL (see `store`).
//! Enter by [`Ledger::start`] and [`Ledger::submit`].

pub mod canonical;
mod describe;
mod queue;
mod verify;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use describe::{describe, display};
pub use queue::{Completion, Lane, Recorded};
pub use verify::{Broken, ChainReport, VerifyReport, verify};

/// What is recorded of a token.
pub use crate::store::TokenRow as TokenRecord;
use crate::store::{Change, ServerLease, Store, StoreError};
use queue::Queue;

/// An event: what happened, and the rest as JSON (who, what, before, after).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `server-started`, `key-generated`, `profile-changed`…
    pub kind: String,
    /// The rest.
    pub detail: serde_json::Value,
}

impl Event {
    /// An event.
    #[must_use]
    pub fn new(kind: &str, detail: serde_json::Value) -> Self {
        Self { kind: kind.to_owned(), detail }
    }
}

/// Something to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A token.
    Token(TokenRecord),
    /// An event.
    Event(Event),
    /// An event, and the change that it tells of: both are committed, or neither.
    Change(Event, Box<Change>),
}

/// Why something is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Too much waits already.
    #[error("the ledger's queue is full")]
    Full,
    /// The store does not take records at the moment.
    #[error("the ledger is down: {reason}")]
    Down {
        /// What the store said.
        reason: String,
    },
    /// The group it was in was not committed, or nobody knows whether it was.
    #[error("the record was not committed: {reason}")]
    NotCommitted {
        /// What the store said.
        reason: String,
    },
    /// The change's condition is not met; nothing was changed and nothing recorded.
    #[error("{reason}")]
    Conflict {
        /// Which, for the officer.
        reason: String,
    },
    /// The ledger was stopped.
    #[error("the ledger is stopped")]
    Stopped,
    /// The store, at the start.
    #[error("{reason}")]
    Store {
        /// What it said.
        reason: String,
    },
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Store { reason: error.to_string() }
    }
}

/// The ledger's bounds.
#[derive(Clone, Copy, Debug)]
pub struct LedgerSettings {
    /// Interactive records that wait at most. 16 groups: at most a second's worth on a slow disk.
    pub queue_length: usize,
    /// Bulk records that wait at most.
    pub bulk_queue_length: usize,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self { queue_length: 8_192, bulk_queue_length: 65_536 }
    }
}

/// How the ledger stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerHealth {
    /// Why it takes no records, if it does not.
    pub down: Option<String>,
    /// Records that wait.
    pub waiting: usize,
    /// The chain it writes.
    pub server_id: i64,
}

/// Records in groups: one commit for all that waited during the last.
pub struct Ledger {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How long an event waits for its commit.
const EVENT_PATIENCE: Duration = Duration::from_secs(30);
/// How long a change waits for its commit: an import of 50,000 certificates takes some seconds on a slow disk.
const CHANGE_PATIENCE: Duration = Duration::from_secs(120);

impl Ledger {
    /// Starts the ledger's thread on the lease's chain.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn start(store: Arc<Store>, lease: ServerLease, settings: LedgerSettings) -> Result<Arc<Self>, LedgerError> {
        let queue = Arc::new(Queue::new(settings, lease.server_id()));
        let after_crash = lease.after_crash();
        let threads = writer::start(store, lease, Arc::clone(&queue))?;
        let ledger = Arc::new(Self { queue, threads: Mutex::new(threads) });
        if after_crash {
            ledger.record_event(Event::new("ended-without-stopping", serde_json::json!({ "before": "this start" })))?;
        }
        Ok(ledger)
    }

    /// Hands a record over; `done` is called on the ledger's thread when its commit is known to stand, or why it does not.
    ///
    /// # Errors
    /// The queue is full, the store away or the ledger stopped: `done` is dropped uncalled.
    pub fn submit(&self, lane: Lane, record: Record, done: Completion) -> Result<(), LedgerError> {
        self.queue.submit(lane, record, done)
    }

    /// Tells that a token is being signed and its record will follow, so that it can share a commit.
    #[must_use]
    pub fn announce(&self) -> Announcement {
        self.queue.announce();
        Announcement { queue: Some(Arc::clone(&self.queue)) }
    }

    /// Records an event and waits until it is durable.
    ///
    /// # Errors
    /// It is not.
    pub fn record_event(&self, event: Event) -> Result<Recorded, LedgerError> {
        self.record_and_wait(Record::Event(event), EVENT_PATIENCE)
    }

    /// Makes a change and records it, in one transaction, and waits until both are durable.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] if the change's condition is not met; else as [`Self::record_event`]: the change may then
    /// stand all the same if [`LedgerError::NotCommitted`] says that the commit's outcome is unknown.
    pub fn record_change(&self, event: Event, change: Change) -> Result<Recorded, LedgerError> {
        self.record_and_wait(Record::Change(event, Box::new(change)), CHANGE_PATIENCE)
    }

    fn record_and_wait(&self, record: Record, patience: Duration) -> Result<Recorded, LedgerError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let done: Completion = Box::new(move |result| drop(sender.send(result)));
        self.submit(Lane::Interactive, record, done)?;
        receiver
            .recv_timeout(patience)
            .unwrap_or_else(|_| Err(LedgerError::NotCommitted { reason: "no answer in time".to_owned() }))
    }

    /// Whether records are taken; one atomic, for the hot path.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.queue.is_up()
    }

    /// How the ledger stands.
    #[must_use]
    pub fn health(&self) -> LedgerHealth {
        self.queue.health()
    }

    /// Commits what waits, gives the lease back, ends.
    pub fn stop(&self) {
        self.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A completion may hold the last reference; its thread can't wait for itself.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the ledger ended by a panic");
            }
        }
    }
}

/// A record that is on its way; dropped without one, it is taken back.
pub struct Announcement {
    queue: Option<Arc<Queue>>,
}

impl Announcement {
    /// Hands the announced record over; see [`Ledger::submit`].
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub fn submit(mut self, lane: Lane, record: Record, done: Completion) -> Result<(), LedgerError> {
        let queue = self.queue.take().ok_or(LedgerError::Stopped)?;
        queue.arrive();
        queue.submit(lane, record, done)
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.retract();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.stop();
    }
}
