//! What a pool measures. Handles are looked up once, when the pool starts or a key comes.

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Describes the pool's metrics to the installed recorder. Call it once, after installing one.
pub fn describe_metrics() {
    describe_counter!("noonmark_signatures_total", "Signing jobs by token, key and outcome: ok, failed, timed_out");
    describe_histogram!(
        "noonmark_signature_seconds",
        metrics::Unit::Seconds,
        "Time that the token took for a signature, waiting in the queue not counted"
    );
    describe_counter!("noonmark_sign_refused_total", "Jobs not taken, by token, lane and reason: full, not_ready");
    describe_gauge!("noonmark_sign_queue_length", "Jobs waiting, by token and lane");
    describe_gauge!("noonmark_sign_threads", "Signing threads at work or waiting for work, by token");
    describe_gauge!("noonmark_sign_threads_lost", "Threads whose call into the module has not returned, by token");
    describe_gauge!("noonmark_token_up", "1 while the token serves, else 0");
    describe_counter!("noonmark_token_lost_total", "How often the token was lost");
    describe_counter!("noonmark_sign_completions_panicked_total", "Completions that panicked: defects");
}

/// A key's measures.
pub(super) struct KeyMeasures {
    pub(super) ok: Counter,
    pub(super) failed: Counter,
    pub(super) timed_out: Counter,
    pub(super) seconds: Histogram,
}

impl KeyMeasures {
    pub(super) fn new(token: &str, key: &str) -> Self {
        let outcome = |outcome: &'static str| {
            counter!("noonmark_signatures_total",
                "token" => token.to_owned(), "key" => key.to_owned(), "outcome" => outcome)
        };
        Self {
            ok: outcome("ok"),
            failed: outcome("failed"),
            timed_out: outcome("timed_out"),
            seconds: histogram!("noonmark_signature_seconds", "token" => token.to_owned(), "key" => key.to_owned()),
        }
    }
}

/// A lane's measures.
pub(super) struct LaneMeasures {
    pub(super) length: Gauge,
    pub(super) full: Counter,
    pub(super) not_ready: Counter,
}

impl LaneMeasures {
    fn new(token: &str, lane: &'static str) -> Self {
        let refused = |reason: &'static str| counter!("noonmark_sign_refused_total", "token" => token.to_owned(), "lane" => lane, "reason" => reason);
        Self {
            length: gauge!("noonmark_sign_queue_length", "token" => token.to_owned(), "lane" => lane),
            full: refused("full"),
            not_ready: refused("not_ready"),
        }
    }
}

/// A pool's measures.
pub(super) struct PoolMeasures {
    pub(super) interactive: LaneMeasures,
    pub(super) bulk: LaneMeasures,
    pub(super) threads: Gauge,
    pub(super) threads_lost: Gauge,
    pub(super) token_up: Gauge,
    pub(super) token_lost: Counter,
    pub(super) completions_panicked: Counter,
}

impl PoolMeasures {
    pub(super) fn new(token: &str) -> Self {
        Self {
            interactive: LaneMeasures::new(token, "interactive"),
            bulk: LaneMeasures::new(token, "bulk"),
            threads: gauge!("noonmark_sign_threads", "token" => token.to_owned()),
            threads_lost: gauge!("noonmark_sign_threads_lost", "token" => token.to_owned()),
            token_up: gauge!("noonmark_token_up", "token" => token.to_owned()),
            token_lost: counter!("noonmark_token_lost_total", "token" => token.to_owned()),
            completions_panicked: counter!("noonmark_sign_completions_panicked_total", "token" => token.to_owned()),
        }
    }
}
