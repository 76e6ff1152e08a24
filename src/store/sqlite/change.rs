//! Changes with their record in SQLite, in one transaction of the one writer.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::catalog::insert_certificate;
use super::crls::publish;
use super::desk::{insert_api_key, insert_task};
use super::ledger::SqliteWriter;
use super::registry::insert_row;
use crate::store::change::Conflict;
use crate::store::{
    AppendError, CertificateRow, CertificateState, ChainEnd, Change, LedgerRow, RegistryRow, TaskState,
};

/// Why a change was not applied.
enum Failure {
    Database(rusqlite::Error),
    Condition(Conflict),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl SqliteWriter {
    pub(crate) fn append_with(
        &self,
        before: ChainEnd,
        row: &LedgerRow,
        end: ChainEnd,
        change: &Change,
    ) -> Result<u64, AppendError> {
        self.in_transaction(|transaction| {
            let written = apply(transaction, change, row.recorded_at_us).map_err(|failure| match failure {
                Failure::Database(error) => self.refused(error),
                Failure::Condition(conflict) => conflict.into(),
            })?;
            self.extend(transaction, before, std::slice::from_ref(row), end)?;
            Ok(written)
        })
    }
}

/// Nothing but exactly one row will do.
fn one(rows: usize, otherwise: impl FnOnce() -> Conflict) -> Result<u64, Failure> {
    if rows == 1 { Ok(0) } else { Err(Failure::Condition(otherwise())) }
}

fn apply(connection: &Connection, change: &Change, now_us: i64) -> Result<u64, Failure> {
    match change {
        Change::AddIssuer { name, origin, certificate, settings } => {
            insert_certificate(connection, certificate)?;
            let rows = connection.execute(
                "INSERT INTO issuers (name, origin, certificate_sha256, settings, change_number) \
                 VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT (name) DO NOTHING",
                params![name, origin.name(), certificate.sha256, settings],
            )?;
            one(rows, || Conflict::IssuerName(name.clone()))
        }
        Change::ChangeIssuer { issuer_id, before, after } => {
            let rows = connection.execute(
                "UPDATE issuers SET settings = ?3 WHERE id = ?1 AND settings = ?2",
                params![issuer_id, before, after],
            )?;
            one(rows, || Conflict::IssuerSettings(*issuer_id))
        }
        Change::Intend(row) => intend(connection, row),
        Change::Issue { issuer_id, serial, certificate, changed_by, task } => {
            let number = next_number(connection, *issuer_id)?;
            issue(connection, (*issuer_id, serial), certificate, (changed_by, now_us), number)?;
            if let Some((id, output)) = task {
                finish_task(connection, id, TaskState::Done, output)?;
            }
            Ok(1)
        }
        Change::Status { before, after } => {
            let number = next_number(connection, after.issuer_id)?;
            change_status(connection, *before, after, number)
        }
        Change::Import { issuer_id, rows, certificates } => {
            let number = next_number(connection, *issuer_id)?;
            import(connection, rows, certificates, number)
        }
        Change::PublishCrl { crl_id } => {
            one(usize::from(publish(connection, *crl_id, now_us)?), || Conflict::Crl(*crl_id))
        }
        Change::RetireCrl { crl_id } => {
            let rows = connection.execute(
                "UPDATE crls SET state = 'replaced', changed_at_us = ?2 WHERE id = ?1 AND state = 'published'",
                params![crl_id, now_us],
            )?;
            one(rows, || Conflict::CrlNotPublished(*crl_id))
        }
        Change::RenewKeyCertificate { key_name, before, certificate } => {
            insert_certificate(connection, certificate)?;
            let rows = connection.execute(
                "UPDATE keys SET certificate_sha256 = ?3, changed_at_us = ?4 \
                 WHERE name = ?1 AND certificate_sha256 = ?2",
                params![key_name, before, certificate.sha256, now_us],
            )?;
            one(rows, || Conflict::KeyCertificate(key_name.clone()))
        }
        Change::AddTask(task) => one(insert_task(connection, task)?, || Conflict::TaskName(task.id.clone())),
        Change::FinishTask { id, state, output } => finish_task(connection, id, *state, output),
        Change::AddApiKey(key) => one(insert_api_key(connection, key)?, || Conflict::ApiKeyName(key.name.clone())),
        Change::RevokeApiKey { name, at_us } => {
            let rows = connection.execute(
                "UPDATE api_keys SET revoked_at_us = ?2 WHERE name = ?1 AND revoked_at_us IS NULL",
                params![name, at_us],
            )?;
            one(rows, || Conflict::NoApiKey(name.clone()))
        }
    }
}

fn next_number(connection: &Connection, issuer_id: i64) -> Result<i64, Failure> {
    connection
        .prepare_cached("UPDATE issuers SET change_number = change_number + 1 WHERE id = ?1 RETURNING change_number")?
        .query_row([issuer_id], |row| row.get(0))
        .optional()?
        .ok_or(Failure::Condition(Conflict::NoIssuer(issuer_id)))
}

fn intend(connection: &Connection, row: &RegistryRow) -> Result<u64, Failure> {
    let is_there = connection
        .prepare_cached("SELECT 1 FROM issuers WHERE id = ?1")?
        .query_row([row.issuer_id], |_| Ok(()))
        .optional()?;
    if is_there.is_none() {
        return Err(Failure::Condition(Conflict::NoIssuer(row.issuer_id)));
    }
    let rows = insert_row(connection, row, CertificateState::Intended, 0)?;
    one(rows, || Conflict::SerialTaken(row.serial.clone())).map(|_| 1)
}

fn issue(
    connection: &Connection,
    (issuer_id, serial): (i64, &Vec<u8>),
    certificate: &CertificateRow,
    (changed_by, now_us): (&str, i64),
    number: i64,
) -> Result<u64, Failure> {
    insert_certificate(connection, certificate)?;
    let rows = connection
        .prepare_cached(
            "UPDATE registry SET state = ?4, change_number = ?5, certificate_sha256 = ?6, subject = ?7, \
               not_before_s = ?8, not_after_s = ?9, changed_by = ?10, changed_at_us = ?11 \
             WHERE issuer_id = ?1 AND serial = ?2 AND state = ?3",
        )?
        .execute(params![
            issuer_id,
            serial,
            CertificateState::Intended.number(),
            CertificateState::Good.number(),
            number,
            certificate.sha256,
            certificate.subject,
            certificate.not_before_s,
            certificate.not_after_s,
            changed_by,
            now_us,
        ])?;
    one(rows, || Conflict::NotIntended(serial.clone()))
}

fn change_status(connection: &Connection, before: i64, after: &RegistryRow, number: i64) -> Result<u64, Failure> {
    let revoked = CertificateState::Revoked.number();
    let rows = connection
        .prepare_cached(
            "UPDATE registry SET state = ?5, reason = ?6, revoked_at_s = ?7, invalidity_s = ?8, change_number = ?9, \
               profile = ?10, subject = ?11, not_before_s = ?12, not_after_s = ?13, certificate_sha256 = ?14, \
               changed_by = ?15, changed_at_us = ?16, was_held = was_held OR state = ?17 \
             WHERE issuer_id = ?1 AND serial = ?2 AND change_number = ?3 AND (state <> ?4 OR ?5 = ?4)",
        )?
        .execute(params![
            after.issuer_id,
            after.serial,
            before,
            revoked,
            after.status.state.number(),
            after.status.reason,
            after.status.revoked_at_s,
            after.status.invalidity_s,
            number,
            after.profile,
            after.subject,
            after.not_before_s,
            after.not_after_s,
            after.certificate_sha256,
            after.changed_by,
            after.changed_at_us,
            CertificateState::Held.number(),
        ])?;
    if rows == 1 {
        return Ok(1);
    }
    let found = connection
        .query_row(
            "SELECT change_number FROM registry WHERE issuer_id = ?1 AND serial = ?2",
            params![after.issuer_id, after.serial],
            |row| row.get(0),
        )
        .optional()?;
    Err(Failure::Condition(Conflict::of_status(&after.serial, before, found)))
}

fn import(
    connection: &Connection,
    rows: &[RegistryRow],
    certificates: &[CertificateRow],
    number: i64,
) -> Result<u64, Failure> {
    for certificate in certificates {
        insert_certificate(connection, certificate)?;
    }
    // In the table's own order a batch touches each of its pages once; the sort keeps the first of two with one serial.
    let mut sorted: Vec<&RegistryRow> = rows.iter().collect();
    sorted.sort_by(|one, other| one.serial.cmp(&other.serial));
    let mut written = 0;
    for row in sorted {
        written += u64::try_from(insert_row(connection, row, row.status.state, number)?).unwrap_or(0);
    }
    Ok(written)
}

fn finish_task(connection: &Connection, id: &str, state: TaskState, output: &str) -> Result<u64, Failure> {
    let rows = connection.execute(
        "UPDATE tasks SET state = ?2, output = ?3 WHERE id = ?1 AND state = 'waiting'",
        params![id, state.name(), output],
    )?;
    one(rows, || Conflict::TaskNotWaiting(id.to_owned()))
}
