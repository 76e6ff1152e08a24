//! WAL checkpoints, on a thread of their own: no commit waits for one.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::gauge;
use rusqlite::Connection;

use super::Shared;
use crate::store::StoreError;

/// Between two looks at the WAL; a fast disk takes some 10 MiB of it in this time.
const INTERVAL: Duration = Duration::from_millis(250);
/// From this size on the WAL is copied into the database.
const PASSIVE_FROM_BYTES: u64 = 4 << 20;
/// From this much of it in use on, writers wait a moment, so that the WAL starts again from its beginning: under a
/// steady load a passive checkpoint never gets there. The file keeps its size: writing over what is there costs a commit
/// no change of the file's metadata.
const RESTART_FROM_BYTES: u64 = 32 << 20;
/// From this size of the file on writers also wait for the copying, and the file is cut.
const WAIT_FROM_BYTES: u64 = 48 << 20;
/// SQLite's default page size, which this store keeps; a frame has a little more.
const PAGE_BYTES: u64 = 4_096;
/// How long writers are held up for a reader that is still in the WAL …
const PATIENCE: Duration = Duration::from_millis(100);
/// … and how long they then are left alone: a backup by another process may read for minutes.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The WAL, and the lock that a checkpoint holds while it runs.
pub(super) struct Wal {
    path: PathBuf,
    running: Mutex<()>,
}

impl Wal {
    pub(super) fn of(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        Self { path: PathBuf::from(name), running: Mutex::new(()) }
    }

    fn size(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a disk that takes the WAL faster than the database from filling up.
    pub(super) fn wait_if_too_long(&self) {
        if self.size() >= WAIT_FROM_BYTES {
            drop(self.lock());
        }
    }
}

impl Checkpointer {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let connection = shared.reader()?;
        connection.busy_timeout(PATIENCE).map_err(|error| shared.error(error))?;
        let (stop, stopped) = channel();
        let writers = Arc::clone(shared);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || {
                let bytes = gauge!("noonmark_store_wal_bytes");
                let mut restart_after = Instant::now();
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    let size = writers.wal.size();
                    bytes.set(f64::from(u32::try_from(size).unwrap_or(u32::MAX)));
                    if size < PASSIVE_FROM_BYTES {
                        continue;
                    }
                    let _running = writers.wal.lock();
                    match checkpoint(&connection, &writers, restart_after <= Instant::now()) {
                        Ok(true) => {}
                        Ok(false) => restart_after = Instant::now() + PAUSE,
                        Err(error) => {
                            restart_after = Instant::now() + PAUSE;
                            tracing::warn!(%error, wal_bytes = size, "a checkpoint failed; the WAL grows until one succeeds");
                        }
                    }
                }
            })
            .map_err(|source| StoreError::File { path: shared.path.clone(), source })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

/// Whether the WAL could start again, if it was to.
fn checkpoint(connection: &Connection, writers: &Shared, restart: bool) -> rusqlite::Result<bool> {
    // SQLite tells whether somebody was in the way.
    let run = |mode: &str| {
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?))
        })
    };
    // Passive first: it does the copying without holding writers up, and leaves little for the other.
    let (_, frames_in_use) = run("PASSIVE")?;
    let bytes_in_use = u64::try_from(frames_in_use).unwrap_or(0) * PAGE_BYTES;
    let is_long = writers.wal.size() >= WAIT_FROM_BYTES;
    if !restart || (bytes_in_use < RESTART_FROM_BYTES && !is_long) {
        return Ok(true);
    }
    // Writers of this process wait for their mutex; by polling for SQLite's lock this one might never get in.
    let _writer = writers.writer();
    run(if is_long { "TRUNCATE" } else { "RESTART" }).map(|(busy, _)| !busy)
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
