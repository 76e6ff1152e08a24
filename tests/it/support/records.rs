//! The ledger of an installation as an auditor reads it: through the store, beside a running server.

use noonmark::store::{KeyRow, LedgerRow, Store, StoreOptions, StoreUrl};

use super::server::Installation;

/// The installation's store.
pub fn store(installation: &Installation) -> Store {
    let url = StoreUrl::Sqlite(installation.directory().join("noonmark.db"));
    Store::open(&url, &StoreOptions::default()).unwrap()
}

/// Every record of every chain.
pub fn all(installation: &Installation) -> Vec<LedgerRow> {
    let store = store(installation);
    let servers = store.servers().unwrap();
    servers.iter().flat_map(|server| store.ledger_rows(server.server_id, 0, 1_000_000).unwrap()).collect()
}

/// The details of the events of a kind, oldest first a chain.
pub fn events(installation: &Installation, kind: &str) -> Vec<serde_json::Value> {
    let rows = all(installation).into_iter().filter(|row| row.kind == kind);
    rows.map(|row| serde_json::from_str(&row.detail.expect("an event has a detail")).unwrap()).collect()
}

/// The events of a kind about a key.
pub fn of_key(installation: &Installation, kind: &str, key: &str) -> Vec<serde_json::Value> {
    events(installation, kind).into_iter().filter(|event| event["key"] == key).collect()
}

/// A key's row.
pub fn key(installation: &Installation, name: &str) -> KeyRow {
    let keys = store(installation).keys().unwrap();
    keys.iter().find(|key| key.name == name).unwrap_or_else(|| panic!("no key {name} in {keys:?}")).clone()
}

/// A key's state by name.
pub fn state(installation: &Installation, name: &str) -> &'static str {
    key(installation, name).state.name()
}
