//! What is held of an issuer's CRLs, and what may take its place.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as MemoryOrdering};

use crl::{Crl, DeltaMismatch, check_delta};

use super::verified::{Refusal, Verified};
use crate::ca::AnswersFrom;

/// How far ahead of the clock thisUpdate may be, in seconds: CAs' clocks differ.
pub const MAX_AHEAD_S: i64 = 300;

/// Editions are counted over the whole process, so that none comes twice.
static LAST_EDITION: AtomicU64 = AtomicU64::new(0);

/// A complete CRL, the delta over it, and whose word counts.
#[derive(Clone)]
pub struct Held {
    /// The number of this state; see [`crate::ca::StatusSource::edition`].
    pub edition: u64,
    /// Whose word counts.
    pub answers: AnswersFrom,
    /// The complete CRL.
    pub complete: Option<Arc<Verified>>,
    /// The delta, which goes with the complete one.
    pub delta: Option<Arc<Verified>>,
}

/// Complete CRL or delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The complete one.
    Complete,
    /// The delta over it.
    Delta,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newness {
    /// It takes the place of what was held.
    Newer,
    /// It is what is held already, or says no more.
    Same,
}

impl Held {
    /// Nothing yet.
    pub(super) fn nothing(answers: AnswersFrom) -> Self {
        Self { edition: next_edition(), answers, complete: None, delta: None }
    }

    /// The same with another word that counts.
    pub(super) fn with_answers(&self, answers: AnswersFrom) -> Self {
        Self { edition: next_edition(), answers, ..self.clone() }
    }

    /// The CRL of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Option<&Arc<Verified>> {
        match kind {
            Kind::Complete => self.complete.as_ref(),
            Kind::Delta => self.delta.as_ref(),
        }
    }

    /// Whether a verified CRL may take the place of the one that is held.
    pub(super) fn compare(&self, kind: Kind, candidate: &Crl, now_s: i64) -> Result<Newness, Refusal> {
        let ahead_s = candidate.header.this_update.seconds.saturating_sub(now_s);
        if ahead_s > MAX_AHEAD_S {
            return Err(Refusal::Future { ahead_s });
        }
        match kind {
            Kind::Complete if candidate.is_delta() => return Err(Refusal::IsDelta),
            Kind::Complete => {}
            Kind::Delta => {
                let Some(base) = &self.complete else { return Ok(Newness::Same) };
                match check_delta(&base.crl, candidate) {
                    Ok(()) => {}
                    // A complete one was issued since: what this delta says stands in it (RFC 5280 §5.2.4).
                    Err(DeltaMismatch::DeltaOlder { .. }) => return Ok(Newness::Same),
                    Err(mismatch) => return Err(Refusal::Delta(mismatch)),
                }
            }
        }
        match self.of(kind).map_or(Ordering::Greater, |held| order(candidate, &held.crl)) {
            Ordering::Greater => Ok(Newness::Newer),
            Ordering::Equal => Ok(Newness::Same),
            Ordering::Less => Err(Refusal::Older),
        }
    }

    /// This with a verified CRL in the place of the one of its kind. A delta that does not go with a new complete one goes.
    pub(super) fn taking(&self, kind: Kind, verified: Arc<Verified>) -> Self {
        let mut taken = Self { edition: next_edition(), ..self.clone() };
        match kind {
            Kind::Complete => {
                taken.delta = taken.delta.filter(|delta| check_delta(&verified.crl, &delta.crl).is_ok());
                taken.complete = Some(verified);
            }
            Kind::Delta => taken.delta = Some(verified),
        }
        taken
    }

    /// This without a delta.
    pub(super) fn without_delta(&self) -> Self {
        Self { edition: next_edition(), delta: None, ..self.clone() }
    }
}

/// Whether the first was issued after the second: by its number (RFC 5280 §5.2.3: it increases), else by thisUpdate.
///
/// One that was issued anew under the same number is newer if its thisUpdate is.
fn order(candidate: &Crl, held: &Crl) -> Ordering {
    let by_time = candidate.header.this_update.seconds.cmp(&held.header.this_update.seconds);
    match (&candidate.extensions.crl_number, &held.extensions.crl_number) {
        (Some(candidate), Some(held)) => candidate.cmp(held).then(by_time),
        _ => by_time,
    }
}

fn next_edition() -> u64 {
    LAST_EDITION.fetch_add(1, MemoryOrdering::Relaxed) + 1
}

/// Whether a CRL has not passed its nextUpdate; one without any never counts as current.
pub(super) fn is_current(crl: &Crl, now_s: i64) -> bool {
    crl.header.next_update.is_some_and(|next_update| now_s < next_update.seconds)
}
