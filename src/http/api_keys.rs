//! Keys to the API: made here, known by the SHA-256 of their secret alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::role::Role;
use crate::crypto::sha256;
use crate::store::ApiKeyRow;

/// A secret begins with it, so that scanners of repositories and logs find one that got there.
const PREFIX: &str = "nm_";
/// 256 random bits: a hash at rest needs no salt and no stretching.
const SECRET_OCTETS: usize = 32;

/// The system's random generator failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct NoRandomness;

/// A fresh secret for a key, and what is kept of it.
///
/// # Errors
/// The random generator failed.
pub fn fresh_secret() -> Result<(Zeroizing<String>, [u8; 32]), NoRandomness> {
    let mut octets = Zeroizing::new([0_u8; SECRET_OCTETS]);
    aws_lc_rs::rand::fill(octets.as_mut_slice()).map_err(|_| NoRandomness)?;
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(octets.as_slice()));
    let secret = Zeroizing::new([PREFIX, encoded.as_str()].concat());
    let hash = sha256(secret.as_bytes());
    Ok((secret, hash))
}

/// Whom a key names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyHolder {
    pub(super) name: Arc<str>,
    pub(super) role: Role,
    expires_at_s: Option<i64>,
}

/// The keys that open something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiKeys {
    /// By the beginning of the hash, so that a thousand keys cost no more than one. It tells nothing of the secret.
    by_beginning: HashMap<[u8; 8], Vec<([u8; 32], KeyHolder)>>,
}

impl ApiKeys {
    /// From the store's rows; those that were revoked, or whose role or name this version does not take, open nothing.
    #[must_use]
    pub fn new(rows: &[ApiKeyRow], is_taken: impl Fn(&str) -> bool) -> Self {
        let mut keys = Self::default();
        for row in rows.iter().filter(|row| row.revoked_at_us.is_none()) {
            let Ok(role) = row.role.parse() else {
                tracing::warn!(key = row.name, role = row.role, "an API key has a role that is not known here");
                continue;
            };
            if is_taken(&row.name) {
                tracing::warn!(
                    key = row.name,
                    "an API key has the name of a [caller.NAME] section, which counts; revoke it"
                );
                continue;
            }
            let holder = KeyHolder { name: Arc::from(row.name.as_str()), role, expires_at_s: row.expires_at_s };
            keys.by_beginning.entry(beginning(&row.secret_sha256)).or_default().push((row.secret_sha256, holder));
        }
        keys
    }

    /// Whose secret has this hash, if the key has not ended.
    pub(super) fn holder(&self, hash: &[u8; 32]) -> Option<&KeyHolder> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let now_s = i64::try_from(now.as_secs()).ok()?;
        let candidates = self.by_beginning.get(&beginning(hash))?;
        let (_, holder) = candidates.iter().find(|(known, _)| bool::from(known.ct_eq(hash)))?;
        holder.expires_at_s.is_none_or(|end_s| now_s < end_s).then_some(holder)
    }
}

fn beginning(hash: &[u8; 32]) -> [u8; 8] {
    let mut beginning = [0; 8];
    beginning.copy_from_slice(&hash[..8]);
    beginning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_until_it_is_revoked_or_ends() {
        let (secret, hash) = fresh_secret().unwrap();
        assert!(secret.starts_with("nm_") && secret.len() == 46, "{}", secret.len());
        let row = ApiKeyRow {
            name: "alice".to_owned(),
            role: "officer".to_owned(),
            secret_sha256: hash,
            created_at_us: 0,
            expires_at_s: None,
            revoked_at_us: None,
        };
        let holder = |row: ApiKeyRow| {
            let keys = ApiKeys::new(&[row], |name| name == "taken");
            keys.holder(&sha256(secret.as_bytes())).map(|holder| (holder.name.to_string(), holder.role))
        };
        assert_eq!(holder(row.clone()), Some(("alice".to_owned(), Role::Officer)));
        assert_eq!(holder(ApiKeyRow { expires_at_s: Some(1), ..row.clone() }), None, "it has ended");
        assert_eq!(holder(ApiKeyRow { revoked_at_us: Some(1), ..row.clone() }), None);
        assert_eq!(holder(ApiKeyRow { role: "king".to_owned(), ..row.clone() }), None);
        assert_eq!(holder(ApiKeyRow { name: "taken".to_owned(), ..row.clone() }), None);
        assert_eq!(ApiKeys::new(&[row], |_| false).holder(&[0; 32]), None);
    }
}
