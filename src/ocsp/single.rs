//! SingleResponse (RFC 6960 §4.2.1): what is said of one certificate.

use crate::asn1::writer;

/// What is said of one certificate. Times are seconds since 1970: a response has no fractions (RFC 9919).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SingleAnswer<'a> {
    /// The CertID, whole: the octets that were asked with, or those of [`super::IssuerHashes::cert_id_der`].
    pub cert_id: &'a [u8],
    /// The status.
    pub status: CertStatus,
    /// thisUpdate: when this was known to be so.
    pub this_update_s: i64,
    /// nextUpdate: by when there is newer.
    pub next_update_s: i64,
    /// ArchiveCutoff (RFC 6960 §4.4.4): since when certificates' status is kept, if that is to be said.
    /// It is left out beside [`CertStatus::NotIssued`].
    pub archive_cutoff_s: Option<i64>,
}

/// A certificate's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertStatus {
    /// It was issued and holds.
    Good,
    /// It is revoked, or on hold (reason 6).
    Revoked {
        /// revocationTime, in seconds since 1970.
        at_s: i64,
        /// CRLReason (RFC 5280 §5.3.1). unspecified(0) is written as if there were none.
        reason: Option<u8>,
    },
    /// The issuer is served, the serial number is not known.
    Unknown,
    /// No such certificate was issued, told as revoked (RFC 6960 §2.2): certificateHold since 1970-01-01T00:00:00Z.
    /// The response then carries the extended-revoke extension (§4.4.8).
    NotIssued,
}

/// An answer that can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// No answer at all: a response speaks of one certificate at least.
    #[error("a response without an answer")]
    Empty,
    /// A time that GeneralizedTime can't carry.
    #[error("{field}: {unix_s} s since 1970 is outside the years that GeneralizedTime can carry")]
    Time {
        /// The field.
        field: &'static str,
        /// Seconds since 1970.
        unix_s: i64,
    },
    /// nextUpdate is not later than thisUpdate: no client takes such an answer.
    #[error("nextUpdate ({next_update_s} s since 1970) is not later than thisUpdate ({this_update_s})")]
    NextUpdate {
        /// thisUpdate.
        this_update_s: i64,
        /// nextUpdate.
        next_update_s: i64,
    },
    /// A number that CRLReason does not have.
    #[error("{reason} is no CRLReason that a certificate can be revoked with")]
    Reason {
        /// The number.
        reason: u8,
    },
}

/// A GeneralizedTime, whole: `YYYYMMDDhhmmssZ`.
pub(super) type Time = [u8; 17];

/// id-pkix-ocsp-archive-cutoff (1.3.6.1.5.5.7.48.1.6), whole.
const ID_PKIX_OCSP_ARCHIVE_CUTOFF: [u8; 11] = [6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 6];
/// `ENUMERATED`.
const ENUMERATED: u8 = 0x0a;
/// certificateHold (RFC 5280 §5.3.1).
const CERTIFICATE_HOLD: u8 = 6;

/// `[0] EXPLICIT` around a GeneralizedTime.
const EXPLICIT_TIME_LEN: usize = 2 + 17;
/// `[0] EXPLICIT CRLReason`.
const EXPLICIT_REASON_LEN: usize = 5;
/// `[1] EXPLICIT Extensions` of the ArchiveCutoff alone: its header, the list's, the extension's, its identifier, and
/// extnValue's around the time.
const ARCHIVE_CUTOFF_LEN: usize = 2 + 2 + 2 + 11 + 2 + 17;

/// A GeneralizedTime from seconds since 1970.
pub(super) fn time(field: &'static str, unix_s: i64) -> Result<Time, AnswerError> {
    let wrong = AnswerError::Time { field, unix_s };
    let time = jiff::Timestamp::from_second(unix_s).map_err(|_| wrong)?;
    let civil = jiff::tz::Offset::UTC.to_datetime(time);
    let year = u16::try_from(civil.year()).map_err(|_| wrong)?;
    let mut whole = *b"\x18\x0f00000000000000Z";
    let [_, century] = (year / 100).to_be_bytes();
    let [_, year] = (year % 100).to_be_bytes();
    let pairs = [
        century,
        year,
        civil.month().unsigned_abs(),
        civil.day().unsigned_abs(),
        civil.hour().unsigned_abs(),
        civil.minute().unsigned_abs(),
        civil.second().unsigned_abs(),
    ];
    for (digits, value) in whole[2..16].chunks_exact_mut(2).zip(pairs) {
        digits.copy_from_slice(&[b'0' + value / 10, b'0' + value % 10]);
    }
    Ok(whole)
}

/// CertStatus as the standard's CHOICE has it.
enum WrittenStatus {
    Good,
    Revoked { at_s: i64, reason: Option<u8> },
    Unknown,
}

impl SingleAnswer<'_> {
    fn written_status(&self) -> WrittenStatus {
        match self.status {
            CertStatus::Good => WrittenStatus::Good,
            CertStatus::Unknown => WrittenStatus::Unknown,
            CertStatus::NotIssued => WrittenStatus::Revoked { at_s: 0, reason: Some(CERTIFICATE_HOLD) },
            // RFC 5280 §5.3.1: unspecified SHOULD be left out.
            CertStatus::Revoked { at_s, reason } => {
                WrittenStatus::Revoked { at_s, reason: reason.filter(|reason| *reason != 0) }
            }
        }
    }

    /// ArchiveCutoff, unless the certificate was never issued: of those nothing is kept.
    fn written_archive_cutoff_s(&self) -> Option<i64> {
        self.archive_cutoff_s.filter(|_| self.status != CertStatus::NotIssued)
    }

    fn content_len(&self) -> usize {
        let status_len = match self.written_status() {
            WrittenStatus::Good | WrittenStatus::Unknown => 2,
            WrittenStatus::Revoked { reason: None, .. } => 2 + 17,
            WrittenStatus::Revoked { reason: Some(_), .. } => 2 + 17 + EXPLICIT_REASON_LEN,
        };
        let extensions_len = self.written_archive_cutoff_s().map_or(0, |_| ARCHIVE_CUTOFF_LEN);
        self.cert_id.len() + status_len + 17 + EXPLICIT_TIME_LEN + extensions_len
    }

    /// How many octets [`Self::write`] writes.
    pub(super) fn len(&self) -> usize {
        writer::tlv_len(self.content_len())
    }

    /// Writes the SingleResponse. reasonCode never stands in singleExtensions (TLS BR 7.3).
    ///
    /// # Errors
    /// What can't be written, see [`AnswerError`]; `out` then holds a part of it.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), AnswerError> {
        let (this_update_s, next_update_s) = (self.this_update_s, self.next_update_s);
        if next_update_s <= this_update_s {
            return Err(AnswerError::NextUpdate { this_update_s, next_update_s });
        }
        writer::write_header(out, writer::SEQUENCE, self.content_len());
        out.extend_from_slice(self.cert_id);
        match self.written_status() {
            // IMPLICIT NULL.
            WrittenStatus::Good => out.extend_from_slice(&[0x80, 0]),
            WrittenStatus::Unknown => out.extend_from_slice(&[0x82, 0]),
            WrittenStatus::Revoked { at_s, reason: None } => {
                out.extend_from_slice(&[writer::context(1), 17]);
                out.extend_from_slice(&time("revocationTime", at_s)?);
            }
            WrittenStatus::Revoked { at_s, reason: Some(reason) } => {
                // 7 is not used, 8 (removeFromCRL) stands in delta CRLs only (RFC 5280 §5.3.1).
                if !matches!(reason, 1..=6 | 9..=10) {
                    return Err(AnswerError::Reason { reason });
                }
                out.extend_from_slice(&[writer::context(1), 17 + 5]);
                out.extend_from_slice(&time("revocationTime", at_s)?);
                out.extend_from_slice(&[writer::context(0), 3, ENUMERATED, 1, reason]);
            }
        }
        out.extend_from_slice(&time("thisUpdate", this_update_s)?);
        out.extend_from_slice(&[writer::context(0), 17]);
        out.extend_from_slice(&time("nextUpdate", next_update_s)?);
        if let Some(cutoff_s) = self.written_archive_cutoff_s() {
            out.extend_from_slice(&[writer::context(1), 34, writer::SEQUENCE, 32, writer::SEQUENCE, 30]);
            out.extend_from_slice(&ID_PKIX_OCSP_ARCHIVE_CUTOFF);
            out.extend_from_slice(&[writer::OCTET_STRING, 17]);
            out.extend_from_slice(&time("archiveCutoff", cutoff_s)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T20:00:00Z.
    const NOW_S: i64 = 1_795_464_000;
    const CERT_ID: [u8; 2] = [0x30, 0];

    fn answer(status: CertStatus) -> SingleAnswer<'static> {
        SingleAnswer {
            cert_id: &CERT_ID,
            status,
            this_update_s: NOW_S,
            next_update_s: NOW_S + 86_400,
            archive_cutoff_s: None,
        }
    }

    fn written(answer: &SingleAnswer<'_>) -> Result<String, AnswerError> {
        let mut out = Vec::new();
        answer.write(&mut out)?;
        assert_eq!(out.len(), answer.len());
        Ok(hex::encode(out))
    }

    const TIMES: &str = "180f32303236313132333230303030305aa011180f32303236313132343230303030305a";

    #[test]
    fn each_status_has_its_octets() {
        let status = |status| {
            let text = written(&answer(status)).unwrap();
            let (_, rest) = text.split_once("3000").unwrap();
            rest.strip_suffix(TIMES).unwrap().to_owned()
        };
        assert_eq!(status(CertStatus::Good), "8000");
        assert_eq!(status(CertStatus::Unknown), "8200");
        let revoked = |reason| status(CertStatus::Revoked { at_s: NOW_S, reason });
        assert_eq!(revoked(None), "a111180f32303236313132333230303030305a");
        assert_eq!(revoked(Some(0)), revoked(None));
        assert_eq!(revoked(Some(1)), "a116180f32303236313132333230303030305aa0030a0101");
        assert_eq!(status(CertStatus::NotIssued), "a116180f31393730303130313030303030305aa0030a0106");
    }

    #[test]
    fn archive_cutoff_stands_where_it_is_wanted() {
        let with = |status| written(&SingleAnswer { archive_cutoff_s: Some(0), ..answer(status) }).unwrap();
        let cutoff = "a1223020301e06092b06010505073001060411180f31393730303130313030303030305a";
        assert!(with(CertStatus::Good).ends_with(&format!("{TIMES}{cutoff}")));
        assert!(with(CertStatus::Revoked { at_s: 1, reason: None }).ends_with(cutoff));
        assert!(with(CertStatus::NotIssued).ends_with(TIMES));
    }

    #[test]
    fn refuses_what_can_not_be_said() {
        for reason in [7, 8, 11, 255] {
            let status = CertStatus::Revoked { at_s: NOW_S, reason: Some(reason) };
            assert_eq!(written(&answer(status)), Err(AnswerError::Reason { reason }));
        }
        let same = SingleAnswer { next_update_s: NOW_S, ..answer(CertStatus::Good) };
        assert_eq!(written(&same), Err(AnswerError::NextUpdate { this_update_s: NOW_S, next_update_s: NOW_S }));
        let year_0 = -62_167_219_200;
        let early = SingleAnswer { this_update_s: year_0 - 1, ..answer(CertStatus::Good) };
        assert_eq!(written(&early), Err(AnswerError::Time { field: "thisUpdate", unix_s: year_0 - 1 }));
        let late = SingleAnswer { next_update_s: i64::MAX, ..answer(CertStatus::Good) };
        assert_eq!(written(&late), Err(AnswerError::Time { field: "nextUpdate", unix_s: i64::MAX }));
    }

    #[test]
    fn times_have_seconds_and_no_fraction() {
        for (unix_s, text) in [
            (0, "19700101000000Z"),
            (-1, "19691231235959Z"),
            (951_782_399, "20000228235959Z"),
            (951_782_400, "20000229000000Z"),
            (2_524_608_000, "20500101000000Z"),
            (-62_167_219_200, "00000101000000Z"),
        ] {
            let whole = time("x", unix_s).unwrap();
            assert_eq!(whole[..2], [writer::GENERALIZED_TIME, 15]);
            assert_eq!(std::str::from_utf8(&whole[2..]), Ok(text));
        }
    }
}
