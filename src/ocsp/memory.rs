//! What is held in memory of certificates: whole answers, and statuses for those who want an answer of their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::cache::{AnswerCache, SerialOctets};
use super::currency::ReadAt;
use super::issuer::ServedIssuer;
use crate::store::{CertIdHash, CertificateState, StatusAndAnswer, StatusRow};

/// What a status costs: key and value of 120 octets, and the table's own.
const STATUS_OCTETS: u64 = 256;
/// The part of the memory that statuses get: 32,768 of them in the 64 MiB of the default.
const STATUS_SHARE: u64 = 8;
/// A status in memory is believed while the store told of changes no longer ago than this: it does so every 250 ms.
const FRESH: Duration = Duration::from_millis(750);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct StatusKey {
    issuer_id: i64,
    serial: SerialOctets,
}

#[derive(Clone, Copy)]
struct KnownStatus {
    status: StatusRow,
    not_after_s: i64,
    issuer_number: i64,
}

/// Answers and statuses. Whoever puts one in holds the issuer's currency; a change takes them out.
pub(super) struct Memory {
    pub(super) answers: AnswerCache,
    statuses: Cache<StatusKey, KnownStatus>,
    beginning: Instant,
    /// Milliseconds from the beginning to when the store last told of changes; 0 before it did.
    heard_ms: AtomicU64,
}

impl Memory {
    /// Of at most so many octets.
    pub(super) fn new(max_octets: u64) -> Self {
        let for_statuses = max_octets / STATUS_SHARE;
        let statuses = usize::try_from(for_statuses / STATUS_OCTETS).unwrap_or(usize::MAX);
        Self {
            answers: AnswerCache::new(max_octets - for_statuses),
            statuses: Cache::new(statuses.max(16)),
            beginning: Instant::now(),
            heard_ms: AtomicU64::new(0),
        }
    }

    /// Octets held, about.
    pub(super) fn octets(&self) -> u64 {
        self.answers.octets() + u64::try_from(self.statuses.len()).unwrap_or(u64::MAX).saturating_mul(STATUS_OCTETS)
    }

    /// All changes up to `at` were taken in.
    pub(super) fn heard(&self, at: Instant) {
        let since = at.saturating_duration_since(self.beginning).as_millis();
        // Never 0 again, which would mean never.
        self.heard_ms.store(u64::try_from(since).unwrap_or(u64::MAX).max(1), Ordering::Release);
    }

    fn is_fresh(&self) -> bool {
        let heard_ms = self.heard_ms.load(Ordering::Acquire);
        let heard = Duration::from_millis(heard_ms);
        heard_ms != 0 && self.beginning.elapsed().saturating_sub(heard) < FRESH
    }

    /// What was read of a certificate; its currency was found to hold and is held.
    pub(super) fn remember(&self, issuer_id: i64, serial: &[u8], row: &StatusAndAnswer) {
        // Serial numbers that were not issued, or not yet, are beyond counting.
        if let Some(status) = row.status.filter(|status| status.state != CertificateState::Intended)
            && let Some(serial) = SerialOctets::new(serial)
        {
            let known = KnownStatus { status, not_after_s: row.not_after_s, issuer_number: row.issuer_change_number };
            self.statuses.insert(StatusKey { issuer_id, serial }, known);
        }
    }

    /// A certificate's status, if it is known and the store is not silent.
    pub(super) fn status(&self, issuer_id: i64, serial: &[u8]) -> Option<StatusAndAnswer> {
        let known = self
            .is_fresh()
            .then(|| self.statuses.get(&StatusKey { issuer_id, serial: SerialOctets::new(serial)? }))??;
        Some(StatusAndAnswer {
            issuer_change_number: known.issuer_number,
            status: Some(known.status),
            not_after_s: known.not_after_s,
            answer: None,
        })
    }

    /// A certificate's status changed.
    pub(super) fn forget(&self, issuer: &ServedIssuer, serial: &[u8]) {
        for responder in &issuer.responders {
            for hash in [CertIdHash::Sha1, CertIdHash::Sha256] {
                if let Some(key) = issuer.answer_key(responder, hash, serial) {
                    self.answers.remove(&key);
                }
            }
        }
        if let Some(serial) = SerialOctets::new(serial) {
            self.statuses.remove(&StatusKey { issuer_id: issuer.id, serial });
        }
    }

    /// Everything may have changed.
    pub(super) fn clear(&self) {
        self.answers.clear();
        self.statuses.clear();
    }
}

impl StatusAndAnswer {
    /// Where in the order of changes it was read.
    pub(super) fn read_at(&self) -> ReadAt {
        ReadAt {
            issuer_number: self.issuer_change_number,
            certificate_number: self.status.map_or(0, |status| status.change_number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: CertificateState) -> StatusAndAnswer {
        let status = StatusRow { state, reason: None, revoked_at_s: None, invalidity_s: None, change_number: 3 };
        StatusAndAnswer { issuer_change_number: 7, status: Some(status), not_after_s: 9, answer: None }
    }

    #[test]
    fn a_status_is_believed_while_the_store_tells_of_changes() {
        let memory = Memory::new(1 << 20);
        memory.remember(1, b"a", &row(CertificateState::Good));
        assert_eq!(memory.status(1, b"a"), None, "nothing was heard yet");
        memory.heard(Instant::now());
        assert_eq!(memory.status(1, b"a"), Some(row(CertificateState::Good)));
        assert_eq!(memory.status(2, b"a"), None, "another issuer's");
        std::thread::sleep(FRESH + Duration::from_millis(10));
        assert_eq!(memory.status(1, b"a"), None, "the store is silent");
        memory.heard(Instant::now());
        memory.clear();
        assert_eq!(memory.status(1, b"a"), None);
    }

    #[test]
    fn what_was_not_issued_is_not_remembered_and_the_bound_is_kept() {
        let memory = Memory::new(1 << 20);
        memory.heard(Instant::now());
        memory.remember(1, b"a", &row(CertificateState::Intended));
        memory.remember(1, b"b", &StatusAndAnswer { status: None, ..row(CertificateState::Good) });
        assert_eq!((memory.status(1, b"a"), memory.status(1, b"b")), (None, None));
        for number in 0..10_000_u32 {
            memory.remember(1, &number.to_be_bytes(), &row(CertificateState::Held));
        }
        assert!(memory.octets() <= 1 << 20, "{} octets", memory.octets());
    }
}
