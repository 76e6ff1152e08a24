//! How an issuer's CRLs are made: when, how long they hold, in how many partitions.

use serde::{Deserialize, Serialize};

/// An issuer's CRLs, as the store keeps the settings (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrlSettings {
    /// How often complete and partitioned CRLs are made, in seconds.
    pub interval_s: u32,
    /// How long one holds after the next was due, in seconds: nextUpdate is thisUpdate, interval and overlap.
    pub overlap_s: u32,
    /// How long after a revocation the complete CRL and its partition's are made, in seconds, whatever the interval says.
    pub debounce_s: u32,
    /// How often a delta is made without a revocation, in seconds; it holds twice as long. 0 makes none.
    pub delta_interval_s: u32,
    /// Whether complete CRLs name their delta (freshestCRL, RFC 5280 §5.2.6). Off: pyHanko then takes no complete CRL without
    /// its delta, and does not fetch it by this name.
    pub names_delta: bool,
    /// Over how many CRLs new certificates are spread; 0 names the complete one in them. Never lowered: certificates out
    /// there name theirs.
    pub partitions: u16,
    /// Since when expired certificates stay listed, in seconds since 1970 (expiredCertsOnCRL); without it they leave
    /// after the first CRL past their end (RFC 5280 §3.3).
    pub keep_expired_since_s: Option<i64>,
}

impl Default for CrlSettings {
    fn default() -> Self {
        Self {
            interval_s: 24 * 3_600,
            overlap_s: 2 * 24 * 3_600,
            debounce_s: 60,
            delta_interval_s: 6 * 3_600,
            names_delta: false,
            partitions: 0,
            keep_expired_since_s: None,
        }
    }
}

/// Settings to be changed; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlSettingsChange {
    /// See [`CrlSettings::interval_s`].
    pub interval_s: Option<u32>,
    /// See [`CrlSettings::overlap_s`].
    pub overlap_s: Option<u32>,
    /// See [`CrlSettings::debounce_s`].
    pub debounce_s: Option<u32>,
    /// See [`CrlSettings::delta_interval_s`].
    pub delta_interval_s: Option<u32>,
    /// See [`CrlSettings::names_delta`].
    pub names_delta: Option<bool>,
    /// See [`CrlSettings::partitions`].
    pub partitions: Option<u16>,
    /// Whether certificates that expire from now on stay listed.
    pub keep_expired: Option<bool>,
}

impl CrlSettingsChange {
    /// The settings after the change.
    #[must_use]
    pub fn over(self, before: CrlSettings, now_s: i64) -> CrlSettings {
        CrlSettings {
            interval_s: self.interval_s.unwrap_or(before.interval_s),
            overlap_s: self.overlap_s.unwrap_or(before.overlap_s),
            debounce_s: self.debounce_s.unwrap_or(before.debounce_s),
            delta_interval_s: self.delta_interval_s.unwrap_or(before.delta_interval_s),
            names_delta: self.names_delta.unwrap_or(before.names_delta),
            partitions: self.partitions.unwrap_or(before.partitions),
            keep_expired_since_s: match self.keep_expired {
                None => before.keep_expired_since_s,
                // Those that expired before may have left already.
                Some(true) => before.keep_expired_since_s.or(Some(now_s)),
                Some(false) => None,
            },
        }
    }
}

/// Settings that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlSettingsError {
    /// An interval or an overlap that no CRL should have.
    #[error(
        "interval and overlap are {interval_s} s and {overlap_s} s: each is at least 1 s, together at most {MAX_VALIDITY_S} s (TLS BR 4.9.7 wants 10 days at most, and 12 months for CRLs of CA certificates)"
    )]
    Validity {
        /// The interval.
        interval_s: u32,
        /// The overlap.
        overlap_s: u32,
    },
    /// The complete CRL would come later than it must.
    #[error(
        "debounce {debounce_s} s: a revocation is in the complete CRL within {MAX_DEBOUNCE_S} s (TLS BR 4.9.7: within 24 hours)"
    )]
    Debounce {
        /// The debounce.
        debounce_s: u32,
    },
    /// A delta that is made less often than the complete CRL.
    #[error(
        "a delta every {delta_interval_s} s and a complete CRL every {interval_s} s: deltas come more often, or not at all (0)"
    )]
    Delta {
        /// The deltas' interval.
        delta_interval_s: u32,
        /// The complete CRLs'.
        interval_s: u32,
    },
    /// More partitions than there may be.
    #[error("{partitions} partitions: at most {MAX_PARTITIONS}, each is a CRL to be signed at every interval")]
    Partitions {
        /// As given.
        partitions: u16,
    },
    /// Fewer partitions than certificates name.
    #[error("{after} partitions instead of {before}: certificates name theirs, so there are never fewer of them")]
    FewerPartitions {
        /// As they are.
        before: u16,
        /// As asked for.
        after: u16,
    },
}

/// A little over a year, for issuers whose key is fetched by hand (TLS BR 4.9.7: 12 months).
const MAX_VALIDITY_S: u32 = 400 * 24 * 3_600;
/// Within 24 hours of a revocation (TLS BR 4.9.7), with an hour for the making.
const MAX_DEBOUNCE_S: u32 = 23 * 3_600;
/// Enough for partitions below a megabyte at tens of millions of certificates.
const MAX_PARTITIONS: u16 = 1_024;

impl CrlSettings {
    /// For an issuer whose key is in a token that is fetched by hand: once a year, with a month to do it in.
    #[must_use]
    pub fn by_hand() -> Self {
        Self { interval_s: 335 * 24 * 3_600, overlap_s: 30 * 24 * 3_600, delta_interval_s: 0, ..Self::default() }
    }

    /// Within bounds.
    ///
    /// # Errors
    /// They are not.
    pub fn checked(self) -> Result<Self, CrlSettingsError> {
        let Self { interval_s, overlap_s, debounce_s, delta_interval_s, partitions, .. } = self;
        if interval_s == 0 || overlap_s == 0 || interval_s.saturating_add(overlap_s) > MAX_VALIDITY_S {
            return Err(CrlSettingsError::Validity { interval_s, overlap_s });
        }
        if debounce_s > MAX_DEBOUNCE_S {
            return Err(CrlSettingsError::Debounce { debounce_s });
        }
        if delta_interval_s > interval_s {
            return Err(CrlSettingsError::Delta { delta_interval_s, interval_s });
        }
        if partitions > MAX_PARTITIONS {
            return Err(CrlSettingsError::Partitions { partitions });
        }
        Ok(self)
    }

    /// Whether these settings may follow others.
    ///
    /// # Errors
    /// There would be fewer partitions.
    pub fn may_follow(&self, before: &Self) -> Result<(), CrlSettingsError> {
        if self.partitions < before.partitions {
            return Err(CrlSettingsError::FewerPartitions { before: before.partitions, after: self.partitions });
        }
        Ok(())
    }

    /// How long a complete or partitioned CRL holds, in seconds.
    #[must_use]
    pub fn validity_s(&self) -> i64 {
        i64::from(self.interval_s) + i64::from(self.overlap_s)
    }

    /// How long a delta holds, in seconds; None where none is made.
    #[must_use]
    pub fn delta_validity_s(&self) -> Option<i64> {
        (self.delta_interval_s > 0).then(|| 2 * i64::from(self.delta_interval_s))
    }

    /// The partition of a new certificate, by its serial number, whose octets are random; 0 for none.
    #[must_use]
    pub fn partition_of(&self, serial: &[u8]) -> u16 {
        if self.partitions == 0 {
            return 0;
        }
        let chance = serial.iter().rev().take(8).fold(0_u64, |number, octet| (number << 8) | u64::from(*octet));
        u16::try_from(chance % u64::from(self.partitions)).unwrap_or_default() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_is_refused() {
        let settings = CrlSettings::default;
        assert!(settings().checked().is_ok());
        assert!(CrlSettings::by_hand().checked().is_ok());
        let refused = |settings: CrlSettings| settings.checked().unwrap_err();
        let none = CrlSettings { interval_s: 0, delta_interval_s: 0, ..settings() };
        assert!(matches!(refused(none), CrlSettingsError::Validity { interval_s: 0, .. }));
        let long = CrlSettings { overlap_s: MAX_VALIDITY_S, ..settings() };
        assert!(matches!(refused(long), CrlSettingsError::Validity { .. }));
        let slow = CrlSettings { debounce_s: 24 * 3_600, ..settings() };
        assert!(matches!(refused(slow), CrlSettingsError::Debounce { .. }));
        let rare = CrlSettings { delta_interval_s: 24 * 3_600 + 1, ..settings() };
        assert!(matches!(refused(rare), CrlSettingsError::Delta { .. }));
        let many = CrlSettings { partitions: 1_025, ..settings() };
        assert_eq!(refused(many), CrlSettingsError::Partitions { partitions: 1_025 });
        let four = CrlSettings { partitions: 4, ..settings() };
        let fewer = CrlSettingsError::FewerPartitions { before: 4, after: 0 };
        assert_eq!(settings().may_follow(&four), Err(fewer));
        assert!(four.may_follow(&settings()).is_ok());
    }

    #[test]
    fn certificates_are_spread_over_all_partitions() {
        let settings = CrlSettings { partitions: 5, ..CrlSettings::default() };
        let mut seen = [0; 6];
        for n in 0..1_000_u32 {
            let serial = [&[0x11; 12][..], &n.wrapping_mul(2_654_435_761).to_be_bytes()].concat();
            seen[usize::from(settings.partition_of(&serial))] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|count| (100..300).contains(count)), "{seen:?}");
        assert_eq!(CrlSettings::default().partition_of(&[9; 16]), 0);
    }
}
