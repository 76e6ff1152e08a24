//! What a gathering has spent, and which URLs it asked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::fetcher::Allowance;
use super::{Exhausted, FetchKind, GatherLimits};
use crate::crypto::sha256;
use crate::verify::{BudgetExhausted, Costs, Survey};

/// What looking for issuers and held statuses may cost: several times what a judgement may, so that whatever certificates one
/// can find its way through are found here too, and their statuses looked for after each fetch.
const WORK: Costs = Costs {
    signatures: 4 * Costs::LIMITS.signatures,
    revocation_items: 16 * Costs::LIMITS.revocation_items,
    ..Costs::LIMITS
};
/// URLs that are refused without being asked: four for each fetch, LDAP and the like.
const MAX_REFUSED: usize = 128;

/// The gathering ends here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop(pub(super) Exhausted);

impl From<BudgetExhausted> for Stop {
    fn from(_: BudgetExhausted) -> Self {
        Self(Exhausted::Work)
    }
}

pub(super) struct Spending {
    limits: GatherLimits,
    deadline: Instant,
    fetches: usize,
    refused: usize,
    octets: u64,
    /// Whether something came, by URL and question.
    asked: HashMap<[u8; 32], bool>,
    pub(super) survey: Survey,
}

impl Spending {
    pub(super) fn new(limits: GatherLimits) -> Self {
        Self {
            limits,
            deadline: Instant::now() + limits.time_total,
            fetches: 0,
            refused: 0,
            octets: 0,
            asked: HashMap::new(),
            survey: Survey::new(WORK),
        }
    }

    /// What the URL gave when it was asked the same before; `None` where it was not.
    pub(super) fn asked_before(&self, url: &str, question: &[u8]) -> Option<bool> {
        self.asked.get(&key(url, question)).copied()
    }

    pub(super) fn note(&mut self, url: &str, question: &[u8], came: bool) {
        self.asked.insert(key(url, question), came);
    }

    /// Counts one more fetch, and says what it may cost.
    pub(super) fn next(&mut self, what: FetchKind) -> Result<Allowance, Stop> {
        let left: Duration = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Stop(Exhausted::Time));
        }
        if self.fetches >= self.limits.fetches {
            return Err(Stop(Exhausted::Fetches));
        }
        let octets_left = self.limits.octets_total.saturating_sub(self.octets);
        if octets_left == 0 {
            return Err(Stop(Exhausted::Octets));
        }
        self.fetches += 1;
        let octets = match what {
            FetchKind::Issuer | FetchKind::OcspResponse => self.limits.octets_each,
            FetchKind::Crl | FetchKind::DeltaCrl => self.limits.crl_octets_each,
        };
        Ok(Allowance { octets: octets.min(octets_left), time: self.limits.time_each.min(left) })
    }

    /// Counts a URL that is not asked.
    pub(super) fn refuse(&mut self) -> Result<(), Stop> {
        self.refused += 1;
        if self.refused > MAX_REFUSED { Err(Stop(Exhausted::Fetches)) } else { Ok(()) }
    }

    pub(super) fn read(&mut self, octets: u64) {
        self.octets = self.octets.saturating_add(octets);
    }
}

fn key(url: &str, question: &[u8]) -> [u8; 32] {
    // A URL has no octet 0, so that no two pairs are the same octets.
    sha256(&[url.as_bytes(), &[0], question].concat())
}
