//! Judgements of chains that are kept from one document to the next, by everything that they depend on.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::super::certificate::Certificate;
use super::super::certificate_memory::CertificateMemory;
use super::super::evidence::Evidence;
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
/// is judged again with the same is mostly many tokens of one unit. The certificates of chains that held stay longer, with
/// their keys parsed and what is known of their signatures.
pub struct ChainMemory {
    kept: Cache<ChainKey, Arc<CertificateValidation>>,
    certificates: Arc<CertificateMemory>,
}

impl ChainMemory {
    /// Keeps up to so many judgements.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { kept: Cache::new(capacity), certificates: Arc::new(CertificateMemory::new(capacity)) }
    }

    /// Lets evidence take the certificates that are kept instead of reading the same octets again. To be called before a
    /// document adds its own.
    pub fn share_with(&self, evidence: &mut Evidence) {
        evidence.share(&self.certificates);
    }

    pub(super) fn get(&self, key: &ChainKey) -> Option<Arc<CertificateValidation>> {
        self.kept.get(key)
    }

    pub(super) fn keep(&self, key: ChainKey, validation: &Arc<CertificateValidation>) {
        // Only of chains that hold: strangers can't push out what serves others by certificates of their own making.
        if validation.conclusion.is_passed()
            && let Some(chain) = &validation.judgement.chain
        {
            chain.links.iter().for_each(|link| self.certificates.keep(&link.certificate));
        }
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
