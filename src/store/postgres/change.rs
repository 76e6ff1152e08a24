//! Changes with their record in PostgreSQL, in one transaction on the ledger's own connection.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::{GenericClient as _, Object, Transaction};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::catalog::insert_certificates;
use super::crls::publish;
use super::ledger::{APPEND, Group, PostgresWriter};
use super::{CALL_TIMEOUT, client, driver};
use crate::store::change::{CHANNEL, Conflict};
use crate::store::{
    ApiKeyRow, AppendError, CertificateRow, CertificateState, ChainEnd, Change, IssuerOrigin, LedgerRow, RegistryRow,
    StoreError, TaskRow, TaskState,
};

/// How long a statement of an import may take: 50,000 rows are some seconds on a slow disk, and a busy one may have more
/// to do.
const IMPORT_STATEMENT_TIMEOUT_MS: u32 = 60_000;
/// How long all of an import may take; a little more than its longest statement.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(75);

/// The registry's columns in the order of [`IMPORT_TYPES`]; the change number comes with the insertion.
const IMPORT_COLUMNS: &str = "issuer_id, serial, state, reason, revoked_at_s, invalidity_s, profile, subject, \
                              not_before_s, not_after_s, certificate_sha256, changed_by, changed_at_us, crl_partition";
const IMPORT_TYPES: [Type; 14] = [
    Type::INT8,
    Type::BYTEA,
    Type::INT2,
    Type::INT2,
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::BYTEA,
    Type::TEXT,
    Type::INT8,
    Type::INT4,
];

/// Why a change was not applied.
enum Failure {
    Database(tokio_postgres::Error),
    Condition(Conflict),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for AppendError {
    fn from(failure: Failure) -> Self {
        match failure {
            // Nothing was asked to be committed yet.
            Failure::Database(error) => Self::Refused(driver(&error)),
            Failure::Condition(conflict) => conflict.into(),
        }
    }
}

impl PostgresWriter {
    pub(crate) fn append_with(
        &self,
        before: ChainEnd,
        row: &LedgerRow,
        end: ChainEnd,
        change: &Change,
    ) -> Result<u64, AppendError> {
        let limit = if matches!(change, Change::Import { .. }) { IMPORT_TIMEOUT } else { CALL_TIMEOUT };
        let committing = Cell::new(false);
        let result = self.runtime.block_on(async {
            tokio::time::timeout(limit, self.transact((before, row, end), change, &committing)).await
        });
        result.unwrap_or_else(|_| {
            // Its connection may still be at it: the next call gets another one.
            self.reconnect();
            let error = StoreError::Postgres { reason: format!("no answer within {limit:?}") };
            Err(if committing.get() { AppendError::Unknown(error) } else { AppendError::Refused(error) })
        })
    }

    async fn transact(
        &self,
        (before, row, end): (ChainEnd, &LedgerRow, ChainEnd),
        change: &Change,
        committing: &Cell<bool>,
    ) -> Result<u64, AppendError> {
        let mut client = client(&self.pool).await.map_err(AppendError::Refused)?;
        let transaction = client.transaction().await.map_err(|error| AppendError::Refused(driver(&error)))?;
        let work = async {
            let written = apply(&transaction, change, row.recorded_at_us).await?;
            let statement = transaction.prepare_cached(APPEND).await.map_err(Failure::from)?;
            let group = Group::new(std::slice::from_ref(row));
            let appended =
                group.append(&transaction, &statement, &self.lease, before, end).await.map_err(Failure::from)?;
            if appended != 1 {
                return Err(AppendError::LeaseLost);
            }
            transaction.batch_execute(&format!("NOTIFY {CHANNEL}")).await.map_err(Failure::from)?;
            Ok(written)
        };
        match work.await {
            Ok(written) => {
                drop(self.warnings.take());
                committing.set(true);
                let result = transaction.commit().await;
                self.settled(result)?;
                Ok(written)
            }
            Err(error) => {
                if transaction.rollback().await.is_err() {
                    // The server rolls back what it loses the connection of.
                    drop(Object::take(client));
                }
                Err(error)
            }
        }
    }
}

/// Nothing but exactly one row will do.
fn one(rows: u64, otherwise: impl FnOnce() -> Conflict) -> Result<u64, Failure> {
    if rows == 1 { Ok(0) } else { Err(Failure::Condition(otherwise())) }
}

async fn execute(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<u64, tokio_postgres::Error> {
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, parameters).await
}

async fn apply(transaction: &Transaction<'_>, change: &Change, now_us: i64) -> Result<u64, Failure> {
    match change {
        Change::AddIssuer { name, origin, certificate, settings } => {
            add_issuer(transaction, name, *origin, certificate, settings).await
        }
        Change::ChangeIssuer { issuer_id, before, after } => {
            let sql = "UPDATE issuers SET settings = $3 WHERE id = $1 AND settings = $2";
            one(execute(transaction, sql, &[issuer_id, before, after]).await?, || Conflict::IssuerSettings(*issuer_id))
        }
        Change::Intend(row) => intend(transaction, row).await,
        Change::Issue { issuer_id, serial, certificate, changed_by, task } => {
            let number = next_number(transaction, *issuer_id).await?;
            issue(transaction, (*issuer_id, serial), certificate, (changed_by, now_us), number).await?;
            if let Some((id, output)) = task {
                finish_task(transaction, id, TaskState::Done, output).await?;
            }
            Ok(1)
        }
        Change::Status { before, after } => {
            let number = next_number(transaction, after.issuer_id).await?;
            change_status(transaction, *before, after, number).await
        }
        Change::Import { issuer_id, rows, certificates } => {
            transaction.batch_execute(&format!("SET LOCAL statement_timeout = {IMPORT_STATEMENT_TIMEOUT_MS}")).await?;
            let number = next_number(transaction, *issuer_id).await?;
            import(transaction, rows, certificates, number).await
        }
        Change::PublishCrl { crl_id } => {
            one(u64::from(publish(transaction, *crl_id, now_us).await?), || Conflict::Crl(*crl_id))
        }
        Change::RetireCrl { crl_id } => {
            let sql = "UPDATE crls SET state = 'replaced', changed_at_us = $2 WHERE id = $1 AND state = 'published'";
            one(execute(transaction, sql, &[crl_id, &now_us]).await?, || Conflict::CrlNotPublished(*crl_id))
        }
        Change::RenewKeyCertificate { key_name, before, certificate } => {
            insert_certificates(transaction, std::slice::from_ref(certificate)).await?;
            let sql = "UPDATE keys SET certificate_sha256 = $3, changed_at_us = $4 \
                       WHERE name = $1 AND certificate_sha256 = $2";
            let rows = execute(transaction, sql, &[key_name, &&before[..], &&certificate.sha256[..], &now_us]).await?;
            one(rows, || Conflict::KeyCertificate(key_name.clone()))
        }
        Change::AddTask(task) => add_task(transaction, task).await,
        Change::FinishTask { id, state, output } => finish_task(transaction, id, *state, output).await,
        Change::AddApiKey(key) => add_api_key(transaction, key).await,
        Change::RevokeApiKey { name, at_us } => {
            let sql = "UPDATE api_keys SET revoked_at_us = $2 WHERE name = $1 AND revoked_at_us IS NULL";
            one(execute(transaction, sql, &[name, at_us]).await?, || Conflict::NoApiKey(name.clone()))
        }
    }
}

/// The issuer's next change number; its row is locked until the commit, so that numbers are committed in their order.
async fn next_number(transaction: &Transaction<'_>, issuer_id: i64) -> Result<i64, Failure> {
    let statement = transaction
        .prepare_cached("UPDATE issuers SET change_number = change_number + 1 WHERE id = $1 RETURNING change_number")
        .await?;
    let row = transaction.query_opt(&statement, &[&issuer_id]).await?;
    row.map(|row| row.get(0)).ok_or(Failure::Condition(Conflict::NoIssuer(issuer_id)))
}

async fn add_issuer(
    transaction: &Transaction<'_>,
    name: &str,
    origin: IssuerOrigin,
    certificate: &CertificateRow,
    settings: &str,
) -> Result<u64, Failure> {
    insert_certificates(transaction, std::slice::from_ref(certificate)).await?;
    let rows = execute(
        transaction,
        "INSERT INTO issuers (name, origin, certificate_sha256, settings, change_number) \
         VALUES ($1, $2, $3, $4, 0) ON CONFLICT (name) DO NOTHING",
        &[&name, &origin.name(), &&certificate.sha256[..], &settings],
    )
    .await?;
    one(rows, || Conflict::IssuerName(name.to_owned()))
}

async fn intend(transaction: &Transaction<'_>, row: &RegistryRow) -> Result<u64, Failure> {
    let statement = transaction.prepare_cached("SELECT 1 FROM issuers WHERE id = $1").await?;
    if transaction.query_opt(&statement, &[&row.issuer_id]).await?.is_none() {
        return Err(Failure::Condition(Conflict::NoIssuer(row.issuer_id)));
    }
    let columns = import_columns(row, CertificateState::Intended);
    let mut parameters = columns.parameters();
    parameters.push(&0_i64);
    let sql = format!(
        "INSERT INTO registry ({IMPORT_COLUMNS}, change_number) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (issuer_id, serial) DO NOTHING"
    );
    let rows = execute(transaction, &sql, &parameters).await?;
    one(rows, || Conflict::SerialTaken(row.serial.clone())).map(|_| 1)
}

async fn issue(
    transaction: &Transaction<'_>,
    (issuer_id, serial): (i64, &Vec<u8>),
    certificate: &CertificateRow,
    (changed_by, now_us): (&str, i64),
    number: i64,
) -> Result<u64, Failure> {
    insert_certificates(transaction, std::slice::from_ref(certificate)).await?;
    let rows = execute(
        transaction,
        "UPDATE registry SET state = $4, change_number = $5, certificate_sha256 = $6, subject = $7, \
           not_before_s = $8, not_after_s = $9, changed_by = $10, changed_at_us = $11 \
         WHERE issuer_id = $1 AND serial = $2 AND state = $3",
        &[
            &issuer_id,
            serial,
            &CertificateState::Intended.number(),
            &CertificateState::Good.number(),
            &number,
            &&certificate.sha256[..],
            &certificate.subject,
            &certificate.not_before_s,
            &certificate.not_after_s,
            &changed_by,
            &now_us,
        ],
    )
    .await?;
    one(rows, || Conflict::NotIntended(serial.clone()))
}

async fn change_status(
    transaction: &Transaction<'_>,
    before: i64,
    after: &RegistryRow,
    number: i64,
) -> Result<u64, Failure> {
    let rows = execute(
        transaction,
        "UPDATE registry SET state = $5, reason = $6, revoked_at_s = $7, invalidity_s = $8, change_number = $9, \
           profile = $10, subject = $11, not_before_s = $12, not_after_s = $13, certificate_sha256 = $14, \
           changed_by = $15, changed_at_us = $16, was_held = was_held OR state = $17 \
         WHERE issuer_id = $1 AND serial = $2 AND change_number = $3 AND (state <> $4 OR $5 = $4)",
        &[
            &after.issuer_id,
            &after.serial,
            &before,
            &CertificateState::Revoked.number(),
            &after.status.state.number(),
            &after.status.reason.map(i16::from),
            &after.status.revoked_at_s,
            &after.status.invalidity_s,
            &number,
            &after.profile,
            &after.subject,
            &after.not_before_s,
            &after.not_after_s,
            &after.certificate_sha256.as_ref().map(|hash| &hash[..]),
            &after.changed_by,
            &after.changed_at_us,
            &CertificateState::Held.number(),
        ],
    )
    .await?;
    if rows == 1 {
        return Ok(1);
    }
    let found = transaction
        .query_opt(
            "SELECT change_number FROM registry WHERE issuer_id = $1 AND serial = $2",
            &[&after.issuer_id, &after.serial],
        )
        .await?;
    Err(Failure::Condition(Conflict::of_status(&after.serial, before, found.map(|row| row.get(0)))))
}

/// A row's values in the order of [`IMPORT_COLUMNS`], those that are not the row's own.
struct ImportColumns<'a> {
    row: &'a RegistryRow,
    state: i16,
    reason: Option<i16>,
    certificate_sha256: Option<&'a [u8]>,
    crl_partition: i32,
}

fn import_columns(row: &RegistryRow, state: CertificateState) -> ImportColumns<'_> {
    ImportColumns {
        row,
        state: state.number(),
        reason: row.status.reason.map(i16::from),
        certificate_sha256: row.certificate_sha256.as_ref().map(|hash| &hash[..]),
        crl_partition: i32::from(row.crl_partition),
    }
}

impl ImportColumns<'_> {
    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let row = self.row;
        vec![
            &row.issuer_id,
            &row.serial,
            &self.state,
            &self.reason,
            &row.status.revoked_at_s,
            &row.status.invalidity_s,
            &row.profile,
            &row.subject,
            &row.not_before_s,
            &row.not_after_s,
            &self.certificate_sha256,
            &row.changed_by,
            &row.changed_at_us,
            &self.crl_partition,
        ]
    }
}

async fn import(
    transaction: &Transaction<'_>,
    rows: &[RegistryRow],
    certificates: &[CertificateRow],
    number: i64,
) -> Result<u64, Failure> {
    insert_certificates(transaction, certificates).await?;
    // No index and no log: the rows go through it for the sake of COPY, which can't leave out those that are known.
    transaction
        .batch_execute(&format!(
            "CREATE TEMPORARY TABLE imported ON COMMIT DROP AS SELECT {IMPORT_COLUMNS} FROM registry WITH NO DATA"
        ))
        .await?;
    let sink = transaction.copy_in(&format!("COPY imported ({IMPORT_COLUMNS}) FROM STDIN (FORMAT binary)")).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &IMPORT_TYPES));
    // In the index' order a batch touches each of its pages once; the sort keeps the first of two with one serial.
    let mut sorted: Vec<&RegistryRow> = rows.iter().collect();
    sorted.sort_by(|one, other| one.serial.cmp(&other.serial));
    for row in sorted {
        let columns = import_columns(row, row.status.state);
        writer.as_mut().write(&columns.parameters()).await?;
    }
    writer.finish().await?;
    let written = transaction
        .execute(
            &format!(
                "INSERT INTO registry ({IMPORT_COLUMNS}, change_number) SELECT {IMPORT_COLUMNS}, $1 FROM imported \
                 ON CONFLICT (issuer_id, serial) DO NOTHING"
            ),
            &[&number],
        )
        .await?;
    Ok(written)
}

async fn add_task(transaction: &Transaction<'_>, task: &TaskRow) -> Result<u64, Failure> {
    let rows = execute(
        transaction,
        "INSERT INTO tasks (id, kind, input, state, output, asked_by, asked_at_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        &[&task.id, &task.kind, &task.input, &task.state.name(), &task.output, &task.asked_by, &task.asked_at_us],
    )
    .await?;
    one(rows, || Conflict::TaskName(task.id.clone()))
}

async fn finish_task(transaction: &Transaction<'_>, id: &str, state: TaskState, output: &str) -> Result<u64, Failure> {
    let sql = "UPDATE tasks SET state = $2, output = $3 WHERE id = $1 AND state = 'waiting'";
    let rows = execute(transaction, sql, &[&id, &state.name(), &output]).await?;
    one(rows, || Conflict::TaskNotWaiting(id.to_owned()))
}

async fn add_api_key(transaction: &Transaction<'_>, key: &ApiKeyRow) -> Result<u64, Failure> {
    let rows = execute(
        transaction,
        "INSERT INTO api_keys (name, role, secret_sha256, created_at_us, expires_at_s, revoked_at_us) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
        &[&key.name, &key.role, &&key.secret_sha256[..], &key.created_at_us, &key.expires_at_s, &key.revoked_at_us],
    )
    .await?;
    one(rows, || Conflict::ApiKeyName(key.name.clone()))
}
