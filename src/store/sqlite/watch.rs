//! Hearing of changes in SQLite, where nobody tells: the file's version is looked at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::{Shared, SqliteStore, connect};
use crate::store::StoreError;

/// Between two looks at the file's version, which cost a few microseconds each.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks at the file's version on a connection of its own: it moves with any commit by any other one.
pub(crate) struct SqliteWatch {
    shared: Arc<Shared>,
    /// The connection and the version that it saw last.
    seen: Option<(Connection, i64)>,
}

impl SqliteStore {
    pub(crate) fn watch(&self) -> Result<SqliteWatch, StoreError> {
        let mut watch = SqliteWatch { shared: Arc::clone(&self.shared), seen: None };
        watch.connect()?;
        Ok(watch)
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

impl SqliteWatch {
    fn connect(&mut self) -> Result<(), StoreError> {
        self.shared.check_in_place()?;
        let connection = connect(&self.shared.path, OpenFlags::empty())?;
        let version = version(&connection).map_err(|error| self.shared.error(error))?;
        self.seen = Some((connection, version));
        Ok(())
    }

    pub(crate) fn wait(&mut self, timeout: Duration) -> Result<(), StoreError> {
        let deadline = Instant::now() + timeout;
        if self.seen.is_none() {
            // One that fails at once must not let the caller turn in circles.
            return self.connect().inspect_err(|_| std::thread::sleep(timeout));
        }
        let result = self.look_until(deadline);
        if result.is_err() {
            self.seen = None;
        }
        result
    }

    fn look_until(&mut self, deadline: Instant) -> Result<(), StoreError> {
        loop {
            self.shared.check_in_place()?;
            let Some((connection, last)) = &mut self.seen else { return Ok(()) };
            let now = version(connection).map_err(|error| self.shared.error(error))?;
            if now != *last {
                *last = now;
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(INTERVAL));
        }
    }
}
