//! Keys, certificates and profiles.

use noonmark::store::{CertificateRow, KeyRow, KeyState, ProfileRow, StoreError};

use super::backend::Backend;

pub fn keys(backend: &Backend) {
    let store = backend.store();
    let key = |name: &str, role: &str| KeyRow::new(name, "service", "pkcs11:object=x", role, "p256");
    // Named so that the order of their making is not that of their names.
    let (first, second, other) = (key("z", "tsu:default"), key("a", "tsu:default"), key("m", "tsu:second"));
    for key in [&first, &second, &other] {
        store.insert_key(key).unwrap();
    }
    assert_eq!(store.keys().unwrap(), [first.clone(), second, other]);
    assert!(store.insert_key(&key("z", "ocsp:issuing")).is_err(), "a name never comes back");

    store.set_key_certificate("z", &[4; 32]).unwrap();
    assert_eq!(store.keys().unwrap()[0], KeyRow { certificate_sha256: Some([4; 32]), ..first });

    let change = |name: &str, from, to| store.change_key_state(name, from, to);
    change("z", KeyState::Pending, KeyState::Successor).unwrap();
    assert!(change("a", KeyState::Pending, KeyState::Successor).is_err(), "one successor waits");
    let again = change("z", KeyState::Pending, KeyState::Active);
    assert!(matches!(again, Err(StoreError::StateMoved { expected: "pending", .. })), "{again:?}");
    assert!(matches!(change("nobody", KeyState::Active, KeyState::Retired), Err(StoreError::StateMoved { .. })));
    change("z", KeyState::Successor, KeyState::Active).unwrap();
    change("a", KeyState::Pending, KeyState::Successor).unwrap();
    assert!(change("a", KeyState::Successor, KeyState::Active).is_err(), "a role has one active key");
    change("m", KeyState::Pending, KeyState::Active).unwrap();
    change("z", KeyState::Active, KeyState::Retired).unwrap();
    change("a", KeyState::Successor, KeyState::Active).unwrap();
    change("z", KeyState::Retired, KeyState::Destroyed).unwrap();
    let states: Vec<KeyState> = backend.open().keys().unwrap().iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Destroyed, KeyState::Active, KeyState::Active]);

    // One in place of another: both or neither.
    store.insert_key(&key("next", "tsu:default")).unwrap();
    let moved = |result: Result<(), StoreError>, key: &str| matches!(result, Err(StoreError::StateMoved { name, .. }) if name == key);
    assert!(moved(store.take_over("next", KeyState::Pending, "z"), "z"), "the former is not active");
    assert!(moved(store.take_over("next", KeyState::Successor, "a"), "next"), "the next is not a successor");
    let state = |name: &str| backend.open().keys().unwrap().into_iter().find(|key| key.name == name).unwrap().state;
    assert_eq!((state("a"), state("next")), (KeyState::Active, KeyState::Pending), "neither moved");
    store.take_over("next", KeyState::Pending, "a").unwrap();
    assert_eq!((state("a"), state("next")), (KeyState::Retired, KeyState::Active));

    // Two operators at once: one of them is told.
    store.insert_key(&key("raced", "tsu:third")).unwrap();
    let changes: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| change("raced", KeyState::Pending, KeyState::Active).is_ok())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(changes.iter().filter(|changed| **changed).count(), 1);
}

pub fn certificates_and_profiles(backend: &Backend) {
    let store = backend.store();
    let certificate = |n: u8| CertificateRow {
        sha256: [n; 32],
        der: vec![0x30, n, 0],
        subject: format!("CN=Täst {n}"),
        issuer: "CN=Root".to_owned(),
        serial: "0a".repeat(16),
        not_before_s: i64::from(n),
        not_after_s: 4_102_444_800,
        role: "tsu:default".to_owned(),
    };
    let (one, two) = (certificate(1), certificate(2));
    store.put_certificate(&one).unwrap();
    store.put_certificate(&two).unwrap();
    store.put_certificate(&CertificateRow { subject: "CN=Other".to_owned(), ..one.clone() }).unwrap();
    let three = certificate(3);
    for role in ["issued", "imported"] {
        store.put_certificate(&CertificateRow { role: role.to_owned(), ..three.clone() }).unwrap();
    }
    assert_eq!(backend.open().certificates().unwrap(), [one.clone(), two.clone()], "one that is there stays");
    store.put_certificate(&three).unwrap();
    assert_eq!(backend.open().certificates().unwrap(), [one, two, three], "one that was others' is ours now");

    assert_eq!(store.profile("default").unwrap(), None);
    store.put_profile("default", "accuracy_ms = 1").unwrap();
    store.put_profile("a", "x = 'ü'").unwrap();
    store.put_profile("default", "accuracy_ms = 2").unwrap();
    let row = |name: &str, text: &str| ProfileRow { name: name.to_owned(), text: text.to_owned() };
    assert_eq!(store.profile("default").unwrap(), Some(row("default", "accuracy_ms = 2")));
    assert_eq!(backend.open().profiles().unwrap(), [row("a", "x = 'ü'"), row("default", "accuracy_ms = 2")]);
}
