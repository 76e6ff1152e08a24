//! Signed answers: bound to their status, never older over newer, and found again when they are due.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use noonmark::store::{
    AnswerRow, CertIdHash, CertificateState, Change, DueRow, RegistryRow, StatusAndAnswer, StoreError, StoreUrl,
};

use super::backend::Backend;
use super::book::{Book, Over, at, good, revoked, serial};

const VALID_AT: i64 = 1_800_000_000;

fn answer(issuer_id: i64, n: u32, change_number: i64, this_update_s: i64) -> AnswerRow {
    AnswerRow {
        issuer_id,
        serial: serial(n),
        responder_id: 1,
        hash: CertIdHash::Sha1,
        change_number,
        this_update_s,
        next_update_s: this_update_s + 3_600,
        form: 1,
        signature: format!("signature {n} {change_number} {this_update_s}").into_bytes(),
    }
}

pub fn bound_to_their_status(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, vec![good(id, 1), good(id, 2)]).unwrap();
    let read = |n: u32| store.status_and_answer(id, &serial(n), 1, CertIdHash::Sha1).unwrap();
    let unknown = StatusAndAnswer { issuer_change_number: 1, status: None, not_after_s: 0, answer: None };
    assert_eq!(read(9), unknown);
    let no_issuer = store.status_and_answer(99, &serial(1), 1, CertIdHash::Sha1);
    assert!(matches!(no_issuer, Err(StoreError::NoSuchIssuer { issuer_id: 99 })), "{no_issuer:?}");
    assert_eq!(store.put_answers(&[]).unwrap(), 0);

    // Of this batch: a good one, one to another status, one to a certificate that is not known.
    let first = answer(id, 1, 1, 100);
    let batch = [first.clone(), answer(id, 2, 7, 100), answer(id, 9, 1, 100)];
    assert_eq!(store.put_answers(&batch).unwrap(), 1);
    let status = Some(at(good(id, 1), 1).status);
    let with = |answer| StatusAndAnswer { issuer_change_number: 1, status, not_after_s: 1_900_000_000, answer };
    assert_eq!(read(1), with(Some(first.clone())));
    assert_eq!(read(2), with(None));
    // By another key or hash it is another answer.
    assert_eq!(store.status_and_answer(id, &serial(1), 1, CertIdHash::Sha256).unwrap(), with(None));
    assert_eq!(store.status_and_answer(id, &serial(1), 2, CertIdHash::Sha1).unwrap(), with(None));

    // Newer over older, never the reverse; of two in one batch the newer.
    assert_eq!(store.put_answers(&[answer(id, 1, 1, 300), answer(id, 1, 1, 200)]).unwrap(), 1);
    assert_eq!(read(1).answer, Some(answer(id, 1, 1, 300)));
    assert_eq!(store.put_answers(&[answer(id, 1, 1, 299)]).unwrap(), 0);
    let again = AnswerRow { form: 2, ..answer(id, 1, 1, 300) };
    assert_eq!(store.put_answers(std::slice::from_ref(&again)).unwrap(), 1);
    assert_eq!(read(1).answer, Some(again));

    // With the status the answer goes; one to the old status can't come back, a new one can, though it is older.
    book.change(&Change::Status { before: 1, after: revoked(&good(id, 1)) }).unwrap();
    let now = read(1);
    assert_eq!((now.issuer_change_number, now.answer), (2, None));
    assert_eq!(now.status, Some(at(revoked(&good(id, 1)), 2).status));
    assert_eq!(store.put_answers(&[answer(id, 1, 1, 900)]).unwrap(), 0);
    assert_eq!(store.put_answers(&[answer(id, 1, 2, 150), answer(id, 1, 1, 901)]).unwrap(), 1);
    assert_eq!(read(1).answer, Some(answer(id, 1, 2, 150)));
    assert_eq!(read(2).issuer_change_number, 2);
    assert_eq!(store.count_answers(id).unwrap(), 1);
    assert_eq!(store.count_answers(99).unwrap(), 0);

    let (one, two) = (store.responder_id(&[1; 32]).unwrap(), store.responder_id(&[2; 32]).unwrap());
    assert_ne!(one, two);
    assert_eq!(backend.open().responder_id(&[1; 32]).unwrap(), one);
    let stores = [backend.open(), backend.open()];
    let raced: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            stores.iter().map(|store| scope.spawn(move || store.responder_id(&[3; 32]).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(raced[0], raced[1]);
}

/// A change of status that is under way when an answer to the old one comes: the answer waits, and is left out.
pub fn wait_for_a_change(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, vec![good(id, 1), good(id, 2)]).unwrap();
    let change = format!("UPDATE registry SET change_number = 2 WHERE issuer_id = {id}");
    let is_changed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            match &backend.url {
                StoreUrl::Postgres(_) => {
                    backend.sql(&format!("BEGIN; {change}; SELECT pg_sleep(0.5); COMMIT"));
                }
                StoreUrl::Sqlite(path) => {
                    let connection = rusqlite::Connection::open(path).unwrap();
                    connection.execute_batch(&format!("BEGIN IMMEDIATE; {change}")).unwrap();
                    std::thread::sleep(Duration::from_millis(500));
                    connection.execute_batch("COMMIT").unwrap();
                }
            }
            is_changed.store(true, Ordering::SeqCst);
        });
        std::thread::sleep(Duration::from_millis(200));
        assert!(!is_changed.load(Ordering::SeqCst), "the change must be under way for this to tell anything");
        let written = store.put_answers(&[answer(id, 1, 1, 100), answer(id, 2, 1, 100)]).unwrap();
        assert_eq!(written, 0, "the status is another one by now");
    });
    assert_eq!(store.count_answers(id).unwrap(), 0);
}

/// Signers that read, sign and store while the status changes under them.
pub fn race(backend: &Backend) {
    const ROUNDS: i64 = 100;
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, vec![good(id, 1)]).unwrap();
    // SQLite's writers wait for each other by polling across processes, which starves one of two that never rest.
    let signer = if backend.is_sqlite() { std::sync::Arc::clone(&store) } else { backend.open() };
    let reader = backend.open();
    let is_over = AtomicBool::new(false);
    let stored = AtomicU64::new(0);
    let read = |store: &noonmark::store::Store| {
        let read = store.status_and_answer(id, &serial(1), 1, CertIdHash::Sha1).unwrap();
        let status = read.status.unwrap();
        if let Some(answer) = &read.answer {
            assert_eq!(answer.change_number, status.change_number);
            // The signature tells what was signed, whatever the columns say.
            let signed = format!("signature 1 {} ", status.change_number);
            assert!(answer.signature.starts_with(signed.as_bytes()), "{read:?}");
        }
        (status.change_number, read.answer.is_some())
    };
    let seen = std::thread::scope(|scope| {
        let signing = scope.spawn(|| {
            let mut at = 0;
            while !is_over.load(Ordering::SeqCst) {
                let (number, _) = read(&signer);
                at += 1;
                stored.fetch_add(signer.put_answers(&[answer(id, 1, number, at)]).unwrap(), Ordering::SeqCst);
            }
        });
        let reading = scope.spawn(|| {
            let mut seen = 0_u32;
            while !is_over.load(Ordering::SeqCst) {
                seen += u32::from(read(&reader).1);
            }
            seen
        });
        let over = Over(&is_over);
        for number in 1..=ROUNDS {
            // A signer that never gets in races with nothing.
            let (before, patience) = (stored.load(Ordering::SeqCst), Instant::now() + Duration::from_millis(15));
            while stored.load(Ordering::SeqCst) == before && Instant::now() < patience {
                std::thread::yield_now();
            }
            let mut row = good(id, 1);
            row.status.state = if number % 2 == 0 { CertificateState::Good } else { CertificateState::Held };
            book.change(&Change::Status { before: number, after: row }).unwrap();
            // From here on no answer to an older status is to be seen.
            assert_eq!(read(&store).0, number + 1);
            let late = store.put_answers(&[answer(id, 1, number, 1_000_000)]).unwrap();
            assert_eq!(late, 0, "an answer to the status before was stored after the change");
        }
        drop(over);
        signing.join().unwrap();
        reading.join().unwrap()
    });
    let stored = stored.into_inner();
    assert!(stored > 0 && seen > 0, "nothing raced: {stored} stored, {seen} seen");
}

pub fn due(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    let held = {
        let mut row = good(id, 3);
        row.status.state = CertificateState::Held;
        row
    };
    let ended = RegistryRow { not_after_s: VALID_AT - 1, ..good(id, 4) };
    let last_moment = RegistryRow { not_after_s: VALID_AT, ..good(id, 5) };
    book.change(&Change::Intend(good(id, 6))).unwrap();
    let rows = vec![good(id, 1), revoked(&good(id, 2)), held.clone(), ended, last_moment.clone()];
    book.import(id, rows).unwrap();
    let due = |after: Option<&[u8]>, limit| store.answers_due(id, 1, CertIdHash::Sha1, 1, 100, VALID_AT, after, limit);
    let row = |row: RegistryRow| DueRow { serial: row.serial.clone(), status: at(row, 1).status };
    let wanted = [row(good(id, 1)), row(revoked(&good(id, 2))), row(held), row(last_moment)];
    assert_eq!(due(None, 100).unwrap(), (1, wanted.to_vec(), None));
    let (_, first, place) = due(None, 3).unwrap();
    assert_eq!((&first[..], &place), (&wanted[..3], &Some(serial(3))));
    assert_eq!(due(place.as_deref(), 3).unwrap(), (1, wanted[3..].to_vec(), None));
    assert_eq!(due(Some(&serial(6)), 3).unwrap(), (1, Vec::new(), None));
    let no_issuer = store.answers_due(99, 1, CertIdHash::Sha1, 1, 100, VALID_AT, None, 9);
    assert!(matches!(no_issuer, Err(StoreError::NoSuchIssuer { issuer_id: 99 })), "{no_issuer:?}");

    let serials = |due: &[DueRow]| due.iter().map(|row| row.serial.clone()).collect::<Vec<_>>();
    // Signed at 100 it is not due, signed at 99 it is.
    let batch: Vec<AnswerRow> =
        [(1, 100), (2, 99), (3, 100), (5, 100)].map(|(n, this_update_s)| answer(id, n, 1, this_update_s)).to_vec();
    assert_eq!(store.put_answers(&batch).unwrap(), 4);
    assert_eq!(serials(&due(None, 100).unwrap().1), [serial(2)]);
    // Of another form, by another key or hash: all of them again.
    for (responder_id, hash, form) in [(1, CertIdHash::Sha1, 2), (2, CertIdHash::Sha1, 1), (1, CertIdHash::Sha256, 1)] {
        let (_, rows, _) = store.answers_due(id, responder_id, hash, form, 100, VALID_AT, None, 100).unwrap();
        assert_eq!(rows, wanted);
    }
    // With the status the answer falls due.
    book.change(&Change::Status { before: 1, after: revoked(&good(id, 1)) }).unwrap();
    let (number, rows, _) = due(None, 100).unwrap();
    assert_eq!((number, serials(&rows)), (2, vec![serial(1), serial(2)]));
    assert_eq!(rows[0].status, at(revoked(&good(id, 1)), 2).status);
}

/// The registry is walked in bounded steps, and each certificate comes once.
pub fn due_in_pages(backend: &Backend) {
    const ROWS: u32 = 20_000;
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, (0..ROWS).map(|n| good(id, n)).collect()).unwrap();
    let walk = |limit: u32| {
        let (mut found, mut calls, mut after) = (Vec::new(), 0, None);
        loop {
            let (_, rows, next) =
                store.answers_due(id, 1, CertIdHash::Sha1, 1, 100, VALID_AT, after.as_deref(), limit).unwrap();
            calls += 1;
            assert!(rows.len() <= usize::try_from(limit).unwrap());
            found.extend(rows.into_iter().map(|row| row.serial));
            match next {
                Some(next) => assert!(after.replace(next) < after, "it goes on"),
                None => return (found, calls),
            }
        }
    };
    let every: Vec<Vec<u8>> = (0..ROWS).map(serial).collect();
    assert_eq!(walk(7_000), (every, 3));
    let batch: Vec<AnswerRow> = (0..ROWS).map(|n| answer(id, n, 1, if n == 19_999 { 99 } else { 100 })).collect();
    for part in batch.chunks(1_000) {
        assert_eq!(store.put_answers(part).unwrap(), 1_000);
    }
    assert_eq!(store.count_answers(id).unwrap(), u64::from(ROWS));
    let started = Instant::now();
    assert_eq!(walk(500), (vec![serial(19_999)], 2), "16,384 rows looked at, then the rest");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
