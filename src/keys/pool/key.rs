//! The keys a pool signs with.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use crate::crypto::{PublicKey, SignatureAlgorithm};
use crate::keys::error::KeyError;
use crate::keys::settings::{TierKind, TokenSettings};
use crate::keys::uri::KeyUri;

use super::measure::KeyMeasures;

/// A key to serve with.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// The name in configuration, metrics and events.
    pub name: String,
    /// Where it is.
    pub uri: KeyUri,
    /// What it signs with.
    pub algorithm: SignatureAlgorithm,
    /// Its public half, from its certificate: a token that signs with another key is refused.
    pub public_key: PublicKey,
}

/// A key of a pool, for submitting jobs. Cheap to clone.
#[derive(Clone)]
pub struct KeyHandle(pub(super) Arc<Key>);

impl KeyHandle {
    /// The key's configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.spec.name
    }

    /// What the key signs with.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.0.spec.algorithm
    }

    /// The key's public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0.spec.public_key
    }
}

impl fmt::Debug for KeyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyHandle").field(&self.0.spec.name).finish()
    }
}

/// A key with what the pool keeps beside it.
pub(super) struct Key {
    /// Unique in the process: a later key of the same name is another key.
    pub(super) number: u64,
    pub(super) spec: KeySpec,
    pub(super) measures: KeyMeasures,
    /// When a signature of this key was last verified, in milliseconds since the pool's own beginning of time.
    verified_at_ms: AtomicU64,
}

/// At least this often a signature is verified before it is used. A module that starts to sign with another key without
/// an error is noticed by then; verifying each one would cost as much again as making it.
const VERIFY_EVERY_MS: u64 = 250;

impl Key {
    /// Whether a signature is due to be verified; the caller that hears yes does it.
    pub(super) fn is_verification_due(&self) -> bool {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        // One more than the time, so that the first signature is verified as well.
        let now_ms = u64::try_from(BEGINNING.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let last_ms = self.verified_at_ms.load(Ordering::Relaxed);
        let due = last_ms == 0 || now_ms - last_ms.min(now_ms) >= VERIFY_EVERY_MS;
        due && self.verified_at_ms.compare_exchange(last_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The next key's number.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// The keys that a pool serves now.
pub(super) struct KeySet(Vec<Arc<Key>>);

impl KeySet {
    /// Refuses what can't work on any token.
    pub(super) fn new(settings: &TokenSettings, specs: Vec<KeySpec>) -> Result<Self, KeyError> {
        let mut keys: Vec<Arc<Key>> = Vec::with_capacity(specs.len());
        for spec in specs {
            let key = spec.public_key.algorithm();
            if !key.is_supported_for_signing() {
                return Err(KeyError::KeyUnsupported { algorithm: key });
            }
            if !spec.algorithm.fits(key) {
                return Err(KeyError::AlgorithmMismatch { name: spec.name, signature: spec.algorithm, key });
            }
            if spec.uri.software_name().is_some() != (settings.tier.kind() == TierKind::Software) {
                return Err(KeyError::KeyElsewhere {
                    uri: spec.uri,
                    token: settings.name.clone(),
                    reason: format!("this is a token of the {} tier", settings.tier.kind()),
                });
            }
            if keys.iter().any(|other| other.spec.name == spec.name) {
                return Err(KeyError::KeyNamedTwice { name: spec.name });
            }
            let measures = KeyMeasures::new(&settings.name, &spec.name);
            let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
            keys.push(Arc::new(Key { number, spec, measures, verified_at_ms: AtomicU64::new(0) }));
        }
        Ok(Self(keys))
    }

    pub(super) fn find(&self, name: &str) -> Option<KeyHandle> {
        self.0.iter().find(|key| key.spec.name == name).map(|key| KeyHandle(Arc::clone(key)))
    }
}

impl Deref for KeySet {
    type Target = [Arc<Key>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
