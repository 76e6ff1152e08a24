//! SQLite: one machine, one file, WAL, synchronous=FULL.
//!
//! One connection writes, behind a lock, so that writers of this process never wait by polling; other connections read.

mod answers;
mod catalog;
mod change;
mod checkpoint;
mod crls;
mod desk;
mod ledger;
mod registry;
mod watch;

pub(crate) use ledger::{SqliteLease, SqliteWriter};
pub(crate) use watch::SqliteWatch;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use checkpoint::{Checkpointer, Wal};

mod embedded {
    refinery::embed_migrations!("src/store/migrations/sqlite");
}

/// How long a write waits for another process' (an operator's verb beside the server).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept a connection: more than there are in this room.
const STATEMENTS: usize = 64;
/// Connections kept for short reads, as many as threads that may wait for them: opening one costs more than a certificate's
/// status does.
const READERS: usize = 16;
/// Pages that a reader keeps for itself, in KiB (SQLite wants it negative).
const READER_CACHE_KIB: i32 = -1_024;
/// How long an operator's verb waits for another's lock.
const OPERATOR_PATIENCE: Duration = Duration::from_secs(10);

/// A SQLite store.
pub(crate) struct SqliteStore {
    shared: Arc<Shared>,
    _checkpointer: Checkpointer,
}

pub(super) struct Shared {
    path: PathBuf,
    /// The device and inode that were opened.
    file: (u64, u64),
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    wal: Wal,
}

impl Shared {
    fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        self.check_in_place()?;
        let connection = connect(&self.path, OpenFlags::empty())?;
        // There are several, and what they read is in the system's cache anyway.
        connection.pragma_update(None, "cache_size", READER_CACHE_KIB).map_err(|error| self.error(error))?;
        Ok(connection)
    }

    /// Reads on a connection that was kept, if there is one, and keeps it for the next.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let kept = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = kept().pop();
        let connection = match idle {
            Some(connection) => {
                self.check_in_place()?;
                connection
            }
            None => self.reader()?,
        };
        let result = query(&connection).map_err(|error| self.error(error));
        let mut kept = kept();
        // One with an open transaction would go on to show what was then.
        if kept.len() < READERS && connection.is_autocommit() {
            kept.push(connection);
        }
        result
    }

    /// Refuses a database whose file was removed or replaced under the process: SQLite would go on writing to the old
    /// one, and its records would be gone with the process.
    fn check_in_place(&self) -> Result<(), StoreError> {
        if identity(&self.path)? == self.file {
            return Ok(());
        }
        Err(StoreError::Replaced { path: self.path.clone() })
    }
}

fn identity(path: &Path) -> Result<(u64, u64), StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Opens a connection whose writes are durable, and reads back that they are.
fn connect(path: &Path, further: OpenFlags) -> Result<Connection, StoreError> {
    let error = |source| StoreError::Sqlite { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags | further).map_err(error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; \
             PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;",
        )
        .map_err(error)?;
    let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(error)?;
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(error)?;
    if journal != "wal" {
        return Err(StoreError::NotDurable { setting: "journal_mode".to_owned(), value: journal, wanted: "wal" });
    }
    // 2 is FULL: the WAL is synced at every commit.
    if synchronous != 2 {
        return Err(StoreError::NotDurable {
            setting: "synchronous".to_owned(),
            value: synchronous.to_string(),
            wanted: "FULL (2)",
        });
    }
    Ok(connection)
}

impl SqliteStore {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            file: identity(path)?,
            writer: Mutex::new(connection),
            readers: Mutex::new(Vec::new()),
            wal: Wal::open(path)?,
        });
        let checkpointer = Checkpointer::start(&shared)?;
        Ok(Self { shared, _checkpointer: checkpointer })
    }

    pub(super) fn migrate(&self) -> Result<(), StoreError> {
        // refinery takes no lock of its own, and several processes may start at once.
        let _lock = lock(&self.beside("migrate.lock"), Some(OPERATOR_PATIENCE), "migration")?;
        let mut connection = self.shared.writer();
        embedded::migrations::runner()
            .run(&mut *connection)
            .map(drop)
            .map_err(|error| StoreError::Migration { reason: error.to_string() })
    }

    pub(super) fn ping(&self) -> Result<(), StoreError> {
        let connection = self.shared.reader()?;
        connection.query_row("SELECT count(*) FROM servers", [], |_| Ok(())).map_err(|error| self.shared.error(error))
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.shared.path.with_file_name(name)
    }
}

/// Takes a lock file; waits as long as told, or not at all.
fn lock(path: &Path, patience: Option<Duration>, purpose: &str) -> Result<File, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(failed)?;
    let deadline = std::time::Instant::now() + patience.unwrap_or_default();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) if std::time::Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { purpose: purpose.to_owned(), path: path.to_owned() });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}
