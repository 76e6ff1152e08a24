//! Octets over HTTP, into memory: bounded in octets, in time and in redirections, each of which is held against the rules.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, header};
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::DefaultConnector;
use url::Url;

use super::destination::{check_destination, destination};
use super::pem::is_pem;
use super::resolver::GuardedResolver;
use super::{FetchError, GatherSettings};

/// Octets read at a time.
const CHUNK: usize = 64 * 1024;
/// Characters of a place to go to that are told.
const MAX_TOLD: usize = 200;

/// What one fetch may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) octets: u64,
    pub(super) time: Duration,
}

/// Fetches, from several threads if need be; keeps nothing between two fetches.
pub(super) struct Fetcher {
    settings: Arc<GatherSettings>,
    agent: ureq::Agent,
}

impl Fetcher {
    pub(super) fn new(settings: Arc<GatherSettings>) -> Self {
        Self::with_resolver(settings, DefaultResolver::default())
    }

    /// A fetcher that resolves names by another resolver, whose addresses are held against the rules all the same.
    pub(super) fn with_resolver(settings: Arc<GatherSettings>, resolver: impl Resolver) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ureq::tls::TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(ureq::tls::RootCerts::PlatformVerifier)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("noonmark/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // A proxy would resolve the names itself, and reach what it can reach.
            .proxy(None)
            // Each is followed here, held against the rules.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .build();
        let guarded = GuardedResolver::new(Arc::clone(&settings), resolver);
        let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), guarded);
        Self { settings, agent }
    }

    /// Reads what a URL has, or answers to a POST where there is a question; `octets` counts what came, whatever the outcome.
    ///
    /// A question goes along with redirections but 303, which asks for something else (RFC 9110 §15.4).
    pub(super) fn fetch(
        &self,
        url: &str,
        question: Option<&[u8]>,
        allowance: Allowance,
        octets: &mut u64,
    ) -> Result<Vec<u8>, FetchError> {
        let deadline = Instant::now() + allowance.time;
        let mut at = destination(&self.settings, url)?;
        for _ in 0..=self.settings.limits.redirects {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(FetchError::TooSlow { limit: allowance.time });
            }
            let called = match question {
                None => self.agent.get(at.as_str()).config().timeout_global(Some(left)).build().call(),
                Some(question) => self
                    .agent
                    .post(at.as_str())
                    .config()
                    .timeout_global(Some(left))
                    .build()
                    .header(header::CONTENT_TYPE, "application/ocsp-request")
                    .header(header::ACCEPT, "application/ocsp-response")
                    .send(question),
            };
            let mut response = called.map_err(|error| refusal(error, allowance, deadline))?;
            match response.status().as_u16() {
                200 => {
                    let announced = response.body().content_length();
                    if announced.is_some_and(|announced| announced > allowance.octets) {
                        return Err(FetchError::TooLarge { limit: allowance.octets });
                    }
                    return read(&mut response.body_mut().as_reader(), allowance, deadline, octets);
                }
                status @ 303 if question.is_some() => return Err(FetchError::Status { status }),
                301 | 302 | 303 | 307 | 308 => at = self.redirection(&at, response.headers())?,
                status => return Err(FetchError::Status { status }),
            }
        }
        Err(FetchError::TooManyRedirects { limit: self.settings.limits.redirects })
    }

    /// Where a redirection leads, held against the rules as the first URL was.
    fn redirection(&self, from: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
        let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
        let no_url = || FetchError::Redirect { location: location.chars().take(MAX_TOLD).collect() };
        if location.is_empty() {
            return Err(no_url());
        }
        let to = from.join(location).map_err(|_| no_url())?;
        check_destination(&self.settings, &to)?;
        Ok(to)
    }
}

/// Reads a body that begins as DER or PEM does; what is neither is not read on.
fn read(
    body: &mut dyn std::io::Read,
    allowance: Allowance,
    deadline: Instant,
    octets: &mut u64,
) -> Result<Vec<u8>, FetchError> {
    let mut limited = body.take(allowance.octets.saturating_add(1));
    let mut chunk = vec![0; CHUNK];
    let mut all = Vec::new();
    // Bounded: each turn reads an octet at least, and the octets are.
    loop {
        let count = match limited.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut || Instant::now() >= deadline => {
                return Err(FetchError::TooSlow { limit: allowance.time });
            }
            Err(error) => return Err(FetchError::Failed { reason: error.to_string() }),
        };
        all.extend_from_slice(chunk.get(..count).unwrap_or_default());
        *octets = octets.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        // All that is asked for is a SEQUENCE.
        let begins = match all.trim_ascii_start().first() {
            Some(b'-') => true,
            Some(_) => all.first() == Some(&0x30),
            None => count > 0,
        };
        if !begins {
            return Err(FetchError::NotDer);
        }
        if count == 0 {
            let is_whole = all.first() == Some(&0x30) || is_pem(&all);
            return if is_whole { Ok(all) } else { Err(FetchError::NotDer) };
        }
        if u64::try_from(all.len()).unwrap_or(u64::MAX) > allowance.octets {
            return Err(FetchError::TooLarge { limit: allowance.octets });
        }
        if Instant::now() >= deadline {
            return Err(FetchError::TooSlow { limit: allowance.time });
        }
    }
}

/// What the library says, or what the resolver said through it.
fn refusal(error: ureq::Error, allowance: Allowance, deadline: Instant) -> FetchError {
    match error {
        ureq::Error::Other(inner) => match inner.downcast::<FetchError>() {
            Ok(refusal) => *refusal,
            Err(other) => FetchError::Failed { reason: other.to_string() },
        },
        ureq::Error::Timeout(_) => FetchError::TooSlow { limit: allowance.time },
        _ if Instant::now() >= deadline => FetchError::TooSlow { limit: allowance.time },
        error => FetchError::Failed { reason: error.to_string() },
    }
}
