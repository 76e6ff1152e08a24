//! Pages of a list: so many at once, and a cursor that leads to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::problem::Problem;

/// Rows of a page where the request does not say.
const USUAL_LIMIT: u32 = 100;
/// The most rows of a page: half a megabyte of JSON.
const MAX_LIMIT: u32 = 1_000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// What is on it.
    pub(super) items: Vec<T>,
    /// Leads to the next page as `after`; null on the last one.
    pub(super) next: Option<String>,
}

/// How many rows are asked for.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(USUAL_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        other => Err(Problem::BadRequest { detail: format!("limit is {other}; it lies between 1 and {MAX_LIMIT}.") }),
    }
}

/// A place in the order of certificates.
pub(super) fn cursor(issuer_id: i64, serial: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode([&issuer_id.to_be_bytes()[..], serial].concat())
}

/// The place that a cursor names.
pub(super) fn place(cursor: &str) -> Result<(i64, Vec<u8>), Problem> {
    let wrong = || Problem::BadRequest { detail: "after is not a cursor that this list gave.".to_owned() };
    let octets = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let (issuer_id, serial) = octets.split_first_chunk::<8>().ok_or_else(wrong)?;
    Ok((i64::from_be_bytes(*issuer_id), serial.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_and_others_nowhere() {
        assert_eq!(place(&cursor(7, &[1, 2, 3])), Ok((7, vec![1, 2, 3])));
        for text in ["", "AAAA", "*", "é"] {
            assert!(place(text).is_err(), "{text}");
        }
        assert_eq!(limit(None), Ok(100));
        assert_eq!(limit(Some(1_000)), Ok(1_000));
        assert!(limit(Some(0)).is_err() && limit(Some(1_001)).is_err());
    }
}
