//! What an operator says of a token: where it is, how to log in, how many sessions and how long to wait.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;

use super::error::{KeyError, PinError};
use super::private_file;

/// Sessions, and so signing threads, that a pool opens unless told otherwise: one is kept free of bulk work.
pub const DEFAULT_SESSIONS: usize = 2;
/// Interactive jobs that may wait: at 50 µs a signature, a fifth of a second on one thread.
pub const DEFAULT_QUEUE_LENGTH: usize = 4096;
/// Bulk jobs that may wait: their submitter reads a file and can wait itself, so a short queue is enough.
pub const DEFAULT_BULK_QUEUE_LENGTH: usize = 1024;
/// How long one call into a module may take: RSA-4096 on a slow card takes 1 s.
pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// More threads than this never help: no module known scales further, and each holds a session of the token.
const MAX_SESSIONS: usize = 64;
/// A queue longer than this holds work that its submitters gave up on long ago.
const MAX_QUEUE_LENGTH: usize = 1 << 20;
/// Below this a healthy module on a busy machine would be taken for a hanging one.
const MIN_CALL_TIMEOUT: Duration = Duration::from_millis(50);
/// Above this a hanging module would go unnoticed.
const MAX_CALL_TIMEOUT: Duration = Duration::from_secs(300);
/// A PIN file larger than this is not a PIN file.
const MAX_PIN_BYTES: u64 = 1024;

/// A token as configured.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The name in messages, metrics and events: `service`, `ca`, `root`.
    pub name: String,
    /// Where the token is.
    pub tier: Tier,
    /// Where its user PIN, or the software tier's passphrase, is read from.
    pub pin: Pin,
    /// Signing threads, one session each; default 2.
    pub sessions: usize,
    /// Interactive jobs that may wait; default 4096.
    pub queue_length: usize,
    /// Bulk jobs that may wait; default 1024.
    pub bulk_queue_length: usize,
    /// How long one call into the module may take before its thread counts as lost; default 5 s.
    pub call_timeout: Duration,
}

impl TokenSettings {
    /// Settings with the defaults for all that concerns serving.
    #[must_use]
    pub fn new(name: impl Into<String>, tier: Tier, pin: Pin) -> Self {
        Self {
            name: name.into(),
            tier,
            pin,
            sessions: DEFAULT_SESSIONS,
            queue_length: DEFAULT_QUEUE_LENGTH,
            bulk_queue_length: DEFAULT_BULK_QUEUE_LENGTH,
            call_timeout: DEFAULT_CALL_TIMEOUT,
        }
    }

    /// Refuses what can't work, with the value and the bound.
    ///
    /// # Errors
    /// [`KeyError::Settings`].
    pub fn validate(&self) -> Result<(), KeyError> {
        let refuse = |reason: String| Err(KeyError::Settings { token: self.name.clone(), reason });
        if !(1..=MAX_SESSIONS).contains(&self.sessions) {
            return refuse(format!("sessions = {} is not within 1 to {MAX_SESSIONS}", self.sessions));
        }
        for (name, length) in [("queue_length", self.queue_length), ("bulk_queue_length", self.bulk_queue_length)] {
            if !(1..=MAX_QUEUE_LENGTH).contains(&length) {
                return refuse(format!("{name} = {length} is not within 1 to {MAX_QUEUE_LENGTH}"));
            }
        }
        if !(MIN_CALL_TIMEOUT..=MAX_CALL_TIMEOUT).contains(&self.call_timeout) {
            return refuse(format!(
                "call_timeout = {:?} is not within {MIN_CALL_TIMEOUT:?} to {MAX_CALL_TIMEOUT:?}",
                self.call_timeout
            ));
        }
        Ok(())
    }
}

/// Where a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tier {
    /// A PKCS#11 module and one of its tokens.
    Pkcs11 {
        /// The module's shared library.
        module: PathBuf,
        /// Which of its tokens.
        selector: TokenSelector,
    },
    /// A directory of encrypted PKCS#8 files: no hardware, for trials and tests.
    Software {
        /// The directory.
        directory: PathBuf,
    },
}

impl Tier {
    /// The tier without its place.
    #[must_use]
    pub fn kind(&self) -> TierKind {
        match self {
            Self::Pkcs11 { .. } => TierKind::Pkcs11,
            Self::Software { .. } => TierKind::Software,
        }
    }
}

/// A kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TierKind {
    /// Behind a PKCS#11 module.
    Pkcs11,
    /// Encrypted files.
    Software,
}

impl fmt::Display for TierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs11 => "pkcs11",
            Self::Software => "software",
        })
    }
}

/// Which token of a module. Slot numbers are no choice: they change when tokens come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSelector {
    /// The token with this label.
    Label(String),
    /// The token with this serial number.
    Serial(String),
}

impl fmt::Display for TokenSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "label {label:?}"),
            Self::Serial(serial) => write!(f, "serial {serial:?}"),
        }
    }
}

/// Where a PIN is read from, each time it is needed; it is never kept in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// A file that its owner alone can read; a trailing newline is dropped.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

impl Pin {
    /// Reads the PIN.
    ///
    /// # Errors
    /// A missing, empty, oversized or too widely readable file, or an unset variable.
    pub fn read(&self) -> Result<SecretString, PinError> {
        let text = match self {
            Self::File(path) => private_file::read_text(path, MAX_PIN_BYTES)?,
            Self::Variable(name) => {
                SecretString::from(std::env::var(name).map_err(|_| PinError::VariableUnset { name: name.clone() })?)
            }
        };
        private_file::without_newline(text).ok_or_else(|| PinError::Empty { place: self.to_string() })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn settings() -> TokenSettings {
        TokenSettings::new(
            "t",
            Tier::Software { directory: "/nowhere".into() },
            Pin::Variable("NOONMARK_NO_PIN".into()),
        )
    }

    #[test]
    fn bounds_are_held() {
        assert!(settings().validate().is_ok());
        for broken in [
            TokenSettings { sessions: 0, ..settings() },
            TokenSettings { sessions: 65, ..settings() },
            TokenSettings { queue_length: 0, ..settings() },
            TokenSettings { bulk_queue_length: MAX_QUEUE_LENGTH + 1, ..settings() },
            TokenSettings { call_timeout: Duration::from_millis(1), ..settings() },
        ] {
            assert!(matches!(broken.validate(), Err(KeyError::Settings { .. })), "{broken:?}");
        }
    }

    #[test]
    fn a_pin_file_is_read_only_if_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pin");
        let pin = Pin::File(path.clone());
        assert!(matches!(pin.read(), Err(PinError::Unreadable { .. })));
        std::fs::write(&path, "12 34\r\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = pin.read().unwrap_err();
        assert!(matches!(error, PinError::TooOpen { mode: 0o640, .. }), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(pin.read().unwrap().expose_secret(), "12 34");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(pin.read(), Err(PinError::Empty { .. })));
        std::fs::write(&path, vec![b'1'; 1025]).unwrap();
        assert!(matches!(pin.read(), Err(PinError::TooLarge { .. })));
        assert!(matches!(settings().pin.read(), Err(PinError::VariableUnset { .. })));
    }
}
