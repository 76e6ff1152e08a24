//! CRLs: numbers, what is listed, staging and publishing.

use noonmark::store::{CertificateState, Change, CrlRow, CrlScope, Listed, ListedRow, RegistryRow, StatusRow, Store};

use super::backend::Backend;
use super::book::{Book, at, good, revoked, serial};

fn row(issuer_id: i64, scope: CrlScope, number: i64, octets: &[u8]) -> CrlRow {
    CrlRow {
        id: 0,
        issuer_id,
        scope,
        number,
        base_number: (scope == CrlScope::Delta).then_some(1),
        change_number: 0,
        this_update_s: 1_800_000_000,
        next_update_s: 1_800_086_400,
        entries: 3,
        octets: i64::try_from(octets.len()).unwrap(),
        sha256: [u8::try_from(number).unwrap(); 32],
        published_at_us: 0,
    }
}

/// Stages a CRL in two chunks and gives it with its id.
fn stage(store: &Store, row: CrlRow, octets: &[u8]) -> CrlRow {
    let id = store.stage_crl(&row).unwrap();
    let (first, second) = octets.split_at(octets.len() / 2);
    store.put_crl_chunk(id, 0, first).unwrap();
    store.put_crl_chunk(id, 1, second).unwrap();
    CrlRow { id, ..row }
}

pub fn numbers(backend: &Backend) {
    let store = backend.store();
    let taken: Vec<i64> = (0..3).map(|_| store.next_crl_number(7).unwrap()).collect();
    assert_eq!(taken, [1, 2, 3]);
    assert_eq!(store.next_crl_number(8).unwrap(), 1, "each issuer has its series");
    // Four threads at once: no number twice, none left out.
    let mut all: Vec<i64> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..25).map(|_| store.next_crl_number(7).unwrap()).collect::<Vec<_>>()))
            .collect();
        takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
    });
    all.sort_unstable();
    assert_eq!(all, (4..104).collect::<Vec<_>>());
}

pub fn published(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "agent");
    let id = book.add_issuer(&store, "external");
    let octets = b"the first CRL's octets";
    let number = store.next_crl_number(id).unwrap();
    let first = stage(&store, row(id, CrlScope::Complete, number, octets), octets);
    assert_eq!(store.published_crls().unwrap(), []);
    let publish = |crl: &CrlRow| Change::PublishCrl { crl_id: crl.id };
    book.change(&publish(&first)).unwrap();
    let timeless = |mut rows: Vec<CrlRow>| {
        for row in &mut rows {
            assert!(row.published_at_us > 0, "it says when");
            row.published_at_us = 0;
        }
        rows
    };
    assert_eq!(timeless(store.published_crls().unwrap()), std::slice::from_ref(&first));
    assert_eq!(store.crl_chunk(first.id, 1).unwrap().unwrap(), &octets[octets.len() / 2..]);
    assert_eq!(store.crl_chunk(first.id, 2).unwrap(), None);
    let reason = book.conflict(&publish(&first));
    assert!(reason.contains("staged"), "published already: {reason}");
    book.conflict(&Change::PublishCrl { crl_id: 4_711 });

    // One that lacks octets, one that has too many.
    let number = store.next_crl_number(id).unwrap();
    let cut = CrlRow { octets: 99, ..row(id, CrlScope::Complete, number, octets) };
    book.conflict(&publish(&stage(&store, cut, octets)));
    // One who was overtaken: a higher number is taken by now.
    let number = store.next_crl_number(id).unwrap();
    let overtaken = stage(&store, row(id, CrlScope::Complete, number, octets), octets);
    let higher = store.next_crl_number(id).unwrap();
    book.conflict(&publish(&overtaken));
    assert_eq!(timeless(store.published_crls().unwrap()), std::slice::from_ref(&first), "the old one stands");
    // And takes its octets back.
    store.discard_crl(overtaken.id).unwrap();
    assert_eq!(store.crl_chunk(overtaken.id, 0).unwrap(), None);
    store.discard_crl(first.id).unwrap();
    assert!(store.crl_chunk(first.id, 0).unwrap().is_some(), "what is published is nobody's to take back");
    // One that was begun before the published one was.
    let second = CrlRow { change_number: 5, ..row(id, CrlScope::Complete, higher, octets) };
    let second = stage(&store, second, octets);
    book.change(&publish(&second)).unwrap();
    let number = store.next_crl_number(id).unwrap();
    let older = stage(&store, CrlRow { change_number: 4, ..row(id, CrlScope::Complete, number, octets) }, octets);
    book.conflict(&publish(&older));

    // Scopes stand beside each other.
    let mut expected = vec![second];
    for scope in [CrlScope::Delta, CrlScope::Partition(1), CrlScope::Partition(12)] {
        let number = store.next_crl_number(id).unwrap();
        let crl = stage(&store, row(id, scope, number, octets), octets);
        book.change(&publish(&crl)).unwrap();
        expected.push(crl);
    }
    let mut found = timeless(store.published_crls().unwrap());
    found.sort_by_key(|crl| crl.scope);
    assert_eq!(found, expected);

    // What is neither published nor young goes; what is published stays.
    assert!(!store.sweep_crls(0).unwrap());
    assert!(store.crl_chunk(first.id, 0).unwrap().is_some(), "it was replaced a moment ago");
    while store.sweep_crls(i64::MAX).unwrap() {}
    assert_eq!(store.crl_chunk(first.id, 0).unwrap(), None);
    assert_eq!(store.crl_chunk(older.id, 0).unwrap(), None);
    // One that is served no more.
    let delta = expected.iter().position(|crl| crl.scope == CrlScope::Delta).unwrap();
    let delta = expected.remove(delta);
    book.change(&Change::RetireCrl { crl_id: delta.id }).unwrap();
    book.conflict(&Change::RetireCrl { crl_id: delta.id });
    let mut found = timeless(store.published_crls().unwrap());
    found.sort_by_key(|crl| crl.scope);
    assert_eq!(found, expected);
    assert!(expected.iter().all(|crl| store.crl_chunk(crl.id, 0).unwrap().is_some()));
}

/// Everything that is listed, page by page.
fn listed(store: &Store, issuer_id: i64, which: Listed, limit: u32) -> Vec<ListedRow> {
    let mut all: Vec<ListedRow> = Vec::new();
    loop {
        let after = all.last().map_or((0, Vec::new()), |row| (row.partition, row.serial.clone()));
        let page = store.listed(issuer_id, which, (after.0, &after.1), limit).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub fn listing(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    let other = book.add_issuer(&store, "other");
    let of_partition = |n: u32, partition: u16| RegistryRow { crl_partition: partition, ..good(id, n) };
    let rows = (0..40)
        .map(|n| of_partition(n, u16::try_from(n % 4).unwrap()))
        .map(|row| if row.serial[3] % 3 == 0 { revoked(&row) } else { row });
    book.import(id, rows.collect()).unwrap();
    book.import(other, vec![revoked(&good(other, 1))]).unwrap();
    let serials = |rows: &[ListedRow]| rows.iter().map(|row| (row.partition, row.serial[3])).collect::<Vec<_>>();
    let mut wanted: Vec<(u16, u8)> = (0..40_u8).filter(|n| n % 3 == 0).map(|n| (u16::from(n % 4), n)).collect();
    wanted.sort_unstable();
    for limit in [1, 5, 100] {
        assert_eq!(serials(&listed(&store, id, Listed::All, limit)), wanted, "in pages of {limit}");
        let of_two: Vec<(u16, u8)> = wanted.iter().copied().filter(|(partition, _)| *partition == 2).collect();
        let after = store.listed(id, Listed::Partition(2), (2, &[]), 100).unwrap();
        assert_eq!(serials(&after), of_two);
    }
    let one = &listed(&store, id, Listed::All, 9)[0];
    let expected = revoked(&of_partition(0, 0));
    assert_eq!(
        (one.state, one.reason, one.revoked_at_s, one.invalidity_s, one.not_after_s, one.change_number),
        (
            CertificateState::Revoked,
            expected.status.reason,
            expected.status.revoked_at_s,
            expected.status.invalidity_s,
            expected.not_after_s,
            1
        )
    );
    assert_eq!(one.changed_at_us, expected.changed_at_us);

    // Held, then released: it leaves the list, and a delta must say so ever after.
    let before = of_partition(1, 1);
    let held = StatusRow {
        state: CertificateState::Held,
        reason: Some(6),
        revoked_at_s: Some(1_750_000_000),
        invalidity_s: None,
        change_number: 0,
    };
    let change = |before: i64, row: RegistryRow| Change::Status { before, after: row };
    book.change(&change(1, RegistryRow { status: held, ..before.clone() })).unwrap();
    assert_eq!(serials(&store.listed(id, Listed::Partition(1), (1, &[]), 1).unwrap()), [(1, 1)]);
    let changes = |after: i64| store.listed_changes(id, (after, &serial(u32::MAX)), 100).unwrap();
    assert_eq!(changes(1).len(), 1);
    book.change(&change(2, before)).unwrap();
    assert!(!serials(&listed(&store, id, Listed::All, 100)).contains(&(1, 1)));
    let after = changes(1);
    assert_eq!(after.iter().map(|row| (row.serial[3], row.state)).collect::<Vec<_>>(), [(1, CertificateState::Good)]);
    // A certificate that was never held and is good is no delta's business.
    let more = at(of_partition(99, 0), 0);
    book.import(id, vec![more]).unwrap();
    assert_eq!(changes(1), after);
    let first = store.first_listed_change(id, 1).unwrap().unwrap();
    assert_eq!((first.change_number, store.first_listed_change(id, first.change_number).unwrap()), (3, None));
    assert_eq!(store.listed_changes(id, (0, &[]), 100).unwrap().len(), wanted.len() + 1);
}
