//! The supervisor: watches the signing threads, gets a lost token back, exchanges keys, ends the pool.
//!
//! It never calls the module itself: an [`Attempt`] does, and can be left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crate::keys::error::{KeyError, SignError};
use crate::keys::event::KeyEvent;
use crate::keys::pkcs11::PinGuard;
use crate::keys::token::TokenFacts;

use super::attempt::{Attempt, Sight, discard};
use super::health::LastError;
use super::key::KeySet;
use super::queue::{Job, KeyRequest, Phase, Shared, State};
use super::station::{BroughtUp, Plan, Station};
use super::worker::{self, Seat, Wreck};

/// The first pause between attempts, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// A token that served for less than this is taken for still ailing: the pauses go on where they were.
const STEADY: Duration = Duration::from_secs(5);
/// How often the threads are looked at: a hanging call is noticed an eighth of the timeout late at most.
const SLOWEST_LOOK: Duration = Duration::from_millis(250);
const FASTEST_LOOK: Duration = Duration::from_millis(5);

/// Starts the supervisor's thread.
pub(super) fn start(shared: &Arc<Shared>) -> Result<(), KeyError> {
    let supervisor = Supervisor {
        shared: Arc::clone(shared),
        guard: Arc::default(),
        under_way: None,
        next_attempt: Instant::now(),
        pause: FIRST_PAUSE,
        ready_since: None,
        generation: None,
        renew_next: false,
        told_lost: false,
        served_before: false,
        last_reason: String::new(),
    };
    std::thread::Builder::new()
        .name(format!("sign-watch-{}", shared.settings.name))
        .spawn(move || {
            let shared = Arc::clone(&supervisor.shared);
            if catch_unwind(AssertUnwindSafe(|| supervisor.run())).is_err() {
                tracing::error!(token = %shared.settings.name, "the pool's supervisor panicked; the pool has stopped");
                shared.collapse();
            }
        })
        .map(drop)
        .map_err(KeyError::Thread)
}

/// What an attempt is for.
enum Purpose {
    /// All sessions, since the pool does not serve.
    Recover,
    /// Sessions for the places that are empty.
    Refill,
    /// All sessions anew, with other keys.
    Exchange,
}

struct UnderWay {
    attempt: Attempt,
    purpose: Purpose,
    epoch: u64,
    keys: Arc<KeySet>,
    request: Option<KeyRequest>,
}

struct Supervisor {
    shared: Arc<Shared>,
    guard: Arc<PinGuard>,
    under_way: Option<UnderWay>,
    next_attempt: Instant,
    pause: Duration,
    ready_since: Option<Instant>,
    /// The module's life that the last sessions belonged to.
    generation: Option<u64>,
    /// The next attempt starts the module anew: the last one failed, or the token was lost.
    renew_next: bool,
    /// An event told that the token is lost.
    told_lost: bool,
    served_before: bool,
    /// The last reason told, so that the same one is not told at each attempt.
    last_reason: String,
}

impl Supervisor {
    fn run(mut self) {
        let look = (self.shared.settings.call_timeout / 8).clamp(FASTEST_LOOK, SLOWEST_LOOK);
        loop {
            self.watch_threads();
            self.look_at_attempt();
            if self.finish_if_drained() {
                return;
            }
            self.begin_what_is_due();
            self.show_gauges();
            let mut state = self.shared.lock();
            if !state.nudged {
                state = self.shared.watch.wait_timeout(state, look).unwrap_or_else(PoisonError::into_inner).0;
            }
            state.nudged = false;
        }
    }

    /// Gives up the threads whose calls have not returned.
    fn watch_threads(&mut self) {
        let timeout = self.shared.settings.call_timeout;
        let Some(limit) = Instant::now().checked_sub(timeout) else { return };
        let mut wrecks: Vec<(Arc<Seat>, Wreck, usize)> = Vec::new();
        let mut orphans: Vec<Station> = Vec::new();
        let mut stranded: Vec<Job> = Vec::new();
        let mut state = self.shared.lock();
        for place in 0..state.seats.len() {
            let Some(seat) = state.seats.get(place).cloned().flatten() else { continue };
            let Some(mut wreck) = seat.give_up(limit) else { continue };
            if let Some(empty) = state.seats.get_mut(place) {
                *empty = None;
            }
            orphans.extend(state.handover.get_mut(place).and_then(Option::take));
            state.lost += 1;
            let batch = std::mem::take(&mut wreck.batch);
            if self.shared.epoch.load(Ordering::Acquire) == seat.epoch {
                // They have not begun: they go back to the head of the queue.
                for job in batch.into_iter().rev() {
                    state.interactive.push_front(job);
                }
            } else {
                stranded.extend(batch);
            }
            let lost = state.lost;
            wrecks.push((seat, wreck, lost));
        }
        // What waits for the end of a batch does not wait for a call that hangs.
        let overdue: Vec<Arc<Seat>> = state.seats.iter().flatten().filter(|seat| seat.is_overdue()).cloned().collect();
        let lost = state.lost;
        // Also where jobs wait behind a call that hangs and is not given up yet.
        let is_work = !state.interactive.is_empty() || !state.bulk.is_empty();
        let woken = if is_work || !wrecks.is_empty() { state.wake_all() } else { Vec::new() };
        let epoch = self.shared.epoch.load(Ordering::Acquire);
        let serving = matches!(state.phase, Phase::Ready);
        drop(state);
        for seat in woken {
            seat.wake.notify_one();
        }
        for seat in overdue {
            seat.do_put_off();
        }
        if wrecks.is_empty() {
            return;
        }
        if !orphans.is_empty() {
            discard(orphans);
        }
        if serving && lost > self.shared.settings.sessions {
            self.shared.lose_token(epoch, &KeyError::ModuleHangs { calls: lost }.to_string());
        }
        self.shared.fail(stranded, &SignError::TokenLost { reason: "it was lost while the job waited".into() });
        for (seat, wreck, lost) in wrecks {
            if let Some((key, done)) = wreck.job {
                key.measures.timed_out.increment(1);
                let error = SignError::TimedOut { after_ms: timeout.as_millis() };
                self.shared.complete(&key, done, Err(error));
            }
            seat.do_put_off();
            self.tell_lost(seat.name.clone(), lost);
        }
    }

    fn tell_lost(&self, thread: String, lost: usize) {
        self.shared.emit(KeyEvent::ThreadLost { token: self.shared.settings.name.clone(), thread, lost });
    }

    fn look_at_attempt(&mut self) {
        let Some(under_way) = &self.under_way else { return };
        let outcome = match under_way.attempt.look(self.shared.settings.call_timeout) {
            Sight::Working => return,
            Sight::Over(outcome) => *outcome,
            Sight::Hanging => {
                let mut state = self.shared.lock();
                state.lost += 1;
                let lost = state.lost;
                drop(state);
                self.tell_lost("sign-setup".to_owned(), lost);
                Err(KeyError::ModuleHangs { calls: lost })
            }
        };
        if let Some(under_way) = self.under_way.take() {
            match outcome {
                Ok(brought_up) => self.take_up(under_way, brought_up),
                Err(error) => self.note_failure(under_way, error),
            }
        }
    }

    /// Seats threads at the new stations, or hands these to the threads that are there.
    fn take_up(&mut self, under_way: UnderWay, brought_up: BroughtUp) {
        let BroughtUp { stations, facts, generation } = brought_up;
        if matches!(under_way.purpose, Purpose::Recover) {
            // Told before the first signature, so that a record of events reads in its true order.
            self.tell_back(&facts);
        }
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        let current = self.shared.epoch.load(Ordering::Acquire) == under_way.epoch;
        let expected = match under_way.purpose {
            Purpose::Recover => matches!(state.phase, Phase::Recovering { .. }),
            Purpose::Refill | Purpose::Exchange => matches!(state.phase, Phase::Ready),
        };
        if !current || !expected {
            let mut request = under_way.request;
            if matches!(state.phase, Phase::Recovering { .. }) {
                // The token was lost meanwhile: the keys are for the attempt to get it back.
                state.request = request.take();
            }
            drop(guard);
            discard(stations);
            answer(request, Err(KeyError::Stopped));
            return;
        }
        let (starts, spare) = seat_all(&self.shared, state, stations, under_way.epoch);
        state.keys = Arc::clone(&under_way.keys);
        state.phase = Phase::Ready;
        state.facts = Some(facts);
        state.first_attempt_over = true;
        let woken = state.wake_all();
        drop(guard);
        for seat in woken {
            seat.wake.notify_one();
        }
        if !spare.is_empty() {
            discard(spare);
        }
        for (seat, station) in starts {
            if let Err(error) = worker::start(&self.shared, &seat, station) {
                if let Some(place) = self.shared.lock().seats.get_mut(seat.place) {
                    *place = None;
                }
                self.shared.lose_token(under_way.epoch, &error.to_string());
            }
        }
        self.generation = generation;
        self.renew_next = generation.is_some();
        self.last_reason.clear();
        if under_way.request.is_some() {
            let keys = under_way.keys.iter().map(|key| key.spec.name.clone()).collect();
            self.shared.emit(KeyEvent::KeysChanged { token: self.shared.settings.name.clone(), keys });
        }
        self.shared.watch.notify_all();
        answer(under_way.request, Ok(()));
    }

    fn tell_back(&mut self, facts: &TokenFacts) {
        let after = match &self.shared.lock().phase {
            Phase::Recovering { since_instant, .. } => since_instant.elapsed(),
            _ => return,
        };
        self.ready_since = Some(Instant::now());
        // A token that is lost again at once is not tried again at once.
        self.next_attempt = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LAST_PAUSE);
        let token = self.shared.settings.name.clone();
        self.shared.emit(KeyEvent::LoggedIn { token: token.clone(), facts: facts.clone() });
        let told_lost = std::mem::take(&mut self.told_lost);
        if std::mem::replace(&mut self.served_before, true) || told_lost {
            self.shared.emit(KeyEvent::TokenBack { token, after });
        }
    }

    fn note_failure(&mut self, under_way: UnderWay, error: KeyError) {
        let reason = error.to_string();
        let token = self.shared.settings.name.clone();
        let news = self.last_reason != reason;
        if let KeyError::ChallengeFailed { key, uri, reason } = &error
            && news
        {
            let (key, uri, reason) = (key.clone(), uri.clone(), reason.clone());
            self.shared.emit(KeyEvent::ChallengeFailed { token: token.clone(), key, uri, reason });
        }
        let mut state = self.shared.lock();
        state.first_attempt_over = true;
        state.last_error =
            Some(LastError { at: SystemTime::now(), reason: reason.clone(), key_at_fault: error.is_of_a_key() });
        let seated = state.seats.iter().flatten().count();
        match under_way.purpose {
            Purpose::Recover => {
                if let Phase::Recovering { reason: told, .. } = &mut state.phase
                    // An exchange that failed says nothing of the keys that are configured.
                    && under_way.request.is_none()
                {
                    *told = reason.as_str().into();
                }
                drop(state);
                // What the last sessions belonged to says nothing of the life that this attempt began.
                self.generation = None;
                self.renew_next = error.asks_for_a_new_start();
                if news && under_way.request.is_none() {
                    self.last_reason.clone_from(&reason);
                    let event = if self.served_before || self.told_lost {
                        KeyEvent::StillLost { token, reason }
                    } else {
                        KeyEvent::TokenLost { token, reason }
                    };
                    self.told_lost = true;
                    self.shared.emit(event);
                }
            }
            Purpose::Refill => {
                drop(state);
                tracing::warn!(%token, %error, "no session for a lost thread's place");
                let grave = matches!(&error, KeyError::ChallengeFailed { .. })
                    || matches!(&error, KeyError::Call { error, .. } if error.means_token_lost());
                if grave || seated == 0 {
                    self.shared.lose_token(under_way.epoch, &reason);
                }
            }
            Purpose::Exchange => drop(state),
        }
        self.next_attempt = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LAST_PAUSE);
        self.shared.watch.notify_all();
        answer(under_way.request, Err(error));
    }

    fn begin_what_is_due(&mut self) {
        if self.under_way.is_some() {
            return;
        }
        let sessions = self.shared.settings.sessions;
        let mut state = self.shared.lock();
        if state.lost > sessions {
            // No more threads into a module that swallows them; those that return open the way again.
            let error = KeyError::ModuleHangs { calls: state.lost };
            if let Phase::Recovering { reason, .. } = &mut state.phase {
                *reason = error.to_string().into();
            }
            let request = state.request.take();
            drop(state);
            answer(request, Err(error));
            return;
        }
        let seated = state.seats.iter().flatten().count();
        let (purpose, count) = match &state.phase {
            // The threads of the lost epoch must have closed their sessions first.
            Phase::Recovering { .. } if seated > 0 => return,
            Phase::Recovering { .. } => {
                if self.ready_since.take().is_some_and(|since| since.elapsed() >= STEADY) {
                    self.pause = FIRST_PAUSE;
                    self.next_attempt = Instant::now();
                }
                if Instant::now() < self.next_attempt && state.request.is_none() {
                    return;
                }
                (Purpose::Recover, sessions)
            }
            Phase::Ready if state.request.is_some() => (Purpose::Exchange, sessions),
            Phase::Ready if seated < sessions && Instant::now() >= self.next_attempt => {
                (Purpose::Refill, sessions - seated)
            }
            _ => return,
        };
        let request = match purpose {
            Purpose::Refill => None,
            Purpose::Recover | Purpose::Exchange => state.request.take(),
        };
        let keys = request.as_ref().map_or_else(|| Arc::clone(&state.keys), |request| Arc::clone(&request.keys));
        let epoch = self.shared.epoch.load(Ordering::Acquire);
        drop(state);
        let renew = match purpose {
            // At the very first attempt the module may be in good use by others.
            Purpose::Recover if self.renew_next => Some(self.generation),
            _ => None,
        };
        let plan = Plan {
            settings: self.shared.settings.clone(),
            keys: Arc::clone(&keys),
            count,
            renew,
            guard: Arc::clone(&self.guard),
        };
        match Attempt::start(&self.shared, plan) {
            Ok(attempt) => self.under_way = Some(UnderWay { attempt, purpose, epoch, keys, request }),
            Err(error) => {
                tracing::error!(token = %self.shared.settings.name, %error, "no attempt at the token");
                self.next_attempt = Instant::now() + LAST_PAUSE;
                self.shared.lock().first_attempt_over = true;
                self.shared.watch.notify_all();
                answer(request, Err(error));
            }
        }
    }

    /// Ends the pool once it has drained, or its time is over.
    fn finish_if_drained(&mut self) -> bool {
        let mut state = self.shared.lock();
        let Phase::Draining { deadline } = state.phase else { return false };
        let seated = state.seats.iter().flatten().count();
        if seated > 0 && Instant::now() < deadline {
            return false;
        }
        state.phase = Phase::Stopped;
        state.first_attempt_over = true;
        let jobs: Vec<Job> = {
            let state = &mut *state;
            state.interactive.drain(..).chain(state.bulk.drain(..)).collect()
        };
        let stations: Vec<Station> = state.handover.iter_mut().filter_map(Option::take).collect();
        let request = state.request.take();
        let woken = state.wake_all();
        drop(state);
        for seat in woken {
            seat.wake.notify_one();
        }
        if !stations.is_empty() {
            discard(stations);
        }
        let refused = self.shared.fail(jobs, &SignError::Stopped);
        answer(request, Err(KeyError::Stopped));
        if let Some(under_way) = self.under_way.take() {
            answer(under_way.request, Err(KeyError::Stopped));
        }
        self.shared.measures.token_up.set(0.0);
        self.show_gauges();
        self.shared.emit(KeyEvent::Stopped { token: self.shared.settings.name.clone(), refused });
        self.shared.watch.notify_all();
        true
    }

    /// Gauges are shown here and not at each job: a scrape sees them a quarter of a second late at most.
    fn show_gauges(&self) {
        let (interactive, bulk, threads, lost, up) = {
            let state = self.shared.lock();
            let up = usize::from(matches!(state.phase, Phase::Ready));
            (state.interactive.len(), state.bulk.len(), state.seats.iter().flatten().count(), state.lost, up)
        };
        let measures = &self.shared.measures;
        for (gauge, value) in [
            (&measures.interactive.length, interactive),
            (&measures.bulk.length, bulk),
            (&measures.threads, threads),
            (&measures.threads_lost, lost),
            (&measures.token_up, up),
        ] {
            // All are bounded by settings far below 2^32.
            gauge.set(f64::from(u32::try_from(value).unwrap_or(u32::MAX)));
        }
    }
}

fn answer(request: Option<KeyRequest>, result: Result<(), KeyError>) {
    if let Some(request) = request {
        // The asker waits for it; if it has gone there is nobody to tell.
        request.reply.send(result).ok();
    }
}

/// Gives each station a place: to the thread that sits there, or to a new one, which the caller starts.
/// Empty places come first, so that a refill finds them.
fn seat_all(
    shared: &Shared,
    state: &mut State,
    stations: Vec<Station>,
    epoch: u64,
) -> (Vec<(Arc<Seat>, Station)>, Vec<Station>) {
    let mut starts = Vec::new();
    let mut spare = Vec::new();
    let mut places: Vec<usize> = (0..state.seats.len()).collect();
    places.sort_by_key(|place| state.seats.get(*place).is_some_and(Option::is_some));
    let mut places = places.into_iter();
    for station in stations {
        let Some(place) = places.next() else {
            spare.push(station);
            continue;
        };
        match state.seats.get_mut(place) {
            Some(Some(_)) => {
                if let Some(slot) = state.handover.get_mut(place) {
                    spare.extend(slot.replace(station));
                }
            }
            Some(empty) => {
                let seat = Seat::new(place, epoch, format!("sign-{}-{place}", shared.settings.name));
                *empty = Some(Arc::clone(&seat));
                starts.push((seat, station));
            }
            None => spare.push(station),
        }
    }
    (starts, spare)
}
