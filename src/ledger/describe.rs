//! Records for people and programs.

use serde_json::{Value, json};

use crate::store::LedgerRow;

/// A record as JSON.
#[must_use]
pub fn describe(row: &LedgerRow) -> Value {
    let mut value = json!({
        "server": row.server_id,
        "number": row.number,
        "kind": row.kind,
        "recorded_at": time(row.recorded_at_us),
        "previous_hash": hex::encode(row.previous_hash),
    });
    if let Some(detail) = &row.detail {
        value["detail"] = serde_json::from_str(detail).unwrap_or_else(|_| Value::String(detail.clone()));
    }
    if let Some(token) = &row.token {
        value["token"] = json!({
            "serial": hex::encode(token.serial),
            "gen_time": time(token.gen_time_us),
            "profile": &*token.profile,
            "hash": token.hash_algorithm,
            "imprint": hex::encode(&token.imprint),
            "policy": &*token.policy,
            "key": &*token.key_name,
            "caller": &*token.caller,
            "token_sha256": hex::encode(token.token_sha256),
            "token": token.token.as_ref().map(hex::encode),
        });
    }
    value
}

/// A record as lines.
#[must_use]
pub fn display(row: &LedgerRow) -> String {
    let head =
        format!("server {} number {} {} recorded {}", row.server_id, row.number, row.kind, time(row.recorded_at_us));
    match &row.token {
        None => format!("{head}\n  {}", row.detail.as_deref().unwrap_or("")),
        Some(token) => format!(
            "{head}\n  genTime {}\n  serial {}\n  {} {}\n  policy {}, profile {}, key {}\n  caller {}\n  token SHA-256 {}{}",
            time(token.gen_time_us),
            hex::encode(token.serial),
            token.hash_algorithm,
            hex::encode(&token.imprint),
            token.policy,
            token.profile,
            token.key_name,
            token.caller,
            hex::encode(token.token_sha256),
            if token.token.is_some() { " (kept)" } else { "" }
        ),
    }
}

fn time(unix_us: i64) -> String {
    jiff::Timestamp::from_microsecond(unix_us).map_or_else(|_| format!("{unix_us} µs"), |time| time.to_string())
}
