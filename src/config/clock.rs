//! `[clock]`: where trust in the time comes from.

use std::time::Duration;

use serde::Deserialize;

use super::ConfigurationError;
use crate::clock::{ClockSettings, Source};

/// The source of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockSource {
    /// `chronyc tracking`.
    Chrony,
    /// SNTP servers, asked directly.
    Sntp,
    /// The kernel's own account (adjtimex).
    Kernel,
    /// None: the machine's clock is believed.
    System,
}

/// Where trust in the time comes from, and how much is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockSection {
    /// `chrony`, `sntp`, `kernel` or `system`. Default `system`; `init` writes the best that answers.
    pub source: ClockSource,
    /// SNTP servers, HOST or HOST:PORT; a majority of them must agree. Only for `sntp`.
    pub servers: Vec<String>,
    /// The `chronyc` program. Default `chronyc`.
    pub chronyc: String,
    /// chronyd's command address, when it is not the default one.
    pub chrony_host: Option<String>,
    /// chronyd's command port, when it is not the default one.
    pub chrony_port: Option<u16>,
    /// The largest error of the clock, in microseconds, at which tokens are still issued. Default 500000; at most every
    /// profile's accuracy.
    pub max_error_us: u32,
    /// Seconds between two checks. Default 16.
    pub interval_s: u64,
    /// Seconds after the last good check at which the clock is no longer trusted. Default 180.
    pub stale_after_s: u64,
}

impl Default for ClockSection {
    fn default() -> Self {
        Self {
            source: ClockSource::System,
            servers: Vec::new(),
            chronyc: "chronyc".to_owned(),
            chrony_host: None,
            chrony_port: None,
            max_error_us: 500_000,
            interval_s: 16,
            stale_after_s: 180,
        }
    }
}

impl ClockSection {
    /// The largest error at which tokens are issued, in microseconds.
    #[must_use]
    pub fn max_error_us(&self) -> u32 {
        self.max_error_us
    }

    pub(super) fn check(&self) -> Result<(), ConfigurationError> {
        let refuse = |reason: String| Err(ConfigurationError::refused("[clock]", reason));
        if self.max_error_us == 0 || self.max_error_us > 1_000_000 {
            return refuse(format!("max_error_us = {} must lie between 1 and 1000000", self.max_error_us));
        }
        if self.interval_s == 0 || self.stale_after_s <= self.interval_s {
            return refuse(format!(
                "stale_after_s = {} must be greater than interval_s = {}, and that at least 1",
                self.stale_after_s, self.interval_s
            ));
        }
        if self.source == ClockSource::Sntp && self.servers.is_empty() {
            return refuse(
                "source = \"sntp\" needs servers = [\"…\"]; three or more can outvote a wrong one".to_owned(),
            );
        }
        if self.source != ClockSource::Sntp && !self.servers.is_empty() {
            return refuse(format!("servers is only for source = \"sntp\", source is {:?}", self.source));
        }
        self.settings().check().map_err(|error| ConfigurationError::refused("[clock]", error))
    }

    /// The settings that the clock takes.
    #[must_use]
    pub fn settings(&self) -> ClockSettings {
        let source = match self.source {
            ClockSource::Chrony => Source::Chrony {
                command: self.chronyc.clone().into(),
                host: self.chrony_host.clone(),
                port: self.chrony_port,
            },
            ClockSource::Sntp => Source::Sntp { servers: self.servers.clone() },
            ClockSource::Kernel => Source::Kernel,
            ClockSource::System => Source::System,
        };
        ClockSettings {
            accuracy_us: self.max_error_us,
            interval: Duration::from_secs(self.interval_s),
            stale_after: Duration::from_secs(self.stale_after_s),
            step_threshold_us: self.max_error_us,
            ..ClockSettings::new(source)
        }
    }
}
