//! The proof that every chain is whole: no record changed, missing or cut off.

use std::fmt;

use serde::Serialize;

use super::canonical;
use crate::crypto::DigestAlgorithm;
use crate::store::{ChainEnd, Store, StoreError};

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
    /// A record, or the one before it, is not what it was.
    Changed {
        /// The first record whose successor's hash does not fit it.
        number: i64,
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
    /// What it is: `serve` or `operator`.
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
            Self::TokenChanged { number } => write!(f, "the token kept in record {number} was changed"),
            Self::CutOff { last, expected } => {
                write!(f, "the chain ends at record {last}; by its server's row it goes on to {expected}")
            }
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
    let servers = store.servers()?;
    let total: u64 = servers.iter().map(|server| u64::try_from(server.end.number).unwrap_or(0)).sum();
    let mut done = 0;
    let mut chains = Vec::new();
    for server in servers {
        let mut end = ChainEnd { number: 0, hash: [0; 32] };
        let mut broken = None;
        while broken.is_none() {
            let rows = store.ledger_rows(server.server_id, end.number, PAGE)?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                broken = if row.number != end.number + 1 {
                    Some(Broken::Gap { number: end.number + 1 })
                } else if row.previous_hash != end.hash {
                    Some(Broken::Changed { number: end.number.max(1) })
                } else if row.token.as_ref().is_some_and(|token| {
                    token
                        .token
                        .as_ref()
                        .is_some_and(|kept| DigestAlgorithm::Sha256.digest(kept).as_ref() != token.token_sha256)
                }) {
                    Some(Broken::TokenChanged { number: row.number })
                } else {
                    None
                };
                if broken.is_some() {
                    break;
                }
                end = ChainEnd { number: row.number, hash: canonical::hash(row) };
                // The end that the row told when the walk began: the last record's own content hangs on it alone.
                if end.number == server.end.number && end.hash != server.end.hash {
                    broken = Some(Broken::Changed { number: end.number });
                    break;
                }
                done += 1;
            }
            progress(done, total.max(done));
        }
        if broken.is_none() {
            broken = held_against_row(store, server.server_id, server.end, end)?;
        }
        chains.push(ChainReport {
            server: server.server_id,
            name: server.name,
            records: end.number,
            end_hash: hex::encode(end.hash),
            broken,
        });
    }
    Ok(VerifyReport { chains })
}

/// What was walked must reach at least the end told before, and not go past the end told now.
fn held_against_row(
    store: &Store,
    server_id: i64,
    before: ChainEnd,
    walked: ChainEnd,
) -> Result<Option<Broken>, StoreError> {
    if walked.number < before.number {
        return Ok(Some(Broken::CutOff { last: walked.number, expected: before.number }));
    }
    if walked.number == before.number {
        return Ok(None);
    }
    let now = store.servers()?.into_iter().find(|server| server.server_id == server_id).map(|server| server.end);
    Ok(match now {
        Some(now) if now.number < walked.number => Some(Broken::BeyondEnd { number: now.number + 1 }),
        Some(now) if now.number == walked.number && now.hash != walked.hash => {
            Some(Broken::Changed { number: walked.number })
        }
        Some(_) => None,
        None => Some(Broken::BeyondEnd { number: 1 }),
    })
}
