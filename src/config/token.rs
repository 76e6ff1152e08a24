//! `[token.NAME]`: where keys live.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{Configuration, ConfigurationError};
use crate::keys::{Pin, Tier, TokenSelector, TokenSettings};

/// What guards the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TierName {
    /// A PKCS#11 token.
    Pkcs11,
    /// Encrypted files; no hardware.
    Software,
}

/// A token: the keys of one role, behind one PIN.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSection {
    /// `pkcs11` or `software`.
    pub tier: TierName,
    /// The PKCS#11 module's path. Only for `pkcs11`.
    #[serde(default)]
    pub module: Option<PathBuf>,
    /// The token's label. One of label and serial, for `pkcs11`.
    #[serde(default)]
    pub label: Option<String>,
    /// The token's serial number.
    #[serde(default)]
    pub serial: Option<String>,
    /// The directory of the encrypted keys. Only for `software`.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// A file that holds the PIN (or passphrase); not readable by others. One of pin_file and pin_variable.
    #[serde(default)]
    pub pin_file: Option<PathBuf>,
    /// An environment variable that holds the PIN.
    #[serde(default)]
    pub pin_variable: Option<String>,
    /// Sessions, each with a thread of its own. Default 2; as many as the token signs in parallel.
    #[serde(default = "default_sessions")]
    pub sessions: usize,
    /// Requests that wait for a signature at most. Default 4096.
    #[serde(default = "default_queue_length")]
    pub queue_length: usize,
    /// Bulk jobs that wait for a signature at most. Default 65536.
    #[serde(default = "default_bulk_queue_length")]
    pub bulk_queue_length: usize,
    /// Milliseconds after which a call into the module counts as hanging. Default 5000.
    #[serde(default = "default_call_timeout_ms")]
    pub call_timeout_ms: u64,
}

fn default_sessions() -> usize {
    2
}

fn default_queue_length() -> usize {
    4_096
}

fn default_bulk_queue_length() -> usize {
    65_536
}

fn default_call_timeout_ms() -> u64 {
    5_000
}

/// The most sessions a pool may hold, as `keys` has it: beyond it lie threads that no token keeps busy.
const MAX_SESSIONS: usize = 64;

impl TokenSection {
    pub(super) fn check(&self, name: &str) -> Result<(), ConfigurationError> {
        let refuse = |reason: String| Err(ConfigurationError::refused(format!("[token.{name}]"), reason));
        match self.tier {
            TierName::Pkcs11 => {
                if self.module.is_none() {
                    return refuse("tier = \"pkcs11\" needs module = \"PATH\"".to_owned());
                }
                if self.label.is_some() == self.serial.is_some() {
                    return refuse("name the token by exactly one of label and serial".to_owned());
                }
                if self.directory.is_some() {
                    return refuse("directory is only for tier = \"software\"".to_owned());
                }
            }
            TierName::Software => {
                if self.directory.is_none() {
                    return refuse("tier = \"software\" needs directory = \"PATH\"".to_owned());
                }
                if self.module.is_some() || self.label.is_some() || self.serial.is_some() {
                    return refuse("module, label and serial are only for tier = \"pkcs11\"".to_owned());
                }
            }
        }
        if self.pin_file.is_some() == self.pin_variable.is_some() {
            return refuse("name the PIN by exactly one of pin_file and pin_variable".to_owned());
        }
        if !(1..=MAX_SESSIONS).contains(&self.sessions) {
            return refuse(format!("sessions = {} must lie between 1 and {MAX_SESSIONS}", self.sessions));
        }
        if self.queue_length == 0 || self.bulk_queue_length == 0 || self.call_timeout_ms < 100 {
            return refuse(
                "queue_length and bulk_queue_length must be at least 1, call_timeout_ms at least 100".to_owned(),
            );
        }
        Ok(())
    }
}

impl Configuration {
    /// The settings of a token.
    ///
    /// # Errors
    /// A token that is not configured.
    pub fn token_settings(&self, name: &str) -> Result<TokenSettings, ConfigurationError> {
        let section = self
            .token
            .get(name)
            .ok_or_else(|| ConfigurationError::refused(format!("[token.{name}]"), "this token is not configured"))?;
        let tier = match section.tier {
            TierName::Pkcs11 => Tier::Pkcs11 {
                module: self.path(section.module.as_deref().unwrap_or(std::path::Path::new(""))),
                selector: match (&section.label, &section.serial) {
                    (Some(label), _) => TokenSelector::Label(label.clone()),
                    (None, serial) => TokenSelector::Serial(serial.clone().unwrap_or_default()),
                },
            },
            TierName::Software => Tier::Software {
                directory: self.path(section.directory.as_deref().unwrap_or(std::path::Path::new(""))),
            },
        };
        let pin = match (&section.pin_file, &section.pin_variable) {
            (Some(file), _) => Pin::File(self.path(file)),
            (None, variable) => Pin::Variable(variable.clone().unwrap_or_default()),
        };
        Ok(TokenSettings {
            name: name.to_owned(),
            tier,
            pin,
            sessions: section.sessions,
            queue_length: section.queue_length,
            bulk_queue_length: section.bulk_queue_length,
            call_timeout: Duration::from_millis(section.call_timeout_ms),
        })
    }
}
