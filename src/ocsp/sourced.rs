//! What a source beside the registry says of the certificates in a request.

use super::issuer::ServedIssuer;
use super::responder::{Asked, Responder};
use crate::ca::{StatusQuestion, StatusSource, Unsure};
use crate::store::{StatusAndAnswer, StoreError};

/// What a source said beside the status, which stands among what was read.
pub(super) struct SourceWord {
    /// The edition that it spoke from.
    pub(super) edition: u64,
    /// Of each certificate that was asked for: thisUpdate and the latest nextUpdate, where they are the source's.
    pub(super) periods_s: Vec<Option<(i64, i64)>>,
}

impl Responder {
    /// Has a source judge what was read: its statuses take the place of the registry's.
    pub(super) fn ask(
        &self,
        source: &dyn StatusSource,
        issuer: &ServedIssuer,
        asked: &[Asked],
        read: &mut [Option<StatusAndAnswer>],
        now_s: i64,
    ) -> Result<SourceWord, Unsure> {
        let mut word = SourceWord { edition: source.edition(), periods_s: Vec::with_capacity(asked.len()) };
        for (asked, row) in asked.iter().zip(read) {
            let Some(row) = row else {
                word.periods_s.push(None);
                continue;
            };
            let judgement = source.judge(&StatusQuestion {
                serial: &asked.serial,
                registry: row.status,
                not_after_s: row.status.map(|_| row.not_after_s),
                certificate: &|| self.certificate_der(issuer.id, &asked.serial),
                now_s,
            })?;
            if judgement.edition != word.edition {
                // It changed between two certificates: no edition is this one, and all is read again.
                word.edition = 0;
            }
            row.status = judgement.status;
            word.periods_s.push(judgement.period_s);
        }
        Ok(word)
    }

    /// A certificate that is kept, DER.
    fn certificate_der(&self, issuer_id: i64, serial: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.store.registry_row(issuer_id, serial)?;
        let Some(sha256) = row.and_then(|row| row.certificate_sha256) else { return Ok(None) };
        self.store.certificate_der(&sha256)
    }
}
