//! BER to DER, as far as CMS is written in BER: indefinite and long lengths, OCTET STRINGs in segments (X.690 §8).
//!
//! What is DER already stays octet by octet as it is: certificates, CRLs and signed attributes in DER are never rewritten,
//! and signatures over them stay what they are. Sets are not sorted, and values of primitive types not looked into: what a
//! signature covers is for who verifies it to choose.

use std::borrow::Cow;

use crate::asn1::writer;

/// Octets that are read: attached content included, and what a verifier holds in memory for one message.
pub const MAX_CMS_OCTETS: usize = 16 * 1024 * 1024;
/// Values within each other: an archive timestamp in a signature nests about thirty deep.
const MAX_DEPTH: usize = 64;
/// Values of all kinds: a CRL with a quarter of a million entries has about so many. Their lengths take 8 MiB.
const MAX_VALUES: u32 = 2 * 1024 * 1024;

const CONSTRUCTED: u8 = 0x20;
const CONSTRUCTED_OCTET_STRING: u8 = writer::OCTET_STRING | CONSTRUCTED;

/// Why octets are not the BER that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BerError {
    /// More octets than are read.
    #[error("{octets} octets, more than {MAX_CMS_OCTETS}")]
    TooLarge {
        /// How many.
        octets: usize,
    },
    /// Values nest too deep.
    #[error("more than {MAX_DEPTH} values within each other at octet {at}")]
    TooDeep {
        /// Where.
        at: usize,
    },
    /// There are too many values.
    #[error("more than {MAX_VALUES} values")]
    TooManyValues,
    /// The input, or the value around, ends inside a value.
    #[error("truncated at octet {at}")]
    Truncated {
        /// Where.
        at: usize,
    },
    /// An indefinite length of a primitive value, or one beyond eight octets.
    #[error("an impossible length at octet {at}")]
    Length {
        /// Where.
        at: usize,
    },
    /// A tag above 30, or end-of-contents where none is due.
    #[error("the tag {tag:#04x} at octet {at}, which stands nowhere in CMS")]
    Tag {
        /// The identifier octet.
        tag: u8,
        /// Where.
        at: usize,
    },
    /// Another string than an OCTET STRING in segments, or a primitive type that is constructed.
    #[error("a constructed value of the tag {tag:#04x} at octet {at}")]
    Constructed {
        /// The identifier octet.
        tag: u8,
        /// Where.
        at: usize,
    },
    /// A segment of an OCTET STRING that is none itself (X.690 §8.7.3.2).
    #[error("the tag {tag:#04x} as a segment of an OCTET STRING at octet {at}")]
    Segment {
        /// The identifier octet.
        tag: u8,
        /// Where.
        at: usize,
    },
    /// Octets are left after the value.
    #[error("{count} octets after the end")]
    Trailing {
        /// How many.
        count: usize,
    },
}

/// One whole value in definite, minimal lengths and with primitive OCTET STRINGs; borrowed where it is so already.
///
/// # Errors
/// What is no BER, is not read here, or is beyond the limits.
pub fn normalise(input: &[u8]) -> Result<Cow<'_, [u8]>, BerError> {
    if input.len() > MAX_CMS_OCTETS {
        return Err(BerError::TooLarge { octets: input.len() });
    }
    let mut walk = Walk { input, at: 0, values: 0, lengths: Vec::new(), changed: false };
    let length = walk.measure(input.len(), 0, false)?;
    if walk.at != input.len() {
        return Err(BerError::Trailing { count: input.len() - walk.at });
    }
    if !walk.changed {
        return Ok(Cow::Borrowed(input));
    }
    let mut out = Vec::with_capacity(length);
    let mut lengths = walk.lengths.iter().copied();
    emit(input, &mut 0, input.len(), &mut lengths, false, &mut out)?;
    Ok(Cow::Owned(out))
}

/// A value's tag and length, definite or not.
struct Header {
    tag: u8,
    content_at: usize,
    /// `None`: until end-of-contents.
    length: Option<usize>,
    minimal: bool,
}

/// Reads a header; a definite length is within `end`.
fn header(input: &[u8], start: usize, end: usize) -> Result<Header, BerError> {
    let octet = |at: usize| input.get(at).filter(|_| at < end).copied().ok_or(BerError::Truncated { at });
    let tag = octet(start)?;
    if tag & 0x1f == 0x1f || tag == 0 {
        return Err(BerError::Tag { tag, at: start });
    }
    let first = octet(start + 1)?;
    let mut content_at = start + 2;
    let length = match first {
        0..0x80 => usize::from(first),
        0x80 => return Ok(Header { tag, content_at, length: None, minimal: false }),
        _ => {
            let width = usize::from(first & 0x7f);
            if width > 8 {
                return Err(BerError::Length { at: start + 1 });
            }
            let mut length = 0_u64;
            for _ in 0..width {
                length = (length << 8) | u64::from(octet(content_at)?);
                content_at += 1;
            }
            usize::try_from(length).map_err(|_| BerError::Length { at: start + 1 })?
        }
    };
    if content_at.checked_add(length).is_none_or(|content_end| content_end > end) {
        return Err(BerError::Truncated { at: end });
    }
    let minimal = content_at - start + length == writer::tlv_len(length);
    Ok(Header { tag, content_at, length: Some(length), minimal })
}

/// The first pass: every check, and the new length of each constructed value in the order of their headers.
struct Walk<'a> {
    input: &'a [u8],
    at: usize,
    values: u32,
    lengths: Vec<u32>,
    changed: bool,
}

impl Walk<'_> {
    /// How many octets the next value will take; as a segment, its content alone.
    fn measure(&mut self, end: usize, depth: usize, segment: bool) -> Result<usize, BerError> {
        let start = self.at;
        let Header { tag, content_at, length, minimal } = header(self.input, start, end)?;
        if self.values == MAX_VALUES {
            return Err(BerError::TooManyValues);
        }
        self.values += 1;
        if segment && tag & !CONSTRUCTED != writer::OCTET_STRING {
            return Err(BerError::Segment { tag, at: start });
        }
        self.at = content_at;
        let in_segments = tag == CONSTRUCTED_OCTET_STRING;
        let content_len = if tag & CONSTRUCTED == 0 {
            let length = length.ok_or(BerError::Length { at: start + 1 })?;
            self.at += length;
            length
        } else {
            let universal = tag & 0xc0 == 0;
            if universal && !in_segments && tag != writer::SEQUENCE && tag != writer::SET {
                return Err(BerError::Constructed { tag, at: start });
            }
            if depth == MAX_DEPTH {
                return Err(BerError::TooDeep { at: start });
            }
            let slot = self.lengths.len();
            self.lengths.push(0);
            let content_end = length.map_or(end, |length| content_at + length);
            let mut sum = 0;
            while !ends(self.input, &mut self.at, content_end, length.is_some()) {
                sum += self.measure(content_end, depth + 1, in_segments)?;
            }
            self.lengths[slot] = u32::try_from(sum).map_err(|_| BerError::TooLarge { octets: sum })?;
            sum
        };
        self.changed |= in_segments || !minimal;
        Ok(if segment { content_len } else { writer::tlv_len(content_len) })
    }
}

/// Whether a constructed value's content ends here; end-of-contents is stepped over.
fn ends(input: &[u8], at: &mut usize, content_end: usize, definite: bool) -> bool {
    if definite {
        return *at == content_end;
    }
    let closed = input.get(*at..content_end).is_some_and(|rest| rest.starts_with(&[0, 0]));
    if closed {
        *at += 2;
    }
    closed
}

/// The second pass: writes what the first has measured.
fn emit(
    input: &[u8],
    at: &mut usize,
    end: usize,
    lengths: &mut impl Iterator<Item = u32>,
    segment: bool,
    out: &mut Vec<u8>,
) -> Result<(), BerError> {
    let start = *at;
    let Header { tag, content_at, length, .. } = header(input, start, end)?;
    *at = content_at;
    if tag & CONSTRUCTED == 0 {
        let length = length.ok_or(BerError::Length { at: start + 1 })?;
        *at += length;
        if !segment {
            writer::write_header(out, tag, length);
        }
        out.extend_from_slice(&input[content_at..*at]);
        return Ok(());
    }
    let in_segments = tag == CONSTRUCTED_OCTET_STRING;
    let new_length = lengths.next().and_then(|length| usize::try_from(length).ok());
    if !segment {
        let tag = if in_segments { writer::OCTET_STRING } else { tag };
        writer::write_header(out, tag, new_length.ok_or(BerError::Truncated { at: start })?);
    }
    let content_end = length.map_or(end, |length| content_at + length);
    while !ends(input, at, content_end, length.is_some()) {
        emit(input, at, content_end, lengths, in_segments, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(input: &[u8]) -> Result<Vec<u8>, BerError> {
        normalise(input).map(Cow::into_owned)
    }

    #[test]
    fn der_stays_as_it_is() {
        for der in [&[0x30, 0][..], &[0x30, 5, 4, 3, 0x24, 0x80, 0], &[0xa0, 4, 0x31, 2, 5, 0], &[2, 2, 0, 1]] {
            assert!(matches!(normalise(der), Ok(Cow::Borrowed(same)) if same == der));
        }
        let long = writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::OCTET_STRING, &[&[7; 300]])]);
        assert!(matches!(normalise(&long), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn lengths_become_definite_and_minimal() {
        assert_eq!(owned(&[0x30, 0x80, 2, 1, 7, 0, 0]), Ok(vec![0x30, 3, 2, 1, 7]));
        assert_eq!(owned(&[0x30, 0x83, 0, 0, 3, 2, 0x81, 1, 7]).err(), Some(BerError::Truncated { at: 8 }));
        assert_eq!(owned(&[0x30, 0x83, 0, 0, 4, 2, 0x81, 1, 7]), Ok(vec![0x30, 3, 2, 1, 7]));
        assert_eq!(owned(&[0x30, 0x80, 0xa0, 0x80, 0x31, 0, 0, 0, 0, 0]), Ok(vec![0x30, 4, 0xa0, 2, 0x31, 0]));
    }

    #[test]
    fn segments_are_joined() {
        let segments = [0x24, 0x80, 4, 1, 1, 0x24, 5, 4, 0, 4, 1, 2, 4, 1, 3, 0, 0];
        assert_eq!(owned(&segments), Ok(vec![4, 3, 1, 2, 3]));
        assert_eq!(owned(&[0x24, 0]), Ok(vec![4, 0]));
        let mut long = vec![0xa0, 0x80, 0x24, 0x80];
        for _ in 0..3 {
            writer::write_tlv(&mut long, writer::OCTET_STRING, &[&[9; 1000]]);
        }
        long.extend_from_slice(&[0; 4]);
        let expected = writer::tlv(0xa0, &[&writer::tlv(writer::OCTET_STRING, &[&[9; 3000]])]);
        assert_eq!(owned(&long), Ok(expected));
    }

    #[test]
    fn refuses_each_malformation_by_name() {
        let error = |input: &[u8]| normalise(input).err();
        assert_eq!(error(&[]), Some(BerError::Truncated { at: 0 }));
        assert_eq!(error(&[0x30, 0x80]), Some(BerError::Truncated { at: 2 }));
        assert_eq!(error(&[0x30, 0x80, 0]), Some(BerError::Tag { tag: 0, at: 2 }));
        assert_eq!(error(&[0x30, 2, 0, 0]), Some(BerError::Tag { tag: 0, at: 2 }));
        assert_eq!(error(&[4, 0x80, 0, 0]), Some(BerError::Length { at: 1 }));
        assert_eq!(error(&[4, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Some(BerError::Length { at: 1 }));
        assert_eq!(
            error(&[4, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Some(BerError::Truncated { at: 10 })
        );
        assert_eq!(error(&[4, 0x84, 0x40, 0, 0, 0, 1]), Some(BerError::Truncated { at: 7 }));
        assert_eq!(error(&[0x30, 2, 4, 1]), Some(BerError::Truncated { at: 4 }));
        assert_eq!(error(&[0x1f, 1, 0]), Some(BerError::Tag { tag: 0x1f, at: 0 }));
        assert_eq!(error(&[0x23, 0]), Some(BerError::Constructed { tag: 0x23, at: 0 }));
        assert_eq!(error(&[0x24, 3, 2, 1, 1]), Some(BerError::Segment { tag: 2, at: 2 }));
        assert_eq!(error(&[0x30, 0, 0]), Some(BerError::Trailing { count: 1 }));
    }

    #[test]
    fn depth_values_and_octets_are_bounded() {
        let nested = |depth: usize| [[0x30, 0x80].repeat(depth), vec![0; 2 * depth]].concat();
        assert!(normalise(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(normalise(&nested(MAX_DEPTH + 1)).err(), Some(BerError::TooDeep { at: 2 * MAX_DEPTH }));
        assert_eq!(normalise(&nested(1_000_000)).err(), Some(BerError::TooDeep { at: 2 * MAX_DEPTH }));
        let many = [vec![0x30, 0x80], [5, 0].repeat(5_000_000), vec![0, 0]].concat();
        assert_eq!(normalise(&many).err(), Some(BerError::TooManyValues));
        let large = vec![0; MAX_CMS_OCTETS + 1];
        assert_eq!(normalise(&large).err(), Some(BerError::TooLarge { octets: MAX_CMS_OCTETS + 1 }));
    }
}
