//! WAL checkpoints, on a thread of their own: a commit waits for one only when the WAL gets long.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::gauge;
use rusqlite::{Connection, OpenFlags};

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
/// From this size of the file on a writer sees to it itself before it goes on, however fast the disk takes the WAL, and
/// the file is cut.
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

/// The WAL, and the connection that checkpoints it.
pub(super) struct Wal {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    connection: Connection,
    /// Until then writers are not held up.
    restart_after: Instant,
}

impl Wal {
    pub(super) fn open(database: &Path) -> Result<Self, StoreError> {
        let connection = super::connect(database, OpenFlags::empty())?;
        let failed = |source| StoreError::Sqlite { path: database.to_owned(), source };
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        let state = Mutex::new(State { connection, restart_after: Instant::now() });
        Ok(Self { path: PathBuf::from(name), state })
    }

    fn size(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Keeps a disk that takes the WAL faster than the database from filling up; `writer` is not locked yet.
    pub(super) fn before_write(&self, writer: &Mutex<Connection>) {
        self.bring_down(WAIT_FROM_BYTES, writer);
    }

    /// Checkpoints if the file has `limit` octets or more.
    fn bring_down(&self, limit: u64, writer: &Mutex<Connection>) {
        if self.size() < limit {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever held the lock may have done it; and in a pause a writer has nothing to wait for.
        if self.size() < limit || (limit == WAIT_FROM_BYTES && Instant::now() < state.restart_after) {
            return;
        }
        let free = self.checkpoint(&state, writer).unwrap_or_else(|error| {
            tracing::warn!(%error, wal_bytes = self.size(), "a checkpoint failed; the WAL grows until one succeeds");
            false
        });
        if !free {
            state.restart_after = Instant::now() + PAUSE;
        }
    }

    /// Whether nobody was in the way.
    fn checkpoint(&self, state: &State, writer: &Mutex<Connection>) -> rusqlite::Result<bool> {
        let run = |mode: &str| {
            state.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
                Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?))
            })
        };
        // Passive first: it does the copying without holding writers up, and leaves little for the other.
        let (_, frames_in_use) = run("PASSIVE")?;
        let bytes_in_use = u64::try_from(frames_in_use).unwrap_or(0) * PAGE_BYTES;
        let is_long = self.size() >= WAIT_FROM_BYTES;
        if Instant::now() < state.restart_after || (bytes_in_use < RESTART_FROM_BYTES && !is_long) {
            return Ok(true);
        }
        // Writers of this process wait for their mutex; by polling for SQLite's lock this one might never get in.
        let _writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        run(if is_long { "TRUNCATE" } else { "RESTART" }).map(|(busy, _)| !busy)
    }
}

impl Checkpointer {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let (stop, stopped) = channel();
        let of = Arc::clone(shared);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || {
                let bytes = gauge!("noonmark_store_wal_bytes");
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    bytes.set(f64::from(u32::try_from(of.wal.size()).unwrap_or(u32::MAX)));
                    of.wal.bring_down(PASSIVE_FROM_BYTES, &of.writer);
                }
            })
            .map_err(|source| StoreError::File { path: shared.path.clone(), source })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
