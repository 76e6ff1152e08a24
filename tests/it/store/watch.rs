//! Hearing of changes made through another store.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use noonmark::store::{Change, ChangeWatch};

use super::backend::Backend;
use super::book::{Book, good, revoked};

const LONG: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(1);

/// Waits until nothing is heard for a while: what was there before counts once.
fn quiet(watch: &mut ChangeWatch) {
    let deadline = Instant::now() + LONG;
    loop {
        let started = Instant::now();
        watch.wait(Duration::from_millis(100)).unwrap();
        if started.elapsed() >= Duration::from_millis(100) {
            return;
        }
        assert!(Instant::now() < deadline, "it never gets quiet");
    }
}

/// How long after a change, made while `watch` waits, it wakes.
fn heard_after(watch: &mut ChangeWatch, change: impl FnOnce() + Send) -> Duration {
    std::thread::scope(|scope| {
        let (tell, changed) = channel();
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(150));
            change();
            tell.send(Instant::now()).unwrap();
        });
        watch.wait(LONG).unwrap();
        let woke = Instant::now();
        woke.saturating_duration_since(changed.recv().unwrap())
    })
}

pub fn wakes(backend: &Backend) {
    let (store, other) = (backend.store(), backend.open());
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, (0..9).map(|n| good(id, n)).collect()).unwrap();
    let mut watch = other.watch_changes().unwrap();
    quiet(&mut watch);
    let mut revoke = |n: u32| book.change(&Change::Status { before: 1, after: revoked(&good(id, n)) }).unwrap();
    for n in 0..2 {
        let after = heard_after(&mut watch, || {
            revoke(n);
        });
        assert!(after < SOON, "{after:?}");
        quiet(&mut watch);
    }
    // What came between two waits is not lost, and wakes once.
    revoke(2);
    revoke(3);
    let started = Instant::now();
    watch.wait(LONG).unwrap();
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    quiet(&mut watch);
    // Longer than the ping's interval, with nothing to be heard.
    let started = Instant::now();
    watch.wait(Duration::from_millis(1_300)).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(1_300));
}

/// The connection that listens is cut: the caller is told, and hears of what comes next.
pub fn cut(backend: &Backend) {
    let (store, other) = (backend.store(), backend.open());
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, (0..9).map(|n| good(id, n)).collect()).unwrap();
    let mut watch = other.watch_changes().unwrap();
    for n in 0..3 {
        // Also one that sent a ping since.
        watch.wait(Duration::from_millis(600)).unwrap();
        backend.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'noonmark' AND (query LIKE 'LISTEN%' OR query = '')",
        );
        let started = Instant::now();
        let lost = watch.wait(LONG);
        assert!(lost.is_err(), "a cut connection is told of");
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
        watch.wait(LONG).unwrap();
        assert!(started.elapsed() < SOON, "a new connection returns at once: {:?}", started.elapsed());
        quiet(&mut watch);
        let after = heard_after(&mut watch, || {
            book.change(&Change::Status { before: 1, after: revoked(&good(id, n)) }).unwrap();
        });
        assert!(after < SOON, "{after:?}");
    }
}
