//! Tasks, API keys, leases and idempotency in PostgreSQL.

use tokio_postgres::Row;

use super::PostgresStore;
use super::ledger::fixed;
use crate::store::desk::ClaimRow;
use crate::store::{ApiKeyRow, LeaseRow, StoreError, TaskRow, TaskState, now_us};

const TASK_COLUMNS: &str = "id, kind, input, output, asked_by, asked_at_us, state";

/// The server's clock, in microseconds since 1970: of two processes with clocks of their own neither may decide.
const NOW_US: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

fn read_task(row: &Row) -> Result<TaskRow, StoreError> {
    let task = TaskRow {
        id: row.get(0),
        kind: row.get(1),
        input: row.get(2),
        state: TaskState::Failed,
        output: row.get(3),
        asked_by: row.get(4),
        asked_at_us: row.get(5),
    };
    task.with_state(row.get(6))
}

impl PostgresStore {
    pub(crate) fn task(&self, id: &str) -> Result<Option<TaskRow>, StoreError> {
        let rows = self.query(&format!("SELECT {TASK_COLUMNS} FROM tasks WHERE id = $1"), &[&id])?;
        rows.first().map(read_task).transpose()
    }

    pub(crate) fn waiting_tasks(&self, limit: u32) -> Result<Vec<TaskRow>, StoreError> {
        let rows = self.query(
            &format!("SELECT {TASK_COLUMNS} FROM tasks WHERE state = 'waiting' ORDER BY asked_at_us, id LIMIT $1"),
            &[&i64::from(limit)],
        )?;
        rows.iter().map(read_task).collect()
    }

    pub(crate) fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        let rows = self.query(
            "SELECT name, role, secret_sha256, created_at_us, expires_at_s, revoked_at_us FROM api_keys \
             ORDER BY name COLLATE \"C\"",
            &[],
        )?;
        rows.iter()
            .map(|row| {
                Ok(ApiKeyRow {
                    name: row.get(0),
                    role: row.get(1),
                    secret_sha256: fixed(row.get(2), "api_keys", "secret_sha256")?,
                    created_at_us: row.get(3),
                    expires_at_s: row.get(4),
                    revoked_at_us: row.get(5),
                })
            })
            .collect()
    }

    pub(crate) fn take_lease(&self, name: &str, holder: &str, duration_us: i64) -> Result<bool, StoreError> {
        let taken = self.execute(
            &format!(
                "INSERT INTO leases AS mine (name, holder, renewed_at_us, until_us) \
                 SELECT $1, $2, now_us, now_us + $3::bigint FROM (SELECT {NOW_US} AS now_us) AS clock \
                 ON CONFLICT (name) DO UPDATE SET \
                   holder = excluded.holder, renewed_at_us = excluded.renewed_at_us, until_us = excluded.until_us \
                 WHERE mine.holder = excluded.holder OR mine.until_us <= excluded.renewed_at_us"
            ),
            &[&name, &holder, &duration_us],
        )?;
        Ok(taken == 1)
    }

    pub(crate) fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.execute(
            &format!("UPDATE leases SET until_us = least(until_us, {NOW_US}) WHERE name = $1 AND holder = $2"),
            &[&name, &holder],
        )
        .map(drop)
    }

    pub(crate) fn lease(&self, name: &str) -> Result<Option<LeaseRow>, StoreError> {
        let rows = self.query("SELECT name, holder, renewed_at_us, until_us FROM leases WHERE name = $1", &[&name])?;
        Ok(rows.first().map(|row| LeaseRow {
            name: row.get(0),
            holder: row.get(1),
            renewed_at_us: row.get(2),
            until_us: row.get(3),
        }))
    }

    pub(crate) fn insert_claim(&self, caller: &str, key: &str, request_sha256: &[u8; 32]) -> Result<bool, StoreError> {
        let inserted = self.execute(
            "INSERT INTO idempotency (caller, key, request_sha256, claimed_at_us) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (caller, key) DO NOTHING",
            &[&caller, &key, &&request_sha256[..], &now_us()],
        )?;
        Ok(inserted == 1)
    }

    pub(crate) fn read_claim(&self, caller: &str, key: &str) -> Result<Option<ClaimRow>, StoreError> {
        let rows = self.query(
            "SELECT request_sha256, status, body FROM idempotency WHERE caller = $1 AND key = $2",
            &[&caller, &key],
        )?;
        let Some(row) = rows.first() else { return Ok(None) };
        let status: Option<i32> = row.get(1);
        let status = status
            .map(u16::try_from)
            .transpose()
            .map_err(|_| StoreError::Row { table: "idempotency", column: "status" })?;
        Ok(Some(ClaimRow { request_sha256: row.get(0), answer: status.zip(row.get(2)) }))
    }

    pub(crate) fn finish_claim(&self, caller: &str, key: &str, status: u16, body: &str) -> Result<bool, StoreError> {
        let finished = self.execute(
            "UPDATE idempotency SET status = $3, body = $4 WHERE caller = $1 AND key = $2 AND status IS NULL",
            &[&caller, &key, &i32::from(status), &body],
        )?;
        Ok(finished == 1)
    }

    pub(crate) fn drop_claim(&self, caller: &str, key: &str) -> Result<(), StoreError> {
        self.execute("DELETE FROM idempotency WHERE caller = $1 AND key = $2 AND status IS NULL", &[&caller, &key])
            .map(drop)
    }

    pub(crate) fn forget_claims(&self, before_us: i64) -> Result<u64, StoreError> {
        self.execute("DELETE FROM idempotency WHERE claimed_at_us < $1", &[&before_us])
    }
}
