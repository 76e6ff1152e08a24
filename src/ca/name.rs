//! Subject names.

use der::Decode;
use x509_cert::name::Name;

use crate::asn1::writer;

/// A subject as Noonmark writes it: country, organization, common name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectName {
    /// countryName, two letters (ISO 3166).
    pub country: String,
    /// organizationName.
    pub organization: String,
    /// commonName.
    pub common_name: String,
}

/// Why a subject's part is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectNameError {
    /// countryName has two capital letters.
    #[error("the country {country:?} is not two capital letters such as DE (ISO 3166)")]
    Country {
        /// As given.
        country: String,
    },
    /// Empty, too long (RFC 5280 appendix A: ub-organization-name, ub-common-name are 64) or with control characters.
    #[error("{part} {value:?} must have 1 to 64 characters and no control characters")]
    Text {
        /// Which part.
        part: &'static str,
        /// As given.
        value: String,
    },
}

/// ub-organization-name and ub-common-name (RFC 5280 appendix A.1).
const MAX_CHARACTERS: usize = 64;

impl SubjectName {
    /// Checks the parts.
    ///
    /// # Errors
    /// A country that is not two capital letters; an empty, overlong or unprintable text.
    pub fn new(country: &str, organization: &str, common_name: &str) -> Result<Self, SubjectNameError> {
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(SubjectNameError::Country { country: country.to_owned() });
        }
        for (part, value) in [("organization", organization), ("common name", common_name)] {
            let characters = value.chars().count();
            if characters == 0 || characters > MAX_CHARACTERS || value.chars().any(char::is_control) {
                return Err(SubjectNameError::Text { part, value: value.to_owned() });
            }
        }
        Ok(Self {
            country: country.to_owned(),
            organization: organization.to_owned(),
            common_name: common_name.to_owned(),
        })
    }

    /// Country and organization of a CA's subject, with another common name.
    ///
    /// # Errors
    /// A CA whose subject lacks either, or has them in a form refused by [`Self::new`].
    pub fn from_issuer(issuer_subject_der: &[u8], common_name: &str) -> Result<Self, SubjectNameError> {
        let text = |last_arc| attribute_text(issuer_subject_der, last_arc).unwrap_or_default();
        Self::new(&text(6), &text(10), common_name)
    }

    /// The Name's DER: country as PrintableString, the others as UTF8String (RFC 5280 §4.1.2.4).
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        const PRINTABLE_STRING: u8 = 0x13;
        let attribute = |last_arc: u8, tag: u8, value: &str| {
            let oid = [writer::OBJECT_IDENTIFIER, 3, 0x55, 0x04, last_arc];
            let pair = writer::tlv(writer::SEQUENCE, &[&oid, &writer::tlv(tag, &[value.as_bytes()])]);
            writer::tlv(writer::SET, &[&pair])
        };
        writer::tlv(
            writer::SEQUENCE,
            &[
                &attribute(6, PRINTABLE_STRING, &self.country),
                &attribute(10, writer::UTF8_STRING, &self.organization),
                &attribute(3, writer::UTF8_STRING, &self.common_name),
            ],
        )
    }
}

/// A Name as RFC 4514 writes it, or its octets where the library can't read it.
#[must_use]
pub fn display(name_der: &[u8]) -> String {
    Name::from_der(name_der).map_or_else(|_| hex::encode(name_der), |name| name.to_string())
}

/// The text of a Name's first attribute of this type (last arc below 2.5.4).
fn attribute_text(name_der: &[u8], last_arc: u8) -> Option<String> {
    let name = Name::from_der(name_der).ok()?;
    let wanted = [0x55, 0x04, last_arc];
    let pair = name.0.iter().flat_map(|set| set.0.iter()).find(|pair| pair.oid.as_bytes() == wanted)?;
    String::from_utf8(pair.value.value().to_vec()).ok()
}

/// Whether a Name has an attribute of this type (last arc below 2.5.4).
pub(crate) fn has_attribute(name_der: &[u8], last_arc: u8) -> bool {
    attribute_text(name_der, last_arc).is_some()
}
