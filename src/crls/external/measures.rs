//! Figures of others' CRLs for `/metrics`, beside those of Noonmark's own: `scope` tells them apart.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::held::{Held, Kind};

/// Those of one issuer.
pub(super) struct Measures {
    issuer: String,
    fetched: Gauge,
    succeeded: Counter,
    failed: Counter,
}

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
        let fetches = |outcome: &'static str| {
            let labels = [("issuer", issuer.to_owned()), ("outcome", outcome.to_owned())];
            counter!("noonmark_crl_fetches_total", &labels)
        };
        Self {
            issuer: issuer.to_owned(),
            fetched: gauge!("noonmark_crl_fetched_timestamp_seconds", "issuer" => issuer.to_owned()),
            succeeded: fetches("succeeded"),
            failed: fetches("failed"),
        }
    }

    pub(super) fn count(&self, succeeded: bool) {
        if succeeded { self.succeeded.increment(1) } else { self.failed.increment(1) }
    }

    /// A kind that is not held shows nothing, so that no alarm goes off for a delta that nobody wants.
    pub(super) fn set(&self, before: &Held, held: &Held, fetched_at_s: Option<i64>) {
        for kind in [Kind::Complete, Kind::Delta] {
            match held.of(kind).map(|verified| &verified.crl) {
                Some(crl) => {
                    let next_update = crl.header.next_update.map_or(0.0, |time| figure(time.seconds));
                    self.show(kind, next_update, u32::try_from(crl.entries).map_or(f64::MAX, f64::from));
                }
                None if before.of(kind).is_some() => self.show(kind, f64::NAN, f64::NAN),
                None => {}
            }
        }
        if let Some(fetched_at_s) = fetched_at_s {
            self.fetched.set(figure(fetched_at_s));
        }
    }

    /// Of an issuer that is served no more. Gauges can't be taken back: they show no number.
    pub(super) fn clear(&self, held: &Held) {
        for kind in [Kind::Complete, Kind::Delta] {
            if held.of(kind).is_some() {
                self.show(kind, f64::NAN, f64::NAN);
            }
        }
        self.fetched.set(f64::NAN);
    }

    fn show(&self, kind: Kind, next_update: f64, entries: f64) {
        let labels = [("issuer", self.issuer.clone()), ("scope", kind.name().to_owned())];
        gauge!("noonmark_crl_next_update_timestamp_seconds", &labels).set(next_update);
        gauge!("noonmark_crl_entries", &labels).set(entries);
    }
}

/// Seconds since 1970 for a gauge; 32 bits carry them to the year 2106.
fn figure(seconds: i64) -> f64 {
    u32::try_from(seconds.max(0)).map_or(f64::MAX, f64::from)
}
