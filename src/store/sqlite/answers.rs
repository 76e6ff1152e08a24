//! Signed answers in SQLite.

use rusqlite::{OptionalExtension as _, TransactionBehavior, params};

use super::SqliteStore;
use super::registry::read_status;
use crate::store::registry::{Due, DueQuery, LOOKED_AT};
use crate::store::{AnswerRow, CertIdHash, DueRow, StatusAndAnswer, StoreError};

impl SqliteStore {
    pub(crate) fn status_and_answer(
        &self,
        issuer_id: i64,
        serial: &[u8],
        responder_id: i64,
        hash: CertIdHash,
    ) -> Result<Option<StatusAndAnswer>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT issuers.change_number, registry.state, registry.reason, registry.revoked_at_s, \
                            registry.invalidity_s, registry.change_number, registry.not_after_s, \
                            answer.this_update_s, answer.next_update_s, answer.form, answer.signature \
                     FROM issuers \
                     LEFT JOIN registry ON registry.issuer_id = issuers.id AND registry.serial = ?2 \
                     LEFT JOIN ocsp_answers AS answer \
                       ON answer.issuer_id = registry.issuer_id AND answer.serial = registry.serial \
                       AND answer.responder_id = ?3 AND answer.hash = ?4 \
                       AND answer.change_number = registry.change_number \
                     WHERE issuers.id = ?1",
                )?
                .query_row(params![issuer_id, serial, responder_id, hash.number()], |row| {
                    let status = match row.get::<_, Option<i16>>(1)? {
                        None => None,
                        Some(_) => Some(read_status(row, 1)?),
                    };
                    let answer = match (status, row.get::<_, Option<Vec<u8>>>(10)?) {
                        (Some(status), Some(signature)) => Some(AnswerRow {
                            issuer_id,
                            serial: serial.to_vec(),
                            responder_id,
                            hash,
                            change_number: status.change_number,
                            this_update_s: row.get(7)?,
                            next_update_s: row.get(8)?,
                            form: row.get(9)?,
                            signature,
                        }),
                        _ => None,
                    };
                    Ok(StatusAndAnswer {
                        issuer_change_number: row.get(0)?,
                        status,
                        not_after_s: row.get::<_, Option<i64>>(6)?.unwrap_or(0),
                        answer,
                    })
                })
                .optional()
        })
    }

    pub(crate) fn responder_id(&self, spki_sha256: &[u8; 32]) -> Result<i64, StoreError> {
        let find = || {
            self.read(|connection| {
                connection
                    .query_row("SELECT id FROM responders WHERE spki_sha256 = ?1", [spki_sha256], |row| row.get(0))
                    .optional()
            })
        };
        if let Some(id) = find()? {
            return Ok(id);
        }
        self.write("INSERT INTO responders (spki_sha256) VALUES (?1) ON CONFLICT DO NOTHING", [spki_sha256])?;
        find()?.ok_or(StoreError::Row { table: "responders", column: "id" })
    }

    pub(crate) fn put_answers(&self, answers: &[AnswerRow]) -> Result<u64, StoreError> {
        self.shared.check_in_place()?;
        self.shared.wal.before_write(&self.shared.writer);
        let mut writer = self.shared.writer();
        let mut put = || -> rusqlite::Result<u64> {
            // Whoever changes a status writes too, so nothing moves between the look at the registry and the commit.
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut written = 0;
            {
                let mut statement = transaction.prepare_cached(
                    "INSERT INTO ocsp_answers (issuer_id, serial, responder_id, hash, change_number, this_update_s, \
                       next_update_s, form, signature) \
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE EXISTS (SELECT 1 FROM registry \
                       WHERE registry.issuer_id = ?1 AND registry.serial = ?2 AND registry.change_number = ?5) \
                     ON CONFLICT (issuer_id, serial, responder_id, hash) DO UPDATE SET \
                       change_number = excluded.change_number, this_update_s = excluded.this_update_s, \
                       next_update_s = excluded.next_update_s, form = excluded.form, signature = excluded.signature \
                     WHERE ocsp_answers.change_number <> excluded.change_number \
                       OR ocsp_answers.this_update_s <= excluded.this_update_s",
                )?;
                for answer in answers {
                    let rows = statement.execute(params![
                        answer.issuer_id,
                        answer.serial,
                        answer.responder_id,
                        answer.hash.number(),
                        answer.change_number,
                        answer.this_update_s,
                        answer.next_update_s,
                        answer.form,
                        answer.signature,
                    ])?;
                    written += u64::try_from(rows).unwrap_or(0);
                }
            }
            transaction.commit()?;
            Ok(written)
        };
        put().map_err(|error| self.shared.error(error))
    }

    pub(crate) fn answers_due(&self, query: &DueQuery<'_>) -> Result<Option<Due>, StoreError> {
        self.read(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            let number: Option<i64> = snapshot
                .prepare_cached("SELECT change_number FROM issuers WHERE id = ?1")?
                .query_row([query.issuer_id], |row| row.get(0))
                .optional()?;
            let Some(number) = number else { return Ok(None) };
            // Both tables stand in the order of their serial numbers: this walks them side by side.
            let mut statement = snapshot.prepare_cached(
                "SELECT registry.serial, registry.state, registry.reason, registry.revoked_at_s, \
                        registry.invalidity_s, registry.change_number, \
                        registry.state IN (1, 2, 3) AND registry.not_after_s >= ?7 AND (answer.serial IS NULL \
                          OR answer.change_number <> registry.change_number OR answer.form <> ?5 \
                          OR answer.this_update_s < ?6) \
                 FROM registry LEFT JOIN ocsp_answers AS answer \
                   ON answer.issuer_id = registry.issuer_id AND answer.serial = registry.serial \
                   AND answer.responder_id = ?3 AND answer.hash = ?4 \
                 WHERE registry.issuer_id = ?1 AND registry.serial > ?2 ORDER BY registry.serial LIMIT ?8",
            )?;
            let mut rows = statement.query(params![
                query.issuer_id,
                query.after,
                query.responder_id,
                query.hash.number(),
                query.form,
                query.signed_before_s,
                query.valid_at_s,
                LOOKED_AT,
            ])?;
            let mut due = Vec::new();
            let (mut looked, mut last) = (0, None);
            while let Some(row) = rows.next()? {
                looked += 1;
                if row.get(6)? {
                    due.push(DueRow { serial: row.get(0)?, status: read_status(row, 1)? });
                }
                let is_full = u32::try_from(due.len()).unwrap_or(u32::MAX) >= query.limit;
                if is_full || looked == LOOKED_AT {
                    last = Some(row.get(0)?);
                    break;
                }
            }
            Ok(Some((number, due, last)))
        })
    }

    pub(crate) fn count_answers(&self, issuer_id: i64) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM ocsp_answers WHERE issuer_id = ?1", issuer_id)
    }
}
