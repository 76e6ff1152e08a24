//! Every way to change a chain behind its back, and what the proof says of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use noonmark::ledger::{Broken, Lane, Record, verify};
use noonmark::store::Store;

use super::{event, start, tell};
use crate::store::{Backend, token};

/// Twenty records: tokens, the seventh kept, and an event at 9.
fn fill(store: &Arc<Store>) -> i64 {
    let ledger = start(store);
    let (sender, receiver) = channel();
    for n in 1..=20 {
        let record = match n {
            9 => Record::Event(event(n)),
            7 => Record::Token({
                let mut token = token(n);
                let kept = vec![7; 900];
                let hash = noonmark::crypto::DigestAlgorithm::Sha256.digest(&kept);
                token.token_sha256 = hash.as_ref().try_into().unwrap();
                token.token = Some(kept);
                token
            }),
            _ => Record::Token(token(n)),
        };
        ledger.submit(Lane::Interactive, record, tell(&sender)).unwrap();
    }
    assert!((0..20).all(|_| receiver.recv().unwrap().is_ok()));
    ledger.stop();
    ledger.health().server_id
}

fn first_wrong(store: &Store) -> Option<Broken> {
    let report = verify(store, |_, _| {}).unwrap();
    let chain = &report.chains[0];
    assert_eq!(report.is_intact(), chain.broken.is_none());
    assert_eq!(report.to_string().contains("BROKEN"), chain.broken.is_some(), "{report}");
    chain.broken.clone()
}

pub fn named(backend: &Backend) {
    let store = backend.store();
    let id = fill(&store);
    assert_eq!(id, 1);
    assert_eq!(first_wrong(&store), None);
    backend.sql("CREATE TABLE ledger_before AS SELECT * FROM ledger");
    backend.sql("CREATE TABLE servers_before AS SELECT * FROM servers");
    // SQLite's row has one key, PostgreSQL's two columns; an octet string is written in their own ways.
    let sqlite = backend.is_sqlite();
    let at = |n: i64| if sqlite { format!("position = (1 << 44) + {n}") } else { format!("number = {n}") };
    let octets = |hex: &str| if sqlite { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") };
    let renumber = |from: i64, to: i64| {
        let set = if sqlite { format!("position = (1 << 44) + {to}") } else { format!("number = {to}") };
        format!("UPDATE ledger SET {set} WHERE {};", at(from))
    };
    let set = |n: i64, what: String| format!("UPDATE ledger SET {what} WHERE {}", at(n));
    let zeros = octets(&"00".repeat(32));
    let changed = |number| Some(Broken::Changed { number });

    let mut cases: Vec<(String, Option<Broken>)> = vec![
        (set(7, format!("token = {}", octets("00"))), Some(Broken::TokenChanged { number: 7 })),
        // The operator may let kept tokens go.
        (set(7, "token = NULL".to_owned()), None),
        (set(9, "detail = '{\"n\":10}'".to_owned()), changed(9)),
        (set(9, "kind = 'other'".to_owned()), changed(9)),
        (set(1, "recorded_at_us = 6".to_owned()), changed(1)),
        (set(20, "caller = 'somebody'".to_owned()), changed(20)),
        (set(1, format!("previous_hash = {}", octets(&"01".repeat(32)))), changed(1)),
        (set(12, format!("previous_hash = {zeros}")), changed(12)),
        (set(20, format!("previous_hash = {zeros}")), changed(20)),
        (format!("DELETE FROM ledger WHERE {}", at(1)), Some(Broken::Gap { number: 1 })),
        (format!("DELETE FROM ledger WHERE {}", at(11)), Some(Broken::Gap { number: 11 })),
        (format!("DELETE FROM ledger WHERE {} OR {}", at(20), at(19)), Some(Broken::CutOff { last: 18, expected: 20 })),
        ("DELETE FROM ledger".to_owned(), Some(Broken::CutOff { last: 0, expected: 20 })),
        ([renumber(5, 99), renumber(6, 5), renumber(99, 6)].concat(), changed(5)),
        ([renumber(5, 99), renumber(16, 5), renumber(99, 16)].concat(), changed(5)),
        (renumber(20, 21), Some(Broken::Gap { number: 20 })),
        (format!("UPDATE servers SET last_hash = {zeros}"), changed(20)),
        ("UPDATE servers SET last_number = 18".to_owned(), changed(18)),
        ("DELETE FROM servers".to_owned(), Some(Broken::NoServer)),
        (set(13, "key_name = NULL".to_owned()), Some(Broken::Unreadable { number: 13, column: "key_name" })),
        (
            set(13, format!("token_sha256 = {}", octets("00"))),
            Some(Broken::Unreadable { number: 13, column: "token_sha256" }),
        ),
    ];
    let changes = [
        format!("serial = {}", octets(&"05".repeat(17))),
        "gen_time_us = gen_time_us + 1".to_owned(),
        "profile = 'p'".to_owned(),
        "hash_algorithm = 'sha512'".to_owned(),
        format!("imprint = {zeros}"),
        "policy = '1.2'".to_owned(),
        "key_name = 'k'".to_owned(),
        "caller = 'c'".to_owned(),
        format!("token_sha256 = {zeros}"),
    ];
    cases.extend(changes.into_iter().map(|change| (set(15, change), changed(15))));
    // Beyond the end: a record that fits, and one that does not.
    let columns = "kind, recorded_at_us, previous_hash, detail";
    let key = |n: i64| {
        if sqlite { ("position", format!("(1 << 44) + {n}")) } else { ("server_id, number", format!("1, {n}")) }
    };
    for (number, hash) in [(21, "(SELECT last_hash FROM servers)".to_owned()), (21, zeros.clone()), (25, zeros.clone())]
    {
        let (names, values) = key(number);
        cases.push((
            format!("INSERT INTO ledger ({names}, {columns}) VALUES ({values}, 'x', 1, {hash}, '{{}}')"),
            Some(Broken::BeyondEnd { number }),
        ));
    }
    if !sqlite {
        let (names, values) = key(0);
        cases.push((
            format!("INSERT INTO ledger ({names}, {columns}) VALUES ({values}, 'x', 1, {zeros}, '{{}}')"),
            Some(Broken::BeforeFirst { number: 0 }),
        ));
    }

    let stored = "kind, recorded_at_us, previous_hash, detail, serial, gen_time_us, profile, hash_algorithm, imprint, \
                  policy, key_name, caller, token_sha256, token";
    let key = if sqlite { "position" } else { "server_id, number" };
    let restore = format!(
        "DELETE FROM ledger; INSERT INTO ledger ({key}, {stored}) SELECT {key}, {stored} FROM ledger_before; \
         DELETE FROM servers; INSERT INTO servers SELECT * FROM servers_before;"
    );
    for (change, expected) in cases {
        backend.sql(&change);
        assert_eq!(first_wrong(&store), expected, "after {change}");
        backend.sql(&restore);
    }
    assert_eq!(first_wrong(&store), None);
}

/// A proof that runs beside a server that writes must not take new records for wrong ones.
pub fn growing(backend: &Backend) {
    let store = backend.store();
    let ledger = start(&store);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let (sender, receiver) = channel();
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) && n < 20_000 {
                n += 1;
                ledger.submit(Lane::Interactive, Record::Token(token(n)), tell(&sender)).unwrap();
                if n >= 32 {
                    receiver.recv().unwrap().unwrap();
                }
            }
            receiver
        });
        for _ in 0..20 {
            let report = verify(&store, |_, _| {}).unwrap();
            assert!(report.is_intact(), "{report}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
        let receiver = writer.join().unwrap();
        ledger.stop();
        assert!(receiver.try_iter().all(|result| result.is_ok()));
    });
    assert!(verify(&store, |_, _| {}).unwrap().chains[0].records > 100, "too little was written to tell");
}
