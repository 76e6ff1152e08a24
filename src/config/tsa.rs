//! `[tsa.NAME]`: timestamping profiles.

use serde::{Deserialize, Serialize};

use super::ConfigurationError;
use crate::asn1::Oid;
use crate::ca::registry::is_valid_name;
use crate::crypto::DigestAlgorithm;
use crate::tsa::Profile;

/// A timestamping profile as it is written in the file, and kept in the store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TsaSection {
    /// Policy OIDs; the first is given to a request that names none.
    pub policies: Vec<String>,
    /// Imprint hashes accepted. Default sha256, sha384, sha512, sha3-256, sha3-384, sha3-512.
    #[serde(default = "default_hashes")]
    pub hashes: Vec<String>,
    /// The accuracy declared in tokens, in microseconds. Default 1000000, one second.
    #[serde(default = "default_accuracy_us")]
    pub accuracy_us: u32,
    /// Digits after the second in genTime, 0 to 6. Default 3.
    #[serde(default = "default_precision_digits")]
    pub precision_digits: u8,
    /// Whether tokens are ordered among themselves; needs precision_digits = 6. Default false.
    #[serde(default)]
    pub ordering: bool,
    /// Whether tokens name the TSU. Default true.
    #[serde(default = "default_true")]
    pub tsa_name: bool,
    /// Whether tokens carry the qualified statement (EN 319 422 §9.1). Default false.
    #[serde(default)]
    pub qualified: bool,
    /// Whether the ledger keeps whole tokens. Default false: their SHA-256 alone.
    #[serde(default)]
    pub keep_tokens: bool,
    /// Callers that may ask, by the names of [caller.NAME]. Default everybody.
    #[serde(default)]
    pub callers: Vec<String>,
    /// The signature algorithm of an RSA key: `pkcs1` or `pss`. Default `pkcs1`.
    #[serde(default)]
    pub rsa_padding: RsaPadding,
    /// Whether a SHA-1 imprint may be accepted; never by default (CSBR 6.8).
    #[serde(default)]
    pub allow_sha1: bool,
}

/// An RSA key's padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RsaPadding {
    /// RSASSA-PKCS1-v1_5.
    #[default]
    Pkcs1,
    /// RSASSA-PSS.
    Pss,
}

fn default_hashes() -> Vec<String> {
    DigestAlgorithm::ALL
        .into_iter()
        .filter(|hash| *hash != DigestAlgorithm::Sha1)
        .map(|hash| hash.name().to_owned())
        .collect()
}

fn default_accuracy_us() -> u32 {
    1_000_000
}

fn default_precision_digits() -> u8 {
    3
}

fn default_true() -> bool {
    true
}

impl TsaSection {
    /// The profile that this section describes.
    ///
    /// # Errors
    /// Values that can't be kept together.
    pub fn profile(&self, name: &str) -> Result<Profile, ConfigurationError> {
        let section = || format!("[tsa.{name}]");
        let policies = self.policies.iter().map(|text| text.parse::<Oid>()).collect::<Result<Vec<_>, _>>();
        let hashes = self.hashes.iter().map(|text| text.parse::<DigestAlgorithm>()).collect::<Result<Vec<_>, _>>();
        let profile = Profile {
            name: name.to_owned(),
            policies: policies.map_err(|error| ConfigurationError::refused(section(), error))?,
            hashes: hashes.map_err(|error| ConfigurationError::refused(section(), error))?,
            accuracy_us: self.accuracy_us,
            fraction_digits: self.precision_digits,
            ordering: self.ordering,
            include_tsa_name: self.tsa_name,
            qualified: self.qualified,
            keep_tokens: self.keep_tokens,
            callers: self.callers.clone(),
        };
        if profile.hashes.contains(&DigestAlgorithm::Sha1) && !self.allow_sha1 {
            return Err(ConfigurationError::refused(
                section(),
                "hashes names sha1, and a SHA-1 imprint shall be rejected (CSBR 6.8); set allow_sha1 = true to accept it all the same",
            ));
        }
        if let Some(odd) = self.callers.iter().find(|caller| !is_valid_name(caller)) {
            return Err(ConfigurationError::refused(
                section(),
                format!("callers names {odd:?}, which nobody can have: names match [a-z][a-z0-9-]{{0,39}}"),
            ));
        }
        profile.check().map_err(|error| ConfigurationError::refused(section(), error))?;
        Ok(profile)
    }
}
