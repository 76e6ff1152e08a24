//! The ledger's tables in SQLite.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::{OPERATOR_PATIENCE, Shared, SqliteStore, lock};
use crate::store::rows::LEDGER_COLUMNS;
use crate::store::segments;
use crate::store::{AppendError, ChainEnd, LedgerRow, ServerRow, StoreError, TokenRow, now_us};

/// A record's key: its server's id above this many bits of its number. One integer keeps a chain's records together
/// and in order, and costs less than a key of two columns.
const NUMBER_BITS: u32 = 44;

fn position(server_id: i64, number: i64) -> i64 {
    (server_id << NUMBER_BITS) | number
}

/// The last position that a chain can have.
fn last_position(server_id: i64) -> i64 {
    position(server_id, (1 << NUMBER_BITS) - 1)
}

/// A server's row, leased for as long as the lock's file is held.
pub(crate) struct SqliteLease {
    pub(crate) server_id: i64,
    lease_id: [u8; 16],
    pub(crate) after_crash: bool,
    lock: Arc<File>,
}

/// Appends to one chain.
pub(crate) struct SqliteWriter {
    pub(super) shared: Arc<Shared>,
    lease: Arc<SqliteLease>,
}

impl SqliteStore {
    pub(crate) fn lease_server(&self, purpose: &str) -> Result<SqliteLease, StoreError> {
        let patience = (purpose != "serve").then_some(OPERATOR_PATIENCE);
        let lock = lock(&self.beside(&format!("{purpose}.lock")), patience, purpose)?;
        self.take_row(purpose, Arc::new(lock), false)
    }

    /// A new chain under the lock that this process holds already.
    pub(crate) fn lease_anew(&self, lost: &SqliteLease, purpose: &str) -> Result<SqliteLease, StoreError> {
        self.take_row(purpose, Arc::clone(&lost.lock), true)
    }

    fn take_row(&self, purpose: &str, lock: Arc<File>, anew: bool) -> Result<SqliteLease, StoreError> {
        let mut lease_id = [0; 16];
        aws_lc_rs::rand::fill(&mut lease_id).map_err(|_| StoreError::Random)?;
        let take = |connection: &mut Connection| -> rusqlite::Result<(i64, bool)> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let last = transaction
                .query_row(
                    "SELECT server_id, clean FROM servers WHERE name = ?1 ORDER BY server_id DESC LIMIT 1",
                    [purpose],
                    |row| Ok((row.get(0)?, !row.get::<_, bool>(1)?)),
                )
                .optional()?;
            let taken = match last {
                Some((server_id, after_crash)) if !anew => {
                    transaction.execute(
                        "UPDATE servers SET lease_id = ?2, clean = 0 WHERE server_id = ?1",
                        params![server_id, lease_id],
                    )?;
                    (server_id, after_crash)
                }
                _ => {
                    transaction.execute(
                        "INSERT INTO servers (name, lease_id, renewed_at_us, clean, last_number, last_hash) \
                         VALUES (?1, ?2, ?3, 0, 0, zeroblob(32))",
                        params![purpose, lease_id, now_us()],
                    )?;
                    (transaction.last_insert_rowid(), false)
                }
            };
            transaction.commit()?;
            Ok(taken)
        };
        let (server_id, after_crash) = take(&mut self.shared.writer()).map_err(|error| self.shared.error(error))?;
        Ok(SqliteLease { server_id, lease_id, after_crash, lock })
    }

    pub(crate) fn ledger_writer(&self, lease: &Arc<SqliteLease>) -> SqliteWriter {
        SqliteWriter { shared: Arc::clone(&self.shared), lease: Arc::clone(lease) }
    }

    pub(crate) fn servers(&self) -> Result<Vec<ServerRow>, StoreError> {
        let read = |connection: &Connection| -> rusqlite::Result<Vec<ServerRow>> {
            connection
                .prepare("SELECT server_id, name, last_number, last_hash FROM servers ORDER BY server_id")?
                .query_map([], |row| {
                    Ok(ServerRow {
                        server_id: row.get(0)?,
                        name: row.get(1)?,
                        end: ChainEnd { number: row.get(2)?, hash: row.get(3)? },
                    })
                })?
                .collect()
        };
        read(&self.shared.reader()?).map_err(|error| self.shared.error(error))
    }

    pub(crate) fn chains(&self) -> Result<Vec<i64>, StoreError> {
        let connection = self.shared.reader()?;
        let mut chains = Vec::new();
        let mut after = i64::MIN;
        // From one chain's first record to the next one's: never a scan of the records.
        while let Some(found) = connection
            .query_row("SELECT min(position) FROM ledger WHERE position > ?1", [after], |row| {
                row.get::<_, Option<i64>>(0)
            })
            .map_err(|error| self.shared.error(error))?
        {
            let server_id = found >> NUMBER_BITS;
            chains.push(server_id);
            after = last_position(server_id);
        }
        Ok(chains)
    }

    pub(crate) fn ledger_rows(&self, server_id: i64, after: i64, limit: u32) -> Result<Vec<LedgerRow>, StoreError> {
        // A number below 0 would point into another chain.
        let from = position(server_id, after.max(-1) + 1);
        let parameters = params![from, last_position(server_id), limit];
        self.rows(&self.shared.reader()?, "position BETWEEN ?1 AND ?2 ORDER BY position LIMIT ?3", parameters)
    }

    pub(crate) fn token_by_serial(&self, serial: &[u8]) -> Result<Option<LedgerRow>, StoreError> {
        Ok(self.rows(&self.shared.reader()?, "serial = ?1", params![serial])?.pop())
    }

    fn rows(
        &self,
        connection: &Connection,
        condition: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let read = || -> rusqlite::Result<Vec<LedgerRow>> {
            connection
                .prepare_cached(&format!("SELECT {} FROM ledger WHERE {condition}", LEDGER_COLUMNS.join(", ")))?
                .query_map(parameters, read_row)?
                .collect()
        };
        read().map_err(|error| match error {
            // What was tampered with may hold what the schema does not allow.
            rusqlite::Error::InvalidColumnType(column, ..)
            | rusqlite::Error::FromSqlConversionFailure(column, ..)
            | rusqlite::Error::IntegralValueOutOfRange(column, ..) => {
                StoreError::Row { table: "ledger", column: LEDGER_COLUMNS.get(column).copied().unwrap_or("?") }
            }
            other => self.shared.error(other),
        })
    }

    pub(crate) fn tokens_by_imprint(&self, imprint: &[u8], segment_size: i64) -> Result<Vec<LedgerRow>, StoreError> {
        let connection = self.shared.reader()?;
        let mut found = Vec::new();
        for server_id in self.chains()? {
            let (indexed, entries) =
                read_segments(&connection, server_id, imprint).map_err(|error| self.shared.error(error))?;
            for (segment, entry) in entries {
                let position = position(server_id, segment * segment_size + i64::from(entry) + 1);
                found.extend(self.rows(&connection, "position = ?1 AND imprint = ?2", params![position, imprint])?);
            }
            found.extend(self.rows(
                &connection,
                "position > ?1 AND position <= ?2 AND imprint = ?3 ORDER BY position",
                params![position(server_id, indexed * segment_size), last_position(server_id), imprint],
            )?);
        }
        Ok(found)
    }

    pub(crate) fn index_next_segment(&self, server_id: i64, segment_size: i64) -> Result<bool, StoreError> {
        let error = |source| self.shared.error(source);
        let reader = self.shared.reader()?;
        let segment: i64 = reader
            .query_row(
                "SELECT coalesce(max(segment) + 1, 0) FROM imprint_segments WHERE server_id = ?1",
                [server_id],
                |row| row.get(0),
            )
            .map_err(error)?;
        let first = segment * segment_size;
        let last: i64 = reader
            .query_row("SELECT last_number FROM servers WHERE server_id = ?1", [server_id], |row| row.get(0))
            .map_err(error)?;
        if last < first + segment_size {
            return Ok(false);
        }
        let imprints: Vec<(u32, Vec<u8>)> = reader
            .prepare(
                "SELECT position - ?1, imprint FROM ledger \
                 WHERE position >= ?1 AND position < ?1 + ?2 AND imprint IS NOT NULL",
            )
            .and_then(|mut statement| {
                statement
                    .query_map([position(server_id, first + 1), segment_size], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .map_err(error)?;
        let entries = segments::build(imprints.into_iter());
        self.shared
            .writer()
            .execute(
                "INSERT INTO imprint_segments (server_id, segment, entries) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![server_id, segment, entries],
            )
            .map_err(error)?;
        Ok(true)
    }

    pub(crate) fn take_ordered_times(&self, profile: &str, now_us: i64, count: u32) -> Result<i64, StoreError> {
        let writer = self.shared.writer();
        let take = || -> rusqlite::Result<i64> {
            let mut statement = writer.prepare_cached(
                "INSERT INTO ordered_times (profile, last_us) VALUES (?1, ?2 - 1 + ?3) \
                 ON CONFLICT (profile) DO UPDATE SET last_us = max(last_us, ?2 - 1) + ?3 RETURNING last_us",
            )?;
            let mut rows = statement.query(params![profile, now_us, count])?;
            let last_us = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?.get(0)?;
            // The commit comes with the last step, after the row, and its failure too: query_row would not take that step,
            // and a reset hides the error.
            match rows.next()? {
                None => Ok(last_us),
                Some(_) => Err(rusqlite::Error::QueryReturnedMoreThanOneRow),
            }
        };
        let last_us = take().map_err(|error| self.shared.error(error))?;
        Ok(last_us - i64::from(count) + 1)
    }
}

/// How many segments are indexed, and the (segment, position) pairs whose prefix is the imprint's.
fn read_segments(connection: &Connection, server_id: i64, imprint: &[u8]) -> rusqlite::Result<(i64, Vec<(i64, u32)>)> {
    let mut list = connection.prepare(
        "SELECT rowid, segment, length(entries) FROM imprint_segments WHERE server_id = ?1 ORDER BY segment",
    )?;
    let rows: Vec<(i64, i64, usize)> = list
        .query_map([server_id], |row| {
            let length: i64 = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, usize::try_from(length).unwrap_or(0)))
        })?
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for (rowid, segment, length) in &rows {
        let blob = connection.blob_open("main", "imprint_segments", "entries", *rowid, true)?;
        let read = |range: &std::ops::Range<usize>| -> rusqlite::Result<Vec<u8>> {
            let mut part = vec![0; range.len()];
            blob.read_at_exact(&mut part, range.start)?;
            Ok(part)
        };
        let range = segments::window(length / segments::ENTRY, imprint);
        let (mut positions, complete) = segments::search(&read(&range)?, &range, *length, imprint);
        if !complete {
            let whole = 0..*length;
            (positions, _) = segments::search(&read(&whole)?, &whole, *length, imprint);
        }
        found.extend(positions.into_iter().map(|position| (*segment, position)));
    }
    let indexed = rows.last().map_or(0, |(_, segment, _)| segment + 1);
    Ok((indexed, found))
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    let text = |column| -> rusqlite::Result<Arc<str>> { Ok(Arc::from(row.get::<_, String>(column)?)) };
    let serial: Option<[u8; 17]> = row.get(6)?;
    let token = match serial {
        None => None,
        Some(serial) => Some(TokenRow {
            serial,
            gen_time_us: row.get(7)?,
            profile: text(8)?,
            hash_algorithm: Cow::Owned(row.get(9)?),
            imprint: row.get(10)?,
            policy: text(11)?,
            key_name: text(12)?,
            caller: text(13)?,
            token_sha256: row.get(14)?,
            token: row.get(15)?,
        }),
    };
    Ok(LedgerRow {
        server_id: row.get(0)?,
        number: row.get(1)?,
        kind: Cow::Owned(row.get(2)?),
        recorded_at_us: row.get(3)?,
        previous_hash: row.get(4)?,
        detail: row.get(5)?,
        token,
    })
}

impl SqliteWriter {
    pub(crate) fn chain_end(&self) -> Result<ChainEnd, StoreError> {
        let writer = self.shared.writer();
        // An append that ended badly may have left its transaction open; whatever it holds was refused.
        if !writer.is_autocommit() {
            writer.execute_batch("ROLLBACK").map_err(|error| self.shared.error(error))?;
        }
        writer
            .query_row(
                "SELECT last_number, last_hash FROM servers WHERE server_id = ?1",
                [self.lease.server_id],
                |row| Ok(ChainEnd { number: row.get(0)?, hash: row.get(1)? }),
            )
            .map_err(|error| self.shared.error(error))
    }

    /// Appends rows after `before`, in one transaction.
    pub(crate) fn append(&self, before: ChainEnd, rows: &[LedgerRow], end: ChainEnd) -> Result<(), AppendError> {
        self.in_transaction(|transaction| self.extend(transaction, before, rows, end))
    }

    /// Runs work in a transaction that is committed durably if the work succeeds.
    pub(super) fn in_transaction<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, AppendError>,
    ) -> Result<T, AppendError> {
        self.shared.check_in_place().map_err(AppendError::Refused)?;
        self.shared.wal.before_write(&self.shared.writer);
        let mut writer = self.shared.writer();
        let transaction =
            writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| self.refused(error))?;
        let result = work(&transaction)?;
        transaction.commit().map_err(|error| {
            let full = matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy));
            // A full disk is found before the commit's mark is written; any other failure may have left it on disk.
            if full { self.refused(error) } else { AppendError::Unknown(self.shared.error(error)) }
        })?;
        Ok(result)
    }

    pub(super) fn refused(&self, error: rusqlite::Error) -> AppendError {
        AppendError::Refused(self.shared.error(error))
    }

    /// Moves the chain's end and inserts rows, if the chain ends with `before` and is this lease's.
    pub(super) fn extend(
        &self,
        transaction: &Transaction<'_>,
        before: ChainEnd,
        rows: &[LedgerRow],
        end: ChainEnd,
    ) -> Result<(), AppendError> {
        let moved = transaction
            .prepare_cached(
                "UPDATE servers SET last_number = ?1, last_hash = ?2 \
                 WHERE server_id = ?3 AND lease_id = ?4 AND last_number = ?5 AND last_hash = ?6",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    end.number,
                    end.hash,
                    self.lease.server_id,
                    self.lease.lease_id,
                    before.number,
                    before.hash
                ])
            })
            .map_err(|error| self.refused(error))?;
        if moved != 1 {
            return Err(AppendError::LeaseLost);
        }
        insert(transaction, rows).map_err(|error| self.refused(error))
    }

    pub(crate) fn release(&self) -> Result<(), StoreError> {
        self.shared
            .writer()
            .execute(
                "UPDATE servers SET clean = 1 WHERE server_id = ?1 AND lease_id = ?2",
                params![self.lease.server_id, self.lease.lease_id],
            )
            .map(drop)
            .map_err(|error| self.shared.error(error))
    }

    /// Writes something small, so that a store that can't write is noticed without traffic; false if the row is no
    /// longer this lease's.
    pub(crate) fn renew(&self) -> Result<bool, StoreError> {
        self.shared.check_in_place()?;
        // The time is there to differ from what stands: SQLite writes nothing when nothing changes.
        self.shared
            .writer()
            .execute(
                "UPDATE servers SET renewed_at_us = ?3 WHERE server_id = ?1 AND lease_id = ?2",
                params![self.lease.server_id, self.lease.lease_id, now_us()],
            )
            .map(|renewed| renewed == 1)
            .map_err(|error| self.shared.error(error))
    }
}

fn insert(connection: &Connection, rows: &[LedgerRow]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO ledger (position, kind, recorded_at_us, previous_hash, detail, serial, gen_time_us, \
         profile, hash_algorithm, imprint, policy, key_name, caller, token_sha256, token) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    for row in rows {
        let token = row.token.as_ref();
        statement.execute(params![
            position(row.server_id, row.number),
            row.kind,
            row.recorded_at_us,
            row.previous_hash,
            row.detail,
            token.map(|token| token.serial),
            token.map(|token| token.gen_time_us),
            token.map(|token| &*token.profile),
            token.map(|token| &*token.hash_algorithm),
            token.map(|token| &*token.imprint),
            token.map(|token| &*token.policy),
            token.map(|token| &*token.key_name),
            token.map(|token| &*token.caller),
            token.map(|token| token.token_sha256),
            token.and_then(|token| token.token.as_deref()),
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_fails_gives_no_ordered_times() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("noonmark.db");
        let store = SqliteStore::open(&path).unwrap();
        store.migrate().unwrap();
        assert_eq!(store.take_ordered_times("default", 1_000, 3).unwrap(), 1_000);
        assert_eq!(store.take_ordered_times("default", 0, 1).unwrap(), 1_003);
        // A rule that is held only at the commit, in place of a full disk.
        store
            .shared
            .writer()
            .execute_batch(
                "CREATE TABLE parents (name TEXT PRIMARY KEY); DROP TABLE ordered_times;
                 CREATE TABLE ordered_times (
                    profile TEXT PRIMARY KEY REFERENCES parents (name) DEFERRABLE INITIALLY DEFERRED,
                    last_us INTEGER NOT NULL);",
            )
            .unwrap();
        assert!(store.take_ordered_times("default", 2_000, 1).is_err());
    }
}
