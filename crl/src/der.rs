//! The little of DER (X.690) that a CRL needs: headers, a cursor over octets, and headers written.
//!
//! Strict: indefinite and non-minimal lengths, tags above 30 and octets left over are refused, each by its own error.

use std::fmt;

/// Tags, as their identifier octets (X.690 §8.1.2).
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    /// `[0]` to `[4]`, primitive.
    pub(crate) const CONTEXT_0: u8 = 0x80;
    /// `[0]`, constructed.
    pub(crate) const CONTEXT_0_CONSTRUCTED: u8 = 0xa0;
    /// `[1]`, constructed.
    pub(crate) const CONTEXT_1_CONSTRUCTED: u8 = 0xa1;
    /// `[2]`, constructed.
    pub(crate) const CONTEXT_2_CONSTRUCTED: u8 = 0xa2;
}

/// Octets of a length's long form that are read: 2^40 octets are far above any CRL, and sums of them stay inside a `u64`.
const MAX_LENGTH_OCTETS: usize = 5;

/// Octets of the longest header that is read or written: the tag, the form, the length.
pub(crate) const MAX_HEADER_OCTETS: usize = 2 + MAX_LENGTH_OCTETS;

/// Why octets are not the DER that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DerError {
    /// The octets end inside a value, or a value's length goes past the value that holds it.
    Truncated,
    /// X.690 §10.1: DER has definite lengths only.
    IndefiniteLength,
    /// X.690 §10.1: a length takes the fewest octets.
    NonMinimalLength,
    /// A length of more octets than any CRL needs.
    LengthTooLong {
        /// Octets of the length's long form.
        octets: usize,
    },
    /// A tag number above 30, of which a CRL has none.
    HighTagNumber,
    /// Another value than the one that stands here.
    UnexpectedTag {
        /// The identifier octet that was looked for.
        expected: u8,
        /// The one found.
        found: u8,
    },
    /// Octets after the last field.
    TrailingOctets {
        /// How many; of a stream, at least so many.
        octets: usize,
    },
    /// X.690 §8.3.1: an INTEGER has at least one octet.
    EmptyInteger,
    /// A negative number where the standard wants a positive one.
    NegativeInteger,
    /// X.690 §8.3.2: an INTEGER has no padding.
    PaddedInteger,
    /// X.690 §11.1: TRUE is 0xff, FALSE is 0x00.
    BadBoolean {
        /// The octet found; 0 where there is not exactly one.
        value: u8,
    },
    /// X.690 §8.6, §11.2: a BIT STRING has an octet of unused bits, at most 7, and those bits are zero.
    BadBitString,
    /// X.690 §8.19: an OBJECT IDENTIFIER has whole, minimal sub-identifiers.
    BadObjectIdentifier,
    /// A SEQUENCE OF or SET OF that the standard wants filled is empty.
    Empty,
}

/// A header: identifier octet, content length, octets that the header took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) tag: u8,
    pub(crate) length: u64,
    pub(crate) header_octets: usize,
}

impl Header {
    /// Reads the header that the octets start with; what follows is not looked at.
    #[inline]
    pub(crate) fn read(octets: &[u8]) -> Result<Self, DerError> {
        let (&tag, &form) = match octets {
            [tag, form, ..] => (tag, form),
            _ => return Err(DerError::Truncated),
        };
        if tag & 0x1f == 0x1f {
            return Err(DerError::HighTagNumber);
        }
        if form < 0x80 {
            return Ok(Self { tag, length: u64::from(form), header_octets: 2 });
        }
        Self::read_long(tag, usize::from(form & 0x7f), &octets[2..])
    }

    fn read_long(tag: u8, count: usize, octets: &[u8]) -> Result<Self, DerError> {
        if count == 0 {
            return Err(DerError::IndefiniteLength);
        }
        if count > MAX_LENGTH_OCTETS {
            return Err(DerError::LengthTooLong { octets: count });
        }
        let octets = octets.get(..count).ok_or(DerError::Truncated)?;
        let length = octets.iter().fold(0_u64, |length, octet| length << 8 | u64::from(*octet));
        if octets[0] == 0 || length < 0x80 {
            return Err(DerError::NonMinimalLength);
        }
        Ok(Self { tag, length, header_octets: 2 + count })
    }

    /// Octets of header and content.
    pub(crate) fn whole_octets(&self) -> u64 {
        // At most 2^40 and 7.
        self.length + u64::try_from(self.header_octets).unwrap_or(u64::MAX >> 1)
    }

    /// Fails unless the tag is this one.
    pub(crate) fn expect(&self, expected: u8) -> Result<(), DerError> {
        match self.tag {
            found if found == expected => Ok(()),
            found => Err(DerError::UnexpectedTag { expected, found }),
        }
    }
}

/// A value: its identifier octet, its content, and the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// Reads one value after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value, whatever it is.
    #[inline]
    pub(crate) fn any(&mut self) -> Result<Value<'a>, DerError> {
        let header = Header::read(self.rest)?;
        let whole_octets = usize::try_from(header.whole_octets()).map_err(|_| DerError::Truncated)?;
        let (whole, rest) = self.rest.split_at_checked(whole_octets).ok_or(DerError::Truncated)?;
        self.rest = rest;
        Ok(Value { tag: header.tag, content: &whole[header.header_octets..], whole })
    }

    /// The content of the next value, which has this tag.
    #[inline]
    pub(crate) fn expect(&mut self, expected: u8) -> Result<&'a [u8], DerError> {
        match self.rest.first() {
            Some(found) if *found != expected => Err(DerError::UnexpectedTag { expected, found: *found }),
            _ => self.any().map(|value| value.content),
        }
    }

    /// The content of the next value if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, DerError> {
        if self.peek() == Some(tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// Fails where octets are left.
    pub(crate) fn finish(self) -> Result<(), DerError> {
        match self.rest.len() {
            0 => Ok(()),
            octets => Err(DerError::TrailingOctets { octets }),
        }
    }
}

/// The content of the only value in these octets, which has this tag.
pub(crate) fn only(octets: &[u8], tag: u8) -> Result<&[u8], DerError> {
    let mut cursor = Cursor::new(octets);
    let content = cursor.expect(tag)?;
    cursor.finish()?;
    Ok(content)
}

/// A BOOLEAN's content.
pub(crate) fn boolean(content: &[u8]) -> Result<bool, DerError> {
    match content {
        [0] => Ok(false),
        [0xff] => Ok(true),
        [value] => Err(DerError::BadBoolean { value: *value }),
        _ => Err(DerError::BadBoolean { value: 0 }),
    }
}

/// Checks the content of an INTEGER that is not negative.
#[inline]
pub(crate) fn unsigned_integer(content: &[u8]) -> Result<&[u8], DerError> {
    match content {
        [] => Err(DerError::EmptyInteger),
        [first, ..] if first & 0x80 != 0 => {
            if *first == 0xff && content.get(1).is_some_and(|second| second & 0x80 != 0) {
                return Err(DerError::PaddedInteger);
            }
            Err(DerError::NegativeInteger)
        }
        [0, second, ..] if second & 0x80 == 0 => Err(DerError::PaddedInteger),
        _ => Ok(content),
    }
}

/// Checks the content of an INTEGER of either sign.
pub(crate) fn integer(content: &[u8]) -> Result<&[u8], DerError> {
    match unsigned_integer(content) {
        Err(DerError::NegativeInteger) => Ok(content),
        checked => checked,
    }
}

/// Checks an OBJECT IDENTIFIER's content.
pub(crate) fn object_identifier(content: &[u8]) -> Result<&[u8], DerError> {
    let ends = content.last().is_some_and(|last| last & 0x80 == 0);
    // A sub-identifier starts where the octet before it ended one; its first octet is not 0x80, which would be padding.
    let padded =
        content.first() == Some(&0x80) || content.windows(2).any(|pair| pair[0] & 0x80 == 0 && pair[1] == 0x80);
    if ends && !padded { Ok(content) } else { Err(DerError::BadObjectIdentifier) }
}

/// Checks an AlgorithmIdentifier's whole DER: an identifier, and parameters or none.
pub(crate) fn check_algorithm(whole: &[u8]) -> Result<(), DerError> {
    let mut fields = Cursor::new(only(whole, tag::SEQUENCE)?);
    object_identifier(fields.expect(tag::OBJECT_IDENTIFIER)?)?;
    if !fields.is_empty() {
        fields.any()?;
    }
    fields.finish()
}

/// An OBJECT IDENTIFIER's content in dotted form, for errors and findings; sub-identifiers above 2^63 show as "big".
pub(crate) fn dotted(content: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut arc = Some(0_u64);
    for octet in content {
        arc = arc.filter(|arc| *arc < 1 << 56).map(|arc| arc << 7 | u64::from(octet & 0x7f));
        if octet & 0x80 == 0 {
            match arc {
                Some(arc) if arcs.is_empty() => {
                    let first = (arc / 40).min(2);
                    arcs.push(first.to_string());
                    arcs.push((arc - first * 40).to_string());
                }
                Some(arc) => arcs.push(arc.to_string()),
                None => arcs.push("big".to_owned()),
            }
            arc = Some(0);
        }
    }
    arcs.join(".")
}

/// Octets that a value with so much content takes.
pub(crate) fn whole_octets(content_octets: u64) -> u64 {
    let header_octets = match content_octets {
        0..=0x7f => 2,
        0x80..=0xff => 3,
        0x100..=0xffff => 4,
        0x1_0000..=0xff_ffff => 5,
        0x100_0000..=0xffff_ffff => 6,
        _ => 7,
    };
    content_octets + header_octets
}

/// Appends a header.
pub(crate) fn push_header(out: &mut Vec<u8>, tag: u8, content_octets: u64) {
    out.push(tag);
    let octets = content_octets.to_be_bytes();
    match octets.iter().position(|octet| *octet != 0) {
        None => out.push(0),
        Some(7) if octets[7] < 0x80 => out.push(octets[7]),
        Some(start) => {
            // Unwrap safety: eight octets at most.
            out.push(0x80 | u8::try_from(octets.len() - start).unwrap());
            out.extend_from_slice(&octets[start..]);
        }
    }
}

/// Appends a value.
pub(crate) fn push_value(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    push_header(out, tag, octets_u64(content.len()));
    out.extend_from_slice(content);
}

/// A value by itself.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + MAX_HEADER_OCTETS);
    push_value(&mut out, tag, content);
    out
}

/// A count of octets in memory as a `u64`.
pub(crate) fn octets_u64(octets: usize) -> u64 {
    // Unwrap safety: no machine that Rust knows has addresses of more than 64 bits.
    u64::try_from(octets).unwrap()
}

impl fmt::Display for DerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("ends too early, or its length goes past what holds it"),
            Self::IndefiniteLength => f.write_str("has an indefinite length, which is BER and not DER"),
            Self::NonMinimalLength => f.write_str("has a length of more octets than it needs"),
            Self::LengthTooLong { octets } => {
                write!(f, "has a length of {octets} octets, more than {MAX_LENGTH_OCTETS}")
            }
            Self::HighTagNumber => f.write_str("has a tag above 30, of which a CRL has none"),
            Self::UnexpectedTag { expected, found } => {
                write!(f, "has tag {found:#04x} where {expected:#04x} belongs")
            }
            Self::TrailingOctets { octets } => write!(f, "is followed by {octets} octets that do not belong to it"),
            Self::EmptyInteger => f.write_str("is an INTEGER without octets"),
            Self::NegativeInteger => f.write_str("is negative"),
            Self::PaddedInteger => f.write_str("is a padded INTEGER"),
            Self::BadBoolean { value } => write!(f, "is a BOOLEAN of {value:#04x}, neither 0x00 nor 0xff"),
            Self::BadBitString => f.write_str("is no BIT STRING of DER (unused bits)"),
            Self::BadObjectIdentifier => f.write_str("is no OBJECT IDENTIFIER"),
            Self::Empty => f.write_str("is empty"),
        }
    }
}

impl std::error::Error for DerError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_they_are_written() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000, 0xff_ffff_ffff] {
            let mut out = Vec::new();
            push_header(&mut out, tag::SEQUENCE, length);
            let header = Header::read(&out).unwrap();
            assert_eq!((header.tag, header.length, header.header_octets), (tag::SEQUENCE, length, out.len()));
            assert_eq!(header.whole_octets(), whole_octets(length));
        }
    }

    #[test]
    fn refuses_headers_that_are_not_der() {
        for (octets, error) in [
            (&[0x30][..], DerError::Truncated),
            (&[0x30, 0x80], DerError::IndefiniteLength),
            (&[0x30, 0x81, 0x7f], DerError::NonMinimalLength),
            (&[0x30, 0x82, 0x00, 0x80], DerError::NonMinimalLength),
            (&[0x30, 0x82, 0x01], DerError::Truncated),
            (&[0x30, 0x86, 1, 1, 1, 1, 1, 1], DerError::LengthTooLong { octets: 6 }),
            (&[0x3f, 0x20, 0x00], DerError::HighTagNumber),
        ] {
            assert_eq!(Header::read(octets), Err(error));
        }
        assert_eq!(Cursor::new(&[0x04, 2, 1]).any(), Err(DerError::Truncated));
        assert_eq!(only(&[4, 1, 1, 0], tag::OCTET_STRING), Err(DerError::TrailingOctets { octets: 1 }));
        assert_eq!(only(&[4, 1, 1], 2), Err(DerError::UnexpectedTag { expected: 2, found: 4 }));
    }

    #[test]
    fn integers_booleans_and_identifiers() {
        assert_eq!(unsigned_integer(&[]), Err(DerError::EmptyInteger));
        assert_eq!(unsigned_integer(&[0x80]), Err(DerError::NegativeInteger));
        assert_eq!(unsigned_integer(&[0xff, 0x80]), Err(DerError::PaddedInteger));
        assert_eq!(unsigned_integer(&[0, 0x7f]), Err(DerError::PaddedInteger));
        assert_eq!(unsigned_integer(&[0, 0x80]), Ok(&[0, 0x80][..]));
        assert_eq!(boolean(&[1]), Err(DerError::BadBoolean { value: 1 }));
        assert_eq!(boolean(&[]), Err(DerError::BadBoolean { value: 0 }));
        assert_eq!(dotted(&[0x55, 0x1d, 0x14]), "2.5.29.20");
        assert_eq!(dotted(&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37]), "1.3.6.1.4.1.311");
        assert!(object_identifier(&[0x55, 0x1d]).is_ok());
        for bad in [&[][..], &[0x55, 0x80], &[0x80, 0x01], &[0x55, 0x80, 0x01]] {
            assert_eq!(object_identifier(bad), Err(DerError::BadObjectIdentifier));
        }
    }
}
