//! Issuers and certificates' status in PostgreSQL.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresStore;
use super::ledger::fixed;
use crate::store::registry::Condition;
use crate::store::{CertificateState, IssuerOrigin, IssuerRow, RegistryRow, StatusRow, StoreError};

/// The registry's columns as [`read_row`] reads them, the status' ones first.
pub(super) const COLUMNS: &str = "state, reason, revoked_at_s, invalidity_s, change_number, issuer_id, serial, \
                                  profile, subject, not_before_s, not_after_s, certificate_sha256, changed_by, \
                                  changed_at_us, crl_partition";

/// A status whose columns (state, reason, revoked_at_s, invalidity_s, change_number) begin at `first`.
pub(super) fn read_status(row: &Row, first: usize) -> Result<StatusRow, StoreError> {
    let unreadable = |column| StoreError::Row { table: "registry", column };
    let reason: Option<i16> = row.get(first + 1);
    Ok(StatusRow {
        state: CertificateState::from_number(row.get(first)).ok_or(unreadable("state"))?,
        reason: reason.map(u8::try_from).transpose().map_err(|_| unreadable("reason"))?,
        revoked_at_s: row.get(first + 2),
        invalidity_s: row.get(first + 3),
        change_number: row.get(first + 4),
    })
}

fn read_row(row: &Row) -> Result<RegistryRow, StoreError> {
    let certificate: Option<Vec<u8>> = row.get(11);
    let partition: i32 = row.get(14);
    Ok(RegistryRow {
        status: read_status(row, 0)?,
        issuer_id: row.get(5),
        serial: row.get(6),
        profile: row.get(7),
        subject: row.get(8),
        not_before_s: row.get(9),
        not_after_s: row.get(10),
        certificate_sha256: certificate.map(|hash| fixed(hash, "registry", "certificate_sha256")).transpose()?,
        changed_by: row.get(12),
        changed_at_us: row.get(13),
        crl_partition: u16::try_from(partition)
            .map_err(|_| StoreError::Row { table: "registry", column: "crl_partition" })?,
    })
}

impl PostgresStore {
    pub(crate) fn issuers(&self) -> Result<Vec<IssuerRow>, StoreError> {
        let rows = self.query(
            "SELECT id, name, certificate_sha256, settings, change_number, origin FROM issuers ORDER BY id",
            &[],
        )?;
        rows.iter()
            .map(|row| {
                let issuer = IssuerRow {
                    id: row.get(0),
                    name: row.get(1),
                    origin: IssuerOrigin::External,
                    certificate_sha256: fixed(row.get(2), "issuers", "certificate_sha256")?,
                    settings: row.get(3),
                    change_number: row.get(4),
                };
                issuer.with_origin(row.get(5))
            })
            .collect()
    }

    pub(crate) fn issuer_numbers(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        let rows = self.query("SELECT id, change_number FROM issuers ORDER BY id", &[])?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    pub(crate) fn registry_row(&self, issuer_id: i64, serial: &[u8]) -> Result<Option<RegistryRow>, StoreError> {
        let rows = self.query(
            &format!("SELECT {COLUMNS} FROM registry WHERE issuer_id = $1 AND serial = $2"),
            &[&issuer_id, &serial],
        )?;
        rows.first().map(read_row).transpose()
    }

    pub(crate) fn certificate_der(&self, sha256: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.query("SELECT der FROM certificates WHERE sha256 = $1", &[&&sha256[..]])?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    pub(crate) fn search_registry(
        &self,
        conditions: &[Condition<'_>],
        limit: u32,
    ) -> Result<Vec<RegistryRow>, StoreError> {
        let mut text = format!("SELECT {COLUMNS} FROM registry WHERE true");
        let mut values: Vec<Box<dyn ToSql + Sync + '_>> = Vec::new();
        for condition in conditions {
            let next = values.len() + 1;
            text += &match condition {
                Condition::Issuer(_) => format!(" AND issuer_id = ${next}"),
                Condition::AfterSerial(_) => format!(" AND serial > ${next}"),
                Condition::After(..) => format!(" AND (issuer_id, serial) > (${next}, ${})", next + 1),
                Condition::State(_) => format!(" AND state = ${next}"),
                // ASCII alone, as SQLite has it.
                Condition::Subject(_) => format!(" AND strpos(lower(subject COLLATE \"C\"), ${next}) > 0"),
                Condition::Profile(_) => format!(" AND profile = ${next}"),
                Condition::EndsBefore(_) => format!(" AND not_after_s < ${next}"),
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
        text += &format!(" ORDER BY issuer_id, serial LIMIT ${}", values.len() + 1);
        values.push(Box::new(i64::from(limit)));
        let parameters: Vec<&(dyn ToSql + Sync)> = values.iter().map(AsRef::as_ref).collect();
        self.query(&text, &parameters)?.iter().map(read_row).collect()
    }

    pub(crate) fn changes_since(
        &self,
        issuer_id: i64,
        after: (i64, &[u8]),
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = self.query(
            "SELECT change_number, serial FROM registry \
             WHERE issuer_id = $1 AND (change_number, serial) > ($2, $3) ORDER BY change_number, serial LIMIT $4",
            &[&issuer_id, &after.0, &after.1, &i64::from(limit)],
        )?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    pub(crate) fn count_registry(&self, issuer_id: i64) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM registry WHERE issuer_id = $1", issuer_id)
    }

    pub(super) fn count(&self, query: &str, issuer_id: i64) -> Result<u64, StoreError> {
        let rows = self.query(query, &[&issuer_id])?;
        let count: i64 = rows.first().map_or(0, |row| row.get(0));
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
