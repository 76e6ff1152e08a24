//! What a CRL speaks for: its IssuingDistributionPoint, and whether a certificate is in its scope.
//!
//! Owns the names of distribution points and sets of reasons; does not own entries. Enter at [`IssuingDistributionPoint`]
//! for a CRL's own word, and at [`covered_reasons`] for a certificate.

mod coverage;
mod names;
mod reasons;

use std::fmt;

pub use coverage::{CertificateFacts, CertificateKind, CrlFacts, OutOfScope, covered_reasons};
pub use names::{DistributionPoint, DistributionPointName, GeneralName};
pub use reasons::ReasonFlags;

pub(crate) use names::{check_name, read_general_names};

use crate::der::{Cursor, DerError, boolean, only, push_value, tag, value};

/// Why octets, or fields together, are no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeError {
    /// Not the DER of it.
    Der(DerError),
    /// A tag that GeneralName has not.
    NoGeneralName {
        /// The identifier octet found.
        tag: u8,
    },
    /// A URI that is empty or no IA5String.
    NoUri,
    /// More names or points than are read.
    TooManyNames {
        /// The limit.
        limit: usize,
    },
    /// RFC 5280 §4.2.1.13: a DistributionPoint has a distributionPoint or a cRLIssuer.
    PointWithoutName,
    /// RFC 5280 §5.2.5: a conforming CA MUST NOT write an IssuingDistributionPoint that is an empty SEQUENCE.
    EmptyIssuingDistributionPoint,
    /// RFC 5280 §5.2.5: at most one of onlyContainsUserCerts, CACerts and AttributeCerts.
    SeveralKinds,
    /// RFC 5280 §5.2.5: onlySomeReasons without a reason speaks for nothing.
    NoReasons,
}

impl From<DerError> for ScopeError {
    fn from(error: DerError) -> Self {
        Self::Der(error)
    }
}

/// The kinds of certificates that a CRL holds: the three `onlyContains…Certs`, of which at most one is TRUE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnlyContains {
    /// Certificates of users and of CAs.
    #[default]
    UserAndCaCerts,
    /// onlyContainsUserCerts.
    UserCerts,
    /// onlyContainsCACerts.
    CaCerts,
    /// onlyContainsAttributeCerts.
    AttributeCerts,
}

/// IssuingDistributionPoint (RFC 5280 §5.2.5). The default is what the absent extension means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuingDistributionPoint {
    /// distributionPoint.
    pub distribution_point: Option<DistributionPointName>,
    /// Which certificates.
    pub only_contains: OnlyContains,
    /// onlySomeReasons.
    pub only_some_reasons: Option<ReasonFlags>,
    /// indirectCRL: entries may be of other issuers.
    pub indirect_crl: bool,
    /// Whether a FALSE, which DER omits as the default (X.690 §11.5), was written; never written by this crate.
    pub default_written: bool,
}

impl IssuingDistributionPoint {
    /// A partition by its URI, octet for octet the certificates' CRLDP.
    ///
    /// # Errors
    /// Not an IA5String, or empty.
    pub fn from_uri(uri: &str) -> Result<Self, ScopeError> {
        let name = DistributionPointName::FullName(vec![GeneralName::from_uri(uri)?]);
        Ok(Self { distribution_point: Some(name), ..Self::default() })
    }

    /// Reads an extnValue.
    ///
    /// # Errors
    /// Not that structure, empty, or several kinds at once.
    pub fn read(octets: &[u8]) -> Result<Self, ScopeError> {
        let content = only(octets, tag::SEQUENCE)?;
        if content.is_empty() {
            return Err(ScopeError::EmptyIssuingDistributionPoint);
        }
        let mut fields = Cursor::new(content);
        let name = fields.optional(tag::CONTEXT_0_CONSTRUCTED)?.map(DistributionPointName::read).transpose()?;
        let mut default_written = false;
        let mut flag = |fields: &mut Cursor<'_>, number: u8| -> Result<bool, DerError> {
            let written = fields.optional(tag::CONTEXT_0 | number)?.map(boolean).transpose()?;
            default_written |= written == Some(false);
            Ok(written == Some(true))
        };
        let user = flag(&mut fields, 1)?;
        let ca = flag(&mut fields, 2)?;
        let only_some_reasons = fields.optional(tag::CONTEXT_0 | 3)?.map(ReasonFlags::from_bit_string).transpose()?;
        let indirect_crl = flag(&mut fields, 4)?;
        let attribute = flag(&mut fields, 5)?;
        if let Some(found) = fields.peek() {
            return Err(DerError::UnexpectedTag { expected: tag::CONTEXT_0 | 5, found }.into());
        }
        let only_contains = match (user, ca, attribute) {
            (false, false, false) => OnlyContains::UserAndCaCerts,
            (true, false, false) => OnlyContains::UserCerts,
            (false, true, false) => OnlyContains::CaCerts,
            (false, false, true) => OnlyContains::AttributeCerts,
            _ => return Err(ScopeError::SeveralKinds),
        };
        Ok(Self { distribution_point: name, only_contains, only_some_reasons, indirect_crl, default_written })
    }

    /// The extnValue.
    ///
    /// # Errors
    /// It would be empty; no reasons at all.
    pub fn der(&self) -> Result<Vec<u8>, ScopeError> {
        let mut fields = Vec::new();
        if let Some(name) = &self.distribution_point {
            if matches!(name, DistributionPointName::FullName(names) if names.is_empty()) {
                return Err(DerError::Empty.into());
            }
            push_value(&mut fields, tag::CONTEXT_0_CONSTRUCTED, &name.der());
        }
        match self.only_contains {
            OnlyContains::UserCerts => push_value(&mut fields, tag::CONTEXT_0 | 1, &[0xff]),
            OnlyContains::CaCerts => push_value(&mut fields, tag::CONTEXT_0 | 2, &[0xff]),
            OnlyContains::UserAndCaCerts | OnlyContains::AttributeCerts => {}
        }
        if let Some(reasons) = self.only_some_reasons {
            if reasons.is_empty() {
                return Err(ScopeError::NoReasons);
            }
            push_value(&mut fields, tag::CONTEXT_0 | 3, &reasons.bit_string());
        }
        if self.indirect_crl {
            push_value(&mut fields, tag::CONTEXT_0 | 4, &[0xff]);
        }
        if self.only_contains == OnlyContains::AttributeCerts {
            push_value(&mut fields, tag::CONTEXT_0 | 5, &[0xff]);
        }
        if fields.is_empty() {
            return Err(ScopeError::EmptyIssuingDistributionPoint);
        }
        Ok(value(tag::SEQUENCE, &fields))
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Der(error) => error.fmt(f),
            Self::NoGeneralName { tag } => write!(f, "has tag {tag:#04x}, which is no GeneralName"),
            Self::NoUri => f.write_str("has a URI that is empty or not ASCII"),
            Self::TooManyNames { limit } => write!(f, "has more than {limit} names"),
            Self::PointWithoutName => f.write_str("has a point with neither distributionPoint nor cRLIssuer"),
            Self::EmptyIssuingDistributionPoint => f.write_str("is an empty SEQUENCE (RFC 5280 §5.2.5)"),
            Self::SeveralKinds => f.write_str("holds only certificates of several kinds at once (RFC 5280 §5.2.5)"),
            Self::NoReasons => f.write_str("has onlySomeReasons without a reason"),
        }
    }
}

impl std::error::Error for ScopeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode;

    #[test]
    fn reads_as_it_is_written() {
        let uri = IssuingDistributionPoint::from_uri("http://crl.example.com/1.crl").unwrap();
        for only_contains in
            [OnlyContains::UserAndCaCerts, OnlyContains::UserCerts, OnlyContains::CaCerts, OnlyContains::AttributeCerts]
        {
            let reasons = ReasonFlags::of(&[ReasonCode::KeyCompromise]);
            let all = IssuingDistributionPoint {
                only_contains,
                only_some_reasons: Some(reasons),
                indirect_crl: true,
                ..uri.clone()
            };
            assert_eq!(IssuingDistributionPoint::read(&all.der().unwrap()), Ok(all));
        }
    }

    #[test]
    fn refuses_each_by_its_own_error() {
        let empty = ScopeError::EmptyIssuingDistributionPoint;
        assert_eq!(IssuingDistributionPoint::read(&[0x30, 0]), Err(empty));
        assert_eq!(IssuingDistributionPoint::default().der(), Err(empty));
        let several = [0x30, 6, 0x81, 1, 0xff, 0x82, 1, 0xff];
        assert_eq!(IssuingDistributionPoint::read(&several), Err(ScopeError::SeveralKinds));
        let unknown = IssuingDistributionPoint::read(&[0x30, 3, 0x86, 1, 0xff]);
        assert_eq!(unknown, Err(DerError::UnexpectedTag { expected: 0x85, found: 0x86 }.into()));
        let none = IssuingDistributionPoint { only_some_reasons: Some(ReasonFlags::NONE), ..Default::default() };
        assert_eq!(none.der(), Err(ScopeError::NoReasons));
    }

    #[test]
    fn a_written_default_is_read_and_told() {
        let read = IssuingDistributionPoint::read(&[0x30, 6, 0x81, 1, 0xff, 0x82, 1, 0x00]).unwrap();
        assert_eq!((read.only_contains, read.default_written), (OnlyContains::UserCerts, true));
    }
}
