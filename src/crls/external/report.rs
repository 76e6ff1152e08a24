//! How an issuer's CRLs stand, in words for `/readyz` and `check`.

use super::held::{Held, Kind};
use crate::ca::ExternalCrlSettings;

/// What is held of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldReport {
    /// Entries.
    pub entries: u64,
    /// nextUpdate, in seconds since 1970.
    pub next_update_s: Option<i64>,
    /// nextUpdate for people.
    pub next_update: String,
    /// Why it can never say good.
    pub obstacles: Vec<String>,
}

/// How an issuer's CRLs stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlReport {
    /// The issuer's name.
    pub issuer: String,
    /// The complete CRL.
    pub complete: Option<HeldReport>,
    /// The delta.
    pub delta: Option<HeldReport>,
    /// Whether a delta is wanted.
    pub wants_delta: bool,
    /// When everything was last fetched or found unchanged, in seconds since 1970.
    pub fetched_at_s: Option<i64>,
    /// Why the last round failed, if it did.
    pub last_error: Option<String>,
}

impl CrlReport {
    pub(super) fn new(
        issuer: &str,
        held: &Held,
        settings: &ExternalCrlSettings,
        fetched_at_s: Option<i64>,
        last_error: Option<String>,
    ) -> Self {
        let of = |kind| {
            held.of(kind).map(|verified| {
                let crl = &verified.crl;
                HeldReport {
                    entries: crl.entries,
                    next_update_s: crl.header.next_update.map(|time| time.seconds),
                    next_update: crl.header.next_update.map(|time| time.to_string()).unwrap_or_default(),
                    obstacles: crl.obstacles().iter().map(ToString::to_string).collect(),
                }
            })
        };
        Self {
            issuer: issuer.to_owned(),
            complete: of(Kind::Complete),
            delta: of(Kind::Delta),
            wants_delta: !settings.delta_urls.is_empty(),
            fetched_at_s,
            last_error,
        }
    }

    /// Whether what is held has passed its nextUpdate.
    #[must_use]
    pub fn is_stale(&self, now_s: i64) -> bool {
        let is_current = |held: &HeldReport| held.next_update_s.is_none_or(|next_update_s| now_s < next_update_s);
        self.complete.as_ref().is_some_and(|complete| !is_current(complete))
            && !self.delta.as_ref().is_some_and(is_current)
    }

    /// What an operator should know; None where all is in order.
    #[must_use]
    pub fn warning(&self, now_s: i64) -> Option<String> {
        let fetched =
            self.fetched_at_s.map(|fetched_at_s| format!(", the last good one was at {}", time(fetched_at_s)));
        let fetched = fetched.unwrap_or_default();
        let because = self.last_error.as_ref().map(|error| format!("; the last fetch failed{fetched}: {error}"));
        let because = because.unwrap_or_default();
        let Some(complete) = &self.complete else {
            return Some(format!("no CRL is here yet{because}"));
        };
        if complete.next_update_s.is_none() {
            return Some(format!("its CRL has no nextUpdate: what it lists is revoked, nothing else is good{because}"));
        }
        if self.is_stale(now_s) {
            return Some(format!(
                "its CRL is past its nextUpdate, {}: what it lists is revoked, nothing else is good{because}",
                complete.next_update
            ));
        }
        let obstacles = [Some(complete), self.delta.as_ref()].into_iter().flatten().flat_map(|held| &held.obstacles);
        if let Some(obstacle) = obstacles.into_iter().next() {
            return Some(format!("its CRL can't say that a certificate is good: {obstacle}{because}"));
        }
        self.last_error.as_ref().map(|error| {
            format!("its CRL holds until {}, and the last fetch failed{fetched}: {error}", complete.next_update)
        })
    }
}

/// A time for people, as the CRL's own are written.
fn time(seconds: i64) -> String {
    crl::Time { seconds, form: crl::TimeForm::GeneralizedTime }.to_string()
}
