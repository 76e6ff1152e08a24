//! Changes that are committed together with their record.

use super::{AppendError, ChainEnd, Change, LedgerRow, LedgerWriter, WriterKind};

/// The channel of PostgreSQL's NOTIFY that tells of every change.
pub(super) const CHANNEL: &str = "noonmark_status";

/// A condition that is not met, in the same words for both databases.
#[derive(Debug, thiserror::Error)]
pub(super) enum Conflict {
    #[error("an issuer by the name of {0} is there already; choose another name")]
    IssuerName(String),
    #[error("there is no issuer number {0}")]
    NoIssuer(i64),
    #[error("the settings of issuer number {0} were changed by somebody else meanwhile; look at them again")]
    IssuerSettings(i64),
    #[error("serial number {} is taken", hex::encode(.0))]
    SerialTaken(Vec<u8>),
    #[error("the certificate with serial number {} is not waiting to be issued", hex::encode(.0))]
    NotIntended(Vec<u8>),
    #[error("the registry has no certificate with serial number {}", hex::encode(.0))]
    NoCertificate(Vec<u8>),
    #[error("the certificate with serial number {} was changed by somebody else meanwhile; look at it again", hex::encode(.0))]
    CertificateMoved(Vec<u8>),
    #[error("the certificate with serial number {} is revoked, and a revoked certificate never comes back", hex::encode(.0))]
    Revoked(Vec<u8>),
    #[error("the certificate with serial number {} is another issuer's; an import is of one issuer", hex::encode(.0))]
    OtherIssuer(Vec<u8>),
    #[error("the certificate of key {0} is no longer the one that was to be renewed; look at `noonmark key list`")]
    KeyCertificate(String),
    #[error("CRL {0} can't be published: it is not staged whole, or another agent has taken a higher number since")]
    Crl(i64),
    #[error("CRL {0} can't be retired: it is not published")]
    CrlNotPublished(i64),
    #[error("a task by the name of {0} is there already")]
    TaskName(String),
    #[error("task {0} is not waiting: it was finished by somebody else, or there is no such task")]
    TaskNotWaiting(String),
    #[error("an API key by the name of {0} is there already; choose another name")]
    ApiKeyName(String),
    #[error("there is no API key by the name of {0}, or it is revoked already")]
    NoApiKey(String),
}

impl From<Conflict> for AppendError {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict { reason: conflict.to_string() }
    }
}

impl Conflict {
    /// Why a certificate's status did not change, by the state and the change number that it has.
    pub(super) fn of_status(serial: &[u8], before: i64, found: Option<i64>) -> Self {
        match found {
            None => Self::NoCertificate(serial.to_vec()),
            Some(number) if number != before => Self::CertificateMoved(serial.to_vec()),
            Some(_) => Self::Revoked(serial.to_vec()),
        }
    }
}

impl LedgerWriter {
    /// Applies a change under its condition and appends the row that tells of it, which follows `before` and is `end`,
    /// durably, both or neither. Tells how many rows of the registry were written: for an import those that were new.
    ///
    /// Others hear of it by [`super::Store::watch_changes`].
    ///
    /// # Errors
    /// As [`Self::append`], and [`AppendError::Conflict`] if the condition is not met: then the chain's end need not be
    /// read again.
    pub fn append_with(
        &mut self,
        before: ChainEnd,
        row: &LedgerRow,
        end: ChainEnd,
        change: &Change,
    ) -> Result<u64, AppendError> {
        if let Change::Import { issuer_id, rows, .. } = change
            && let Some(other) = rows.iter().find(|row| row.issuer_id != *issuer_id)
        {
            return Err(Conflict::OtherIssuer(other.serial.clone()).into());
        }
        match &self.0 {
            WriterKind::Sqlite(writer) => writer.append_with(before, row, end, change),
            WriterKind::Postgres(writer) => writer.append_with(before, row, end, change),
        }
    }
}
