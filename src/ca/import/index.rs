//! The database of `openssl ca` (openssl-ca(1)): a row a certificate, six fields with tabs between.
//!
//! Status (V, R, E), end, revocation (`date[,reason[,more]]`), serial number, file, subject. It holds no notBefore: such a
//! certificate's is taken as 1970.

use std::io::BufRead;

use super::{ImportEntry, ImportError, ImportFault, next_line};
use crate::ca::reason_from_name;
use crate::ca::registry::parse_serial;
use crate::clock::from_rfc3339;
use crate::store::CertificateState;

const CERTIFICATE_HOLD: u8 = 6;

pub(super) struct Index<R> {
    file: R,
    line: u64,
    text: String,
}

impl<R: BufRead> Index<R> {
    pub(super) fn new(file: R) -> Self {
        Self { file, line: 0, text: String::new() }
    }

    fn next_row(&mut self) -> Result<Option<ImportEntry>, ImportFault> {
        loop {
            self.line += 1;
            if !next_line(&mut self.file, &mut self.text)? {
                return Ok(None);
            }
            if !self.text.is_empty() && !self.text.starts_with('#') {
                return row(&self.text).map(Some);
            }
        }
    }
}

impl<R: BufRead> Iterator for Index<R> {
    type Item = Result<ImportEntry, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().map_err(|fault| fault.at(self.line)).transpose()
    }
}

fn row(text: &str) -> Result<ImportEntry, ImportFault> {
    let fields: Vec<&str> = text.split('\t').collect();
    let [status, end, revocation, serial, _file, subject] = fields[..] else {
        return Err(ImportFault::Fields { count: fields.len() });
    };
    let serial = parse_serial(serial).map_err(|_| {
        ImportFault::value("serial number", serial, "write hexadecimal digits, positive, 32 octets at most")
    })?;
    let mut entry = ImportEntry {
        serial,
        subject: subject.to_owned(),
        not_before_s: 0,
        not_after_s: time("end", end)?,
        state: CertificateState::Good,
        reason: None,
        revoked_at_s: None,
        invalidity_s: None,
        certificate: None,
    };
    match status {
        // One that ended was good to its end.
        "V" | "E" if revocation.is_empty() => {}
        "R" => revoke(&mut entry, revocation)?,
        _ => return Err(ImportFault::value("status", status, "V and E go without a revocation, R with one")),
    }
    Ok(entry)
}

fn revoke(entry: &mut ImportEntry, text: &str) -> Result<(), ImportFault> {
    let mut parts = text.splitn(3, ',');
    entry.revoked_at_s = Some(time("revocation", parts.next().unwrap_or_default())?);
    let (reason, more) = (parts.next(), parts.next());
    let reason = match reason {
        None | Some("unspecified") => None,
        // With the instruction's identifier, which nobody uses any more (RFC 5280 §5.3.1 has no such extension).
        Some("holdInstruction") => Some(CERTIFICATE_HOLD),
        // With the time of the compromise, as openssl writes it.
        Some("keyTime") => reason_from_name("keyCompromise"),
        Some("CAkeyTime" | "CACompromise") => reason_from_name("cACompromise"),
        Some(name) => {
            let known = reason_from_name(name).filter(|_| name != "removeFromCRL");
            Some(known.ok_or_else(|| ImportFault::value("reason", name, "openssl-ca(1) lists those that there are"))?)
        }
    };
    if matches!(text.split(',').nth(1), Some("keyTime" | "CAkeyTime")) {
        entry.invalidity_s = more.map(|text| time("time of the compromise", text)).transpose()?;
    }
    entry.state = if reason == Some(CERTIFICATE_HOLD) { CertificateState::Held } else { CertificateState::Revoked };
    entry.reason = reason;
    Ok(())
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5: years from 50 on are of the last century).
fn time(field: &'static str, text: &str) -> Result<i64, ImportFault> {
    let wrong = || ImportFault::value(field, text, "write YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ");
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|octet| octet.is_ascii_digit()));
    let digits = digits.ok_or_else(wrong)?;
    let whole = match digits.len() {
        12 if digits < "50" => format!("20{digits}"),
        12 => format!("19{digits}"),
        14 => digits.to_owned(),
        _ => return Err(wrong()),
    };
    let part = |from: usize, to: usize| whole.get(from..to).unwrap_or_default();
    let written =
        format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14));
    from_rfc3339(&written).ok_or_else(wrong)
}
