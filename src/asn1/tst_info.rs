//! TSTInfo (RFC 3161 §2.4.2): written from prebuilt parts, read back strictly.

use super::{DerError, Reader, writer};

/// The digits after the second that a genTime may carry.
pub const MAX_FRACTION_DIGITS: u8 = 6;

/// What changes from one token to the next.
#[derive(Clone, Copy, Debug)]
pub struct TstInfoFields<'a> {
    /// The policy's object identifier, whole.
    pub policy: &'a [u8],
    /// The request's MessageImprint, whole.
    pub message_imprint: &'a [u8],
    /// The serial number's octets: the top bit clear, the first octet not zero.
    pub serial_number: &'a [u8],
    /// genTime in microseconds since 1970-01-01T00:00:00Z.
    pub gen_time_us: i64,
    /// The request's nonce, whole.
    pub nonce: Option<&'a [u8]>,
}

/// What is the same in every token of a profile, encoded once.
#[derive(Clone, Debug)]
pub struct TstInfoTemplate {
    fraction_digits: u8,
    accuracy: Vec<u8>,
    ordering: &'static [u8],
    tsa: Vec<u8>,
    extensions: Vec<u8>,
}

impl TstInfoTemplate {
    /// Encodes the constant parts.
    ///
    /// `accuracy_us` is written as seconds, millis and micros; `tsa` is a GeneralName's encoding,
    /// `extensions` the encodings of Extension values (RFC 5280 §4.1).
    #[must_use]
    pub fn new(
        fraction_digits: u8,
        accuracy_us: u32,
        ordering: bool,
        tsa: Option<&[u8]>,
        extensions: &[Vec<u8>],
    ) -> Self {
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        Self {
            fraction_digits: fraction_digits.min(MAX_FRACTION_DIGITS),
            accuracy: accuracy_der(accuracy_us),
            // DER omits the FALSE that is the default (X.690 §11.5).
            ordering: if ordering { &[writer::BOOLEAN, 1, 0xff] } else { &[] },
            // GeneralName is a CHOICE, so the tag is EXPLICIT (X.680 §31.2.7).
            tsa: tsa.map(|name| writer::tlv(writer::context(0), &[name])).unwrap_or_default(),
            extensions: if extensions.is_empty() { Vec::new() } else { writer::tlv(writer::context(1), &extensions) },
        }
    }

    /// The whole TSTInfo.
    ///
    /// # Errors
    /// A time outside the years 0 to 9999.
    pub fn build(&self, fields: &TstInfoFields<'_>) -> Result<Vec<u8>, GenTimeError> {
        let time = gen_time_text(fields.gen_time_us, self.fraction_digits)?;
        let mut time_der = [0_u8; 24];
        let time_der = {
            let end = 2 + time.len();
            time_der[0] = writer::GENERALIZED_TIME;
            // Unwrap safety: at most 22 characters.
            time_der[1] = u8::try_from(time.len()).unwrap();
            time_der[2..end].copy_from_slice(time.as_bytes());
            &time_der[..end]
        };
        // Unwrap safety: serials are 17 to 20 octets.
        let serial_header = [writer::INTEGER, u8::try_from(fields.serial_number.len()).unwrap()];
        let parts: [&[u8]; 11] = [
            &[writer::INTEGER, 1, 1],
            fields.policy,
            fields.message_imprint,
            &serial_header,
            fields.serial_number,
            time_der,
            &self.accuracy,
            self.ordering,
            fields.nonce.unwrap_or_default(),
            &self.tsa,
            &self.extensions,
        ];
        Ok(writer::tlv(writer::SEQUENCE, &parts))
    }
}

/// `Accuracy ::= SEQUENCE { seconds, millis [0] 1..999, micros [1] 1..999 }`, zero parts left out.
fn accuracy_der(accuracy_us: u32) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut part = |tag: u8, value: u32| {
        if value > 0 {
            let mut integer = writer::unsigned_integer(&value.to_be_bytes());
            integer[0] = tag;
            parts.push(integer);
        }
    };
    part(writer::INTEGER, accuracy_us / 1_000_000);
    part(0x80, accuracy_us / 1_000 % 1_000);
    part(0x81, accuracy_us % 1_000);
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    writer::tlv(writer::SEQUENCE, &parts)
}

/// A time that GeneralizedTime can't carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{unix_us} µs since 1970 is outside the years that GeneralizedTime can carry")]
pub struct GenTimeError {
    /// Microseconds since 1970.
    pub unix_us: i64,
}

/// `YYYYMMDDhhmmss[.f…]Z`: '.' as separator, no trailing zeros, never a bare '.' (RFC 3161 §2.4.2).
///
/// Cut, not rounded, to `digits` after the second: a token never lies in the future.
///
/// # Errors
/// A time outside the years 0 to 9999.
pub fn gen_time_text(unix_us: i64, digits: u8) -> Result<String, GenTimeError> {
    use std::fmt::Write as _;
    let wrong = GenTimeError { unix_us };
    let time = jiff::Timestamp::from_microsecond(unix_us).map_err(|_| wrong)?;
    let civil = jiff::tz::Offset::UTC.to_datetime(time);
    if civil.year() < 0 {
        return Err(wrong);
    }
    let mut text = String::with_capacity(22);
    write!(
        text,
        "{:04}{:02}{:02}{:02}{:02}{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    )
    .map_err(|_| wrong)?;
    let micros = unix_us.rem_euclid(1_000_000);
    let kept = 10_i64.pow(u32::from(MAX_FRACTION_DIGITS - digits.min(MAX_FRACTION_DIGITS)));
    let micros = micros - micros % kept;
    if micros > 0 {
        write!(text, ".{micros:06}").map_err(|_| wrong)?;
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push('Z');
    Ok(text)
}

/// A TSTInfo as read; slices are the original octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TstInfo<'a> {
    /// The policy, content octets of its object identifier.
    pub policy: &'a [u8],
    /// The whole MessageImprint.
    pub message_imprint: &'a [u8],
    /// The serial number, content octets of its INTEGER.
    pub serial_number: &'a [u8],
    /// genTime's text.
    pub gen_time: &'a str,
    /// genTime in microseconds since 1970, digits beyond the sixth dropped.
    pub gen_time_us: i64,
    /// The declared accuracy in microseconds.
    pub accuracy_us: Option<u64>,
    /// The ordering flag.
    pub ordering: bool,
    /// The nonce, the whole INTEGER.
    pub nonce: Option<&'a [u8]>,
    /// The tsa field's GeneralName, whole.
    pub tsa: Option<&'a [u8]>,
    /// The extensions' content octets.
    pub extensions: Option<&'a [u8]>,
}

impl<'a> TstInfo<'a> {
    /// Decodes a TSTInfo.
    ///
    /// # Errors
    /// Anything that is not the structure in DER, a genTime of another form included.
    pub fn from_der(input: &'a [u8]) -> Result<Self, DerError> {
        let read = Self::from_others_der(input)?;
        // Nine digits are nanoseconds; more is nobody's clock.
        let canonical = read.gen_time.split_once('.').is_none_or(|(_, fraction)| {
            let digits = fraction.trim_end_matches('Z');
            digits.len() <= 9 && !digits.ends_with('0')
        });
        if canonical { Ok(read) } else { Err(DerError::Value { what: "genTime" }) }
    }

    /// Decodes a TSTInfo as others write it: genTime may have trailing zeros and more digits than any clock.
    ///
    /// # Errors
    /// Anything else that is not the structure in DER.
    pub fn from_others_der(input: &'a [u8]) -> Result<Self, DerError> {
        let mut fields = Reader::only(input, writer::SEQUENCE)?;
        if fields.integer()? != [1] {
            return Err(DerError::Value { what: "TSTInfo version" });
        }
        let policy = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
        let message_imprint = fields.expect(writer::SEQUENCE)?.whole;
        let serial_number = fields.integer()?;
        let time = fields.expect(writer::GENERALIZED_TIME)?.content;
        let (gen_time, gen_time_us) = read_gen_time(time).ok_or(DerError::Value { what: "genTime" })?;
        let accuracy = fields.optional(writer::SEQUENCE)?;
        let accuracy_us = accuracy.map(|accuracy| read_accuracy(accuracy.content)).transpose()?;
        let ordering = match fields.optional(writer::BOOLEAN)?.map(|value| value.content) {
            None | Some([0x00]) => false,
            Some([0xff]) => true,
            Some(_) => return Err(DerError::Value { what: "ordering" }),
        };
        let mut nonce = None;
        if fields.peek() == Some(writer::INTEGER) {
            nonce = Some(fields.clone().read()?.whole);
            fields.integer()?;
        }
        let tsa = fields.optional(writer::context(0))?.map(|tsa| tsa.content);
        let extensions = fields.optional(writer::context(1))?.map(|extensions| extensions.content);
        fields.finish()?;
        Ok(Self {
            policy,
            message_imprint,
            serial_number,
            gen_time,
            gen_time_us,
            accuracy_us,
            ordering,
            nonce,
            tsa,
            extensions,
        })
    }
}

/// Digits after the second that are read of others' genTime.
const MAX_READ_DIGITS: usize = 32;

fn read_accuracy(content: &[u8]) -> Result<u64, DerError> {
    let wrong = DerError::Value { what: "accuracy" };
    let mut parts = Reader::new(content);
    let mut sum = 0_u64;
    for (tag, unit, limit) in [(writer::INTEGER, 1_000_000, u32::MAX), (0x80, 1_000, 999), (0x81, 1, 999)] {
        let Some(part) = parts.optional(tag)? else { continue };
        if part.content.is_empty() || part.content.len() > 5 || part.content[0] & 0x80 != 0 {
            return Err(wrong);
        }
        let value = part.content.iter().fold(0_u64, |value, octet| (value << 8) | u64::from(*octet));
        if value > u64::from(limit) {
            return Err(wrong);
        }
        sum += value * unit;
    }
    parts.finish()?;
    Ok(sum)
}

fn read_gen_time(content: &[u8]) -> Option<(&str, i64)> {
    let text = std::str::from_utf8(content).ok()?;
    let body = text.strip_suffix('Z')?;
    let (whole, fraction) = match body.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (body, None),
    };
    if whole.len() != 14 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut micros = 0_i64;
    if let Some(fraction) = fraction {
        let plain =
            (1..=MAX_READ_DIGITS).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
        if !plain {
            return None;
        }
        let padded = format!("{fraction:0<9}");
        micros = padded[..6].parse().ok()?;
    }
    let civil = jiff::civil::DateTime::new(
        whole[0..4].parse().ok()?,
        whole[4..6].parse().ok()?,
        whole[6..8].parse().ok()?,
        whole[8..10].parse().ok()?,
        whole[10..12].parse().ok()?,
        whole[12..14].parse().ok()?,
        0,
    )
    .ok()?;
    let seconds = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?.as_second();
    Some((text, seconds.checked_mul(1_000_000)?.checked_add(micros)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gen_time_has_no_trailing_zeros_and_no_bare_point() {
        // 2026-11-23T20:00:00Z
        let second = 1_795_464_000_000_000;
        let text = |us: i64, digits: u8| gen_time_text(us, digits).unwrap();
        assert_eq!(text(second, 6), "20261123200000Z");
        assert_eq!(text(second + 1, 6), "20261123200000.000001Z");
        assert_eq!(text(second + 1, 3), "20261123200000Z");
        assert_eq!(text(second + 120_000, 6), "20261123200000.12Z");
        assert_eq!(text(second + 999_999, 3), "20261123200000.999Z");
        assert_eq!(text(second + 999_999, 0), "20261123200000Z");
        assert!(gen_time_text(i64::MAX, 0).is_err());
    }

    #[test]
    fn accuracy_leaves_zero_parts_out() {
        assert_eq!(accuracy_der(1_000_000), [0x30, 3, 2, 1, 1]);
        assert_eq!(accuracy_der(500_000), [0x30, 4, 0x80, 2, 0x01, 0xf4]);
        assert_eq!(accuracy_der(1_001), [0x30, 6, 0x80, 1, 1, 0x81, 1, 1]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let name = writer::tlv(0xa4, &[&[0x30, 0]]);
        let extension = writer::tlv(writer::SEQUENCE, &[&[6, 1, 0x2a], &[4, 1, 0]]);
        let template = TstInfoTemplate::new(3, 1_500_250, true, Some(&name), std::slice::from_ref(&extension));
        let imprint = [0x30, 2, 0x30, 0];
        let der = template
            .build(&TstInfoFields {
                policy: &[6, 2, 0x2a, 3],
                message_imprint: &imprint,
                serial_number: &[1, 2, 3],
                gen_time_us: 1_795_464_000_123_456,
                nonce: Some(&[2, 2, 0, 0x80]),
            })
            .unwrap();
        let read = TstInfo::from_der(&der).unwrap();
        assert_eq!(read.gen_time, "20261123200000.123Z");
        assert_eq!(read.gen_time_us, 1_795_464_000_123_000);
        assert_eq!(read.accuracy_us, Some(1_500_250));
        assert_eq!(read.serial_number, [1, 2, 3]);
        assert_eq!(read.nonce, Some(&[2, 2, 0, 0x80][..]));
        assert_eq!(read.tsa, Some(&name[..]));
        assert_eq!(read.extensions, Some(&extension[..]));
        assert!(read.ordering);
    }

    #[test]
    fn refuses_other_forms_of_gen_time() {
        for text in [
            "20261123200000",
            "202611232000Z",
            "20261123200000.Z",
            "20261123200000,1Z",
            "20261323200000Z",
            "20261123200000+0100",
        ] {
            assert!(read_gen_time(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn trailing_zeros_are_others_alone() {
        let info = |text: &str| {
            let time = writer::tlv(writer::GENERALIZED_TIME, &[text.as_bytes()]);
            writer::tlv(writer::SEQUENCE, &[&[2, 1, 1, 6, 1, 0x2a, 0x30, 0, 2, 1, 7], &time])
        };
        for (text, micros) in [("20261123200000.10Z", 100_000), ("20261123200000.0000000000Z", 0)] {
            let der = info(text);
            assert_eq!(TstInfo::from_der(&der), Err(DerError::Value { what: "genTime" }), "{text}");
            let read = TstInfo::from_others_der(&der).unwrap();
            assert_eq!((read.gen_time, read.gen_time_us), (text, 1_795_464_000_000_000 + micros));
        }
        assert!(TstInfo::from_der(&info("20261123200000.1Z")).is_ok());
        assert!(TstInfo::from_others_der(&info(&format!("20261123200000.{}Z", "1".repeat(33)))).is_err());
    }
}
