//! Group commit.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use noonmark::ledger::{Completion, Lane, Ledger, LedgerError, LedgerSettings, Record, verify};

use noonmark::store::{Store, StoreOptions};

use super::{event, start, tell};
use crate::store::{Backend, SEGMENT, token};

const THREADS: u64 = 16;
const EACH: u64 = 150;

pub fn many_threads(backend: &Backend) {
    let store = backend.store();
    let ledger = start(&store);
    let calls: Arc<Vec<AtomicU32>> = Arc::new((0..THREADS * EACH).map(|_| AtomicU32::new(0)).collect());
    let numbers = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (ledger, calls, numbers) = (&ledger, &calls, &numbers);
            scope.spawn(move || {
                for n in thread * EACH..(thread + 1) * EACH {
                    let (calls, numbers) = (Arc::clone(calls), Arc::clone(numbers));
                    let done: Completion = Box::new(move |result| {
                        calls[usize::try_from(n).unwrap()].fetch_add(1, Ordering::Relaxed);
                        numbers.lock().unwrap().push((result.unwrap().number, n));
                    });
                    let lane = if n % 3 == 0 { Lane::Bulk } else { Lane::Interactive };
                    let record = if n % 10 == 0 { Record::Event(event(n)) } else { Record::Token(token(n)) };
                    ledger.submit(lane, record, done).unwrap();
                }
            });
        }
    });
    ledger.stop();
    assert!(calls.iter().all(|calls| calls.load(Ordering::Relaxed) == 1), "each is told once");
    let mut numbers = std::mem::take(&mut *numbers.lock().unwrap());
    numbers.sort_unstable();
    let total = i64::try_from(THREADS * EACH).unwrap();
    assert!(numbers.iter().map(|(number, _)| *number).eq(1..=total), "dense from 1");
    // The number that was told is the record's.
    let rows = store.ledger_rows(ledger.health().server_id, 0, 10_000).unwrap();
    for ((_, n), row) in numbers.iter().zip(&rows) {
        match &row.token {
            Some(recorded) => assert_eq!(*recorded, token(*n)),
            None => assert_eq!(row.detail, Some(event(*n).detail.to_string())),
        }
    }
    let report = verify(&store, |_, _| {}).unwrap();
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.chains[0].records, total);
}

pub fn stop(backend: &Backend) {
    let store = backend.store();
    let ledger = start(&store);
    let (sender, receiver) = channel();
    for n in 0..2_000 {
        ledger.submit(Lane::Bulk, Record::Token(token(n)), tell(&sender)).unwrap();
    }
    ledger.stop();
    drop(sender);
    let told: Vec<_> = receiver.iter().collect();
    assert_eq!(told.len(), 2_000);
    assert!(told.iter().all(Result::is_ok));
    assert_eq!(backend.count("SELECT count(*) FROM ledger"), 2_000);
    let refused = ledger.submit(Lane::Interactive, Record::Event(event(1)), Box::new(|_| panic!("never called")));
    assert_eq!(refused, Err(LedgerError::Stopped));
    assert!(!ledger.is_up());
    ledger.stop();
    drop(ledger);
    assert!(!store.lease_server("serve").unwrap().after_crash(), "the lease was given back");
}

pub fn after_crash(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let id = lease.server_id();
    // Neither released nor stopped.
    drop(lease);
    if !backend.is_sqlite() {
        backend.sql("UPDATE servers SET lease_until = now() - interval '1 s'");
    }
    start(&store).stop();
    let rows = store.ledger_rows(id, 0, 10).unwrap();
    assert_eq!(rows.iter().map(|row| &*row.kind).collect::<Vec<_>>(), ["ended-without-stopping"]);
    start(&store).stop();
    assert_eq!(store.ledger_rows(id, 0, 10).unwrap().len(), 1, "after a good end there is nothing to tell");
}

pub fn full(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let settings = LedgerSettings { queue_length: 5, bulk_queue_length: 3 };
    let ledger = Ledger::start(store, lease, settings).unwrap();
    // A completion that does not return keeps the ledger's thread, so that nothing is taken off the queue.
    let (let_go, held) = channel::<()>();
    let (began, begun) = channel();
    let holding: Completion = Box::new(move |_| {
        began.send(()).unwrap();
        held.recv().unwrap();
    });
    ledger.submit(Lane::Interactive, Record::Event(event(0)), holding).unwrap();
    begun.recv().unwrap();
    let (sender, receiver) = channel();
    for (lane, room) in [(Lane::Interactive, 5), (Lane::Bulk, 3)] {
        for n in 0..room {
            ledger.submit(lane, Record::Event(event(n)), tell(&sender)).unwrap();
        }
        let refused = ledger.submit(lane, Record::Event(event(9)), Box::new(|_| panic!("never called")));
        assert_eq!(refused, Err(LedgerError::Full), "{lane:?}");
    }
    assert_eq!(ledger.health().waiting, 8);
    let_go.send(()).unwrap();
    assert!((0..8).all(|_| receiver.recv().unwrap().is_ok()));
    ledger.record_event(event(10)).unwrap();
}

pub fn panicking(backend: &Backend) {
    let ledger = start(&backend.store());
    let (sender, receiver) = channel();
    for n in 0..30 {
        let done = if n % 10 == 3 { Box::new(|_| panic!("as the test wants")) } else { tell(&sender) };
        ledger.submit(Lane::Interactive, Record::Event(event(n)), done).unwrap();
    }
    ledger.record_event(event(99)).unwrap();
    assert_eq!(receiver.try_iter().filter(Result::is_ok).count(), 27);
    assert!(ledger.is_up());
}

/// A steady load of several log lengths: the log begins again and again, and never grows far above its bound. (The
/// file is written over and not cut, so its size tells nothing else; without a restart it would pass the limit.)
pub fn write_ahead_log(backend: &Backend) {
    const ROWS: u64 = 60_000;
    const LIMIT_BYTES: u64 = 64 << 20;
    drop(backend.store());
    // Segments as they are in earnest: the contract's tiny ones would be indexed all the time.
    let store = Arc::new(Store::open(&backend.url, &StoreOptions::default()).unwrap());
    let ledger = start(&store);
    let log = backend.directory().join("noonmark.db-wal");
    let size = || std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
    let (sender, receiver) = channel();
    // A window of 64 in flight, as 64 connections make it; kept tokens make the rows large.
    let mut most = 0;
    for n in 0..ROWS {
        let mut record = token(n);
        record.token = Some(vec![0x5a; 2_000]);
        ledger.submit(Lane::Interactive, Record::Token(record), tell(&sender)).unwrap();
        if n >= 64 {
            receiver.recv().unwrap().unwrap();
        }
        if n % 100 == 0 {
            let now = size();
            assert!(now < LIMIT_BYTES, "the log has {now} octets after {n} records");
            most = most.max(now);
        }
    }
    assert!(most > 8 << 20, "the load was too small to tell: {most} octets");
    ledger.stop();
    drop(ledger);
    drop(store);
    assert_eq!(size(), 0, "the last one to close leaves no log");
}

pub fn indexed(backend: &Backend) {
    // A chain that another process left unindexed, and the ledger's own.
    let store = backend.store();
    let other = store.lease_server("operator").unwrap();
    let operator = Ledger::start(Arc::clone(&store), other, LedgerSettings::default()).unwrap();
    let fill = |ledger: &Ledger, first: u64| {
        let (sender, receiver) = channel();
        let count = u64::try_from(SEGMENT).unwrap() * 3;
        for n in first..first + count {
            ledger.submit(Lane::Bulk, Record::Token(token(n)), tell(&sender)).unwrap();
        }
        assert!((0..count).all(|_| receiver.recv().unwrap().is_ok()));
    };
    fill(&operator, 0);
    operator.stop();
    backend.sql("DELETE FROM imprint_segments");
    let ledger = start(&store);
    fill(&ledger, 1_000);
    let deadline = Instant::now() + Duration::from_secs(10);
    while backend.count("SELECT count(*) FROM imprint_segments") < 6 {
        assert!(Instant::now() < deadline, "closed segments stay unindexed");
        std::thread::sleep(Duration::from_millis(50));
    }
    for n in [0, 17, 47, 1_000, 1_047] {
        assert_eq!(store.tokens_by_imprint(&token(n).imprint).unwrap().len(), 1, "token {n}");
    }
}
