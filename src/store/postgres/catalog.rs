//! Keys, certificates and profiles in PostgreSQL.

use deadpool_postgres::GenericClient;

use super::ledger::fixed;
use super::{PostgresStore, driver};
use crate::store::{CertificateRow, KeyRow, KeyState, ProfileRow, StoreError, now_us};

impl PostgresStore {
    pub(crate) fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows = self.query(
            "SELECT name, token, uri, role, algorithm, state, certificate_sha256 FROM keys ORDER BY created",
            &[],
        )?;
        rows.iter()
            .map(|row| {
                let certificate: Option<Vec<u8>> = row.get(6);
                let key = KeyRow {
                    name: row.get(0),
                    token: row.get(1),
                    uri: row.get(2),
                    role: row.get(3),
                    algorithm: row.get(4),
                    state: KeyState::Destroyed,
                    certificate_sha256: certificate
                        .map(|hash| fixed(hash, "keys", "certificate_sha256"))
                        .transpose()?,
                };
                key.with_state(row.get(5))
            })
            .collect()
    }

    pub(crate) fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        let sha256 = key.certificate_sha256.as_ref().map(|hash| hash.to_vec());
        self.query(
            "INSERT INTO keys (name, token, uri, role, algorithm, state, certificate_sha256, changed_at_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[&key.name, &key.token, &key.uri, &key.role, &key.algorithm, &key.state.name(), &sha256, &now_us()],
        )
        .map(drop)
    }

    pub(crate) fn change_key_state(&self, name: &str, from: KeyState, to: KeyState) -> Result<bool, StoreError> {
        let changed = self.query(
            "UPDATE keys SET state = $3, changed_at_us = $4 WHERE name = $1 AND state = $2 RETURNING 1",
            &[&name, &from.name(), &to.name(), &now_us()],
        )?;
        Ok(changed.len() == 1)
    }

    /// Whether the former was active, and whether the other was as the caller believes; changed only if both are so.
    pub(crate) fn take_over(&self, name: &str, from: KeyState, former: &str) -> Result<(bool, bool), StoreError> {
        self.in_transaction(async |transaction| {
            let sql = "UPDATE keys SET state = $3, changed_at_us = $4 WHERE name = $1 AND state = $2";
            let change = async |name: &str, from: KeyState, to: KeyState| {
                transaction.execute(sql, &[&name, &from.name(), &to.name(), &now_us()]).await.map(|rows| rows == 1)
            };
            let has_retired = change(former, KeyState::Active, KeyState::Retired).await?;
            let has_taken_over = has_retired && change(name, from, KeyState::Active).await?;
            Ok(((has_retired, has_taken_over), has_taken_over))
        })
    }

    pub(crate) fn set_key_certificate(&self, name: &str, sha256: &[u8; 32]) -> Result<(), StoreError> {
        self.query(
            "UPDATE keys SET certificate_sha256 = $2, changed_at_us = $3 WHERE name = $1",
            &[&name, &&sha256[..], &now_us()],
        )
        .map(drop)
    }

    pub(crate) fn put_certificate(&self, row: &CertificateRow) -> Result<(), StoreError> {
        self.with_client(async |client| {
            insert_certificates(client, std::slice::from_ref(row)).await.map_err(|error| driver(&error))?;
            let sql = "UPDATE certificates SET role = $2 WHERE sha256 = $1 AND role IN ('imported', 'issued')";
            client.execute(sql, &[&&row.sha256[..], &row.role]).await.map(drop).map_err(|error| driver(&error))
        })
    }

    pub(crate) fn certificates(&self) -> Result<Vec<CertificateRow>, StoreError> {
        let rows = self.query(
            "SELECT sha256, der, subject, issuer, serial, not_before_s, not_after_s, role FROM certificates \
             WHERE role NOT IN ('imported', 'issued') ORDER BY not_before_s, sha256",
            &[],
        )?;
        rows.iter()
            .map(|row| {
                Ok(CertificateRow {
                    sha256: fixed(row.get(0), "certificates", "sha256")?,
                    der: row.get(1),
                    subject: row.get(2),
                    issuer: row.get(3),
                    serial: row.get(4),
                    not_before_s: row.get(5),
                    not_after_s: row.get(6),
                    role: row.get(7),
                })
            })
            .collect()
    }

    pub(crate) fn profile(&self, name: &str) -> Result<Option<ProfileRow>, StoreError> {
        Ok(self.profiles()?.into_iter().find(|profile| profile.name == name))
    }

    pub(crate) fn profiles(&self) -> Result<Vec<ProfileRow>, StoreError> {
        let rows = self.query("SELECT name, text FROM profiles ORDER BY name", &[])?;
        Ok(rows.iter().map(|row| ProfileRow { name: row.get(0), text: row.get(1) }).collect())
    }

    pub(crate) fn put_profile(&self, name: &str, text: &str) -> Result<(), StoreError> {
        self.query(
            "INSERT INTO profiles (name, text) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET text = $2",
            &[&name, &text],
        )
        .map(drop)
    }
}

/// Adds certificates; those that are there stay.
pub(super) async fn insert_certificates(
    client: &impl GenericClient,
    rows: &[CertificateRow],
) -> Result<(), tokio_postgres::Error> {
    let statement = client
        .prepare_cached(
            "INSERT INTO certificates (sha256, der, subject, issuer, serial, not_before_s, not_after_s, role) \
             SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::bigint[], \
               $7::bigint[], $8::text[]) ON CONFLICT (sha256) DO NOTHING",
        )
        .await?;
    let hashes: Vec<&[u8]> = rows.iter().map(|row| &row.sha256[..]).collect();
    let ders: Vec<&[u8]> = rows.iter().map(|row| &row.der[..]).collect();
    let subjects: Vec<&str> = rows.iter().map(|row| &*row.subject).collect();
    let issuers: Vec<&str> = rows.iter().map(|row| &*row.issuer).collect();
    let serials: Vec<&str> = rows.iter().map(|row| &*row.serial).collect();
    let not_before_s: Vec<i64> = rows.iter().map(|row| row.not_before_s).collect();
    let not_after_s: Vec<i64> = rows.iter().map(|row| row.not_after_s).collect();
    let roles: Vec<&str> = rows.iter().map(|row| &*row.role).collect();
    client
        .execute(&statement, &[&hashes, &ders, &subjects, &issuers, &serials, &not_before_s, &not_after_s, &roles])
        .await
        .map(drop)
}
