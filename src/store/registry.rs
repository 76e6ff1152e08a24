//! Issuers, certificates' status, and the signed answers that stand for it.
//!
//! Status changes only by [`super::LedgerWriter::append_with`]. An answer is bound to the change number of the status it
//! was signed for: with another one it is neither written nor read.

use super::{
    AnswerRow, Backend, CertIdHash, CertificateSearch, CertificateState, DueRow, IssuerRow, RegistryRow,
    StatusAndAnswer, Store, StoreError, either,
};

/// Rows of the registry that [`Store::answers_due`] looks at in one call: some 50 ms, so that a call that finds nothing
/// is still a short one.
pub(super) const LOOKED_AT: u32 = 16_384;

/// Certificates whose answers are asked after.
#[derive(Clone, Copy)]
pub(super) struct DueQuery<'a> {
    pub(super) issuer_id: i64,
    pub(super) responder_id: i64,
    pub(super) hash: CertIdHash,
    pub(super) form: i16,
    pub(super) signed_before_s: i64,
    pub(super) valid_at_s: i64,
    /// Every serial number comes after the empty one.
    pub(super) after: &'a [u8],
    pub(super) limit: u32,
}

/// What [`Store::answers_due`] gives: the issuer's change number, what is due, and where to go on.
pub type Due = (i64, Vec<DueRow>, Option<Vec<u8>>);

/// A part of a search, each database has its words for it.
pub(super) enum Condition<'a> {
    Issuer(i64),
    /// After this serial number, of the one issuer.
    AfterSerial(&'a [u8]),
    /// After this row.
    After(i64, &'a [u8]),
    State(CertificateState),
    /// In lower case.
    Subject(String),
    Profile(&'a str),
    EndsBefore(i64),
}

/// A search's conditions; None if nothing can meet them.
///
/// A place in the order is put so that a page costs no walk over the pages before it.
fn conditions<'a>(search: &'a CertificateSearch, after: Option<(i64, &'a [u8])>) -> Option<Vec<Condition<'a>>> {
    let mut conditions = Vec::new();
    match (search.issuer_id, after) {
        (Some(issuer), Some((of, _))) if of > issuer => return None,
        (Some(issuer), Some((of, serial))) if of == issuer => {
            conditions.extend([Condition::Issuer(issuer), Condition::AfterSerial(serial)]);
        }
        (Some(issuer), _) => conditions.push(Condition::Issuer(issuer)),
        (None, Some((of, serial))) => conditions.push(Condition::After(of, serial)),
        (None, None) => {}
    }
    conditions.extend(search.state.map(Condition::State));
    conditions.extend(search.subject_contains.as_ref().map(|part| Condition::Subject(part.to_ascii_lowercase())));
    conditions.extend(search.profile.as_deref().map(Condition::Profile));
    conditions.extend(search.ends_before_s.map(Condition::EndsBefore));
    Some(conditions)
}

impl Store {
    /// Every issuer, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub fn issuers(&self) -> Result<Vec<IssuerRow>, StoreError> {
        either!(self, store => store.issuers())
    }

    /// Every issuer's number and the number of its last change.
    ///
    /// # Errors
    /// The database's.
    pub fn issuer_numbers(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        either!(self, store => store.issuer_numbers())
    }

    /// A certificate of the registry.
    ///
    /// # Errors
    /// The database's.
    pub fn registry_row(&self, issuer_id: i64, serial: &[u8]) -> Result<Option<RegistryRow>, StoreError> {
        either!(self, store => store.registry_row(issuer_id, serial))
    }

    /// A certificate's octets, by their SHA-256.
    ///
    /// # Errors
    /// The database's.
    pub fn certificate_der(&self, sha256: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        either!(self, store => store.certificate_der(sha256))
    }

    /// Up to `limit` certificates that meet a search, by issuer and serial number, after the row that `after` names.
    ///
    /// Parts other than the issuer are held against row after row: over tens of millions of rows a search that finds
    /// little takes its time, and PostgreSQL's time limit ends it.
    ///
    /// # Errors
    /// The database's.
    pub fn search_registry(
        &self,
        search: &CertificateSearch,
        after: Option<(i64, &[u8])>,
        limit: u32,
    ) -> Result<Vec<RegistryRow>, StoreError> {
        match conditions(search, after) {
            Some(conditions) => either!(self, store => store.search_registry(&conditions, limit)),
            None => Ok(Vec::new()),
        }
    }

    /// A certificate's status and the answer that stands for it, read in one snapshot.
    ///
    /// # Errors
    /// [`StoreError::NoSuchIssuer`], or the database's.
    pub fn status_and_answer(
        &self,
        issuer_id: i64,
        serial: &[u8],
        responder_id: i64,
        hash: CertIdHash,
    ) -> Result<StatusAndAnswer, StoreError> {
        either!(self, store => store.status_and_answer(issuer_id, serial, responder_id, hash))?
            .ok_or(StoreError::NoSuchIssuer { issuer_id })
    }

    /// Up to `limit` changed certificates, as change number and serial number, in this order, after the pair `after`.
    ///
    /// What changed after number n begins with `(n + 1, &[])`; the last pair of a page leads to the next one. Each
    /// certificate comes with its last change only.
    ///
    /// # Errors
    /// The database's.
    pub fn changes_since(
        &self,
        issuer_id: i64,
        after: (i64, &[u8]),
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        either!(self, store => store.changes_since(issuer_id, after, limit))
    }

    /// The number of a responder's key, by the SHA-256 of its SubjectPublicKeyInfo; given at the first call.
    ///
    /// # Errors
    /// The database's.
    pub fn responder_id(&self, spki_sha256: &[u8; 32]) -> Result<i64, StoreError> {
        either!(self, store => store.responder_id(spki_sha256))
    }

    /// Stores answers, durably, in one transaction, and tells how many were written.
    ///
    /// An answer is left out if its certificate's change number is another one by now, or a younger answer to the same
    /// status is there. A change of status waits for this transaction and the ledger's commits do on SQLite: some hundred
    /// answers a call are right.
    ///
    /// # Errors
    /// The database's; then none is stored.
    pub fn put_answers(&self, answers: &[AnswerRow]) -> Result<u64, StoreError> {
        if answers.is_empty() {
            return Ok(0);
        }
        either!(self, store => store.put_answers(answers))
    }

    /// Certificates that are good, held or revoked, have not ended at `valid_at_s`, and whose answer by this responder
    /// and hash is missing, is to another status, has another form or was signed before `signed_before_s`: up to `limit`
    /// of them by serial number, after `after`.
    ///
    /// With them comes the issuer's change number of the same snapshot, and where to go on, None at the end. A call looks
    /// at a bounded number of rows: an empty page is not the end.
    ///
    /// # Errors
    /// [`StoreError::NoSuchIssuer`], or the database's.
    #[expect(clippy::too_many_arguments, reason = "each is a condition of its own, and there is one caller")]
    pub fn answers_due(
        &self,
        issuer_id: i64,
        responder_id: i64,
        hash: CertIdHash,
        form: i16,
        signed_before_s: i64,
        valid_at_s: i64,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Due, StoreError> {
        let query = DueQuery {
            issuer_id,
            responder_id,
            hash,
            form,
            signed_before_s,
            valid_at_s,
            after: after.unwrap_or_default(),
            // A page of none would lead to itself.
            limit: limit.max(1),
        };
        either!(self, store => store.answers_due(&query))?.ok_or(StoreError::NoSuchIssuer { issuer_id })
    }

    /// How many certificates of an issuer are in the registry; counted one by one.
    ///
    /// # Errors
    /// The database's.
    pub fn count_registry(&self, issuer_id: i64) -> Result<u64, StoreError> {
        either!(self, store => store.count_registry(issuer_id))
    }

    /// How many answers for an issuer are stored, whatever they are worth; counted one by one.
    ///
    /// # Errors
    /// The database's.
    pub fn count_answers(&self, issuer_id: i64) -> Result<u64, StoreError> {
        either!(self, store => store.count_answers(issuer_id))
    }
}
