//! What waits for the next commit.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::{Gauge, gauge};

use super::{LedgerError, LedgerHealth, LedgerSettings, Record};

/// Who is waiting at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A client.
    Interactive,
    /// A batch.
    Bulk,
}

/// A record that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its number in the chain.
    pub number: i64,
    /// How many certificates its change wrote to the registry.
    pub certificates_written: u64,
}

/// Hears of a record's fate, once.
pub type Completion = Box<dyn FnOnce(Result<Recorded, LedgerError>) + Send>;

/// A record and who hears of it.
pub(super) struct Waiting {
    pub(super) record: Record,
    pub(super) done: Completion,
}

/// The most records in one commit: a group of this size takes some milliseconds, and the next one waits that long.
pub(super) const MAX_GROUP: usize = 512;

/// How long a group waits, at most, for records that are announced: about two RSA-3072 signatures of SoftHSM. While more
/// signatures are under way than records wait, a commit now would make the next one as small: on a fast disk most of a
/// token's cost would be its share of a sync.
const LINGER: Duration = Duration::from_millis(4);

/// From this many records on a commit costs each of them little, and what is under way may become the next group: then
/// signing and committing overlap.
const WORTH_A_COMMIT: usize = 8;

pub(super) struct Queue {
    settings: LedgerSettings,
    /// Records whose signatures are under way.
    announced: AtomicUsize,
    server_id: std::sync::atomic::AtomicI64,
    state: Mutex<State>,
    arrived: Condvar,
    ended: Condvar,
    up: AtomicBool,
    waiting: Gauge,
}

#[derive(Default)]
struct State {
    interactive: VecDeque<Waiting>,
    bulk: VecDeque<Waiting>,
    down: Option<String>,
    closed: bool,
    /// Whether the writer sleeps: only then is waking it worth a system call.
    sleeping: bool,
    /// Whether the writer waits for records that are announced.
    lingering: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.interactive.is_empty() && self.bulk.is_empty()
    }
}

/// What the writer wakes up to.
pub(super) enum Next {
    /// A group, interactive records first.
    Group(Vec<Waiting>),
    /// Nothing came for a while.
    Idle,
    /// No more will come.
    Closed,
}

impl Queue {
    pub(super) fn new(settings: LedgerSettings, server_id: i64) -> Self {
        Self {
            settings,
            announced: AtomicUsize::new(0),
            server_id: std::sync::atomic::AtomicI64::new(server_id),
            state: Mutex::default(),
            arrived: Condvar::new(),
            ended: Condvar::new(),
            up: AtomicBool::new(true),
            waiting: gauge!("noonmark_ledger_queue_length"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub(super) fn set_server_id(&self, server_id: i64) {
        self.server_id.store(server_id, Ordering::Relaxed);
    }

    pub(super) fn submit(&self, lane: Lane, record: Record, done: Completion) -> Result<(), LedgerError> {
        let mut state = self.lock();
        if state.closed {
            return Err(LedgerError::Stopped);
        }
        if let Some(reason) = &state.down {
            return Err(LedgerError::Down { reason: reason.clone() });
        }
        let (queue, limit) = match lane {
            Lane::Interactive => (&mut state.interactive, self.settings.queue_length),
            Lane::Bulk => (&mut state.bulk, self.settings.bulk_queue_length),
        };
        if queue.len() >= limit {
            return Err(LedgerError::Full);
        }
        queue.push_back(Waiting { record, done });
        let wake = state.sleeping || (state.lingering && self.is_enough(&state));
        if wake {
            (state.sleeping, state.lingering) = (false, false);
        }
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    pub(super) fn announce(&self) {
        self.announced.fetch_add(1, Ordering::Relaxed);
    }

    /// An announced record has come; its `submit` follows.
    pub(super) fn arrive(&self) {
        self.announced.fetch_sub(1, Ordering::Relaxed);
    }

    /// An announced record will not come.
    pub(super) fn retract(&self) {
        self.arrive();
        let mut state = self.lock();
        if state.lingering && self.is_enough(&state) {
            state.lingering = false;
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// Whether waiting for more gains little: nothing is announced, or no more than waits already.
    fn is_enough(&self, state: &State) -> bool {
        let waiting = state.interactive.len() + state.bulk.len();
        let announced = self.announced.load(Ordering::Relaxed);
        announced == 0 || (waiting >= WORTH_A_COMMIT && waiting >= announced.min(MAX_GROUP))
    }

    /// Everything that arrived during the last commit, up to a group's size.
    pub(super) fn next(&self, idle_after: Duration) -> Next {
        let mut state = self.lock();
        while state.is_empty() {
            if state.closed {
                return Next::Closed;
            }
            state.sleeping = true;
            let (again, waited) = self.arrived.wait_timeout(state, idle_after).unwrap_or_else(PoisonError::into_inner);
            state = again;
            state.sleeping = false;
            if waited.timed_out() && state.is_empty() {
                return if state.closed { Next::Closed } else { Next::Idle };
            }
        }
        let until = Instant::now() + LINGER;
        while !state.closed && !self.is_enough(&state) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state.lingering = true;
            state = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.lingering = false;
        }
        let interactive = state.interactive.len().min(MAX_GROUP);
        let bulk = state.bulk.len().min(MAX_GROUP - interactive);
        let mut group = Vec::with_capacity(interactive + bulk);
        group.extend(state.interactive.drain(..interactive));
        group.extend(state.bulk.drain(..bulk));
        let left = state.interactive.len() + state.bulk.len();
        drop(state);
        self.waiting.set(f64::from(u32::try_from(left).unwrap_or(u32::MAX)));
        Next::Group(group)
    }

    /// From now on records are refused at once; what waits is handed out to be refused.
    pub(super) fn set_down(&self, reason: String) -> Vec<Waiting> {
        self.up.store(false, Ordering::Relaxed);
        let mut state = self.lock();
        state.down = Some(reason);
        let mut waiting: Vec<Waiting> = state.interactive.drain(..).collect();
        waiting.extend(state.bulk.drain(..));
        waiting
    }

    pub(super) fn set_up(&self) {
        self.lock().down = None;
        self.up.store(true, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
        self.ended.notify_all();
    }

    /// Whether the queue is closed, or gets closed within so long.
    pub(super) fn is_closed_within(&self, limit: Duration) -> bool {
        let ended = self.ended.wait_timeout_while(self.lock(), limit, |state| !state.closed);
        ended.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    pub(super) fn health(&self) -> LedgerHealth {
        let state = self.lock();
        LedgerHealth {
            down: state.down.clone(),
            waiting: state.interactive.len() + state.bulk.len(),
            server_id: self.server_id.load(Ordering::Relaxed),
        }
    }
}
