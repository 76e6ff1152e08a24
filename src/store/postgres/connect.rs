//! How connections are made, and what the server says on them unasked.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::Connect;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The last warning that came on a pool's connections.
///
/// A commit that waits for a synchronous standby and is cancelled there *succeeds*, with a warning that it may not have
/// reached the standby (PostgreSQL manual, "Synchronous Replication"): one that brings a warning is not known to stand.
#[derive(Clone, Default)]
pub(super) struct Warnings(Arc<Mutex<Option<String>>>);

impl Warnings {
    /// Notes what came, if it is a warning.
    fn hear(&self, message: AsyncMessage) {
        if let AsyncMessage::Notice(notice) = message
            && notice.parsed_severity() == Some(Severity::Warning)
        {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(notice.message().to_owned());
        }
    }

    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Makes a pool's connections.
pub(super) struct Connector {
    pub(super) tls: Option<MakeRustlsConnect>,
    pub(super) warnings: Warnings,
}

impl Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let warnings = self.warnings.clone();
        Box::pin(connect(config.clone(), self.tls.clone(), move |message| warnings.hear(message)))
    }
}

/// Makes a connection, and a task that moves its messages; `hear` gets what the server says unasked, before the answer that
/// follows it is handed on, and is dropped when the connection ends.
pub(super) async fn connect(
    config: Config,
    tls: Option<MakeRustlsConnect>,
    hear: impl FnMut(AsyncMessage) + Send + 'static,
) -> Result<(Client, JoinHandle<()>), Error> {
    match tls {
        None => {
            let (client, connection) = config.connect(NoTls).await?;
            Ok((client, tokio::spawn(drive(connection, hear))))
        }
        Some(tls) => {
            let (client, connection) = config.connect(tls).await?;
            Ok((client, tokio::spawn(drive(connection, hear))))
        }
    }
}

/// Moves a connection's messages until it ends.
async fn drive<S, T>(mut connection: Connection<S, T>, mut hear: impl FnMut(AsyncMessage))
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(message)) => hear(message),
            // Whoever uses the connection next hears of it.
            Some(Err(error)) => {
                tracing::debug!(%error, "a PostgreSQL connection ended");
                return;
            }
            None => return,
        }
    }
}
