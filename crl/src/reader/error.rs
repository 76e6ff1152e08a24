//! Why a CRL can't be read.

use std::fmt;
use std::io;

use crate::CrlNumberError;
use crate::der::DerError;
use crate::scope::ScopeError;
use crate::time::TimeError;

/// The part of a CRL that an error speaks of, by the standard's names (RFC 5280 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// CertificateList, the outermost SEQUENCE.
    CertificateList,
    /// TBSCertList.
    TbsCertList,
    /// version.
    Version,
    /// signature, inside TBSCertList.
    Signature,
    /// issuer.
    Issuer,
    /// thisUpdate.
    ThisUpdate,
    /// nextUpdate.
    NextUpdate,
    /// revokedCertificates.
    RevokedCertificates,
    /// One entry.
    Entry,
    /// userCertificate.
    UserCertificate,
    /// revocationDate.
    RevocationDate,
    /// crlEntryExtensions.
    CrlEntryExtensions,
    /// reasonCode.
    ReasonCode,
    /// invalidityDate.
    InvalidityDate,
    /// certificateIssuer.
    CertificateIssuer,
    /// crlExtensions.
    CrlExtensions,
    /// authorityKeyIdentifier.
    AuthorityKeyIdentifier,
    /// cRLNumber.
    CrlNumber,
    /// deltaCRLIndicator.
    DeltaCrlIndicator,
    /// issuingDistributionPoint.
    IssuingDistributionPoint,
    /// freshestCRL.
    FreshestCrl,
    /// expiredCertsOnCRL.
    ExpiredCertsOnCrl,
    /// signatureAlgorithm, outside TBSCertList.
    SignatureAlgorithm,
    /// signatureValue.
    SignatureValue,
}

impl Field {
    /// The standard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CertificateList => "CertificateList",
            Self::TbsCertList => "TBSCertList",
            Self::Version => "version",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::ThisUpdate => "thisUpdate",
            Self::NextUpdate => "nextUpdate",
            Self::RevokedCertificates => "revokedCertificates",
            Self::Entry => "entry",
            Self::UserCertificate => "userCertificate",
            Self::RevocationDate => "revocationDate",
            Self::CrlEntryExtensions => "crlEntryExtensions",
            Self::ReasonCode => "reasonCode",
            Self::InvalidityDate => "invalidityDate",
            Self::CertificateIssuer => "certificateIssuer",
            Self::CrlExtensions => "crlExtensions",
            Self::AuthorityKeyIdentifier => "authorityKeyIdentifier",
            Self::CrlNumber => "cRLNumber",
            Self::DeltaCrlIndicator => "deltaCRLIndicator",
            Self::IssuingDistributionPoint => "issuingDistributionPoint",
            Self::FreshestCrl => "freshestCRL",
            Self::ExpiredCertsOnCrl => "expiredCertsOnCRL",
            Self::SignatureAlgorithm => "signatureAlgorithm",
            Self::SignatureValue => "signatureValue",
        }
    }
}

/// Why a CRL can't be read. `at` is the offset of the field, or of the entry that holds it, from the CRL's first octet.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream failed.
    Io(io::Error),
    /// Not the DER that belongs there.
    Der {
        /// Octets from the start.
        at: u64,
        /// Which field.
        field: Field,
        /// Why.
        error: DerError,
    },
    /// Not a time of RFC 5280 §5.1.2.4.
    Time {
        /// Octets from the start.
        at: u64,
        /// Which field.
        field: Field,
        /// Why.
        error: TimeError,
    },
    /// RFC 5280 §5.1.2.1: version is absent, or v2(1).
    BadVersion {
        /// Octets from the start.
        at: u64,
        /// The last octet of the number.
        number: u8,
    },
    /// RFC 5280 §5.1.2.1: when extensions are used, the version is v2.
    ExtensionsInV1 {
        /// Octets from the start.
        at: u64,
    },
    /// RFC 5280 §5.1.1.2: signatureAlgorithm MUST be the same as signature.
    AlgorithmsDiffer {
        /// Octets from the start, of signatureAlgorithm.
        at: u64,
    },
    /// RFC 5280 §5.1.2.6: where there are no revoked certificates, the list MUST be absent.
    EmptyRevokedCertificates {
        /// Octets from the start.
        at: u64,
    },
    /// A field of more octets than are read whole.
    TooLarge {
        /// Octets from the start.
        at: u64,
        /// Which field.
        field: Field,
        /// Its octets.
        octets: u64,
        /// The limit.
        limit: u64,
    },
    /// An entry failed before, and so has the CRL.
    AfterError,
    /// More entries than the caller allows.
    TooManyEntries {
        /// The caller's limit.
        limit: u64,
    },
    /// More extensions than are read.
    TooManyExtensions {
        /// Octets from the start.
        at: u64,
        /// Of the CRL or of an entry.
        field: Field,
        /// The limit.
        limit: usize,
    },
    /// RFC 5280 §4.2: an extension MUST NOT stand twice.
    ExtensionRepeated {
        /// Octets from the start.
        at: u64,
        /// Of the CRL or of an entry.
        field: Field,
        /// Its identifier, dotted.
        oid: String,
    },
    /// RFC 5280 §5.3.3: certificateIssuer holds the certificate issuer's distinguished name.
    CertificateIssuerWithoutName {
        /// Octets from the start.
        at: u64,
    },
    /// Names, or an IssuingDistributionPoint, that are none.
    Scope {
        /// Octets from the start.
        at: u64,
        /// Which field.
        field: Field,
        /// Why.
        error: ScopeError,
    },
    /// A cRLNumber or BaseCRLNumber that is none.
    Number {
        /// Octets from the start.
        at: u64,
        /// Which of the two.
        field: Field,
        /// Why.
        error: CrlNumberError,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the CRL can't be read: {error}"),
            Self::Der { at, field, error } => write!(f, "{} at octet {at} {error}", field.name()),
            Self::Time { at, field, error } => write!(f, "{} at octet {at} {error}", field.name()),
            Self::BadVersion { at, number } => {
                write!(f, "version at octet {at} is {number}; a CRL has none, or 1 for v2 (RFC 5280 §5.1.2.1)")
            }
            Self::ExtensionsInV1 { at } => {
                write!(f, "extensions at octet {at} in a CRL of version 1 (RFC 5280 §5.1.2.1)")
            }
            Self::AlgorithmsDiffer { at } => {
                write!(f, "signatureAlgorithm at octet {at} differs from signature (RFC 5280 §5.1.1.2)")
            }
            Self::EmptyRevokedCertificates { at } => {
                write!(f, "revokedCertificates at octet {at} is empty and must be absent (RFC 5280 §5.1.2.6)")
            }
            Self::TooLarge { at, field, octets, limit } => {
                write!(f, "{} at octet {at} has {octets} octets, more than {limit}", field.name())
            }
            Self::AfterError => f.write_str("an entry before could not be read, so the CRL can't be used"),
            Self::TooManyEntries { limit } => write!(f, "more than {limit} entries"),
            Self::TooManyExtensions { at, field, limit } => {
                write!(f, "{} at octet {at} has more than {limit} extensions", field.name())
            }
            Self::ExtensionRepeated { at, field, oid } => {
                write!(f, "{} at octet {at} has extension {oid} twice (RFC 5280 §4.2)", field.name())
            }
            Self::CertificateIssuerWithoutName { at } => {
                write!(f, "certificateIssuer at octet {at} has no directoryName (RFC 5280 §5.3.3)")
            }
            Self::Scope { at, field, error } => write!(f, "{} at octet {at} {error}", field.name()),
            Self::Number { at, field, error } => write!(f, "{} at octet {at}: {error}", field.name()),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
