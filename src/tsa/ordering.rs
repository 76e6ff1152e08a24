//! Ordered times: a profile's tokens ascend strictly, across threads and servers (RFC 3161 §2.4.2, ordering).
//!
//! A thread of its own collects what arrived; after the batch was read, one statement on the profile's row gives its
//! times. Nothing is reserved ahead, so a client that asks again after its answer, of whichever server, hears a later time.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::authority::{Accepted, Deps, Waiting};
use super::{Profile, Refusal};
use crate::store::OrderedTimes;

/// The most requests that wait for their time; more are refused at once. Half a second's worth at 8,000 a second.
const MAX_WAITING: usize = 4_096;
/// The most requests that one statement serves, as many as one ledger group takes.
const MAX_BATCH: usize = 512;

/// Collects an ordering profile's requests and gives them their times.
pub(super) struct Orderer {
    queue: Arc<Queue>,
}

struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Accepted, Waiting)>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that arrived, at most a batch; empty when the orderer is gone.
    fn take(&self) -> Vec<(Accepted, Waiting)> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closed {
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.waiting.len().min(MAX_BATCH);
        state.waiting.drain(..count).collect()
    }
}

impl Orderer {
    pub(super) fn start(profile: &Profile, times: OrderedTimes, deps: Deps) -> Arc<Self> {
        let queue = Arc::new(Queue { state: Mutex::default(), arrived: Condvar::new() });
        let (name, accuracy_us) = (profile.name.clone(), i64::from(profile.accuracy_us));
        let taken = Arc::clone(&queue);
        let spawned = std::thread::Builder::new()
            .name(format!("order-{name}"))
            .spawn(move || run(&taken, times, &deps, &name, accuracy_us));
        if let Err(error) = spawned {
            tracing::error!(%error, "the ordering thread could not be started; the profile refuses");
            queue.lock().closed = true;
        }
        Arc::new(Self { queue })
    }

    pub(super) fn submit(&self, accepted: Accepted, waiting: Waiting) {
        let mut state = self.queue.lock();
        if state.closed || state.waiting.len() >= MAX_WAITING {
            drop(state);
            return waiting.refuse(Refusal::Overload);
        }
        state.waiting.push_back((accepted, waiting));
        drop(state);
        self.queue.arrived.notify_one();
    }
}

impl Drop for Orderer {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.arrived.notify_one();
    }
}

fn run(queue: &Queue, mut times: OrderedTimes, deps: &Deps, profile: &str, accuracy_us: i64) {
    loop {
        let batch = queue.take();
        if batch.is_empty() {
            return;
        }
        // The clock is read after the batch was: every request in it has wholly arrived.
        let Ok(reading) = deps.clock.read() else {
            batch.into_iter().for_each(|(_, waiting)| waiting.refuse(Refusal::Clock));
            continue;
        };
        let Ok(count) = u32::try_from(batch.len()) else { continue };
        let first_us = match times.take(profile, reading.unix_us, count) {
            Ok(first_us) => first_us,
            Err(error) => {
                tracing::warn!(profile, %error, "no ordered times from the store; requests are refused");
                batch.into_iter().for_each(|(_, waiting)| waiting.refuse(Refusal::Record));
                continue;
            }
        };
        for (time_us, (accepted, waiting)) in (first_us..).zip(batch) {
            // Running ahead of the clock by more than the declared accuracy would make the token false.
            if time_us - reading.unix_us > accuracy_us {
                waiting.refuse(Refusal::Clock);
            } else {
                waiting.served().stamp(deps, accepted, time_us, waiting);
            }
        }
    }
}
