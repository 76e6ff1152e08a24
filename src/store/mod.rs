//! SQLite and PostgreSQL: rows in, rows out.
//!
//! Owns: the schema and its migrations, one set of coarse operations with hand-written SQL for each database, durability
//! read back from every connection. Does not own: what the rows mean (see `ledger`, `ca`), hashing, retries.
//! Enter by [`Store::open`]. Calls block; nothing here may be called from an HTTP thread's event loop.
//! One contract suite, tests/it/store.rs, holds both to the same behaviour.
//!
//! The operations stand here (servers, ledger, keys, certificates, profiles), in `registry` (issuers, certificates'
//! status, signed answers), in `crls` (what CRLs list, CRLs staged and published), in `desk` (tasks, API keys, leases, idempotency), in `change` (what is changed together with
//! its record) and in `watch` (hearing of others' changes).

mod change;
mod crls;
mod desk;
mod error;
mod postgres;
mod registry;
mod registry_rows;
mod rows;
mod segments;
mod sqlite;
mod url;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

pub use crls::{CRL_CHUNK, CrlRow, CrlScope, Listed, ListedChange, ListedPlace, ListedRow, PAST_EVERY_SERIAL};
pub use desk::Claim;
pub use error::{AppendError, StoreError};
pub use registry::Due;
pub use registry_rows::{
    AnswerRow, ApiKeyRow, CertIdHash, CertificateSearch, CertificateState, Change, DueRow, IssuerOrigin, IssuerRow,
    LeaseRow, RegistryRow, StatusAndAnswer, StatusRow, TaskRow, TaskState,
};
pub use rows::{CertificateRow, ChainEnd, KeyRow, KeyState, LedgerRow, ProfileRow, ServerRow, TokenRow};
pub use url::{StoreUrl, StoreUrlError};
pub use watch::ChangeWatch;

use postgres::PostgresStore;
use sqlite::SqliteStore;

/// Records of a chain that one index entry covers; the open rest is scanned, which takes some 50 ms at this size.
pub const SEGMENT_SIZE: i64 = 65_536;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// A file that holds PostgreSQL's password.
    pub password_file: Option<PathBuf>,
    /// Records an imprint index entry covers; [`SEGMENT_SIZE`] but in tests.
    pub segment_size: i64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { password_file: None, segment_size: SEGMENT_SIZE }
    }
}

enum Backend {
    Sqlite(Box<SqliteStore>),
    Postgres(Box<PostgresStore>),
}

/// A store.
pub struct Store {
    backend: Backend,
    segment_size: i64,
}

/// A server's row, leased to this process: the chain that it alone writes.
#[derive(Clone)]
pub struct ServerLease {
    purpose: String,
    kind: LeaseKind,
}

#[derive(Clone)]
enum LeaseKind {
    Sqlite(Arc<sqlite::SqliteLease>),
    Postgres(Arc<postgres::PostgresLease>),
}

/// Appends to the chain of one lease.
pub struct LedgerWriter(WriterKind);

enum WriterKind {
    Sqlite(sqlite::SqliteWriter),
    Postgres(Box<postgres::PostgresWriter>),
}

/// Gives ordering profiles their times.
pub struct OrderedTimes {
    store: Arc<Store>,
}

/// Now, for columns that tell people when.
fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl KeyRow {
    fn with_state(mut self, state: &str) -> Result<Self, StoreError> {
        self.state = KeyState::from_name(state).ok_or(StoreError::Row { table: "keys", column: "state" })?;
        Ok(self)
    }
}

impl IssuerRow {
    fn with_origin(mut self, origin: &str) -> Result<Self, StoreError> {
        self.origin = IssuerOrigin::from_name(origin).ok_or(StoreError::Row { table: "issuers", column: "origin" })?;
        Ok(self)
    }
}

impl TaskRow {
    fn with_state(mut self, state: &str) -> Result<Self, StoreError> {
        self.state = TaskState::from_name(state).ok_or(StoreError::Row { table: "tasks", column: "state" })?;
        Ok(self)
    }
}

/// Calls the same operation on whichever database there is.
macro_rules! either {
    ($self:expr, $store:ident => $call:expr) => {
        match &$self.backend {
            Backend::Sqlite($store) => $call,
            Backend::Postgres($store) => $call,
        }
    };
}
use either;

impl Store {
    /// Opens a store; its schema may be older than this program, see [`Self::migrate`].
    ///
    /// # Errors
    /// A database that does not answer, or whose writes would not be durable.
    pub fn open(url: &StoreUrl, options: &StoreOptions) -> Result<Self, StoreError> {
        let backend = match url {
            StoreUrl::Sqlite(path) => Backend::Sqlite(Box::new(SqliteStore::open(path)?)),
            StoreUrl::Postgres(url) => Backend::Postgres(Box::new(PostgresStore::open(url, options)?)),
        };
        Ok(Self { backend, segment_size: options.segment_size })
    }

    /// Brings the schema up to date, under a lock: several servers may start at once.
    ///
    /// # Errors
    /// A migration that fails, or a schema newer than this program.
    pub fn migrate(&self) -> Result<(), StoreError> {
        either!(self, store => store.migrate())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not, or its schema is not there.
    pub fn ping(&self) -> Result<(), StoreError> {
        either!(self, store => store.ping())
    }

    /// Leases a server's row for `purpose` (`serve`, `operator`): a new lease never shares a chain with a living one.
    ///
    /// # Errors
    /// With SQLite, another process of this purpose on the same installation.
    pub fn lease_server(&self, purpose: &str) -> Result<ServerLease, StoreError> {
        let kind = match &self.backend {
            Backend::Sqlite(store) => LeaseKind::Sqlite(Arc::new(store.lease_server(purpose)?)),
            Backend::Postgres(store) => LeaseKind::Postgres(Arc::new(store.lease_server(purpose)?)),
        };
        Ok(ServerLease { purpose: purpose.to_owned(), kind })
    }

    /// A new chain for a process whose lease was taken over, or whose chain does not end where it left it.
    ///
    /// # Errors
    /// The database's, or a lease of another store.
    pub fn lease_anew(&self, lost: &ServerLease) -> Result<ServerLease, StoreError> {
        let kind = match (&self.backend, &lost.kind) {
            (Backend::Sqlite(store), LeaseKind::Sqlite(lost_row)) => {
                LeaseKind::Sqlite(Arc::new(store.lease_anew(lost_row, &lost.purpose)?))
            }
            (Backend::Postgres(store), LeaseKind::Postgres(_)) => {
                LeaseKind::Postgres(Arc::new(store.lease_server(&lost.purpose)?))
            }
            _ => return Err(StoreError::Row { table: "servers", column: "lease_id" }),
        };
        Ok(ServerLease { purpose: lost.purpose.clone(), kind })
    }

    /// A writer for a lease of this store.
    ///
    /// # Errors
    /// A lease of another store, or no runtime for the connection.
    pub fn ledger_writer(&self, lease: &ServerLease) -> Result<LedgerWriter, StoreError> {
        Ok(LedgerWriter(match (&self.backend, &lease.kind) {
            (Backend::Sqlite(store), LeaseKind::Sqlite(lease)) => WriterKind::Sqlite(store.ledger_writer(lease)),
            (Backend::Postgres(store), LeaseKind::Postgres(lease)) => {
                WriterKind::Postgres(Box::new(store.ledger_writer(lease)?))
            }
            _ => return Err(StoreError::Row { table: "servers", column: "lease_id" }),
        }))
    }

    /// Where ordering profiles get their times.
    #[must_use]
    pub fn ordered_times(self: &Arc<Self>) -> OrderedTimes {
        OrderedTimes { store: Arc::clone(self) }
    }

    /// Every server's row.
    ///
    /// # Errors
    /// The database's.
    pub fn servers(&self) -> Result<Vec<ServerRow>, StoreError> {
        either!(self, store => store.servers())
    }

    /// The chains that have records, whether or not a server's row is left of them.
    ///
    /// # Errors
    /// The database's.
    pub fn chains(&self) -> Result<Vec<i64>, StoreError> {
        either!(self, store => store.chains())
    }

    /// Up to `limit` records of a chain after number `after`, in order.
    ///
    /// # Errors
    /// The database's.
    pub fn ledger_rows(&self, server_id: i64, after: i64, limit: u32) -> Result<Vec<LedgerRow>, StoreError> {
        either!(self, store => store.ledger_rows(server_id, after, limit))
    }

    /// The record of the token with this serial number.
    ///
    /// # Errors
    /// The database's.
    pub fn token_by_serial(&self, serial: &[u8]) -> Result<Option<LedgerRow>, StoreError> {
        either!(self, store => store.token_by_serial(serial))
    }

    /// The records of every token over this imprint, oldest first a chain.
    ///
    /// # Errors
    /// The database's.
    pub fn tokens_by_imprint(&self, imprint: &[u8]) -> Result<Vec<LedgerRow>, StoreError> {
        either!(self, store => store.tokens_by_imprint(imprint, self.segment_size))
    }

    /// Indexes the next closed segment of a chain; false if none is closed yet.
    ///
    /// # Errors
    /// The database's.
    pub fn index_next_segment(&self, server_id: i64) -> Result<bool, StoreError> {
        either!(self, store => store.index_next_segment(server_id, self.segment_size))
    }

    /// Every key, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        either!(self, store => store.keys())
    }

    /// Adds a key; its name must be new.
    ///
    /// # Errors
    /// The database's.
    pub fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        either!(self, store => store.insert_key(key))
    }

    /// Changes a key's state if it is still what the caller believes.
    ///
    /// # Errors
    /// It is not, or a role would have two active keys.
    pub fn change_key_state(&self, name: &str, from: KeyState, to: KeyState) -> Result<(), StoreError> {
        let changed = either!(self, store => store.change_key_state(name, from, to))?;
        if changed { Ok(()) } else { Err(StoreError::StateMoved { name: name.to_owned(), expected: from.name() }) }
    }

    /// Makes a key active in place of another one, which retires: both or neither.
    ///
    /// # Errors
    /// [`StoreError::StateMoved`] if either is no longer in the state that the caller believes, or the database's.
    pub fn take_over(&self, name: &str, from: KeyState, former: &str) -> Result<(), StoreError> {
        let moved = |name: &str, expected: KeyState| StoreError::StateMoved {
            name: name.to_owned(),
            expected: expected.name(),
        };
        match either!(self, store => store.take_over(name, from, former))? {
            (false, _) => Err(moved(former, KeyState::Active)),
            (true, false) => Err(moved(name, from)),
            (true, true) => Ok(()),
        }
    }

    /// Names a key's certificate.
    ///
    /// # Errors
    /// The database's.
    pub fn set_key_certificate(&self, name: &str, sha256: &[u8; 32]) -> Result<(), StoreError> {
        either!(self, store => store.set_key_certificate(name, sha256))
    }

    /// Adds a certificate; one that is there stays, but for one that was issued to others or imported: it gets this role.
    ///
    /// # Errors
    /// The database's.
    pub fn put_certificate(&self, row: &CertificateRow) -> Result<(), StoreError> {
        either!(self, store => store.put_certificate(row))
    }

    /// Every certificate of the installation's own keys and issuers; those that were issued to others or imported are left out.
    ///
    /// # Errors
    /// The database's.
    pub fn certificates(&self) -> Result<Vec<CertificateRow>, StoreError> {
        either!(self, store => store.certificates())
    }

    /// A timestamping profile as it was last served.
    ///
    /// # Errors
    /// The database's.
    pub fn profile(&self, name: &str) -> Result<Option<ProfileRow>, StoreError> {
        either!(self, store => store.profile(name))
    }

    /// Every timestamping profile.
    ///
    /// # Errors
    /// The database's.
    pub fn profiles(&self) -> Result<Vec<ProfileRow>, StoreError> {
        either!(self, store => store.profiles())
    }

    /// Writes a timestamping profile.
    ///
    /// # Errors
    /// The database's.
    pub fn put_profile(&self, name: &str, text: &str) -> Result<(), StoreError> {
        either!(self, store => store.put_profile(name, text))
    }
}

impl ServerLease {
    /// The server's id: the chain's name.
    #[must_use]
    pub fn server_id(&self) -> i64 {
        match &self.kind {
            LeaseKind::Sqlite(lease) => lease.server_id,
            LeaseKind::Postgres(lease) => lease.server_id,
        }
    }

    /// Whether the process that held this row before ended without releasing it.
    #[must_use]
    pub fn after_crash(&self) -> bool {
        match &self.kind {
            LeaseKind::Sqlite(lease) => lease.after_crash,
            LeaseKind::Postgres(lease) => lease.after_crash,
        }
    }
}

impl LedgerWriter {
    /// Where the chain ends by the database's word; waits for an append that may still be under way.
    ///
    /// # Errors
    /// The database's.
    pub fn chain_end(&mut self) -> Result<ChainEnd, StoreError> {
        match &self.0 {
            WriterKind::Sqlite(writer) => writer.chain_end(),
            WriterKind::Postgres(writer) => {
                writer.reconnect();
                writer.chain_end()
            }
        }
    }

    /// Appends rows that follow `before` and end with `end`, durably, all or none.
    ///
    /// # Errors
    /// See [`AppendError`]; after [`AppendError::Unknown`] the chain's end must be read again.
    pub fn append(&mut self, before: ChainEnd, rows: &[LedgerRow], end: ChainEnd) -> Result<(), AppendError> {
        match &self.0 {
            WriterKind::Sqlite(writer) => writer.append(before, rows, end),
            WriterKind::Postgres(writer) => writer.append(before, rows, end),
        }
    }

    /// Keeps the lease, and tells whether the store can write; false if another process took the lease.
    ///
    /// # Errors
    /// The database's.
    pub fn renew(&mut self) -> Result<bool, StoreError> {
        match &self.0 {
            WriterKind::Sqlite(writer) => writer.renew(),
            WriterKind::Postgres(writer) => writer.renew(),
        }
    }

    /// Gives the lease back: this process ends well.
    ///
    /// # Errors
    /// The database's.
    pub fn release(&mut self) -> Result<(), StoreError> {
        match &self.0 {
            WriterKind::Sqlite(writer) => writer.release(),
            WriterKind::Postgres(writer) => writer.release(),
        }
    }
}

impl OrderedTimes {
    /// The first of `count` times for a profile's tokens, a microsecond apart: after every time given before, on any
    /// server of this database, and not before `now_us`. Durable when it returns.
    ///
    /// # Errors
    /// The database's.
    pub fn take(&mut self, profile: &str, now_us: i64, count: u32) -> Result<i64, StoreError> {
        either!(self.store, store => store.take_ordered_times(profile, now_us, count))
    }
}
