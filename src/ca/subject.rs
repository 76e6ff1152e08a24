//! Subjects of any attributes, read strictly and written in one way.

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;

use super::name::SubjectName;
use crate::asn1::{DerError, Reader, writer};

const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;

/// The most attributes a subject may have; real ones have below 10.
const MAX_ATTRIBUTES: usize = 24;

/// A kind of attribute that a subject may have. The order is the one they are written in (TLS BR 7.1.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttributeType {
    /// domainComponent (RFC 4519 §2.4).
    DomainComponent,
    /// countryName.
    Country,
    /// stateOrProvinceName.
    State,
    /// localityName.
    Locality,
    /// organizationName.
    Organization,
    /// organizationIdentifier (EN 319 412-1 §5.1.4).
    OrganizationIdentifier,
    /// surname.
    Surname,
    /// givenName.
    GivenName,
    /// organizationalUnitName.
    OrganizationalUnit,
    /// serialNumber: of the subject, not of the certificate.
    SerialNumber,
    /// commonName.
    CommonName,
    /// emailAddress (RFC 2985); RFC 5280 §4.1.2.6 wants addresses in subjectAltName instead.
    EmailAddress,
}

impl AttributeType {
    /// Every type, in the order of writing.
    pub const ALL: [Self; 12] = [
        Self::DomainComponent,
        Self::Country,
        Self::State,
        Self::Locality,
        Self::Organization,
        Self::OrganizationIdentifier,
        Self::Surname,
        Self::GivenName,
        Self::OrganizationalUnit,
        Self::SerialNumber,
        Self::CommonName,
        Self::EmailAddress,
    ];

    /// The name in profiles and messages; short where RFC 4514 has a short one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DomainComponent => "DC",
            Self::Country => "C",
            Self::State => "ST",
            Self::Locality => "L",
            Self::Organization => "O",
            Self::OrganizationIdentifier => "organizationIdentifier",
            Self::OrganizationalUnit => "OU",
            Self::Surname => "SN",
            Self::GivenName => "GN",
            Self::SerialNumber => "serialNumber",
            Self::CommonName => "CN",
            Self::EmailAddress => "emailAddress",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its identifier.
    #[must_use]
    pub const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::DomainComponent => "0.9.2342.19200300.100.1.25",
            Self::Country => "2.5.4.6",
            Self::State => "2.5.4.8",
            Self::Locality => "2.5.4.7",
            Self::Organization => "2.5.4.10",
            Self::OrganizationIdentifier => "2.5.4.97",
            Self::OrganizationalUnit => "2.5.4.11",
            Self::Surname => "2.5.4.4",
            Self::GivenName => "2.5.4.42",
            Self::SerialNumber => "2.5.4.5",
            Self::CommonName => "2.5.4.3",
            Self::EmailAddress => "1.2.840.113549.1.9.1",
        })
    }

    /// Its type by identifier octets.
    pub(super) fn from_oid_octets(octets: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.oid().as_bytes() == octets)
    }

    /// The most characters (RFC 5280 appendix A.1, upper bounds; DC is a label of RFC 1035 §2.3.4).
    #[must_use]
    pub const fn max_characters(self) -> usize {
        match self {
            Self::Country => 2,
            Self::State | Self::Locality => 128,
            Self::EmailAddress => 255,
            Self::DomainComponent => 63,
            Self::Organization
            | Self::OrganizationIdentifier
            | Self::OrganizationalUnit
            | Self::Surname
            | Self::GivenName
            | Self::SerialNumber
            | Self::CommonName => 64,
        }
    }

    /// The string type that RFC 5280 appendix A.1 gives it; UTF8String where it leaves the choice (§4.1.2.4).
    pub(super) const fn string_tag(self) -> u8 {
        match self {
            Self::Country | Self::SerialNumber => PRINTABLE_STRING,
            Self::DomainComponent | Self::EmailAddress => IA5_STRING,
            _ => writer::UTF8_STRING,
        }
    }

    /// Whether it may stand more than once.
    const fn repeats(self) -> bool {
        matches!(self, Self::DomainComponent | Self::OrganizationalUnit)
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a subject is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// Not a Name in DER.
    #[error("the subject is not a Name in DER: {0}")]
    Malformed(#[from] DerError),
    /// An attribute that Noonmark does not write.
    #[error("the subject has the attribute {oid}, which no profile knows; give the subject anew without it")]
    UnknownAttribute {
        /// The attribute's identifier, dotted.
        oid: String,
    },
    /// A relative name of several attributes, joined by `+`.
    #[error("the subject joins several attributes by +; give them one by one")]
    SeveralInOne,
    /// Neither PrintableString, UTF8String nor IA5String.
    #[error("{attribute} is written with the string type {tag:#04x}; use UTF8String")]
    StringType {
        /// The attribute.
        attribute: AttributeType,
        /// The tag.
        tag: u8,
    },
    /// Too long, empty, or with characters that it may not have.
    #[error("{attribute}={value:?} is not possible: {demand}")]
    Value {
        /// The attribute.
        attribute: AttributeType,
        /// As given.
        value: String,
        /// What it must be.
        demand: &'static str,
    },
    /// An attribute that stands more than once.
    #[error("{attribute} stands more than once in the subject")]
    Repeated {
        /// The attribute.
        attribute: AttributeType,
    },
    /// More attributes than anybody needs.
    #[error("the subject has more than {MAX_ATTRIBUTES} attributes")]
    TooMany,
    /// A text that is no list of attributes.
    #[error(
        "{text:?} is not ATTRIBUTE=VALUE; write a subject such as C=DE, O=Example, CN=Name, a comma in a value as \\,"
    )]
    Form {
        /// The part that is not.
        text: String,
    },
}

/// A subject: checked attributes, in the order that they are written in. It may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject(Vec<(AttributeType, String)>);

impl Subject {
    /// Checks the attributes and puts them in order.
    ///
    /// # Errors
    /// A value that its attribute may not have, an attribute that stands twice.
    pub fn new(attributes: impl IntoIterator<Item = (AttributeType, String)>) -> Result<Self, SubjectError> {
        let mut list: Vec<(AttributeType, String)> = Vec::new();
        for (attribute, value) in attributes {
            if list.len() == MAX_ATTRIBUTES {
                return Err(SubjectError::TooMany);
            }
            check_value(attribute, &value)?;
            if !attribute.repeats() && list.iter().any(|(known, _)| *known == attribute) {
                return Err(SubjectError::Repeated { attribute });
            }
            list.push((attribute, value));
        }
        // Stable: what may repeat keeps its order.
        list.sort_by_key(|(attribute, _)| *attribute);
        Ok(Self(list))
    }

    /// Reads a Name (RFC 5280 §4.1.2.4), a signing request's for instance.
    ///
    /// # Errors
    /// What is no Name, or has attributes or string types that Noonmark does not write.
    pub fn from_name_der(name_der: &[u8]) -> Result<Self, SubjectError> {
        let mut sets = Reader::only(name_der, writer::SEQUENCE)?;
        let mut attributes = Vec::new();
        while !sets.is_finished() {
            if attributes.len() == MAX_ATTRIBUTES {
                return Err(SubjectError::TooMany);
            }
            let mut set = sets.enter(writer::SET)?;
            let mut pair = set.enter(writer::SEQUENCE)?;
            if !set.is_finished() {
                return Err(SubjectError::SeveralInOne);
            }
            let oid = pair.expect(writer::OBJECT_IDENTIFIER)?.content;
            let value = pair.read()?;
            pair.finish()?;
            let attribute = AttributeType::from_oid_octets(oid)
                .ok_or_else(|| SubjectError::UnknownAttribute { oid: dotted(oid) })?;
            if !matches!(value.tag, PRINTABLE_STRING | IA5_STRING | writer::UTF8_STRING) {
                return Err(SubjectError::StringType { attribute, tag: value.tag });
            }
            let text = std::str::from_utf8(value.content)
                .map_err(|_| DerError::Value { what: "string: it is not the text that its type says" })?;
            let is_ascii = text.is_ascii();
            if value.tag != writer::UTF8_STRING && !is_ascii {
                return Err(DerError::Value { what: "string: it has characters that its type lacks" }.into());
            }
            attributes.push((attribute, text.to_owned()));
        }
        Self::new(attributes)
    }

    /// The attributes in the order of writing.
    #[must_use]
    pub fn attributes(&self) -> &[(AttributeType, String)] {
        &self.0
    }

    /// Whether there is no attribute at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of this type.
    #[must_use]
    pub fn first(&self, attribute: AttributeType) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == attribute).map(|(_, value)| value.as_str())
    }

    /// The Name's DER, each attribute in a relative name of its own.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let mut sets = Vec::new();
        for (attribute, value) in &self.0 {
            let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[attribute.oid().as_bytes()]);
            let text = writer::tlv(attribute.string_tag(), &[value.as_bytes()]);
            sets.push(writer::tlv(writer::SET, &[&writer::tlv(writer::SEQUENCE, &[&oid, &text])]));
        }
        super::extension::sequence_of(&sets)
    }
}

impl From<&SubjectName> for Subject {
    fn from(name: &SubjectName) -> Self {
        Self(vec![
            (AttributeType::Country, name.country.clone()),
            (AttributeType::Organization, name.organization.clone()),
            (AttributeType::CommonName, name.common_name.clone()),
        ])
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    /// Reads `C=DE, O=Example, CN=Name`, in any order; `\\,` is a comma in a value, `\\` a backslash.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut attributes = Vec::new();
        for part in split_at_commas(text) {
            let form = || SubjectError::Form { text: part.clone() };
            let (name, value) = part.split_once('=').ok_or_else(form)?;
            let attribute = AttributeType::from_name(name.trim()).ok_or_else(form)?;
            attributes.push((attribute, value.trim().to_owned()));
        }
        Self::new(attributes)
    }
}

/// The parts between the commas that no backslash stands before, without the backslashes.
fn split_at_commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' => parts.push(String::new()),
            character => {
                let character = if character == '\\' { characters.next().unwrap_or('\\') } else { character };
                if let Some(last) = parts.last_mut() {
                    last.push(character);
                }
            }
        }
    }
    if parts.iter().all(|part| part.trim().is_empty()) { Vec::new() } else { parts }
}

impl fmt::Display for Subject {
    /// For people: `C=DE, O=Example`. Values are not escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (attribute, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{attribute}={value}")?;
        }
        Ok(())
    }
}

/// An identifier in dotted decimal, or its octets where it is none.
pub(super) fn dotted(oid: &[u8]) -> String {
    crate::asn1::Oid::from_octets(oid).map_or_else(|_| hex::encode(oid), |oid| oid.to_string())
}

/// The characters of PrintableString (X.680 §41.4).
pub(super) fn is_printable_string(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte))
}

fn check_value(attribute: AttributeType, value: &str) -> Result<(), SubjectError> {
    let refused = |demand| Err(SubjectError::Value { attribute, value: value.to_owned(), demand });
    if attribute == AttributeType::Country {
        if value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Ok(());
        }
        return refused("write two capital letters such as DE (ISO 3166)");
    }
    if value.chars().count() > attribute.max_characters() {
        return refused("it is longer than RFC 5280 appendix A.1 allows");
    }
    // TLS BR 7.1.4.2: no value of metadata such as "-", "." or a space alone.
    if !value.chars().any(char::is_alphanumeric) {
        return refused("write letters or digits, or leave the attribute out");
    }
    if value.chars().any(char::is_control) || value.trim() != value {
        return refused("no control characters, no space at either end");
    }
    match attribute {
        AttributeType::SerialNumber if !is_printable_string(value) => {
            refused("only letters, digits, space and '()+,-./:=? (PrintableString)")
        }
        AttributeType::EmailAddress if super::alternative_name::check_email(value).is_err() => {
            refused("write an address such as name@example.org")
        }
        AttributeType::DomainComponent if !super::alternative_name::is_label(value) => {
            refused("write one label of a domain, such as example")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttributeType::{CommonName, Country, DomainComponent, EmailAddress, Organization, OrganizationalUnit};

    fn subject(parts: &[(AttributeType, &str)]) -> Result<Subject, SubjectError> {
        Subject::new(parts.iter().map(|(attribute, value)| (*attribute, (*value).to_owned())))
    }

    #[test]
    fn a_subject_is_read_as_people_write_it() {
        let read: Subject = r"CN=Alice\, the first, C=DE,O = Example \\ Sons".parse().unwrap();
        assert_eq!(read.first(AttributeType::CommonName), Some("Alice, the first"));
        assert_eq!(read.first(AttributeType::Organization), Some(r"Example \ Sons"));
        assert_eq!(read.attributes()[0].0, AttributeType::Country, "in the order of writing");
        assert!("".parse::<Subject>().unwrap().is_empty());
        for text in ["CN", "CN=x,,C=DE", "X=y", "=x"] {
            assert!(matches!(text.parse::<Subject>(), Err(SubjectError::Form { .. })), "{text}");
        }
        assert!(matches!("CN=a, CN=b".parse::<Subject>(), Err(SubjectError::Repeated { .. })));
        assert!(matches!("C=de".parse::<Subject>(), Err(SubjectError::Value { .. })));
    }

    #[test]
    fn writes_as_subject_name_does_and_reads_back() {
        let name = SubjectName::new("DE", "Exämple", "Unit 1").unwrap();
        let ours = subject(&[(CommonName, "Unit 1"), (Organization, "Exämple"), (Country, "DE")]).unwrap();
        assert_eq!(ours.to_der(), name.to_der());
        assert_eq!(Subject::from(&name), ours);
        assert_eq!(Subject::from_name_der(&ours.to_der()), Ok(ours.clone()));
        assert_eq!(ours.to_string(), "C=DE, O=Exämple, CN=Unit 1");
        assert_eq!(ours.first(CommonName), Some("Unit 1"));
        assert_eq!(Subject::default().to_der(), [0x30, 0]);
        assert_eq!(Subject::from_name_der(&[0x30, 0]), Ok(Subject::default()));
        let every = AttributeType::ALL.map(|attribute| {
            let value = match attribute {
                Country => "DE",
                EmailAddress => "a@example.org",
                _ => "example",
            };
            (attribute, value.to_owned())
        });
        let every = Subject::new(every).unwrap();
        assert_eq!(Subject::from_name_der(&every.to_der()), Ok(every.clone()));
        // The library of others reads it as well.
        use der::{Decode as _, Encode as _};
        let theirs = x509_cert::name::Name::from_der(&every.to_der()).unwrap();
        assert_eq!(theirs.to_der().unwrap(), every.to_der());
        for attribute in AttributeType::ALL {
            assert_eq!(AttributeType::from_name(attribute.name()), Some(attribute));
        }
    }

    #[test]
    fn what_may_repeat_keeps_its_order() {
        let twice = subject(&[
            (CommonName, "x"),
            (OrganizationalUnit, "b"),
            (OrganizationalUnit, "a"),
            (DomainComponent, "example"),
            (DomainComponent, "org"),
        ])
        .unwrap();
        assert_eq!(twice.to_string(), "DC=example, DC=org, OU=b, OU=a, CN=x");
        assert_eq!(
            subject(&[(CommonName, "x"), (CommonName, "y")]),
            Err(SubjectError::Repeated { attribute: CommonName })
        );
        assert_eq!(subject(&[(OrganizationalUnit, "a"); 25]), Err(SubjectError::TooMany));
    }

    #[test]
    fn refuses_what_an_attribute_may_not_say() {
        let long = "x".repeat(65);
        for (attribute, value) in [
            (Country, "de"),
            (Country, "DEU"),
            (Country, "D1"),
            (CommonName, ""),
            (CommonName, " x"),
            (CommonName, "x\u{0}y"),
            (CommonName, "x\ny"),
            (CommonName, "-"),
            (CommonName, " . "),
            (CommonName, long.as_str()),
            (AttributeType::SerialNumber, "ä1"),
            (AttributeType::SerialNumber, "a*"),
            (EmailAddress, "a"),
            (DomainComponent, "example.org"),
        ] {
            let refused = subject(&[(attribute, value)]);
            assert!(matches!(refused, Err(SubjectError::Value { .. })), "{attribute}={value}: {refused:?}");
        }
        assert!(subject(&[(CommonName, &"ä".repeat(64))]).is_ok(), "characters are counted, not octets");
        assert!(subject(&[(AttributeType::State, &"x".repeat(128))]).is_ok());
    }

    #[test]
    fn refuses_names_that_it_would_not_write() {
        let attribute = |oid: &[u8], tag: u8, text: &[u8]| {
            writer::tlv(
                writer::SEQUENCE,
                &[&writer::tlv(writer::OBJECT_IDENTIFIER, &[oid]), &writer::tlv(tag, &[text])],
            )
        };
        let name = |pairs: &[Vec<u8>]| {
            let pairs: Vec<&[u8]> = pairs.iter().map(Vec::as_slice).collect();
            writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::SET, &pairs)])
        };
        let common = attribute(&[0x55, 4, 3], writer::UTF8_STRING, b"x");
        assert!(Subject::from_name_der(&name(std::slice::from_ref(&common))).is_ok());
        assert_eq!(Subject::from_name_der(&name(&[common.clone(), common.clone()])), Err(SubjectError::SeveralInOne));
        let street = name(&[attribute(&[0x55, 4, 9], writer::UTF8_STRING, b"x")]);
        assert_eq!(Subject::from_name_der(&street), Err(SubjectError::UnknownAttribute { oid: "2.5.4.9".to_owned() }));
        // TeletexString and BMPString (RFC 5280 §4.1.2.4: not for new subjects).
        for tag in [0x14, 0x1e] {
            let refused = Subject::from_name_der(&name(&[attribute(&[0x55, 4, 3], tag, b"x")]));
            assert_eq!(refused, Err(SubjectError::StringType { attribute: CommonName, tag }));
        }
        for (tag, text) in [(writer::UTF8_STRING, &b"\xff"[..]), (PRINTABLE_STRING, "ä".as_bytes())] {
            let refused = Subject::from_name_der(&name(&[attribute(&[0x55, 4, 3], tag, text)]));
            assert!(matches!(refused, Err(SubjectError::Malformed(_))), "{refused:?}");
        }
        assert!(Subject::from_name_der(&[&name(&[common])[..], &[0]].concat()).is_err());
        assert!(Subject::from_name_der(&[0x30, 2, 0x31, 0]).is_err(), "a relative name without an attribute");
    }
}
