//! CRLs in SQLite.

use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};

use super::SqliteStore;
use crate::store::crls::{SWEPT_AT_ONCE, with_scope};
use crate::store::{CertificateState, CrlRow, CrlScope, Listed, ListedPlace, ListedRow, StoreError, now_us};

const LISTED: &str = "serial, crl_partition, state, reason, revoked_at_s, invalidity_s, not_after_s, change_number, \
                      changed_at_us";

fn read_listed(row: &Row<'_>) -> rusqlite::Result<ListedRow> {
    let state: i16 = row.get(2)?;
    Ok(ListedRow {
        serial: row.get(0)?,
        partition: row.get(1)?,
        state: CertificateState::from_number(state)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(2, i64::from(state)))?,
        reason: row.get(3)?,
        revoked_at_s: row.get(4)?,
        invalidity_s: row.get(5)?,
        not_after_s: row.get(6)?,
        change_number: row.get(7)?,
        changed_at_us: row.get(8)?,
    })
}

impl SqliteStore {
    pub(crate) fn next_crl_number(&self, issuer_id: i64) -> Result<i64, StoreError> {
        self.shared.check_in_place()?;
        let number = self.shared.writer().query_row(
            "INSERT INTO crl_series (issuer_id, last_number) VALUES (?1, 1) \
             ON CONFLICT (issuer_id) DO UPDATE SET last_number = last_number + 1 RETURNING last_number",
            [issuer_id],
            |row| row.get(0),
        );
        number.map_err(|error| self.shared.error(error))
    }

    pub(crate) fn listed(
        &self,
        issuer_id: i64,
        which: Listed,
        after: ListedPlace<'_>,
        limit: u32,
    ) -> Result<Vec<ListedRow>, StoreError> {
        let partition = match which {
            Listed::All => "",
            Listed::Partition(_) => "AND crl_partition = ?5",
        };
        let number = match which {
            Listed::All => 0,
            Listed::Partition(number) => number,
        };
        let text = format!(
            "SELECT {LISTED} FROM registry INDEXED BY registry_listed \
             WHERE issuer_id = ?1 AND state IN (2, 3) AND (crl_partition, serial) > (?2, ?3) {partition} \
             ORDER BY crl_partition, serial LIMIT ?4"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&text)?;
            match which {
                Listed::All => statement.query_map(params![issuer_id, after.0, after.1, limit], read_listed)?.collect(),
                Listed::Partition(_) => {
                    statement.query_map(params![issuer_id, after.0, after.1, limit, number], read_listed)?.collect()
                }
            }
        })
    }

    pub(crate) fn listed_changes(
        &self,
        issuer_id: i64,
        after: (i64, &[u8]),
        limit: u32,
    ) -> Result<Vec<ListedRow>, StoreError> {
        let text = format!(
            "SELECT {LISTED} FROM registry INDEXED BY registry_listed_changes \
             WHERE issuer_id = ?1 AND (change_number, serial) > (?2, ?3) AND (state IN (2, 3) OR was_held) \
             ORDER BY change_number, serial LIMIT ?4"
        );
        self.read(|connection| {
            connection
                .prepare_cached(&text)?
                .query_map(params![issuer_id, after.0, after.1, limit], read_listed)?
                .collect()
        })
    }

    pub(crate) fn stage_crl(&self, row: &CrlRow) -> Result<i64, StoreError> {
        self.shared.check_in_place()?;
        let id = self.shared.writer().query_row(
            "INSERT INTO crls (issuer_id, scope, number, base_number, change_number, this_update_s, next_update_s, \
               entries, octets, sha256, state, changed_at_us) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'staged', ?11) RETURNING id",
            params![
                row.issuer_id,
                row.scope.name(),
                row.number,
                row.base_number,
                row.change_number,
                row.this_update_s,
                row.next_update_s,
                row.entries,
                row.octets,
                row.sha256,
                now_us()
            ],
            |row| row.get(0),
        );
        id.map_err(|error| self.shared.error(error))
    }

    pub(crate) fn put_crl_chunk(&self, crl_id: i64, position: i32, octets: &[u8]) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO crl_chunks (crl_id, position, octets) VALUES (?1, ?2, ?3)",
            params![crl_id, position, octets],
        )
        .map(drop)
    }

    pub(crate) fn crl_chunk(&self, crl_id: i64, position: i32) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT octets FROM crl_chunks WHERE crl_id = ?1 AND position = ?2")?
                .query_row(params![crl_id, position], |row| row.get(0))
                .optional()
        })
    }

    pub(crate) fn published_crls(&self) -> Result<Vec<CrlRow>, StoreError> {
        let rows: Vec<(CrlRow, String)> = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, issuer_id, number, base_number, change_number, this_update_s, next_update_s, entries, \
                       octets, sha256, scope, changed_at_us FROM crls WHERE state = 'published' ORDER BY issuer_id, scope",
                )?
                .query_map([], |row| {
                    let crl = CrlRow {
                        id: row.get(0)?,
                        issuer_id: row.get(1)?,
                        scope: CrlScope::Complete,
                        number: row.get(2)?,
                        base_number: row.get(3)?,
                        change_number: row.get(4)?,
                        this_update_s: row.get(5)?,
                        next_update_s: row.get(6)?,
                        entries: row.get(7)?,
                        octets: row.get(8)?,
                        sha256: row.get(9)?,
                        published_at_us: row.get(11)?,
                    };
                    Ok((crl, row.get(10)?))
                })?
                .collect()
        })?;
        rows.into_iter().map(|(row, scope): (CrlRow, String)| with_scope(row, &scope)).collect()
    }

    pub(crate) fn discard_crl(&self, crl_id: i64) -> Result<(), StoreError> {
        self.shared.check_in_place()?;
        let mut writer = self.shared.writer();
        let mut discard = || -> rusqlite::Result<()> {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if transaction.execute("DELETE FROM crls WHERE id = ?1 AND state = 'staged'", [crl_id])? == 1 {
                transaction.execute("DELETE FROM crl_chunks WHERE crl_id = ?1", [crl_id])?;
            }
            transaction.commit()
        };
        discard().map_err(|error| self.shared.error(error))
    }

    pub(crate) fn sweep_crls(&self, before_us: i64) -> Result<bool, StoreError> {
        let oldest: Option<i64> = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id FROM crls WHERE state IN ('staged', 'replaced') AND changed_at_us < ?1 \
                     ORDER BY changed_at_us LIMIT 1",
                )?
                .query_row([before_us], |row| row.get(0))
                .optional()
        })?;
        let Some(id) = oldest else { return Ok(false) };
        let deleted = self.write(
            "DELETE FROM crl_chunks WHERE crl_id = ?1 AND position IN \
               (SELECT position FROM crl_chunks WHERE crl_id = ?1 ORDER BY position LIMIT ?2)",
            params![id, SWEPT_AT_ONCE],
        )?;
        if deleted == 0 {
            self.write("UPDATE crls SET state = 'swept' WHERE id = ?1 AND state IN ('staged', 'replaced')", [id])?;
        }
        Ok(true)
    }
}

/// Puts a staged CRL in the place of the one before it; tells whether it could be.
///
/// What does not fit is seen by the caller, who rolls back.
pub(super) fn publish(connection: &Connection, crl_id: i64, now_us: i64) -> rusqlite::Result<bool> {
    connection.execute(
        "UPDATE crls SET state = 'replaced', changed_at_us = ?2 FROM crls AS new \
         WHERE new.id = ?1 AND new.state = 'staged' AND crls.issuer_id = new.issuer_id AND crls.scope = new.scope \
           AND crls.state = 'published' AND crls.number < new.number \
           AND crls.change_number <= new.change_number",
        params![crl_id, now_us],
    )?;
    let published = connection.execute(
        "UPDATE crls SET state = 'published', changed_at_us = ?2 WHERE id = ?1 AND state = 'staged' \
           AND octets = (SELECT coalesce(sum(length(chunk.octets)), 0) FROM crl_chunks AS chunk WHERE chunk.crl_id = ?1) \
           AND number = (SELECT last_number FROM crl_series WHERE crl_series.issuer_id = crls.issuer_id) \
           AND NOT EXISTS (SELECT 1 FROM crls AS other WHERE other.issuer_id = crls.issuer_id \
             AND other.scope = crls.scope AND other.state = 'published')",
        params![crl_id, now_us],
    )?;
    Ok(published == 1)
}
