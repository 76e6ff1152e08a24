//! A record's canonical octets: what the next record's hash is over.
//!
//! Version 1: the octet 0x01, then every field in this order, each as a presence octet (0 absent, 1 present), and if
//! present a length of 4 octets big-endian and the value: server id, number, recorded-at (8 octets big-endian each),
//! previous hash, kind, detail, serial, genTime (8 octets), profile, hash, imprint, policy, key, caller,
//! the token's SHA-256. The token itself is bound by its SHA-256, so that keeping or deleting it changes no chain.
//! Anybody can compute this with the columns and a SHA-256; docs/LEDGER.md shows how.

use crate::crypto::sha256;
use crate::store::LedgerRow;

/// Room for the fields of a token's record without growing.
const CAPACITY: usize = 512;

/// The canonical octets.
#[must_use]
pub fn encode(row: &LedgerRow) -> Vec<u8> {
    let mut out = Vec::with_capacity(CAPACITY);
    out.push(1);
    push(&mut out, &row.server_id.to_be_bytes());
    push(&mut out, &row.number.to_be_bytes());
    push(&mut out, &row.recorded_at_us.to_be_bytes());
    push(&mut out, &row.previous_hash);
    push(&mut out, row.kind.as_bytes());
    match &row.detail {
        Some(detail) => push(&mut out, detail.as_bytes()),
        None => out.push(0),
    }
    match &row.token {
        Some(token) => {
            push(&mut out, &token.serial);
            push(&mut out, &token.gen_time_us.to_be_bytes());
            push(&mut out, token.profile.as_bytes());
            push(&mut out, token.hash_algorithm.as_bytes());
            push(&mut out, &token.imprint);
            push(&mut out, token.policy.as_bytes());
            push(&mut out, token.key_name.as_bytes());
            push(&mut out, token.caller.as_bytes());
            push(&mut out, &token.token_sha256);
        }
        None => out.extend_from_slice(&[0; 9]),
    }
    out
}

fn push(out: &mut Vec<u8>, value: &[u8]) {
    out.push(1);
    // No field comes near 4 GiB: requests are capped, events are the house's own.
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(value);
}

/// The SHA-256 of a record's canonical octets.
#[must_use]
pub fn hash(row: &LedgerRow) -> [u8; 32] {
    sha256(&encode(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn the_encoding_is_fixed() {
        let row = LedgerRow {
            server_id: 1,
            number: 2,
            kind: Cow::Borrowed("x"),
            recorded_at_us: 3,
            previous_hash: [9; 32],
            detail: Some("{}".to_owned()),
            token: None,
        };
        let expected = [
            "01",
            "01000000080000000000000001",
            "01000000080000000000000002",
            "01000000080000000000000003",
            &format!("0100000020{}", "09".repeat(32)),
            "010000000178",
            "01000000027b7d",
            "000000000000000000",
        ]
        .concat();
        assert_eq!(hex::encode(encode(&row)), expected);
    }
}
