//! CRL numbers.

use std::fmt;

/// A CRL's number: positive, at most 20 octets encoded, below 2^159 (RFC 5280 §5.2.3, TLS BR 7.2).
///
/// Kept as big-endian octets without leading zeros, so that numbers of other CAs, which may be random, fit as well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CrlNumber(Vec<u8>);

/// Why octets are no CRL number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrlNumberError {
    /// An INTEGER has at least one octet.
    Empty,
    /// RFC 5280 §5.2.3: conforming CAs MUST NOT use a negative number.
    Negative,
    /// X.690 §8.3.2: an INTEGER has no padding.
    Padded,
    /// RFC 5280 §5.2.3: CRL users MUST be able to handle 20 octets; more is refused.
    TooLong {
        /// Octets found.
        octets: usize,
    },
}

/// Octets that a CRL number may take, its sign bit included.
const MAX_OCTETS: usize = 20;

impl CrlNumber {
    /// Reads the content octets of an INTEGER.
    ///
    /// # Errors
    /// Negative, padded, empty or too long.
    pub fn from_integer_octets(octets: &[u8]) -> Result<Self, CrlNumberError> {
        let first = *octets.first().ok_or(CrlNumberError::Empty)?;
        if first & 0x80 != 0 {
            return Err(CrlNumberError::Negative);
        }
        if first == 0 && octets.get(1).is_some_and(|second| second & 0x80 == 0) {
            return Err(CrlNumberError::Padded);
        }
        if octets.len() > MAX_OCTETS {
            return Err(CrlNumberError::TooLong { octets: octets.len() });
        }
        let start = usize::from(first == 0);
        Ok(Self(octets[start..].to_vec()))
    }

    /// The content octets of its INTEGER.
    #[must_use]
    pub fn integer_octets(&self) -> Vec<u8> {
        match self.0.first() {
            None => vec![0],
            Some(first) if first & 0x80 != 0 => [&[0], self.0.as_slice()].concat(),
            Some(_) => self.0.clone(),
        }
    }

    /// The number after this one: a CA's next CRL (RFC 5280 §5.2.3: MUST increase).
    ///
    /// # Errors
    /// The last number that 20 octets can say.
    pub fn next(&self) -> Result<Self, CrlNumberError> {
        let mut octets = self.0.clone();
        let carried = octets.iter_mut().rev().all(|octet| {
            *octet = octet.wrapping_add(1);
            *octet == 0
        });
        if carried {
            octets.insert(0, 1);
        }
        let next = Self(octets);
        match next.integer_octets().len() {
            length if length > MAX_OCTETS => Err(CrlNumberError::TooLong { octets: length }),
            _ => Ok(next),
        }
    }
}

impl From<u64> for CrlNumber {
    fn from(number: u64) -> Self {
        let octets = number.to_be_bytes();
        let start = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
        Self(octets[start..].to_vec())
    }
}

impl Ord for CrlNumber {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Without leading zeros, the longer number is the greater one.
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for CrlNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for CrlNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a CRL number without octets"),
            Self::Negative => f.write_str("a negative CRL number"),
            Self::Padded => f.write_str("a CRL number with a padded encoding"),
            Self::TooLong { octets } => write!(f, "a CRL number of {octets} octets, more than {MAX_OCTETS}"),
        }
    }
}

impl std::error::Error for CrlNumberError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_orders_as_numbers() {
        for octets in [&[0][..], &[1], &[0x7f], &[0, 0x80], &[1, 0], &[0x7f; 20]] {
            assert_eq!(CrlNumber::from_integer_octets(octets).unwrap().integer_octets(), octets);
        }
        assert!(CrlNumber::from(255) < CrlNumber::from(256));
        assert_eq!(CrlNumber::from(0).next(), Ok(CrlNumber::from(1)));
        assert_eq!(CrlNumber::from(255).next(), Ok(CrlNumber::from(256)));
        assert_eq!(CrlNumber::from(u64::MAX).next().unwrap().integer_octets(), [1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn refuses_what_is_none() {
        assert_eq!(CrlNumber::from_integer_octets(&[]), Err(CrlNumberError::Empty));
        assert_eq!(CrlNumber::from_integer_octets(&[0x80]), Err(CrlNumberError::Negative));
        assert_eq!(CrlNumber::from_integer_octets(&[0, 1]), Err(CrlNumberError::Padded));
        assert_eq!(CrlNumber::from_integer_octets(&[1; 21]), Err(CrlNumberError::TooLong { octets: 21 }));
        let last = CrlNumber::from_integer_octets(&[&[0x7f][..], &[0xff; 19]].concat()).unwrap();
        assert_eq!(last.next(), Err(CrlNumberError::TooLong { octets: 21 }));
    }
}
