//! What a timestamping profile promises.

use crate::asn1::Oid;
use crate::asn1::tst_info::MAX_FRACTION_DIGITS;
use crate::ca::registry::is_valid_name;
use crate::crypto::DigestAlgorithm;

/// A timestamping profile: its own policies, key, hashes, accuracy, precision, ordering and extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name in the URL, `/tsa/{name}`.
    pub name: String,
    /// The policies served; the first is the one given to a request that names none.
    pub policies: Vec<Oid>,
    /// The imprint hashes accepted.
    pub hashes: Vec<DigestAlgorithm>,
    /// The accuracy declared in every token, in microseconds: 1 to 1,000,000.
    pub accuracy_us: u32,
    /// Digits after the second in genTime: 0 to 6.
    pub fraction_digits: u8,
    /// Whether tokens are ordered among themselves; needs microsecond precision.
    pub ordering: bool,
    /// Whether TSTInfo names the TSU (its certificate's subject).
    pub include_tsa_name: bool,
    /// Whether tokens carry the qualified statement esi4-qtstStatement-1 (EN 319 422 §9.1).
    pub qualified: bool,
    /// Whether the ledger keeps the whole token beside its SHA-256.
    pub keep_tokens: bool,
    /// The callers that may ask; empty means everybody.
    pub callers: Vec<String>,
}

/// Why a profile can't be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The name does not fit a URL's segment.
    #[error("profile name {name:?}: it must match [a-z][a-z0-9-]{{0,39}} and not be \"certchain\"")]
    Name {
        /// As given.
        name: String,
    },
    /// No policy.
    #[error("profile {name}: name at least one policy OID (the best-practices policy is 0.4.0.2023.1.1)")]
    NoPolicy {
        /// The profile.
        name: String,
    },
    /// No hash.
    #[error("profile {name}: name at least one hash")]
    NoHash {
        /// The profile.
        name: String,
    },
    /// An accuracy of nothing, or worse than a second (EN 319 422 §5.2.2).
    #[error(
        "profile {name}: an accuracy of {accuracy_us} µs; EN 319 421 TIS-7.7 asks for 1 s (1000000) or better, and 0 can't be kept"
    )]
    Accuracy {
        /// The profile.
        name: String,
        /// As given.
        accuracy_us: u32,
    },
    /// More digits than microseconds.
    #[error("profile {name}: {digits} digits after the second; 0 to 6 are possible")]
    Precision {
        /// The profile.
        name: String,
        /// As given.
        digits: u8,
    },
    /// genTime's precision is coarser than the accuracy it is to carry (RFC 3161 §2.4.2).
    #[error(
        "profile {name}: genTime with {digits} digits after the second can't carry an accuracy of {accuracy_us} µs; raise precision_digits to {needed}"
    )]
    PrecisionBelowAccuracy {
        /// The profile.
        name: String,
        /// As given.
        digits: u8,
        /// As given.
        accuracy_us: u32,
        /// The least that will do.
        needed: u8,
    },
    /// Ordering without microseconds.
    #[error(
        "profile {name}: ordering = true needs precision_digits = 6, it is {digits}; two tokens of one unit of time would have no order"
    )]
    OrderingNeedsMicroseconds {
        /// The profile.
        name: String,
        /// As given.
        digits: u8,
    },
}

impl Profile {
    /// Refuses combinations that can't be served.
    ///
    /// # Errors
    /// The first thing wrong, with the values that are at odds.
    pub fn check(&self) -> Result<(), ProfileError> {
        let name = || self.name.clone();
        if !is_valid_name(&self.name) || self.name == "certchain" {
            return Err(ProfileError::Name { name: name() });
        }
        if self.policies.is_empty() {
            return Err(ProfileError::NoPolicy { name: name() });
        }
        if self.hashes.is_empty() {
            return Err(ProfileError::NoHash { name: name() });
        }
        if self.accuracy_us == 0 || self.accuracy_us > 1_000_000 {
            return Err(ProfileError::Accuracy { name: name(), accuracy_us: self.accuracy_us });
        }
        let digits = self.fraction_digits;
        if digits > MAX_FRACTION_DIGITS {
            return Err(ProfileError::Precision { name: name(), digits });
        }
        let unit_us = |digits: u8| 10_u32.pow(u32::from(MAX_FRACTION_DIGITS - digits));
        if unit_us(digits) > self.accuracy_us {
            let needed = (0..=MAX_FRACTION_DIGITS).find(|digits| unit_us(*digits) <= self.accuracy_us).unwrap_or(6);
            return Err(ProfileError::PrecisionBelowAccuracy {
                name: name(),
                digits,
                accuracy_us: self.accuracy_us,
                needed,
            });
        }
        if self.ordering && digits != MAX_FRACTION_DIGITS {
            return Err(ProfileError::OrderingNeedsMicroseconds { name: name(), digits });
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A profile that passes its check.
    pub(crate) fn sample() -> Profile {
        Profile {
            name: "default".to_owned(),
            policies: vec!["0.4.0.2023.1.1".parse().unwrap()],
            hashes: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Sha512],
            accuracy_us: 1_000_000,
            fraction_digits: 3,
            ordering: false,
            include_tsa_name: true,
            qualified: false,
            keep_tokens: false,
            callers: Vec::new(),
        }
    }

    #[test]
    fn refuses_what_cannot_be_kept() {
        assert_eq!(sample().check(), Ok(()));
        let with = |change: fn(&mut Profile)| {
            let mut profile = sample();
            change(&mut profile);
            profile.check().unwrap_err()
        };
        assert!(matches!(with(|p| p.name = "Upper".into()), ProfileError::Name { .. }));
        assert!(matches!(with(|p| p.name = "certchain".into()), ProfileError::Name { .. }));
        assert!(matches!(with(|p| p.policies.clear()), ProfileError::NoPolicy { .. }));
        assert!(matches!(with(|p| p.hashes.clear()), ProfileError::NoHash { .. }));
        assert!(matches!(with(|p| p.accuracy_us = 0), ProfileError::Accuracy { .. }));
        assert!(matches!(with(|p| p.accuracy_us = 1_000_001), ProfileError::Accuracy { .. }));
        assert!(matches!(with(|p| p.fraction_digits = 7), ProfileError::Precision { .. }));
        assert!(matches!(with(|p| p.ordering = true), ProfileError::OrderingNeedsMicroseconds { digits: 3, .. }));
        assert!(matches!(with(|p| p.accuracy_us = 500), ProfileError::PrecisionBelowAccuracy { needed: 4, .. }));
    }
}
