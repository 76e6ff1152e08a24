//! `[caller.NAME]`: callers that are known by name.

use serde::Deserialize;

use super::ConfigurationError;

/// A caller and what it shows: hashes only, no secret stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerSection {
    /// SHA-256, in hexadecimal, of its bearer token or of its Basic password (the user being the caller's name).
    #[serde(default)]
    pub secret_sha256: Option<String>,
    /// SHA-256, in hexadecimal, of its TLS client certificate (DER).
    #[serde(default)]
    pub certificate_sha256: Option<String>,
}

impl CallerSection {
    /// The hash of its secret.
    #[must_use]
    pub fn secret(&self) -> Option<[u8; 32]> {
        self.secret_sha256.as_deref().and_then(decode)
    }

    /// The hash of its certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<[u8; 32]> {
        self.certificate_sha256.as_deref().and_then(decode)
    }

    pub(super) fn check(&self, name: &str) -> Result<(), ConfigurationError> {
        let refuse = |reason: &str| Err(ConfigurationError::refused(format!("[caller.{name}]"), reason));
        if !crate::ca::registry::is_valid_name(name) {
            return refuse("a caller's name must match [a-z][a-z0-9-]{0,39}");
        }
        if self.secret_sha256.is_none() && self.certificate_sha256.is_none() {
            return refuse("name secret_sha256 or certificate_sha256; a caller without either can't be told");
        }
        for (key, text) in [("secret_sha256", &self.secret_sha256), ("certificate_sha256", &self.certificate_sha256)] {
            if text.as_deref().is_some_and(|text| decode(text).is_none()) {
                return refuse(&format!("{key} is not 64 hexadecimal digits"));
            }
        }
        Ok(())
    }
}

fn decode(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}
