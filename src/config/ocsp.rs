//! `[ocsp]`: the OCSP responder. What is answered for an issuer stands in the store, see `noonmark issuer`.

use serde::Deserialize;

use super::ConfigurationError;

/// The OCSP responder of this server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OcspSection {
    /// Answers held in memory, in MiB; an answer is about 1.3 KiB. Default 64.
    pub cache_mib: u32,
}

impl Default for OcspSection {
    fn default() -> Self {
        Self { cache_mib: 64 }
    }
}

/// More than any machine of today should give to it: a slip of the finger is refused.
const MAX_CACHE_MIB: u32 = 1_048_576;

impl OcspSection {
    pub(super) fn check(&self) -> Result<(), ConfigurationError> {
        if self.cache_mib == 0 || self.cache_mib > MAX_CACHE_MIB {
            let reason = format!("cache_mib = {} is out of bounds; 1 to {MAX_CACHE_MIB}", self.cache_mib);
            return Err(ConfigurationError::refused("[ocsp]", reason));
        }
        Ok(())
    }

    /// The bound in octets.
    #[must_use]
    pub fn cache_octets(&self) -> u64 {
        u64::from(self.cache_mib) * 1_048_576
    }
}
