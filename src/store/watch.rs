//! Hearing of changes that others make.

use std::time::Duration;

use super::{Backend, Store, StoreError, postgres, sqlite};

/// Waits for changes, on a connection of its own.
pub struct ChangeWatch(WatchKind);

enum WatchKind {
    Sqlite(sqlite::SqliteWatch),
    Postgres(Box<postgres::PostgresWatch>),
}

impl Store {
    /// Watches for what any process changes from now on: certificates' status, tasks, issuers, API keys.
    ///
    /// # Errors
    /// A database that does not answer.
    pub fn watch_changes(&self) -> Result<ChangeWatch, StoreError> {
        Ok(ChangeWatch(match &self.backend {
            Backend::Sqlite(store) => WatchKind::Sqlite(store.watch()?),
            Backend::Postgres(store) => WatchKind::Postgres(Box::new(store.watch()?)),
        }))
    }
}

impl ChangeWatch {
    /// Returns as soon as something may have changed since the last call, and after `timeout` at the latest, as far as
    /// the database answers.
    ///
    /// # Errors
    /// The connection was lost, or can't be made. Changes may have gone unheard; the next call connects anew, and returns
    /// at once when it has.
    pub fn wait(&mut self, timeout: Duration) -> Result<(), StoreError> {
        match &mut self.0 {
            WatchKind::Sqlite(watch) => watch.wait(timeout),
            WatchKind::Postgres(watch) => watch.wait(timeout),
        }
    }
}
