//! Changes and their records: both or neither, and each under its condition.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use noonmark::store::{
    ApiKeyRow, AppendError, CertificateState, ChainEnd, Change, IssuerOrigin, IssuerRow, KeyRow, RegistryRow,
    StatusRow, TaskRow, TaskState,
};

use super::backend::Backend;
use super::book::{Book, Over, add_issuer, at, certificate, good, revoked, serial};

pub fn issuers(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    assert_eq!(store.issuers().unwrap(), []);
    assert_eq!(book.change(&add_issuer("first")).unwrap(), 0);
    let reason = book.conflict(&add_issuer("first"));
    assert!(reason.contains("by the name of first"), "{reason}");
    book.change(&add_issuer("second")).unwrap();
    let issuers = store.issuers().unwrap();
    let id = issuers[0].id;
    let wanted = IssuerRow {
        id,
        name: "first".to_owned(),
        origin: IssuerOrigin::External,
        certificate_sha256: [200; 32],
        settings: "{\"a\":1}".to_owned(),
        change_number: 0,
    };
    assert_eq!(issuers, [wanted, IssuerRow { id: issuers[1].id, name: "second".to_owned(), ..issuers[0].clone() }]);
    assert_eq!(store.certificate_der(&[200; 32]).unwrap(), Some(vec![0x30, 200]));
    assert_eq!(store.certificate_der(&[201; 32]).unwrap(), None);

    let change = |issuer_id, before: &str, after: &str| Change::ChangeIssuer {
        issuer_id,
        before: before.to_owned(),
        after: after.to_owned(),
    };
    book.change(&change(id, "{\"a\":1}", "{\"a\":2}")).unwrap();
    book.conflict(&change(id, "{\"a\":1}", "{\"a\":3}"));
    book.conflict(&change(99, "{\"a\":1}", "{\"a\":3}"));
    assert_eq!(backend.open().issuers().unwrap()[0].settings, "{\"a\":2}");
    assert_eq!(store.issuer_numbers().unwrap(), [(id, 0), (issuers[1].id, 0)], "settings are no status");
}

pub fn issuing(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "own");
    let row = RegistryRow { profile: "tls-server".to_owned(), ..good(id, 1) };
    // It is intended whatever the row says.
    assert_eq!(book.change(&Change::Intend(at(row.clone(), 5))).unwrap(), 1);
    let intended = RegistryRow { status: StatusRow { state: CertificateState::Intended, ..row.status }, ..row.clone() };
    assert_eq!(store.registry_row(id, &serial(1)).unwrap(), Some(intended));
    assert_eq!(store.issuer_numbers().unwrap(), [(id, 0)], "an intent is no status");
    let reason = book.conflict(&Change::Intend(row.clone()));
    assert!(reason.contains(&hex::encode(serial(1))) && reason.contains("taken"), "{reason}");
    book.conflict(&Change::Intend(good(id + 1, 2)));
    assert_eq!(store.registry_row(id + 1, &serial(2)).unwrap(), None);

    let task = TaskRow {
        id: "ab".repeat(16),
        kind: "issue".to_owned(),
        input: "{}".to_owned(),
        state: TaskState::Waiting,
        output: None,
        asked_by: "officer".to_owned(),
        asked_at_us: 3,
    };
    let issue = |n: u32, task: Option<&TaskRow>| Change::Issue {
        issuer_id: id,
        serial: serial(n),
        certificate: certificate(1),
        changed_by: "agent".to_owned(),
        task: task.map(|task| (task.id.clone(), "{\"ok\":true}".to_owned())),
    };
    // No such task: nothing of it stands, the change number neither.
    book.conflict(&issue(1, Some(&task)));
    assert_eq!(store.issuer_numbers().unwrap(), [(id, 0)]);
    assert_eq!(store.certificate_der(&[1; 32]).unwrap(), None);
    assert_eq!(store.registry_row(id, &serial(1)).unwrap().unwrap().status.state, CertificateState::Intended);

    book.change(&Change::AddTask(task.clone())).unwrap();
    book.conflict(&issue(2, Some(&task)));
    assert_eq!(store.waiting_tasks(9).unwrap(), std::slice::from_ref(&task));
    assert_eq!(book.change(&issue(1, Some(&task))).unwrap(), 1);
    let recorded_at_us = 1_000 + book.end.number;
    let issued = RegistryRow {
        subject: "CN=of the certificate 1".to_owned(),
        not_before_s: 1_700_000_100,
        not_after_s: 1_900_000_100,
        certificate_sha256: Some([1; 32]),
        changed_by: "agent".to_owned(),
        changed_at_us: recorded_at_us,
        ..at(row, 1)
    };
    assert_eq!(store.registry_row(id, &serial(1)).unwrap(), Some(issued));
    let done = TaskRow { state: TaskState::Done, output: Some("{\"ok\":true}".to_owned()), ..task.clone() };
    assert_eq!(store.task(&task.id).unwrap(), Some(done));
    assert_eq!(store.certificate_der(&[1; 32]).unwrap(), Some(vec![0x30, 1]));
    let reason = book.conflict(&issue(1, None));
    assert!(reason.contains("not waiting to be issued"), "{reason}");
    assert_eq!(store.issuer_numbers().unwrap(), [(id, 1)]);
}

pub fn statuses(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, vec![good(id, 1), good(id, 2)]).unwrap();
    let status = |before: i64, after: RegistryRow| Change::Status { before, after };
    let held = {
        let mut row = good(id, 1);
        row.status.state = CertificateState::Held;
        row.status.reason = Some(6);
        row.status.revoked_at_s = Some(1_760_000_000);
        row
    };
    assert_eq!(book.change(&status(1, held.clone())).unwrap(), 1);
    assert_eq!(store.registry_row(id, &serial(1)).unwrap(), Some(at(held, 2)));
    let reason = book.conflict(&status(1, revoked(&good(id, 1))));
    assert!(reason.contains("changed by somebody else"), "{reason}");
    let reason = book.conflict(&status(1, good(id, 3)));
    assert!(reason.contains("has no certificate"), "{reason}");
    let reason = book.conflict(&status(1, good(id + 1, 1)));
    assert!(reason.contains("no issuer"), "{reason}");
    assert_eq!(store.issuer_numbers().unwrap(), [(id, 2)], "what was refused took no number");

    book.change(&status(2, revoked(&good(id, 1)))).unwrap();
    assert_eq!(store.registry_row(id, &serial(1)).unwrap(), Some(at(revoked(&good(id, 1)), 3)));
    let reason = book.conflict(&status(3, good(id, 1)));
    assert!(reason.contains("never comes back"), "{reason}");
    // The reason of a revocation may be put right.
    let mut again = revoked(&good(id, 1));
    again.status.reason = Some(4);
    book.change(&status(3, again.clone())).unwrap();
    assert_eq!(store.registry_row(id, &serial(1)).unwrap(), Some(at(again, 4)));
    assert_eq!(store.registry_row(id, &serial(2)).unwrap(), Some(at(good(id, 2), 1)), "the other one stays");
    assert_eq!(store.changes_since(id, (2, &[]), 10).unwrap(), [(4, serial(1))], "each with its last change only");
}

pub fn keys_and_tasks(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    store.insert_key(&KeyRow::new("ocsp-1", "service", "pkcs11:object=x", "ocsp:issuing", "p256")).unwrap();
    store.set_key_certificate("ocsp-1", &[4; 32]).unwrap();
    let renew = |before: u8, new: u8| Change::RenewKeyCertificate {
        key_name: "ocsp-1".to_owned(),
        before: [before; 32],
        certificate: certificate(new),
    };
    book.change(&renew(4, 5)).unwrap();
    book.conflict(&renew(4, 6));
    assert_eq!(store.keys().unwrap()[0].certificate_sha256, Some([5; 32]));
    assert_eq!(store.certificates().unwrap(), [certificate(5)]);

    let task = |n: i64| TaskRow {
        id: format!("{n:032x}"),
        kind: "renew-responder".to_owned(),
        input: "{\"ü\":1}".to_owned(),
        state: TaskState::Waiting,
        output: None,
        asked_by: "agent".to_owned(),
        asked_at_us: 100 - n,
    };
    for n in 1..=3 {
        book.change(&Change::AddTask(task(n))).unwrap();
    }
    book.conflict(&Change::AddTask(task(2)));
    assert_eq!(store.waiting_tasks(2).unwrap(), [task(3), task(2)], "oldest first");
    let finish = |n: i64, state| Change::FinishTask { id: task(n).id, state, output: "{\"error\":\"no\"}".to_owned() };
    book.change(&finish(3, TaskState::Failed)).unwrap();
    book.conflict(&finish(3, TaskState::Done));
    book.conflict(&finish(4, TaskState::Done));
    let failed = TaskRow { state: TaskState::Failed, output: Some("{\"error\":\"no\"}".to_owned()), ..task(3) };
    assert_eq!(store.task(&task(3).id).unwrap(), Some(failed));
    assert_eq!(store.task("nobody").unwrap(), None);
    assert_eq!(store.waiting_tasks(9).unwrap(), [task(2), task(1)]);

    let key = |name: &str, expires_at_s| ApiKeyRow {
        name: name.to_owned(),
        role: "auditor".to_owned(),
        secret_sha256: [9; 32],
        created_at_us: 5,
        expires_at_s,
        revoked_at_us: None,
    };
    book.change(&Change::AddApiKey(key("b", Some(7)))).unwrap();
    book.change(&Change::AddApiKey(key("A", None))).unwrap();
    book.conflict(&Change::AddApiKey(key("b", None)));
    let revoke = |name: &str| Change::RevokeApiKey { name: name.to_owned(), at_us: 8 };
    book.change(&revoke("b")).unwrap();
    book.conflict(&revoke("b"));
    book.conflict(&revoke("c"));
    let gone = ApiKeyRow { revoked_at_us: Some(8), ..key("b", Some(7)) };
    assert_eq!(backend.open().api_keys().unwrap(), [key("A", None), gone]);
}

pub fn chain_checks(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    let (row, end) = book.next();
    let wrong = ChainEnd { hash: [9; 32], ..book.end };
    let change = Change::Import { issuer_id: id, rows: vec![good(id, 1)], certificates: vec![certificate(7)] };
    let appended = book.writer().append_with(wrong, &row, end, &change);
    assert!(matches!(appended, Err(AppendError::LeaseLost)), "{appended:?}");
    assert_eq!(store.registry_row(id, &serial(1)).unwrap(), None, "no change without its record");
    assert_eq!(store.certificate_der(&[7; 32]).unwrap(), None);
    assert_eq!(store.issuer_numbers().unwrap(), [(id, 0)]);
    assert_eq!(book.change(&change).unwrap(), 1);
    // A row that the ledger refuses takes the change with it.
    let (taken, _) = (row, ());
    let before = book.end;
    let further = ChainEnd { number: end.number + 1, hash: [3; 32] };
    let change = Change::Import { issuer_id: id, rows: vec![good(id, 2)], certificates: Vec::new() };
    let appended = book.writer().append_with(before, &taken, further, &change);
    assert!(matches!(appended, Err(AppendError::Refused(_))), "{appended:?}");
    assert_eq!(store.registry_row(id, &serial(2)).unwrap(), None);
    assert_eq!(book.change(&change).unwrap(), 1);
    let number = book.end.number;
    assert_eq!(backend.count("SELECT count(*) FROM ledger"), number);

    let mut lost = Book::open(&store, "operator");
    let x = if backend.is_sqlite() { "x'00'" } else { "'x'" };
    backend.sql(&format!("UPDATE servers SET lease_id = {x} WHERE server_id = {}", lost.server_id));
    let refused = lost.change(&add_issuer("late"));
    assert!(matches!(refused, Err(AppendError::LeaseLost)), "{refused:?}");
    assert_eq!(store.issuers().unwrap().len(), 1);
}

/// Two servers change one issuer's certificates: numbers go up one by one, in the order of the commits, so that whoever
/// has read up to a number has missed nothing below it.
pub fn two_writers(backend: &Backend) {
    const CHANGES: u32 = 40;
    let store = backend.store();
    let mut first = Book::open(&store, "serve");
    let id = first.add_issuer(&store, "external");
    first.import(id, (0..2 * CHANGES).map(|n| good(id, n)).collect()).unwrap();
    let other_store = backend.open();
    let mut second = Book::open(&other_store, if backend.is_sqlite() { "operator" } else { "serve" });
    assert_ne!(first.server_id, second.server_id);
    let is_over = AtomicBool::new(false);
    let change = |book: &mut Book, from: u32| {
        let mut last = 1;
        for n in from..from + CHANGES {
            let change = Change::Status { before: 1, after: revoked(&good(id, n)) };
            assert_eq!(book.change(&change).unwrap(), 1);
            let number = store.registry_row(id, &serial(n)).unwrap().unwrap().status.change_number;
            assert!(number > last);
            last = number;
        }
    };
    let heard = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut heard = BTreeSet::new();
            let mut upto = 1;
            loop {
                let last = is_over.load(Ordering::SeqCst);
                let now = store.issuer_numbers().unwrap()[0].1;
                assert!(now >= upto);
                for (number, serial) in store.changes_since(id, (upto + 1, &[]), 1_000).unwrap() {
                    // Those above `now` came meanwhile; they come again.
                    if number <= now {
                        assert!(heard.insert((number, serial)));
                    }
                }
                assert_eq!(heard.len(), usize::try_from(now - 1).unwrap(), "none missed up to {now}");
                upto = now;
                if last {
                    return heard;
                }
            }
        });
        let over = Over(&is_over);
        let one = scope.spawn(|| change(&mut first, 0));
        let other = scope.spawn(|| change(&mut second, CHANGES));
        one.join().unwrap();
        other.join().unwrap();
        drop(over);
        reader.join().unwrap()
    });
    let numbers: Vec<i64> = heard.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (2..2 + i64::from(2 * CHANGES)).collect::<Vec<_>>());
    // The same certificate at once: one of them is told.
    let again = |book: &mut Book| book.change(&Change::Status { before: 2, after: heard_row(id, &heard) });
    let results = std::thread::scope(|scope| {
        let one = scope.spawn(|| again(&mut first));
        let other = scope.spawn(|| again(&mut second));
        [one.join().unwrap(), other.join().unwrap()]
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().any(|result| matches!(result, Err(AppendError::Conflict { .. }))), "{results:?}");
}

/// The row that came with number 2.
fn heard_row(id: i64, heard: &BTreeSet<(i64, Vec<u8>)>) -> RegistryRow {
    let (_, serial) = heard.iter().next().unwrap();
    RegistryRow { serial: serial.clone(), ..revoked(&good(id, 0)) }
}

/// Connections are killed at any moment: a change stands exactly where its record does, and the error tells which.
pub fn killed(backend: &Backend) {
    const CHANGES: u32 = 60;
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, (0..CHANGES).map(|n| good(id, n)).collect()).unwrap();
    let is_over = AtomicBool::new(false);
    let stands = |n: u32| {
        let serial = hex::encode(serial(n));
        backend.count(&format!("SELECT count(*) FROM registry WHERE state = 3 AND serial = '\\x{serial}'")) == 1
    };
    let failures = std::thread::scope(|scope| {
        let over = Over(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                backend.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'noonmark'",
                );
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        });
        let mut failures = 0;
        for n in 0..CHANGES {
            let change = Change::Status { before: 1, after: revoked(&good(id, n)) };
            let (_, end) = book.next();
            loop {
                match book.change(&change) {
                    Ok(_) => break,
                    Err(AppendError::Refused(_)) => assert!(!stands(n), "refused, and yet it stands"),
                    Err(AppendError::Unknown(_)) => {
                        let is_end = loop {
                            match book.writer().chain_end() {
                                Ok(found) => break found == end,
                                Err(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
                            }
                        };
                        assert_eq!(stands(n), is_end, "the change and its record part");
                        if is_end {
                            book.end = end;
                            break;
                        }
                    }
                    Err(error) => panic!("{error}"),
                }
                failures += 1;
            }
            assert!(stands(n));
        }
        drop(over);
        failures
    });
    assert!(failures > 0, "nothing was killed in time");
    assert_eq!(backend.count("SELECT count(*) FROM ledger"), book.end.number);
    assert_eq!(backend.count("SELECT change_number FROM issuers"), i64::from(CHANGES) + 1);
}
