//! The thread that keeps a server's shelf current: it hears of a new CRL when it is published.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::{Unit, describe_gauge};

use super::health::{self, CrlHealth};
use super::shelf::{Shelf, ShelfError, now_s};
use crate::store::{ChangeWatch, Store};

/// How often the store is asked whatever it said.
const POLL: Duration = Duration::from_millis(500);
/// The least time between two looks: every change of anything wakes this thread.
const REST: Duration = Duration::from_millis(50);

/// How often changes that wait for a CRL are looked for, and CRLs that are late.
const CHANGES: Duration = Duration::from_secs(5);

/// Keeps a shelf current until it is stopped.
pub struct ShelfKeeper {
    stopping: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ShelfKeeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(shelf: Arc<Shelf>, store: Arc<Store>) -> std::io::Result<Self> {
        describe_gauge!("noonmark_crl_next_update_timestamp_seconds", Unit::Seconds, "When a published CRL ends");
        describe_gauge!("noonmark_crl_number", "A published CRL's number");
        describe_gauge!("noonmark_crl_entries", "How many certificates a published CRL lists");
        describe_gauge!(
            "noonmark_crl_change_waiting_seconds",
            Unit::Seconds,
            "How long the oldest change has waited for a complete CRL; 0 if none waits"
        );
        describe_gauge!("noonmark_crl_octets", Unit::Bytes, "A published CRL's size");
        let stopping = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stopping);
        let thread = std::thread::Builder::new().name("crl-shelf".to_owned()).spawn(move || {
            let (mut was_silent, mut shouted, mut counted) = (None, BTreeSet::new(), None);
            let mut watch: Option<ChangeWatch> = None;
            while !asked.load(Ordering::Relaxed) {
                let looked = Instant::now();
                look(&shelf, &store, &mut was_silent);
                if counted.is_none_or(|counted: Instant| counted.elapsed() >= CHANGES) {
                    counted = Some(Instant::now());
                    shout(&shelf, &mut shouted);
                    if let Err(error) = shelf.look_for_changes(&store) {
                        tracing::debug!(%error, "changes that wait for a CRL could not be looked for");
                    }
                }
                std::thread::sleep(REST.saturating_sub(looked.elapsed()));
                match &mut watch {
                    // One that lost its connection makes a new one at its next wait.
                    Some(watch) => drop(watch.wait(POLL)),
                    // What was published until it listens is not told of: the next look follows at once.
                    None => match store.watch_changes() {
                        Ok(made) => watch = Some(made),
                        Err(_) => std::thread::sleep(POLL),
                    },
                }
            }
        })?;
        Ok(Self { stopping, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that fetches published CRLs ended by a panic");
        }
    }
}

/// Tells once of each CRL that is not renewed in time, and once more when it has ended.
fn shout(shelf: &Shelf, shouted: &mut BTreeSet<(i64, bool)>) {
    let (now_s, rows) = (now_s(), shelf.rows());
    shouted.retain(|(id, _)| rows.iter().any(|(_, row)| row.id == *id));
    for (issuer, row) in &rows {
        let has_ended = match health::of_one(row, now_s) {
            CrlHealth::Late { .. } => false,
            CrlHealth::Ended { .. } => true,
            CrlHealth::Good | CrlHealth::Missing(_) | CrlHealth::Waiting { .. } => continue,
        };
        if shouted.insert((row.id, has_ended)) {
            let (scope, number, left_s) = (row.scope.name(), row.number, row.next_update_s - now_s);
            tracing::error!(
                issuer,
                scope,
                number,
                left_s,
                "a CRL is not renewed: clients refuse certificates once it has ended"
            );
        }
    }
}

/// Tells a failure once, not at every look.
fn look(shelf: &Shelf, store: &Store, told: &mut Option<String>) {
    let error: Option<ShelfError> = match shelf.refresh(store) {
        Ok((has_changed, in_the_way)) => {
            if has_changed {
                tracing::info!("new CRLs are served");
            }
            in_the_way.into_iter().next()
        }
        Err(error) => Some(error),
    };
    let text = error.map(|error| error.to_string());
    if let Some(text) = text.as_ref().filter(|text| told.as_ref() != Some(*text)) {
        tracing::warn!(reason = %text, "published CRLs could not be fetched; those before them are served");
    }
    *told = text;
}
