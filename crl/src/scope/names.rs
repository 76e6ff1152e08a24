//! Names of distribution points: GeneralName, DistributionPointName, DistributionPoint (RFC 5280 §4.2.1.6, §4.2.1.13).

use super::{ReasonFlags, ScopeError};
use crate::der::{Cursor, DerError, only, push_value, tag, value};

/// `[4]` directoryName, EXPLICIT since Name is a CHOICE.
const DIRECTORY_NAME: u8 = 0xa4;
/// `[6]` uniformResourceIdentifier.
const URI: u8 = 0x86;
/// The highest of GeneralName's tag numbers: registeredID.
const LAST_GENERAL_NAME: u8 = 8;

/// Names in one GeneralNames: real ones have up to about ten mirrors.
const MAX_GENERAL_NAMES: usize = 256;
/// Distribution points in one CRLDistributionPoints: one a partition and reason set, with room.
const MAX_DISTRIBUTION_POINTS: usize = 256;

/// A GeneralName, kept as its whole DER: names are compared octet by octet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GeneralName(Vec<u8>);

impl GeneralName {
    /// A uniformResourceIdentifier.
    ///
    /// # Errors
    /// Not an IA5String, or empty.
    pub fn from_uri(uri: &str) -> Result<Self, ScopeError> {
        if uri.is_empty() || !uri.is_ascii() {
            return Err(ScopeError::NoUri);
        }
        Ok(Self(value(URI, uri.as_bytes())))
    }

    /// A directoryName from a Name's DER.
    ///
    /// # Errors
    /// Not a Name.
    pub fn from_name(name: &[u8]) -> Result<Self, ScopeError> {
        check_name(name)?;
        Ok(Self(value(DIRECTORY_NAME, name)))
    }

    /// The URI, if it is one.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        let content = only(&self.0, URI).ok()?;
        std::str::from_utf8(content).ok()
    }

    /// The Name's DER, if it is a directoryName.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        only(&self.0, DIRECTORY_NAME).ok()
    }

    /// The whole DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}

/// Reads a GeneralNames' content: at least one name.
pub(crate) fn read_general_names(content: &[u8]) -> Result<Vec<GeneralName>, ScopeError> {
    let mut cursor = Cursor::new(content);
    let mut names = Vec::new();
    while !cursor.is_empty() {
        if names.len() == MAX_GENERAL_NAMES {
            return Err(ScopeError::TooManyNames { limit: MAX_GENERAL_NAMES });
        }
        let name = cursor.any()?;
        if name.tag & 0xc0 != 0x80 || name.tag & 0x1f > LAST_GENERAL_NAME {
            return Err(ScopeError::NoGeneralName { tag: name.tag });
        }
        match name.tag {
            DIRECTORY_NAME => check_name(name.content)?,
            URI if !name.content.is_ascii() => return Err(ScopeError::NoUri),
            _ => {}
        }
        names.push(GeneralName(name.whole.to_vec()));
    }
    if names.is_empty() { Err(DerError::Empty.into()) } else { Ok(names) }
}

/// Checks that octets are one Name: a SEQUENCE of SETs of SEQUENCEs of an identifier and a value (RFC 5280 §4.1.2.4).
///
/// The values' character sets are not looked at: names are compared and never shown by this crate.
pub(crate) fn check_name(name: &[u8]) -> Result<(), DerError> {
    let mut names = Cursor::new(only(name, tag::SEQUENCE)?);
    while !names.is_empty() {
        check_relative_name(names.expect(tag::SET)?)?;
    }
    Ok(())
}

/// Checks a RelativeDistinguishedName's content.
fn check_relative_name(content: &[u8]) -> Result<(), DerError> {
    let mut attributes = Cursor::new(content);
    if attributes.is_empty() {
        return Err(DerError::Empty);
    }
    while !attributes.is_empty() {
        let mut attribute = Cursor::new(attributes.expect(tag::SEQUENCE)?);
        crate::der::object_identifier(attribute.expect(tag::OBJECT_IDENTIFIER)?)?;
        attribute.any()?;
        attribute.finish()?;
    }
    Ok(())
}

/// DistributionPointName.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DistributionPointName {
    /// fullName: one or more names of the same point.
    FullName(Vec<GeneralName>),
    /// nameRelativeToCRLIssuer: a RelativeDistinguishedName's content, a SET's. RFC 5280 §4.2.1.13: SHOULD NOT be used.
    NameRelativeToCrlIssuer(Vec<u8>),
}

impl DistributionPointName {
    /// Reads the CHOICE, whole.
    pub(crate) fn read(octets: &[u8]) -> Result<Self, ScopeError> {
        let mut cursor = Cursor::new(octets);
        let choice = cursor.any()?;
        cursor.finish()?;
        match choice.tag {
            tag::CONTEXT_0_CONSTRUCTED => read_general_names(choice.content).map(Self::FullName),
            tag::CONTEXT_1_CONSTRUCTED => {
                check_relative_name(choice.content)?;
                Ok(Self::NameRelativeToCrlIssuer(choice.content.to_vec()))
            }
            found => Err(DerError::UnexpectedTag { expected: tag::CONTEXT_0_CONSTRUCTED, found }.into()),
        }
    }

    /// The CHOICE's DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        match self {
            Self::FullName(names) => {
                let names: Vec<&[u8]> = names.iter().map(GeneralName::der).collect();
                value(tag::CONTEXT_0_CONSTRUCTED, &names.concat())
            }
            Self::NameRelativeToCrlIssuer(name) => value(tag::CONTEXT_1_CONSTRUCTED, name),
        }
    }

    /// Its full names; a relative one is appended to the issuer's Name (RFC 5280 §5.2.5).
    pub(crate) fn full_names(&self, issuer: &[u8]) -> Vec<GeneralName> {
        match self {
            Self::FullName(names) => names.clone(),
            Self::NameRelativeToCrlIssuer(relative) => {
                let mut names = only(issuer, tag::SEQUENCE).unwrap_or_default().to_vec();
                push_value(&mut names, tag::SET, relative);
                vec![GeneralName(value(DIRECTORY_NAME, &value(tag::SEQUENCE, &names)))]
            }
        }
    }
}

/// DistributionPoint, of a certificate's cRLDistributionPoints or of freshestCRL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistributionPoint {
    /// distributionPoint.
    pub name: Option<DistributionPointName>,
    /// reasons: absent means all.
    pub reasons: Option<ReasonFlags>,
    /// cRLIssuer: absent, the certificate's issuer signs the CRL.
    pub crl_issuer: Option<Vec<GeneralName>>,
}

impl DistributionPoint {
    /// A point with one URI.
    ///
    /// # Errors
    /// Not an IA5String, or empty.
    pub fn from_uri(uri: &str) -> Result<Self, ScopeError> {
        let name = DistributionPointName::FullName(vec![GeneralName::from_uri(uri)?]);
        Ok(Self { name: Some(name), reasons: None, crl_issuer: None })
    }

    /// Reads a CRLDistributionPoints' DER: the extnValue of cRLDistributionPoints and of freshestCRL.
    ///
    /// # Errors
    /// Not that structure; a point with reasons alone, or with none of its fields (RFC 5280 §4.2.1.13).
    pub fn read_all(octets: &[u8]) -> Result<Vec<Self>, ScopeError> {
        let mut cursor = Cursor::new(only(octets, tag::SEQUENCE)?);
        let mut points = Vec::new();
        while !cursor.is_empty() {
            if points.len() == MAX_DISTRIBUTION_POINTS {
                return Err(ScopeError::TooManyNames { limit: MAX_DISTRIBUTION_POINTS });
            }
            points.push(Self::read(cursor.expect(tag::SEQUENCE)?)?);
        }
        if points.is_empty() { Err(DerError::Empty.into()) } else { Ok(points) }
    }

    fn read(content: &[u8]) -> Result<Self, ScopeError> {
        let mut fields = Cursor::new(content);
        let name = fields.optional(tag::CONTEXT_0_CONSTRUCTED)?.map(DistributionPointName::read).transpose()?;
        let reasons = fields.optional(tag::CONTEXT_0 | 1)?.map(ReasonFlags::from_bit_string).transpose()?;
        let crl_issuer = fields.optional(tag::CONTEXT_2_CONSTRUCTED)?.map(read_general_names).transpose()?;
        fields.finish()?;
        if name.is_none() && crl_issuer.is_none() {
            // "either distributionPoint or cRLIssuer MUST be present"
            return Err(ScopeError::PointWithoutName);
        }
        Ok(Self { name, reasons, crl_issuer })
    }

    /// A CRLDistributionPoints' DER.
    #[must_use]
    pub fn write_all(points: &[Self]) -> Vec<u8> {
        let mut content = Vec::new();
        for point in points {
            let mut fields = Vec::new();
            if let Some(name) = &point.name {
                push_value(&mut fields, tag::CONTEXT_0_CONSTRUCTED, &name.der());
            }
            if let Some(reasons) = point.reasons {
                push_value(&mut fields, tag::CONTEXT_0 | 1, &reasons.bit_string());
            }
            if let Some(issuer) = &point.crl_issuer {
                let names: Vec<&[u8]> = issuer.iter().map(GeneralName::der).collect();
                push_value(&mut fields, tag::CONTEXT_2_CONSTRUCTED, &names.concat());
            }
            push_value(&mut content, tag::SEQUENCE, &fields);
        }
        value(tag::SEQUENCE, &content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode;

    #[test]
    fn points_read_as_they_are_written() {
        let mut full = DistributionPoint::from_uri("http://crl.example.com/1.crl").unwrap();
        full.reasons = Some(ReasonFlags::of(&[ReasonCode::KeyCompromise]));
        let issuer = GeneralName::from_name(&[0x30, 0]).unwrap();
        let by_issuer = DistributionPoint { name: None, reasons: None, crl_issuer: Some(vec![issuer]) };
        let points = vec![full, by_issuer];
        assert_eq!(DistributionPoint::read_all(&DistributionPoint::write_all(&points)), Ok(points));
    }

    #[test]
    fn refuses_what_is_none() {
        assert_eq!(DistributionPoint::read_all(&[0x30, 0]), Err(DerError::Empty.into()));
        assert_eq!(DistributionPoint::read_all(&[0x30, 2, 0x30, 0]), Err(ScopeError::PointWithoutName));
        assert_eq!(read_general_names(&[0x04, 0]), Err(ScopeError::NoGeneralName { tag: 4 }));
        assert_eq!(read_general_names(&[0x86, 1, 0xff]), Err(ScopeError::NoUri));
        assert_eq!(GeneralName::from_uri("http://ü"), Err(ScopeError::NoUri));
        assert_eq!(check_name(&[0x30, 2, 0x31, 0]), Err(DerError::Empty));
    }
}
