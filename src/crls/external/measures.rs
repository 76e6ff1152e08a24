//! Figures of others' CRLs for `/metrics`, beside those of Noonmark's own: `scope` tells them apart.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::held::{Held, Kind};

/// Those of one issuer.
pub(super) struct Measures {
    next_update: [Gauge; 2],
    entries: [Gauge; 2],
    fetched: Gauge,
    succeeded: Counter,
    failed: Counter,
}

const KINDS: [Kind; 2] = [Kind::Complete, Kind::Delta];

impl Kind {
    /// Its name in logs and metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Complete => "external",
            Self::Delta => "external-delta",
        }
    }
}

impl Measures {
    pub(super) fn of(issuer: &str) -> Self {
        describe_gauge!(
            "noonmark_crl_fetched_timestamp_seconds",
            "When an issuer's CRLs were last fetched, in seconds since 1970"
        );
        describe_counter!("noonmark_crl_fetches_total", "Rounds of fetching an issuer's CRLs, by how they ended");
        let fetches = |outcome: &'static str| counter!("noonmark_crl_fetches_total", "issuer" => issuer.to_owned(), "outcome" => outcome);
        Self {
            next_update: KINDS.map(
                |kind| gauge!("noonmark_crl_next_update_timestamp_seconds", "issuer" => issuer.to_owned(), "scope" => kind.name()),
            ),
            entries: KINDS
                .map(|kind| gauge!("noonmark_crl_entries", "issuer" => issuer.to_owned(), "scope" => kind.name())),
            fetched: gauge!("noonmark_crl_fetched_timestamp_seconds", "issuer" => issuer.to_owned()),
            succeeded: fetches("succeeded"),
            failed: fetches("failed"),
        }
    }

    pub(super) fn count(&self, succeeded: bool) {
        if succeeded { self.succeeded.increment(1) } else { self.failed.increment(1) }
    }

    pub(super) fn set(&self, held: &Held, fetched_at_s: Option<i64>) {
        for (kind, (next_update, entries)) in KINDS.iter().zip(self.next_update.iter().zip(&self.entries)) {
            let crl = held.of(*kind).map(|verified| &verified.crl);
            let next_update_s = crl.and_then(|crl| crl.header.next_update).map_or(0, |time| time.seconds);
            next_update.set(figure(next_update_s));
            entries.set(crl.map_or(0.0, |crl| u32::try_from(crl.entries).map_or(f64::MAX, f64::from)));
        }
        self.fetched.set(figure(fetched_at_s.unwrap_or(0)));
    }

    /// Gauges can't be taken back: an issuer that is served no more shows zeros.
    pub(super) fn clear(&self) {
        for gauge in self.next_update.iter().chain(&self.entries).chain([&self.fetched]) {
            gauge.set(0.0);
        }
    }
}

/// Seconds since 1970 for a gauge; 32 bits carry them to the year 2106.
fn figure(seconds: i64) -> f64 {
    u32::try_from(seconds.max(0)).map_or(f64::MAX, f64::from)
}
