//! One issuer's CRLs: loaded, fetched, held, and what they say.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::fetch::{FetchError, Fetched, Fetcher};
use super::held::{Held, Kind, Newness, is_current};
use super::judge::judge;
use super::measures::Measures;
use super::report::CrlReport;
use super::shelf::{Shelf, State};
use super::verified::{self, Refusal};
use crate::ca::{Certificate, ExternalCrlSettings, Judgement, StatusQuestion, StatusSource, Unsure};

/// Why a URL did not give what is held from now on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlFault {
    /// It gave no CRL.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It gave one that is not used.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It has the one that is held, which is past its nextUpdate.
    #[error("it has no newer one than the one that is held, which is past its nextUpdate")]
    StillStale,
    /// The directory of what is held.
    #[error("it could not be kept: {0}")]
    Cache(std::io::Error),
}

/// Why no URL of a CRL gave what was wanted.
#[derive(Debug)]
pub struct RoundError {
    /// Each URL that was tried, and its fault.
    pub faults: Vec<(String, UrlFault)>,
}

impl std::fmt::Display for RoundError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (url, fault)) in self.faults.iter().enumerate() {
            let between = if at == 0 { "" } else { "; " };
            write!(f, "{between}{url}: {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RoundError {}

/// How fetching goes.
struct Progress {
    settings: ExternalCrlSettings,
    state: State,
    last_error: Option<String>,
    is_loaded: bool,
    said_stale: bool,
}

/// An external issuer's CRLs.
pub struct IssuerCrl {
    issuer_id: i64,
    name: String,
    certificate: Certificate,
    shelf: Shelf,
    held: ArcSwap<Held>,
    progress: Mutex<Progress>,
    measures: Measures,
}

impl IssuerCrl {
    /// The CRLs of an issuer, kept in `directory`. Nothing is read yet.
    #[must_use]
    pub fn new(
        directory: &Path,
        issuer_id: i64,
        name: &str,
        certificate: Certificate,
        settings: ExternalCrlSettings,
    ) -> Self {
        Self {
            issuer_id,
            name: name.to_owned(),
            certificate,
            shelf: Shelf::new(directory, name),
            held: ArcSwap::from_pointee(Held::nothing(settings.answers)),
            progress: Mutex::new(Progress {
                settings,
                state: State::default(),
                last_error: None,
                is_loaded: false,
                said_stale: false,
            }),
            measures: Measures::of(name),
        }
    }

    /// The issuer's number in the store.
    #[must_use]
    pub fn issuer_id(&self) -> i64 {
        self.issuer_id
    }

    /// The issuer's name in URLs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file of the CRL of a kind, if one is kept. Whoever reads it believes it by its signature alone, as [`Self::load`]
    /// does: the directory is not guarded.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn file(&self, kind: Kind) -> std::io::Result<Option<File>> {
        self.shelf.open(kind)
    }

    /// The issuer's certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What is held now.
    #[must_use]
    pub fn held(&self) -> Arc<Held> {
        self.held.load_full()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is fetched.
    #[must_use]
    pub fn settings(&self) -> ExternalCrlSettings {
        self.progress().settings.clone()
    }

    /// Fetches by these settings from the next round on; whose word counts changes at once. Whether they are others.
    pub(super) fn set(&self, settings: ExternalCrlSettings) -> bool {
        let mut progress = self.progress();
        if progress.settings == settings {
            return false;
        }
        self.held.store(Arc::new(self.held.load().with_answers(settings.answers)));
        progress.settings = settings;
        true
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.progress().is_loaded
    }

    /// When everything was last fetched, in seconds since 1970.
    #[must_use]
    pub fn fetched_at_s(&self) -> Option<i64> {
        self.progress().state.fetched_at_s
    }

    /// How long ago, in seconds, everything was fetched from the very URLs that are configured now.
    pub(super) fn age_s(&self, now_s: i64) -> Option<u64> {
        let progress = self.progress();
        let is_from_these = progress.settings.all_urls().eq(&progress.state.fetched_from);
        let fetched_at_s = progress.state.fetched_at_s.filter(|_| is_from_these)?;
        u64::try_from(now_s.saturating_sub(fetched_at_s)).ok()
    }

    /// Reads and verifies what is kept from before. What does not hold is fetched anew.
    pub fn load(&self, now_s: i64) {
        let before = self.held();
        let mut state = self.shelf.state();
        for kind in [Kind::Complete, Kind::Delta] {
            if let Err(fault) = self.load_one(kind, now_s) {
                tracing::warn!(%fault, issuer = self.name, kind = kind.name(), "a kept CRL is not used; it is fetched anew");
            }
            if self.held.load().of(kind).is_none() {
                // A condition would keep from us what is not here.
                *state.validators(kind) = None;
            }
        }
        if self.held.load().complete.is_none() {
            state.fetched_at_s = None;
        }
        let mut progress = self.progress();
        progress.state = state;
        progress.is_loaded = true;
        drop(progress);
        self.measure(&before);
    }

    fn load_one(&self, kind: Kind, now_s: i64) -> Result<(), UrlFault> {
        let Some(file) = self.shelf.open(kind).map_err(UrlFault::Cache)? else { return Ok(()) };
        let verified = verified::verify(&file, &self.certificate)?;
        if self.held.load().compare(kind, &verified.crl, now_s)? == Newness::Newer {
            self.take(kind, verified);
        }
        Ok(())
    }

    /// Fetches what is due: the complete CRL, then the delta.
    ///
    /// # Errors
    /// Of each URL that was tried, why it did not do. What was held before stays.
    pub fn fetch(&self, fetcher: &Fetcher, now_s: i64) -> Result<(), RoundError> {
        let before = self.held();
        let settings = self.settings();
        let complete = self.fetch_kind(fetcher, Kind::Complete, &settings.urls, now_s);
        let delta = if settings.delta_urls.is_empty() {
            self.drop_delta();
            Ok(())
        } else {
            self.fetch_kind(fetcher, Kind::Delta, &settings.delta_urls, now_s)
        };
        let result = match (complete, delta) {
            (Err(mut complete), Err(delta)) => {
                complete.faults.extend(delta.faults);
                Err(complete)
            }
            (complete, delta) => complete.and(delta),
        };
        self.tell(&result, &settings, now_s);
        self.measures.count(result.is_ok());
        self.measure(&before);
        result
    }

    fn fetch_kind(&self, fetcher: &Fetcher, kind: Kind, urls: &[String], now_s: i64) -> Result<(), RoundError> {
        let mut faults = Vec::new();
        for url in urls {
            match self.fetch_url(fetcher, kind, url, now_s) {
                Ok(()) => return Ok(()),
                Err(fault) => faults.push((url.clone(), fault)),
            }
        }
        self.shelf.drop_part();
        Err(RoundError { faults })
    }

    fn fetch_url(&self, fetcher: &Fetcher, kind: Kind, url: &str, now_s: i64) -> Result<(), UrlFault> {
        let known = self.progress().state.validators(kind).clone();
        let mut part = self.shelf.part().map_err(UrlFault::Cache)?;
        if let Fetched::Written(validators) = fetcher.fetch(url, known.as_ref(), &mut part)? {
            let verified = verified::verify(&part, &self.certificate)?;
            if self.held.load().compare(kind, &verified.crl, now_s)? == Newness::Newer {
                self.shelf.keep(&part, kind).map_err(UrlFault::Cache)?;
                let header = &verified.crl.header;
                tracing::info!(
                    issuer = self.name,
                    kind = kind.name(),
                    url,
                    entries = verified.crl.entries,
                    this_update = %header.this_update,
                    next_update = header.next_update.map(tracing::field::display),
                    "a CRL is held from now on"
                );
                self.take(kind, verified);
            }
            if self.held.load().of(kind).is_some() {
                *self.progress().state.validators(kind) = Some(validators);
            }
        }
        self.shelf.drop_part();
        let held = self.held.load();
        match held.of(kind) {
            // Another mirror may have a newer one.
            Some(held) if !is_current(&held.crl, now_s) && held.crl.header.next_update.is_some() => {
                Err(UrlFault::StillStale)
            }
            _ => Ok(()),
        }
    }

    fn take(&self, kind: Kind, verified: verified::Verified) {
        // Held while the state changes: settings may change on another thread.
        let mut progress = self.progress();
        let before = self.held.load_full();
        let after = before.taking(kind, Arc::new(verified));
        if before.delta.is_some() && after.delta.is_none() {
            self.shelf.drop_delta();
            progress.state.delta = None;
        }
        self.held.store(Arc::new(after));
    }

    /// Deltas are not wanted any more.
    fn drop_delta(&self) {
        let mut progress = self.progress();
        let before = self.held.load_full();
        if before.delta.is_some() {
            self.held.store(Arc::new(before.without_delta()));
            progress.state.delta = None;
            self.shelf.drop_delta();
        }
    }

    /// Remembers how a round went, and says so where it is another word than the last.
    fn tell(&self, result: &Result<(), RoundError>, by: &ExternalCrlSettings, now_s: i64) {
        let report = self.report();
        let mut progress = self.progress();
        match result {
            Ok(()) => {
                progress.state.fetched_at_s = Some(now_s);
                progress.state.fetched_from = by.all_urls().cloned().collect();
                if progress.last_error.take().is_some() {
                    tracing::info!(issuer = self.name, "its CRL is fetched again");
                }
            }
            Err(error) => {
                // Once; `/readyz` has the newest words.
                if progress.last_error.replace(error.to_string()).is_none() {
                    tracing::warn!(%error, issuer = self.name, "its CRL can't be fetched; what is held counts until its nextUpdate");
                }
            }
        }
        let is_stale = report.is_stale(now_s);
        if is_stale && !progress.said_stale {
            tracing::warn!(
                issuer = self.name,
                "its CRL is past its nextUpdate: what it lists is revoked, nothing else is good"
            );
        }
        progress.said_stale = is_stale;
        if let Err(error) = self.shelf.put_state(&progress.state) {
            tracing::warn!(%error, issuer = self.name, "how its CRL was fetched could not be kept; a restart fetches it anew");
        }
    }

    fn measure(&self, before: &Held) {
        self.measures.set(before, &self.held.load(), self.fetched_at_s());
    }

    /// How it stands.
    #[must_use]
    pub fn report(&self) -> CrlReport {
        let progress = self.progress();
        let (fetched_at_s, last_error) = (progress.state.fetched_at_s, progress.last_error.clone());
        CrlReport::new(&self.name, &self.held.load(), &progress.settings, fetched_at_s, last_error)
    }

    /// It is served no more.
    pub(super) fn withdraw(&self) {
        self.measures.clear(&self.held.load());
    }
}

impl StatusSource for IssuerCrl {
    fn edition(&self) -> u64 {
        self.held.load().edition
    }

    fn judge(&self, question: &StatusQuestion<'_>) -> Result<Judgement, Unsure> {
        judge(&self.held.load(), &self.certificate.subject_der, question)
    }
}
