//! Where an external issuer's CRLs are fetched, and what they count for.

use serde::{Deserialize, Serialize};

/// Whose word on a certificate's status is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswersFrom {
    /// The registry's alone. CRLs that are fetched wait for the verifier.
    #[default]
    Registry,
    /// The CRL's: what it lists is revoked, what it does not list is good if the registry knows it.
    Crl,
    /// The CRL's alone: what it does not list is good, whether it was ever issued or not. RFC 6960 §2.2 allows it, public
    /// CAs must not (TLS BR 4.9.9).
    CrlAnySerial,
}

/// Where an external issuer's CRLs are fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExternalCrlSettings {
    /// URLs of one and the same complete CRL, tried in this order. Empty: nothing is fetched.
    pub urls: Vec<String>,
    /// URLs of one and the same delta CRL, tried in this order.
    pub delta_urls: Vec<String>,
    /// How often they are fetched, in seconds.
    pub interval_s: u32,
    /// Whose word is given.
    pub answers: AnswersFrom,
}

impl Default for ExternalCrlSettings {
    fn default() -> Self {
        Self { urls: Vec::new(), delta_urls: Vec::new(), interval_s: 3_600, answers: AnswersFrom::Registry }
    }
}

/// Short enough for trials; somebody else's server is asked no more often.
pub const MIN_CRL_INTERVAL_S: u32 = 5;
/// A CRL that is looked at less often than once a week is stale more often than not (TLS BR 4.9.7: issued every 7 days).
pub const MAX_CRL_INTERVAL_S: u32 = 7 * 24 * 3_600;
/// Mirrors of one CRL: the largest CAs name two.
pub const MAX_CRL_URLS: usize = 8;
/// Octets of a URL: what HTTP servers commonly take (RFC 9110 §4.1 wants 8,000 understood, none is seen above 300).
pub const MAX_CRL_URL_OCTETS: usize = 2_000;

/// CRLs that can't be fetched so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalCrlError {
    /// A URL that is not fetched.
    #[error(
        "{url:?} is no URL that a CRL is fetched from: http or https, a host, no user and no fragment, {MAX_CRL_URL_OCTETS} octets at most"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// Too many mirrors.
    #[error("{count} URLs of one CRL; at most {MAX_CRL_URLS} are tried")]
    TooManyUrls {
        /// How many were given.
        count: usize,
    },
    /// An interval that helps nobody.
    #[error("interval_s = {interval_s}: a CRL is fetched every {MIN_CRL_INTERVAL_S} to {MAX_CRL_INTERVAL_S} seconds")]
    Interval {
        /// What was asked for.
        interval_s: u32,
    },
    /// Deltas alone say nothing of what they do not list.
    #[error("a delta CRL is used over a complete one: give the URL of that as well")]
    DeltaAlone,
    /// Answers from a CRL that is not fetched.
    #[error("answers from a CRL need the URL of one")]
    AnswersWithoutUrl,
    /// The issuer's CRLs are made here.
    #[error("this issuer is Noonmark's own: its CRLs are made here, not fetched")]
    OwnIssuer,
}

impl ExternalCrlSettings {
    /// Whether anything is fetched.
    #[must_use]
    pub fn is_fetched(&self) -> bool {
        !self.urls.is_empty()
    }

    /// Every URL, the complete CRL's first.
    pub fn all_urls(&self) -> impl Iterator<Item = &String> {
        self.urls.iter().chain(&self.delta_urls)
    }

    pub(super) fn check(&self) -> Result<(), ExternalCrlError> {
        for urls in [&self.urls, &self.delta_urls] {
            if urls.len() > MAX_CRL_URLS {
                return Err(ExternalCrlError::TooManyUrls { count: urls.len() });
            }
            if let Some(url) = urls.iter().find(|url| !is_fetchable(url)) {
                return Err(ExternalCrlError::Url { url: url.chars().take(100).collect() });
            }
        }
        if !(MIN_CRL_INTERVAL_S..=MAX_CRL_INTERVAL_S).contains(&self.interval_s) {
            return Err(ExternalCrlError::Interval { interval_s: self.interval_s });
        }
        if self.urls.is_empty() {
            if !self.delta_urls.is_empty() {
                return Err(ExternalCrlError::DeltaAlone);
            }
            if self.answers != AnswersFrom::Registry {
                return Err(ExternalCrlError::AnswersWithoutUrl);
            }
        }
        Ok(())
    }
}

/// Secrets have no place in a URL that the ledger and the API show.
fn is_fetchable(text: &str) -> bool {
    text.len() <= MAX_CRL_URL_OCTETS
        && url::Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host_str().is_some_and(|host| !host.is_empty())
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(urls: &[&str]) -> ExternalCrlSettings {
        ExternalCrlSettings {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            ..ExternalCrlSettings::default()
        }
    }

    #[test]
    fn urls_are_http_and_carry_no_secrets() {
        assert_eq!(at(&["http://crl.example.org/ca.crl", "https://[::1]:8080/a%20b?x=1"]).check(), Ok(()));
        for url in [
            "",
            "ca.crl",
            "ldap://x/cn=ca",
            "file:///etc/passwd",
            "http://",
            "http://user@x/",
            "http://:secret@x/",
            "http://x/#part",
            &format!("http://x/{}", "a".repeat(MAX_CRL_URL_OCTETS)),
        ] {
            assert!(matches!(at(&[url]).check(), Err(ExternalCrlError::Url { .. })), "{url}");
        }
        assert_eq!(at(&["http://x/"; 9]).check(), Err(ExternalCrlError::TooManyUrls { count: 9 }));
    }

    #[test]
    fn what_helps_nobody_is_refused() {
        let some = at(&["http://x/"]);
        for interval_s in [0, 4, MAX_CRL_INTERVAL_S + 1] {
            let settings = ExternalCrlSettings { interval_s, ..some.clone() };
            assert_eq!(settings.check(), Err(ExternalCrlError::Interval { interval_s }));
        }
        let delta = ExternalCrlSettings { delta_urls: some.urls.clone(), ..ExternalCrlSettings::default() };
        assert_eq!(delta.check(), Err(ExternalCrlError::DeltaAlone));
        let answers = ExternalCrlSettings { answers: AnswersFrom::Crl, ..ExternalCrlSettings::default() };
        assert_eq!(answers.check(), Err(ExternalCrlError::AnswersWithoutUrl));
        assert_eq!(ExternalCrlSettings { answers: AnswersFrom::CrlAnySerial, ..some }.check(), Ok(()));
    }
}
