//! Whole answers in memory, bounded in octets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::clock::http_date;
use crate::crypto::sha256;
use crate::store::CertIdHash;

/// The most octets of a serial number that is kept: RFC 5280 §4.1.2.2 allows 20, real ones were seen with 22.
pub const MAX_SERIAL: usize = 32;
/// What an entry costs beside its octets: the key, the texts for HTTP, counters, the place in the table.
const ENTRY_OVERHEAD: u64 = 512;
/// Octets of a usual answer: 300 of its own and the responder's certificate.
const USUAL_ANSWER: u64 = 1_200;

/// A serial number, fixed in size, so that a look-up allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SerialOctets {
    len: usize,
    octets: [u8; MAX_SERIAL],
}

impl SerialOctets {
    /// None for a serial number that no certificate here can have.
    pub(super) fn new(serial: &[u8]) -> Option<Self> {
        let mut octets = [0; MAX_SERIAL];
        octets.get_mut(..serial.len())?.copy_from_slice(serial);
        Some(Self { len: serial.len(), octets })
    }
}

/// What an answer is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnswerKey {
    issuer_id: i64,
    responder_id: i64,
    hash: CertIdHash,
    serial: SerialOctets,
    edition: u64,
}

impl AnswerKey {
    /// The key; None for a serial number that no certificate here can have.
    #[must_use]
    pub fn new(issuer_id: i64, responder_id: i64, hash: CertIdHash, serial: &[u8]) -> Option<Self> {
        Some(Self { issuer_id, responder_id, hash, serial: SerialOctets::new(serial)?, edition: 0 })
    }

    /// The key of an answer from this edition of a source: once there is another edition, nobody finds it any more.
    #[must_use]
    pub fn of_edition(self, edition: u64) -> Self {
        Self { edition, ..self }
    }

    pub(super) fn edition(&self) -> u64 {
        self.edition
    }
}

/// A signed answer with what HTTP says of it.
#[derive(Debug)]
pub struct SignedAnswer {
    /// The OCSPResponse.
    pub der: Bytes,
    /// What HTTP says of it to caches; None if it is not shared.
    pub http: Option<HttpTexts>,
    /// thisUpdate and producedAt, in seconds since 1970.
    pub this_update_s: i64,
    /// nextUpdate, in seconds since 1970.
    pub next_update_s: i64,
    /// From when on a newer answer stands ready, in seconds since 1970.
    pub renewed_at_s: i64,
    /// The second in which a newer one was last asked for.
    renewal_asked_s: AtomicI64,
}

/// Header values that stay as they are for an answer's life: written once, since writing them took a tenth of a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTexts {
    /// The hexadecimal SHA-256 of the answer, in quotes: its entity tag.
    pub etag: Bytes,
    /// thisUpdate as HTTP writes dates (RFC 9110 §5.6.7).
    pub last_modified: Bytes,
    /// nextUpdate.
    pub expires: Bytes,
}

impl HttpTexts {
    fn new(der: &[u8], this_update_s: i64, next_update_s: i64) -> Self {
        Self {
            etag: format!("\"{}\"", hex::encode(sha256(der))).into(),
            last_modified: http_date(this_update_s).into(),
            expires: http_date(next_update_s).into(),
        }
    }
}

impl SignedAnswer {
    pub(super) fn new(
        der: Vec<u8>,
        this_update_s: i64,
        next_update_s: i64,
        renewed_at_s: i64,
        is_shared: bool,
    ) -> Self {
        let http = is_shared.then(|| HttpTexts::new(&der, this_update_s, next_update_s));
        Self { der: der.into(), http, this_update_s, next_update_s, renewed_at_s, renewal_asked_s: AtomicI64::new(0) }
    }

    /// Whether a newer one shall be asked for: it is past its renewal, and nobody else tries in this second.
    pub(super) fn wants_renewal(&self, now_s: i64) -> bool {
        now_s >= self.renewed_at_s && self.renewal_asked_s.swap(now_s, Ordering::Relaxed) != now_s
    }

    /// How long a cache may keep it, in seconds: past its renewal, so that the next answer is another, and a quarter of
    /// the time in between before its end (RFC 9919: max-age ends before nextUpdate, renewal before max-age).
    #[must_use]
    pub fn max_age_s(&self, now_s: i64) -> i64 {
        let slack = (self.next_update_s - self.renewed_at_s) / 4;
        (self.next_update_s - slack - now_s).max(0)
    }
}

#[derive(Clone)]
struct Octets;

impl Weighter<AnswerKey, Arc<SignedAnswer>> for Octets {
    fn weight(&self, _: &AnswerKey, answer: &Arc<SignedAnswer>) -> u64 {
        u64::try_from(answer.der.len()).unwrap_or(u64::MAX).saturating_add(ENTRY_OVERHEAD)
    }
}

/// The answers that were asked for of late.
pub struct AnswerCache(Cache<AnswerKey, Arc<SignedAnswer>, Octets>);

impl AnswerCache {
    /// A cache of at most so many octets.
    #[must_use]
    pub fn new(max_octets: u64) -> Self {
        let entries = usize::try_from(max_octets / (USUAL_ANSWER + ENTRY_OVERHEAD)).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(entries.max(16), max_octets, Octets))
    }

    pub(super) fn get(&self, key: &AnswerKey) -> Option<Arc<SignedAnswer>> {
        self.0.get(key)
    }

    pub(super) fn insert(&self, key: AnswerKey, answer: Arc<SignedAnswer>) {
        self.0.insert(key, answer);
    }

    pub(super) fn remove(&self, key: &AnswerKey) {
        self.0.remove(key);
    }

    pub(super) fn clear(&self) {
        self.0.clear();
    }

    /// How many octets are held, overhead included.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.0.weight()
    }

    /// How many answers are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(octets: usize) -> Arc<SignedAnswer> {
        Arc::new(SignedAnswer::new(vec![0; octets], 0, 1_000, 500, true))
    }

    #[test]
    fn it_never_grows_past_its_octets() {
        let cache = AnswerCache::new(200_000);
        for number in 0..10_000_u32 {
            cache.insert(AnswerKey::new(1, 0, CertIdHash::Sha1, &number.to_be_bytes()).unwrap(), answer(1_000));
        }
        assert!(cache.octets() <= 200_000 && !cache.is_empty(), "{} octets", cache.octets());
    }

    #[test]
    fn keys_differ_by_every_part_and_long_serials_have_none() {
        let key = AnswerKey::new(1, 0, CertIdHash::Sha1, &[1]).unwrap();
        assert_ne!(key, AnswerKey::new(2, 0, CertIdHash::Sha1, &[1]).unwrap());
        assert_ne!(key, AnswerKey::new(1, 1, CertIdHash::Sha1, &[1]).unwrap());
        assert_ne!(key, AnswerKey::new(1, 0, CertIdHash::Sha256, &[1]).unwrap());
        assert_ne!(key, AnswerKey::new(1, 0, CertIdHash::Sha1, &[1, 0]).unwrap());
        assert_eq!(AnswerKey::new(1, 0, CertIdHash::Sha1, &[1; MAX_SERIAL + 1]), None);
        assert_ne!(key, key.of_edition(1));
    }

    #[test]
    fn a_cache_may_keep_an_answer_past_its_renewal_and_not_to_its_end() {
        let answer = answer(1);
        assert_eq!(answer.max_age_s(0), 875);
        assert_eq!(answer.max_age_s(600), 275);
        assert_eq!(answer.max_age_s(900), 0);
    }
}
