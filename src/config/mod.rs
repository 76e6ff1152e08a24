//! The configuration: `noonmark.toml`, then the environment, then flags. A file a section.
//!
//! Owns: what can be configured, its defaults and the refusal of combinations that can't be kept.
//! Does not own: what stands in the store (certificates, keys' states, the ledger).
//! Enter by [`Configuration::load`]. Every field is documented in deploy/noonmark.toml, which a test parses.

mod caller;
mod clock;
mod http;
mod log;
mod ocsp;
mod store;
mod token;
mod tsa;
mod verification;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use caller::CallerSection;
pub use clock::{ClockSection, ClockSource};
pub use http::{HttpSection, TlsSection};
pub use log::{LogFormat, LogSection};
pub use ocsp::OcspSection;
pub use store::StoreSection;
pub use token::{TierName, TokenSection};
pub use tsa::{RsaPadding, TsaSection};
pub use verification::VerificationSection;

/// The configuration file's name within an installation's directory.
pub const FILE_NAME: &str = "noonmark.toml";

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// There is no installation here.
    #[error("{} does not exist; make an installation with `noonmark init --dir {}` (or name another with --dir)", path.display(), directory.display())]
    Missing {
        /// The file looked for.
        path: PathBuf,
        /// The directory looked in.
        directory: PathBuf,
    },
    /// The file or a variable does not parse.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the library says, with the key's name.
        source: Box<config::ConfigError>,
    },
    /// A value, or two together, can't be served.
    #[error("{section}: {reason}")]
    Refused {
        /// The section's name as written in the file.
        section: String,
        /// What is wrong, with the values.
        reason: String,
    },
}

impl ConfigurationError {
    pub(crate) fn refused(section: impl Into<String>, reason: impl ToString) -> Self {
        Self::Refused { section: section.into(), reason: reason.to_string() }
    }
}

/// A whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The installation's directory; relative paths in the file start here. Never in the file itself.
    #[serde(skip)]
    pub directory: PathBuf,
    /// The URL under which clients reach this service; it stands in certificates.
    #[serde(default = "default_public_url")]
    pub public_url: String,
    /// The HTTP service.
    #[serde(default)]
    pub http: HttpSection,
    /// The OCSP responder.
    #[serde(default)]
    pub ocsp: OcspSection,
    /// Where records and certificates are kept.
    #[serde(default)]
    pub store: StoreSection,
    /// Where trust in the time comes from.
    #[serde(default)]
    pub clock: ClockSection,
    /// The verification of what others signed.
    #[serde(default)]
    pub verification: VerificationSection,
    /// What is logged and how.
    #[serde(default)]
    pub log: LogSection,
    /// Environment variables that a PKCS#11 module reads, `SOFTHSM2_CONF` for instance; relative paths stay as written.
    #[serde(default)]
    pub module_environment: BTreeMap<String, String>,
    /// Tokens by name: service, ca, root.
    #[serde(default)]
    pub token: BTreeMap<String, TokenSection>,
    /// Timestamping profiles by name.
    #[serde(default)]
    pub tsa: BTreeMap<String, TsaSection>,
    /// Callers that are known by name.
    #[serde(default)]
    pub caller: BTreeMap<String, CallerSection>,
}

fn default_public_url() -> String {
    "http://127.0.0.1:3161".to_owned()
}

/// Variables with this prefix are read: `NOONMARK_HTTP__LISTEN`, `NOONMARK_PUBLIC_URL`.
const PREFIX: &str = "NOONMARK_";

impl Configuration {
    /// Reads the file in `directory`, then the environment, and refuses what can't be served.
    ///
    /// # Errors
    /// A missing file, an unknown key, a value out of bounds.
    pub fn load(directory: &Path) -> Result<Self, ConfigurationError> {
        let path = directory.join(FILE_NAME);
        if !path.exists() {
            return Err(ConfigurationError::Missing { path, directory: directory.to_owned() });
        }
        let parse = |source| ConfigurationError::Parse { path: path.clone(), source: Box::new(source) };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ConfigurationError::refused(path.display().to_string(), error))?;
        Self::from_parts(directory, &text, std::env::vars()).map_err(|error| match error {
            PartsError::Library(source) => parse(source),
            PartsError::Refused(error) => error,
        })
    }

    fn from_parts(
        directory: &Path,
        text: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, PartsError> {
        let variables: HashMap<String, String> = variables
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value)))
            .filter(|(name, _)| name.contains("__") || name == "PUBLIC_URL")
            .collect();
        let environment = config::Environment::default()
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("http.listen")
            .with_list_parse_key("clock.servers")
            .with_list_parse_key("http.trusted_proxies")
            .with_list_parse_key("verification.anchors")
            .with_list_parse_key("verification.held")
            .with_list_parse_key("verification.fetch_hosts")
            .source(Some(variables));
        let mut configuration: Self = config::Config::builder()
            .add_source(config::File::from_str(text, config::FileFormat::Toml))
            .add_source(environment)
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(PartsError::Library)?;
        configuration.directory = directory.to_owned();
        configuration.check().map_err(PartsError::Refused)?;
        Ok(configuration)
    }

    /// Reads a configuration's text as it would be in `directory`, without the environment.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_text(directory: &Path, text: &str) -> Result<Self, ConfigurationError> {
        Self::from_parts(directory, text, std::iter::empty()).map_err(|error| match error {
            PartsError::Library(source) => {
                ConfigurationError::Parse { path: directory.join(FILE_NAME), source: Box::new(source) }
            }
            PartsError::Refused(error) => error,
        })
    }

    /// A path as the file means it: relative ones start at the installation's directory.
    #[must_use]
    pub fn path(&self, written: &Path) -> PathBuf {
        self.directory.join(written)
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        let url = url::Url::parse(&self.public_url)
            .map_err(|error| ConfigurationError::refused("public_url", format!("{:?}: {error}", self.public_url)))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || url.query().is_some() {
            return Err(ConfigurationError::refused(
                "public_url",
                format!("{:?} is not an http or https URL with a host and without a query", self.public_url),
            ));
        }
        self.http.check()?;
        self.clock.check()?;
        self.ocsp.check()?;
        self.verification.check()?;
        for (name, section) in &self.token {
            section.check(name)?;
        }
        for (name, section) in &self.tsa {
            let profile = section.profile(name)?;
            if i64::from(profile.accuracy_us) < i64::from(self.clock.max_error_us()) {
                return Err(ConfigurationError::refused(
                    format!("[tsa.{name}]"),
                    format!(
                        "accuracy_us = {} promises more than [clock] max_error_us = {} guards",
                        profile.accuracy_us,
                        self.clock.max_error_us()
                    ),
                ));
            }
        }
        for (name, section) in &self.caller {
            section.check(name)?;
        }
        Ok(())
    }
}

enum PartsError {
    Library(config::ConfigError),
    Refused(ConfigurationError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Configuration, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Configuration::from_parts(Path::new("/x"), text, variables).map_err(|error| match error {
            PartsError::Library(error) => error.to_string(),
            PartsError::Refused(error) => error.to_string(),
        })
    }

    #[test]
    fn the_annotated_example_is_the_default_configuration() {
        let text = include_str!("../../deploy/noonmark.toml");
        let configuration = load(text, &[]).unwrap();
        assert!(configuration.tsa.contains_key("default"));
        assert_eq!(configuration.http, HttpSection::default());
        assert_eq!(configuration.log, LogSection::default());
        assert_eq!(configuration.ocsp, OcspSection::default());
        assert_eq!(configuration.verification, VerificationSection::default());
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let text = "[http]\nlisten = [\"127.0.0.1:1\"]\n";
        let variables =
            [("NOONMARK_HTTP__LISTEN", "127.0.0.1:2,127.0.0.1:3"), ("NOONMARK_DIR", "/y"), ("NOONMARK_CORPUS", "z")];
        let configuration = load(text, &variables).unwrap();
        assert_eq!(configuration.http.listen, ["127.0.0.1:2", "127.0.0.1:3"]);
        let configuration = load("", &[("NOONMARK_PUBLIC_URL", "https://tsa.example.org")]).unwrap();
        assert_eq!(configuration.public_url, "https://tsa.example.org");
    }

    #[test]
    fn refuses_unknown_keys_and_impossible_values() {
        assert!(load("[http]\nlisten_on = 1\n", &[]).unwrap_err().contains("listen_on"));
        assert!(load("public_url = \"ftp://x\"\n", &[]).unwrap_err().contains("public_url"));
        let ordering = "[tsa.x]\npolicies = [\"1.2.3\"]\nordering = true\nprecision_digits = 3\n";
        assert!(load(ordering, &[]).unwrap_err().contains("precision_digits = 6"));
        let accuracy = "[clock]\nmax_error_us = 900000\n[tsa.x]\npolicies = [\"1.2.3\"]\naccuracy_us = 500000\n";
        let error = load(accuracy, &[]).unwrap_err();
        assert!(error.contains("500000") && error.contains("900000"), "{error}");
        let octets = "[verification]\nmax_pending_octets = 100000000\n";
        let error = load(octets, &[]).unwrap_err();
        assert!(error.contains("100000000") && error.contains("251658240"), "{error}");
        let host = "[verification]\nfetch_hosts = [\"crl.*.org\"]\n";
        assert!(load(host, &[]).unwrap_err().contains("crl.*.org"));
        // A caller without a section may have an API key, which the store knows; `check` says so if nobody has the name.
        let caller = "[tsa.x]\npolicies = [\"1.2.3\"]\ncallers = [\"acme\"]\n";
        assert!(load(caller, &[]).is_ok());
        assert!(load(&caller.replace("acme", "Acme AG"), &[]).unwrap_err().contains("\"Acme AG\""));
    }
}
