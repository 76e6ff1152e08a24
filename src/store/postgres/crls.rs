//! CRLs in PostgreSQL.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use super::PostgresStore;
use super::ledger::fixed;
use crate::store::crls::{SWEPT_AT_ONCE, with_scope};
use crate::store::{CertificateState, CrlRow, CrlScope, Listed, ListedPlace, ListedRow, StoreError, now_us};

const LISTED: &str = "serial, crl_partition, state, reason, revoked_at_s, invalidity_s, not_after_s, change_number, \
                      changed_at_us";

fn read_listed(row: &Row) -> Result<ListedRow, StoreError> {
    let unreadable = |column| StoreError::Row { table: "registry", column };
    let reason: Option<i16> = row.get(3);
    let partition: i32 = row.get(1);
    Ok(ListedRow {
        serial: row.get(0),
        partition: u16::try_from(partition).map_err(|_| unreadable("crl_partition"))?,
        state: CertificateState::from_number(row.get(2)).ok_or(unreadable("state"))?,
        reason: reason.map(u8::try_from).transpose().map_err(|_| unreadable("reason"))?,
        revoked_at_s: row.get(4),
        invalidity_s: row.get(5),
        not_after_s: row.get(6),
        change_number: row.get(7),
        changed_at_us: row.get(8),
    })
}

impl PostgresStore {
    pub(crate) fn next_crl_number(&self, issuer_id: i64) -> Result<i64, StoreError> {
        let rows = self.query(
            "INSERT INTO crl_series AS series (issuer_id, last_number) VALUES ($1, 1) \
             ON CONFLICT (issuer_id) DO UPDATE SET last_number = series.last_number + 1 RETURNING last_number",
            &[&issuer_id],
        )?;
        rows.first().map(|row| row.get(0)).ok_or(StoreError::Row { table: "crl_series", column: "last_number" })
    }

    pub(crate) fn listed(
        &self,
        issuer_id: i64,
        which: Listed,
        after: ListedPlace<'_>,
        limit: u32,
    ) -> Result<Vec<ListedRow>, StoreError> {
        let (place, serial, limit) = (i32::from(after.0), after.1, i64::from(limit));
        let rows = match which {
            Listed::All => self.query(
                &format!(
                    "SELECT {LISTED} FROM registry \
                     WHERE issuer_id = $1 AND state IN (2, 3) AND (crl_partition, serial) > ($2, $3) \
                     ORDER BY crl_partition, serial LIMIT $4"
                ),
                &[&issuer_id, &place, &serial, &limit],
            )?,
            Listed::Partition(number) => self.query(
                &format!(
                    "SELECT {LISTED} FROM registry \
                     WHERE issuer_id = $1 AND state IN (2, 3) AND crl_partition = $2 AND serial > $3 \
                     ORDER BY serial LIMIT $4"
                ),
                &[&issuer_id, &i32::from(number), &serial, &limit],
            )?,
        };
        rows.iter().map(read_listed).collect()
    }

    pub(crate) fn listed_changes(
        &self,
        issuer_id: i64,
        after: (i64, &[u8]),
        limit: u32,
    ) -> Result<Vec<ListedRow>, StoreError> {
        let rows = self.query(
            &format!(
                "SELECT {LISTED} FROM registry \
                 WHERE issuer_id = $1 AND (change_number, serial) > ($2, $3) AND (state IN (2, 3) OR was_held) \
                 ORDER BY change_number, serial LIMIT $4"
            ),
            &[&issuer_id, &after.0, &after.1, &i64::from(limit)],
        )?;
        rows.iter().map(read_listed).collect()
    }

    pub(crate) fn stage_crl(&self, row: &CrlRow) -> Result<i64, StoreError> {
        let rows = self.query(
            "INSERT INTO crls (issuer_id, scope, number, base_number, change_number, this_update_s, next_update_s, \
               entries, octets, sha256, state, changed_at_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'staged', $11) RETURNING id",
            &[
                &row.issuer_id,
                &row.scope.name(),
                &row.number,
                &row.base_number,
                &row.change_number,
                &row.this_update_s,
                &row.next_update_s,
                &row.entries,
                &row.octets,
                &&row.sha256[..],
                &now_us(),
            ],
        )?;
        rows.first().map(|row| row.get(0)).ok_or(StoreError::Row { table: "crls", column: "id" })
    }

    pub(crate) fn put_crl_chunk(&self, crl_id: i64, position: i32, octets: &[u8]) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO crl_chunks (crl_id, position, octets) VALUES ($1, $2, $3)",
            &[&crl_id, &position, &octets],
        )
        .map(drop)
    }

    pub(crate) fn crl_chunk(&self, crl_id: i64, position: i32) -> Result<Option<Vec<u8>>, StoreError> {
        let rows =
            self.query("SELECT octets FROM crl_chunks WHERE crl_id = $1 AND position = $2", &[&crl_id, &position])?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    pub(crate) fn published_crls(&self) -> Result<Vec<CrlRow>, StoreError> {
        let rows = self.query(
            "SELECT id, issuer_id, number, base_number, change_number, this_update_s, next_update_s, entries, octets, \
               sha256, scope, changed_at_us FROM crls WHERE state = 'published' ORDER BY issuer_id, scope",
            &[],
        )?;
        rows.iter()
            .map(|row| {
                let crl = CrlRow {
                    id: row.get(0),
                    issuer_id: row.get(1),
                    scope: CrlScope::Complete,
                    number: row.get(2),
                    base_number: row.get(3),
                    change_number: row.get(4),
                    this_update_s: row.get(5),
                    next_update_s: row.get(6),
                    entries: row.get(7),
                    octets: row.get(8),
                    sha256: fixed(row.get(9), "crls", "sha256")?,
                    published_at_us: row.get(11),
                };
                with_scope(crl, row.get(10))
            })
            .collect()
    }

    /// The row goes first: a publishing whose outcome is not known yet is waited for, and then it is there no more.
    pub(crate) fn discard_crl(&self, crl_id: i64) -> Result<(), StoreError> {
        self.execute(
            "WITH gone AS (DELETE FROM crls WHERE id = $1 AND state = 'staged' RETURNING id) \
             DELETE FROM crl_chunks WHERE crl_id IN (SELECT id FROM gone)",
            &[&crl_id],
        )
        .map(drop)
    }

    pub(crate) fn sweep_crls(&self, before_us: i64) -> Result<bool, StoreError> {
        let oldest = self.query(
            "SELECT id FROM crls WHERE state IN ('staged', 'replaced') AND changed_at_us < $1 \
             ORDER BY changed_at_us LIMIT 1",
            &[&before_us],
        )?;
        let Some(id) = oldest.first().map(|row| row.get::<_, i64>(0)) else { return Ok(false) };
        let deleted = self.execute(
            "DELETE FROM crl_chunks WHERE crl_id = $1 AND position IN \
               (SELECT position FROM crl_chunks WHERE crl_id = $1 ORDER BY position LIMIT $2)",
            &[&id, &i64::from(SWEPT_AT_ONCE)],
        )?;
        if deleted == 0 {
            self.execute("UPDATE crls SET state = 'swept' WHERE id = $1 AND state IN ('staged', 'replaced')", &[&id])?;
        }
        Ok(true)
    }
}

/// Puts a staged CRL in the place of the one before it; tells whether it could be.
///
/// The series' row is locked first, so that of two that publish at once the second sees what the first did. What does not
/// fit is seen by the caller, who rolls back.
pub(super) async fn publish(
    transaction: &Transaction<'_>,
    crl_id: i64,
    now_us: i64,
) -> Result<bool, tokio_postgres::Error> {
    let lock = "SELECT 1 FROM crl_series WHERE issuer_id = (SELECT issuer_id FROM crls WHERE id = $1) FOR UPDATE";
    transaction.execute(&transaction.prepare_cached(lock).await?, &[&crl_id]).await?;
    let replace = "UPDATE crls AS old SET state = 'replaced', changed_at_us = $2 FROM crls AS new \
         WHERE new.id = $1 AND new.state = 'staged' AND old.issuer_id = new.issuer_id AND old.scope = new.scope \
           AND old.state = 'published' AND old.number < new.number \
           AND old.change_number <= new.change_number";
    transaction.execute(&transaction.prepare_cached(replace).await?, &[&crl_id, &now_us]).await?;
    let publish = "UPDATE crls AS mine SET state = 'published', changed_at_us = $2 WHERE id = $1 AND state = 'staged' \
           AND octets = (SELECT coalesce(sum(octet_length(chunk.octets)), 0) FROM crl_chunks AS chunk \
             WHERE chunk.crl_id = $1) \
           AND number = (SELECT last_number FROM crl_series WHERE crl_series.issuer_id = mine.issuer_id) \
           AND NOT EXISTS (SELECT 1 FROM crls AS other WHERE other.issuer_id = mine.issuer_id \
             AND other.scope = mine.scope AND other.state = 'published')";
    let published = transaction.execute(&transaction.prepare_cached(publish).await?, &[&crl_id, &now_us]).await?;
    Ok(published == 1)
}
