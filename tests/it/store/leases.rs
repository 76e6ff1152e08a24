//! Migrations and leases.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use noonmark::store::{AppendError, ChainEnd, ServerLease, Store, StoreError, StoreOptions, StoreUrl};

use super::backend::{Backend, row, token};
use crate::support::postgres::Cluster;

pub const EMPTY: ChainEnd = ChainEnd { number: 0, hash: [0; 32] };

pub fn migrations(backend: &Backend) {
    let barrier = Barrier::new(3);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                // Each is a process of its own as far as the database can tell.
                let store = backend.open();
                barrier.wait();
                store.migrate().unwrap();
                store.ping().unwrap();
            });
        }
    });
    assert_eq!(backend.count("SELECT count(*) FROM refinery_schema_history"), 4, "each migration once");
    backend.store().ping().unwrap();
}

/// Another server's migration of a large table holds the lock: longer than the ten seconds that any other statement gets.
pub fn slow_migration(backend: &Backend) {
    std::thread::scope(|scope| {
        // "noonmark" in ASCII, as the store has it.
        scope.spawn(|| backend.sql("SELECT pg_advisory_lock(x'6e6f6f6e6d61726b'::bigint); SELECT pg_sleep(11)"));
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let began = Instant::now();
        while backend.count(held) == 0 {
            assert!(began.elapsed() < Duration::from_secs(10), "the lock is not taken");
            std::thread::sleep(Duration::from_millis(20));
        }
        let began = Instant::now();
        backend.open().migrate().unwrap();
        assert!(began.elapsed() > Duration::from_secs(9), "it did wait: {:?}", began.elapsed());
    });
    backend.open().ping().unwrap();
}

pub fn newer_schema(backend: &Backend) {
    let store = backend.store();
    backend.sql(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
         VALUES (99, 'later', '2030-01-01T00:00:00Z', '1')",
    );
    assert!(matches!(store.migrate(), Err(StoreError::Migration { .. })));
}

/// A lease that was just let go. A process that another test starts holds a copy of the lock's file between fork and
/// exec, so it may take a moment.
fn reacquire(store: &Store, purpose: &str) -> ServerLease {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match store.lease_server(purpose) {
            Err(StoreError::Locked { .. }) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            result => return result.unwrap(),
        }
    }
}

pub fn exclusive(backend: &Backend) {
    let (store, other) = (backend.store(), backend.open());
    let first = store.lease_server("serve").unwrap();
    assert!(!first.after_crash());
    if backend.is_sqlite() {
        for store in [&store, &other] {
            assert!(matches!(store.lease_server("serve"), Err(StoreError::Locked { .. })), "one process may serve");
        }
    } else {
        assert_ne!(other.lease_server("serve").unwrap().server_id(), first.server_id());
    }
    // Another purpose is another chain.
    assert_ne!(other.lease_server("operator").unwrap().server_id(), first.server_id());

    let server_id = first.server_id();
    store.ledger_writer(&first).unwrap().release().unwrap();
    drop(first);
    let again = reacquire(&other, "serve");
    assert_eq!(again.server_id(), server_id, "a released row is leased again");
    assert!(!again.after_crash());
}

pub fn after_crash(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let server_id = lease.server_id();
    // Not released: with SQLite the lock's file goes with the process, with PostgreSQL the lease runs out.
    drop(lease);
    if !backend.is_sqlite() {
        assert_ne!(store.lease_server("serve").unwrap().server_id(), server_id, "it has not run out yet");
        backend.sql(&format!("UPDATE servers SET lease_until = now() - interval '1 s' WHERE server_id = {server_id}"));
    }
    let again = reacquire(&store, "serve");
    assert_eq!((again.server_id(), again.after_crash()), (server_id, true));
}

pub fn anew(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("operator").unwrap();
    let mut writer = store.ledger_writer(&lease).unwrap();
    assert!(writer.renew().unwrap());
    let x = if backend.is_sqlite() { "x'00'" } else { "'x'" };
    backend.sql(&format!("UPDATE servers SET lease_id = {x}"));
    assert!(!writer.renew().unwrap(), "a lease taken over is noticed without traffic");
    let end = ChainEnd { number: 1, hash: [1; 32] };
    let rows = [row(lease.server_id(), 1, token(1))];
    assert!(matches!(writer.append(EMPTY, &rows, end), Err(AppendError::LeaseLost)));
    assert_eq!(backend.count("SELECT count(*) FROM ledger"), 0);
    writer.release().unwrap();
    let lost = writer;

    let new = store.lease_anew(&lease).unwrap();
    assert_ne!(new.server_id(), lease.server_id());
    let mut writer = store.ledger_writer(&new).unwrap();
    assert_eq!(writer.chain_end().unwrap(), EMPTY);
    assert!(writer.renew().unwrap());
    let name = store.servers().unwrap().into_iter().find(|server| server.server_id == new.server_id()).unwrap().name;
    assert_eq!(name, "operator", "a lease keeps its purpose");
    writer.release().unwrap();
    drop((lost, writer, new, lease));
    assert!(!reacquire(&store, "operator").after_crash());
}

pub fn not_durable() -> Result<(), Failed> {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let cluster = Cluster::start_with(&[&format!("{setting}=off")]);
        let url = StoreUrl::Postgres(cluster.url());
        let Err(error) = Store::open(&url, &StoreOptions::default()).map(Arc::new) else {
            return Err(format!("{setting}=off was taken").into());
        };
        assert!(error.to_string().contains(setting), "{error}");
    }
    Ok(())
}
