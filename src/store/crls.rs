//! CRLs: what they list, their numbers, and their octets on the way from the one who signs to those who serve.
//!
//! A CRL is staged in chunks, then published by [`super::Change::PublishCrl`] with its record: whoever reads sees the old
//! one or the new one, whole.

use super::{Backend, CertificateState, Store, StoreError, either};

/// A place after every serial number of a change: content octets of one are fewer, and begin with less.
pub const PAST_EVERY_SERIAL: [u8; 64] = [0xff; 64];
/// Chunks that are swept away at once: deleting them must not keep a commit waiting.
pub(super) const SWEPT_AT_ONCE: i32 = 32;
/// Octets of a chunk but the last.
pub const CRL_CHUNK: usize = 1 << 20;

/// What a CRL covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CrlScope {
    /// All certificates of the issuer.
    Complete,
    /// What changed since a complete CRL.
    Delta,
    /// The certificates of one partition, from 1.
    Partition(u16),
}

impl CrlScope {
    /// The scope's name in the store, in records and in URLs: `complete`, `delta`, or the partition's number.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Complete => "complete".to_owned(),
            Self::Delta => "delta".to_owned(),
            Self::Partition(number) => number.to_string(),
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "complete" => Some(Self::Complete),
            "delta" => Some(Self::Delta),
            number => number.parse().ok().filter(|number| *number > 0).map(Self::Partition),
        }
    }
}

/// A CRL as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlRow {
    /// Its number here; 0 before it is staged.
    pub id: i64,
    /// The issuer's number.
    pub issuer_id: i64,
    /// What it covers.
    pub scope: CrlScope,
    /// cRLNumber.
    pub number: i64,
    /// BaseCRLNumber, of a delta.
    pub base_number: Option<i64>,
    /// The issuer's change number when it was begun: whatever changed up to there is in it.
    pub change_number: i64,
    /// thisUpdate, in seconds since 1970.
    pub this_update_s: i64,
    /// nextUpdate, in seconds since 1970.
    pub next_update_s: i64,
    /// How many entries it has.
    pub entries: i64,
    /// Its size.
    pub octets: i64,
    /// The SHA-256 of its octets.
    pub sha256: [u8; 32],
    /// When it was published, in microseconds since 1970; 0 before.
    pub published_at_us: i64,
}

/// Which certificates are asked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Those that are held or revoked.
    All,
    /// Those of one partition that are held or revoked.
    Partition(u16),
}

/// A certificate that a CRL may list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRow {
    /// The serial number's content octets.
    pub serial: Vec<u8>,
    /// Its partition; 0 for none.
    pub partition: u16,
    /// Its state; good for one that was on hold.
    pub state: CertificateState,
    /// CRLReason.
    pub reason: Option<u8>,
    /// Since when, in seconds since 1970.
    pub revoked_at_s: Option<i64>,
    /// invalidityDate, in seconds since 1970.
    pub invalidity_s: Option<i64>,
    /// notAfter, in seconds since 1970.
    pub not_after_s: i64,
    /// The change number of this status.
    pub change_number: i64,
    /// When it was changed last, in microseconds since 1970.
    pub changed_at_us: i64,
}

/// The first change after some number that a CRL must tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedChange {
    /// Its number.
    pub change_number: i64,
    /// When it was made, in microseconds since 1970.
    pub changed_at_us: i64,
}

/// A place among what is listed, by partition and serial number.
pub type ListedPlace<'a> = (u16, &'a [u8]);

impl Store {
    /// Takes an issuer's next CRL number, for ever: durable when it returns.
    ///
    /// # Errors
    /// The database's.
    pub fn next_crl_number(&self, issuer_id: i64) -> Result<i64, StoreError> {
        either!(self, store => store.next_crl_number(issuer_id))
    }

    /// Up to `limit` certificates that are held or revoked, in the order of partition and serial number, after a place.
    ///
    /// # Errors
    /// The database's.
    pub fn listed(
        &self,
        issuer_id: i64,
        which: Listed,
        after: ListedPlace<'_>,
        limit: u32,
    ) -> Result<Vec<ListedRow>, StoreError> {
        either!(self, store => store.listed(issuer_id, which, after, limit))
    }

    /// Up to `limit` certificates that changed, in the order of change number and serial number, after such a pair, and
    /// are held, revoked, or good after a hold: what a delta lists.
    ///
    /// # Errors
    /// The database's.
    pub fn listed_changes(
        &self,
        issuer_id: i64,
        after: (i64, &[u8]),
        limit: u32,
    ) -> Result<Vec<ListedRow>, StoreError> {
        either!(self, store => store.listed_changes(issuer_id, after, limit))
    }

    /// The first change after number `after` that a CRL must tell of.
    ///
    /// # Errors
    /// The database's.
    pub fn first_listed_change(&self, issuer_id: i64, after: i64) -> Result<Option<ListedChange>, StoreError> {
        let rows = self.listed_changes(issuer_id, (after, &PAST_EVERY_SERIAL), 1)?;
        let first = rows.first();
        Ok(first.map(|row| ListedChange { change_number: row.change_number, changed_at_us: row.changed_at_us }))
    }

    /// Begins a CRL, without octets; gives its id.
    ///
    /// # Errors
    /// The database's.
    pub fn stage_crl(&self, row: &CrlRow) -> Result<i64, StoreError> {
        either!(self, store => store.stage_crl(row))
    }

    /// Adds a chunk to a staged CRL.
    ///
    /// # Errors
    /// The database's.
    pub fn put_crl_chunk(&self, crl_id: i64, position: i32, octets: &[u8]) -> Result<(), StoreError> {
        either!(self, store => store.put_crl_chunk(crl_id, position, octets))
    }

    /// A chunk of a CRL; None where it has no more, or was swept away.
    ///
    /// # Errors
    /// The database's.
    pub fn crl_chunk(&self, crl_id: i64, position: i32) -> Result<Option<Vec<u8>>, StoreError> {
        either!(self, store => store.crl_chunk(crl_id, position))
    }

    /// The published CRLs of every issuer.
    ///
    /// # Errors
    /// The database's, or a row that does not read.
    pub fn published_crls(&self) -> Result<Vec<CrlRow>, StoreError> {
        either!(self, store => store.published_crls())
    }

    /// Forgets a CRL that was staged and won't be published.
    ///
    /// # Errors
    /// The database's.
    pub fn discard_crl(&self, crl_id: i64) -> Result<(), StoreError> {
        either!(self, store => store.discard_crl(crl_id))
    }

    /// Forgets some octets of one CRL that was replaced, or staged and never published, before a time, in microseconds
    /// since 1970; tells whether there may be more. Numbers stay taken, records stay in the ledger.
    ///
    /// # Errors
    /// The database's.
    pub fn sweep_crls(&self, before_us: i64) -> Result<bool, StoreError> {
        either!(self, store => store.sweep_crls(before_us))
    }
}

/// A row with its scope read.
pub(super) fn with_scope(row: CrlRow, scope: &str) -> Result<CrlRow, StoreError> {
    let scope = CrlScope::from_name(scope).ok_or(StoreError::Row { table: "crls", column: "scope" })?;
    Ok(CrlRow { scope, ..row })
}
