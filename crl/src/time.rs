//! UTCTime and GeneralizedTime as RFC 5280 §5.1.2.4 allows them, read to and written from seconds since 1970.

use std::fmt;

use crate::der::tag;

/// Which of the two ASN.1 types a time was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeForm {
    /// UTCTime: the form for 1950 through 2049.
    UtcTime,
    /// GeneralizedTime: the form for 2050 and later.
    GeneralizedTime,
}

/// A time as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub seconds: i64,
    /// How it was written.
    pub form: TimeForm,
}

/// Why octets are no time of RFC 5280, or seconds can't be written as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// Neither UTCTime nor GeneralizedTime.
    NoTime {
        /// The identifier octet found.
        tag: u8,
    },
    /// RFC 5280 §5.1.2.4 (by §4.1.2.5.2): no fractional seconds.
    FractionalSeconds,
    /// RFC 5280 §4.1.2.5: times are in GMT and end with Z.
    NoZulu,
    /// RFC 5280 §4.1.2.5: seconds are written even when they are 00.
    NoSeconds,
    /// Octets that are not the digits of a time.
    NoDigits,
    /// A month, day, hour, minute or second that the calendar has not.
    NotInCalendar,
    /// Seconds before the year 0 or after the year 9999, which no form can say.
    OutOfRange {
        /// Seconds since 1970.
        seconds: i64,
    },
}

const DAY_S: i64 = 86_400;
/// 1950-01-01T00:00:00Z: UTCTime's first second.
const UTC_TIME_FIRST_S: i64 = -631_152_000;
/// 2050-01-01T00:00:00Z: the first second that takes GeneralizedTime (RFC 5280 §5.1.2.4).
pub(crate) const GENERALIZED_TIME_FIRST_S: i64 = 2_524_608_000;
/// 9999-12-31T23:59:59Z.
pub(crate) const LAST_S: i64 = 253_402_300_799;
/// 0000-01-01T00:00:00Z.
pub(crate) const FIRST_S: i64 = -62_167_219_200;

impl Time {
    /// The form that RFC 5280 §5.1.2.4 wants for these seconds.
    #[must_use]
    pub fn expected_form(&self) -> TimeForm {
        if (UTC_TIME_FIRST_S..GENERALIZED_TIME_FIRST_S).contains(&self.seconds) {
            TimeForm::UtcTime
        } else {
            TimeForm::GeneralizedTime
        }
    }

    /// Reads a value of this identifier octet and content.
    ///
    /// # Errors
    /// Not a time as RFC 5280 §4.1.2.5 wants it written.
    #[inline]
    pub fn read(tag: u8, content: &[u8]) -> Result<Self, TimeError> {
        match tag {
            tag::UTC_TIME => {
                let digits = digits::<12>(content)?;
                let year = pair(digits[0], digits[1]);
                // RFC 5280 §4.1.2.5.1: 50 and up is 19YY, below is 20YY.
                let year = if year >= 50 { 1900 + year } else { 2000 + year };
                Ok(Self { seconds: seconds(year, &digits[2..])?, form: TimeForm::UtcTime })
            }
            tag::GENERALIZED_TIME => {
                let digits = digits::<14>(content)?;
                let year = pair(digits[0], digits[1]) * 100 + pair(digits[2], digits[3]);
                Ok(Self { seconds: seconds(year, &digits[4..])?, form: TimeForm::GeneralizedTime })
            }
            tag => Err(TimeError::NoTime { tag }),
        }
    }
}

/// The values of `N` digits that a Z follows.
#[inline]
fn digits<const N: usize>(content: &[u8]) -> Result<[u8; N], TimeError> {
    let Some((written, b"Z")) = content.split_at_checked(N) else {
        return Err(why_not(content, N));
    };
    let mut values = [0; N];
    let mut wrong = false;
    for (value, octet) in values.iter_mut().zip(written) {
        *value = octet.wrapping_sub(b'0');
        wrong |= *value > 9;
    }
    if wrong { Err(why_not(content, N)) } else { Ok(values) }
}

/// The exact error for a content that is not `count` digits and a Z.
#[cold]
fn why_not(content: &[u8], count: usize) -> TimeError {
    let written = content.iter().take_while(|octet| octet.is_ascii_digit()).count();
    match content.get(written) {
        Some(b'.' | b',') if written == count => TimeError::FractionalSeconds,
        Some(b'Z') if written + 2 == count => TimeError::NoSeconds,
        Some(b'+' | b'-') | None if written == count || written + 2 == count => TimeError::NoZulu,
        _ => TimeError::NoDigits,
    }
}

fn pair(tens: u8, ones: u8) -> i64 {
    i64::from(tens) * 10 + i64::from(ones)
}

/// Seconds since 1970 of a year and the ten digits MMDDhhmmss.
#[inline]
fn seconds(year: i64, digits: &[u8]) -> Result<i64, TimeError> {
    let &[m1, m0, d1, d0, h1, h0, n1, n0, s1, s0] = digits else { return Err(TimeError::NoDigits) };
    let (month, day) = (pair(m1, m0), pair(d1, d0));
    let (hour, minute, second) = (pair(h1, h0), pair(n1, n0), pair(s1, s0));
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return Err(TimeError::NotInCalendar);
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimeError::NotInCalendar);
    }
    Ok(days_from_civil(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, by counting from a March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Writes times as whole DER values. Entries often share a day: the last one's digits are kept.
#[derive(Clone, Debug)]
pub(crate) struct TimeEncoder {
    /// Days since 1970 of the kept date.
    day: i64,
    /// YYYYMMDD of it.
    date: [u8; 8],
}

impl TimeEncoder {
    pub(crate) fn new() -> Self {
        Self { day: 0, date: *b"19700101" }
    }

    /// Appends UTCTime through 2049 and GeneralizedTime after (RFC 5280 §5.1.2.4).
    #[inline]
    pub(crate) fn push_time(&mut self, out: &mut Vec<u8>, time_s: i64) -> Result<(), TimeError> {
        if !(UTC_TIME_FIRST_S..GENERALIZED_TIME_FIRST_S).contains(&time_s) {
            return self.push_generalized_time(out, time_s);
        }
        let (date, clock) = self.digits(time_s)?;
        let mut octets = *b"\x17\x0dYYMMDDhhmmssZ";
        octets[2..8].copy_from_slice(&date[2..]);
        octets[8..14].copy_from_slice(&clock);
        out.extend_from_slice(&octets);
        Ok(())
    }

    /// Appends a GeneralizedTime, as invalidityDate and expiredCertsOnCRL have it.
    pub(crate) fn push_generalized_time(&mut self, out: &mut Vec<u8>, time_s: i64) -> Result<(), TimeError> {
        let (date, clock) = self.digits(time_s)?;
        let mut octets = *b"\x18\x0fYYYYMMDDhhmmssZ";
        octets[2..10].copy_from_slice(&date);
        octets[10..16].copy_from_slice(&clock);
        out.extend_from_slice(&octets);
        Ok(())
    }

    #[inline]
    fn digits(&mut self, time_s: i64) -> Result<([u8; 8], [u8; 6]), TimeError> {
        let day = time_s.div_euclid(DAY_S);
        if day != self.day {
            if !(FIRST_S..=LAST_S).contains(&time_s) {
                return Err(TimeError::OutOfRange { seconds: time_s });
            }
            let (year, month, of_month) = civil_from_days(day);
            let [century, year_of_century] = [two(year / 100), two(year % 100)];
            let [month, of_month] = [two(month), two(of_month)];
            self.date = [
                century[0],
                century[1],
                year_of_century[0],
                year_of_century[1],
                month[0],
                month[1],
                of_month[0],
                of_month[1],
            ];
            self.day = day;
        }
        let of_day = time_s.rem_euclid(DAY_S);
        let (hour, minute, second) = (two(of_day / 3600), two(of_day / 60 % 60), two(of_day % 60));
        Ok((self.date, [hour[0], hour[1], minute[0], minute[1], second[0], second[1]]))
    }
}

/// Two digits of a number from 0 to 99.
fn two(number: i64) -> [u8; 2] {
    // A number outside is a defect of the caller's; it shows as wrong digits and not as a panic.
    let number = u8::try_from(number).unwrap_or(0) % 100;
    [b'0' + number / 10, b'0' + number % 10]
}

/// Seconds since 1970 for a reader: `2026-11-25T20:51:27Z`.
pub(crate) fn display(time_s: i64) -> String {
    let (year, month, day) = civil_from_days(time_s.div_euclid(DAY_S));
    let of_day = time_s.rem_euclid(DAY_S);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display(self.seconds))
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTime { tag } => write!(f, "has tag {tag:#04x}, neither UTCTime nor GeneralizedTime"),
            Self::FractionalSeconds => f.write_str("has fractional seconds"),
            Self::NoZulu => f.write_str("does not end with Z"),
            Self::NoSeconds => f.write_str("lacks seconds"),
            Self::NoDigits => f.write_str("is not the digits of a time"),
            Self::NotInCalendar => f.write_str("is no date and time of the calendar"),
            Self::OutOfRange { seconds } => write!(f, "{seconds} seconds since 1970 is outside the years 0 to 9999"),
        }
    }
}

impl std::error::Error for TimeError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(content: &str) -> Result<i64, TimeError> {
        Time::read(tag::UTC_TIME, content.as_bytes()).map(|time| time.seconds)
    }

    fn generalized(content: &str) -> Result<i64, TimeError> {
        Time::read(tag::GENERALIZED_TIME, content.as_bytes()).map(|time| time.seconds)
    }

    #[test]
    fn reads_both_forms() {
        assert_eq!(utc("700101000000Z"), Ok(0));
        assert_eq!(utc("500101000000Z"), Ok(UTC_TIME_FIRST_S));
        assert_eq!(utc("491231235959Z"), Ok(GENERALIZED_TIME_FIRST_S - 1));
        assert_eq!(generalized("20500101000000Z"), Ok(GENERALIZED_TIME_FIRST_S));
        assert_eq!(generalized("99991231235959Z"), Ok(LAST_S));
        assert_eq!(generalized("00000101000000Z"), Ok(FIRST_S));
        assert_eq!(utc("240229120000Z"), Ok(1_709_208_000));
    }

    #[test]
    fn refuses_each_by_its_own_error() {
        assert_eq!(generalized("20240101000000.5Z"), Err(TimeError::FractionalSeconds));
        assert_eq!(utc("240101000000"), Err(TimeError::NoZulu));
        assert_eq!(utc("240101000000+0100"), Err(TimeError::NoZulu));
        assert_eq!(utc("2401010000Z"), Err(TimeError::NoSeconds));
        assert_eq!(utc("2401010000 0Z"), Err(TimeError::NoDigits));
        assert_eq!(utc(""), Err(TimeError::NoDigits));
        assert_eq!(utc("230229000000Z"), Err(TimeError::NotInCalendar));
        assert_eq!(utc("241301000000Z"), Err(TimeError::NotInCalendar));
        assert_eq!(utc("240100000000Z"), Err(TimeError::NotInCalendar));
        assert_eq!(utc("240101240000Z"), Err(TimeError::NotInCalendar));
        assert_eq!(utc("240101000060Z"), Err(TimeError::NotInCalendar));
        assert_eq!(Time::read(4, b""), Err(TimeError::NoTime { tag: 4 }));
    }

    #[test]
    fn writes_what_it_reads_in_the_right_form() {
        let mut encoder = TimeEncoder::new();
        for time_s in [
            0,
            1,
            -1,
            UTC_TIME_FIRST_S - 1,
            UTC_TIME_FIRST_S,
            GENERALIZED_TIME_FIRST_S - 1,
            GENERALIZED_TIME_FIRST_S,
            LAST_S,
            FIRST_S,
            1_709_208_000,
            1_709_208_001,
        ] {
            let mut out = Vec::new();
            encoder.push_time(&mut out, time_s).unwrap();
            let time = Time::read(out[0], &out[2..]).unwrap();
            assert_eq!(time.seconds, time_s);
            assert_eq!(time.form, time.expected_form());
        }
        for seconds in [LAST_S + 1, FIRST_S - 1, i64::MAX, i64::MIN] {
            assert_eq!(encoder.push_time(&mut Vec::new(), seconds), Err(TimeError::OutOfRange { seconds }));
        }
        assert_eq!(display(1_709_208_000), "2024-02-29T12:00:00Z");
    }
}
