//! What is appended, all or nothing, and how it is read again.

use std::sync::Barrier;

use noonmark::store::{AppendError, ChainEnd, LedgerRow, StoreError};

use super::backend::{Backend, Kind, row, token};
use super::leases::EMPTY;

fn end(number: i64) -> ChainEnd {
    ChainEnd { number, hash: [u8::try_from(number % 251).unwrap(); 32] }
}

pub fn append(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let id = lease.server_id();
    let mut writer = store.ledger_writer(&lease).unwrap();
    assert_eq!(writer.chain_end().unwrap(), EMPTY);
    writer.append(EMPTY, &[row(id, 1, token(1)), row(id, 2, token(2))], end(2)).unwrap();
    writer.append(end(2), &[row(id, 3, token(3))], end(3)).unwrap();
    assert_eq!(writer.chain_end().unwrap(), end(3));
    // Another process sees it, also after this one let go.
    writer.release().unwrap();
    let other = backend.open();
    assert_eq!(other.servers().unwrap()[0].end, end(3));
    assert_eq!(other.ledger_rows(id, 0, 10).unwrap().len(), 3);
    assert_eq!(other.chains().unwrap(), [id]);
}

pub fn refusals(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let id = lease.server_id();
    let mut writer = store.ledger_writer(&lease).unwrap();
    writer.append(EMPTY, &[row(id, 1, token(1))], end(1)).unwrap();
    let wrong = [EMPTY, ChainEnd { number: 1, hash: [9; 32] }, ChainEnd { number: 2, hash: end(1).hash }];
    for before in wrong {
        let appended = writer.append(before, &[row(id, 2, token(2))], end(2));
        assert!(matches!(appended, Err(AppendError::LeaseLost)), "{before:?}: {appended:?}");
    }
    assert_eq!(backend.count("SELECT count(*) FROM ledger"), 1);
    assert_eq!(writer.chain_end().unwrap(), end(1));
    writer.append(end(1), &[row(id, 2, token(2))], end(2)).unwrap();
}

pub fn columns(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let id = lease.server_id();
    let event = LedgerRow {
        kind: "profile-changed".into(),
        detail: Some("{\"an\":\"äöü ☃\",\"n\":1}".to_owned()),
        token: None,
        ..row(id, 1, token(1))
    };
    let kept = {
        let mut token = token(2);
        token.token = Some((0..=255).cycle().take(4_000).collect());
        row(id, 2, token)
    };
    let sha512 = {
        let mut token = token(3);
        token.imprint = vec![0xfe; 64];
        token.hash_algorithm = "sha512".into();
        token.caller = "".into();
        token.gen_time_us = -1;
        row(id, 3, token)
    };
    let rows = [event, kept, sha512];
    let mut writer = store.ledger_writer(&lease).unwrap();
    writer.append(EMPTY, &rows, end(3)).unwrap();
    assert_eq!(store.ledger_rows(id, 0, 10).unwrap(), rows);
    for row in &rows[1..] {
        assert_eq!(store.token_by_serial(&row.token.as_ref().unwrap().serial).unwrap().as_ref(), Some(row));
    }
    assert_eq!(store.token_by_serial(&[3; 17]).unwrap(), None);
}

pub fn serials(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let id = lease.server_id();
    let mut writer = store.ledger_writer(&lease).unwrap();
    writer.append(EMPTY, &[row(id, 1, token(1))], end(1)).unwrap();
    let group = [row(id, 2, token(2)), row(id, 3, token(1)), row(id, 4, token(4))];
    assert!(matches!(writer.append(end(1), &group, end(4)), Err(AppendError::Refused(_))));
    assert_eq!(backend.count("SELECT count(*) FROM ledger"), 1, "nothing of the group stands");
    assert_eq!(writer.chain_end().unwrap(), end(1));
    writer.append(end(1), &group[..1], end(2)).unwrap();
}

pub fn paging(backend: &Backend) {
    let store = backend.store();
    let numbers = |rows: Vec<LedgerRow>| rows.iter().map(|row| row.number).collect::<Vec<_>>();
    let mut ids = Vec::new();
    for (purpose, first) in [("operator", 0), ("serve", 100), ("third", 200)] {
        let lease = store.lease_server(purpose).unwrap();
        let id = lease.server_id();
        let rows: Vec<LedgerRow> = (1..=10).map(|n| row(id, n, token(first + u64::try_from(n).unwrap()))).collect();
        store.ledger_writer(&lease).unwrap().append(EMPTY, &rows, end(10)).unwrap();
        ids.push(id);
    }
    assert_eq!(store.chains().unwrap(), ids);
    // The one between two others: neither may leak into it.
    let id = ids[1];
    assert_eq!(numbers(store.ledger_rows(id, 0, 4).unwrap()), [1, 2, 3, 4]);
    assert_eq!(numbers(store.ledger_rows(id, 4, 4).unwrap()), [5, 6, 7, 8]);
    assert_eq!(numbers(store.ledger_rows(id, 8, 4).unwrap()), [9, 10]);
    assert_eq!(store.ledger_rows(id, 10, 4).unwrap(), []);
    assert_eq!(store.ledger_rows(id, i64::MAX >> 20, 4).unwrap(), []);
    assert_eq!(numbers(store.ledger_rows(id, i64::MIN, 2).unwrap()), [1, 2]);
    assert_eq!(store.ledger_rows(77, 0, 4).unwrap(), []);
}

pub fn race(backend: &Backend) {
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let id = lease.server_id();
    let barrier = Barrier::new(2);
    for n in 0..20 {
        let before = if n == 0 { EMPTY } else { end(n) };
        let attempt = |serial: u64| {
            let mut writer = store.ledger_writer(&lease).unwrap();
            barrier.wait();
            writer.append(before, &[row(id, n + 1, token(serial))], end(n + 1))
        };
        let serial = 2 * u64::try_from(n).unwrap();
        let results = std::thread::scope(|scope| {
            let one = scope.spawn(|| attempt(serial));
            let other = scope.spawn(|| attempt(serial + 1));
            [one.join().unwrap(), other.join().unwrap()]
        });
        let won = results.iter().filter(|result| result.is_ok()).count();
        let lost = results.iter().filter(|result| matches!(result, Err(AppendError::LeaseLost))).count();
        assert_eq!((won, lost), (1, 1), "{results:?}");
    }
    assert_eq!(backend.count("SELECT count(*) FROM ledger"), 20);
}

pub fn ordered_times(backend: &Backend) {
    let store = backend.store();
    let mut times = store.ordered_times();
    let mut take = |profile: &str, now, count| times.take(profile, now, count).unwrap();
    assert_eq!(take("a", 1_000, 3), 1_000, "the clock's time at first; 1000, 1001, 1002");
    assert_eq!(take("a", 1_000, 1), 1_003);
    assert_eq!(take("a", 500, 2), 1_004, "never back");
    assert_eq!(take("a", 1_006, 1), 1_006);
    assert_eq!(take("a", 2_000, 1), 2_000);
    assert_eq!(take("b", 10, 1), 10, "profiles do not share");

    let taken: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                // Each like a server of its own.
                let mut times = backend.open().ordered_times();
                scope.spawn(move || {
                    let mut last = 0;
                    let mut taken = Vec::new();
                    for _ in 0..40 {
                        let first = times.take("race", 5_000, 5).unwrap();
                        assert!(first > last);
                        last = first + 4;
                        taken.extend(first..=last);
                    }
                    taken
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = taken;
    sorted.sort_unstable();
    assert_eq!(sorted, (5_000..5_400).collect::<Vec<i64>>(), "disjoint, and none left out");
}

/// A restored backup moved over a database in use must not swallow what is recorded next.
pub fn replaced_file() {
    let backend = Backend::fresh(Kind::Sqlite);
    let store = backend.store();
    let lease = store.lease_server("serve").unwrap();
    let id = lease.server_id();
    let mut writer = store.ledger_writer(&lease).unwrap();
    writer.append(EMPTY, &[row(id, 1, token(1))], end(1)).unwrap();
    let (file, aside) = (backend.file(), backend.directory().join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    for _ in 0..2 {
        let appended = writer.append(end(1), &[row(id, 2, token(2))], end(2));
        assert!(matches!(appended, Err(AppendError::Refused(_))), "{appended:?}");
        assert!(writer.renew().is_err());
        assert!(store.ping().is_err());
        // Then with a copy in its place.
        std::fs::copy(&aside, &file).unwrap();
    }
    assert!(matches!(writer.renew(), Err(StoreError::Replaced { .. })));
    std::fs::rename(&aside, &file).unwrap();
    writer.append(end(1), &[row(id, 2, token(2))], end(2)).unwrap();
}
