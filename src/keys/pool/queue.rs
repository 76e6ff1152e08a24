//! The state that the pool's threads share: two lanes, the seats, the phase.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::keys::error::{KeyError, SignError, SubmitError};
use crate::keys::event::{EventSink, KeyEvent};
use crate::keys::settings::TokenSettings;
use crate::keys::token::TokenFacts;

use super::attempt::discard;
use super::health::LastError;
use super::key::{Key, KeyHandle, KeySet};
use super::measure::{LaneMeasures, PoolMeasures};
use super::station::Station;
use super::worker::Seat;

/// What a job's owner wants done with the outcome. Called exactly once, on a thread of the pool.
pub type Completion = Box<dyn FnOnce(Result<Vec<u8>, SignError>) + Send>;

/// How long a stopping pool may sign what is queued; a service manager's patience is 90 s.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// Interactive jobs that a thread takes under one lock: enough that the lock costs nothing beside the signatures, few
/// enough that a thread which falls idle meanwhile does not wait long.
const BATCH: usize = 16;

/// A second thread is woken for jobs that would keep the first one busy for longer than this. Below it the wake-up, and
/// the threads' meeting in the module's own locks, cost more than they save.
const WORTH_WAKING: Duration = Duration::from_millis(1);
/// From this long a signature on, every job that waits is worth a thread of its own.
pub(super) const SLOW_SIGNATURE: Duration = Duration::from_micros(200);

/// Which queue a job waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Someone waits for it.
    Interactive,
    /// One of many; waits while interactive jobs are there.
    Bulk,
}

/// A message to be signed.
pub(super) struct Job {
    pub(super) key: Arc<Key>,
    pub(super) message: Vec<u8>,
    pub(super) done: Completion,
}

/// What the pool does at present.
pub(super) enum Phase {
    Ready,
    Recovering { since: SystemTime, since_instant: Instant, reason: Arc<str> },
    Draining { deadline: Instant },
    Stopped,
}

/// An exchange of keys that waits for the supervisor.
pub(super) struct KeyRequest {
    pub(super) keys: Arc<KeySet>,
    pub(super) reply: Sender<Result<(), KeyError>>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) interactive: VecDeque<Job>,
    pub(super) bulk: VecDeque<Job>,
    /// The threads, each at its place; None where one ended or was lost.
    pub(super) seats: Vec<Option<Arc<Seat>>>,
    /// The places whose threads wait for work. Whoever wakes one takes it out, so that none is woken twice.
    pub(super) idle: Vec<usize>,
    /// A new station for each place, to be taken up by its thread before its next job.
    pub(super) handover: Vec<Option<Station>>,
    /// Threads whose call has not returned.
    pub(super) lost: usize,
    pub(super) keys: Arc<KeySet>,
    pub(super) request: Option<KeyRequest>,
    /// The supervisor has something to look at.
    pub(super) nudged: bool,
    pub(super) first_attempt_over: bool,
    pub(super) last_error: Option<LastError>,
    pub(super) facts: Option<TokenFacts>,
}

pub(super) struct Shared {
    pub(super) settings: TokenSettings,
    events: EventSink,
    pub(super) measures: PoolMeasures,
    state: Mutex<State>,
    /// Wakes the supervisor and whoever waits for its results.
    pub(super) watch: Condvar,
    /// Counts the token's losses: a thread of an earlier epoch ends.
    pub(super) epoch: AtomicU64,
    /// How long a signature took of late, in nanoseconds, a moving mean.
    signature_ns: AtomicU64,
    /// Held during an exchange of keys.
    pub(super) exchange: Mutex<()>,
}

/// What a thread gets when it asks for work.
pub(super) enum Work {
    Jobs(VecDeque<Job>),
    Station(Station),
    End,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that could panic runs under the pool's locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(settings: TokenSettings, keys: Arc<KeySet>, events: EventSink) -> Arc<Self> {
        let sessions = settings.sessions;
        let state = State {
            phase: Phase::Recovering {
                since: SystemTime::now(),
                since_instant: Instant::now(),
                reason: "the pool is starting".into(),
            },
            interactive: VecDeque::new(),
            bulk: VecDeque::new(),
            seats: (0..sessions).map(|_| None).collect(),
            idle: Vec::with_capacity(sessions),
            handover: (0..sessions).map(|_| None).collect(),
            lost: 0,
            keys,
            request: None,
            nudged: false,
            first_attempt_over: false,
            last_error: None,
            facts: None,
        };
        let measures = PoolMeasures::new(&settings.name);
        Arc::new(Self {
            settings,
            events,
            measures,
            state: Mutex::new(state),
            watch: Condvar::new(),
            epoch: AtomicU64::new(0),
            signature_ns: AtomicU64::new(0),
            exchange: Mutex::new(()),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn wait_for_first_attempt(&self) {
        // Bounded: an attempt that makes no progress is given up by the supervisor.
        drop(
            self.watch
                .wait_while(self.lock(), |state| !state.first_attempt_over)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    pub(super) fn wait_until_stopped(&self, limit: Duration) {
        // The supervisor keeps the limit; what is added covers a busy machine.
        let patience = limit + Duration::from_secs(1);
        drop(
            self.watch
                .wait_timeout_while(self.lock(), patience, |state| !matches!(state.phase, Phase::Stopped))
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Tells the supervisor to look.
    pub(super) fn nudge(&self) {
        self.lock().nudged = true;
        self.watch.notify_all();
    }

    pub(super) fn emit(&self, event: KeyEvent) {
        // A panicking sink must not take a signing thread with it.
        if catch_unwind(AssertUnwindSafe(|| (self.events)(event))).is_err() {
            tracing::error!(token = %self.settings.name, "the key event sink panicked (a defect)");
        }
    }

    pub(super) fn complete(&self, key: &Key, done: Completion, result: Result<Vec<u8>, SignError>) {
        if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            self.measures.completions_panicked.increment(1);
            let (token, key) = (self.settings.name.clone(), key.spec.name.clone());
            self.emit(KeyEvent::CompletionPanicked { token, key });
        }
    }

    pub(super) fn fail(&self, jobs: impl IntoIterator<Item = Job>, error: &SignError) -> usize {
        let mut count = 0;
        for job in jobs {
            count += 1;
            job.key.measures.failed.increment(1);
            self.complete(&job.key, job.done, Err(error.clone()));
        }
        count
    }

    fn lane_measures(&self, lane: Lane) -> &LaneMeasures {
        match lane {
            Lane::Interactive => &self.measures.interactive,
            Lane::Bulk => &self.measures.bulk,
        }
    }

    pub(super) fn submit(
        &self,
        lane: Lane,
        key: &KeyHandle,
        message: Vec<u8>,
        done: Completion,
    ) -> Result<(), SubmitError> {
        let job = Job { key: Arc::clone(&key.0), message, done };
        let mut guard = self.lock();
        let state = &mut *guard;
        let refused = match &state.phase {
            Phase::Ready => None,
            Phase::Recovering { reason, .. } => Some(Arc::clone(reason)),
            Phase::Draining { .. } | Phase::Stopped => Some("the pool is stopping".into()),
        };
        if let Some(reason) = refused {
            drop(guard);
            self.lane_measures(lane).not_ready.increment(1);
            return Err(SubmitError::NotReady { reason });
        }
        let (queue, bound) = match lane {
            Lane::Interactive => (&mut state.interactive, self.settings.queue_length),
            Lane::Bulk => (&mut state.bulk, self.settings.bulk_queue_length),
        };
        if queue.len() >= bound {
            drop(guard);
            self.lane_measures(lane).full.increment(1);
            return Err(SubmitError::Full);
        }
        queue.push_back(job);
        let seat = if lane == Lane::Bulk || self.is_worth_waking(state) { state.wake_for(lane) } else { None };
        drop(guard);
        if let Some(seat) = seat {
            seat.wake.notify_one();
        }
        Ok(())
    }

    /// Whether what waits is too much for the threads at work.
    fn is_worth_waking(&self, state: &State) -> bool {
        let at_work = state.seats.iter().flatten().count().saturating_sub(state.idle.len());
        if at_work == 0 {
            return true;
        }
        let signature = Duration::from_nanos(self.signature_ns.load(Ordering::Relaxed));
        let waiting = u32::try_from(state.interactive.len()).unwrap_or(u32::MAX);
        let bound = WORTH_WAKING.saturating_mul(u32::try_from(at_work).unwrap_or(u32::MAX));
        signature >= SLOW_SIGNATURE || signature.saturating_mul(waiting) > bound
    }

    /// Takes note of how long a signature took. Threads that meet here lose one of their notes, which does no harm.
    pub(super) fn note_signature(&self, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let mean_ns = self.signature_ns.load(Ordering::Relaxed);
        self.signature_ns.store(mean_ns - mean_ns / 8 + took_ns / 8, Ordering::Relaxed);
    }

    /// What the thread at `seat` does next; waits until there is something.
    pub(super) fn next_work(&self, seat: &Arc<Seat>) -> Work {
        let mut guard = self.lock();
        loop {
            let state = &mut *guard;
            if self.epoch.load(Ordering::Acquire) != seat.epoch {
                return Work::End;
            }
            if let Some(station) = state.handover.get_mut(seat.place).and_then(Option::take) {
                return Work::Station(station);
            }
            if !state.interactive.is_empty() {
                // A fair share, so that jobs do not wait in one thread's batch while another is idle.
                let share = state.interactive.len().div_ceil(self.settings.sessions).min(BATCH);
                return Work::Jobs(state.interactive.drain(..share).collect());
            }
            if self.takes_bulk(seat.place)
                && let Some(job) = state.bulk.pop_front()
            {
                return Work::Jobs(VecDeque::from([job]));
            }
            if matches!(state.phase, Phase::Draining { .. } | Phase::Stopped) {
                return Work::End;
            }
            state.idle.push(seat.place);
            guard = seat
                .wake
                .wait_while(guard, |state| state.idle.contains(&seat.place))
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first thread is kept for interactive jobs, unless it is the only one.
    pub(super) fn takes_bulk(&self, place: usize) -> bool {
        place > 0 || self.settings.sessions == 1
    }

    /// The token, or what the threads of `epoch` know of it, is gone: refuse, fail what is queued, end the threads.
    pub(super) fn lose_token(&self, epoch: u64, reason: &str) {
        let reason: Arc<str> = reason.into();
        let mut guard = self.lock();
        let state = &mut *guard;
        if self.epoch.load(Ordering::Acquire) != epoch || matches!(state.phase, Phase::Stopped) {
            return;
        }
        self.epoch.store(epoch + 1, Ordering::Release);
        if !matches!(state.phase, Phase::Draining { .. }) {
            state.phase = Phase::Recovering {
                since: SystemTime::now(),
                since_instant: Instant::now(),
                reason: Arc::clone(&reason),
            };
        }
        state.last_error = Some(LastError { at: SystemTime::now(), reason: reason.to_string(), key_at_fault: false });
        let jobs: Vec<Job> = state.interactive.drain(..).chain(state.bulk.drain(..)).collect();
        let stations: Vec<Station> = state.handover.iter_mut().filter_map(Option::take).collect();
        let seats = state.wake_all();
        state.nudged = true;
        drop(guard);
        self.watch.notify_all();
        for seat in seats {
            seat.wake.notify_one();
        }
        if !stations.is_empty() {
            discard(stations);
        }
        self.measures.token_up.set(0.0);
        self.measures.token_lost.increment(1);
        self.emit(KeyEvent::TokenLost { token: self.settings.name.clone(), reason: reason.to_string() });
        self.fail(jobs, &SignError::TokenLost { reason });
    }

    /// The supervisor is gone by a defect: nothing is signed any more.
    pub(super) fn collapse(&self) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.phase = Phase::Stopped;
        state.first_attempt_over = true;
        state.request = None;
        self.epoch.fetch_add(1, Ordering::AcqRel);
        let jobs: Vec<Job> = state.interactive.drain(..).chain(state.bulk.drain(..)).collect();
        let seats = state.wake_all();
        drop(guard);
        self.watch.notify_all();
        for seat in seats {
            seat.wake.notify_one();
        }
        self.measures.token_up.set(0.0);
        let refused = self.fail(jobs, &SignError::Stopped);
        self.emit(KeyEvent::Stopped { token: self.settings.name.clone(), refused });
    }

    pub(super) fn begin_drain(&self, deadline: Instant) {
        let mut guard = self.lock();
        if matches!(guard.phase, Phase::Draining { .. } | Phase::Stopped) {
            return;
        }
        guard.phase = Phase::Draining { deadline };
        guard.nudged = true;
        let seats = guard.wake_all();
        drop(guard);
        self.watch.notify_all();
        for seat in seats {
            seat.wake.notify_one();
        }
    }
}

impl State {
    /// An idle thread for a job of this lane, if there is one: for an interactive job rather the one that takes no
    /// bulk jobs. With one session place 0 takes both.
    fn wake_for(&mut self, lane: Lane) -> Option<Arc<Seat>> {
        if self.idle.is_empty() {
            return None;
        }
        let reserved = self.idle.iter().position(|place| *place == 0);
        let at = match lane {
            Lane::Interactive => reserved.unwrap_or(0),
            Lane::Bulk if self.seats.len() == 1 => reserved?,
            Lane::Bulk => self.idle.iter().position(|place| *place != 0)?,
        };
        let place = self.idle.swap_remove(at);
        self.seats.get(place)?.clone()
    }

    /// Every thread that waits.
    pub(super) fn wake_all(&mut self) -> Vec<Arc<Seat>> {
        let places = std::mem::take(&mut self.idle);
        places.into_iter().filter_map(|place| self.seats.get(place)?.clone()).collect()
    }
}
