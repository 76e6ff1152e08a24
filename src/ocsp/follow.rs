//! Hearing of changed certificates: those that this server made, and those of every other process on the same store.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::ahead::Ahead;
use super::issuer::ServedIssuer;
use super::responder::Responder;
use crate::store::{ChangeWatch, Store, StoreError};

/// How often the store is asked whatever it said: a notification that is lost costs no more (design: 300 ms).
const POLL: Duration = Duration::from_millis(250);
/// Rows read at once.
const PAGE: u32 = 4_096;
/// Changes that are followed one by one; more of them at once (an import) make everything be read anew.
const MAX_FOLLOWED: usize = 20_000;
/// Without a word from the store for so long, the server says so.
const SILENCE_S: i64 = 2;

/// The thread that follows.
pub struct Follower {
    stopping: Arc<AtomicBool>,
    heard_at_s: Arc<AtomicI64>,
    /// The one that follows, and the one that it asks to look at the catalog, which ends after it.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Follower {
    /// Starts it. `catalog` is called about once a second: issuers or responders may be others. It has a thread of its own, since
    /// it may wait for a token, and revocations must not.
    ///
    /// # Errors
    /// No thread from the system.
    pub fn start(
        responder: Arc<Responder>,
        ahead: Arc<Ahead>,
        mut catalog: impl FnMut() + Send + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let (ask, asked) = sync_channel::<()>(1);
        let looking = std::thread::Builder::new().name("ocsp-catalog".to_owned()).spawn(move || {
            while asked.recv().is_ok() {
                catalog();
            }
        })?;
        let stopping = Arc::new(AtomicBool::new(false));
        let heard_at_s = Arc::new(AtomicI64::new(now_s()));
        let mut following = Following {
            store: Arc::clone(&responder.store),
            responder,
            ahead,
            catalog: ask,
            stopping: Arc::clone(&stopping),
            heard_at_s: Arc::clone(&heard_at_s),
        };
        let thread = std::thread::Builder::new().name("ocsp-follow".to_owned()).spawn(move || {
            following.run();
        })?;
        Ok(Arc::new(Self { stopping, heard_at_s, threads: Mutex::new(vec![thread, looking]) }))
    }

    /// Since when the store has not told of changes, in seconds since 1970, if it is silent: a revocation on another
    /// server is not known here meanwhile.
    #[must_use]
    pub fn deaf_since_s(&self) -> Option<i64> {
        let heard_at_s = self.heard_at_s.load(Ordering::Relaxed);
        (now_s() - heard_at_s > SILENCE_S).then_some(heard_at_s)
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            if thread.join().is_err() {
                tracing::error!("a thread that follows certificates' changes ended by a panic");
            }
        }
    }
}

struct Following {
    store: Arc<Store>,
    responder: Arc<Responder>,
    ahead: Arc<Ahead>,
    catalog: SyncSender<()>,
    stopping: Arc<AtomicBool>,
    heard_at_s: Arc<AtomicI64>,
}

impl Following {
    fn run(&mut self) {
        let mut watch: Option<ChangeWatch> = None;
        let mut was_deaf = false;
        let mut rounds = 0_u32;
        while !self.stopping.load(Ordering::Relaxed) {
            if watch.is_none() {
                watch = self.store.watch_changes().ok();
            }
            match &mut watch {
                // One that lost its connection makes a new one at its next wait; the poll goes on without it.
                Some(watch) => drop(watch.wait(POLL)),
                None => std::thread::sleep(POLL),
            }
            // What changes from here on may be missed by the reading.
            let reading = Instant::now();
            match self.catch_up() {
                Ok(()) => {
                    self.responder.memory.heard(reading);
                    self.heard_at_s.store(now_s(), Ordering::Relaxed);
                    if std::mem::take(&mut was_deaf) {
                        tracing::info!("the store tells of certificates' changes again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut was_deaf, true) {
                        tracing::warn!(%error, "the store does not tell of certificates' changes; stored answers are served meanwhile");
                    }
                }
            }
            rounds = rounds.wrapping_add(1);
            if !was_deaf && rounds.is_multiple_of(4) {
                // One that is at it already looks again when it is asked next.
                self.catalog.try_send(()).ok();
            }
        }
    }

    fn catch_up(&self) -> Result<(), StoreError> {
        let numbers = self.store.issuer_numbers()?;
        for issuer in self.responder.issuers() {
            let Some((_, number)) = numbers.iter().find(|(id, _)| *id == issuer.id) else { continue };
            if *number > issuer.currency.applied() {
                self.follow(&issuer, *number)?;
            }
        }
        Ok(())
    }

    fn follow(&self, issuer: &Arc<ServedIssuer>, number: i64) -> Result<(), StoreError> {
        let mut changes: Vec<(i64, Vec<u8>)> = Vec::new();
        let mut after = (issuer.currency.applied(), vec![0xff; super::cache::MAX_SERIAL + 1]);
        loop {
            let page = self.store.changes_since(issuer.id, (after.0, &after.1), PAGE)?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            if let Some((number, serial)) = page.last() {
                after = (*number, serial.clone());
            }
            changes.extend(page);
            if is_last {
                break;
            }
            if changes.len() > MAX_FOLLOWED {
                issuer.currency.apply_all(number, || self.responder.memory.clear());
                self.ahead.look_through();
                return Ok(());
            }
        }
        if changes.is_empty() {
            // The number moved and no certificate has it: what had it has a newer one, which the next round brings.
            issuer.currency.apply_all(number, || self.responder.memory.clear());
            return Ok(());
        }
        // A reload may have given the issuer other responders since: what was kept for these goes as well.
        // Looked up once, but no sooner than others' answers are kept out.
        let mut served: Option<Arc<ServedIssuer>> = None;
        issuer.currency.apply(&changes, |serial| {
            let served = served.get_or_insert_with(|| {
                self.responder
                    .issuers()
                    .into_iter()
                    .find(|one| one.id == issuer.id)
                    .unwrap_or_else(|| Arc::clone(issuer))
            });
            self.responder.memory.forget(served, serial);
            self.responder.memory.forget(issuer, serial);
        });
        let issuer = served.as_ref().unwrap_or(issuer);
        for (_, serial) in &changes {
            self.ahead.changed(issuer, serial);
        }
        Ok(())
    }
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
