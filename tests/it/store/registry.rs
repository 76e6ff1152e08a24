//! What the registry gives back: imports, pages, searches.

use noonmark::store::{CertIdHash, CertificateSearch, CertificateState, Change, RegistryRow, StoreError};

use super::backend::Backend;
use super::book::{Book, at, certificate, good, revoked, serial};

pub fn import(backend: &Backend) {
    const ROWS: u32 = 20_000;
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    let other = book.add_issuer(&store, "other");
    let named = RegistryRow { certificate_sha256: Some([7; 32]), ..revoked(&good(id, 3)) };
    let first = Change::Import { issuer_id: id, rows: vec![named.clone()], certificates: vec![certificate(7)] };
    assert_eq!(book.change(&first).unwrap(), 1);
    let foreign = Change::Import { issuer_id: id, rows: vec![good(other, 1)], certificates: Vec::new() };
    let reason = book.conflict(&foreign);
    assert!(reason.contains("another issuer's"), "{reason}");
    book.conflict(&Change::Import { issuer_id: 99, rows: vec![good(99, 1)], certificates: Vec::new() });

    // In no order, each twice, and one is known.
    let mut rows: Vec<RegistryRow> =
        (0..ROWS).map(|n| n.wrapping_mul(7_919) % ROWS).map(|n| at(good(id, n), 4_711)).collect();
    rows.extend((0..ROWS).map(|n| RegistryRow { subject: "CN=second".to_owned(), ..good(id, n) }));
    let started = std::time::Instant::now();
    assert_eq!(book.import(id, rows).unwrap(), u64::from(ROWS - 1));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert_eq!(store.registry_row(id, &serial(3)).unwrap(), Some(at(named, 1)), "what is known is left");
    assert_eq!(store.registry_row(id, &serial(4)).unwrap(), Some(at(good(id, 4), 2)), "the first counts");
    assert_eq!(store.count_registry(id).unwrap(), u64::from(ROWS));
    assert_eq!(store.count_registry(other).unwrap(), 0);
    assert_eq!(store.issuer_numbers().unwrap(), [(id, 2), (other, 0)]);
    assert_eq!(book.import(id, vec![good(id, 3)]).unwrap(), 0);
    assert_eq!(book.import(id, Vec::new()).unwrap(), 0);
    assert_eq!(book.import(other, vec![good(other, 3)]).unwrap(), 1, "each issuer has its serial numbers");

    // Every change once, page by page, though they share one number.
    let mut after = (0, Vec::new());
    let mut seen = Vec::new();
    loop {
        let page = store.changes_since(id, (after.0, &after.1), 3_001).unwrap();
        let Some(last) = page.last() else { break };
        after = last.clone();
        seen.extend(page);
    }
    let mut wanted = vec![(1, serial(3))];
    wanted.extend((0..ROWS).filter(|n| *n != 3).map(|n| (2, serial(n))));
    assert_eq!(seen, wanted);
    assert_eq!(store.changes_since(id, (2, &serial(ROWS - 2)), 9).unwrap(), [(2, serial(ROWS - 1))]);
    assert_eq!(store.changes_since(id, (5, &[]), 9).unwrap(), []);
    assert_eq!(store.changes_since(99, (0, &[]), 9).unwrap(), []);
}

pub fn search(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    let other = book.add_issuer(&store, "other");
    let named = |n: u32, subject: &str| RegistryRow { subject: subject.to_owned(), ..good(id, n) };
    let rows = vec![
        named(1, "CN=100% sure,O=Täst"),
        named(2, "CN=1000 sure,O=Test"),
        named(3, "CN=under_score"),
        named(4, "CN=underXscore"),
        revoked(&named(5, "CN=back\\,slash")),
        RegistryRow { profile: "tsu".to_owned(), not_after_s: 5, ..named(6, "CN=Last") },
    ];
    book.import(id, rows).unwrap();
    book.import(other, vec![good(other, 1), good(other, 9)]).unwrap();
    let found = |search: &CertificateSearch| -> Vec<(i64, u32)> {
        let rows = store.search_registry(search, None, 100).unwrap();
        rows.iter().map(|row| (row.issuer_id, number_of(row))).collect()
    };
    let of_id = |numbers: &[u32]| numbers.iter().map(|n| (id, *n)).collect::<Vec<_>>();
    let everything = CertificateSearch::default();
    let all = [of_id(&[1, 2, 3, 4, 5, 6]), vec![(other, 1), (other, 9)]].concat();
    assert_eq!(found(&everything), all);
    let subject =
        |part: &str| CertificateSearch { subject_contains: Some(part.to_owned()), ..CertificateSearch::default() };
    for (part, numbers) in [
        ("100% S", &[1][..]),
        ("100", &[1, 2]),
        ("R_s", &[3]),
        ("o=tÄst", &[]),
        ("O=tä", &[1]),
        ("BACK\\,SLASH", &[5]),
        ("' OR 1=1 --", &[]),
    ] {
        assert_eq!(found(&subject(part)), of_id(numbers), "{part}");
    }
    assert_eq!(found(&subject("")), all);
    let one = |issuer_id| CertificateSearch { issuer_id: Some(issuer_id), ..CertificateSearch::default() };
    assert_eq!(found(&one(other)), [(other, 1), (other, 9)]);
    assert_eq!(found(&CertificateSearch { state: Some(CertificateState::Revoked), ..one(id) }), of_id(&[5]));
    let profile = CertificateSearch { profile: Some("tsu".to_owned()), ..CertificateSearch::default() };
    assert_eq!(found(&profile), of_id(&[6]));
    assert_eq!(found(&CertificateSearch { ends_before_s: Some(6), ..profile.clone() }), of_id(&[6]));
    assert_eq!(found(&CertificateSearch { ends_before_s: Some(5), ..profile.clone() }), []);
    let every = CertificateSearch {
        issuer_id: Some(id),
        state: Some(CertificateState::Good),
        subject_contains: Some("last".to_owned()),
        ends_before_s: Some(9),
        ..profile
    };
    assert_eq!(found(&every), of_id(&[6]));

    for (search, wanted) in [(everything, all.clone()), (one(id), all[..6].to_vec()), (one(other), all[6..].to_vec())] {
        let mut pages = Vec::new();
        let mut after: Option<(i64, Vec<u8>)> = None;
        loop {
            let place = after.as_ref().map(|(issuer, serial)| (*issuer, &serial[..]));
            let page = store.search_registry(&search, place, 2).unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.issuer_id, last.serial.clone()));
            pages.extend(page.iter().map(|row| (row.issuer_id, number_of(row))));
        }
        assert_eq!(pages, wanted);
    }
    // A place of another issuer's.
    assert_eq!(store.search_registry(&one(id), Some((other, &[])), 9).unwrap(), []);
    assert_eq!(store.search_registry(&one(other), Some((id, &serial(9))), 9).unwrap().len(), 2);
}

fn number_of(row: &RegistryRow) -> u32 {
    u32::from_be_bytes(row.serial[..4].try_into().unwrap())
}

/// A state that the schema does not know is an error, never some other state.
pub fn unreadable(backend: &Backend) {
    let store = backend.store();
    let mut book = Book::open(&store, "serve");
    let id = book.add_issuer(&store, "external");
    book.import(id, vec![good(id, 1)]).unwrap();
    backend.sql("UPDATE registry SET state = 4");
    assert!(store.registry_row(id, &serial(1)).is_err());
    assert!(store.status_and_answer(id, &serial(1), 1, CertIdHash::Sha1).is_err());
    backend.sql("UPDATE registry SET state = 1, reason = 256");
    assert!(store.registry_row(id, &serial(1)).is_err());
    backend.sql("UPDATE issuers SET origin = 'nobody'");
    assert!(matches!(store.issuers(), Err(StoreError::Row { table: "issuers", column: "origin" })));
}
