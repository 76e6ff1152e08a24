//! Certificates and statuses from elsewhere.

use serde_json::json;

use super::{IMPORTED, Issuer, MAX_SERIAL, Registry, RegistryError, certificate_row};
use crate::ca::Certificate;
use crate::ca::reason::{CERTIFICATE_HOLD, KEY_COMPROMISE, UNSPECIFIED};
use crate::ca::status::{StatusError, StatusWish};
use crate::crypto::sha256;
use crate::store::{CertificateState, Change, IssuerOrigin, RegistryRow, StatusRow};

/// The most octets of an imported subject; real ones have a few hundred.
const MAX_SUBJECT: usize = 8_192;
/// The most octets of a serial number that a CA gives (RFC 5280 §4.1.2.2); others' may exceed it.
const MAX_OWN_SERIAL: usize = 20;
/// Certificates in one transaction of an import.
pub const IMPORT_BATCH: usize = 10_000;

/// A certificate or status from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportEntry {
    /// The serial number's content octets.
    pub serial: Vec<u8>,
    /// Its subject, RFC 4514.
    pub subject: String,
    /// notBefore, in seconds since 1970.
    pub not_before_s: i64,
    /// notAfter, in seconds since 1970.
    pub not_after_s: i64,
    /// Good, Held or Revoked.
    pub state: CertificateState,
    /// CRLReason.
    pub reason: Option<u8>,
    /// Since when it is revoked or held, in seconds since 1970.
    pub revoked_at_s: Option<i64>,
    /// invalidityDate, in seconds since 1970.
    pub invalidity_s: Option<i64>,
    /// The certificate, if it is known.
    pub certificate: Option<Certificate>,
}

/// What an import does with a certificate that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Leaves it as it is.
    Add,
    /// Gives it the status of its row, if that is another one: each by the rules for changes, with a record of its own.
    Update,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Rows that were read.
    pub read: u64,
    /// Certificates that were new.
    pub new: u64,
    /// Certificates whose status was changed.
    pub changed: u64,
    /// Known certificates that may not get the status of their row, and stay as they are.
    pub refused: u64,
    /// The first of these: serial number and reason.
    pub refusals: Vec<(String, String)>,
}

/// Refused rows that are told of by name; the rest are counted.
const MAX_REFUSALS: usize = 100;
/// 9999-12-31T23:59:59Z: what GeneralizedTime ends with.
const LAST_SECOND: i64 = 253_402_300_799;

impl Registry {
    /// Takes certificates and statuses from elsewhere, a batch a transaction. `progress` hears of each batch.
    ///
    /// # Errors
    /// The issuer, a row that can't be, the store; batches before the one that failed stand, and `progress` was told of them. A
    /// status that may not become the row's is no error: it is counted, told of, and the rows behind it are taken.
    pub fn import(
        &self,
        issuer_name: &str,
        entries: impl IntoIterator<Item = Result<ImportEntry, RegistryError>>,
        mode: ImportMode,
        now_s: i64,
        who: &str,
        mut progress: impl FnMut(&ImportCounts),
    ) -> Result<ImportCounts, RegistryError> {
        let issuer = self.issuer(issuer_name)?;
        let mut counts = ImportCounts::default();
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let (mut rows, mut certificates) = (Vec::new(), Vec::new());
            for entry in entries.by_ref().take(IMPORT_BATCH) {
                let entry = entry?;
                if let Some(certificate) = &entry.certificate {
                    certificates.push(certificate_row(certificate, IMPORTED));
                }
                rows.push(imported_row(&issuer, entry, now_s, who)?);
            }
            let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            let again = if mode == ImportMode::Update { rows.clone() } else { Vec::new() };
            let recorded = self.record(
                "certificates-imported",
                json!({
                    "issuer": issuer_name, "count": count, "who": who, "rows_sha256": hex::encode(rows_sha256(&rows)),
                    "good": in_state(&rows, CertificateState::Good), "held": in_state(&rows, CertificateState::Held),
                    "revoked": in_state(&rows, CertificateState::Revoked),
                    "first": rows.first().map(|row| hex::encode(&row.serial)),
                    "last": rows.last().map(|row| hex::encode(&row.serial)),
                }),
                Change::Import { issuer_id: issuer.row.id, rows, certificates },
            )?;
            counts.read += count;
            counts.new += recorded.certificates_written;
            if recorded.certificates_written < count {
                for row in &again {
                    match self.follow(&issuer, row, now_s, who) {
                        Ok(is_changed) => counts.changed += u64::from(is_changed),
                        // One row must not keep the revocations behind it away.
                        Err(error @ (RegistryError::Status(_) | RegistryError::Conflict { .. })) => {
                            counts.refused += 1;
                            if counts.refusals.len() < MAX_REFUSALS {
                                counts.refusals.push((hex::encode(&row.serial), error.to_string()));
                            }
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            progress(&counts);
        }
        Ok(counts)
    }

    /// Holds every row against the issuer and the registry's rules, and writes nothing.
    ///
    /// # Errors
    /// As [`Self::import`], as far as a row alone shows it.
    pub fn check_import(
        &self,
        issuer_name: &str,
        entries: impl IntoIterator<Item = Result<ImportEntry, RegistryError>>,
        mut progress: impl FnMut(&ImportCounts),
    ) -> Result<ImportCounts, RegistryError> {
        let issuer = self.issuer(issuer_name)?;
        let mut counts = ImportCounts::default();
        for entry in entries {
            imported_row(&issuer, entry?, 0, "")?;
            counts.read += 1;
            if counts.read % u64::try_from(IMPORT_BATCH).unwrap_or(u64::MAX) == 0 {
                progress(&counts);
            }
        }
        Ok(counts)
    }

    /// Gives a known certificate the row's status; false if it has it.
    fn follow(&self, issuer: &Issuer, wanted: &RegistryRow, now_s: i64, who: &str) -> Result<bool, RegistryError> {
        let Some(known) = self.store.registry_row(issuer.row.id, &wanted.serial)? else { return Ok(false) };
        let (before, after) = (known.status, wanted.status);
        let wish = match (before.state, after.state) {
            (CertificateState::Good, CertificateState::Good) | (CertificateState::Held, CertificateState::Held) => {
                return Ok(false);
            }
            // What is revoked takes keyCompromise only; all else of its row is not news.
            (CertificateState::Revoked, CertificateState::Revoked)
                if after.reason != Some(KEY_COMPROMISE) || before.reason == after.reason =>
            {
                return Ok(false);
            }
            (state, CertificateState::Revoked) => {
                // A CA's clock may be a little ahead; a hold's date is earlier than that of the revocation that follows it, and
                // stays: the certificate did not hold in between.
                let at_s = after.revoked_at_s.map(|date| date.min(now_s));
                let held_s = before.revoked_at_s.filter(|_| state == CertificateState::Held);
                let at_s = at_s.filter(|date| held_s.is_none_or(|held| *date <= held));
                let invalidity_s = after.invalidity_s.map(|date| date.min(at_s.or(held_s).unwrap_or(now_s)));
                StatusWish::Revoke { reason: after.reason, at_s, invalidity_s }
            }
            (_, CertificateState::Held) => StatusWish::Hold,
            (CertificateState::Held, CertificateState::Good) => StatusWish::Release,
            (CertificateState::Revoked, _) => return Err(StatusError::Revoked.into()),
            (_, CertificateState::Good | CertificateState::Intended) => return Err(StatusError::NotIssued.into()),
        };
        self.change_status(&issuer.row.name, &wanted.serial, &wish, now_s, who)?;
        Ok(true)
    }
}

fn in_state(rows: &[RegistryRow], state: CertificateState) -> usize {
    rows.iter().filter(|row| row.status.state == state).count()
}

/// SHA-256 over a line a row: what was imported can be held against the record.
fn rows_sha256(rows: &[RegistryRow]) -> [u8; 32] {
    let number = |value: Option<i64>| value.map_or_else(String::new, |value| value.to_string());
    let lines: String = rows
        .iter()
        .map(|row| {
            format!(
                "{},{},{},{},{},{},{},{}\n",
                hex::encode(&row.serial),
                row.status.state.name(),
                number(row.status.reason.map(i64::from)),
                number(row.status.revoked_at_s),
                number(row.status.invalidity_s),
                row.not_before_s,
                row.not_after_s,
                row.certificate_sha256.map(hex::encode).unwrap_or_default()
            )
        })
        .collect();
    sha256(lines.as_bytes())
}

/// CRLReason as a state has it: certificateHold with held and with nothing else (RFC 5280 §5.3.1); unspecified is none.
fn reason_of(state: CertificateState, reason: Option<u8>) -> Result<Option<u8>, &'static str> {
    match (state, reason) {
        (CertificateState::Good | CertificateState::Intended, None) => Ok(None),
        (CertificateState::Good | CertificateState::Intended, Some(_)) => Err("one that is good has no reason"),
        (CertificateState::Held, None | Some(CERTIFICATE_HOLD)) => Ok(Some(CERTIFICATE_HOLD)),
        (CertificateState::Held, Some(_)) => Err("one that is held has certificateHold as its reason"),
        (CertificateState::Revoked, None | Some(UNSPECIFIED)) => Ok(None),
        (CertificateState::Revoked, Some(CERTIFICATE_HOLD)) => Err("with certificateHold it is held, not revoked"),
        (CertificateState::Revoked, Some(reason @ (1..=5 | 9..=10))) => Ok(Some(reason)),
        (CertificateState::Revoked, Some(_)) => Err("this is no reason to revoke a certificate"),
    }
}

/// The partition that a certificate of an issuer of Noonmark's own names; 0 where it names the complete CRL, or is somebody
/// else's.
fn partition_of(issuer: &Issuer, certificate: &Certificate) -> u16 {
    if issuer.row.origin != IssuerOrigin::Own {
        return 0;
    }
    let before = format!("/crl/{}/", issuer.row.name);
    // One that does not read names no partition of ours.
    let uris = certificate.crl_uris().unwrap_or_default();
    let number = uris.iter().find_map(|uri| {
        let number = uri.rsplit_once(&before)?.1.strip_suffix(".crl")?;
        number.parse::<u16>().ok()
    });
    number.filter(|number| *number <= issuer.settings.crl.partitions).unwrap_or(0)
}

fn imported_row(issuer: &Issuer, mut entry: ImportEntry, now_s: i64, who: &str) -> Result<RegistryRow, RegistryError> {
    let serial = entry.serial.clone();
    let serial_text = || hex::encode(&serial);
    let wrong = |what: &str| RegistryError::Conflict { reason: format!("the certificate {}: {what}", serial_text()) };
    if let Some(certificate) = &entry.certificate {
        if certificate.serial_number != entry.serial {
            return Err(wrong("the certificate that comes with it has another serial number"));
        }
        // It says so itself, and better.
        entry.subject = certificate.subject();
        (entry.not_before_s, entry.not_after_s) = (certificate.not_before_s, certificate.not_after_s);
    }
    entry.reason = reason_of(entry.state, entry.reason).map_err(wrong)?;
    let dates = [Some(entry.not_before_s), Some(entry.not_after_s), entry.revoked_at_s, entry.invalidity_s];
    if dates.into_iter().flatten().any(|date| !(0..=LAST_SECOND).contains(&date)) {
        return Err(wrong("a date before 1970 or after 9999"));
    }
    if entry.serial.is_empty() || entry.serial.len() > MAX_SERIAL {
        return Err(RegistryError::Serial { text: serial_text() });
    }
    let is_listable = entry.serial.len() <= MAX_OWN_SERIAL && entry.serial.first().is_some_and(|first| *first < 0x80);
    if issuer.row.origin == IssuerOrigin::Own && (!is_listable || entry.serial == [0]) {
        return Err(RegistryError::Conflict {
            reason: format!(
                "the certificate {}: a CRL of this issuer can't list it, its serial number is not positive or above {MAX_OWN_SERIAL} octets \
                 (RFC 5280 §4.1.2.2)",
                serial_text()
            ),
        });
    }
    if let Some(certificate) = &entry.certificate
        && !certificate.is_signed_by(&issuer.certificate)
    {
        return Err(RegistryError::Conflict {
            reason: format!("the certificate {} was not signed by issuer {}", serial_text(), issuer.row.name),
        });
    }
    // PostgreSQL keeps no NUL in a text, and a terminal should not be led by what stands in a list.
    if entry.subject.chars().any(char::is_control) || entry.subject.len() > MAX_SUBJECT {
        return Err(RegistryError::Conflict {
            reason: format!(
                "the certificate {}: its subject has control characters, or more than {MAX_SUBJECT} octets",
                serial_text()
            ),
        });
    }
    let is_dated = matches!(entry.state, CertificateState::Held | CertificateState::Revoked);
    if entry.state == CertificateState::Intended || is_dated != entry.revoked_at_s.is_some() {
        return Err(RegistryError::Conflict {
            reason: format!(
                "the certificate {}: one that is good has no revocation date, one that is revoked or held has one",
                serial_text()
            ),
        });
    }
    Ok(RegistryRow {
        issuer_id: issuer.row.id,
        status: StatusRow {
            state: entry.state,
            reason: entry.reason,
            revoked_at_s: entry.revoked_at_s,
            invalidity_s: entry.invalidity_s,
            change_number: 0,
        },
        profile: IMPORTED.to_owned(),
        crl_partition: entry.certificate.as_ref().map_or(0, |certificate| partition_of(issuer, certificate)),
        subject: entry.subject,
        not_before_s: entry.not_before_s,
        not_after_s: entry.not_after_s,
        certificate_sha256: entry.certificate.as_ref().map(Certificate::sha256),
        changed_by: who.to_owned(),
        changed_at_us: now_s.saturating_mul(1_000_000),
        serial: entry.serial,
    })
}
