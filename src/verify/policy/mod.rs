//! The verification policy: which anchors, algorithms, chains, revocation data and timestamps count, and how much.
//!
//! Owns what a policy says, its file (TOML), the policies that Noonmark comes with, and how a file of anchors is read. Does
//! not own reading files (paths are handed out as written), the time, or applying the policy: it gives a judgement its
//! settings. Enter at [`Policy::built_in`], [`Policy::from_toml`] and [`read_anchors`].
//!
//! | file | what |
//! |---|---|
//! | `suites.rs` | digests and keys with their ends (TS 119 312) |
//! | `constraint.rs` | the single constraints and their levels |
//! | `file.rs`, `value.rs` | the TOML: what stands in it, and its dates, durations and names |
//! | `default.toml`, `without-revocation.toml` | the policies that there are |
//! | `anchors.rs`, `pkcs12.rs` | certificates in a file: PEM, DER, CMS, PKCS #12 |

mod anchors;
mod constraint;
mod file;
mod pkcs12;
mod suites;
mod value;

use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};

use super::anchor::AnchorConstraints;
use super::settings::{Conformance, PolicySet, RevocationMode};
use crate::asn1::Oid;
use crate::crypto::sha256;

pub use anchors::{AnchorFileError, MAX_ANCHOR_FILE_OCTETS, read_anchors};
pub use constraint::{Constraint, Level, Levels, UnknownName};
pub use file::{MAX_POLICY_OCTETS, PolicyError};
pub use pkcs12::Pkcs12Error;
pub use suites::{CryptographicSuites, Reliability, SuitesAt};

/// What is demanded of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it is called by.
    pub name: String,
    /// What it is for, for people.
    pub description: String,
    /// Until when digests and keys are reliable.
    pub suites: CryptographicSuites,
    /// Where the trust anchors come from.
    pub anchors: Vec<AnchorFile>,
    /// What chains of signers keep.
    pub signer: ChainConstraints,
    /// What chains of time-stamping units keep.
    pub timestamps: ChainConstraints,
    /// Which revocation data is asked for, and how fresh it is.
    pub revocation: RevocationPolicy,
    /// Which timestamps are trusted.
    pub timestamps_trusted: TimestampTrust,
    /// What follows where a single constraint does not hold.
    pub levels: Levels,
    /// See [`Self::fingerprint`].
    fingerprint: OnceLock<[u8; 32]>,
}

/// What an anchor is trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorUse {
    /// Signers and time-stamping units.
    Any,
    /// Signers.
    Signatures,
    /// Time-stamping units.
    Timestamps,
}

/// A file of anchors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorFile {
    /// Where it is, as written.
    pub path: PathBuf,
    /// Where its password is, as written: a file whose first line it is.
    pub password_file: Option<PathBuf>,
    /// What the anchors in it are trusted for.
    pub for_: AnchorUse,
    /// What holds for each of them.
    pub constraints: AnchorConstraints,
    /// Whether all of a certificate counts, or its name and key alone (RFC 5937 §4).
    pub whole_certificate: bool,
}

/// What a chain keeps beyond being valid: inputs of RFC 5280 §6.1.1, and more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainConstraints {
    /// (c): user-initial-policy-set.
    pub policies: PolicySet,
    /// (f): initial-explicit-policy.
    pub explicit_policy: bool,
    /// (e): initial-policy-mapping-inhibit.
    pub inhibit_policy_mapping: bool,
    /// (g): initial-any-policy-inhibit.
    pub inhibit_any_policy: bool,
    /// How many certificates that are not self-issued may stand between anchor and target.
    pub max_path_length: Option<u32>,
    /// Whether findings of certificates fail the chain.
    pub conformance: Conformance,
    /// Purposes of which the target's extKeyUsage, where it has one, allows any; empty: not asked. Empty for time-stamping
    /// units, whose purpose RFC 3161 §2.3 gives.
    pub purposes: Vec<Oid>,
}

/// What is asked about revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationPolicy {
    /// Of the chains of signers.
    pub signer: RevocationMode,
    /// Of the chains of time-stamping units.
    pub timestamps: RevocationMode,
    /// When evidence is fresh.
    pub freshness: Freshness,
    /// At which time evidence about a time-stamping unit is fresh.
    pub timestamp_freshness: TimestampFreshness,
    /// For how long evidence without nextUpdate is taken to hold; `None` refuses it.
    pub without_next_update_s: Option<i64>,
    /// Whether a revoked time-stamping unit's timestamps from before stay good where the reason says so (RFC 3161 §4).
    pub reason_rule: bool,
}

/// When revocation data is fresh (EN 319 102-1 §5.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Its nextUpdate is not before the time that is judged for.
    NextUpdate,
    /// Its thisUpdate is not longer ago than this.
    MaxAge {
        /// How long ago.
        seconds: i64,
    },
}

/// At which time revocation data about a time-stamping unit is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFreshness {
    /// At the timestamp's genTime.
    GenTime,
    /// At the time that is judged for.
    JudgingTime,
}

/// Which timestamps are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimestampTrust {
    /// The TSA policies, of which it has one; empty: any.
    pub tsa_policies: Vec<Oid>,
    /// The worst accuracy.
    pub max_accuracy_s: Option<i64>,
    /// The longest time from the claimed signing-time to the signature timestamp.
    pub max_delay_s: Option<i64>,
}

impl RevocationPolicy {
    /// Whether evidence of these times is fresh for a time, all in seconds since 1970 (EN 319 102-1 §5.2.5).
    #[must_use]
    pub const fn is_fresh(&self, this_update_s: i64, next_update_s: Option<i64>, time_s: i64) -> bool {
        match (self.freshness, next_update_s, self.without_next_update_s) {
            (Freshness::MaxAge { seconds }, ..) => this_update_s.saturating_add(seconds) >= time_s,
            (Freshness::NextUpdate, Some(next_update_s), _) => next_update_s >= time_s,
            (Freshness::NextUpdate, None, Some(seconds)) => this_update_s.saturating_add(seconds) >= time_s,
            (Freshness::NextUpdate, None, None) => false,
        }
    }
}

static DEFAULT: LazyLock<Policy> = LazyLock::new(|| {
    // Unwrap safety: the text is a part of the program, and tests read it.
    Policy::from_toml(include_str!("default.toml"), "default").unwrap()
});
static WITHOUT_REVOCATION: LazyLock<Policy> = LazyLock::new(|| {
    // Unwrap safety: the text is a part of the program, and tests read it.
    Policy::from_toml(include_str!("without-revocation.toml"), "without-revocation").unwrap()
});

impl Policy {
    /// The names of the policies that Noonmark comes with.
    pub const BUILT_IN: [&'static str; 2] = ["default", "without-revocation"];

    /// A digest of all that the policy says: the same for policies that say the same.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        self.fingerprint.get_or_init(|| {
            let Self {
                name: _,
                description: _,
                suites,
                anchors: _,
                signer,
                timestamps,
                revocation,
                timestamps_trusted,
                levels,
                fingerprint: _,
            } = self;
            let words =
                format!("{suites:?} {signer:?} {timestamps:?} {revocation:?} {timestamps_trusted:?} {levels:?}");
            sha256(words.as_bytes())
        })
    }

    /// The policy where every status must be known that it asks about.
    #[must_use]
    pub fn without_tolerance(&self) -> Self {
        let required = |mode: RevocationMode| match mode {
            RevocationMode::Told => RevocationMode::Required,
            other => other,
        };
        let mut revocation = self.revocation;
        revocation.signer = required(revocation.signer);
        revocation.timestamps = required(revocation.timestamps);
        Self { revocation, fingerprint: OnceLock::new(), ..self.clone() }
    }

    /// What is demanded where nothing else is asked. It has no anchors.
    #[must_use]
    pub fn default_policy() -> &'static Self {
        &DEFAULT
    }

    /// A policy that Noonmark comes with.
    #[must_use]
    pub fn built_in(name: &str) -> Option<&'static Self> {
        match name {
            "default" => Some(&DEFAULT),
            "without-revocation" => Some(&WITHOUT_REVOCATION),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
