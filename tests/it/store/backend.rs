//! A fresh database of either kind, and raw SQL on it behind the store's back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use noonmark::store::{LedgerRow, Store, StoreOptions, StoreUrl, TokenRow};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::support::postgres::{Cluster, available};

/// Records a segment: small, so that segments close.
pub const SEGMENT: i64 = 16;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    pub fn available(self) -> bool {
        self == Self::Sqlite || available()
    }
}

static CLUSTER: Mutex<Option<Cluster>> = Mutex::new(None);
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Ends the cluster that all tests share: what is static is never dropped.
pub fn finish() {
    drop(CLUSTER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// A fresh database.
pub struct Backend {
    pub kind: Kind,
    pub url: StoreUrl,
    directory: TempDir,
}

fn on(url: &str) -> (Runtime, tokio_postgres::Client) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (client, connection) = runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls)).unwrap();
    runtime.spawn(async move { drop(connection.await) });
    (runtime, client)
}

impl Backend {
    /// A database without a schema.
    pub fn fresh(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = match kind {
            Kind::Sqlite => StoreUrl::Sqlite(directory.path().join("noonmark.db")),
            Kind::Postgres => {
                let url = CLUSTER.lock().unwrap().get_or_insert_with(Cluster::start).url();
                let name = format!("contract{}", DATABASES.fetch_add(1, Ordering::Relaxed));
                let (runtime, client) = on(&url);
                runtime.block_on(client.batch_execute(&format!("CREATE DATABASE {name}"))).unwrap();
                StoreUrl::parse(&url.replacen("/postgres?", &format!("/{name}?"), 1), directory.path()).unwrap()
            }
        };
        Self { kind, url, directory }
    }

    pub fn is_sqlite(&self) -> bool {
        self.kind == Kind::Sqlite
    }

    /// The directory of SQLite's files.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// SQLite's file.
    pub fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("noonmark.db")
    }

    /// As another process opens it.
    pub fn open(&self) -> Arc<Store> {
        let options = StoreOptions { segment_size: SEGMENT, ..StoreOptions::default() };
        Arc::new(Store::open(&self.url, &options).unwrap())
    }

    /// Opened, with its schema.
    pub fn store(&self) -> Arc<Store> {
        let store = self.open();
        store.migrate().unwrap();
        store
    }

    /// Runs SQL that both databases read, without the store.
    pub fn sql(&self, text: &str) {
        match &self.url {
            StoreUrl::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                connection.execute_batch(text).unwrap();
            }
            StoreUrl::Postgres(url) => {
                let (runtime, client) = on(url);
                runtime.block_on(client.batch_execute(text)).unwrap();
            }
        }
    }

    /// One number.
    pub fn count(&self, query: &str) -> i64 {
        match &self.url {
            StoreUrl::Sqlite(path) => {
                rusqlite::Connection::open(path).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
            }
            StoreUrl::Postgres(url) => {
                let (runtime, client) = on(url);
                runtime.block_on(client.query_one(query, &[])).unwrap().get(0)
            }
        }
    }
}

/// A token's fields; `n` makes the serial, its hash is the imprint.
pub fn token(n: u64) -> TokenRow {
    let mut serial = [0; 17];
    serial[0] = 1;
    serial[9..].copy_from_slice(&n.to_be_bytes());
    let digest = |data: &[u8]| noonmark::crypto::DigestAlgorithm::Sha256.digest(data).as_ref().to_vec();
    let kept = digest(&serial);
    TokenRow {
        serial,
        gen_time_us: 1_700_000_000_000_000 + i64::try_from(n).unwrap(),
        profile: "default".into(),
        hash_algorithm: "sha256".into(),
        imprint: digest(&n.to_be_bytes()),
        policy: "1.3.6.1.4.1.99999.1".into(),
        key_name: "tsu-1".into(),
        caller: "127.0.0.1".into(),
        token_sha256: digest(&kept).try_into().unwrap(),
        token: None,
    }
}

/// A record of a token.
pub fn row(server_id: i64, number: i64, token: TokenRow) -> LedgerRow {
    LedgerRow {
        server_id,
        number,
        kind: "token".into(),
        recorded_at_us: 5,
        previous_hash: [7; 32],
        detail: None,
        token: Some(token),
    }
}
