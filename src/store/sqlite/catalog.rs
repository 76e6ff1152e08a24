//! Keys, certificates and profiles in SQLite.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::SqliteStore;
use crate::store::{CertificateRow, KeyRow, KeyState, ProfileRow, StoreError, now_us};

impl SqliteStore {
    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.shared.read(query)
    }

    pub(super) fn write(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize, StoreError> {
        self.shared.check_in_place()?;
        self.shared.writer().execute(sql, parameters).map_err(|error| self.shared.error(error))
    }

    pub(crate) fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows: Vec<(KeyRow, String)> = self.read(|connection| {
            connection
                .prepare(
                    "SELECT name, token, uri, role, algorithm, state, certificate_sha256 FROM keys ORDER BY rowid",
                )?
                .query_map([], |row| {
                    let key = KeyRow {
                        name: row.get(0)?,
                        token: row.get(1)?,
                        uri: row.get(2)?,
                        role: row.get(3)?,
                        algorithm: row.get(4)?,
                        state: KeyState::Destroyed,
                        certificate_sha256: row.get(6)?,
                    };
                    Ok((key, row.get(5)?))
                })?
                .collect()
        })?;
        rows.into_iter().map(|(key, state)| key.with_state(&state)).collect()
    }

    pub(crate) fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO keys (name, token, uri, role, algorithm, state, certificate_sha256, changed_at_us) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                key.name,
                key.token,
                key.uri,
                key.role,
                key.algorithm,
                key.state.name(),
                key.certificate_sha256,
                now_us()
            ],
        )
        .map(drop)
    }

    pub(crate) fn change_key_state(&self, name: &str, from: KeyState, to: KeyState) -> Result<bool, StoreError> {
        let changed = self.write(
            "UPDATE keys SET state = ?3, changed_at_us = ?4 WHERE name = ?1 AND state = ?2",
            params![name, from.name(), to.name(), now_us()],
        )?;
        Ok(changed == 1)
    }

    /// Whether the former was active, and whether the other was as the caller believes; changed only if both are so.
    pub(crate) fn take_over(&self, name: &str, from: KeyState, former: &str) -> Result<(bool, bool), StoreError> {
        self.shared.check_in_place()?;
        let mut writer = self.shared.writer();
        let mut take_over = || -> rusqlite::Result<(bool, bool)> {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let sql = "UPDATE keys SET state = ?3, changed_at_us = ?4 WHERE name = ?1 AND state = ?2";
            let change = |name: &str, from: KeyState, to: KeyState| {
                transaction.execute(sql, params![name, from.name(), to.name(), now_us()]).map(|rows| rows == 1)
            };
            let has_retired = change(former, KeyState::Active, KeyState::Retired)?;
            let has_taken_over = has_retired && change(name, from, KeyState::Active)?;
            if has_taken_over {
                transaction.commit()?;
            }
            Ok((has_retired, has_taken_over))
        };
        take_over().map_err(|error| self.shared.error(error))
    }

    pub(crate) fn set_key_certificate(&self, name: &str, sha256: &[u8; 32]) -> Result<(), StoreError> {
        self.write(
            "UPDATE keys SET certificate_sha256 = ?2, changed_at_us = ?3 WHERE name = ?1",
            params![name, sha256, now_us()],
        )
        .map(drop)
    }

    pub(crate) fn put_certificate(&self, row: &CertificateRow) -> Result<(), StoreError> {
        self.shared.check_in_place()?;
        let writer = self.shared.writer();
        let put = insert_certificate(&writer, row).and_then(|()| {
            writer.execute(
                "UPDATE certificates SET role = ?2 WHERE sha256 = ?1 AND role IN ('imported', 'issued')",
                params![row.sha256, row.role],
            )
        });
        put.map(drop).map_err(|error| self.shared.error(error))
    }

    pub(crate) fn certificates(&self) -> Result<Vec<CertificateRow>, StoreError> {
        self.read(|connection| {
            connection
                .prepare(
                    "SELECT sha256, der, subject, issuer, serial, not_before_s, not_after_s, role \
                     FROM certificates WHERE role NOT IN ('imported', 'issued') ORDER BY rowid",
                )?
                .query_map([], |row| {
                    Ok(CertificateRow {
                        sha256: row.get(0)?,
                        der: row.get(1)?,
                        subject: row.get(2)?,
                        issuer: row.get(3)?,
                        serial: row.get(4)?,
                        not_before_s: row.get(5)?,
                        not_after_s: row.get(6)?,
                        role: row.get(7)?,
                    })
                })?
                .collect()
        })
    }

    pub(crate) fn profile(&self, name: &str) -> Result<Option<ProfileRow>, StoreError> {
        self.read(|connection| {
            connection
                .query_row("SELECT name, text FROM profiles WHERE name = ?1", [name], |row| {
                    Ok(ProfileRow { name: row.get(0)?, text: row.get(1)? })
                })
                .optional()
        })
    }

    pub(crate) fn profiles(&self) -> Result<Vec<ProfileRow>, StoreError> {
        self.read(|connection| {
            connection
                .prepare("SELECT name, text FROM profiles ORDER BY name")?
                .query_map([], |row| Ok(ProfileRow { name: row.get(0)?, text: row.get(1)? }))?
                .collect()
        })
    }

    pub(crate) fn put_profile(&self, name: &str, text: &str) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO profiles (name, text) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET text = ?2",
            params![name, text],
        )
        .map(drop)
    }
}

/// Adds a certificate; one that is there stays.
pub(super) fn insert_certificate(connection: &Connection, row: &CertificateRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO certificates (sha256, der, subject, issuer, serial, not_before_s, not_after_s, role) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (sha256) DO NOTHING",
        )?
        .execute(params![
            row.sha256,
            row.der,
            row.subject,
            row.issuer,
            row.serial,
            row.not_before_s,
            row.not_after_s,
            row.role
        ])
        .map(drop)
}
