//! Values in a policy's file, each read from its text; an error says what to write, and the TOML reader adds the line.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::constraint::{Constraint, Level, by_name};
use super::suites::{DIGESTS, Reliability};
use super::{AnchorUse, Freshness, TimestampFreshness};
use crate::asn1::Oid;
use crate::clock::from_rfc3339;
use crate::verify::settings::{Conformance, RevocationMode};

/// 100 years: longer than any certificate lives, and every sum of times stays far from overflow.
const MAX_DURATION_S: i64 = 36_525 * 86_400;
/// Keys beyond are not verified under, by any kind's limit.
const MAX_KEY_BITS: usize = 1 << 20;

/// Something that is written as a text.
pub(super) trait FromText: Sized {
    /// What to write, behind "expected".
    const EXPECTED: &'static str;

    /// Reads it; an error says what it must be.
    fn from_text(text: &str) -> Result<Self, String>;
}

/// A value written as a text, in a map's keys too; a TOML date counts as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Written<T>(pub(super) T);

impl<'de, T: FromText> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<'de, T: FromText> Visitor<'de> for TextVisitor<T> {
    type Value = Written<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::from_text(text).map(Written).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        // The TOML reader hands a date out as a map; a table is none, and says so.
        let date = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))
            .map_err(|_| A::Error::custom(format_args!("a table; expected {}", T::EXPECTED)))?;
        T::from_text(&date.to_string()).map(Written).map_err(A::Error::custom)
    }
}

/// A hostile text is shown, not spread over the screen.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

/// Seconds since 1970; a date is its first second, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) i64);

const DATE: &str = "a date such as 2029-01-01, or a time with its offset such as 2029-01-01T12:00:00Z";

impl FromText for Time {
    const EXPECTED: &'static str = DATE;

    fn from_text(text: &str) -> Result<Self, String> {
        let date = text.len() == "2029-01-01".len();
        let time = if date { from_rfc3339(&format!("{text}T00:00:00Z")) } else { from_rfc3339(text) };
        time.map(Self).ok_or_else(|| format!("{} is no time here; write {DATE}", shown(text)))
    }
}

impl FromText for Reliability {
    const EXPECTED: &'static str = "\"open\", \"never\", or a date such as 2029-01-01";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "open" => Ok(Self::Open),
            "never" => Ok(Self::Never),
            _ => match Time::from_text(text) {
                Ok(Time(end_s)) => Ok(Self::Until(end_s)),
                Err(_) => Err(format!("{} is no end; write {}", shown(text), Self::EXPECTED)),
            },
        }
    }
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) i64);

impl FromText for Seconds {
    const EXPECTED: &'static str = "a text such as \"90s\", \"30m\", \"24h\" or \"7d\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let unit_s = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3_600,
                "d" => 86_400,
                _ => return None,
            };
            if !number.bytes().all(|octet| octet.is_ascii_digit()) {
                return None;
            }
            let seconds = number.parse::<i64>().ok()?.checked_mul(unit_s)?;
            (seconds <= MAX_DURATION_S).then_some(Self(seconds))
        };
        parsed().ok_or_else(|| format!("{} is no duration up to 100 years; write {}", shown(text), Self::EXPECTED))
    }
}

impl FromText for Freshness {
    const EXPECTED: &'static str = "\"next-update\", or the greatest age such as \"24h\"";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "next-update" => Ok(Self::NextUpdate),
            _ => match Seconds::from_text(text) {
                Ok(Seconds(seconds)) => Ok(Self::MaxAge { seconds }),
                Err(_) => Err(format!("{} is no freshness; write {}", shown(text), Self::EXPECTED)),
            },
        }
    }
}

impl FromText for Oid {
    const EXPECTED: &'static str = "an object identifier such as \"0.4.0.2023.1.1\"";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{} is no object identifier; write one such as 0.4.0.2023.1.1", shown(text)))
    }
}

/// The least size of a key, a map's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyBits(pub(super) usize);

impl FromText for KeyBits {
    const EXPECTED: &'static str = "a key's size in bits";

    fn from_text(text: &str) -> Result<Self, String> {
        let plain = text.bytes().all(|octet| octet.is_ascii_digit()) && !text.starts_with('0');
        let bits = text.parse().ok().filter(|bits| plain && *bits <= MAX_KEY_BITS);
        bits.map(Self).ok_or_else(|| format!("{} is no key's size; write bits, such as 3000", shown(text)))
    }
}

/// A digest's name, a map's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DigestName(pub(super) &'static str);

impl FromText for DigestName {
    const EXPECTED: &'static str = "a digest's name";

    fn from_text(text: &str) -> Result<Self, String> {
        named(text, "digest", &DIGESTS, |name| name).map(Self)
    }
}

impl FromText for Constraint {
    const EXPECTED: &'static str = "a constraint's name";

    fn from_text(text: &str) -> Result<Self, String> {
        named(text, "constraint", Self::ALL, Self::name)
    }
}

impl FromText for Level {
    const EXPECTED: &'static str = "\"fail\", \"warn\", \"inform\" or \"ignore\"";

    fn from_text(text: &str) -> Result<Self, String> {
        named(text, "level", &Self::ALL, Self::name)
    }
}

impl FromText for AnchorUse {
    const EXPECTED: &'static str = "\"any\", \"signatures\" or \"timestamps\"";

    fn from_text(text: &str) -> Result<Self, String> {
        named(text, "use of an anchor", &[Self::Any, Self::Signatures, Self::Timestamps], |use_| match use_ {
            Self::Any => "any",
            Self::Signatures => "signatures",
            Self::Timestamps => "timestamps",
        })
    }
}

impl FromText for Conformance {
    const EXPECTED: &'static str = "\"told\" or \"required\"";

    fn from_text(text: &str) -> Result<Self, String> {
        named(text, "conformance", &[Self::Told, Self::Required], |conformance| match conformance {
            Self::Told => "told",
            Self::Required => "required",
        })
    }
}

impl FromText for RevocationMode {
    const EXPECTED: &'static str = "\"required\", \"told\" or \"not-asked\"";

    fn from_text(text: &str) -> Result<Self, String> {
        named(text, "mode", &[Self::Required, Self::Told, Self::NotAsked], |mode| match mode {
            Self::Required => "required",
            Self::Told => "told",
            Self::NotAsked => "not-asked",
        })
    }
}

impl FromText for TimestampFreshness {
    const EXPECTED: &'static str = "\"gen-time\" or \"judging-time\"";

    fn from_text(text: &str) -> Result<Self, String> {
        named(text, "time", &[Self::GenTime, Self::JudgingTime], |time| match time {
            Self::GenTime => "gen-time",
            Self::JudgingTime => "judging-time",
        })
    }
}

/// What a policy is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// From this policy that there is.
    BuiltIn(&'static str),
    /// From nothing: the file says everything.
    Nothing,
}

impl FromText for Base {
    const EXPECTED: &'static str = "\"default\", \"without-revocation\" or \"nothing\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let [default, without_revocation] = super::Policy::BUILT_IN;
        let all = [Self::BuiltIn(default), Self::BuiltIn(without_revocation), Self::Nothing];
        named(text, "policy to extend", &all, |base| match base {
            Self::BuiltIn(name) => name,
            Self::Nothing => "nothing",
        })
    }
}

fn named<T: Copy>(text: &str, what: &str, all: &[T], name_of: impl Fn(T) -> &'static str) -> Result<T, String> {
    by_name(text, all, name_of).map_err(|unknown| {
        format!("{} is no {what}; write one of {}", shown(&unknown.name), unknown.choices.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_have_an_offset() {
        assert_eq!(Time::from_text("1970-01-02"), Ok(Time(86_400)));
        assert_eq!(Time::from_text("1970-01-01T01:00:00+01:00"), Ok(Time(0)));
        for text in ["", "2029", "2029-13-01", "2029-02-30", "2029-01-01T00:00:00", "1970-01-01T00:00:00.5Z", "open"] {
            assert!(Time::from_text(text).unwrap_err().contains("write a date"), "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("30m", 1_800), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(Seconds::from_text(text), Ok(Seconds(seconds)), "{text}");
        }
        assert_eq!(Seconds::from_text("36525d"), Ok(Seconds(MAX_DURATION_S)));
        for text in ["", "s", "7", "-1s", "+1s", "1.5h", "1w", "36526d", "9223372036854775807d", "7д", "1 d"] {
            assert!(Seconds::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_plain_numbers() {
        assert_eq!(KeyBits::from_text("3000"), Ok(KeyBits(3000)));
        for text in ["", "0", "03000", "+3000", "-1", "3000.5", "many", "1048577"] {
            assert!(KeyBits::from_text(text).is_err(), "{text}");
        }
    }
}
