//! A policy's file: what stands in it, and how it changes the policy that it extends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::Deserialize;

use super::constraint::{Constraint, Level, Levels};
use super::suites::{CryptographicSuites, Reliability, SizedKey};
use super::value::{Base, DigestName, KeyBits, Seconds, Time, Written};
use super::{
    AnchorFile, AnchorUse, ChainConstraints, Freshness, Policy, RevocationPolicy, TimestampFreshness, TimestampTrust,
};
use crate::asn1::Oid;
use crate::ca::registry::is_valid_name;
use crate::verify::anchor::AnchorConstraints;
use crate::verify::settings::{Conformance, PolicySet, RevocationMode};

/// Octets of a policy's file that are read: a thousand anchors with their constraints take about so many.
pub const MAX_POLICY_OCTETS: usize = 256 * 1024;
/// Entries of a list: more than anybody writes by hand, and each chain is compared with them.
const MAX_ENTRIES: usize = 1024;

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The policy's name.
    #[error("a policy's name is a letter and up to 39 letters, digits and hyphens, all lower-case; {name:?} is not")]
    Name {
        /// As given.
        name: String,
    },
    /// The file is longer than a policy can be.
    #[error("policy {policy} has {octets} octets, more than {MAX_POLICY_OCTETS}")]
    TooLong {
        /// The policy.
        policy: String,
        /// How long it is.
        octets: usize,
    },
    /// The file is not TOML, or has a key that is unknown or a value that can't be.
    #[error("policy {policy}: {message}")]
    File {
        /// The policy.
        policy: String,
        /// What the TOML reader says: the line, the key, what was expected.
        message: String,
    },
    /// A policy that extends nothing lacks something.
    #[error(
        "policy {policy}: {key} is missing; a policy that says extends = \"nothing\" says everything: write it, or extend \"default\""
    )]
    Missing {
        /// The policy.
        policy: String,
        /// What, with its section.
        key: String,
    },
    /// A value that can't be beside the others.
    #[error("policy {policy}: {key}: {demand}")]
    Value {
        /// The policy.
        policy: String,
        /// Which, with its section.
        key: String,
        /// What to write.
        demand: &'static str,
    },
    /// A list is too long.
    #[error("policy {policy}: {key} has {count} entries, more than {MAX_ENTRIES}")]
    TooMany {
        /// The policy.
        policy: String,
        /// Which, with its section.
        key: String,
        /// How many it has.
        count: usize,
    },
}

impl Policy {
    /// Reads a policy's TOML. What it leaves out is as in the policy that it extends, the default one if it doesn't say.
    ///
    /// # Errors
    /// The first thing that is unknown, missing or impossible, and what to write.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, PolicyError> {
        if !is_valid_name(name) {
            return Err(PolicyError::Name { name: name.to_owned() });
        }
        let policy = || name.to_owned();
        if text.len() > MAX_POLICY_OCTETS {
            return Err(PolicyError::TooLong { policy: policy(), octets: text.len() });
        }
        let file: PolicyFile = toml::from_str(text).map_err(|error| PolicyError::File {
            policy: policy(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        file.into_policy(name).map_err(|refused| match refused {
            Refused::Missing(key) => PolicyError::Missing { policy: policy(), key },
            Refused::Value(key, demand) => PolicyError::Value { policy: policy(), key, demand },
            Refused::TooMany(key, count) => PolicyError::TooMany { policy: policy(), key, count },
        })
    }
}

/// What is wrong with a file that reads: which key, and what about it.
enum Refused {
    Missing(String),
    Value(String, &'static str),
    TooMany(String, usize),
}

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    /// The policy that holds where this one is silent. Default "default".
    extends: Option<Written<Base>>,
    /// What it is for, for people.
    description: Option<String>,
    /// `[suites]`: entries that are added to those extended, or replace them.
    #[serde(default)]
    suites: SuitesSection,
    /// `[[anchors]]`: instead of those extended.
    anchors: Option<Vec<AnchorEntry>>,
    /// `[signer]`.
    #[serde(default)]
    signer: SignerSection,
    /// `[timestamps]`.
    #[serde(default)]
    timestamps: TimestampsSection,
    /// `[revocation]`.
    #[serde(default)]
    revocation: RevocationSection,
    /// `[levels]`.
    #[serde(default)]
    levels: BTreeMap<Written<Constraint>, Written<Level>>,
}

/// `[suites]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuitesSection {
    /// By name.
    #[serde(default)]
    digests: BTreeMap<Written<DigestName>, Written<Reliability>>,
    /// By name, or by name and least size.
    #[serde(default)]
    keys: KeysSection,
}

type Sizes = BTreeMap<Written<KeyBits>, Written<Reliability>>;

/// `[suites.keys]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct KeysSection {
    #[serde(default)]
    rsa_pkcs1: Sizes,
    #[serde(default)]
    rsa_pss: Sizes,
    #[serde(default)]
    dsa: Sizes,
    #[serde(default)]
    ecdsa: Sizes,
    ed25519: Option<Written<Reliability>>,
    ed448: Option<Written<Reliability>>,
    #[serde(rename = "ml-dsa-44")]
    ml_dsa_44: Option<Written<Reliability>>,
    #[serde(rename = "ml-dsa-65")]
    ml_dsa_65: Option<Written<Reliability>>,
    #[serde(rename = "ml-dsa-87")]
    ml_dsa_87: Option<Written<Reliability>>,
}

/// An entry of `[[anchors]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnchorEntry {
    /// The file.
    path: PathBuf,
    /// A file whose first line is the password of a PKCS #12 file.
    password_file: Option<PathBuf>,
    /// What the anchors are trusted for. Default "any".
    #[serde(rename = "for")]
    for_: Option<Written<AnchorUse>>,
    /// The first moment at which they are trusted.
    from: Option<Written<Time>>,
    /// The first moment at which they no longer are.
    until: Option<Written<Time>>,
    /// How many CAs may stand between anchor and target.
    max_path_length: Option<u32>,
    /// The policies that they stand for. Default: all.
    policies: Option<Vec<Written<Oid>>>,
    /// Whether all of a certificate counts. Default false.
    #[serde(default)]
    whole_certificate: bool,
}

/// `[signer]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignerSection {
    policies: Option<Vec<Written<Oid>>>,
    explicit_policy: Option<bool>,
    inhibit_policy_mapping: Option<bool>,
    inhibit_any_policy: Option<bool>,
    max_path_length: Option<u32>,
    conformance: Option<Written<Conformance>>,
    purposes: Option<Vec<Written<Oid>>>,
}

/// `[timestamps]`: the units' chains, and the timestamps themselves.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimestampsSection {
    policies: Option<Vec<Written<Oid>>>,
    explicit_policy: Option<bool>,
    inhibit_policy_mapping: Option<bool>,
    inhibit_any_policy: Option<bool>,
    max_path_length: Option<u32>,
    conformance: Option<Written<Conformance>>,
    tsa_policies: Option<Vec<Written<Oid>>>,
    max_accuracy: Option<Written<Seconds>>,
    max_delay: Option<Written<Seconds>>,
}

/// `[revocation]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevocationSection {
    signer: Option<Written<RevocationMode>>,
    timestamps: Option<Written<RevocationMode>>,
    freshness: Option<Written<Freshness>>,
    timestamp_freshness: Option<Written<TimestampFreshness>>,
    without_next_update: Option<Written<Seconds>>,
    reason_rule: Option<bool>,
}

impl PolicyFile {
    fn into_policy(self, name: &str) -> Result<Policy, Refused> {
        let base = match self.extends.map_or(Base::BuiltIn(Policy::BUILT_IN[0]), |extends| extends.0) {
            Base::BuiltIn(name) => Policy::built_in(name),
            Base::Nothing => None,
        };
        let written = self.levels;
        let levels = Levels::of_each(|constraint| {
            let level = written.get(&Written(constraint)).map(|level| level.0);
            either(level, base.map(|base| base.levels.level(constraint)), || format!("levels.{constraint}"))
        })?;
        let trusted = base.map(|base| &base.timestamps_trusted);
        Ok(Policy {
            fingerprint: OnceLock::new(),
            name: name.to_owned(),
            description: either(self.description, base.map(|base| base.description.clone()), || {
                "description".to_owned()
            })?,
            suites: self.suites.over(base.map(|base| base.suites.clone()).unwrap_or_default())?,
            anchors: match self.anchors {
                Some(entries) => anchors(entries)?,
                None => base.map(|base| base.anchors.clone()).unwrap_or_default(),
            },
            timestamps_trusted: TimestampTrust {
                tsa_policies: match self.timestamps.tsa_policies {
                    Some(list) => oids(list, "timestamps.tsa_policies")?,
                    None => trusted.map(|trusted| trusted.tsa_policies.clone()).unwrap_or_default(),
                },
                max_accuracy_s: seconds(self.timestamps.max_accuracy)
                    .or(trusted.and_then(|trusted| trusted.max_accuracy_s)),
                max_delay_s: seconds(self.timestamps.max_delay).or(trusted.and_then(|trusted| trusted.max_delay_s)),
            },
            signer: self.signer.over("signer", base.map(|base| &base.signer))?,
            timestamps: SignerSection {
                policies: self.timestamps.policies,
                explicit_policy: self.timestamps.explicit_policy,
                inhibit_policy_mapping: self.timestamps.inhibit_policy_mapping,
                inhibit_any_policy: self.timestamps.inhibit_any_policy,
                max_path_length: self.timestamps.max_path_length,
                conformance: self.timestamps.conformance,
                purposes: None,
            }
            .over("timestamps", base.map(|base| &base.timestamps))?,
            revocation: self.revocation.over(base.map(|base| &base.revocation))?,
            levels,
        })
    }
}

impl SuitesSection {
    fn over(self, mut suites: CryptographicSuites) -> Result<CryptographicSuites, Refused> {
        for (name, end) in self.digests {
            suites.set_digest(name.0.0, end.0);
        }
        let keys = self.keys;
        for (kind, name, sizes) in [
            (SizedKey::RsaPkcs1, "rsa-pkcs1", keys.rsa_pkcs1),
            (SizedKey::RsaPss, "rsa-pss", keys.rsa_pss),
            (SizedKey::Dsa, "dsa", keys.dsa),
            (SizedKey::Ecdsa, "ecdsa", keys.ecdsa),
        ] {
            few(sizes.len(), || format!("suites.keys.{name}"))?;
            for (bits, end) in sizes {
                suites.set_sized_key(kind, bits.0.0, end.0);
            }
        }
        for (name, end) in [
            ("ed25519", keys.ed25519),
            ("ed448", keys.ed448),
            ("ml-dsa-44", keys.ml_dsa_44),
            ("ml-dsa-65", keys.ml_dsa_65),
            ("ml-dsa-87", keys.ml_dsa_87),
        ] {
            if let Some(end) = end {
                suites.set_named_key(name, end.0);
            }
        }
        Ok(suites)
    }
}

impl SignerSection {
    fn over(self, section: &str, base: Option<&ChainConstraints>) -> Result<ChainConstraints, Refused> {
        let key = |name: &str| format!("{section}.{name}");
        Ok(ChainConstraints {
            policies: match self.policies {
                Some(list) => PolicySet::Of(some_oids(list, &key("policies"))?),
                None => base.map_or(PolicySet::Any, |base| base.policies.clone()),
            },
            explicit_policy: either(self.explicit_policy, base.map(|base| base.explicit_policy), || {
                key("explicit_policy")
            })?,
            inhibit_policy_mapping: either(
                self.inhibit_policy_mapping,
                base.map(|base| base.inhibit_policy_mapping),
                || key("inhibit_policy_mapping"),
            )?,
            inhibit_any_policy: either(self.inhibit_any_policy, base.map(|base| base.inhibit_any_policy), || {
                key("inhibit_any_policy")
            })?,
            max_path_length: self.max_path_length.or(base.and_then(|base| base.max_path_length)),
            conformance: either(value(self.conformance), base.map(|base| base.conformance), || key("conformance"))?,
            purposes: match self.purposes {
                Some(list) => oids(list, &key("purposes"))?,
                None => base.map(|base| base.purposes.clone()).unwrap_or_default(),
            },
        })
    }
}

impl RevocationSection {
    fn over(self, base: Option<&RevocationPolicy>) -> Result<RevocationPolicy, Refused> {
        let key = |name: &'static str| move || format!("revocation.{name}");
        Ok(RevocationPolicy {
            signer: either(value(self.signer), base.map(|base| base.signer), key("signer"))?,
            timestamps: either(value(self.timestamps), base.map(|base| base.timestamps), key("timestamps"))?,
            freshness: either(value(self.freshness), base.map(|base| base.freshness), key("freshness"))?,
            timestamp_freshness: either(
                value(self.timestamp_freshness),
                base.map(|base| base.timestamp_freshness),
                key("timestamp_freshness"),
            )?,
            without_next_update_s: seconds(self.without_next_update)
                .or(base.and_then(|base| base.without_next_update_s)),
            reason_rule: either(self.reason_rule, base.map(|base| base.reason_rule), key("reason_rule"))?,
        })
    }
}

fn anchors(entries: Vec<AnchorEntry>) -> Result<Vec<AnchorFile>, Refused> {
    few(entries.len(), || "anchors".to_owned())?;
    entries.into_iter().zip(1..).map(|(entry, number)| anchor(entry, number)).collect()
}

/// The entry of this number, counted from 1.
fn anchor(entry: AnchorEntry, number: usize) -> Result<AnchorFile, Refused> {
    let key = |name: &str| format!("anchors.{name} of the entry {number}");
    if entry.path.as_os_str().is_empty() {
        return Err(Refused::Value(key("path"), "write a file's path"));
    }
    let from_s = entry.from.map(|from| from.0.0);
    let until_s = entry.until.map(|until| until.0.0);
    if let (Some(from_s), Some(until_s)) = (from_s, until_s)
        && until_s <= from_s
    {
        return Err(Refused::Value(key("until"), "write a time after that of from"));
    }
    let policies = entry.policies.map(|list| some_oids(list, &key("policies"))).transpose()?;
    Ok(AnchorFile {
        path: entry.path,
        password_file: entry.password_file,
        for_: value(entry.for_).unwrap_or(AnchorUse::Any),
        constraints: AnchorConstraints {
            from_s,
            // The type has the last second for which it is trusted.
            until_s: until_s.map(|until_s| until_s.saturating_sub(1)),
            max_path_length: entry.max_path_length,
            name_constraints: None,
            policies,
        },
        whole_certificate: entry.whole_certificate,
    })
}

/// What the file says, or what stands in the policy that it extends.
fn either<T>(written: Option<T>, base: Option<T>, key: impl FnOnce() -> String) -> Result<T, Refused> {
    written.or(base).ok_or_else(|| Refused::Missing(key()))
}

fn value<T>(written: Option<Written<T>>) -> Option<T> {
    written.map(|written| written.0)
}

fn seconds(written: Option<Written<Seconds>>) -> Option<i64> {
    written.map(|written| written.0.0)
}

fn few(count: usize, key: impl FnOnce() -> String) -> Result<(), Refused> {
    if count > MAX_ENTRIES { Err(Refused::TooMany(key(), count)) } else { Ok(()) }
}

fn oids(list: Vec<Written<Oid>>, key: &str) -> Result<Vec<Oid>, Refused> {
    few(list.len(), || key.to_owned())?;
    Ok(list.into_iter().map(|oid| oid.0).collect())
}

/// Policies: none at all could never be met, and is not what an empty list means elsewhere.
fn some_oids(list: Vec<Written<Oid>>, key: &str) -> Result<Vec<Oid>, Refused> {
    if list.is_empty() {
        return Err(Refused::Value(key.to_owned(), "name a policy, or leave the key out for any"));
    }
    oids(list, key)
}
