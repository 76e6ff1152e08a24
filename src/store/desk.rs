//! What the API and the CA's agent work with: tasks, API keys, leases on duties, and requests that may come twice.

use super::{ApiKeyRow, Backend, LeaseRow, Store, StoreError, TaskRow, either};

/// How often a claim is tried: between two looks another process may give the same key up.
const CLAIM_TRIES: u32 = 8;

/// What becomes of a request that names an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the first: the caller has the key now, and finishes it or drops it.
    New,
    /// The same request is under way, or was when its server ended.
    InProgress,
    /// The key was used for another request.
    Other,
    /// The same request was done, with this answer.
    Done {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
}

/// A claim as it stands in the store.
pub(super) struct ClaimRow {
    pub(super) request_sha256: Vec<u8>,
    pub(super) answer: Option<(u16, String)>,
}

impl Store {
    /// A task by its name.
    ///
    /// # Errors
    /// The database's.
    pub fn task(&self, id: &str) -> Result<Option<TaskRow>, StoreError> {
        either!(self, store => store.task(id))
    }

    /// Up to `limit` waiting tasks, oldest first. Nothing keeps two agents from the same one but their lease.
    ///
    /// # Errors
    /// The database's.
    pub fn waiting_tasks(&self, limit: u32) -> Result<Vec<TaskRow>, StoreError> {
        either!(self, store => store.waiting_tasks(limit))
    }

    /// Every key to the API, by name, also those that open nothing any more.
    ///
    /// # Errors
    /// The database's.
    pub fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        either!(self, store => store.api_keys())
    }

    /// Takes a duty for `duration_s` seconds from now if it is free or ran out, or renews it if `holder` has it; false if
    /// another one has it. PostgreSQL's own clock decides there.
    ///
    /// # Errors
    /// The database's.
    pub fn take_lease(&self, name: &str, holder: &str, duration_s: i64) -> Result<bool, StoreError> {
        either!(self, store => store.take_lease(name, holder, duration_s.saturating_mul(1_000_000)))
    }

    /// Gives a duty back; one that another has by now is left to it.
    ///
    /// # Errors
    /// The database's.
    pub fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        either!(self, store => store.release_lease(name, holder))
    }

    /// Who has a duty, or had it last.
    ///
    /// # Errors
    /// The database's.
    pub fn lease(&self, name: &str) -> Result<Option<LeaseRow>, StoreError> {
        either!(self, store => store.lease(name))
    }

    /// Claims an idempotency key for a caller's request; of two at once one gets [`Claim::New`].
    ///
    /// # Errors
    /// The database's, or [`StoreError::ClaimGone`] if the key is given up again and again meanwhile.
    pub fn claim_idempotency(&self, caller: &str, key: &str, request_sha256: &[u8; 32]) -> Result<Claim, StoreError> {
        for _ in 0..CLAIM_TRIES {
            if either!(self, store => store.insert_claim(caller, key, request_sha256))? {
                return Ok(Claim::New);
            }
            let Some(row) = either!(self, store => store.read_claim(caller, key))? else { continue };
            if row.request_sha256 != request_sha256 {
                return Ok(Claim::Other);
            }
            return Ok(match row.answer {
                Some((status, body)) => Claim::Done { status, body },
                None => Claim::InProgress,
            });
        }
        Err(StoreError::ClaimGone { key: key.to_owned() })
    }

    /// Keeps the answer to a claimed request, for the next time it comes.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] if the key is not claimed or was finished, or the database's.
    pub fn finish_idempotency(&self, caller: &str, key: &str, status: u16, body: &str) -> Result<(), StoreError> {
        let is_finished = either!(self, store => store.finish_claim(caller, key, status, body))?;
        if is_finished { Ok(()) } else { Err(StoreError::ClaimGone { key: key.to_owned() }) }
    }

    /// Gives a claim up whose request failed before it did anything; a finished one stays.
    ///
    /// # Errors
    /// The database's.
    pub fn drop_idempotency(&self, caller: &str, key: &str) -> Result<(), StoreError> {
        either!(self, store => store.drop_claim(caller, key))
    }

    /// Forgets every claim made before `before_us` (microseconds since 1970), finished or not, and tells how many.
    ///
    /// # Errors
    /// The database's.
    pub fn forget_idempotency(&self, before_us: i64) -> Result<u64, StoreError> {
        either!(self, store => store.forget_claims(before_us))
    }
}
