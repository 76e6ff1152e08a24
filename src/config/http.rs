//! `[http]`: listeners, limits, TLS.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigurationError;

/// The HTTP service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSection {
    /// Addresses to listen on. Default `["127.0.0.1:3161"]`.
    pub listen: Vec<String>,
    /// HTTP threads; 0 means one a core. Default 0.
    pub workers: usize,
    /// The most octets of a timestamp request's body. Default 16384; real requests have below 120.
    pub max_body_bytes: usize,
    /// Seconds for a request's head to arrive. Default 5.
    pub head_timeout_s: u64,
    /// Seconds for a request's body to arrive once its head has. Default 10.
    pub body_timeout_s: u64,
    /// Seconds that an idle connection is kept. Default 75.
    pub keep_alive_s: u64,
    /// Seconds that a stop waits for answers under way. Default 10.
    pub shutdown_timeout_s: u64,
    /// The most connections held at once; 0 means what the file descriptor limit allows. Default 0.
    pub max_connections: usize,
    /// Requests a second that one caller may make on average; 0 means no limit. Default 50000.
    pub caller_rate_per_s: u32,
    /// Requests that one caller may make in a burst above its average. Default 50000.
    pub caller_burst: u32,
    /// The most requests of one caller under way at once. Default 1024.
    pub caller_in_flight: u32,
    /// Proxies whose X-Forwarded-For is believed. Default none.
    pub trusted_proxies: Vec<IpAddr>,
    /// TLS, when configured.
    pub tls: Option<TlsSection>,
}

/// TLS on every listener.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// The server's certificate chain, PEM, leaf first.
    pub certificate: PathBuf,
    /// Its private key, PEM; not readable by others.
    pub key: PathBuf,
    /// CA certificates, PEM, whose client certificates tell callers apart. Default none.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:3161".to_owned()],
            workers: 0,
            max_body_bytes: 16_384,
            head_timeout_s: 5,
            body_timeout_s: 10,
            keep_alive_s: 75,
            shutdown_timeout_s: 10,
            max_connections: 0,
            caller_rate_per_s: 50_000,
            caller_burst: 50_000,
            caller_in_flight: 1_024,
            trusted_proxies: Vec::new(),
            tls: None,
        }
    }
}

impl HttpSection {
    /// The addresses to listen on.
    ///
    /// # Errors
    /// A text that is not ADDRESS:PORT.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, ConfigurationError> {
        let parse = |text: &String| {
            text.parse().map_err(|_| {
                ConfigurationError::refused(
                    "[http]",
                    format!("listen = {text:?} is not ADDRESS:PORT such as 127.0.0.1:3161"),
                )
            })
        };
        self.listen.iter().map(parse).collect()
    }

    pub(super) fn check(&self) -> Result<(), ConfigurationError> {
        let refuse = |reason: &str| Err(ConfigurationError::refused("[http]", reason));
        if self.addresses()?.is_empty() {
            return refuse("listen is empty; name at least one address");
        }
        if !(512..=1_048_576).contains(&self.max_body_bytes) {
            return refuse("max_body_bytes must lie between 512 and 1048576");
        }
        for (name, value) in [
            ("head_timeout_s", self.head_timeout_s),
            ("body_timeout_s", self.body_timeout_s),
            ("keep_alive_s", self.keep_alive_s),
            ("shutdown_timeout_s", self.shutdown_timeout_s),
        ] {
            if !(1..=3_600).contains(&value) {
                return refuse(&format!("{name} = {value} must lie between 1 and 3600"));
            }
        }
        if self.caller_in_flight == 0 {
            return refuse("caller_in_flight = 0 would refuse everybody");
        }
        if self.caller_rate_per_s > 0 && self.caller_burst == 0 {
            return refuse("caller_burst = 0 would refuse everybody; set it to at least 1");
        }
        Ok(())
    }
}
