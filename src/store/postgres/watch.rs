//! Hearing of changes in PostgreSQL: LISTEN, on a connection and a runtime of their own.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_postgres::{AsyncMessage, Client};

use super::connect::connect;
use super::{CONNECT_TIMEOUT, PostgresStore, Source, driver};
use crate::store::StoreError;
use crate::store::change::CHANNEL;

/// How long a silent connection is believed in: a peer that is gone without a word sends nothing either.
const PING_AFTER: Duration = Duration::from_secs(1);
/// How long the answer to a ping may take.
const PING_TIMEOUT: Duration = CONNECT_TIMEOUT;

/// Listens to [`CHANNEL`].
pub(crate) struct PostgresWatch {
    source: Arc<Source>,
    /// Before the runtime, which must outlive its sockets.
    link: Option<Link>,
    runtime: Runtime,
}

/// A connection that listens.
struct Link {
    client: Client,
    /// Something was heard; closed when the connection ends.
    heard: Receiver<()>,
    /// When the server was known to be there last.
    alive_at: Instant,
}

impl PostgresStore {
    pub(crate) fn watch(&self) -> Result<PostgresWatch, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Postgres { reason: format!("starting the listener's runtime: {error}") })?;
        let link = runtime.block_on(Link::open(&self.source))?;
        Ok(PostgresWatch { source: Arc::clone(&self.source), link: Some(link), runtime })
    }
}

impl PostgresWatch {
    pub(crate) fn wait(&mut self, timeout: Duration) -> Result<(), StoreError> {
        let Self { source, link, runtime } = self;
        runtime.block_on(async {
            let deadline = Instant::now() + timeout;
            let Some(open) = link else {
                match Link::open(source).await {
                    Ok(opened) => *link = Some(opened),
                    Err(error) => {
                        // A server that refuses at once must not let the caller turn in circles.
                        sleep_until(deadline).await;
                        return Err(error);
                    }
                }
                return Ok(());
            };
            let result = open.wait(deadline).await;
            if result.is_err() {
                *link = None;
            }
            result
        })
    }
}

impl Link {
    async fn open(source: &Source) -> Result<Self, StoreError> {
        // One is enough to be told: what was heard meanwhile is heard once.
        let (tell, heard) = channel(1);
        let hear = move |message| {
            if let AsyncMessage::Notification(_) = message {
                // Full is as good: somebody is about to be told.
                let _full = tell.try_send(());
            }
        };
        let work = async {
            let (client, _) = connect(source.config.clone(), source.tls.clone(), hear).await?;
            client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
            Ok(client)
        };
        let client = timeout(CONNECT_TIMEOUT * 2, work)
            .await
            .map_err(|_| lost("it did not answer"))?
            .map_err(|error| driver(&error))?;
        Ok(Self { client, heard, alive_at: Instant::now() })
    }

    async fn wait(&mut self, deadline: Instant) -> Result<(), StoreError> {
        loop {
            match timeout_at(deadline.min(self.alive_at + PING_AFTER), self.heard.recv()).await {
                Ok(Some(())) => {
                    self.alive_at = Instant::now();
                    return Ok(());
                }
                Ok(None) => return Err(lost("it ended")),
                Err(_) => {}
            }
            if Instant::now() >= self.alive_at + PING_AFTER {
                timeout(PING_TIMEOUT, self.client.simple_query(""))
                    .await
                    .map_err(|_| lost("it does not answer"))?
                    .map_err(|error| driver(&error))?;
                self.alive_at = Instant::now();
            }
            if Instant::now() >= deadline {
                return Ok(());
            }
        }
    }
}

fn lost(why: &str) -> StoreError {
    StoreError::Postgres { reason: format!("the connection that hears of changes is lost: {why}") }
}
