//! A thread that does in the module what the supervisor must not: it may hang, and is then left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::keys::error::KeyError;
use crate::keys::event::KeyEvent;

use super::queue::{Shared, lock};
use super::station::{BroughtUp, Plan};

/// An attempt under way.
pub(super) struct Attempt {
    progress: Arc<Mutex<Progress>>,
}

struct Progress {
    /// When the thread last showed that it gets on.
    last: Instant,
    outcome: Option<Result<BroughtUp, KeyError>>,
    abandoned: bool,
}

/// What the supervisor sees of an attempt.
pub(super) enum Sight {
    Working,
    Hanging,
    Over(Box<Result<BroughtUp, KeyError>>),
}

const THREAD_NAME: &str = "sign-setup";

impl Attempt {
    pub(super) fn start(shared: &Arc<Shared>, plan: Plan) -> Result<Self, KeyError> {
        let progress = Arc::new(Mutex::new(Progress { last: Instant::now(), outcome: None, abandoned: false }));
        let (shared, reported) = (Arc::clone(shared), Arc::clone(&progress));
        std::thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || {
                let beat = || lock(&reported).last = Instant::now();
                let outcome = catch_unwind(AssertUnwindSafe(|| plan.carry_out(&beat)))
                    .unwrap_or(Err(KeyError::Library { doing: "opening the token (a panic; see the log)" }));
                report(&shared, &reported, outcome);
            })
            .map_err(KeyError::Thread)?;
        Ok(Self { progress })
    }

    /// How the attempt is; one that made no progress for `timeout` is abandoned by looking at it.
    pub(super) fn look(&self, timeout: Duration) -> Sight {
        let mut progress = lock(&self.progress);
        if let Some(outcome) = progress.outcome.take() {
            return Sight::Over(Box::new(outcome));
        }
        if progress.last.elapsed() <= timeout {
            return Sight::Working;
        }
        progress.abandoned = true;
        Sight::Hanging
    }
}

fn report(shared: &Arc<Shared>, reported: &Mutex<Progress>, outcome: Result<BroughtUp, KeyError>) {
    let mut progress = lock(reported);
    if !progress.abandoned {
        progress.outcome = Some(outcome);
        drop(progress);
        shared.nudge();
        return;
    }
    drop(progress);
    // Closes the sessions, which may hang again; the thread counts as lost until that is over.
    drop(outcome);
    let mut state = shared.lock();
    state.lost = state.lost.saturating_sub(1);
    let lost = state.lost;
    drop(state);
    shared.nudge();
    let (token, thread) = (shared.settings.name.clone(), THREAD_NAME.to_owned());
    shared.emit(KeyEvent::ThreadReturned { token, thread, lost });
}

/// Closes sessions that nobody wants, on a thread of its own.
pub(super) fn discard<T: Send + 'static>(stations: T) {
    // If no thread is to be had the closure is dropped here, which closes the sessions too.
    if let Err(error) = std::thread::Builder::new().name("sign-discard".to_owned()).spawn(move || drop(stations)) {
        tracing::warn!(%error, "no thread to close superfluous sessions on");
    }
}
