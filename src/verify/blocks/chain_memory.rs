//! Judgements of chains that are kept from one document to the next, by everything that they depend on.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::super::certificate::Certificate;
use super::{CertificateValidation, Context, Role};
use crate::crypto::sha256;

/// Everything that the judgement of a chain at the context's time depends on, as one digest: the certificate, whose it is,
/// the time, the evidence, the policy and the anchors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ChainKey([u8; 32]);

impl ChainKey {
    pub(super) fn new(certificate: &Certificate, role: Role, context: &Context<'_>) -> Self {
        let mut octets = Vec::with_capacity(256);
        octets.extend_from_slice(certificate.sha256());
        octets.push(match role {
            Role::Signer => 0,
            Role::TimestampingUnit => 1,
        });
        octets.extend_from_slice(&context.time_s.to_be_bytes());
        octets.extend_from_slice(&context.evidence_until_s.to_be_bytes());
        octets.extend_from_slice(context.policy.fingerprint());
        for list in [&context.anchors.signers, &context.anchors.timestamping] {
            octets.extend_from_slice(&u64::try_from(list.len()).unwrap_or(u64::MAX).to_be_bytes());
            for anchor in list {
                octets.extend_from_slice(anchor.fingerprint());
            }
        }
        context.evidence.fingerprint_into(&mut octets);
        Self(sha256(&octets))
    }
}

/// What is kept, bounded by number; the least used goes first. A judgement holds for one second, evidence and policy: what
/// is judged again with the same is mostly many tokens of one unit.
pub struct ChainMemory {
    kept: Cache<ChainKey, Arc<CertificateValidation>>,
}

impl ChainMemory {
    /// Keeps up to so many judgements.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { kept: Cache::new(capacity) }
    }

    pub(super) fn get(&self, key: &ChainKey) -> Option<Arc<CertificateValidation>> {
        self.kept.get(key)
    }

    pub(super) fn keep(&self, key: ChainKey, validation: &Arc<CertificateValidation>) {
        self.kept.insert(key, Arc::clone(validation));
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
