//! An installation opened: its configuration and its store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Configuration, ConfigurationError};
use crate::ledger::{Event, Ledger, LedgerError, LedgerSettings};
use crate::store::{Store, StoreError, StoreOptions, StoreUrl, StoreUrlError};

/// Why an installation can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallationError {
    /// The configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The store's URL.
    #[error("[store] url: {0}")]
    Url(#[from] StoreUrlError),
    /// The store's file is gone.
    #[error("[store] url: there is no database at {}; is its disk mounted? Restore it, or make an installation with `noonmark init`", path.display())]
    StoreMissing {
        /// The file.
        path: PathBuf,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// An installation: what is configured, and where it keeps things.
pub struct Installation {
    /// The configuration.
    pub configuration: Configuration,
    /// The store.
    pub store: Arc<Store>,
}

/// What a process does with the installation; it names the server row whose chain it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Serving: one process an installation's directory.
    Serve,
    /// An operator's verb, beside a server that may be running.
    Operator,
    /// Issuing and renewing, beside the server.
    Agent,
}

impl Installation {
    /// Opens the installation in a directory.
    ///
    /// # Errors
    /// No installation, a configuration or a store that is not usable.
    pub fn open(directory: &Path) -> Result<Self, InstallationError> {
        Self::with(Configuration::load(directory)?)
    }

    /// Opens the store of a configuration and brings its schema up to date.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with(configuration: Configuration) -> Result<Self, InstallationError> {
        // SQLite would make an empty database, with a chain of records that begins anew.
        if let StoreUrl::Sqlite(path) = StoreUrl::parse(&configuration.store.url, &configuration.directory)?
            && !path.exists()
        {
            return Err(InstallationError::StoreMissing { path });
        }
        Self::create(configuration)
    }

    /// As [`Self::with`], for `init`: a SQLite database that is not there is made.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn create(configuration: Configuration) -> Result<Self, InstallationError> {
        let url = StoreUrl::parse(&configuration.store.url, &configuration.directory)?;
        let options = StoreOptions {
            password_file: configuration.store.password_file.as_deref().map(|path| configuration.path(path)),
            ..StoreOptions::default()
        };
        let store = Store::open(&url, &options)?;
        store.migrate()?;
        Ok(Self { configuration, store: Arc::new(store) })
    }

    /// A ledger of this process' own: a chain nobody else writes to.
    ///
    /// # Errors
    /// The directory is locked by another process of the same purpose, or the store does not answer.
    pub fn ledger(&self, purpose: Purpose) -> Result<Arc<Ledger>, InstallationError> {
        let name = match purpose {
            Purpose::Serve => "serve",
            Purpose::Operator => "operator",
            Purpose::Agent => "ca-agent",
        };
        let lease = self.store.lease_server(name)?;
        Ok(Ledger::start(Arc::clone(&self.store), lease, LedgerSettings::default())?)
    }

    /// Records one event of an operator's verb and waits until it is durable.
    ///
    /// # Errors
    /// The record did not become durable: what was to be recorded must not be taken as done.
    pub fn record(&self, event: Event) -> Result<(), InstallationError> {
        let ledger = self.ledger(Purpose::Operator)?;
        let recorded = ledger.record_event(event);
        ledger.stop();
        recorded?;
        Ok(())
    }
}
