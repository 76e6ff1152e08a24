//! Writing DER from parts that are already DER.
//!
//! Hot paths encode their constant parts once and write only headers and the parts that change.

/// The universal tag BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// The universal tag INTEGER.
pub const INTEGER: u8 = 0x02;
/// The universal tag BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// The universal tag OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// The universal tag NULL.
pub const NULL: u8 = 0x05;
/// The universal tag OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// The universal tag UTF8String.
pub const UTF8_STRING: u8 = 0x0c;
/// The universal tag GeneralizedTime.
pub const GENERALIZED_TIME: u8 = 0x18;
/// SEQUENCE and SEQUENCE OF, constructed.
pub const SEQUENCE: u8 = 0x30;
/// SET and SET OF, constructed.
pub const SET: u8 = 0x31;

/// A context-specific constructed tag: `[number]`, EXPLICIT or IMPLICIT over a constructed type.
#[must_use]
pub const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The length of a whole TLV whose content has this many octets.
#[must_use]
pub const fn tlv_len(content_len: usize) -> usize {
    1 + length_len(content_len) + content_len
}

const fn length_len(length: usize) -> usize {
    match length {
        0..=0x7f => 1,
        0x80..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xff_ffff => 4,
        _ => 5,
    }
}

/// Writes a tag and a definite, minimal length (X.690 §10.1). Lengths are below 4 GiB: all content here is in memory.
pub fn write_header(out: &mut Vec<u8>, tag: u8, content_len: usize) {
    out.push(tag);
    let octets = content_len.to_be_bytes();
    let width = length_len(content_len) - 1;
    if let Some(first) = u8::try_from(width).ok().filter(|width| *width > 0) {
        out.push(0x80 | first);
        out.extend_from_slice(&octets[octets.len() - width..]);
    } else {
        out.push(octets[octets.len() - 1]);
    }
}

/// Writes a whole TLV from the concatenation of `parts`.
pub fn write_tlv(out: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) {
    write_header(out, tag, parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// A whole TLV from the concatenation of `parts`.
#[must_use]
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content_len = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(tlv_len(content_len));
    write_tlv(&mut out, tag, parts);
    out
}

/// A SET OF from encoded elements, sorted as DER demands (X.690 §11.6).
#[must_use]
pub fn set_of(tag: u8, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    let parts: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    tlv(tag, &parts)
}

/// A non-negative INTEGER from big-endian octets, minimal (X.690 §8.3.2).
#[must_use]
pub fn unsigned_integer(octets: &[u8]) -> Vec<u8> {
    let start = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
    let significant = &octets[start..];
    match significant.first() {
        None => vec![INTEGER, 1, 0],
        Some(first) if first & 0x80 != 0 => tlv(INTEGER, &[&[0], significant]),
        Some(_) => tlv(INTEGER, &[significant]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal_and_agree_with_the_der_crate() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0x100_0000] {
            let content = vec![0x55; length];
            let ours = tlv(OCTET_STRING, &[&content]);
            let theirs = der::Encode::to_der(&der::asn1::OctetStringRef::new(&content).unwrap()).unwrap();
            assert!(ours == theirs, "{length}");
            assert_eq!(ours.len(), tlv_len(length));
        }
    }

    #[test]
    fn integers_are_minimal() {
        assert_eq!(unsigned_integer(&[]), [2, 1, 0]);
        assert_eq!(unsigned_integer(&[0, 0]), [2, 1, 0]);
        assert_eq!(unsigned_integer(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(unsigned_integer(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn sets_are_sorted() {
        assert_eq!(set_of(SET, vec![vec![2, 1, 9], vec![2, 1, 3]]), [0x31, 6, 2, 1, 3, 2, 1, 9]);
    }
}
