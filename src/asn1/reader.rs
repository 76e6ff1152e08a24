//! Reading DER strictly, without copying.

use super::writer;

/// Why octets are not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerError {
    /// The input ends inside a value.
    #[error("truncated at octet {at}")]
    Truncated {
        /// Where, counted from the start of the slice that was read.
        at: usize,
    },
    /// A length that is indefinite, not minimal, or beyond four octets (X.690 §10.1).
    #[error("a length that DER forbids at octet {at}")]
    Length {
        /// Where.
        at: usize,
    },
    /// Another tag than the structure has here.
    #[error("tag {found:#04x} where {expected:#04x} was expected")]
    Tag {
        /// The tag that the structure demands.
        expected: u8,
        /// The tag that stands there.
        found: u8,
    },
    /// Octets are left after the last field.
    #[error("{count} octets after the end")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// A value that its type does not allow, a padded INTEGER for instance.
    #[error("an invalid {what}")]
    Value {
        /// The field.
        what: &'static str,
    },
}

/// One value: its tag, its content and the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The identifier octet; tags above 30 do not occur in the structures read here.
    pub tag: u8,
    /// The content octets.
    pub content: &'a [u8],
    /// Identifier, length and content.
    pub whole: &'a [u8],
}

/// A cursor over DER.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first octet of `input`.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// Reads one whole value that must be all of `input`, and gives a reader over its content.
    ///
    /// # Errors
    /// Another tag, a bad length, trailing octets.
    pub fn only(input: &'a [u8], tag: u8) -> Result<Self, DerError> {
        let mut reader = Self::new(input);
        let content = reader.expect(tag)?.content;
        reader.finish()?;
        Ok(Self::new(content))
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.at == self.input.len()
    }

    /// The next tag, if there is a next value.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    /// Reads the next value, whatever its tag.
    ///
    /// # Errors
    /// Truncation or a length that DER forbids.
    pub fn read(&mut self) -> Result<Tlv<'a>, DerError> {
        let start = self.at;
        let mut at = start;
        let mut next = || -> Result<u8, DerError> {
            let octet = self.input.get(at).copied().ok_or(DerError::Truncated { at })?;
            at += 1;
            Ok(octet)
        };
        let tag = next()?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::Value { what: "tag" });
        }
        let first = next()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let width = usize::from(first & 0x7f);
            if width == 0 || width > 4 {
                return Err(DerError::Length { at: start + 1 });
            }
            let mut length = 0_usize;
            for _ in 0..width {
                length = (length << 8) | usize::from(next()?);
            }
            if length < 0x80 || length >> ((width - 1) * 8) == 0 {
                return Err(DerError::Length { at: start + 1 });
            }
            length
        };
        let end = at.checked_add(length).ok_or(DerError::Length { at: start + 1 })?;
        let content = self.input.get(at..end).ok_or(DerError::Truncated { at: self.input.len() })?;
        self.at = end;
        Ok(Tlv { tag, content, whole: &self.input[start..end] })
    }

    /// Reads the next value, which must have this tag.
    ///
    /// # Errors
    /// As [`Self::read`], and another tag.
    pub fn expect(&mut self, tag: u8) -> Result<Tlv<'a>, DerError> {
        match self.peek() {
            Some(found) if found == tag => self.read(),
            Some(found) => Err(DerError::Tag { expected: tag, found }),
            None => Err(DerError::Truncated { at: self.at }),
        }
    }

    /// Reads the next value if it has this tag.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek() == Some(tag) { self.read().map(Some) } else { Ok(None) }
    }

    /// Reads an INTEGER and gives its content octets: never empty, never padded (X.690 §8.3.2).
    ///
    /// # Errors
    /// As [`Self::expect`], and an empty or padded content.
    pub fn integer(&mut self) -> Result<&'a [u8], DerError> {
        let content = self.expect(writer::INTEGER)?.content;
        let padded = matches!(content, [0x00, second, ..] if second & 0x80 == 0)
            || matches!(content, [0xff, second, ..] if second & 0x80 != 0);
        if content.is_empty() || padded {
            return Err(DerError::Value { what: "INTEGER" });
        }
        Ok(content)
    }

    /// A reader over the content of the next value, which must have this tag.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub fn enter(&mut self, tag: u8) -> Result<Self, DerError> {
        Ok(Self::new(self.expect(tag)?.content))
    }

    /// Ends the reading: nothing may be left.
    ///
    /// # Errors
    /// Octets after the last field.
    pub fn finish(&self) -> Result<(), DerError> {
        match self.input.len() - self.at {
            0 => Ok(()),
            count => Err(DerError::Trailing { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_each_malformation_by_name() {
        let read = |octets: &[u8]| Reader::new(octets).read().map(|tlv| tlv.content.len());
        assert_eq!(read(&[]), Err(DerError::Truncated { at: 0 }));
        assert_eq!(read(&[0x30]), Err(DerError::Truncated { at: 1 }));
        assert_eq!(read(&[0x30, 0x80, 0, 0]), Err(DerError::Length { at: 1 }));
        assert_eq!(read(&[0x04, 0x81, 0x01, 0xaa]), Err(DerError::Length { at: 1 }));
        assert_eq!(read(&[0x04, 0x82, 0x00, 0x81]), Err(DerError::Length { at: 1 }));
        assert_eq!(read(&[0x04, 0x85, 1, 0, 0, 0, 0]), Err(DerError::Length { at: 1 }));
        assert_eq!(read(&[0x04, 0x02, 0xaa]), Err(DerError::Truncated { at: 3 }));
        assert_eq!(read(&[0x1f, 0x81, 0x01, 0x00]), Err(DerError::Value { what: "tag" }));
        assert_eq!(read(&[0x04, 0x01, 0xaa, 0xbb]), Ok(1));
        assert_eq!(Reader::only(&[0x30, 0x00, 0x00], 0x30).map(|_| ()), Err(DerError::Trailing { count: 1 }));
    }

    #[test]
    fn integers_are_minimal() {
        let integer = |octets: &[u8]| Reader::new(octets).integer().map(<[u8]>::to_vec);
        assert_eq!(integer(&[2, 1, 0]), Ok(vec![0]));
        assert_eq!(integer(&[2, 2, 0, 0x80]), Ok(vec![0, 0x80]));
        for bad in [&[2, 0][..], &[2, 2, 0, 0x7f], &[2, 2, 0xff, 0x80]] {
            assert_eq!(integer(bad), Err(DerError::Value { what: "INTEGER" }));
        }
    }
}
