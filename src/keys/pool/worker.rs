//! A signing thread and its seat.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::keys::error::{KeyError, SignError};
use crate::keys::event::KeyEvent;
use crate::keys::signer::ChallengeError;

use super::after::{self, PutOff};
use super::key::Key;
use super::queue::{Completion, Job, SLOW_SIGNATURE, Shared, Work, lock};
use super::station::Station;

/// A thread's place in the pool, for one epoch.
pub(super) struct Seat {
    pub(super) place: usize,
    pub(super) epoch: u64,
    pub(super) name: String,
    pub(super) wake: Condvar,
    slot: Mutex<Slot>,
    pub(super) put_off: Mutex<PutOff>,
}

/// What a thread has in hand, where the watchdog can take it away.
#[derive(Default)]
struct Slot {
    /// Jobs taken from the queue and not begun.
    batch: VecDeque<Job>,
    running: Option<Running>,
    /// The watchdog gave the thread up: whatever it brings is dropped.
    lost: bool,
}

struct Running {
    since: Instant,
    /// None while the thread calls the module for itself: a challenge, closing a session.
    job: Option<(Arc<Key>, Completion)>,
}

/// What the watchdog takes from a thread that it gives up.
pub(super) struct Wreck {
    pub(super) job: Option<(Arc<Key>, Completion)>,
    pub(super) batch: VecDeque<Job>,
}

/// The watchdog has given this thread up.
struct GivenUp;

impl Seat {
    pub(super) fn new(place: usize, epoch: u64, name: String) -> Arc<Self> {
        Arc::new(Self { place, epoch, name, wake: Condvar::new(), slot: Mutex::default(), put_off: Mutex::default() })
    }

    /// Takes the next job of the batch in hand and marks it as begun.
    fn begin(&self) -> Option<(Arc<Key>, Vec<u8>, Instant)> {
        let mut slot = lock(&self.slot);
        let Job { key, message, done } = slot.batch.pop_front()?;
        let since = Instant::now();
        slot.running = Some(Running { since, job: Some((Arc::clone(&key), done)) });
        Some((key, message, since))
    }

    /// Marks that the thread calls the module for itself.
    fn begin_own(&self) {
        lock(&self.slot).running = Some(Running { since: Instant::now(), job: None });
    }

    /// Takes back what was begun, if the watchdog has not.
    fn finish(&self) -> Result<Option<Completion>, GivenUp> {
        let mut slot = lock(&self.slot);
        if slot.lost {
            return Err(GivenUp);
        }
        Ok(slot.running.take().and_then(|running| running.job).map(|(_, done)| done))
    }

    fn take_batch(&self) -> VecDeque<Job> {
        std::mem::take(&mut lock(&self.slot).batch)
    }

    /// Gives the thread up if its call has been out since before `limit`.
    pub(super) fn give_up(&self, limit: Instant) -> Option<Wreck> {
        let mut slot = lock(&self.slot);
        if slot.running.as_ref()?.since > limit {
            return None;
        }
        slot.lost = true;
        let job = slot.running.take().and_then(|running| running.job);
        Some(Wreck { job, batch: std::mem::take(&mut slot.batch) })
    }
}

/// Starts the thread at `seat`, which the caller has put into its place.
pub(super) fn start(shared: &Arc<Shared>, seat: &Arc<Seat>, station: Station) -> Result<(), KeyError> {
    let (shared, seat) = (Arc::clone(shared), Arc::clone(seat));
    std::thread::Builder::new()
        .name(seat.name.clone())
        .spawn(move || {
            after::sit_down(&seat);
            let mut worker = Worker { shared, seat, station: Some(station) };
            let outcome = match catch_unwind(AssertUnwindSafe(|| worker.work())) {
                Ok(outcome) => outcome,
                Err(_) => worker.after_panic(),
            };
            worker.leave(outcome);
        })
        .map(drop)
        .map_err(KeyError::Thread)
}

/// The signature, verified under the certificate's key if that is due.
fn verified(key: &Key, message: &[u8], value: Vec<u8>) -> Result<Vec<u8>, SignError> {
    if key.is_verification_due() && key.spec.public_key.verify(key.spec.algorithm, message, &value).is_err() {
        let reason = format!(
            "a signature of the key {:?} does not verify under its certificate: the token signs with another key",
            key.spec.name
        );
        return Err(SignError::TokenLost { reason: reason.into() });
    }
    Ok(value)
}

struct Worker {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    station: Option<Station>,
}

impl Worker {
    fn work(&mut self) -> Result<(), GivenUp> {
        loop {
            match self.shared.next_work(&self.seat) {
                Work::End => return Ok(()),
                Work::Station(station) => {
                    self.seat.begin_own();
                    // Closing the old session is a call into the module.
                    self.station = Some(station);
                    self.seat.finish()?;
                }
                Work::Jobs(jobs) => {
                    lock(&self.seat.slot).batch = jobs;
                    while self.shared.epoch.load(Ordering::Acquire) == self.seat.epoch {
                        let Some((key, message, since)) = self.seat.begin() else { break };
                        self.serve(&key, &message, since)?;
                        if since.elapsed() > SLOW_SIGNATURE || self.seat.is_overdue() {
                            self.seat.do_put_off();
                        }
                    }
                    let rest = self.seat.take_batch();
                    if !rest.is_empty() {
                        let reason = "it was lost while the job waited".into();
                        self.shared.fail(rest, &SignError::TokenLost { reason });
                    }
                    self.seat.do_put_off();
                }
            }
        }
    }

    fn serve(&mut self, key: &Arc<Key>, message: &[u8], since: Instant) -> Result<(), GivenUp> {
        let result = match &mut self.station {
            Some(station) => station.sign(key, message).and_then(|value| verified(key, message, value)),
            None => Err(SignError::Stopped),
        };
        let Some(done) = self.seat.finish()? else { return Ok(()) };
        match result {
            Ok(value) => {
                key.measures.ok.increment(1);
                let took = since.elapsed();
                self.shared.note_signature(took);
                key.measures.seconds.record(took);
                self.shared.complete(key, done, Ok(value));
                Ok(())
            }
            Err(error) => {
                key.measures.failed.increment(1);
                if error.means_token_lost() {
                    // Before the completion: whoever hears of it must not be able to submit to a token that is gone.
                    self.shared.lose_token(self.seat.epoch, &error.to_string());
                    self.shared.complete(key, done, Err(error));
                    return Ok(());
                }
                tracing::warn!(token = %self.shared.settings.name, key = %key.spec.name, %error, "a signature failed");
                self.shared.complete(key, done, Err(error));
                self.prove_session(key)
            }
        }
    }

    /// After an error the session must sign a challenge before its next job.
    fn prove_session(&mut self, key: &Arc<Key>) -> Result<(), GivenUp> {
        let Some(station) = &self.station else { return Ok(()) };
        self.seat.begin_own();
        let proven = station.challenge(key);
        self.seat.finish()?;
        if let Err(error) = proven {
            if error == ChallengeError::Mismatch {
                self.shared.emit(KeyEvent::ChallengeFailed {
                    token: self.shared.settings.name.clone(),
                    key: key.spec.name.clone(),
                    uri: key.spec.uri.clone(),
                    reason: error.to_string(),
                });
            }
            let reason = format!("after a failed signature the key {:?} failed its challenge: {error}", key.spec.name);
            self.shared.lose_token(self.seat.epoch, &reason);
        }
        Ok(())
    }

    /// A defect of ours or of the library: the job in hand fails, and the session is not trusted any more.
    fn after_panic(&mut self) -> Result<(), GivenUp> {
        tracing::error!(token = %self.shared.settings.name, thread = %self.seat.name, "a signing thread panicked");
        let mut slot = lock(&self.seat.slot);
        if slot.lost {
            return Err(GivenUp);
        }
        let job = slot.running.take().and_then(|running| running.job);
        let batch = std::mem::take(&mut slot.batch);
        drop(slot);
        self.shared.lose_token(self.seat.epoch, "a signing thread panicked; see the log");
        if let Some((key, done)) = job {
            key.measures.failed.increment(1);
            self.shared.complete(&key, done, Err(SignError::Panicked));
        }
        self.shared.fail(batch, &SignError::Panicked);
        self.seat.do_put_off();
        Ok(())
    }

    /// Closes the session and gives the place free.
    fn leave(mut self, outcome: Result<(), GivenUp>) {
        let outcome = match outcome {
            Ok(()) => {
                self.seat.begin_own();
                drop(self.station.take());
                self.seat.finish().map(drop)
            }
            Err(given_up) => {
                drop(self.station.take());
                Err(given_up)
            }
        };
        let mut state = self.shared.lock();
        let lost = match outcome {
            Ok(()) => {
                if let Some(place) = state.seats.get_mut(self.seat.place)
                    && place.as_ref().is_some_and(|seat| Arc::ptr_eq(seat, &self.seat))
                {
                    *place = None;
                }
                None
            }
            Err(GivenUp) => {
                state.lost = state.lost.saturating_sub(1);
                Some(state.lost)
            }
        };
        state.nudged = true;
        drop(state);
        self.shared.watch.notify_all();
        if let Some(lost) = lost {
            let (token, thread) = (self.shared.settings.name.clone(), self.seat.name.clone());
            self.shared.emit(KeyEvent::ThreadReturned { token, thread, lost });
        }
    }
}
