//! WAL checkpoints, on a thread of their own: no commit waits for one.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use metrics::gauge;
use rusqlite::Connection;

use super::Shared;
use crate::store::StoreError;

/// Between two looks at the WAL.
const INTERVAL: Duration = Duration::from_millis(500);
/// From this size on the WAL is copied into the database.
const PASSIVE_FROM_BYTES: u64 = 4 << 20;
/// From this much of it in use on, writers wait a moment, so that the WAL starts again from its beginning: under a
/// steady load a passive checkpoint never gets there. The file keeps its size: writing over what is there costs a commit
/// no change of the file's metadata.
const RESTART_FROM_BYTES: u64 = 32 << 20;
/// SQLite's default page size, which this store keeps; a frame has a little more.
const PAGE_BYTES: u64 = 4_096;

/// How long writers are held up for a reader that is still in the WAL: past that, the next turn tries again.
const PATIENCE: Duration = Duration::from_millis(100);

pub(super) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let path = &shared.path;
        let connection = shared.reader()?;
        connection.busy_timeout(PATIENCE).map_err(|error| shared.error(error))?;
        let wal = {
            let mut name = path.as_os_str().to_owned();
            name.push("-wal");
            std::path::PathBuf::from(name)
        };
        let (stop, stopped) = channel();
        let writers = Arc::clone(shared);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || {
                let bytes = gauge!("noonmark_store_wal_bytes");
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    let size = std::fs::metadata(&wal).map_or(0, |metadata| metadata.len());
                    bytes.set(f64::from(u32::try_from(size).unwrap_or(u32::MAX)));
                    if size >= PASSIVE_FROM_BYTES {
                        checkpoint(&connection, &writers, size);
                    }
                }
            })
            .map_err(|source| StoreError::File { path: path.clone(), source })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn checkpoint(connection: &Connection, writers: &Shared, size: u64) {
    // Passive first: it does the copying without holding writers up, and leaves little for the other.
    let run = |mode: &str| {
        // busy, frames in the log, frames copied
        connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(1))
    };
    let result = run("PASSIVE").and_then(|frames| {
        if u64::try_from(frames).unwrap_or(0) * PAGE_BYTES < RESTART_FROM_BYTES {
            return Ok(frames);
        }
        // Writers of this process wait for their mutex; by polling for SQLite's lock this one might never get in.
        let _writer = writers.writer();
        run("RESTART")
    });
    if let Err(error) = result {
        tracing::warn!(%error, wal_bytes = size, "a checkpoint failed; the WAL grows until one succeeds");
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
