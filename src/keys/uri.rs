//! How a key is named: a PKCS#11 URI (RFC 7512) or `software:NAME`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longer than any URI of the attributes below, each at its own bound and every octet percent-encoded.
const MAX_URI_BYTES: usize = 2048;
/// CK_TOKEN_INFO.label and .manufacturerID: 32 octets, blank padded (PKCS#11 v2.40 §3.2).
const MAX_LABEL_BYTES: usize = 32;
/// CK_TOKEN_INFO.serialNumber and .model: 16 octets.
const MAX_SERIAL_BYTES: usize = 16;
/// CKA_LABEL has no bound of its own; this is more than any person types.
const MAX_OBJECT_BYTES: usize = 255;
/// CKA_ID has no bound of its own; tokens use 1 to 32 octets.
const MAX_ID_BYTES: usize = 128;
/// A software key's name is a file's name.
const MAX_NAME_BYTES: usize = 64;

/// Where a key is. What a URI leaves out is not compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyUri(Place);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Boxed: a URI stands in many errors.
    Pkcs11(Box<Pkcs11Place>),
    Software(String),
}

/// The attributes of RFC 7512 §2.3 that say which key is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Pkcs11Place {
    token: Option<String>,
    manufacturer: Option<String>,
    serial: Option<String>,
    model: Option<String>,
    object: Option<String>,
    id: Option<Vec<u8>>,
}

/// Why a text is not a key's URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUriError {
    /// Neither scheme.
    #[error("a key is named pkcs11:… (RFC 7512) or software:NAME")]
    Scheme,
    /// Too long.
    #[error("a key's URI of more than {MAX_URI_BYTES} octets")]
    TooLong,
    /// An attribute that is unknown here or can't be honoured.
    #[error("the attribute {name:?} is not supported in a key's URI; use token, serial, object and id")]
    UnknownAttribute {
        /// Its name.
        name: String,
    },
    /// A query part: PINs and modules stand in the configuration.
    #[error("a key's URI takes no query part: the module and the PIN's file stand in the configuration")]
    Query,
    /// Twice the same attribute (RFC 7512 §2.3: MUST NOT).
    #[error("the attribute {name} stands twice in the key's URI")]
    Duplicate {
        /// Its name.
        name: &'static str,
    },
    /// An attribute's value that can't be right.
    #[error("the value of {name} in the key's URI is {problem}")]
    Value {
        /// The attribute.
        name: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// Neither object nor id.
    #[error("a key's URI needs object (its label) or id")]
    NoObject,
}

impl KeyUri {
    /// The URI of a key in a PKCS#11 token, by the token's label and serial and the key's label and id.
    ///
    /// # Errors
    /// Values that a token can't have.
    pub fn pkcs11(token: &str, serial: &str, object: &str, id: &[u8]) -> Result<Self, KeyUriError> {
        let place = Pkcs11Place {
            token: (!token.is_empty()).then(|| token.to_owned()),
            serial: (!serial.is_empty()).then(|| serial.to_owned()),
            object: (!object.is_empty()).then(|| object.to_owned()),
            id: (!id.is_empty()).then(|| id.to_vec()),
            ..Pkcs11Place::default()
        };
        place.validate()?;
        Ok(Self(Place::Pkcs11(Box::new(place))))
    }

    /// The URI of a key of the software tier.
    ///
    /// # Errors
    /// A name that can't be a file's name.
    pub fn software(name: &str) -> Result<Self, KeyUriError> {
        let problem = if name.is_empty() {
            "empty"
        } else if name.len() > MAX_NAME_BYTES {
            "longer than 64 octets"
        } else if !name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.')) {
            "not of letters, digits, hyphens, underscores and dots"
        } else if name.starts_with('.') {
            "beginning with a dot"
        } else {
            return Ok(Self(Place::Software(name.to_owned())));
        };
        Err(KeyUriError::Value { name: "software", problem })
    }

    /// The name of a key of the software tier; None for a PKCS#11 key.
    #[must_use]
    pub fn software_name(&self) -> Option<&str> {
        match &self.0 {
            Place::Software(name) => Some(name),
            Place::Pkcs11(_) => None,
        }
    }

    /// The key's label (CKA_LABEL), or its name in the software tier.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        match &self.0 {
            Place::Software(name) => Some(name),
            Place::Pkcs11(place) => place.object.as_deref(),
        }
    }

    /// The key's id (CKA_ID).
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        match &self.0 {
            Place::Software(_) => None,
            Place::Pkcs11(place) => place.id.as_deref(),
        }
    }

    /// The token's label.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.pkcs11_place().and_then(|place| place.token.as_deref())
    }

    /// The token's serial number.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        self.pkcs11_place().and_then(|place| place.serial.as_deref())
    }

    /// The token's manufacturer.
    #[must_use]
    pub fn manufacturer(&self) -> Option<&str> {
        self.pkcs11_place().and_then(|place| place.manufacturer.as_deref())
    }

    /// The token's model.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.pkcs11_place().and_then(|place| place.model.as_deref())
    }

    fn pkcs11_place(&self) -> Option<&Pkcs11Place> {
        match &self.0 {
            Place::Pkcs11(place) => Some(place),
            Place::Software(_) => None,
        }
    }
}

impl Pkcs11Place {
    fn texts(&self) -> [(&'static str, Option<&str>, usize); 5] {
        [
            ("token", self.token.as_deref(), MAX_LABEL_BYTES),
            ("manufacturer", self.manufacturer.as_deref(), MAX_LABEL_BYTES),
            ("serial", self.serial.as_deref(), MAX_SERIAL_BYTES),
            ("model", self.model.as_deref(), MAX_SERIAL_BYTES),
            ("object", self.object.as_deref(), MAX_OBJECT_BYTES),
        ]
    }

    fn validate(&self) -> Result<(), KeyUriError> {
        for (name, value, max_bytes) in self.texts() {
            let Some(value) = value else { continue };
            let problem = if value.is_empty() {
                "empty"
            } else if value.len() > max_bytes {
                "longer than a token can hold"
            } else if value.chars().any(char::is_control) {
                // It would reach logs and terminals.
                "not printable"
            } else {
                continue;
            };
            return Err(KeyUriError::Value { name, problem });
        }
        match self.id.as_deref() {
            Some([]) => return Err(KeyUriError::Value { name: "id", problem: "empty" }),
            Some(id) if id.len() > MAX_ID_BYTES => {
                return Err(KeyUriError::Value { name: "id", problem: "longer than 128 octets" });
            }
            _ => {}
        }
        if self.object.is_none() && self.id.is_none() { Err(KeyUriError::NoObject) } else { Ok(()) }
    }

    fn parse(path: &str) -> Result<Self, KeyUriError> {
        if path.contains('?') {
            return Err(KeyUriError::Query);
        }
        let mut place = Self::default();
        let mut type_seen = false;
        for attribute in path.split(';') {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let (name, slot) = match name {
                "token" => ("token", &mut place.token),
                "manufacturer" => ("manufacturer", &mut place.manufacturer),
                "serial" => ("serial", &mut place.serial),
                "model" => ("model", &mut place.model),
                "object" => ("object", &mut place.object),
                "id" => {
                    if place.id.replace(percent_decode("id", value)?).is_some() {
                        return Err(KeyUriError::Duplicate { name: "id" });
                    }
                    continue;
                }
                // What `p11tool --list-all` and `pkcs11-tool` print; only a private key signs.
                "type" => {
                    if std::mem::replace(&mut type_seen, true) {
                        return Err(KeyUriError::Duplicate { name: "type" });
                    }
                    if value != "private" {
                        return Err(KeyUriError::Value { name: "type", problem: "not private" });
                    }
                    continue;
                }
                _ => return Err(KeyUriError::UnknownAttribute { name: name.chars().take(40).collect() }),
            };
            let text = String::from_utf8(percent_decode(name, value)?)
                .map_err(|_| KeyUriError::Value { name, problem: "not UTF-8" })?;
            if slot.replace(text).is_some() {
                return Err(KeyUriError::Duplicate { name });
            }
        }
        place.validate()?;
        Ok(place)
    }
}

/// The characters that may stand for themselves: RFC 7512 §2.3, pk11-pchar and `&`.
fn stands_for_itself(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~:[]@!$'()*+,=&".contains(&octet)
}

fn percent_decode(name: &'static str, value: &str) -> Result<Vec<u8>, KeyUriError> {
    let malformed = KeyUriError::Value { name, problem: "not percent-encoded as RFC 7512 asks" };
    let mut decoded = Vec::with_capacity(value.len());
    let mut octets = value.bytes();
    while let Some(octet) = octets.next() {
        if octet == b'%' {
            let (Some(high), Some(low)) = (octets.next(), octets.next()) else { return Err(malformed) };
            let mut byte = [0];
            hex::decode_to_slice([high, low], &mut byte).map_err(|_| malformed.clone())?;
            decoded.extend(byte);
        } else if stands_for_itself(octet) {
            decoded.push(octet);
        } else {
            return Err(malformed);
        }
    }
    Ok(decoded)
}

fn percent_encode(f: &mut fmt::Formatter<'_>, octets: &[u8], encode_all: bool) -> fmt::Result {
    for octet in octets {
        if !encode_all && (octet.is_ascii_alphanumeric() || b"-._~".contains(octet)) {
            write!(f, "{}", char::from(*octet))?;
        } else {
            write!(f, "%{octet:02X}")?;
        }
    }
    Ok(())
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.0 {
            Place::Software(name) => return write!(f, "software:{name}"),
            Place::Pkcs11(place) => place,
        };
        f.write_str("pkcs11:")?;
        let mut separator = "";
        for (name, value, _) in place.texts() {
            let Some(value) = value else { continue };
            write!(f, "{separator}{name}=")?;
            percent_encode(f, value.as_bytes(), false)?;
            separator = ";";
        }
        if let Some(id) = &place.id {
            // RFC 7512 §2.3: the id SHOULD be percent-encoded as a whole.
            write!(f, "{separator}id=")?;
            percent_encode(f, id, true)?;
        }
        Ok(())
    }
}

impl FromStr for KeyUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_URI_BYTES {
            return Err(KeyUriError::TooLong);
        }
        if let Some(path) = text.strip_prefix("pkcs11:") {
            Ok(Self(Place::Pkcs11(Box::new(Pkcs11Place::parse(path)?))))
        } else if let Some(name) = text.strip_prefix("software:") {
            Self::software(name)
        } else {
            Err(KeyUriError::Scheme)
        }
    }
}

impl TryFrom<String> for KeyUri {
    type Error = KeyUriError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KeyUri> for String {
    fn from(uri: KeyUri) -> Self {
        uri.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for text in [
            "pkcs11:token=service;object=tsu-1;id=%01",
            "pkcs11:serial=0123456789abcdef;id=%00%FF",
            "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil%2C%20Inc.;model=1.0;object=my-certificate",
            "pkcs11:object=%C3%A9%3B%3D",
            "software:tsu-1",
        ] {
            let uri: KeyUri = text.parse().unwrap();
            assert_eq!(uri.to_string(), text);
        }
        let uri: KeyUri = "pkcs11:id=a%62;type=private;object=a:[]@!$'()*+,=&b".parse().unwrap();
        assert_eq!(uri.id(), Some(&b"ab"[..]));
        assert_eq!(uri.object(), Some("a:[]@!$'()*+,=&b"));
    }

    #[test]
    fn hostile_and_mistaken_texts_are_refused() {
        let long = "x".repeat(3000);
        let id = "%00".repeat(129);
        for (text, expected) in [
            ("", KeyUriError::Scheme),
            ("PKCS11:object=a", KeyUriError::Scheme),
            ("/var/lib/key.pem", KeyUriError::Scheme),
            ("pkcs11:token=a", KeyUriError::NoObject),
            ("pkcs11:", KeyUriError::UnknownAttribute { name: String::new() }),
            ("pkcs11:object=a;", KeyUriError::UnknownAttribute { name: String::new() }),
            ("pkcs11:object=a;slot-id=0", KeyUriError::UnknownAttribute { name: "slot-id".into() }),
            ("pkcs11:object=a?pin-value=1234", KeyUriError::Query),
            ("pkcs11:object=a;object=a", KeyUriError::Duplicate { name: "object" }),
            ("pkcs11:id=%01;id=%02", KeyUriError::Duplicate { name: "id" }),
            ("pkcs11:object", KeyUriError::Value { name: "object", problem: "empty" }),
            ("pkcs11:id=", KeyUriError::Value { name: "id", problem: "empty" }),
            ("pkcs11:object=a;type=public", KeyUriError::Value { name: "type", problem: "not private" }),
            ("pkcs11:object=%ff", KeyUriError::Value { name: "object", problem: "not UTF-8" }),
            ("pkcs11:object=a%0Ab", KeyUriError::Value { name: "object", problem: "not printable" }),
            ("pkcs11:object=a%00", KeyUriError::Value { name: "object", problem: "not printable" }),
            (
                "pkcs11:object=a;token=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                KeyUriError::Value { name: "token", problem: "longer than a token can hold" },
            ),
            (&format!("pkcs11:id={id}"), KeyUriError::Value { name: "id", problem: "longer than 128 octets" }),
            (&format!("pkcs11:object={long}"), KeyUriError::TooLong),
            (
                "software:../../etc/shadow",
                KeyUriError::Value {
                    name: "software",
                    problem: "not of letters, digits, hyphens, underscores and dots",
                },
            ),
            ("software:.token", KeyUriError::Value { name: "software", problem: "beginning with a dot" }),
        ] {
            assert_eq!(text.parse::<KeyUri>(), Err(expected), "{text}");
        }
        for text in ["pkcs11:object=%", "pkcs11:object=%1", "pkcs11:object=%zz", "pkcs11:object=a b", "pkcs11:id=é"] {
            let error = text.parse::<KeyUri>().unwrap_err();
            assert!(matches!(error, KeyUriError::Value { problem, .. } if problem.contains("percent")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_label_and_id_survive(label in "[^\\p{Cc}]{1,8}", id in proptest::collection::vec(any::<u8>(), 1..20)) {
            let uri = KeyUri::pkcs11("token", "", &label, &id).unwrap();
            prop_assert_eq!(&uri.to_string().parse::<KeyUri>().unwrap(), &uri);
        }

        #[test]
        fn no_text_panics(text in "(pkcs11:|software:)?.{0,60}") {
            if let Ok(uri) = text.parse::<KeyUri>() {
                prop_assert_eq!(uri.to_string().parse::<KeyUri>().unwrap(), uri);
            }
        }
    }
}
