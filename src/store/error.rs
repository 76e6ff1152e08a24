//! What goes wrong in a store.

use std::path::PathBuf;

/// An operation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite.
    #[error("SQLite {}: {source}", path.display())]
    Sqlite {
        /// The database's file.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
    /// PostgreSQL.
    #[error("PostgreSQL: {reason}")]
    Postgres {
        /// What it says; the URL's password is never in it.
        reason: String,
    },
    /// Writes would not be durable.
    #[error(
        "the store is set to {setting} = {value}, and a record could be lost after its token left; set it to {wanted}"
    )]
    NotDurable {
        /// The setting's name.
        setting: String,
        /// Its value.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// Another process holds the installation.
    #[error("another `noonmark {purpose}` works on this installation (it holds {}); stop it first", path.display())]
    Locked {
        /// What the other does.
        purpose: String,
        /// The lock's file.
        path: PathBuf,
    },
    /// The database's file is not the one that was opened.
    #[error(
        "{} was removed or replaced while this process had it open; stop the process and put the right file in place",
        path.display()
    )]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// A file of the store.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The schema can't be brought up to date.
    #[error("migrating the store: {reason}")]
    Migration {
        /// What went wrong.
        reason: String,
    },
    /// A row does not read.
    #[error("the store's {table} has a row that does not read: {column}")]
    Row {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A key's state was not what the change expected.
    #[error("key {name} is no longer {expected}; somebody else changed it, look at `noonmark key list`")]
    StateMoved {
        /// The key.
        name: String,
        /// The state expected.
        expected: &'static str,
    },
    /// No such issuer.
    #[error("the store has no issuer number {issuer_id}; look at `noonmark issuer list`")]
    NoSuchIssuer {
        /// Its number.
        issuer_id: i64,
    },
    /// A request's claim on its idempotency key is not there, or is another's by now.
    #[error("the claim on idempotency key {key} is gone; look whether the request took effect before it is sent again")]
    ClaimGone {
        /// The key.
        key: String,
    },
    /// The random generator failed.
    #[error("the system's random generator failed")]
    Random,
}

/// A group that was not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Surely not committed.
    #[error("{0}")]
    Refused(StoreError),
    /// It may or may not be committed: the chain's end must be read again.
    #[error("the commit's outcome is unknown: {0}")]
    Unknown(StoreError),
    /// Another process took the lease, or wrote to the chain.
    #[error("this server's lease was taken over; its chain belongs to another process now")]
    LeaseLost,
    /// The condition of the change that came with the record is not met: neither stands, and the chain ends where it
    /// did.
    #[error("{reason}")]
    Conflict {
        /// A sentence for whoever asked for the change.
        reason: String,
    },
}
