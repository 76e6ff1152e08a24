//! Certificates that were read and found good, kept from one document to the next by the digest of their octets.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::certificate::Certificate;

/// A longer certificate is read anew: real ones are shorter, and what is kept takes memory.
const MAX_KEPT_OCTETS: usize = 8 * 1024;

/// What is kept, bounded by number; the least used goes first. With a certificate stay its parsed key, its names in words and
/// the key under which its signature holds.
pub(crate) struct CertificateMemory {
    kept: Cache<[u8; 32], Arc<Certificate>>,
}

impl CertificateMemory {
    /// Keeps up to so many.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { kept: Cache::new(capacity) }
    }

    /// The certificate whose octets have this SHA-256.
    pub(crate) fn get(&self, sha256: &[u8; 32]) -> Option<Arc<Certificate>> {
        self.kept.get(sha256)
    }

    /// Keeps a certificate.
    pub(crate) fn keep(&self, certificate: &Arc<Certificate>) {
        if certificate.der().len() <= MAX_KEPT_OCTETS {
            self.kept.insert(*certificate.sha256(), Arc::clone(certificate));
        }
    }
}
