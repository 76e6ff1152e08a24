//! The published CRLs as a server has them: ready to be served, whole, and exchanged in one step.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::Context;
use bytes::Bytes;
use metrics::gauge;

use crate::crypto::DigestAlgorithm;
use crate::store::{CRL_CHUNK, CrlRow, CrlScope, IssuerOrigin, Store, StoreError};

/// How names of files that are being written begin; those that a killed server left are removed at the next start.
const FETCHING: &str = ".fetching-";
/// How long after a failure a CRL is fetched again.
const PAUSE: Duration = Duration::from_secs(5);

/// Why a published CRL is not ready. The one before it is served on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShelfError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The store's octets are not those that were published.
    #[error("CRL {number} of issuer {issuer} is not in the store as it was published: {what}")]
    Content {
        /// The issuer.
        issuer: String,
        /// Its number.
        number: i64,
        /// What is wrong.
        what: &'static str,
    },
}

/// A CRL's octets.
#[derive(Clone, Debug)]
pub enum CrlBody {
    /// A small one.
    Memory(Bytes),
    /// A large one, in a file that stays readable after it is replaced.
    File(Arc<File>),
}

/// A published CRL, ready to be served.
#[derive(Clone, Debug)]
pub struct ShelvedCrl {
    /// What the store knows of it.
    pub row: CrlRow,
    /// Its octets.
    pub body: CrlBody,
}

/// The time of the first change that is on no complete CRL yet, in seconds since 1970, by the issuer's name.
type Waiting = BTreeMap<String, i64>;
type Shelved = BTreeMap<(String, CrlScope), Arc<ShelvedCrl>>;

/// Every published CRL of Noonmark's own issuers, by the issuer's name and scope.
pub struct Shelf {
    directory: PathBuf,
    shelved: ArcSwap<Shelved>,
    waiting: ArcSwap<Waiting>,
    /// CRLs that could not be fetched, and when they are tried again.
    failed: Mutex<BTreeMap<i64, Instant>>,
}

impl Shelf {
    /// An empty shelf, whose large CRLs go into `directory`; it is made when the first comes.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        let shelf =
            Self { directory, shelved: ArcSwap::default(), waiting: ArcSwap::default(), failed: Mutex::default() };
        shelf.remove(|name| name.starts_with(FETCHING));
        shelf
    }

    /// The time of the first change of an issuer's certificates that is on no complete CRL yet, in seconds since 1970.
    #[must_use]
    pub fn waiting_since_s(&self, issuer: &str) -> Option<i64> {
        self.waiting.load().get(issuer).copied()
    }

    /// Looks for changes that no complete CRL tells of.
    ///
    /// # Errors
    /// The store's.
    pub fn look_for_changes(&self, store: &Store) -> Result<(), StoreError> {
        let mut waiting = Waiting::new();
        for (name, row) in self.rows().into_iter().filter(|(_, row)| row.scope == CrlScope::Complete) {
            let change = store.first_listed_change(row.issuer_id, row.change_number)?;
            let since_s = change.map(|change| change.changed_at_us / 1_000_000);
            let age_s = since_s.map_or(0, |since_s| (now_s() - since_s).max(0));
            set("noonmark_crl_change_waiting_seconds", &[("issuer", name.clone())], age_s);
            waiting.extend(since_s.map(|since_s| (name, since_s)));
        }
        self.waiting.store(Arc::new(waiting));
        Ok(())
    }

    /// A CRL by issuer and scope.
    #[must_use]
    pub fn find(&self, issuer: &str, scope: CrlScope) -> Option<Arc<ShelvedCrl>> {
        self.shelved.load().get(&(issuer.to_owned(), scope)).cloned()
    }

    /// What the store knows of each.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, CrlRow)> {
        self.shelved.load().iter().map(|((issuer, _), crl)| (issuer.clone(), crl.row.clone())).collect()
    }

    /// Fetches what was published since the last call. One that can't be had keeps none of the others from it; tells
    /// whether anything changed, and what is in the way.
    ///
    /// # Errors
    /// The store does not tell what is published.
    pub fn refresh(&self, store: &Store) -> Result<(bool, Vec<ShelfError>), ShelfError> {
        let rows = store.published_crls()?;
        let before = self.shelved.load();
        let ids = |shelved: &Shelved| shelved.values().map(|crl| crl.row.id).collect::<BTreeSet<_>>();
        if rows.iter().map(|row| row.id).collect::<BTreeSet<_>>() == ids(&before) {
            return Ok((false, Vec::new()));
        }
        let issuers = store.issuers()?;
        let (mut shelved, mut in_the_way) = (Shelved::new(), Vec::new());
        for row in rows {
            let issuer = issuers.iter().find(|issuer| issuer.id == row.issuer_id && issuer.origin == IssuerOrigin::Own);
            let Some(issuer) = issuer else { continue };
            let key = (issuer.name.clone(), row.scope);
            match before.get(&key) {
                Some(standing) if standing.row.id == row.id || self.waits(row.id) => {
                    shelved.insert(key, Arc::clone(standing));
                }
                None if self.waits(row.id) => {}
                old => match self.fetch(store, &issuer.name, row.clone()) {
                    Ok(crl) => {
                        tell(&issuer.name, &crl.row);
                        shelved.insert(key, Arc::new(crl));
                    }
                    Err(error) => {
                        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.insert(row.id, Instant::now() + PAUSE);
                        in_the_way.push(error);
                        shelved.extend(old.map(|old| (key, Arc::clone(old))));
                    }
                },
            }
        }
        let has_changed = ids(&shelved) != ids(&before);
        for ((issuer, scope), _) in before.iter().filter(|(key, _)| !shelved.contains_key(*key)) {
            forget(issuer, *scope);
        }
        self.shelved.store(Arc::new(shelved));
        if has_changed {
            self.tidy();
        }
        Ok((has_changed, in_the_way))
    }

    fn fetch(&self, store: &Store, issuer: &str, row: CrlRow) -> Result<ShelvedCrl, ShelfError> {
        let wrong = |what| ShelfError::Content { issuer: issuer.to_owned(), number: row.number, what };
        let octets = usize::try_from(row.octets).map_err(|_| wrong("its size"))?;
        if octets <= CRL_CHUNK {
            let chunk = store.crl_chunk(row.id, 0)?.ok_or_else(|| wrong("its octets are gone"))?;
            if chunk.len() != octets || crate::crypto::sha256(&chunk) != row.sha256 {
                return Err(wrong("its SHA-256 is another one"));
            }
            return Ok(ShelvedCrl { row, body: CrlBody::Memory(Bytes::from(chunk)) });
        }
        let path = self.path_of(&row);
        if !is_there(&path, &row) {
            self.spool(store, &row, &path, &wrong)?;
        }
        let file = File::open(&path).map_err(|source| ShelfError::File { path, source })?;
        Ok(ShelvedCrl { row, body: CrlBody::File(Arc::new(file)) })
    }

    /// Writes a CRL beside its place and moves it there once it is whole.
    fn spool(
        &self,
        store: &Store,
        row: &CrlRow,
        path: &Path,
        wrong: &impl Fn(&'static str) -> ShelfError,
    ) -> Result<(), ShelfError> {
        let failed = |source| ShelfError::File { path: path.to_owned(), source };
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        let mut file = tempfile::Builder::new().prefix(FETCHING).tempfile_in(&self.directory).map_err(failed)?;
        let mut context = Context::new(DigestAlgorithm::Sha256.implementation());
        let (mut position, mut left) = (0, row.octets);
        while left > 0 {
            let chunk = store.crl_chunk(row.id, position)?.ok_or_else(|| wrong("its octets are gone"))?;
            left -= i64::try_from(chunk.len()).unwrap_or(i64::MAX);
            if chunk.is_empty() || left < 0 {
                return Err(wrong("its size"));
            }
            context.update(&chunk);
            file.write_all(&chunk).map_err(failed)?;
            position += 1;
        }
        if context.finish().as_ref() != row.sha256 {
            return Err(wrong("its SHA-256 is another one"));
        }
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Removes files that no CRL here has; what is being served from one stays readable to its end.
    fn tidy(&self) {
        let shelved = self.shelved.load();
        let used: Vec<String> = shelved.values().map(|crl| file_name(&crl.row)).collect();
        // Others keep theirs beside: only names that this shelf gives.
        self.remove(|name| name.len() == 68 && name.ends_with(".crl") && !used.iter().any(|used| used == name));
    }

    fn remove(&self, goes: impl Fn(&str) -> bool) {
        // It is made when the first large CRL comes.
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.file_name().and_then(|name| name.to_str()).is_some_and(&goes)
                && let Err(error) = std::fs::remove_file(&path)
            {
                tracing::warn!(path = %path.display(), %error, "a CRL's file that is not needed could not be removed");
            }
        }
    }

    fn waits(&self, crl_id: i64) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, until| Instant::now() < *until);
        failed.contains_key(&crl_id)
    }

    fn path_of(&self, row: &CrlRow) -> PathBuf {
        self.directory.join(file_name(row))
    }
}

/// By its content: a server that starts again finds what it has already.
fn file_name(row: &CrlRow) -> String {
    format!("{}.crl", hex::encode(row.sha256))
}

/// Whether the CRL is there from an earlier run, whole.
fn is_there(path: &Path, row: &CrlRow) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut context = Context::new(DigestAlgorithm::Sha256.implementation());
    let (mut read, mut chunk) = (BufReader::new(file), vec![0; CRL_CHUNK]);
    loop {
        match read.read(&mut chunk) {
            Ok(0) => return context.finish().as_ref() == row.sha256,
            Ok(count) => context.update(chunk.get(..count).unwrap_or_default()),
            Err(_) => return false,
        }
    }
}

/// For whoever watches by metrics: a CRL that is not renewed shows long before it ends.
fn tell(issuer: &str, row: &CrlRow) {
    let labels = [("issuer", issuer.to_owned()), ("scope", row.scope.name())];
    set("noonmark_crl_next_update_timestamp_seconds", &labels, row.next_update_s);
    set("noonmark_crl_number", &labels, row.number);
    set("noonmark_crl_entries", &labels, row.entries);
    set("noonmark_crl_octets", &labels, row.octets);
}

/// One that is served no more has no end to be told of.
fn forget(issuer: &str, scope: CrlScope) {
    let labels = [("issuer", issuer.to_owned()), ("scope", scope.name())];
    gauge!("noonmark_crl_next_update_timestamp_seconds", &labels).set(f64::NAN);
}

#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "gauges are floating point; seconds and counts fit"
)]
fn set(name: &'static str, labels: &[(&'static str, String)], value: i64) {
    gauge!(name, labels).set(value as f64);
}

pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
