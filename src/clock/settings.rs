//! What the clock is held against, and how strictly.

use std::path::PathBuf;
use std::time::Duration;

use super::judge::DRIFT_PPM;

/// The worst accuracy a timestamp may declare, in microseconds (EN 319 421 TIS-7.7: 1 s or better).
pub const MAX_ACCURACY_US: u32 = 1_000_000;

/// The longest and shortest time between two checks. Drift and jumps must be noticed soon; below 50 ms a check would
/// do nothing but run.
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(3600);

/// The most servers: more than NTP's own clients take (10 survivors) only cost threads.
const MAX_SERVERS: usize = 16;

/// What the machine's clock is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The chronyd that disciplines this machine, asked through chronyc.
    Chrony {
        /// The chronyc program.
        command: PathBuf,
        /// chronyc's `-h`: a host or a socket's path; its own choice if absent.
        host: Option<String>,
        /// chronyc's `-p`; its own choice (323) if absent.
        port: Option<u16>,
    },
    /// NTP servers, asked directly; a majority of them must answer and agree. With fewer than three a wrong one can
    /// be noticed and not outvoted.
    Sntp {
        /// `host`, `host:port` or `[address]:port`.
        servers: Vec<String>,
    },
    /// What the kernel says of its own clock, as chronyd, ntpd or systemd-timesyncd told it.
    Kernel,
    /// Nothing: the machine's clock is taken to be right.
    System,
}

impl Source {
    /// chronyc from the search path, on its own choice of host and port.
    #[must_use]
    pub fn chrony() -> Self {
        Self::Chrony { command: PathBuf::from("chronyc"), host: None, port: None }
    }

    /// The source's name in configuration and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Chrony { .. } => "chrony",
            Self::Sntp { .. } => "sntp",
            Self::Kernel => "kernel",
            Self::System => "system",
        }
    }

    /// What this source does not protect against, for the operator.
    #[must_use]
    pub const fn warning(&self) -> Option<&'static str> {
        match self {
            Self::Chrony { .. } => None,
            Self::Sntp { servers } if servers.len() < 3 => {
                Some("fewer than three NTP servers: a wrong one stops the service instead of being outvoted")
            }
            Self::Sntp { .. } => None,
            Self::Kernel => Some(
                "the kernel repeats what the clock's daemon told it; systemd-timesyncd asks one server and tells no error",
            ),
            Self::System => Some(
                "the machine's clock is held against nothing: a wrong time, a slow drift or a clock set wrong before the start will be signed; \
                 only steps while the server runs are noticed. Use it for trials only",
            ),
        }
    }
}

/// How the machine's clock is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockSettings {
    /// What the clock is held against.
    pub source: Source,
    /// The accuracy that timestamps declare, in microseconds; at most a second.
    pub accuracy_us: u32,
    /// From one check to the next; default 16 s.
    pub interval: Duration,
    /// The time is not trusted once the last good check is older than this; default 64 s.
    pub stale_after: Duration,
    /// A step beyond this stops the service until a check confirms the new time, in microseconds; default the accuracy.
    pub step_threshold_us: u32,
}

impl ClockSettings {
    /// The defaults: a second of accuracy, a check every 16 s, stale after four checks missed.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self {
            source,
            accuracy_us: MAX_ACCURACY_US,
            interval: Duration::from_secs(16),
            stale_after: Duration::from_secs(64),
            step_threshold_us: MAX_ACCURACY_US,
        }
    }

    /// Whether the settings make sense together.
    ///
    /// # Errors
    /// What is impossible, with both values.
    pub fn check(&self) -> Result<(), ClockSettingsError> {
        let accuracy_us = self.accuracy_us;
        if accuracy_us == 0 || accuracy_us > MAX_ACCURACY_US {
            return Err(ClockSettingsError::Accuracy { accuracy_us });
        }
        if !INTERVAL.contains(&self.interval) {
            return Err(ClockSettingsError::Interval { interval: self.interval });
        }
        if self.stale_after <= self.interval {
            return Err(ClockSettingsError::StaleBeforeNext { stale_after: self.stale_after, interval: self.interval });
        }
        // If drift alone takes the bound beyond the accuracy before the next check, the service would come and go
        // with every check.
        let growth_us = self.interval.as_micros() * u128::from(DRIFT_PPM) / 1_000_000;
        if growth_us >= u128::from(accuracy_us) {
            return Err(ClockSettingsError::IntervalTooLong { interval: self.interval, growth_us, accuracy_us });
        }
        if self.step_threshold_us == 0 || self.step_threshold_us > accuracy_us {
            return Err(ClockSettingsError::StepThreshold { step_threshold_us: self.step_threshold_us, accuracy_us });
        }
        if let Source::Sntp { servers } = &self.source {
            if servers.is_empty() || servers.len() > MAX_SERVERS {
                return Err(ClockSettingsError::ServerCount { count: servers.len() });
            }
            for (at, server) in servers.iter().enumerate() {
                ServerName::parse(server)?;
                if servers.iter().take(at).any(|other| other == server) {
                    return Err(ClockSettingsError::ServerTwice { server: server.clone() });
                }
            }
        }
        Ok(())
    }
}

/// Settings that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockSettingsError {
    /// The accuracy is none.
    #[error(
        "the clock's accuracy is {accuracy_us} µs; choose 1 to {MAX_ACCURACY_US} µs (EN 319 421 wants 1 s or better)"
    )]
    Accuracy {
        /// As set.
        accuracy_us: u32,
    },
    /// The interval is too short or too long.
    #[error("the clock is checked every {interval:?}; choose {:?} to {:?}", INTERVAL.start(), INTERVAL.end())]
    Interval {
        /// As set.
        interval: Duration,
    },
    /// The clock would be stale before it is checked again.
    #[error(
        "the clock is stale after {stale_after:?} but checked only every {interval:?}; choose a longer time than the interval"
    )]
    StaleBeforeNext {
        /// As set.
        stale_after: Duration,
        /// As set.
        interval: Duration,
    },
    /// Drift alone passes the accuracy between two checks.
    #[error(
        "checked every {interval:?}, the clock may drift {growth_us} µs ({DRIFT_PPM} ppm) in between, but its accuracy is {accuracy_us} µs; check more often"
    )]
    IntervalTooLong {
        /// As set.
        interval: Duration,
        /// The possible drift, in microseconds.
        growth_us: u128,
        /// As set.
        accuracy_us: u32,
    },
    /// The step threshold is none.
    #[error("the step threshold is {step_threshold_us} µs; choose 1 µs to the accuracy, {accuracy_us} µs")]
    StepThreshold {
        /// As set.
        step_threshold_us: u32,
        /// As set.
        accuracy_us: u32,
    },
    /// No server, or too many.
    #[error("{count} time servers are configured; choose 1 to {MAX_SERVERS}, three or more by preference")]
    ServerCount {
        /// How many.
        count: usize,
    },
    /// A server is there twice, and would vote twice.
    #[error("the time server {server:?} is configured twice; it has one vote")]
    ServerTwice {
        /// As set.
        server: String,
    },
    /// A server's name can't be read.
    #[error("the time server {server:?} is not `host`, `host:port` or `[address]:port`")]
    ServerName {
        /// As set.
        server: String,
    },
}

/// A server's host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerName {
    pub(super) host: String,
    pub(super) port: u16,
}

impl ServerName {
    /// NTP's port (RFC 5905 §7.2).
    const DEFAULT_PORT: u16 = 123;

    pub(super) fn parse(server: &str) -> Result<Self, ClockSettingsError> {
        let refuse = || ClockSettingsError::ServerName { server: server.to_owned() };
        let (host, port) = if let Some(rest) = server.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or_else(refuse)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| refuse())?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or_else(refuse)?) })
        } else if server.parse::<std::net::Ipv6Addr>().is_ok() {
            (server, None)
        } else {
            match server.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (server, None),
            }
        };
        let usable = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(usable) {
            return Err(refuse());
        }
        let port = match port {
            None => Self::DEFAULT_PORT,
            Some(text) => text.parse().ok().filter(|port| *port != 0).ok_or_else(refuse)?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sntp(servers: &[&str]) -> ClockSettings {
        ClockSettings::new(Source::Sntp { servers: servers.iter().map(|&server| server.to_owned()).collect() })
    }

    #[test]
    fn server_names() {
        let parsed = |text: &str| ServerName::parse(text).map(|name| (name.host, name.port)).ok();
        assert_eq!(parsed("ptbtime1.ptb.de"), Some(("ptbtime1.ptb.de".to_owned(), 123)));
        assert_eq!(parsed("127.0.0.1:1123"), Some(("127.0.0.1".to_owned(), 1123)));
        assert_eq!(parsed("[::1]:1123"), Some(("::1".to_owned(), 1123)));
        assert_eq!(parsed("[::1]"), Some(("::1".to_owned(), 123)));
        assert_eq!(parsed("2001:db8::1"), Some(("2001:db8::1".to_owned(), 123)));
        for wrong in ["", ":1", "a:", "a:0", "a:65536", "a:b:c", "[::1", "[a]:1", "[::1]1", "a b", "-h\u{0}"] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn impossible_settings_are_refused() {
        let good = ClockSettings::new(Source::chrony());
        assert_eq!(good.check(), Ok(()));
        let refused = |change: fn(&mut ClockSettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            settings.check().unwrap_err()
        };
        assert!(matches!(refused(|s| s.accuracy_us = 0), ClockSettingsError::Accuracy { .. }));
        assert!(matches!(refused(|s| s.accuracy_us = 1_000_001), ClockSettingsError::Accuracy { .. }));
        assert!(matches!(refused(|s| s.interval = Duration::from_millis(1)), ClockSettingsError::Interval { .. }));
        assert!(matches!(
            refused(|s| s.stale_after = Duration::from_secs(16)),
            ClockSettingsError::StaleBeforeNext { .. }
        ));
        assert!(matches!(refused(|s| s.step_threshold_us = 0), ClockSettingsError::StepThreshold { .. }));
        assert!(matches!(
            refused(|s| s.accuracy_us = 8_000),
            ClockSettingsError::IntervalTooLong { growth_us: 8_000, .. }
        ));
        assert!(matches!(sntp(&[]).check(), Err(ClockSettingsError::ServerCount { count: 0 })));
        assert!(matches!(sntp(&["a", "b", "a"]).check(), Err(ClockSettingsError::ServerTwice { .. })));
        assert!(matches!(sntp(&["a", "b:"]).check(), Err(ClockSettingsError::ServerName { .. })));
        assert_eq!(sntp(&["a", "b", "[::1]:99"]).check(), Ok(()));
        assert!(sntp(&["a", "b"]).source.warning().is_some() && sntp(&["a", "b", "c"]).source.warning().is_none());
    }
}
