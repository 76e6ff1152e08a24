//! Why a CRL can't be built.

use std::fmt;
use std::io;

use crate::ReasonCode;
use crate::der::DerError;
use crate::scope::ScopeError;
use crate::time::TimeError;

/// Why a CRL can't be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The entries' source, the spool or the output failed.
    Io(io::Error),
    /// RFC 5280 §5.1.2.3: issuer is a Name, and not an empty one.
    Issuer(DerError),
    /// Not an AlgorithmIdentifier.
    SignatureAlgorithm(DerError),
    /// A time that can't be written.
    Time(TimeError),
    /// RFC 5280 §5.1.2.5: nextUpdate is later than thisUpdate.
    NextUpdateNotLater {
        /// thisUpdate, seconds since 1970.
        this_update_s: i64,
        /// nextUpdate, seconds since 1970.
        next_update_s: i64,
    },
    /// RFC 5280 §5.2.1: the keyIdentifier names a key, so it has octets.
    EmptyKeyIdentifier,
    /// RFC 5280 §5.2.4: the base was issued before the delta or with it, so its number is not above the delta's.
    BaseAboveNumber,
    /// An IssuingDistributionPoint, or names, that can't be written.
    Scope(ScopeError),
    /// RFC 5280 §5.2.6: freshestCRL MUST NOT stand in a delta.
    FreshestCrlInDelta,
    /// RFC 5280 §4.1.2.2: a serial number is a positive INTEGER of at most 20 octets, without padding.
    SerialNumber {
        /// The octets given.
        serial: Vec<u8>,
    },
    /// RFC 5280 §5.3.1: removeFromCRL stands only in deltas.
    RemoveFromCrlInCompleteCrl,
    /// RFC 5280 §5.3.1: a reason that onlySomeReasons leaves out (§5.2.5).
    ReasonOutOfScope {
        /// The reason.
        reason: ReasonCode,
    },
    /// RFC 5280 §5.3.3: certificateIssuer stands only where indirectCRL is TRUE.
    CertificateIssuerInDirectCrl,
    /// The entries' source gave other octets when it was walked again: no signature would fit.
    SourceChanged {
        /// Octets of the first walk.
        first_octets: u64,
        /// Octets of this one.
        octets: u64,
    },
    /// A signature without octets.
    EmptySignature,
}

impl From<io::Error> for BuildError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TimeError> for BuildError {
    fn from(error: TimeError) -> Self {
        Self::Time(error)
    }
}

impl From<ScopeError> for BuildError {
    fn from(error: ScopeError) -> Self {
        Self::Scope(error)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the CRL can't be written: {error}"),
            Self::Issuer(error) => write!(f, "the issuer's name {error}"),
            Self::SignatureAlgorithm(error) => write!(f, "the signature's AlgorithmIdentifier {error}"),
            Self::Time(error) => write!(f, "a time {error}"),
            Self::NextUpdateNotLater { this_update_s, next_update_s } => write!(
                f,
                "nextUpdate {} is not later than thisUpdate {}",
                crate::time::display(*next_update_s),
                crate::time::display(*this_update_s)
            ),
            Self::EmptyKeyIdentifier => f.write_str("the authority's key identifier is empty"),
            Self::BaseAboveNumber => f.write_str("the delta's BaseCRLNumber is above its own number"),
            Self::Scope(error) => write!(f, "a distribution point {error}"),
            Self::FreshestCrlInDelta => f.write_str("a delta CRL with freshestCRL (RFC 5280 §5.2.6)"),
            Self::SerialNumber { serial } => write!(
                f,
                "serial number {} is not a positive INTEGER of at most 20 octets without padding",
                crate::hex(serial)
            ),
            Self::RemoveFromCrlInCompleteCrl => {
                f.write_str("removeFromCRL in a complete CRL: it stands only in deltas (RFC 5280 §5.3.1)")
            }
            Self::ReasonOutOfScope { reason } => {
                write!(f, "reason {} is not one of the CRL's onlySomeReasons (RFC 5280 §5.2.5)", reason.number())
            }
            Self::CertificateIssuerInDirectCrl => {
                f.write_str("certificateIssuer in a CRL that is not indirect (RFC 5280 §5.3.3)")
            }
            Self::SourceChanged { first_octets, octets } => {
                write!(f, "the entries took {first_octets} octets at first and now {octets}: no signature would fit")
            }
            Self::EmptySignature => f.write_str("a signature without octets"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
