//! Issuers and certificates' status in SQLite.

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::SqliteStore;
use crate::store::registry::Condition;
use crate::store::{CertificateState, IssuerOrigin, IssuerRow, RegistryRow, StatusRow, StoreError};

/// The registry's columns as [`read_row`] reads them, the status' ones first.
const COLUMNS: &str = "state, reason, revoked_at_s, invalidity_s, change_number, issuer_id, serial, profile, subject, \
                       not_before_s, not_after_s, certificate_sha256, changed_by, changed_at_us, crl_partition";

/// A status whose columns (state, reason, revoked_at_s, invalidity_s, change_number) begin at `first`.
pub(super) fn read_status(row: &Row<'_>, first: usize) -> rusqlite::Result<StatusRow> {
    let state: i16 = row.get(first)?;
    Ok(StatusRow {
        state: CertificateState::from_number(state)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(first, i64::from(state)))?,
        reason: row.get(first + 1)?,
        revoked_at_s: row.get(first + 2)?,
        invalidity_s: row.get(first + 3)?,
        change_number: row.get(first + 4)?,
    })
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<RegistryRow> {
    Ok(RegistryRow {
        status: read_status(row, 0)?,
        issuer_id: row.get(5)?,
        serial: row.get(6)?,
        profile: row.get(7)?,
        subject: row.get(8)?,
        not_before_s: row.get(9)?,
        not_after_s: row.get(10)?,
        certificate_sha256: row.get(11)?,
        changed_by: row.get(12)?,
        changed_at_us: row.get(13)?,
        crl_partition: row.get(14)?,
    })
}

/// Inserts a registry row with this state and change number; 0 if its serial number is known.
pub(super) fn insert_row(
    connection: &Connection,
    row: &RegistryRow,
    state: CertificateState,
    change_number: i64,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO registry ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
             ON CONFLICT (issuer_id, serial) DO NOTHING"
        ))?
        .execute(params![
            state.number(),
            row.status.reason,
            row.status.revoked_at_s,
            row.status.invalidity_s,
            change_number,
            row.issuer_id,
            row.serial,
            row.profile,
            row.subject,
            row.not_before_s,
            row.not_after_s,
            row.certificate_sha256,
            row.changed_by,
            row.changed_at_us,
            row.crl_partition,
        ])
}

impl SqliteStore {
    pub(crate) fn issuers(&self) -> Result<Vec<IssuerRow>, StoreError> {
        let rows: Vec<(IssuerRow, String)> = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, name, certificate_sha256, settings, change_number, origin FROM issuers ORDER BY id",
                )?
                .query_map([], |row| {
                    let issuer = IssuerRow {
                        id: row.get(0)?,
                        name: row.get(1)?,
                        origin: IssuerOrigin::External,
                        certificate_sha256: row.get(2)?,
                        settings: row.get(3)?,
                        change_number: row.get(4)?,
                    };
                    Ok((issuer, row.get(5)?))
                })?
                .collect()
        })?;
        rows.into_iter().map(|(issuer, origin)| issuer.with_origin(&origin)).collect()
    }

    pub(crate) fn issuer_numbers(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT id, change_number FROM issuers ORDER BY id")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    pub(crate) fn registry_row(&self, issuer_id: i64, serial: &[u8]) -> Result<Option<RegistryRow>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM registry WHERE issuer_id = ?1 AND serial = ?2"))?
                .query_row(params![issuer_id, serial], read_row)
                .optional()
        })
    }

    pub(crate) fn certificate_der(&self, sha256: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT der FROM certificates WHERE sha256 = ?1")?
                .query_row([sha256], |row| row.get(0))
                .optional()
        })
    }

    pub(crate) fn search_registry(
        &self,
        conditions: &[Condition<'_>],
        limit: u32,
    ) -> Result<Vec<RegistryRow>, StoreError> {
        let mut text = format!("SELECT {COLUMNS} FROM registry WHERE true");
        let mut values: Vec<Box<dyn ToSql + '_>> = Vec::new();
        for condition in conditions {
            text += match condition {
                Condition::Issuer(_) => " AND issuer_id = ?",
                Condition::AfterSerial(_) => " AND serial > ?",
                Condition::After(..) => " AND (issuer_id, serial) > (?, ?)",
                Condition::State(_) => " AND state = ?",
                Condition::Subject(_) => " AND instr(lower(subject), ?) > 0",
                Condition::Profile(_) => " AND profile = ?",
                Condition::EndsBefore(_) => " AND not_after_s < ?",
            };
            match condition {
                Condition::Issuer(number) | Condition::EndsBefore(number) => values.push(Box::new(number)),
                Condition::AfterSerial(serial) => values.push(Box::new(serial)),
                Condition::After(issuer, serial) => {
                    values.push(Box::new(issuer));
                    values.push(Box::new(serial));
                }
                Condition::State(state) => values.push(Box::new(state.number())),
                Condition::Subject(part) => values.push(Box::new(part)),
                Condition::Profile(name) => values.push(Box::new(name)),
            }
        }
        text += " ORDER BY issuer_id, serial LIMIT ?";
        values.push(Box::new(limit));
        self.read(|connection| {
            connection.prepare_cached(&text)?.query_map(params_from_iter(values), read_row)?.collect()
        })
    }

    pub(crate) fn changes_since(
        &self,
        issuer_id: i64,
        after: (i64, &[u8]),
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT change_number, serial FROM registry \
                     WHERE issuer_id = ?1 AND (change_number, serial) > (?2, ?3) \
                     ORDER BY change_number, serial LIMIT ?4",
                )?
                .query_map(params![issuer_id, after.0, after.1, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    pub(crate) fn count_registry(&self, issuer_id: i64) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM registry WHERE issuer_id = ?1", issuer_id)
    }

    pub(super) fn count(&self, query: &str, issuer_id: i64) -> Result<u64, StoreError> {
        let count: i64 = self.read(|connection| connection.query_row(query, [issuer_id], |row| row.get(0)))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
