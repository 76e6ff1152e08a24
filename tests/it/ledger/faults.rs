//! A store that fails in mid-life, and a chain that two want to write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use noonmark::ledger::{Lane, Ledger, LedgerError, LedgerSettings, Record, verify};

use super::{event, start};
use crate::store::{Backend, token};

/// Longer than the writer waits for another process' lock.
const HOLD: Duration = Duration::from_secs(7);

fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not {what} within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn locked(backend: &Backend) {
    let store = backend.store();
    let ledger = start(&store);
    ledger.record_event(event(1)).unwrap();
    let other = rusqlite::Connection::open(backend.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let refused = ledger.record_event(event(2));
    assert!(matches!(refused, Err(LedgerError::NotCommitted { .. })), "{refused:?}");
    wait_until("down", Duration::from_secs(1), || !ledger.is_up());
    let refused = ledger.submit(Lane::Interactive, Record::Token(token(1)), Box::new(|_| panic!("never called")));
    assert!(matches!(refused, Err(LedgerError::Down { .. })), "{refused:?}");
    assert!(ledger.health().down.is_some());
    std::thread::sleep(HOLD.saturating_sub(began.elapsed()));
    assert!(!ledger.is_up());
    other.execute_batch("ROLLBACK").unwrap();
    wait_until("up again", Duration::from_secs(10), || ledger.is_up());
    assert_eq!(ledger.record_event(event(3)).unwrap().number, 2, "what was refused left no gap");
    assert_eq!(ledger.health().down, None);
    ledger.stop();
    let report = verify(&store, |_, _| {}).unwrap();
    assert!(report.is_intact(), "{report}");
}

/// Somebody moves the chain's end: the ledger never writes there again, and the old chain stays as evidence.
pub fn changed_row(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("operator").unwrap();
    let ledger = Ledger::start(Arc::clone(&store), lease, LedgerSettings::default()).unwrap();
    let old = ledger.health().server_id;
    for n in 0..3 {
        ledger.record_event(event(n)).unwrap();
    }
    backend.sql("UPDATE servers SET last_number = 2");
    assert!(matches!(ledger.record_event(event(9)), Err(LedgerError::NotCommitted { .. })));
    wait_until("up again", Duration::from_secs(5), || ledger.is_up());
    assert_eq!(ledger.record_event(event(10)).unwrap().number, 1);
    let new = ledger.health().server_id;
    assert_ne!(new, old);
    ledger.stop();
    let report = verify(&store, |_, _| {}).unwrap();
    let broken: Vec<bool> = report.chains.iter().map(|chain| chain.broken.is_some()).collect();
    assert_eq!(broken, [true, false], "{report}");
    assert!(store.servers().unwrap().iter().all(|server| server.name == "operator"));
}

pub fn two_ledgers(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let id = lease.server_id();
    let new = || Ledger::start(Arc::clone(&store), lease.clone(), LedgerSettings::default()).unwrap();
    let (one, other) = (new(), new());
    assert_eq!(one.record_event(event(1)).unwrap().number, 1);
    // The other believes that the chain is still empty.
    assert!(matches!(other.record_event(event(2)), Err(LedgerError::NotCommitted { .. })));
    assert_eq!(one.record_event(event(3)).unwrap().number, 2, "the first goes on");
    wait_until("up again", Duration::from_secs(5), || other.is_up());
    assert_eq!(other.record_event(event(4)).unwrap().number, 1, "the other has a chain of its own");
    assert_eq!(one.health().server_id, id);
    assert_ne!(other.health().server_id, id);
    assert_eq!(one.record_event(event(5)).unwrap().number, 3);
    one.stop();
    other.stop();
    let report = verify(&store, |_, _| {}).unwrap();
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.chains.iter().map(|chain| chain.records).collect::<Vec<_>>(), [3, 1]);
}

/// A backup by another process holds the log for as long as it reads: commits go on, and the log is brought down after it.
pub fn long_reader(backend: &Backend) {
    let store = backend.store();
    let ledger = start(&store);
    ledger.record_event(event(0)).unwrap();
    let reader = rusqlite::Connection::open(backend.file()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM ledger").unwrap();
    let log = backend.directory().join("noonmark.db-wal");
    let size = || std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
    let mut n = 0;
    let mut slowest = Duration::ZERO;
    let mut write = || {
        let (sender, receiver) = std::sync::mpsc::channel();
        let began = Instant::now();
        for _ in 0..100 {
            n += 1;
            let mut record = token(n);
            record.token = Some(vec![0x5a; 3_000]);
            ledger.submit(Lane::Interactive, Record::Token(record), super::tell(&sender)).unwrap();
        }
        assert!((0..100).all(|_| receiver.recv().unwrap().is_ok()));
        slowest = slowest.max(began.elapsed());
    };
    while size() < 80 << 20 {
        write();
    }
    reader.execute_batch("COMMIT").unwrap();
    wait_until("brought down", Duration::from_secs(10), || {
        write();
        size() < 48 << 20
    });
    assert!(slowest < Duration::from_secs(3), "a reader held a commit up for {slowest:?}");
    assert!(ledger.is_up());
}
