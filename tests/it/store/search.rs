//! The search by imprint.

use noonmark::store::{ChainEnd, LedgerRow, Store, TokenRow};

use super::backend::{Backend, SEGMENT, row, token};
use super::leases::EMPTY;

/// Records so many tokens in a chain of `purpose`'s, an event after every fifth.
fn record(store: &Store, purpose: &str, tokens: impl Iterator<Item = TokenRow>) -> i64 {
    let lease = store.lease_server(purpose).unwrap();
    let id = lease.server_id();
    let mut rows: Vec<LedgerRow> = Vec::new();
    let next = |rows: &Vec<LedgerRow>| i64::try_from(rows.len()).unwrap() + 1;
    for (n, token) in tokens.enumerate() {
        rows.push(row(id, next(&rows), token));
        if n % 5 == 4 {
            let event = row(id, next(&rows), self::token(0));
            rows.push(LedgerRow { token: None, detail: Some("{}".to_owned()), ..event });
        }
    }
    let end = ChainEnd { number: next(&rows) - 1, hash: [1; 32] };
    store.ledger_writer(&lease).unwrap().append(EMPTY, &rows, end).unwrap();
    id
}

/// Indexes all that is closed and tells how many segments that were.
fn index(store: &Store, id: i64) -> i64 {
    let mut segments = 0;
    while store.index_next_segment(id).unwrap() {
        segments += 1;
    }
    segments
}

fn serials(rows: &[LedgerRow]) -> Vec<[u8; 17]> {
    rows.iter().map(|row| row.token.as_ref().unwrap().serial).collect()
}

pub fn segments(backend: &Backend) {
    let store = backend.store();
    // 60 tokens and 12 events: four closed segments of 16, and 8 records in the open one.
    let operator = record(&store, "operator", (1_000..1_060).map(token));
    let id = record(&store, "serve", (0..60).map(token));
    for indexed in [false, true] {
        if indexed {
            assert_eq!(index(&store, id), 72 / SEGMENT);
            assert_eq!(backend.count("SELECT count(*) FROM imprint_segments"), 72 / SEGMENT);
            assert_eq!(index(&store, operator), 72 / SEGMENT);
            assert!(!store.index_next_segment(id).unwrap(), "the open segment stays open");
        }
        for n in (0..60).chain(1_000..1_060) {
            let wanted = token(n);
            assert_eq!(serials(&store.tokens_by_imprint(&wanted.imprint).unwrap()), [wanted.serial], "token {n}");
        }
        assert_eq!(store.tokens_by_imprint(&token(60).imprint).unwrap(), []);
        // The first octets alone are no match.
        let mut near = token(3).imprint;
        near[31] ^= 1;
        assert_eq!(store.tokens_by_imprint(&near).unwrap(), []);
        assert_eq!(store.tokens_by_imprint(&[]).unwrap(), []);
    }
}

pub fn repeated(backend: &Backend) {
    let store = backend.store();
    let same = |n: u64| TokenRow { imprint: vec![0xab; 32], ..token(n) };
    let tokens = (0..60).map(|n| if n % 7 == 0 { same(n) } else { token(n) });
    let id = record(&store, "serve", tokens);
    let other = record(&store, "operator", (100..103).map(same));
    let wanted: Vec<[u8; 17]> = (0..60).filter(|n| n % 7 == 0).map(|n| token(n).serial).collect();
    let others: Vec<[u8; 17]> = (100..103).map(|n| token(n).serial).collect();
    assert!(id < other);
    for _ in 0..2 {
        let found = store.tokens_by_imprint(&[0xab; 32]).unwrap();
        assert_eq!(serials(&found), [wanted.clone(), others.clone()].concat(), "oldest first, a chain after the other");
        index(&store, id);
        index(&store, other);
    }
}
