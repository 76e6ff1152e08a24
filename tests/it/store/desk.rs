//! Leases on duties, and requests that come twice.

use std::time::{Duration, Instant};

use noonmark::store::{Claim, StoreError};

use super::backend::Backend;

pub fn leases(backend: &Backend) {
    let (store, other) = (backend.store(), backend.open());
    assert_eq!(store.lease("ca-agent").unwrap(), None);
    assert!(store.take_lease("ca-agent", "one", 60).unwrap());
    assert!(!other.take_lease("ca-agent", "two", 60).unwrap());
    assert!(other.take_lease("sign-ahead", "two", 60).unwrap(), "another duty");
    let first = other.lease("ca-agent").unwrap().unwrap();
    assert_eq!((&*first.name, &*first.holder), ("ca-agent", "one"));
    assert_eq!(first.until_us - first.renewed_at_us, 60_000_000);
    assert!(store.take_lease("ca-agent", "one", 60).unwrap(), "renewed");
    let renewed = store.lease("ca-agent").unwrap().unwrap();
    assert!(renewed.renewed_at_us > first.renewed_at_us && renewed.until_us > first.until_us);

    // Not the other's to give back.
    other.release_lease("ca-agent", "two").unwrap();
    assert!(!other.take_lease("ca-agent", "two", 60).unwrap());
    store.release_lease("ca-agent", "one").unwrap();
    let released = store.lease("ca-agent").unwrap().unwrap();
    assert_eq!((&*released.holder, released.renewed_at_us), ("one", renewed.renewed_at_us), "it stays readable");
    assert!(released.until_us < renewed.until_us);
    assert!(other.take_lease("ca-agent", "two", 1).unwrap());

    assert!(!store.take_lease("ca-agent", "one", 60).unwrap());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !store.take_lease("ca-agent", "one", 60).unwrap() {
        assert!(Instant::now() < deadline, "it never ran out");
        std::thread::sleep(Duration::from_millis(20));
    }

    let stores = [backend.open(), backend.open()];
    let won = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .zip(["one", "two"])
            .map(|(store, holder)| scope.spawn(move || store.take_lease("raced", holder, 60).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(won, 1);
}

pub fn idempotency(backend: &Backend) {
    let store = backend.store();
    let claim = |key: &str, hash: u8| store.claim_idempotency("officer", key, &[hash; 32]).unwrap();
    assert_eq!(claim("k", 1), Claim::New);
    assert_eq!(claim("k", 1), Claim::InProgress);
    assert_eq!(claim("k", 2), Claim::Other);
    assert_eq!(store.claim_idempotency("other", "k", &[1; 32]).unwrap(), Claim::New, "each caller has its keys");
    store.finish_idempotency("officer", "k", 201, "{\"ü\":1}").unwrap();
    assert_eq!(claim("k", 1), Claim::Done { status: 201, body: "{\"ü\":1}".to_owned() });
    assert_eq!(claim("k", 2), Claim::Other);
    let again = store.finish_idempotency("officer", "k", 500, "");
    assert!(matches!(again, Err(StoreError::ClaimGone { .. })), "{again:?}");
    assert!(store.finish_idempotency("officer", "unclaimed", 200, "").is_err());

    store.drop_idempotency("officer", "k").unwrap();
    assert!(matches!(claim("k", 1), Claim::Done { status: 201, .. }), "what is done stays");
    assert_eq!(claim("failed", 1), Claim::New);
    store.drop_idempotency("officer", "failed").unwrap();
    assert_eq!(claim("failed", 2), Claim::New);

    let stores = [backend.open(), backend.open()];
    let claims: Vec<Claim> = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .map(|store| scope.spawn(move || store.claim_idempotency("officer", "raced", &[1; 32]).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::New).count(), 1, "{claims:?}");
    assert!(claims.contains(&Claim::InProgress), "{claims:?}");

    assert_eq!(store.forget_idempotency(1_000).unwrap(), 0);
    let now_us = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let tomorrow = i64::try_from(now_us).unwrap() + 86_400_000_000;
    assert_eq!(store.forget_idempotency(tomorrow).unwrap(), 4);
    assert_eq!(claim("k", 2), Claim::New);
}
