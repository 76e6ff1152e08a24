//! The ledger's tables in PostgreSQL.

use std::borrow::Cow;
use std::sync::Arc;

use deadpool_postgres::{GenericClient, Pool};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{Row, Statement};

use super::connect::Warnings;
use super::{PostgresStore, client, driver, limited};
use crate::store::rows::LEDGER_COLUMNS;
use crate::store::segments;
use crate::store::{AppendError, ChainEnd, LedgerRow, ServerRow, StoreError, TokenRow};

/// Appends a group only if the chain ends where the writer believes, and the lease is still its own; both in the one
/// statement, so that its implicit commit is the only one.
pub(super) const APPEND: &str = "WITH moved AS ( \
     UPDATE servers SET last_number = $1, last_hash = $2, lease_until = now() + interval '30 s', clean = false \
     WHERE server_id = $3 AND lease_id = $4 AND last_number = $5 AND last_hash = $6 RETURNING 1) \
   INSERT INTO ledger (server_id, number, kind, recorded_at_us, previous_hash, detail, serial, gen_time_us, profile, \
     hash_algorithm, imprint, policy, key_name, caller, token_sha256, token) \
   SELECT $3, row.* FROM unnest($7::bigint[], $8::text[], $9::bigint[], $10::bytea[], $11::text[], $12::bytea[], \
     $13::bigint[], $14::text[], $15::text[], $16::bytea[], $17::text[], $18::text[], $19::text[], $20::bytea[], \
     $21::bytea[]) AS row WHERE EXISTS (SELECT 1 FROM moved)";

/// A leased row of `servers`.
pub(crate) struct PostgresLease {
    pub(crate) server_id: i64,
    lease_id: Vec<u8>,
    pub(crate) after_crash: bool,
}

/// Appends to one chain, on a runtime and a connection of its own.
pub(crate) struct PostgresWriter {
    pub(super) runtime: Runtime,
    pub(super) pool: Pool,
    pub(super) warnings: Warnings,
    pub(super) lease: Arc<PostgresLease>,
}

impl PostgresStore {
    pub(crate) fn lease_server(&self, purpose: &str) -> Result<PostgresLease, StoreError> {
        let mut lease_id = vec![0; 16];
        aws_lc_rs::rand::fill(&mut lease_id).map_err(|_| StoreError::Random)?;
        self.with_client(async |client| {
            // A row that is free or whose lease ran out, else a new one; two that ask at once never get the same.
            let taken = client
                .query_opt(
                    "UPDATE servers AS mine SET lease_id = $1, lease_until = now() + interval '30 s', clean = false \
                     FROM (SELECT server_id, clean FROM servers WHERE name = $2 AND lease_until < now() \
                           ORDER BY server_id LIMIT 1 FOR UPDATE SKIP LOCKED) AS free \
                     WHERE mine.server_id = free.server_id RETURNING mine.server_id, free.clean",
                    &[&lease_id, &purpose],
                )
                .await
                .map_err(|error| driver(&error))?;
            if let Some(row) = taken {
                return Ok(PostgresLease {
                    server_id: row.get(0),
                    lease_id: lease_id.clone(),
                    after_crash: !row.get::<_, bool>(1),
                });
            }
            let row = client
                .query_one(
                    "INSERT INTO servers (name, lease_id, lease_until, clean, last_number, last_hash) \
                     VALUES ($1, $2, now() + interval '30 s', false, 0, $3) RETURNING server_id",
                    &[&purpose, &lease_id, &vec![0_u8; 32]],
                )
                .await
                .map_err(|error| driver(&error))?;
            Ok(PostgresLease { server_id: row.get(0), lease_id: lease_id.clone(), after_crash: false })
        })
    }

    pub(crate) fn ledger_writer(&self, lease: &Arc<PostgresLease>) -> Result<PostgresWriter, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Postgres { reason: format!("starting the ledger's runtime: {error}") })?;
        let warnings = Warnings::default();
        Ok(PostgresWriter { runtime, pool: self.source.pool(1, &warnings)?, warnings, lease: Arc::clone(lease) })
    }

    pub(crate) fn servers(&self) -> Result<Vec<ServerRow>, StoreError> {
        let rows = self.query("SELECT server_id, name, last_number, last_hash FROM servers ORDER BY server_id", &[])?;
        rows.iter()
            .map(|row| {
                Ok(ServerRow {
                    server_id: row.get(0),
                    name: row.get(1),
                    end: ChainEnd { number: row.get(2), hash: fixed(row.get(3), "servers", "last_hash")? },
                })
            })
            .collect()
    }

    pub(crate) fn chains(&self) -> Result<Vec<i64>, StoreError> {
        // From one chain's first record to the next one's, by the primary key: never a scan of the records.
        let rows = self.query(
            "WITH RECURSIVE chain (id) AS ( \
               (SELECT server_id FROM ledger ORDER BY server_id LIMIT 1) UNION ALL \
               SELECT (SELECT server_id FROM ledger WHERE server_id > chain.id ORDER BY server_id LIMIT 1) \
               FROM chain WHERE chain.id IS NOT NULL) \
             SELECT id FROM chain WHERE id IS NOT NULL",
            &[],
        )?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    pub(crate) fn ledger_rows(&self, server_id: i64, after: i64, limit: u32) -> Result<Vec<LedgerRow>, StoreError> {
        self.rows("server_id = $1 AND number > $2 ORDER BY number LIMIT $3", &[&server_id, &after, &i64::from(limit)])
    }

    pub(crate) fn token_by_serial(&self, serial: &[u8]) -> Result<Option<LedgerRow>, StoreError> {
        Ok(self.rows("serial = $1", &[&serial])?.pop())
    }

    pub(super) fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        self.with_client(async |client| {
            let statement = client.prepare_cached(sql).await.map_err(|error| driver(&error))?;
            client.query(&statement, parameters).await.map_err(|error| driver(&error))
        })
    }

    /// Runs a statement and tells how many rows it wrote.
    pub(super) fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, StoreError> {
        self.with_client(async |client| {
            let statement = client.prepare_cached(sql).await.map_err(|error| driver(&error))?;
            client.execute(&statement, parameters).await.map_err(|error| driver(&error))
        })
    }

    fn rows(&self, condition: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<LedgerRow>, StoreError> {
        let rows =
            self.query(&format!("SELECT {} FROM ledger WHERE {condition}", LEDGER_COLUMNS.join(", ")), parameters)?;
        rows.iter().map(read_row).collect()
    }

    pub(crate) fn tokens_by_imprint(&self, imprint: &[u8], segment_size: i64) -> Result<Vec<LedgerRow>, StoreError> {
        let mut found = Vec::new();
        for server in self.servers()? {
            let id = server.server_id;
            let list = self.query(
                "SELECT segment, length(entries)::bigint FROM imprint_segments WHERE server_id = $1 ORDER BY segment",
                &[&id],
            )?;
            let mut indexed = 0;
            for row in &list {
                let (segment, length): (i64, i64) = (row.get(0), row.get(1));
                indexed = segment + 1;
                let length = usize::try_from(length).unwrap_or(0);
                let range = segments::window(length / segments::ENTRY, imprint);
                let part = self.segment_part(id, segment, &range)?;
                let (mut positions, complete) = segments::search(&part, &range, length, imprint);
                if !complete {
                    let whole = 0..length;
                    (positions, _) =
                        segments::search(&self.segment_part(id, segment, &whole)?, &whole, length, imprint);
                }
                for position in positions {
                    let number = segment * segment_size + i64::from(position) + 1;
                    found.extend(
                        self.rows("server_id = $1 AND number = $2 AND imprint = $3", &[&id, &number, &imprint])?,
                    );
                }
            }
            let open = indexed * segment_size;
            found.extend(
                self.rows("server_id = $1 AND number > $2 AND imprint = $3 ORDER BY number", &[&id, &open, &imprint])?,
            );
        }
        Ok(found)
    }

    fn segment_part(
        &self,
        server_id: i64,
        segment: i64,
        range: &std::ops::Range<usize>,
    ) -> Result<Vec<u8>, StoreError> {
        let start = i32::try_from(range.start + 1).unwrap_or(i32::MAX);
        let length = i32::try_from(range.len()).unwrap_or(i32::MAX);
        let rows = self.query(
            "SELECT substring(entries FROM $3 FOR $4) FROM imprint_segments WHERE server_id = $1 AND segment = $2",
            &[&server_id, &segment, &start, &length],
        )?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    pub(crate) fn index_next_segment(&self, server_id: i64, segment_size: i64) -> Result<bool, StoreError> {
        let rows = self.query(
            "SELECT (SELECT coalesce(max(segment) + 1, 0) FROM imprint_segments WHERE server_id = $1), \
                    (SELECT last_number FROM servers WHERE server_id = $1)",
            &[&server_id],
        )?;
        let Some((segment, Some(last))) = rows.first().map(|row| (row.get::<_, i64>(0), row.get::<_, Option<i64>>(1)))
        else {
            return Ok(false);
        };
        let first = segment * segment_size;
        if last < first + segment_size {
            return Ok(false);
        }
        let rows = self.query(
            "SELECT number, imprint FROM ledger WHERE server_id = $1 AND number > $2 AND number <= $3 AND imprint IS NOT NULL",
            &[&server_id, &first, &(first + segment_size)],
        )?;
        let entries = segments::build(rows.iter().map(|row| {
            let position = u32::try_from(row.get::<_, i64>(0) - first - 1).unwrap_or(u32::MAX);
            (position, row.get(1))
        }));
        // Another server may index the same chain at the same time: the first one's blob stays.
        self.query(
            "INSERT INTO imprint_segments (server_id, segment, entries) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&server_id, &segment, &entries],
        )?;
        Ok(true)
    }

    pub(crate) fn take_ordered_times(&self, profile: &str, now_us: i64, count: u32) -> Result<i64, StoreError> {
        let count = i64::from(count);
        let rows = self.query(
            "INSERT INTO ordered_times AS mine (profile, last_us) VALUES ($1, $2::bigint - 1 + $3::bigint) \
             ON CONFLICT (profile) DO UPDATE SET last_us = greatest(mine.last_us, $2::bigint - 1) + $3::bigint \
             RETURNING last_us",
            &[&profile, &now_us, &count],
        )?;
        let last_us: i64 =
            rows.first().map(|row| row.get(0)).ok_or(StoreError::Row { table: "ordered_times", column: "last_us" })?;
        Ok(last_us - count + 1)
    }
}

pub(super) fn fixed<const N: usize>(
    octets: Vec<u8>,
    table: &'static str,
    column: &'static str,
) -> Result<[u8; N], StoreError> {
    octets.try_into().map_err(|_| StoreError::Row { table, column })
}

/// A column of the ledger; what was tampered with may hold what the schema does not allow.
fn column<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|_| unreadable(column))
}

fn unreadable(column: usize) -> StoreError {
    StoreError::Row { table: "ledger", column: LEDGER_COLUMNS.get(column).copied().unwrap_or("?") }
}

fn octets<const N: usize>(row: &Row, index: usize) -> Result<[u8; N], StoreError> {
    column::<&[u8]>(row, index)?.try_into().map_err(|_| unreadable(index))
}

fn read_row(row: &Row) -> Result<LedgerRow, StoreError> {
    let text = |index: usize| column::<&str>(row, index).map(Arc::from);
    let token = match column::<Option<&[u8]>>(row, 6)? {
        None => None,
        Some(_) => Some(TokenRow {
            serial: octets(row, 6)?,
            gen_time_us: column(row, 7)?,
            profile: text(8)?,
            hash_algorithm: Cow::Owned(column(row, 9)?),
            imprint: column(row, 10)?,
            policy: text(11)?,
            key_name: text(12)?,
            caller: text(13)?,
            token_sha256: octets(row, 14)?,
            token: column(row, 15)?,
        }),
    };
    Ok(LedgerRow {
        server_id: column(row, 0)?,
        number: column(row, 1)?,
        kind: Cow::Owned(column(row, 2)?),
        recorded_at_us: column(row, 3)?,
        previous_hash: octets(row, 4)?,
        detail: column(row, 5)?,
        token,
    })
}

impl PostgresWriter {
    fn run<T>(
        &self,
        work: impl AsyncFnOnce(&deadpool_postgres::Object) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(limited(async { work(&client(&self.pool).await?).await }))
    }

    pub(crate) fn chain_end(&self) -> Result<ChainEnd, StoreError> {
        // An append whose outcome is unknown may still be under way: the row's lock waits for its end.
        self.run(async |client| {
            let row = client
                .query_one(
                    "SELECT last_number, last_hash FROM servers WHERE server_id = $1 FOR UPDATE",
                    &[&self.lease.server_id],
                )
                .await
                .map_err(|error| driver(&error))?;
            Ok(ChainEnd { number: row.get(0), hash: fixed(row.get(1), "servers", "last_hash")? })
        })
    }

    /// Appends rows after `before`, in one statement.
    pub(crate) fn append(&self, before: ChainEnd, rows: &[LedgerRow], end: ChainEnd) -> Result<(), AppendError> {
        let count = rows.len();
        let group = Group::new(rows);
        let appended = self.runtime.block_on(async {
            let work = async {
                let client = client(&self.pool).await.map_err(AppendError::Refused)?;
                let statement =
                    client.prepare_cached(APPEND).await.map_err(|error| AppendError::Refused(driver(&error)))?;
                drop(self.warnings.take());
                let result = group.append(&client, &statement, &self.lease, before, end).await;
                self.settled(result)
            };
            let lost = || AppendError::Unknown(StoreError::Postgres { reason: "no answer in time".to_owned() });
            tokio::time::timeout(super::CALL_TIMEOUT, work).await.unwrap_or_else(|_| Err(lost()))
        })?;
        if usize::try_from(appended) == Ok(count) { Ok(()) } else { Err(AppendError::LeaseLost) }
    }

    /// What became of a commit, by the server's answer to it.
    pub(super) fn settled<T>(&self, result: Result<T, tokio_postgres::Error>) -> Result<T, AppendError> {
        if let Some(warning) = self.warnings.take() {
            let reason = format!("the commit came with a warning: {warning}");
            return Err(AppendError::Unknown(StoreError::Postgres { reason }));
        }
        result.map_err(|error| {
            // Class 57P is the server going down: the commit may have stood before it went.
            let surely = error.code().is_some_and(|code| !code.code().starts_with("57P"));
            let error = driver(&error);
            if surely { AppendError::Refused(error) } else { AppendError::Unknown(error) }
        })
    }

    pub(crate) fn renew(&self) -> Result<bool, StoreError> {
        self.run(async |client| {
            let renewed = client
                .execute(
                    "UPDATE servers SET lease_until = now() + interval '30 s' WHERE server_id = $1 AND lease_id = $2",
                    &[&self.lease.server_id, &self.lease.lease_id],
                )
                .await
                .map_err(|error| driver(&error))?;
            Ok(renewed == 1)
        })
    }

    pub(crate) fn release(&self) -> Result<(), StoreError> {
        self.run(async |client| {
            client
                .execute(
                    "UPDATE servers SET lease_until = '-infinity', clean = true WHERE server_id = $1 AND lease_id = $2",
                    &[&self.lease.server_id, &self.lease.lease_id],
                )
                .await
                .map(drop)
                .map_err(|error| driver(&error))
        })
    }

    /// Forgets the connection; the next call makes a new one.
    pub(crate) fn reconnect(&self) {
        self.pool.retain(|_, _| false);
    }
}

/// A group, column by column.
pub(super) struct Group<'a> {
    numbers: Vec<i64>,
    kinds: Vec<&'a str>,
    recorded_at_us: Vec<i64>,
    previous_hashes: Vec<&'a [u8]>,
    details: Vec<Option<&'a str>>,
    serials: Vec<Option<&'a [u8]>>,
    gen_times_us: Vec<Option<i64>>,
    profiles: Vec<Option<&'a str>>,
    hash_algorithms: Vec<Option<&'a str>>,
    imprints: Vec<Option<&'a [u8]>>,
    policies: Vec<Option<&'a str>>,
    key_names: Vec<Option<&'a str>>,
    callers: Vec<Option<&'a str>>,
    token_sha256s: Vec<Option<&'a [u8]>>,
    tokens: Vec<Option<&'a [u8]>>,
}

impl<'a> Group<'a> {
    pub(super) fn new(rows: &'a [LedgerRow]) -> Self {
        let token = |row: &'a LedgerRow| row.token.as_ref();
        Self {
            numbers: rows.iter().map(|row| row.number).collect(),
            kinds: rows.iter().map(|row| &*row.kind).collect(),
            recorded_at_us: rows.iter().map(|row| row.recorded_at_us).collect(),
            previous_hashes: rows.iter().map(|row| &row.previous_hash[..]).collect(),
            details: rows.iter().map(|row| row.detail.as_deref()).collect(),
            serials: rows.iter().map(|row| token(row).map(|token| &token.serial[..])).collect(),
            gen_times_us: rows.iter().map(|row| token(row).map(|token| token.gen_time_us)).collect(),
            profiles: rows.iter().map(|row| token(row).map(|token| &*token.profile)).collect(),
            hash_algorithms: rows.iter().map(|row| token(row).map(|token| &*token.hash_algorithm)).collect(),
            imprints: rows.iter().map(|row| token(row).map(|token| &*token.imprint)).collect(),
            policies: rows.iter().map(|row| token(row).map(|token| &*token.policy)).collect(),
            key_names: rows.iter().map(|row| token(row).map(|token| &*token.key_name)).collect(),
            callers: rows.iter().map(|row| token(row).map(|token| &*token.caller)).collect(),
            token_sha256s: rows.iter().map(|row| token(row).map(|token| &token.token_sha256[..])).collect(),
            tokens: rows.iter().map(|row| token(row).and_then(|token| token.token.as_deref())).collect(),
        }
    }

    /// Runs [`APPEND`] and tells how many rows it inserted: none if the chain's end or the lease is another one.
    pub(super) async fn append(
        &self,
        client: &impl GenericClient,
        statement: &Statement,
        lease: &PostgresLease,
        before: ChainEnd,
        end: ChainEnd,
    ) -> Result<u64, tokio_postgres::Error> {
        let (end_hash, before_hash) = (end.hash.as_slice(), before.hash.as_slice());
        let parameters: [&(dyn ToSql + Sync); 21] = [
            &end.number,
            &end_hash,
            &lease.server_id,
            &lease.lease_id,
            &before.number,
            &before_hash,
            &self.numbers,
            &self.kinds,
            &self.recorded_at_us,
            &self.previous_hashes,
            &self.details,
            &self.serials,
            &self.gen_times_us,
            &self.profiles,
            &self.hash_algorithms,
            &self.imprints,
            &self.policies,
            &self.key_names,
            &self.callers,
            &self.token_sha256s,
            &self.tokens,
        ];
        client.execute(statement, &parameters).await
    }
}
