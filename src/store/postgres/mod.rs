//! PostgreSQL: several servers, standbys, one database.
//!
//! The store's own small runtime drives the pool; the ledger's writer and whoever waits for others' changes have a runtime
//! and a connection of their own, so that an append costs no hop between threads and a notification waits for nobody.

mod answers;
mod catalog;
mod change;
mod connect;
mod crls;
mod desk;
mod ledger;
mod registry;
mod watch;

pub(crate) use ledger::{PostgresLease, PostgresWriter};
pub(crate) use watch::PostgresWatch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolConfig, RecyclingMethod, Runtime as PoolRuntime,
    Timeouts,
};
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{StoreError, StoreOptions};
use connect::{Connector, Warnings};

mod embedded {
    refinery::embed_migrations!("src/store/migrations/postgres");
}

/// Connections of the pool: verbs, health, and the status and answers that no cache has.
const POOL_SIZE: usize = 8;
/// How long a connection may take; a dead host is then noticed, and the next one tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long any statement may take before the server ends it.
const STATEMENT_TIMEOUT_MS: u32 = 10_000;
/// How long anything may take before it counts as lost; a little more than the server allows itself.
const CALL_TIMEOUT: Duration = Duration::from_secs(12);
/// The advisory lock that migrations hold: "noonmark" in ASCII.
const MIGRATION_LOCK: i64 = 0x6e6f_6f6e_6d61_726b;

/// A PostgreSQL store.
pub(crate) struct PostgresStore {
    runtime: Runtime,
    pool: Pool,
    source: Arc<Source>,
}

/// What connections are made from.
pub(super) struct Source {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Source {
    fn pool(&self, size: usize, warnings: &Warnings) -> Result<Pool, StoreError> {
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connector = Connector { tls: self.tls.clone(), warnings: warnings.clone() };
        let manager = Manager::from_connect(self.config.clone(), connector, settings);
        Pool::builder(manager)
            .config(PoolConfig {
                max_size: size,
                timeouts: Timeouts {
                    wait: Some(CALL_TIMEOUT),
                    create: Some(CONNECT_TIMEOUT * 2),
                    recycle: Some(CONNECT_TIMEOUT),
                },
                ..PoolConfig::default()
            })
            .runtime(PoolRuntime::Tokio1)
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    check_durability(client).await.map_err(|error| HookError::message(error.to_string()))
                })
            }))
            .build()
            .map_err(|error| StoreError::Postgres { reason: error.to_string() })
    }
}

/// Reads back what durability depends on: every new connection is asked.
async fn check_durability(client: &Client) -> Result<(), StoreError> {
    let rows = client
        .query(
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')",
            &[],
        )
        .await
        .map_err(|error| driver(&error))?;
    for row in &rows {
        let (name, value): (String, String) = (row.get(0), row.get(1));
        if value == "off" {
            return Err(StoreError::NotDurable { setting: name, value, wanted: "on" });
        }
    }
    if rows.len() == 3 {
        Ok(())
    } else {
        Err(StoreError::Postgres { reason: "the server does not tell its durability settings".to_owned() })
    }
}

/// The driver's error with its causes; it never holds the password.
fn driver(error: &tokio_postgres::Error) -> StoreError {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    StoreError::Postgres { reason }
}

async fn client(pool: &Pool) -> Result<Object, StoreError> {
    pool.get().await.map_err(|error| {
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            if !reason.contains(&cause.to_string()) {
                reason = format!("{reason}: {cause}");
            }
            source = cause.source();
        }
        StoreError::Postgres { reason }
    })
}

/// Runs a future under the last resort's time limit.
async fn limited<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(CALL_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(StoreError::Postgres { reason: format!("no answer within {CALL_TIMEOUT:?}") }))
}

/// Settles what the URL leaves open. Everything here writes, so of several hosts only the primary will do, also after a
/// failover. And `prefer`, the driver's default, is neither: to this machine it fails on a certificate that nobody asked for,
/// to another one it falls back to plain text.
fn settle(config: &mut Config) {
    if config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_ssl_mode() == SslMode::Prefer {
        let is_local = config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
            && config.get_hosts().iter().all(|host| match host {
                Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
                Host::Unix(_) => true,
            });
        config.ssl_mode(if is_local { SslMode::Disable } else { SslMode::Require });
    }
}

fn tls(config: &Config) -> Result<Option<MakeRustlsConnect>, StoreError> {
    if config.get_ssl_mode() == SslMode::Disable {
        return Ok(None);
    }
    let failed = |error: &dyn std::fmt::Display| StoreError::Postgres { reason: format!("TLS: {error}") };
    let mut roots = rustls::RootCertStore::empty();
    // The system's own list, where Debian and most others keep it; `sslmode=require` without a root there can't connect.
    let system = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if system.exists() {
        let list = rustls::pki_types::CertificateDer::pem_file_iter(system).map_err(|error| failed(&error))?;
        roots.add_parsable_certificates(list.flatten());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(client)))
}

fn read_password(path: &Path) -> Result<SecretString, StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(StoreError::Postgres {
            reason: format!("{0} may be read by others; run `chmod 600 {0}`", path.display()),
        });
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

impl PostgresStore {
    pub(super) fn open(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| driver(&error))?;
        if let Some(path) = &options.password_file {
            config.password(read_password(path)?.expose_secret());
        }
        config.application_name("noonmark").connect_timeout(CONNECT_TIMEOUT);
        settle(&mut config);
        let given = config.get_options().unwrap_or_default().to_owned();
        // Every statement here goes by a key whatever its values are: planning by the values costs time, and right after an
        // import, before the statistics know of it, chooses scans.
        let own = format!("-c statement_timeout={STATEMENT_TIMEOUT_MS} -c plan_cache_mode=force_generic_plan");
        config.options(format!("{given} {own}").trim());
        let source = Arc::new(Source { tls: tls(&config)?, config });
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Postgres { reason: format!("starting the store's runtime: {error}") })?;
        let pool = source.pool(POOL_SIZE, &Warnings::default())?;
        let store = Self { runtime, pool, source };
        store.with_client(async |client| {
            client.simple_query("SELECT 1").await.map(drop).map_err(|error| driver(&error))
        })?;
        Ok(store)
    }

    /// Runs work on a connection of the pool and waits for it.
    fn with_client<T>(&self, work: impl AsyncFnOnce(&Object) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.runtime.block_on(limited(async { work(&client(&self.pool).await?).await }))
    }

    /// Work in a transaction that is committed if the work says so.
    fn in_transaction<T>(
        &self,
        work: impl AsyncFnOnce(&deadpool_postgres::Transaction<'_>) -> Result<(T, bool), tokio_postgres::Error>,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(limited(async {
            let mut object = client(&self.pool).await?;
            let done = async {
                let transaction = object.transaction().await?;
                let (result, is_good) = work(&transaction).await?;
                if is_good {
                    transaction.commit().await?;
                }
                Ok(result)
            };
            done.await.map_err(|error: tokio_postgres::Error| driver(&error))
        }))
    }

    pub(super) fn migrate(&self) -> Result<(), StoreError> {
        self.runtime.block_on(async {
            let mut object = client(&self.pool).await?;
            // An index over tens of millions of rows takes its time, and so does another server that is making it.
            object.batch_execute("SET statement_timeout = 0").await.map_err(|error| driver(&error))?;
            // refinery takes no lock of its own, and several servers may start at once. The lock ends with the session
            // at the latest.
            object.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await.map_err(|error| driver(&error))?;
            let raw: &mut Client = &mut object;
            let migrated = embedded::migrations::runner().run_async(raw).await;
            let unlocked = object.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await;
            // Back to what every connection of the pool begins with.
            let bounded = object.batch_execute("RESET statement_timeout").await;
            migrated.map_err(|error| StoreError::Migration { reason: error.to_string() })?;
            unlocked.map(drop).and(bounded).map_err(|error| driver(&error))
        })
    }

    pub(super) fn ping(&self) -> Result<(), StoreError> {
        self.with_client(async |client| {
            client.query_one("SELECT count(*) FROM servers", &[]).await.map(drop).map_err(|error| driver(&error))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_leaves_open_is_settled_safely() {
        let settled = |url: &str| {
            let mut config: Config = url.parse().unwrap();
            settle(&mut config);
            config
        };
        assert_eq!(settled("postgresql://u@a,b/d").get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        for (url, mode) in [
            ("postgresql://u@localhost/d", SslMode::Disable),
            ("postgresql://u@%2Frun%2Fpg/d", SslMode::Disable),
            ("postgresql://u@db.example/d", SslMode::Require),
            ("postgresql://u@localhost,db.example/d", SslMode::Require),
            ("postgresql://u@db.example/d?sslmode=prefer", SslMode::Require),
            ("postgresql://u@db.example/d?sslmode=disable", SslMode::Disable),
            ("postgresql://u@localhost/d?sslmode=require", SslMode::Require),
        ] {
            assert_eq!(settled(url).get_ssl_mode(), mode, "{url}");
        }
    }
}
