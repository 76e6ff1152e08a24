//! Entries to be written, and their encoding (RFC 5280 §5.1.2.6, §5.3).

use super::BuildError;
use crate::ReasonCode;
use crate::der::{push_value, tag, unsigned_integer, value, whole_octets};
use crate::extension::oid;
use crate::scope::{ReasonFlags, check_name};
use crate::time::TimeEncoder;

/// Octets that a serial number may take (RFC 5280 §4.1.2.2).
const MAX_SERIAL_OCTETS: usize = 20;

/// reasonCode's Extension, but for its last octet.
const REASON: [u8; 11] = [0x30, 10, 6, 3, 0x55, 0x1d, 21, 4, 3, 0x0a, 1];
/// invalidityDate's Extension, but for the GeneralizedTime of 17 octets.
const INVALIDITY: [u8; 9] = [0x30, 24, 6, 3, 0x55, 0x1d, 24, 4, 17];

/// One entry to be written. Checked when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryFields<'a> {
    /// userCertificate: an INTEGER's content octets, positive, at most 20.
    pub serial: &'a [u8],
    /// revocationDate, seconds since 1970.
    pub revocation_date_s: i64,
    /// reasonCode. Unspecified is left out of the encoding (RFC 5280 §5.3.1: SHOULD); removeFromCRL stands only in deltas.
    pub reason: Option<ReasonCode>,
    /// invalidityDate, seconds since 1970.
    pub invalidity_date_s: Option<i64>,
    /// certificateIssuer: the Name's DER, in indirect CRLs where the issuer differs from the entry before's.
    pub certificate_issuer: Option<&'a [u8]>,
}

impl<'a> EntryFields<'a> {
    /// An entry of serial and date alone.
    #[must_use]
    pub const fn new(serial: &'a [u8], revocation_date_s: i64) -> Self {
        Self { serial, revocation_date_s, reason: None, invalidity_date_s: None, certificate_issuer: None }
    }
}

/// What the entries ask of the CRL that holds them.
#[derive(Clone, Copy, Debug)]
pub struct Demands {
    pub(super) reasons: ReasonFlags,
    pub(super) removes: bool,
    pub(super) names_issuers: bool,
}

/// Encodes entries.
pub(super) struct EntryEncoder {
    times: TimeEncoder,
    /// The content of an entry that has a certificateIssuer, whose length isn't known before.
    content: Vec<u8>,
    pub(super) demands: Demands,
}

impl EntryEncoder {
    pub(super) fn new() -> Self {
        let demands = Demands { reasons: ReasonFlags::NONE, removes: false, names_issuers: false };
        Self { times: TimeEncoder::new(), content: Vec::new(), demands }
    }

    /// Appends an entry's DER.
    #[inline]
    pub(super) fn push(&mut self, out: &mut Vec<u8>, entry: &EntryFields<'_>) -> Result<(), BuildError> {
        if let Some(issuer) = entry.certificate_issuer {
            return self.push_long(out, entry, issuer);
        }
        let start = out.len();
        // Without an issuer an entry has at most 79 octets of content: its length is one octet, filled in at the end.
        out.extend_from_slice(&[tag::SEQUENCE, 0]);
        let pushed = self.push_content(out, entry, &[]);
        match u8::try_from(out.len() - start - 2) {
            Ok(length @ ..=0x7f) if pushed.is_ok() => out[start + 1] = length,
            // Nothing of an entry that is refused stays.
            _ => out.truncate(start),
        }
        pushed
    }

    fn push_long(&mut self, out: &mut Vec<u8>, entry: &EntryFields<'_>, issuer: &[u8]) -> Result<(), BuildError> {
        check_name(issuer).map_err(BuildError::Issuer)?;
        self.demands.names_issuers = true;
        let names = value(tag::SEQUENCE, &value(0xa4, issuer));
        let mut extension = Vec::new();
        push_value(&mut extension, tag::OBJECT_IDENTIFIER, oid::CERTIFICATE_ISSUER);
        // §5.3.3: critical, always.
        push_value(&mut extension, tag::BOOLEAN, &[0xff]);
        push_value(&mut extension, tag::OCTET_STRING, &names);
        let extension = value(tag::SEQUENCE, &extension);
        let mut content = std::mem::take(&mut self.content);
        content.clear();
        let pushed = self.push_content(&mut content, entry, &extension);
        if pushed.is_ok() {
            push_value(out, tag::SEQUENCE, &content);
        }
        self.content = content;
        pushed
    }

    #[inline]
    fn push_content(
        &mut self,
        out: &mut Vec<u8>,
        entry: &EntryFields<'_>,
        issuer_extension: &[u8],
    ) -> Result<(), BuildError> {
        let serial = entry.serial;
        if serial.len() > MAX_SERIAL_OCTETS || serial == [0] || unsigned_integer(serial).is_err() {
            return Err(BuildError::SerialNumber { serial: serial.to_vec() });
        }
        let length = [tag::INTEGER, u8::try_from(serial.len()).unwrap_or(0)];
        out.extend_from_slice(&length);
        out.extend_from_slice(serial);
        self.times.push_time(out, entry.revocation_date_s)?;
        let reason = entry.reason.filter(|reason| *reason != ReasonCode::Unspecified);
        let mut extensions_octets = issuer_extension.len();
        if reason.is_some() {
            extensions_octets += REASON.len() + 1;
        }
        if entry.invalidity_date_s.is_some() {
            extensions_octets += INVALIDITY.len() + 17;
        }
        if extensions_octets == 0 {
            return Ok(());
        }
        crate::der::push_header(out, tag::SEQUENCE, crate::der::octets_u64(extensions_octets));
        if let Some(reason) = reason {
            self.demands.removes |= reason == ReasonCode::RemoveFromCrl;
            self.demands.reasons = self.demands.reasons.union(ReasonFlags::of(&[reason]));
            out.extend_from_slice(&REASON);
            out.push(reason.number());
        }
        if let Some(date_s) = entry.invalidity_date_s {
            out.extend_from_slice(&INVALIDITY);
            self.times.push_generalized_time(out, date_s)?;
        }
        out.extend_from_slice(issuer_extension);
        Ok(())
    }
}

/// Octets that a SEQUENCE of so many octets of entries takes: none where there are no entries (RFC 5280 §5.1.2.6).
pub(super) fn list_octets(entries_octets: u64) -> u64 {
    if entries_octets == 0 { 0 } else { whole_octets(entries_octets) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_octet_for_octet() {
        let mut out = Vec::new();
        let entry = EntryFields {
            reason: Some(ReasonCode::KeyCompromise),
            invalidity_date_s: Some(0),
            ..EntryFields::new(&[0, 0x80], 0)
        };
        EntryEncoder::new().push(&mut out, &entry).unwrap();
        let expected = [
            &[0x30, 59, 2, 2, 0, 0x80, 0x17, 13][..],
            b"700101000000Z",
            &[0x30, 38, 0x30, 10, 6, 3, 0x55, 0x1d, 21, 4, 3, 10, 1, 1],
            &[0x30, 24, 6, 3, 0x55, 0x1d, 24, 4, 17, 0x18, 15],
            b"19700101000000Z",
        ]
        .concat();
        assert_eq!(out, expected);
        out.clear();
        let unspecified = EntryFields { reason: Some(ReasonCode::Unspecified), ..EntryFields::new(&[1], 0) };
        EntryEncoder::new().push(&mut out, &unspecified).unwrap();
        assert_eq!(out.len(), 2 + 3 + 15, "unspecified is left out");
    }

    #[test]
    fn refuses_serials_and_leaves_nothing_behind() {
        for serial in [&[][..], &[0], &[0x80], &[0, 1], &[1; 21]] {
            let mut out = vec![7];
            let refused = EntryEncoder::new().push(&mut out, &EntryFields::new(serial, 0));
            assert!(matches!(refused, Err(BuildError::SerialNumber { serial: told }) if told == serial));
            assert_eq!(out, [7]);
        }
        let mut out = Vec::new();
        let late = EntryFields { invalidity_date_s: Some(i64::MAX), ..EntryFields::new(&[1], 0) };
        assert!(matches!(EntryEncoder::new().push(&mut out, &late), Err(BuildError::Time(_))));
        assert_eq!(out, []);
    }
}
