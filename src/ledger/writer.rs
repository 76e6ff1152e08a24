//! The ledger's thread: chains a group, commits it, releases it.

use std::borrow::Cow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::queue::{Completion, Next, Queue, Recorded, Waiting};
use super::{LedgerError, Record, canonical};
use crate::store::{AppendError, ChainEnd, LedgerRow, LedgerWriter, ServerLease, Store, StoreError};

/// Without traffic: how often the lease is renewed and the store's health looked at. A lease lasts 30 s.
const IDLE: Duration = Duration::from_secs(5);
/// While the store is away: how often it is tried.
const PROBE: Duration = Duration::from_millis(500);
/// How often closed segments are looked for.
const INDEX_INTERVAL: Duration = Duration::from_secs(2);

struct Measures {
    rows: Counter,
    groups: Counter,
    refused: Counter,
    group_rows: Histogram,
    commit_seconds: Histogram,
    up: Gauge,
}

impl Measures {
    fn new() -> Self {
        describe_counter!("noonmark_ledger_rows_total", "Records committed");
        describe_counter!("noonmark_ledger_groups_total", "Commits");
        describe_counter!("noonmark_ledger_refused_total", "Records refused because their commit failed or is unknown");
        describe_histogram!("noonmark_ledger_group_rows", "Records in one commit");
        describe_histogram!("noonmark_ledger_commit_seconds", "Time of one commit");
        describe_gauge!("noonmark_ledger_queue_length", "Records that wait for the next commit");
        describe_gauge!("noonmark_ledger_up", "1 while records are taken, else 0");
        describe_gauge!("noonmark_store_wal_bytes", "Size of SQLite's write-ahead log");
        Self {
            rows: counter!("noonmark_ledger_rows_total"),
            groups: counter!("noonmark_ledger_groups_total"),
            refused: counter!("noonmark_ledger_refused_total"),
            group_rows: histogram!("noonmark_ledger_group_rows"),
            commit_seconds: histogram!("noonmark_ledger_commit_seconds"),
            up: gauge!("noonmark_ledger_up"),
        }
    }
}

pub(super) fn start(
    store: Arc<Store>,
    lease: ServerLease,
    queue: Arc<Queue>,
) -> Result<Vec<JoinHandle<()>>, LedgerError> {
    let mut writer = store.ledger_writer(&lease)?;
    let end = writer.chain_end()?;
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|error| LedgerError::Store { reason: format!("starting the {name} thread: {error}") })
    };
    let (index_store, index_queue) = (Arc::clone(&store), Arc::clone(&queue));
    let indexer = spawn("imprint-index", Box::new(move || index(&index_store, &index_queue)))?;
    let mut committer = Committer { store, lease, writer, end, queue, measures: Measures::new(), rows: Vec::new() };
    let ledger = spawn(
        "ledger",
        Box::new(move || {
            let _last_words = LastWords(Arc::clone(&committer.queue));
            committer.run();
        }),
    )?;
    Ok(vec![ledger, indexer])
}

/// Refuses what waits and what comes when the ledger's thread ends, however it ends: nobody may wait for ever.
struct LastWords(Arc<Queue>);

impl Drop for LastWords {
    fn drop(&mut self) {
        let reason = "the ledger's thread has ended".to_owned();
        let refusal = LedgerError::Down { reason: reason.clone() };
        for waiting in self.0.set_down(reason) {
            release(waiting.done, Err(refusal.clone()));
        }
    }
}

/// Calls a completion; one that panics takes no other record's answer with it.
fn release(done: Completion, result: Result<Recorded, LedgerError>) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| done(result))).is_err() {
        tracing::error!("a record's completion panicked; its answer is lost, the record's fate is not");
    }
}

struct Committer {
    store: Arc<Store>,
    lease: ServerLease,
    writer: LedgerWriter,
    end: ChainEnd,
    queue: Arc<Queue>,
    measures: Measures,
    rows: Vec<LedgerRow>,
}

impl Committer {
    fn run(&mut self) {
        self.measures.up.set(1.0);
        loop {
            match self.queue.next(IDLE) {
                Next::Group(group) => self.commit_in_parts(group),
                Next::Idle => match self.writer.renew() {
                    Ok(true) => {}
                    Ok(false) => self.recover("the lease was taken over".to_owned()),
                    Err(error) => self.recover(error.to_string()),
                },
                Next::Closed => break,
            }
        }
        if let Err(error) = self.writer.release() {
            tracing::warn!(%error, "the server's lease could not be given back; it runs out by itself");
        }
    }

    /// A change goes alone, since its condition may not be met and then only its own record falls away; they are rare.
    fn commit_in_parts(&mut self, group: Vec<Waiting>) {
        if group.iter().all(|waiting| !matches!(waiting.record, Record::Change(..))) {
            return self.commit(group);
        }
        let mut part = Vec::new();
        for waiting in group {
            if matches!(waiting.record, Record::Change(..)) {
                if !part.is_empty() {
                    self.commit(std::mem::take(&mut part));
                }
                self.commit(vec![waiting]);
            } else {
                part.push(waiting);
            }
        }
        if !part.is_empty() {
            self.commit(part);
        }
    }

    fn commit(&mut self, group: Vec<Waiting>) {
        let recorded_at_us = now_us();
        let server_id = self.lease.server_id();
        let mut end = self.end;
        let mut change = None;
        let mut completions = Vec::with_capacity(group.len());
        self.rows.clear();
        for Waiting { record, done } in group {
            let (kind, detail, token) = match record {
                Record::Token(token) => (Cow::Borrowed("token"), None, Some(token)),
                Record::Event(event) => (Cow::Owned(event.kind), Some(event.detail.to_string()), None),
                Record::Change(event, its_change) => {
                    change = Some(its_change);
                    (Cow::Owned(event.kind), Some(event.detail.to_string()), None)
                }
            };
            let row = LedgerRow {
                server_id,
                number: end.number + 1,
                kind,
                recorded_at_us,
                previous_hash: end.hash,
                detail,
                token,
            };
            end = ChainEnd { number: row.number, hash: canonical::hash(&row) };
            self.rows.push(row);
            completions.push(done);
        }
        let began = Instant::now();
        let appended = match (&change, self.rows.as_slice()) {
            (Some(change), [row]) => self.writer.append_with(self.end, row, end, change),
            _ => self.writer.append(self.end, &self.rows, end).map(|()| 0),
        };
        self.measures.commit_seconds.record(began.elapsed());
        match appended {
            Ok(certificates_written) => {
                let numbers = self.end.number + 1..;
                self.end = end;
                let count = u32::try_from(completions.len()).unwrap_or(u32::MAX);
                self.measures.rows.increment(u64::from(count));
                self.measures.groups.increment(1);
                self.measures.group_rows.record(f64::from(count));
                for (number, done) in numbers.zip(completions) {
                    release(done, Ok(Recorded { number, certificates_written }));
                }
            }
            // Only its own condition was not met: the chain is as it was.
            Err(AppendError::Conflict { reason }) => {
                let refusal = LedgerError::Conflict { reason };
                completions.into_iter().for_each(|done| release(done, Err(refusal.clone())));
            }
            Err(error) => {
                let reason = error.to_string();
                self.measures.refused.increment(u64::try_from(completions.len()).unwrap_or(u64::MAX));
                tracing::error!(records = completions.len(), %reason, "a group of records was not committed; its answers are refused");
                let refusal = LedgerError::NotCommitted { reason: reason.clone() };
                // Down first: who hears of this refusal must not be told that the ledger is up.
                let waiting = self.queue.set_down(reason.clone());
                completions.into_iter().for_each(|done| release(done, Err(refusal.clone())));
                let refusal = LedgerError::Down { reason: reason.clone() };
                waiting.into_iter().for_each(|waiting| release(waiting.done, Err(refusal.clone())));
                // A lease that is lost means another process writes this chain: this one takes a new lease.
                let lost = matches!(error, AppendError::LeaseLost);
                self.recover_with(reason, lost);
            }
        }
    }

    fn recover(&mut self, reason: String) {
        self.recover_with(reason, false);
    }

    /// Refuses everything until the store writes again and the chain's end was read from it.
    fn recover_with(&mut self, mut reason: String, mut lease_lost: bool) {
        self.measures.up.set(0.0);
        tracing::error!(%reason, "the ledger is down: nothing is signed until it writes again");
        loop {
            let refusal = LedgerError::Down { reason: reason.clone() };
            for waiting in self.queue.set_down(reason.clone()) {
                release(waiting.done, Err(refusal.clone()));
            }
            match self.try_again(&mut lease_lost) {
                Ok(true) => break,
                Ok(false) => lease_lost = true,
                Err(error) => reason = error,
            }
            if self.queue.is_closed_within(PROBE) {
                return;
            }
        }
        self.queue.set_up();
        self.measures.up.set(1.0);
        tracing::info!(server = self.lease.server_id(), number = self.end.number, "the ledger writes again");
    }

    /// Whether the store writes again; false if the lease has to be taken anew.
    fn try_again(&mut self, lease_lost: &mut bool) -> Result<bool, String> {
        let say = |error: StoreError| error.to_string();
        if *lease_lost {
            let lease = self.store.lease_anew(&self.lease).map_err(say)?;
            self.writer = self.store.ledger_writer(&lease).map_err(say)?;
            self.lease = lease;
            // One new row is enough, though what follows may fail and be tried again.
            *lease_lost = false;
            self.queue.set_server_id(self.lease.server_id());
            tracing::warn!(server = self.lease.server_id(), "a new server id was leased: a new chain begins");
        }
        self.end = self.writer.chain_end().map_err(say)?;
        self.writer.renew().map_err(say)
    }
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Indexes closed segments of every chain, also of those that nobody writes to any more, away from the commits.
fn index(store: &Store, queue: &Queue) {
    while !queue.is_closed_within(INDEX_INTERVAL) {
        if !queue.is_up() {
            continue;
        }
        if let Err(error) = index_all(store, queue) {
            tracing::warn!(%error, "a segment could not be indexed; searches scan it meanwhile");
        }
    }
}

fn index_all(store: &Store, queue: &Queue) -> Result<(), StoreError> {
    for server in store.servers()? {
        while !queue.is_closed_within(Duration::ZERO) && store.index_next_segment(server.server_id)? {}
    }
    Ok(())
}
