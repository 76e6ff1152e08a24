//! Why a path does not hold.

use std::fmt;

use super::super::certificate::Finding;
use super::super::general_name::NameForm;
use super::super::signature::{AlgorithmError, KeyAlgorithm, KeyError, SignatureAlgorithm, SignatureError};
use super::name_constraints::NameViolation;
use crate::asn1::DerError;

/// The condition that a certificate, or an anchor, does not meet. In the order of RFC 5280 §6.1.3, §6.1.4, §6.1.5.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// §6.1.3 (a)(1): it is signed by an algorithm that is not known.
    Algorithm(AlgorithmError),
    /// §6.1.3 (a)(1): the key above it can't be used.
    IssuerKey(KeyError),
    /// §6.1.3 (a)(1): the signature does not verify under the key above it.
    Signature(SignatureError),
    /// The policy on algorithms does not permit to rely on the signature.
    AlgorithmNotPermitted {
        /// The signature's algorithm.
        signature: SignatureAlgorithm,
        /// The kind of the key above it.
        key: KeyAlgorithm,
    },
    /// §6.1.3 (a)(2): judged for a time before notBefore.
    NotYetValid {
        /// The time judged for.
        time_s: i64,
        /// notBefore.
        not_before_s: i64,
    },
    /// §6.1.3 (a)(2): judged for a time after notAfter.
    Expired {
        /// The time judged for.
        time_s: i64,
        /// notAfter.
        not_after_s: i64,
    },
    /// An extension that the path depends on can't be read.
    MalformedExtension {
        /// Its name.
        extension: &'static str,
        /// What is wrong.
        error: DerError,
    },
    /// §6.1.3 (b), (c): a name breaks the constraints of the certificates above.
    Name {
        /// The name's form.
        form: NameForm,
        /// How.
        violation: NameViolation,
    },
    /// §6.1.3 (f), §6.1.5 (g): a policy is demanded, and none is left.
    NoPolicy,
    /// §6.1.4 (a): a mapping from or to anyPolicy.
    MappedAnyPolicy,
    /// §6.1.4 (k): it issued a certificate, but basicConstraints does not say that it is a CA's.
    NotCa {
        /// Whether it has basicConstraints at all.
        has_basic_constraints: bool,
    },
    /// §6.1.4 (l): more certificates follow than a path length constraint above allows.
    PathTooLong,
    /// §6.1.4 (n): it issued a certificate, but keyUsage lacks keyCertSign.
    NoKeyCertSign,
    /// §6.1.4 (o), §6.1.5 (f): a critical extension that is not processed.
    UnknownCriticalExtension {
        /// Dotted.
        oid: String,
    },
    /// §4.2.1.12: extKeyUsage does not allow the purpose that was asked for.
    Purpose,
    /// It does not keep a MUST of §4, and conformance was required.
    Finding(Finding),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm(error) => error.fmt(f),
            Self::IssuerKey(error) => write!(f, "the issuer's key: {error}"),
            Self::Signature(error) => write!(f, "the signature of the issuer: {error}"),
            Self::AlgorithmNotPermitted { signature, key } => {
                write!(f, "signed by {signature} with a key of the kind {key}, which the policy does not permit")
            }
            Self::NotYetValid { time_s, not_before_s } => {
                write!(f, "valid from {not_before_s} on (seconds since 1970), after {time_s}")
            }
            Self::Expired { time_s, not_after_s } => {
                write!(f, "valid until {not_after_s} (seconds since 1970), before {time_s}")
            }
            Self::MalformedExtension { extension, error } => write!(f, "{extension} can't be read: {error}"),
            Self::Name { form, violation } => match violation {
                NameViolation::NotPermitted => write!(f, "a {form} is outside the subtrees that an issuer permits"),
                NameViolation::Excluded => write!(f, "a {form} is in a subtree that an issuer excludes"),
                NameViolation::Malformed => write!(f, "a {form}, or a constraint on it, is malformed"),
                NameViolation::FormNotSupported => write!(f, "constraints on a {form} can't be applied"),
            },
            Self::NoPolicy => f.write_str("a certificate policy is demanded, and none holds for the whole path"),
            Self::MappedAnyPolicy => f.write_str("a policy mapping from or to anyPolicy"),
            Self::NotCa { has_basic_constraints: true } => f.write_str("basicConstraints says that it is not a CA's"),
            Self::NotCa { has_basic_constraints: false } => f.write_str("a CA's certificate without basicConstraints"),
            Self::PathTooLong => f.write_str("more certificates follow than a path length constraint allows"),
            Self::NoKeyCertSign => f.write_str("keyUsage does not allow its key to sign certificates"),
            Self::UnknownCriticalExtension { oid } => write!(f, "the critical extension {oid} is not known"),
            Self::Purpose => f.write_str("extKeyUsage does not allow the purpose"),
            Self::Finding(finding) => write!(f, "does not conform to RFC 5280 §4: {finding:?}"),
        }
    }
}

impl std::error::Error for Fault {}
