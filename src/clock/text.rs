//! Times as people and JSON write them, RFC 3339, and as HTTP does.

/// A time for people; seconds since 1970.
#[must_use]
pub fn rfc3339(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).map_or_else(|_| unix_s.to_string(), |time| time.to_string())
}

/// A time in an HTTP header (RFC 9110 §5.6.7); a year that it has no form for becomes the epoch's beginning.
#[must_use]
pub fn http_date(unix_s: i64) -> String {
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    let time = jiff::Timestamp::from_second(unix_s).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    printer.timestamp_to_rfc9110_string(&time).unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 GMT".to_owned())
}

/// A time as it is written, in seconds since 1970; None if it is none, or has a fraction of a second.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<i64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    (time.subsec_nanosecond() == 0).then(|| time.as_second())
}

/// A time as it is written, or a day, which stands for its first second in UTC; fractions of a second are cut off.
#[must_use]
pub fn from_date_or_time(text: &str) -> Option<i64> {
    let time = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
    time.ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        assert_eq!(rfc3339(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(http_date(1_700_000_000), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(http_date(i64::MIN), http_date(0));
        assert_eq!(from_rfc3339("2023-11-14T22:13:20Z"), Some(1_700_000_000));
        assert_eq!(from_rfc3339("2023-11-14T23:13:20+01:00"), Some(1_700_000_000));
        for text in ["", "2023-11-14", "2023-11-14T22:13:20.5Z", "yesterday"] {
            assert_eq!(from_rfc3339(text), None, "{text}");
        }
        assert_eq!(from_date_or_time("2023-11-14T22:13:20.5Z"), Some(1_700_000_000));
        assert_eq!(from_date_or_time("2023-11-14"), Some(1_699_920_000));
        for text in ["", "2023-11", "2023-11-14T", "yesterday"] {
            assert_eq!(from_date_or_time(text), None, "{text}");
        }
    }
}
