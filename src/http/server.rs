//! Binding, workers, connection limits.

use std::any::Any;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpResponse, HttpServer, web};
use metrics::{Unit, describe_histogram, histogram};

use super::caller::ClientCertificate;
use super::mailbox::Mailbox;
use super::problem::Problem;
use super::tls::{self, TlsError};
use super::tsa::TimestampSeconds;
use super::{Services, certificates, crl, ocsp, operators, pages, tsa as tsa_routes, v1};
use crate::crypto::sha256;

/// File descriptors kept for the store, the token's module, listeners and the log.
const RESERVED_DESCRIPTORS: usize = 512;
/// Threads an HTTP thread may have wait for the store: each holds a connection of the database meanwhile, and more of them
/// than a database answers at once are in each other's way. What comes beyond waits, as much as `caller_in_flight` lets it.
const BLOCKING_THREADS: usize = 8;
/// Connections that the kernel holds for us before they are accepted.
const BACKLOG: u32 = 4_096;

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address can't be listened on.
    #[error(
        "can't listen on {address}: {source}; is another server running there? (`[http] listen` names another address)"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Starts the HTTP server on `addresses`; it runs until its handle stops it.
///
/// `descriptor_limit` is the process' limit on open files; connections are kept below it, so that a flood of idle ones
/// takes no descriptor from the token or the store.
///
/// # Errors
/// An address that is taken, or TLS files that can't be used.
pub fn start(
    services: web::Data<Services>,
    addresses: &[SocketAddr],
    descriptor_limit: usize,
    resolve: impl Fn(&Path) -> PathBuf,
) -> Result<Server, StartError> {
    describe_histogram!(
        "noonmark_timestamp_seconds",
        Unit::Seconds,
        "Time from a timestamp request's head to its answer, body and refusals included"
    );
    let seconds = TimestampSeconds(histogram!("noonmark_timestamp_seconds"));
    let settings = services.settings.clone();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if settings.workers == 0 { cores } else { settings.workers };
    let possible = descriptor_limit.saturating_sub(RESERVED_DESCRIPTORS).max(64);
    let connections = if settings.max_connections == 0 { possible } else { settings.max_connections.min(possible) };

    let factory_services = services.clone();
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(factory_services.clone())
            .app_data(seconds.clone())
            .app_data(Mailbox::<crate::tsa::Answer>::start())
            .app_data(Mailbox::<crate::ocsp::Answer>::start())
            // Routes are tried in this order: the cheap and the busy first.
            .configure(ocsp::routes)
            .configure(tsa_routes::routes)
            .configure(operators::routes)
            .configure(certificates::routes)
            .configure(crl::routes)
            .configure(v1::routes)
            .configure(pages::routes)
            .default_service(web::to(not_found))
    })
    .workers(workers)
    .worker_max_blocking_threads(BLOCKING_THREADS)
    .max_connections((connections / workers).max(1))
    .backlog(BACKLOG)
    .client_request_timeout(Duration::from_secs(settings.head_timeout_s))
    .client_disconnect_timeout(Duration::from_secs(1))
    .keep_alive(Duration::from_secs(settings.keep_alive_s))
    .shutdown_timeout(settings.shutdown_timeout_s)
    .on_connect(remember_client_certificate)
    .disable_signals();

    for address in addresses {
        let bind = |source| StartError::Bind { address: *address, source };
        server = match settings.tls.as_ref().zip(services.tls.as_ref()) {
            None => server.bind(address).map_err(bind)?,
            Some((section, identity)) => {
                let config = tls::server_config(section, Arc::clone(identity), &resolve)?;
                server.bind_rustls_0_23(address, config).map_err(bind)?
            }
        };
    }
    Ok(server.run())
}

pub(super) async fn not_found() -> HttpResponse {
    Problem::NotFound { what: "path" }.response()
}

/// Keeps the SHA-256 of a client certificate that the handshake verified.
fn remember_client_certificate(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<actix_tls::accept::rustls_0_23::TlsStream<TcpStream>>() else {
        return;
    };
    let (_, session) = stream.get_ref();
    if let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) {
        data.insert(ClientCertificate(sha256(certificate)));
    }
}

/// The services, as the server takes them.
#[must_use]
pub fn share(services: Services) -> web::Data<Services> {
    web::Data::from(Arc::new(services))
}
