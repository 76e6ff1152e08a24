//! Names in the form in which two of them are compared (RFC 5280 §7.1).

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use crate::asn1::{DerError, Reader, writer};

/// The string types of DirectoryString, and those that attributes such as emailAddress and serialNumber have.
mod tag {
    pub(super) const UTF8_STRING: u8 = 0x0c;
    pub(super) const NUMERIC_STRING: u8 = 0x12;
    pub(super) const PRINTABLE_STRING: u8 = 0x13;
    pub(super) const TELETEX_STRING: u8 = 0x14;
    pub(super) const IA5_STRING: u8 = 0x16;
    pub(super) const VISIBLE_STRING: u8 = 0x1a;
    pub(super) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(super) const BMP_STRING: u8 = 0x1e;
}

/// Relative names and attributes of one name that are read: real ones have up to about twenty.
const MAX_ATTRIBUTES: usize = 256;

/// A text may grow so many times by compatibility decomposition before it is compared as it is written: U+FDFA grows
/// elevenfold, and a certificate full of it must not take the memory of eleven.
const MAX_GROWTH: usize = 2;

/// A Name, every string of it folded: two names are the same where these octets are.
///
/// The relative names one after the other, each as DER, its values as UTF8String: without regard to case, to the kind of
/// string, and to white space at the ends and in a row. A name that is within another starts with its octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CanonicalName(Box<[u8]>);

impl CanonicalName {
    /// Folds a Name's DER.
    ///
    /// # Errors
    /// Not a Name.
    pub fn from_der(name: &[u8]) -> Result<Self, DerError> {
        let mut folded = Vec::with_capacity(name.len());
        let mut names = Reader::only(name, writer::SEQUENCE)?;
        let mut attributes = 0;
        while !names.is_finished() {
            fold_relative_name(names.expect(writer::SET)?.content, &mut attributes, &mut folded)?;
        }
        Ok(Self(folded.into_boxed_slice()))
    }

    /// Folds a RelativeDistinguishedName's content, appended to this name: nameRelativeToCRLIssuer (RFC 5280 §4.2.1.13).
    ///
    /// # Errors
    /// Not a relative name.
    pub fn with_relative_name(&self, content: &[u8]) -> Result<Self, DerError> {
        let mut folded = self.0.to_vec();
        fold_relative_name(content, &mut 0, &mut folded)?;
        Ok(Self(folded.into_boxed_slice()))
    }

    /// Whether the name has no relative names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this name is `base` or stands below it (RFC 5280 §4.2.1.10): its first relative names are those of `base`.
    #[must_use]
    pub fn is_within(&self, base: &Self) -> bool {
        self.0.starts_with(&base.0)
    }

    /// The folded name as a Name's DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        writer::tlv(writer::SEQUENCE, &[&self.0])
    }
}

fn fold_relative_name(content: &[u8], attributes: &mut usize, folded: &mut Vec<u8>) -> Result<(), DerError> {
    let mut set = Reader::new(content);
    let mut pairs = Vec::new();
    while !set.is_finished() {
        *attributes += 1;
        if *attributes > MAX_ATTRIBUTES {
            return Err(DerError::Value { what: "number of attributes in a name" });
        }
        let mut pair = set.enter(writer::SEQUENCE)?;
        let kind = pair.expect(writer::OBJECT_IDENTIFIER)?.whole;
        let value = pair.read()?;
        pair.finish()?;
        let value = match text(value.tag, value.content) {
            Some(text) => match fold(&text) {
                folded if folded.len() <= value.content.len() * MAX_GROWTH => {
                    writer::tlv(tag::UTF8_STRING, &[folded.as_bytes()])
                }
                _ => value.whole.to_vec(),
            },
            None => value.whole.to_vec(),
        };
        pairs.push(writer::tlv(writer::SEQUENCE, &[kind, &value]));
    }
    if pairs.is_empty() {
        return Err(DerError::Value { what: "RelativeDistinguishedName: it is empty" });
    }
    folded.extend_from_slice(&writer::set_of(writer::SET, pairs));
    Ok(())
}

/// A string's text; `None` for other types, and for octets that are no text of their type.
fn text(tag: u8, content: &[u8]) -> Option<Cow<'_, str>> {
    match tag {
        tag::UTF8_STRING => std::str::from_utf8(content).ok().map(Cow::Borrowed),
        tag::NUMERIC_STRING | tag::PRINTABLE_STRING | tag::IA5_STRING | tag::VISIBLE_STRING => {
            content.is_ascii().then(|| std::str::from_utf8(content).ok().map(Cow::Borrowed))?
        }
        // T.61 as everybody writes it: Latin-1.
        tag::TELETEX_STRING => Some(Cow::Owned(content.iter().copied().map(char::from).collect())),
        tag::BMP_STRING => {
            let (pairs, []) = content.as_chunks::<2>() else { return None };
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            char::decode_utf16(units).collect::<Result<String, _>>().ok().map(Cow::Owned)
        }
        tag::UNIVERSAL_STRING => {
            let (fours, []) = content.as_chunks::<4>() else { return None };
            let text: Option<String> = fours.iter().map(|four| char::from_u32(u32::from_be_bytes(*four))).collect();
            text.map(Cow::Owned)
        }
        _ => None,
    }
}

/// The steps of RFC 4518 that RFC 5280 §7.1 asks for: compatibility form, no case, insignificant white space gone.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        let mut folded = String::with_capacity(text.len());
        for word in text.split_ascii_whitespace() {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        }
        return folded;
    }
    let lower: String = text.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(tag: u8, value: &[u8]) -> Vec<u8> {
        let pair = writer::tlv(writer::SEQUENCE, &[&[6, 3, 0x55, 4, 3], &writer::tlv(tag, &[value])]);
        writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::SET, &[&pair])])
    }

    fn folded(tag: u8, value: &[u8]) -> CanonicalName {
        CanonicalName::from_der(&name(tag, value)).unwrap()
    }

    #[test]
    fn case_spaces_and_the_kind_of_string_do_not_count() {
        let plain = folded(tag::PRINTABLE_STRING, b"Good CA");
        for other in [
            folded(tag::UTF8_STRING, b"good ca"),
            folded(tag::PRINTABLE_STRING, b"  GOOD   CA "),
            folded(tag::BMP_STRING, &[0, b'g', 0, b'o', 0, b'O', 0, b'd', 0, b' ', 0, b'c', 0, b'a']),
            folded(tag::TELETEX_STRING, b"Good CA"),
        ] {
            assert_eq!(plain, other);
        }
        assert_ne!(plain, folded(tag::PRINTABLE_STRING, b"GoodCA"));
        assert_eq!(folded(tag::UTF8_STRING, "MÜLLER".as_bytes()), folded(tag::TELETEX_STRING, b"m\xfcller"));
        assert_eq!(folded(tag::UTF8_STRING, "ﬁx".as_bytes()), folded(tag::UTF8_STRING, b"FIX"));
    }

    #[test]
    fn octets_that_are_no_text_are_compared_as_they_are() {
        assert_eq!(folded(tag::UTF8_STRING, b"\xff"), folded(tag::UTF8_STRING, b"\xff"));
        assert_ne!(folded(tag::UTF8_STRING, b"\xff"), folded(tag::TELETEX_STRING, b"\xff"));
        assert_ne!(folded(tag::BMP_STRING, b"abc"), folded(tag::UTF8_STRING, b"abc"));
    }

    #[test]
    fn a_text_that_grows_is_compared_as_it_is_written() {
        let grown = folded(tag::UTF8_STRING, "\u{fdfa}".repeat(1000).as_bytes());
        assert!(grown.to_der().len() < 4000);
    }

    #[test]
    fn within_is_by_relative_names() {
        let of = |values: &[&[u8]]| {
            let sets: Vec<u8> = values
                .iter()
                .flat_map(|value| {
                    let pair = writer::tlv(
                        writer::SEQUENCE,
                        &[&[6, 3, 0x55, 4, 10], &writer::tlv(tag::UTF8_STRING, &[value])],
                    );
                    writer::tlv(writer::SET, &[&pair])
                })
                .collect();
            CanonicalName::from_der(&writer::tlv(writer::SEQUENCE, &[&sets])).unwrap()
        };
        let base = of(&[b"A"]);
        assert!(of(&[b"a", b"b"]).is_within(&base));
        assert!(base.is_within(&base));
        assert!(base.is_within(&of(&[])));
        assert!(!of(&[b"ab"]).is_within(&base));
        assert!(!of(&[]).is_within(&base));
    }

    #[test]
    fn refuses_what_is_no_name() {
        assert!(CanonicalName::from_der(&[0x30, 2, 0x31, 0]).is_err());
        assert!(CanonicalName::from_der(&[0x30, 0, 0]).is_err());
        let pair = writer::tlv(writer::SEQUENCE, &[&[6, 1, 1], &[0x0c, 0]]);
        let wide = writer::tlv(writer::SET, &[&pair.repeat(MAX_ATTRIBUTES + 1)]);
        assert!(CanonicalName::from_der(&writer::tlv(writer::SEQUENCE, &[&wide])).is_err());
    }
}
