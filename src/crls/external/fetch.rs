//! A CRL's octets over HTTP, into a file: bounded in octets, in time and in redirections.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, header};
use url::Url;

/// What a fetch may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Octets of a CRL.
    pub octets: u64,
    /// From the first packet to the last octet, redirections included.
    pub time: Duration,
}

impl Default for FetchLimits {
    /// 256 MiB: the largest CRLs in the field are of some tens, and six million entries of 40 octets fit. A minute: that
    /// is the time in which a tenth of it comes over a line of 4 MiB a second.
    fn default() -> Self {
        Self { octets: 256 * 1024 * 1024, time: Duration::from_secs(60) }
    }
}

/// Redirections that are followed: a CA that moved its CRL needs one, a content network one more.
pub const MAX_REDIRECTS: usize = 3;
/// Octets read at a time.
const CHUNK: usize = 64 * 1024;
/// Characters of a validator that is kept; real ones have up to 70.
const MAX_VALIDATOR: usize = 256;

/// Why a URL gave no CRL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, no HTTP, or it broke off.
    #[error("it can't be fetched: {reason}")]
    Failed {
        /// What the library says.
        reason: String,
    },
    /// Another answer than 200 or 304.
    #[error("it is answered with HTTP {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// 304 to a request without a condition.
    #[error("it is answered with HTTP 304, though nothing of it is here")]
    NotModifiedUnasked,
    /// Too many redirections.
    #[error("it redirects more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    /// A redirection that leads nowhere, or not to HTTP.
    #[error("it redirects to {location:?}, which is not fetched")]
    Redirect {
        /// Where to, cut short.
        location: String,
    },
    /// Larger than allowed.
    #[error("it has more than {limit} octets")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Not there in time.
    #[error("it did not come within {} seconds", limit.as_secs_f32())]
    TooSlow {
        /// The limit.
        limit: Duration,
    },
    /// PEM (RFC 5280 §4.2.1.13: "the DER encoded CRL").
    #[error("it is PEM; a CRL is published in DER (RFC 5280 §4.2.1.13)")]
    Pem,
    /// A web page, for instance.
    #[error("it does not begin as DER does; a web page stands there perhaps")]
    NotDer,
    /// The file could not be written.
    #[error("it could not be kept: {0}")]
    File(std::io::Error),
}

/// What makes the next request conditional (RFC 9110 §13.1). It counts for the URL that gave it, since mirrors differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validators {
    /// The URL.
    pub url: String,
    /// ETag.
    pub etag: Option<String>,
    /// Last-Modified.
    pub last_modified: Option<String>,
}

impl Validators {
    fn read(url: &str, headers: &HeaderMap) -> Self {
        let text = |name| {
            let text = headers.get(name)?.to_str().ok()?;
            is_validator(text).then(|| text.to_owned())
        };
        Self { url: url.to_owned(), etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
    }

    /// Whether they can stand in a request: they come back from a file.
    pub(super) fn are_sound(&self) -> bool {
        [&self.etag, &self.last_modified].into_iter().flatten().all(|text| is_validator(text))
    }
}

fn is_validator(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_VALIDATOR && text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
}

/// What a URL gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// What is here is what it has.
    NotModified,
    /// Octets, now in the file, which nobody has looked at yet.
    Written(Validators),
}

/// Fetches, one URL at a time.
pub struct Fetcher {
    agent: ureq::Agent,
    limits: FetchLimits,
}

impl Fetcher {
    /// A fetcher within these limits.
    #[must_use]
    pub fn new(limits: FetchLimits) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ureq::tls::TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(ureq::tls::RootCerts::PlatformVerifier)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("noonmark/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Each is followed here, held against the rules.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .build();
        Self { agent: config.into(), limits }
    }

    /// Fetches a URL into a file, which is empty, unless it has what `known` says is here.
    ///
    /// # Errors
    /// Why it gave no CRL; the file may then hold a part of something.
    pub fn fetch(&self, url: &str, known: Option<&Validators>, into: &mut File) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.limits.time;
        let failed = |reason: String| match Instant::now() >= deadline {
            true => FetchError::TooSlow { limit: self.limits.time },
            false => FetchError::Failed { reason },
        };
        let known = known.filter(|known| known.url == url && (known.etag.is_some() || known.last_modified.is_some()));
        let mut at = Url::parse(url).map_err(|error| failed(error.to_string()))?;
        for _ in 0..=MAX_REDIRECTS {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut request = self.agent.get(at.as_str()).config().timeout_global(Some(left)).build();
            if let Some(etag) = known.and_then(|known| known.etag.as_deref()) {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            if let Some(date) = known.and_then(|known| known.last_modified.as_deref()) {
                request = request.header(header::IF_MODIFIED_SINCE, date);
            }
            let mut response = request.call().map_err(|error| failed(error.to_string()))?;
            match response.status().as_u16() {
                200 => {
                    let validators = Validators::read(url, response.headers());
                    let announced = response.body().content_length();
                    if announced.is_some_and(|octets| octets > self.limits.octets) {
                        return Err(FetchError::TooLarge { limit: self.limits.octets });
                    }
                    self.write(&mut response.body_mut().as_reader(), into, deadline, failed)?;
                    return Ok(Fetched::Written(validators));
                }
                304 if known.is_some() => return Ok(Fetched::NotModified),
                304 => return Err(FetchError::NotModifiedUnasked),
                301 | 302 | 303 | 307 | 308 => at = redirection(&at, response.headers())?,
                status => return Err(FetchError::Status { status }),
            }
        }
        Err(FetchError::TooManyRedirects)
    }

    fn write(
        &self,
        body: &mut dyn std::io::Read,
        into: &mut File,
        deadline: Instant,
        failed: impl Fn(String) -> FetchError,
    ) -> Result<(), FetchError> {
        let mut limited = body.take(self.limits.octets + 1);
        let mut chunk = vec![0; CHUNK];
        let mut octets = 0_u64;
        // Bounded: each turn reads an octet at least, and the octets are.
        loop {
            let count = match limited.read(&mut chunk) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error.to_string())),
            };
            let read = &chunk[..count];
            if octets == 0 {
                // What is no CRL is not read on.
                if read.starts_with(b"-----BEGIN") {
                    return Err(FetchError::Pem);
                }
                // A CertificateList is a SEQUENCE.
                if read.first() != Some(&0x30) {
                    return Err(FetchError::NotDer);
                }
            }
            if count == 0 {
                return Ok(());
            }
            octets += u64::try_from(count).unwrap_or(u64::MAX);
            if octets > self.limits.octets {
                return Err(FetchError::TooLarge { limit: self.limits.octets });
            }
            if Instant::now() >= deadline {
                return Err(FetchError::TooSlow { limit: self.limits.time });
            }
            into.write_all(read).map_err(FetchError::File)?;
        }
    }
}

/// Where a redirection leads; only to HTTP.
fn redirection(from: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
    let refused = || FetchError::Redirect { location: location.chars().take(200).collect() };
    let to = from.join(location).map_err(|_| refused())?;
    let is_http = matches!(to.scheme(), "http" | "https") && to.username().is_empty() && to.password().is_none();
    if is_http && !location.is_empty() { Ok(to) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_stay_with_http() {
        let from = Url::parse("http://crl.example.org/a/b.crl").unwrap();
        let to = |location: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, location.parse().unwrap());
            redirection(&from, &headers).map(String::from).ok()
        };
        assert_eq!(to("c.crl").as_deref(), Some("http://crl.example.org/a/c.crl"));
        assert_eq!(to("https://x.example/").as_deref(), Some("https://x.example/"));
        for location in ["file:///etc/passwd", "ldap://x/", "http://user@x/", "", "http://"] {
            assert_eq!(to(location), None, "{location}");
        }
        assert!(redirection(&from, &HeaderMap::new()).is_err());
    }

    #[test]
    fn validators_that_can_not_stand_in_a_request_are_left_out() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, "a".repeat(MAX_VALIDATOR + 1).parse().unwrap());
        headers.insert(header::LAST_MODIFIED, "Wed, 25 Nov 2026 00:00:00 GMT".parse().unwrap());
        let read = Validators::read("http://x/", &headers);
        assert_eq!(read.etag, None);
        assert!(read.last_modified.is_some() && read.are_sound());
        assert!(!Validators { etag: Some("a\r\nHost: y".to_owned()), ..read }.are_sound());
    }
}
