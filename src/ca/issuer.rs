//! How an issuer is answered for.

use serde::{Deserialize, Serialize};

use super::crl_settings::{CrlSettings, CrlSettingsError};
use super::external_crl::{ExternalCrlError, ExternalCrlSettings};
use crate::store::CertIdHash;

/// What an answer says of a serial number that was never issued (RFC 6960 §2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotIssuedAnswer {
    /// `unknown`.
    #[default]
    Unknown,
    /// `revoked`, on hold since 1970, with id-pkix-ocsp-extended-revoke.
    Revoked,
}

/// An issuer's settings, as the store keeps them (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerSettings {
    /// How long an answer holds, in seconds.
    pub validity_s: u32,
    /// For which hashes answers are signed ahead; an empty list signs on demand alone.
    pub ahead: Vec<CertIdHash>,
    /// Whether a nonce of 16 octets or more gets an answer of its own; otherwise the stored one (RFC 9919).
    pub answer_nonce: bool,
    /// What is said of serial numbers that were never issued.
    pub not_issued: NotIssuedAnswer,
    /// Whether answers carry ArchiveCutoff, the issuer's notBefore (EN 319 411-2 CSS-6.3.10-10).
    pub archive_cutoff: bool,
    /// How its CRLs are made, where its key is here.
    pub crl: CrlSettings,
    /// Where an external issuer's CRLs are fetched, and what they count for in answers.
    pub external_crl: ExternalCrlSettings,
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            validity_s: 3 * 24 * 3_600,
            ahead: vec![CertIdHash::Sha1],
            answer_nonce: true,
            not_issued: NotIssuedAnswer::Unknown,
            archive_cutoff: false,
            crl: CrlSettings::default(),
            external_crl: ExternalCrlSettings::default(),
        }
    }
}

/// Settings that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerSettingsError {
    /// Not the JSON of settings.
    #[error("the issuer's settings do not read: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// A validity that no answer should have.
    #[error(
        "validity_s = {validity_s}: an answer holds for {MIN_VALIDITY_S} s to {MAX_VALIDITY_S} s (TLS BR 4.9.9 wants 8 hours to 10 days)"
    )]
    Validity {
        /// What was asked for.
        validity_s: u32,
    },
    /// CRLs.
    #[error(transparent)]
    Crl(#[from] CrlSettingsError),
    /// CRLs that can't be fetched so.
    #[error(transparent)]
    ExternalCrl(#[from] ExternalCrlError),
}

/// Short enough for trials; public CAs must stay at 8 hours or above.
pub const MIN_VALIDITY_S: u32 = 10;
/// Ten days (TLS BR 4.9.9).
pub const MAX_VALIDITY_S: u32 = 10 * 24 * 3_600;
/// A new answer is ready four days after the last at the latest (TLS BR 4.9.10).
const MAX_AGE_S: i64 = 4 * 24 * 3_600;

impl IssuerSettings {
    /// From the store's text.
    ///
    /// # Errors
    /// Text that is no settings, or settings out of bounds.
    pub fn from_json(text: &str) -> Result<Self, IssuerSettingsError> {
        let settings: Self =
            serde_json::from_str(text).map_err(|error| IssuerSettingsError::Malformed { reason: error.to_string() })?;
        settings.checked()
    }

    /// Within bounds.
    ///
    /// # Errors
    /// They are not.
    pub fn checked(mut self) -> Result<Self, IssuerSettingsError> {
        if !(MIN_VALIDITY_S..=MAX_VALIDITY_S).contains(&self.validity_s) {
            return Err(IssuerSettingsError::Validity { validity_s: self.validity_s });
        }
        self.crl = self.crl.checked()?;
        self.external_crl.check()?;
        Ok(self)
    }

    /// For the store.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers, words and flags always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// When a new answer is due, in seconds since 1970: at half of its time, which is 8 hours before its end for every
    /// validity of 16 hours and more, and four days after its beginning at the latest (TLS BR 4.9.10).
    #[must_use]
    pub fn renewed_at_s(&self, this_update_s: i64, next_update_s: i64) -> i64 {
        this_update_s + ((next_update_s - this_update_s) / 2).min(MAX_AGE_S)
    }

    /// How old an answer may be before a new one is due, in seconds.
    #[must_use]
    pub fn renewal_age_s(&self) -> i64 {
        (i64::from(self.validity_s) / 2).min(MAX_AGE_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_the_store_and_nonsense_is_refused() {
        let settings = IssuerSettings { validity_s: 7_200, answer_nonce: false, ..IssuerSettings::default() };
        assert_eq!(IssuerSettings::from_json(&settings.to_json()), Ok(settings));
        assert!(matches!(IssuerSettings::from_json("{\"validity\": 1}"), Err(IssuerSettingsError::Malformed { .. })));
        assert!(matches!(IssuerSettings::from_json("{\"validity_s\": 1}"), Err(IssuerSettingsError::Validity { .. })));
        assert!(matches!(
            IssuerSettings::from_json("{\"validity_s\": 864001}"),
            Err(IssuerSettingsError::Validity { validity_s: 864_001 })
        ));
    }

    #[test]
    fn answers_are_renewed_as_the_baseline_requirements_want() {
        let settings = IssuerSettings { validity_s: MAX_VALIDITY_S, ..IssuerSettings::default() };
        assert_eq!(settings.renewed_at_s(0, i64::from(MAX_VALIDITY_S)), MAX_AGE_S);
        let settings = IssuerSettings { validity_s: 16 * 3_600, ..IssuerSettings::default() };
        assert_eq!(settings.renewed_at_s(0, 16 * 3_600), 8 * 3_600, "8 hours before the end");
        assert_eq!(settings.renewal_age_s(), 8 * 3_600);
    }
}
