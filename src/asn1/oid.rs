//! Object identifiers as the octets they are on the wire.
//!
//! const-oid refuses valid identifiers such as 2.999 and 2.25.{UUID}; policies are compared and echoed raw here.

use std::fmt;
use std::str::FromStr;

/// An object identifier: the content octets of its DER encoding (X.690 §8.19).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(Vec<u8>);

/// Why a text or octets are no object identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OidError {
    /// The text is not dotted decimal with at least two arcs, the first at most 2, the second at most 39 under 0 and 1.
    #[error("{text:?} is not an object identifier such as 0.4.0.2023.1.1")]
    Text {
        /// The text as given.
        text: String,
    },
    /// The octets are empty, end inside an arc, or pad an arc with leading 0x80.
    #[error("malformed object identifier octets")]
    Octets,
}

/// Longer than any identifier in use (2.25.UUID has 20 octets); keeps hostile input out of comparisons and logs.
const MAX_OCTETS: usize = 128;

impl Oid {
    /// Checks content octets.
    ///
    /// # Errors
    /// Empty, overlong, unfinished or padded arcs (X.690 §8.19.2).
    pub fn from_octets(octets: &[u8]) -> Result<Self, OidError> {
        if octets.is_empty() || octets.len() > MAX_OCTETS || octets.last().is_some_and(|last| last & 0x80 != 0) {
            return Err(OidError::Octets);
        }
        let mut at_start = true;
        for octet in octets {
            if at_start && *octet == 0x80 {
                return Err(OidError::Octets);
            }
            at_start = octet & 0x80 == 0;
        }
        Ok(Self(octets.to_vec()))
    }

    /// The content octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The whole encoding, tag and length included.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        super::writer::tlv(super::writer::OBJECT_IDENTIFIER, &[&self.0])
    }
}

impl From<const_oid::ObjectIdentifier> for Oid {
    fn from(oid: const_oid::ObjectIdentifier) -> Self {
        Self(oid.as_bytes().to_vec())
    }
}

fn push_arc(octets: &mut Vec<u8>, arc: u128) {
    let significant = 128 - arc.leading_zeros();
    let groups = significant.div_ceil(7).max(1);
    for group in (0..groups).rev() {
        // Unwrap safety: masked to seven bits.
        let bits = u8::try_from((arc >> (group * 7)) & 0x7f).unwrap();
        octets.push(if group == 0 { bits } else { bits | 0x80 });
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || OidError::Text { text: text.to_owned() };
        let arc = |part: &str| -> Result<u128, OidError> {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let padded = part.len() > 1 && part.starts_with('0');
            if !plain || padded {
                return Err(wrong());
            }
            part.parse().map_err(|_| wrong())
        };
        let mut parts = text.split('.');
        let first = arc(parts.next().ok_or_else(wrong)?)?;
        let second = arc(parts.next().ok_or_else(wrong)?)?;
        if first > 2 || (first < 2 && second > 39) {
            return Err(wrong());
        }
        let mut octets = Vec::new();
        push_arc(&mut octets, second.checked_add(first * 40).ok_or_else(wrong)?);
        for part in parts {
            push_arc(&mut octets, arc(part)?);
        }
        if octets.len() > MAX_OCTETS {
            return Err(wrong());
        }
        Ok(Self(octets))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut arc: u128 = 0;
        let mut bits = 0_u32;
        for octet in &self.0 {
            bits += 7;
            if bits > 126 && arc >> 121 != 0 {
                // An arc beyond 128 bits: no decimal form here, so the octets are shown.
                return write!(f, "…({})", hex::encode(&self.0));
            }
            arc = (arc << 7) | u128::from(octet & 0x7f);
            if octet & 0x80 != 0 {
                continue;
            }
            if first {
                let top = (arc / 40).min(2);
                write!(f, "{top}.{}", arc - top * 40)?;
                first = false;
            } else {
                write!(f, ".{arc}")?;
            }
            arc = 0;
            bits = 0;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_common_and_exotic_identifiers() {
        for text in [
            "0.4.0.2023.1.1",
            "1.2.840.113549.1.9.16.1.4",
            "2.999",
            "2.999.1",
            "2.25.329800735698586629295641978511506172918",
            "0.0",
        ] {
            let oid: Oid = text.parse().unwrap();
            assert_eq!(oid.to_string(), text);
            assert_eq!(Oid::from_octets(oid.octets()), Ok(oid));
        }
        let known = const_oid::ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
        assert_eq!(Oid::from(known), "1.2.840.10045.4.3.2".parse().unwrap());
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "1", "3.1", "1.40", "1.2.", "1..2", "a.b", "1.02", "1.2.-3", "+1.2"] {
            assert!(text.parse::<Oid>().is_err(), "{text}");
        }
        assert_eq!(Oid::from_octets(&[]), Err(OidError::Octets));
        assert_eq!(Oid::from_octets(&[0x2a, 0x80, 0x01]), Err(OidError::Octets));
        assert_eq!(Oid::from_octets(&[0x2a, 0x81]), Err(OidError::Octets));
        // 30 octets of one arc: well formed, but wider than any integer here.
        let wide = [vec![0xff; 29], vec![0x7f]].concat();
        assert!(Oid::from_octets(&wide).unwrap().to_string().starts_with('…'));
    }
}
