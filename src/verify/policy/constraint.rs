//! The single constraints of a policy (EN 319 102-1), and what follows where one does not hold.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What follows where a constraint does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The signature does not pass.
    Fail,
    /// It passes, with a warning.
    Warn,
    /// It passes, and the report tells.
    Inform,
    /// Nothing: it is not looked at.
    Ignore,
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 4] = [Self::Fail, Self::Warn, Self::Inform, Self::Ignore];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Inform => "inform",
            Self::Ignore => "ignore",
        }
    }
}

/// One list for the type, [`Constraint::ALL`] and the names, so that none lacks another's.
macro_rules! constraints {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A constraint that a policy gives a level to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Constraint {
            $($(#[$doc])* $variant,)*
        }

        impl Constraint {
            /// Every constraint.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name, in policies and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

constraints! {
    /// signing-certificate or signing-certificate-v2 is there (EN 319 122-1 §5.2.2).
    SigningCertificateAttribute = "signing-certificate-attribute",
    /// Its issuerSerial, where it has one, is the certificate's (RFC 5035 §5).
    SigningCertificateIssuerSerial = "signing-certificate-issuer-serial",
    /// The signer's keyUsage, where it has one, allows digitalSignature or nonRepudiation (RFC 5280 §4.2.1.3).
    SignerKeyUsage = "signer-key-usage",
    /// signing-time is there (EN 319 122-1 §5.2.1).
    SigningTimeAttribute = "signing-time-attribute",
    /// It names no signature policy (EN 319 122-1 §5.2.9): what such a policy demands is not looked at.
    SignaturePolicy = "signature-policy",
    /// There is a signature timestamp that holds (EN 319 122-1 §5.3).
    SignatureTimestamp = "signature-timestamp",
    /// The timestamps' times are in the order of what they are over (EN 319 102-1 §5.5.4).
    TimestampOrder = "timestamp-order",
    /// The signature timestamp follows the signing-time within the policy's time (EN 319 102-1 §5.5.4).
    TimestampDelay = "timestamp-delay",
    /// A timestamp's accuracy is the policy's or better (RFC 3161 §2.4.2).
    TimestampAccuracy = "timestamp-accuracy",
    /// A timestamp is given under one of the policy's TSA policies (RFC 3161 §2.4.2).
    TimestampTsaPolicy = "timestamp-tsa-policy",
    /// A time-stamping unit's extKeyUsage has timeStamping alone (RFC 3161 §2.3).
    TimestampOnlyPurpose = "timestamp-only-purpose",
    /// A time-stamping unit's extKeyUsage is critical (RFC 3161 §2.3).
    TimestampPurposeCritical = "timestamp-purpose-critical",
    /// A timestamp's tsa, where it has one, is a name of the unit's certificate (RFC 3161 §2.4.2).
    TimestampTsaName = "timestamp-tsa-name",
    /// Certificates keep the MUSTs of RFC 5280 §4 that no path depends on.
    CertificateConformance = "certificate-conformance",
    /// The message keeps the MUSTs of RFC 5652 that no signature depends on.
    MessageStructure = "message-structure",
    /// There is a content timestamp that holds (EN 319 122-1 §5.2.8).
    ContentTimestamp = "content-timestamp",
    /// The counter-signatures that are there hold (RFC 5652 §11.4).
    CounterSignature = "counter-signature",
    /// Every piece of evidence that the document carries can be read.
    UnreadEvidence = "unread-evidence",
}

/// No level or constraint by this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is none; write one of {}", choices.join(", "))]
pub struct UnknownName {
    /// As given.
    pub name: String,
    /// Those that there are.
    pub choices: Vec<&'static str>,
}

/// The one of these with a name.
pub(super) fn by_name<T: Copy>(name: &str, all: &[T], name_of: impl Fn(T) -> &'static str) -> Result<T, UnknownName> {
    all.iter()
        .copied()
        .find(|one| name_of(*one) == name)
        .ok_or_else(|| UnknownName { name: name.to_owned(), choices: all.iter().copied().map(name_of).collect() })
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        by_name(name, &Self::ALL, Self::name)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Constraint {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        by_name(name, Self::ALL, Self::name)
    }
}

/// The level of every constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels(BTreeMap<Constraint, Level>);

impl Levels {
    /// Asks for the level of each constraint.
    pub(super) fn of_each<E>(level: impl Fn(Constraint) -> Result<Level, E>) -> Result<Self, E> {
        let levels = Constraint::ALL.iter().map(|constraint| Ok((*constraint, level(*constraint)?)));
        levels.collect::<Result<_, E>>().map(Self)
    }

    /// What follows where this constraint does not hold.
    #[must_use]
    pub fn level(&self, constraint: Constraint) -> Level {
        // Unwrap safety: the one constructor goes through all constraints.
        *self.0.get(&constraint).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for constraint in Constraint::ALL {
            assert_eq!(constraint.name().parse(), Ok(*constraint));
            assert!(constraint.name().bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'-'), "{constraint}");
        }
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
        }
        let unknown = "failure".parse::<Level>().unwrap_err();
        assert_eq!(unknown.to_string(), "\"failure\" is none; write one of fail, warn, inform, ignore");
    }

    #[test]
    fn every_constraint_has_its_level() {
        let warned = Constraint::CounterSignature;
        let level = |constraint| Ok::<_, ()>(if constraint == warned { Level::Warn } else { Level::Fail });
        let levels = Levels::of_each(level).unwrap();
        for constraint in Constraint::ALL {
            assert_eq!(levels.level(*constraint) == Level::Warn, *constraint == warned, "{constraint}");
        }
    }
}
