//! Signed answers in PostgreSQL.

use super::PostgresStore;
use super::registry::read_status;
use crate::store::registry::{Due, DueQuery, LOOKED_AT};
use crate::store::{AnswerRow, CertIdHash, DueRow, StatusAndAnswer, StoreError};

/// Writes answers to the statuses that stand.
///
/// `held` locks each certificate's row until the commit: a change of status waits for it, or was committed before, and then
/// the row comes with the new change number, whatever the statement's snapshot says. Rows are locked and written in their
/// order, so that two of these never wait for each other.
const PUT: &str = "WITH given AS MATERIALIZED ( \
     SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::smallint[], $5::bigint[], $6::bigint[], \
       $7::bigint[], $8::smallint[], $9::bytea[]) \
     AS row (issuer_id, serial, responder_id, hash, change_number, this_update_s, next_update_s, form, signature)), \
   held AS MATERIALIZED ( \
     SELECT certificate.* FROM (SELECT DISTINCT issuer_id, serial FROM given ORDER BY issuer_id, serial) AS wanted \
     CROSS JOIN LATERAL ( \
       SELECT registry.issuer_id, registry.serial, registry.change_number FROM registry \
       WHERE registry.issuer_id = wanted.issuer_id AND registry.serial = wanted.serial FOR SHARE) AS certificate) \
   INSERT INTO ocsp_answers AS mine (issuer_id, serial, responder_id, hash, change_number, this_update_s, \
     next_update_s, form, signature) \
   SELECT DISTINCT ON (issuer_id, serial, responder_id, hash) issuer_id, serial, responder_id, hash, change_number, \
     this_update_s, next_update_s, form, signature \
   FROM given JOIN held USING (issuer_id, serial, change_number) \
   ORDER BY issuer_id, serial, responder_id, hash, this_update_s DESC \
   ON CONFLICT (issuer_id, serial, responder_id, hash) DO UPDATE SET \
     change_number = excluded.change_number, this_update_s = excluded.this_update_s, \
     next_update_s = excluded.next_update_s, form = excluded.form, signature = excluded.signature \
   WHERE mine.change_number <> excluded.change_number OR mine.this_update_s <= excluded.this_update_s";

/// What is due of the next certificates, with the issuer's number, and where the look ended if it ended before its limit.
///
/// The walk follows the registry's key and stops when it has enough; answers are looked up one by one by theirs, so that no
/// plan reads a table whole, however old the planner's statistics are.
const DUE: &str = "WITH due AS MATERIALIZED ( \
     SELECT looked.* FROM ( \
       SELECT serial, state, reason, revoked_at_s, invalidity_s, change_number, not_after_s FROM registry \
       WHERE issuer_id = $1 AND serial > $2 ORDER BY serial LIMIT $8) AS looked \
     LEFT JOIN LATERAL ( \
       SELECT answer.change_number, answer.form, answer.this_update_s FROM ocsp_answers AS answer \
       WHERE answer.issuer_id = $1 AND answer.serial = looked.serial AND answer.responder_id = $3 \
         AND answer.hash = $4 LIMIT 1) AS stored ON true \
     WHERE looked.state IN (1, 2, 3) AND looked.not_after_s >= $7 AND (stored.change_number IS NULL \
       OR stored.change_number <> looked.change_number OR stored.form <> $5 OR stored.this_update_s < $6) \
     ORDER BY looked.serial LIMIT $9) \
   SELECT issuers.change_number, \
     CASE WHEN (SELECT count(*) FROM due) < $9 THEN ( \
       SELECT serial FROM registry WHERE issuer_id = $1 AND serial > $2 ORDER BY serial LIMIT 1 OFFSET $8 - 1) END, \
     due.serial, due.state, due.reason, due.revoked_at_s, due.invalidity_s, due.change_number \
   FROM issuers LEFT JOIN due ON true WHERE issuers.id = $1 ORDER BY due.serial";

impl PostgresStore {
    pub(crate) fn status_and_answer(
        &self,
        issuer_id: i64,
        serial: &[u8],
        responder_id: i64,
        hash: CertIdHash,
    ) -> Result<Option<StatusAndAnswer>, StoreError> {
        let rows = self.query(
            "SELECT issuers.change_number, registry.state, registry.reason, registry.revoked_at_s, \
                    registry.invalidity_s, registry.change_number, registry.not_after_s, \
                    answer.this_update_s, answer.next_update_s, answer.form, answer.signature \
             FROM issuers \
             LEFT JOIN registry ON registry.issuer_id = issuers.id AND registry.serial = $2 \
             LEFT JOIN ocsp_answers AS answer \
               ON answer.issuer_id = registry.issuer_id AND answer.serial = registry.serial \
               AND answer.responder_id = $3 AND answer.hash = $4 AND answer.change_number = registry.change_number \
             WHERE issuers.id = $1",
            &[&issuer_id, &serial, &responder_id, &hash.number()],
        )?;
        let Some(row) = rows.first() else { return Ok(None) };
        let status = row.get::<_, Option<i16>>(1).map(|_| read_status(row, 1)).transpose()?;
        let answer = status.zip(row.get::<_, Option<Vec<u8>>>(10)).map(|(status, signature)| AnswerRow {
            issuer_id,
            serial: serial.to_vec(),
            responder_id,
            hash,
            change_number: status.change_number,
            this_update_s: row.get(7),
            next_update_s: row.get(8),
            form: row.get(9),
            signature,
        });
        Ok(Some(StatusAndAnswer {
            issuer_change_number: row.get(0),
            status,
            not_after_s: row.get::<_, Option<i64>>(6).unwrap_or(0),
            answer,
        }))
    }

    pub(crate) fn responder_id(&self, spki_sha256: &[u8; 32]) -> Result<i64, StoreError> {
        let hash = &spki_sha256[..];
        let find = || {
            let rows = self.query("SELECT id FROM responders WHERE spki_sha256 = $1", &[&hash])?;
            Ok(rows.first().map(|row| row.get(0)))
        };
        if let Some(id) = find()? {
            return Ok(id);
        }
        // Of two servers at once the second waits for the first one's commit here, and then finds its row.
        self.query("INSERT INTO responders (spki_sha256) VALUES ($1) ON CONFLICT DO NOTHING", &[&hash])?;
        find()?.ok_or(StoreError::Row { table: "responders", column: "id" })
    }

    pub(crate) fn put_answers(&self, answers: &[AnswerRow]) -> Result<u64, StoreError> {
        let issuers: Vec<i64> = answers.iter().map(|answer| answer.issuer_id).collect();
        let serials: Vec<&[u8]> = answers.iter().map(|answer| &answer.serial[..]).collect();
        let responders: Vec<i64> = answers.iter().map(|answer| answer.responder_id).collect();
        let hashes: Vec<i16> = answers.iter().map(|answer| answer.hash.number()).collect();
        let change_numbers: Vec<i64> = answers.iter().map(|answer| answer.change_number).collect();
        let this_updates_s: Vec<i64> = answers.iter().map(|answer| answer.this_update_s).collect();
        let next_updates_s: Vec<i64> = answers.iter().map(|answer| answer.next_update_s).collect();
        let forms: Vec<i16> = answers.iter().map(|answer| answer.form).collect();
        let signatures: Vec<&[u8]> = answers.iter().map(|answer| &answer.signature[..]).collect();
        self.execute(
            PUT,
            &[
                &issuers,
                &serials,
                &responders,
                &hashes,
                &change_numbers,
                &this_updates_s,
                &next_updates_s,
                &forms,
                &signatures,
            ],
        )
    }

    pub(crate) fn answers_due(&self, query: &DueQuery<'_>) -> Result<Option<Due>, StoreError> {
        let (looked_at, limit) = (i64::from(LOOKED_AT), i64::from(query.limit));
        let rows = self.query(
            DUE,
            &[
                &query.issuer_id,
                &query.after,
                &query.responder_id,
                &query.hash.number(),
                &query.form,
                &query.signed_before_s,
                &query.valid_at_s,
                &looked_at,
                &limit,
            ],
        )?;
        let Some(first) = rows.first() else { return Ok(None) };
        let (number, last): (i64, Option<Vec<u8>>) = (first.get(0), first.get(1));
        let mut due = Vec::with_capacity(rows.len());
        for row in &rows {
            // The one row that tells of nothing due has no serial number.
            if let Some(serial) = row.get(2) {
                due.push(DueRow { serial, status: read_status(row, 3)? });
            }
        }
        let is_full = u32::try_from(due.len()).unwrap_or(u32::MAX) >= query.limit;
        let next = if is_full { due.last().map(|row| row.serial.clone()) } else { last };
        Ok(Some((number, due, next)))
    }

    pub(crate) fn count_answers(&self, issuer_id: i64) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM ocsp_answers WHERE issuer_id = $1", issuer_id)
    }
}
