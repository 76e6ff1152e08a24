//! Tasks, API keys, leases and idempotency in SQLite.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use crate::store::desk::ClaimRow;
use crate::store::{ApiKeyRow, LeaseRow, StoreError, TaskRow, TaskState, now_us};

const TASK_COLUMNS: &str = "id, kind, input, output, asked_by, asked_at_us, state";

fn read_task(row: &Row<'_>) -> rusqlite::Result<(TaskRow, String)> {
    let task = TaskRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        input: row.get(2)?,
        state: TaskState::Failed,
        output: row.get(3)?,
        asked_by: row.get(4)?,
        asked_at_us: row.get(5)?,
    };
    Ok((task, row.get(6)?))
}

/// Inserts a task; 0 if its name is taken.
pub(super) fn insert_task(connection: &Connection, task: &TaskRow) -> rusqlite::Result<usize> {
    connection.execute(
        "INSERT INTO tasks (id, kind, input, state, output, asked_by, asked_at_us) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
        params![task.id, task.kind, task.input, task.state.name(), task.output, task.asked_by, task.asked_at_us],
    )
}

/// Inserts an API key; 0 if its name is taken.
pub(super) fn insert_api_key(connection: &Connection, key: &ApiKeyRow) -> rusqlite::Result<usize> {
    connection.execute(
        "INSERT INTO api_keys (name, role, secret_sha256, created_at_us, expires_at_s, revoked_at_us) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
        params![key.name, key.role, key.secret_sha256, key.created_at_us, key.expires_at_s, key.revoked_at_us],
    )
}

impl SqliteStore {
    pub(crate) fn task(&self, id: &str) -> Result<Option<TaskRow>, StoreError> {
        let found = self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {TASK_COLUMNS} FROM tasks WHERE id = ?1"))?
                .query_row([id], read_task)
                .optional()
        })?;
        found.map(|(task, state)| task.with_state(&state)).transpose()
    }

    pub(crate) fn waiting_tasks(&self, limit: u32) -> Result<Vec<TaskRow>, StoreError> {
        let found: Vec<(TaskRow, String)> = self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {TASK_COLUMNS} FROM tasks WHERE state = 'waiting' ORDER BY asked_at_us, id LIMIT ?1"
                ))?
                .query_map([limit], read_task)?
                .collect()
        })?;
        found.into_iter().map(|(task, state)| task.with_state(&state)).collect()
    }

    pub(crate) fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT name, role, secret_sha256, created_at_us, expires_at_s, revoked_at_us FROM api_keys \
                     ORDER BY name",
                )?
                .query_map([], |row| {
                    Ok(ApiKeyRow {
                        name: row.get(0)?,
                        role: row.get(1)?,
                        secret_sha256: row.get(2)?,
                        created_at_us: row.get(3)?,
                        expires_at_s: row.get(4)?,
                        revoked_at_us: row.get(5)?,
                    })
                })?
                .collect()
        })
    }

    pub(crate) fn take_lease(&self, name: &str, holder: &str, duration_us: i64) -> Result<bool, StoreError> {
        let now_us = now_us();
        let taken = self.write(
            "INSERT INTO leases (name, holder, renewed_at_us, until_us) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (name) DO UPDATE SET \
               holder = excluded.holder, renewed_at_us = excluded.renewed_at_us, until_us = excluded.until_us \
             WHERE leases.holder = excluded.holder OR leases.until_us <= excluded.renewed_at_us",
            params![name, holder, now_us, now_us.saturating_add(duration_us)],
        )?;
        Ok(taken == 1)
    }

    pub(crate) fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.write(
            "UPDATE leases SET until_us = min(until_us, ?3) WHERE name = ?1 AND holder = ?2",
            params![name, holder, now_us()],
        )
        .map(drop)
    }

    pub(crate) fn lease(&self, name: &str) -> Result<Option<LeaseRow>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT name, holder, renewed_at_us, until_us FROM leases WHERE name = ?1")?
                .query_row([name], |row| {
                    Ok(LeaseRow {
                        name: row.get(0)?,
                        holder: row.get(1)?,
                        renewed_at_us: row.get(2)?,
                        until_us: row.get(3)?,
                    })
                })
                .optional()
        })
    }

    pub(crate) fn insert_claim(&self, caller: &str, key: &str, request_sha256: &[u8; 32]) -> Result<bool, StoreError> {
        let inserted = self.write(
            "INSERT INTO idempotency (caller, key, request_sha256, claimed_at_us) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (caller, key) DO NOTHING",
            params![caller, key, request_sha256, now_us()],
        )?;
        Ok(inserted == 1)
    }

    pub(crate) fn read_claim(&self, caller: &str, key: &str) -> Result<Option<ClaimRow>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT request_sha256, status, body FROM idempotency WHERE caller = ?1 AND key = ?2")?
                .query_row([caller, key], |row| {
                    Ok(ClaimRow { request_sha256: row.get(0)?, answer: row.get::<_, Option<_>>(1)?.zip(row.get(2)?) })
                })
                .optional()
        })
    }

    pub(crate) fn finish_claim(&self, caller: &str, key: &str, status: u16, body: &str) -> Result<bool, StoreError> {
        let finished = self.write(
            "UPDATE idempotency SET status = ?3, body = ?4 WHERE caller = ?1 AND key = ?2 AND status IS NULL",
            params![caller, key, status, body],
        )?;
        Ok(finished == 1)
    }

    pub(crate) fn drop_claim(&self, caller: &str, key: &str) -> Result<(), StoreError> {
        self.write("DELETE FROM idempotency WHERE caller = ?1 AND key = ?2 AND status IS NULL", [caller, key]).map(drop)
    }

    pub(crate) fn forget_claims(&self, before_us: i64) -> Result<u64, StoreError> {
        let forgotten = self.write("DELETE FROM idempotency WHERE claimed_at_us < ?1", [before_us])?;
        Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
    }
}
