//! How much one caller may ask: a rate, and requests under way.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::problem::Problem;
use crate::config::HttpSection;

/// Callers whose rate is remembered; beyond it, old ones are forgotten, and strangers share one allowance.
const MAX_REMEMBERED: usize = 100_000;
/// Locks over the callers under way: enough that HTTP threads seldom meet.
const SHARDS: usize = 16;

/// The limits on callers.
pub struct Limits {
    rate: Option<DefaultKeyedRateLimiter<u64>>,
    in_flight: Arc<InFlight>,
}

struct InFlight {
    limit: u32,
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, u32>>; SHARDS],
}

/// A request under way; its place is given back when this is dropped.
pub(super) struct Permit {
    in_flight: Arc<InFlight>,
    key: u64,
}

impl Limits {
    /// From the configuration.
    #[must_use]
    pub fn new(settings: &HttpSection) -> Self {
        let rate = NonZeroU32::new(settings.caller_rate_per_s).zip(NonZeroU32::new(settings.caller_burst));
        Self {
            rate: rate.map(|(rate, burst)| RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))),
            in_flight: Arc::new(InFlight {
                limit: settings.caller_in_flight,
                hasher: RandomState::new(),
                shards: std::array::from_fn(|_| Mutex::default()),
            }),
        }
    }

    /// Takes a place for a caller's request.
    pub(super) fn admit(&self, caller_id: &str) -> Result<Permit, Problem> {
        let key = self.in_flight.hasher.hash_one(caller_id);
        if let Some(rate) = &self.rate {
            let crowded = rate.len() >= MAX_REMEMBERED;
            if rate.check_key(if crowded { &0 } else { &key }).is_err() {
                return Err(Problem::TooManyRequests);
            }
        }
        let mut shard = self.in_flight.shard(key);
        let count = shard.entry(key).or_default();
        if *count >= self.in_flight.limit {
            return Err(Problem::TooManyRequests);
        }
        *count += 1;
        drop(shard);
        Ok(Permit { in_flight: Arc::clone(&self.in_flight), key })
    }

    /// Forgets callers whose allowance is whole again; called from time to time.
    pub fn forget_idle(&self) {
        if let Some(rate) = &self.rate {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }
}

impl InFlight {
    fn shard(&self, key: u64) -> std::sync::MutexGuard<'_, HashMap<u64, u32>> {
        let at = usize::try_from(key % 16).unwrap_or(0) % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut shard = self.in_flight.shard(self.key);
        if let Some(count) = shard.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_at_its_limit_waits_and_another_does_not() {
        let limits = Limits::new(&HttpSection { caller_in_flight: 2, caller_rate_per_s: 0, ..HttpSection::default() });
        let first = limits.admit("a").ok().unwrap();
        let _second = limits.admit("a").ok().unwrap();
        assert_eq!(limits.admit("a").err(), Some(Problem::TooManyRequests));
        assert!(limits.admit("b").is_ok());
        drop(first);
        assert!(limits.admit("a").is_ok());
    }

    #[test]
    fn a_caller_above_its_rate_is_told_so() {
        let limits = Limits::new(&HttpSection { caller_rate_per_s: 1, caller_burst: 3, ..HttpSection::default() });
        let admitted = (0..10).filter(|_| limits.admit("a").is_ok()).count();
        assert_eq!(admitted, 3);
        assert!(limits.admit("b").is_ok());
    }
}
