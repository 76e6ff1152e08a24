//! The proof that every chain is whole: no record changed, missing or cut off.

use std::fmt;

use serde::Serialize;

use super::canonical;
use crate::crypto::DigestAlgorithm;
use crate::store::{ChainEnd, LedgerRow, ServerRow, Store, StoreError};

/// Records read at a time.
const PAGE: u32 = 5_000;

/// What is wrong with a chain, at its first record that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Broken {
    /// A number is missing.
    Gap {
        /// The first number missing.
        number: i64,
    },
    /// A record is not what it was.
    Changed {
        /// The first such record.
        number: i64,
    },
    /// A record does not even read.
    Unreadable {
        /// The first such record.
        number: i64,
        /// The column.
        column: &'static str,
    },
    /// A kept token is not the one whose SHA-256 was recorded.
    TokenChanged {
        /// The record.
        number: i64,
    },
    /// The chain ends before the server's row says.
    CutOff {
        /// The last record there.
        last: i64,
        /// The last by the row's word.
        expected: i64,
    },
    /// Records stand before the chain's first.
    BeforeFirst {
        /// The first of them.
        number: i64,
    },
    /// Records have no server's row, so nobody tells where their chain ends.
    NoServer,
    /// Records stand after the end that the server's row tells.
    BeyondEnd {
        /// The first of them.
        number: i64,
    },
}

/// One server's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The server.
    pub server: i64,
    /// What it is: `serve` or `operator`; empty if its row is gone.
    pub name: String,
    /// Records found whole.
    pub records: i64,
    /// The hash of the last record found whole.
    pub end_hash: String,
    /// What is wrong, if anything is.
    pub broken: Option<Broken>,
}

/// Every chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// A report a server.
    pub chains: Vec<ChainReport>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.chains.iter().all(|chain| chain.broken.is_none())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { number } => write!(f, "record {number} is missing"),
            Self::Changed { number } => write!(f, "record {number} was changed after it was written"),
            Self::Unreadable { number, column } => write!(f, "record {number} does not read: {column}"),
            Self::TokenChanged { number } => write!(f, "the token kept in record {number} was changed"),
            Self::CutOff { last, expected } => {
                write!(f, "the chain ends at record {last}; by its server's row it goes on to {expected}")
            }
            Self::BeforeFirst { number } => write!(f, "record {number} stands before the chain's first"),
            Self::NoServer => f.write_str("its row in servers is gone"),
            Self::BeyondEnd { number } => write!(f, "record {number} and what follows stand after the chain's end"),
        }
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chain in &self.chains {
            match &chain.broken {
                None => writeln!(
                    f,
                    "server {} ({}): {} records, whole; the end's hash is {}",
                    chain.server, chain.name, chain.records, chain.end_hash
                )?,
                Some(broken) => writeln!(f, "server {} ({}): BROKEN: {broken}", chain.server, chain.name)?,
            }
        }
        Ok(())
    }
}

/// Walks every chain; `progress` hears of records done and records in all.
///
/// A server may write meanwhile: each chain is held against its end at the beginning of the walk, or a later one.
///
/// # Errors
/// The store does not answer.
pub fn verify(store: &Store, progress: impl Fn(u64, u64)) -> Result<VerifyReport, StoreError> {
    // Before the servers' rows, for a chain that begins in between.
    let with_records = store.chains()?;
    let servers = store.servers()?;
    let total: u64 = servers.iter().map(|server| u64::try_from(server.end.number).unwrap_or(0)).sum();
    let mut done = 0;
    let mut chains = Vec::new();
    for server in &servers {
        let end = ChainEnd { number: 0, hash: [0; 32] };
        let mut walk = Walk { store, server, told: server.end.number, page: Vec::new().into_iter(), end };
        let broken = loop {
            match walk.step()? {
                Step::Whole => {}
                Step::Broken(broken) => break Some(broken),
                Step::End => break None,
            }
            done += 1;
            if walk.end.number % i64::from(PAGE) == 0 {
                progress(done, total.max(done));
            }
        };
        progress(done, total.max(done));
        chains.push(ChainReport {
            server: server.server_id,
            name: server.name.clone(),
            records: walk.end.number,
            end_hash: hex::encode(walk.end.hash),
            broken,
        });
    }
    let has_row = |id: &i64| servers.iter().any(|server| server.server_id == *id);
    chains.extend(with_records.into_iter().filter(|id| !has_row(id)).map(|server| ChainReport {
        server,
        name: String::new(),
        records: 0,
        end_hash: hex::encode([0; 32]),
        broken: Some(Broken::NoServer),
    }));
    Ok(VerifyReport { chains })
}

/// A chain being walked.
struct Walk<'a> {
    store: &'a Store,
    server: &'a ServerRow,
    /// The last record there may be, by the newest word of the server's row.
    told: i64,
    page: std::vec::IntoIter<LedgerRow>,
    /// The last record found whole.
    end: ChainEnd,
}

enum Step {
    Whole,
    Broken(Broken),
    End,
}

impl Walk<'_> {
    /// Looks at the next record.
    fn step(&mut self) -> Result<Step, StoreError> {
        let expected = self.end.number + 1;
        let Some(row) = (match self.page.next() {
            Some(row) => Some(row),
            None => match self.next_page()? {
                Ok(row) => row,
                Err(column) => return Ok(Step::Broken(Broken::Unreadable { number: expected, column })),
            },
        }) else {
            let told = self.server.end.number;
            return Ok(if self.end.number < told {
                Step::Broken(Broken::CutOff { last: self.end.number, expected: told })
            } else {
                self.held_against_row_now()?.map_or(Step::End, Step::Broken)
            });
        };
        if row.number > self.told {
            // The server may have written since.
            self.told = self.end_now()?.map_or(0, |now| now.number);
        }
        let broken = if row.number < 1 {
            Broken::BeforeFirst { number: row.number }
        } else if row.number > self.told {
            // If the end was cut off and something else put behind it, the gap is the first that is wrong.
            if expected <= self.server.end.number {
                Broken::Gap { number: expected }
            } else {
                Broken::BeyondEnd { number: row.number }
            }
        } else if row.number != expected {
            Broken::Gap { number: expected }
        } else if row.previous_hash != self.end.hash {
            Broken::Changed { number: self.which_changed(&row)? }
        } else if row.token.as_ref().is_some_and(|token| {
            token.token.as_ref().is_some_and(|kept| DigestAlgorithm::Sha256.digest(kept).as_ref() != token.token_sha256)
        }) {
            Broken::TokenChanged { number: row.number }
        } else {
            let end = ChainEnd { number: row.number, hash: canonical::hash(&row) };
            // The end that the row told when the walk began: the last record's own content hangs on it alone.
            if end.number == self.server.end.number && end.hash != self.server.end.hash {
                return Ok(Step::Broken(Broken::Changed { number: end.number }));
            }
            self.end = end;
            return Ok(Step::Whole);
        };
        Ok(Step::Broken(broken))
    }

    /// The first record of the next page, or the column that does not read in it.
    fn next_page(&mut self) -> Result<Result<Option<LedgerRow>, &'static str>, StoreError> {
        // Whatever stands before a chain's first record belongs to the first page.
        let after = if self.end.number == 0 { i64::MIN } else { self.end.number };
        let read = |limit| self.store.ledger_rows(self.server.server_id, after, limit);
        let rows = match read(PAGE) {
            // One at a time, to find the first that does not read.
            Err(StoreError::Row { .. }) => match read(1) {
                Err(StoreError::Row { column, .. }) => return Ok(Err(column)),
                other => other?,
            },
            other => other?,
        };
        self.page = rows.into_iter();
        Ok(Ok(self.page.next()))
    }

    /// `row` does not name its predecessor's hash: either it was changed or the predecessor was.
    fn which_changed(&self, row: &LedgerRow) -> Result<i64, StoreError> {
        let before = self.end;
        if before.number == 0 {
            return Ok(row.number);
        }
        // The predecessor is as it was written if any record still names its hash (two records were swapped) …
        let mut after = row.number;
        loop {
            let rows = match self.store.ledger_rows(self.server.server_id, after, PAGE) {
                Err(StoreError::Row { .. }) => break,
                other => other?,
            };
            if rows.iter().any(|later| later.previous_hash == before.hash) {
                return Ok(row.number);
            }
            // … or if `row`, corrected, is what its own successor names.
            if after == row.number {
                let next = rows.first().filter(|next| next.number == row.number + 1).map(|next| next.previous_hash);
                let named = next.or((row.number == self.server.end.number).then_some(self.server.end.hash));
                let corrected = canonical::hash(&LedgerRow { previous_hash: before.hash, ..row.clone() });
                if named == Some(corrected) {
                    return Ok(row.number);
                }
            }
            match rows.last() {
                Some(last) => after = last.number,
                None => break,
            }
        }
        // The end told by the server's row was reached whole: what comes after it is at fault.
        Ok(if before.number == self.server.end.number { row.number } else { before.number })
    }

    fn end_now(&self) -> Result<Option<ChainEnd>, StoreError> {
        let servers = self.store.servers()?;
        Ok(servers.into_iter().find(|server| server.server_id == self.server.server_id).map(|server| server.end))
    }

    /// What was walked beyond the end told at the beginning must be what the server wrote meanwhile.
    fn held_against_row_now(&self) -> Result<Option<Broken>, StoreError> {
        if self.end == self.server.end {
            return Ok(None);
        }
        Ok(match self.end_now()? {
            Some(now) if now.number < self.end.number => Some(Broken::BeyondEnd { number: now.number + 1 }),
            Some(now) if now.number == self.end.number && now.hash != self.end.hash => {
                Some(Broken::Changed { number: self.end.number })
            }
            Some(_) => None,
            None => Some(Broken::NoServer),
        })
    }
}
