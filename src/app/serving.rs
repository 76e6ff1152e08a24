//! `serve`: everything started in order, reloaded on SIGHUP, stopped in the reverse order.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use actix_web::web;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::adoption;
use super::answering::Answering;
use super::events::{EventChannel, Recorder};
use super::installation::{Installation, InstallationError, Purpose};
use super::lifecycle::{LifecycleError, now_s};
use super::loading::Successors;
use super::observability;
use super::readiness::{SharedReadiness, Watched, tier_is_software};
use super::units::UnitFault;
use super::verification::VerificationSetupError;
use super::verifying::{self, HeldKeeper, OwnParts};
use crate::ca::registry::Registry;
use crate::clock::{Clock, ClockEvent, ClockStartError, MachineClock};
use crate::config::{Configuration, ConfigurationError, HttpSection};
use crate::crls::external::{FetchLimits, Mirror, MirrorDeps};
use crate::crls::{Shelf, ShelfKeeper};
use crate::gather::VerificationService;
use crate::http::server::StartError;
use crate::http::{self, ApiKeys, Callers, Limits, Services, TlsIdentity, Verification};
use crate::keys::KeyError;
use crate::ledger::{Event, Ledger, LedgerError};
use crate::ocsp::{self, Responder};
use crate::store::{KeyState, StoreError};
use crate::tsa::{Authority, Deps};

/// Why serving ends other than by a stop that was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The store or ledger.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger refused the record of the start.
    #[error("the start could not be recorded: {0}")]
    Ledger(#[from] LedgerError),
    /// No profile can be served.
    #[error("{fault}")]
    Unit {
        /// Why.
        #[from]
        fault: UnitFault,
    },
    /// Keys' lives.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The token.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The clock.
    #[error(transparent)]
    Clock(#[from] ClockStartError),
    /// HTTP.
    #[error(transparent)]
    Http(#[from] StartError),
    /// No profile in the configuration.
    #[error("noonmark.toml has no [tsa.NAME] section; there is nothing to serve")]
    NoProfile,
    /// Policies, anchors or held files.
    #[error("[verification] {0}")]
    Verification(#[from] VerificationSetupError),
    /// The log or metrics.
    #[error("{0}")]
    Observability(String),
    /// The system refuses.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What it says.
        source: std::io::Error,
    },
}

/// How long a stop waits for clients to close their kept connections after their next answer.
const LEAVING: Duration = Duration::from_millis(300);
/// How long an Idempotency-Key is remembered, in seconds.
const CLAIM_S: i64 = 86_400;
/// Between two clean-ups of callers that went away.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// The running parts.
pub(super) struct Server {
    installation: RwLock<Arc<Installation>>,
    /// One reload at a time.
    reloading: Mutex<()>,
    pub(super) ledger: Arc<Ledger>,
    clock: Arc<MachineClock>,
    pub(super) events: EventChannel,
    pub(super) authority: Arc<Authority>,
    pub(super) answering: Arc<Answering>,
    pub(super) watched: Arc<Watched>,
    shelf: Arc<Shelf>,
    shelf_keeper: ShelfKeeper,
    /// The keys to the API, as HTTP knows them.
    api_keys: Arc<RwLock<Arc<ApiKeys>>>,
    /// What judgements rest on, where this server verifies.
    held_keeper: RwLock<Option<HeldKeeper>>,
}

/// The signals that are heard from the beginning: one that comes during the start waits until it can be followed.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, ServeError> {
        let listen =
            |kind| signal(kind).map_err(|source| ServeError::System { doing: "listening for signals", source });
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Anything that serving needs and that is not there at the start; afterwards it refuses requests instead of ending.
pub fn serve(configuration: Configuration) -> Result<(), ServeError> {
    observability::start_log(&configuration.log).map_err(ServeError::Observability)?;
    let metrics =
        observability::start_metrics().map_err(|error| ServeError::Observability(format!("metrics: {error}")))?;
    let descriptor_limit = raise_descriptor_limit();
    let addresses = configuration.http.addresses()?;
    let system = actix_web::rt::System::new();
    let signals = system.block_on(async { Signals::listen() })?;

    let (server, recorder) = Server::start(Installation::with(configuration)?)?;
    let server = Arc::new(server);
    let result = server.begin().and_then(|()| {
        server
            .answering
            .follow(&server)
            .map_err(|source| ServeError::System { doing: "starting to follow certificates' changes", source })?;
        // The store blocks, so not from within the runtime.
        let installation = server.installation();
        let verification = server.start_verifying(&installation)?;
        system.block_on(async {
            let configuration = &installation.configuration;
            let tls = configuration.http.tls.as_ref();
            let tls = tls.map(|section| TlsIdentity::read(section, |path| configuration.path(path)));
            let services = http::server::share(Services {
                settings: configuration.http.clone(),
                tls: tls.transpose().map_err(StartError::from)?,
                public_url: configuration.public_url.clone(),
                authority: Arc::clone(&server.authority),
                responder: Arc::clone(&server.answering.responder),
                shelf: Arc::clone(&server.shelf),
                callers: RwLock::new(Arc::new(callers(configuration))),
                api_keys: Arc::clone(&server.api_keys),
                registry: Arc::new(installation.registry(Arc::clone(&server.ledger))),
                verification,
                limits: Limits::new(&configuration.http),
                readiness: Box::new(SharedReadiness(Arc::clone(&server.watched))),
                render_metrics: Box::new(move || metrics.render()),
                is_leaving: AtomicBool::new(false),
            });
            let limits = services.clone();
            actix_web::rt::spawn(async move {
                loop {
                    tokio::time::sleep(FORGET_INTERVAL).await;
                    limits.limits.forget_idle();
                    let registry = Arc::clone(&limits.registry);
                    drop(web::block(move || forget_claims(&registry)).await);
                }
            });
            let running =
                http::server::start(services.clone(), &addresses, descriptor_limit, |path| configuration.path(path))?;
            tracing::info!(listen = ?addresses, url = %configuration.public_url, "serving");
            server.run(running, signals, services).await
        })
    });
    server.stop(recorder, &result);
    result
}

/// Requests that may come twice are remembered for a day.
fn forget_claims(registry: &Registry) {
    let Ok(now_s) = now_s() else { return };
    if let Err(error) = registry.store().forget_idempotency((now_s - CLAIM_S) * 1_000_000) {
        tracing::warn!(%error, "old Idempotency-Keys could not be forgotten");
    }
}

/// Where others' CRLs are kept: each server has its own copies.
pub(super) fn external_crl_cache(configuration: &Configuration) -> PathBuf {
    configuration.directory.join("cache").join("external-crls")
}

fn callers(configuration: &Configuration) -> Callers {
    Callers::new(&configuration.caller, &configuration.http.trusted_proxies)
}

impl Server {
    /// Starts the parts; nothing is served yet.
    fn start(installation: Installation) -> Result<(Self, Recorder), ServeError> {
        if installation.configuration.tsa.is_empty() {
            return Err(ServeError::NoProfile);
        }
        let ledger = installation.ledger(Purpose::Serve)?;
        ledger.record_event(Event::new(
            "server-started",
            json!({ "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id() }),
        ))?;
        let system = |doing| move |source| ServeError::System { doing, source };
        adoption::adopt(&installation, &installation.registry(Arc::clone(&ledger)))?;
        let (events, recorder) =
            EventChannel::start(Arc::clone(&ledger)).map_err(system("starting the event recorder"))?;
        let clock_events = events.clone();
        let clock = MachineClock::start(
            installation.configuration.clock.settings(),
            Arc::new(move |event: ClockEvent| {
                // The clock logs its events itself, each at its level.
                clock_events.send(Event::new("clock", json!({ "event": event.to_string() })));
            }),
        )?;
        let trusted_clock: Arc<dyn Clock> = clock.clone();
        let authority = Authority::new(Deps { clock: trusted_clock.clone(), ledger: Arc::clone(&ledger) });
        let responder = Responder::new(ocsp::Deps {
            clock: trusted_clock.clone(),
            store: Arc::clone(&installation.store),
            cache_octets: installation.configuration.ocsp.cache_octets(),
        })
        .map_err(system("starting the OCSP responder"))?;
        let holder = format!("server {}", ledger.health().server_id);
        let shelf = Arc::new(Shelf::new(installation.configuration.directory.join("cache").join("crls")));
        let shelf_keeper = ShelfKeeper::start(Arc::clone(&shelf), Arc::clone(&installation.store))
            .map_err(system("starting to fetch published CRLs"))?;
        let mirror = Mirror::start(MirrorDeps {
            directory: external_crl_cache(&installation.configuration),
            clock: trusted_clock.clone(),
            limits: FetchLimits::default(),
        })
        .map_err(system("starting to fetch CRLs"))?;
        let answering =
            Answering::new(responder, holder, mirror).map_err(system("starting to sign OCSP answers ahead"))?;
        let watched = Arc::new(Watched {
            clock: trusted_clock,
            ledger: Arc::clone(&ledger),
            answering: Arc::clone(&answering),
            shelf: Arc::clone(&shelf),
            pool: RwLock::new(None),
            software_tier: tier_is_software(&installation.configuration),
            profiles: RwLock::new(Vec::new()),
        });
        let installation = RwLock::new(Arc::new(installation));
        Ok((
            Self {
                installation,
                reloading: Mutex::new(()),
                ledger,
                clock,
                events,
                authority,
                answering,
                watched,
                shelf,
                shelf_keeper,
                api_keys: Arc::default(),
                held_keeper: RwLock::default(),
            },
            recorder,
        ))
    }

    /// Loads what is to be served.
    fn begin(&self) -> Result<(), ServeError> {
        let installation = self.installation();
        self.read_api_keys(&installation)?;
        self.load(&installation, Successors::Wait)?;
        let waits = installation.store.keys()?.iter().any(|key| key.state == KeyState::Successor);
        if waits {
            if !self.token_is_ready() {
                tracing::warn!("a successor waits, and the token does not answer: send SIGHUP when it is back");
            } else if let Err(error) = self.load(&installation, Successors::TakeOver) {
                tracing::error!(%error, "a successor could not take over; the key before it serves");
            }
        }
        Ok(())
    }

    /// Starts to verify, where that is configured.
    fn start_verifying(&self, installation: &Installation) -> Result<Option<Verification>, ServeError> {
        let section = &installation.configuration.verification;
        if !section.enabled {
            return Ok(None);
        }
        let prepared = verifying::prepare(&installation.configuration, &installation.store)?;
        prepared.warn();
        let system = |doing| move |source| ServeError::System { doing, source };
        let service = VerificationService::start(prepared.verifier, section.threads(), section.queue)
            .map_err(system("starting to verify"))?;
        let parts = OwnParts {
            authority: Arc::clone(&self.authority),
            answering: Arc::clone(&self.answering),
            shelf: Arc::clone(&self.shelf),
        };
        let keeper = HeldKeeper::start(Arc::clone(&service), parts, prepared.held)
            .map_err(system("starting to follow what judgements rest on"))?;
        *self.held_keeper.write().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
        Ok(Some(Verification::new(section.clone(), service)))
    }

    /// Reads the keys to the API: new ones open, revoked ones no longer do.
    pub(super) fn read_api_keys(&self, installation: &Installation) -> Result<(), StoreError> {
        let rows = installation.store.api_keys()?;
        let keys = ApiKeys::new(&rows, |name| installation.configuration.caller.contains_key(name));
        let mut known = self.api_keys.write().unwrap_or_else(PoisonError::into_inner);
        if **known != keys {
            *known = Arc::new(keys);
        }
        Ok(())
    }

    pub(super) fn one_reload(&self) -> std::sync::MutexGuard<'_, ()> {
        self.reloading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn installation(&self) -> Arc<Installation> {
        Arc::clone(&self.installation.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads noonmark.toml's profiles and callers and the store's keys again; what is not in order leaves all as it was.
    fn reload(&self, services: &Services) {
        let _one_at_a_time = self.one_reload();
        match self.try_reload(services) {
            Ok(()) => tracing::info!("reloaded"),
            Err(error) => {
                tracing::error!(%error, "the reload failed; what was served before is still served");
                self.events.send(Event::new("reload-failed", json!({ "reason": error.to_string(), "who": "serve" })));
            }
        }
    }

    fn try_reload(&self, services: &Services) -> Result<(), ServeError> {
        let before = self.installation();
        let configuration = Configuration::load(&before.configuration.directory)?;
        if configuration.tsa.is_empty() {
            return Err(ServeError::NoProfile);
        }
        warn_of_what_needs_a_restart(&before.configuration, &configuration);
        let after = Arc::new(Installation { configuration, store: Arc::clone(&before.store) });
        let renewed = services.tls.as_ref().map(|tls| tls.read_again()).transpose().map_err(StartError::from)?;
        let keeper = self.held_keeper.read().unwrap_or_else(PoisonError::into_inner);
        let verifying = keeper
            .as_ref()
            .map(|keeper| verifying::prepare(&after.configuration, &after.store).map(|prepared| (keeper, prepared)));
        let verifying = verifying.transpose()?;
        self.load(&after, Successors::TakeOver)?;
        if let Some((keeper, prepared)) = verifying {
            prepared.warn();
            keeper.exchange(prepared);
        }
        if let Some((tls, renewed)) = services.tls.as_ref().zip(renewed) {
            tls.exchange(renewed);
        }
        services.set_callers(Callers::new(
            &after.configuration.caller,
            // A proxy is believed by the section that says where to listen, which needs a restart.
            &before.configuration.http.trusted_proxies,
        ));
        *self.installation.write().unwrap_or_else(PoisonError::into_inner) = after;
        Ok(())
    }

    async fn run(
        self: &Arc<Self>,
        running: actix_web::dev::Server,
        mut signals: Signals,
        services: web::Data<Services>,
    ) -> Result<(), ServeError> {
        let handle = running.handle();
        let mut running = std::pin::pin!(running);
        loop {
            tokio::select! {
                ended = &mut running => {
                    return ended.map_err(|source| ServeError::System { doing: "the HTTP server", source });
                }
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                _ = signals.hangup.recv() => {
                    // Store and token are asked, and both block.
                    let (server, services) = (Arc::clone(self), services.clone());
                    drop(tokio::task::spawn_blocking(move || server.reload(&services)));
                }
            }
        }
        tracing::info!("stopping: answers under way are finished");
        // A request that stands in a kept connection and was not read yet would be lost: for a moment every answer asks
        // its client to close.
        services.is_leaving.store(true, Ordering::Relaxed);
        tokio::time::sleep(LEAVING).await;
        let stop = handle.stop(true);
        tokio::select! {
            () = stop => {}
            _ = &mut running => {}
        }
        Ok(())
    }

    /// In the reverse order of the start; what is under way is finished.
    fn stop(&self, recorder: Recorder, result: &Result<(), ServeError>) {
        if let Some(keeper) = self.held_keeper.write().unwrap_or_else(PoisonError::into_inner).take() {
            keeper.stop();
        }
        // Before the lock: its thread may be about to reload.
        self.answering.stop();
        self.shelf_keeper.stop();
        // A reload that is under way finishes first: it must not find half a server.
        let _no_reload = self.one_reload();
        let pool = self.watched.pool.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(pool) = pool {
            pool.stop();
        }
        self.clock.stop();
        let reason = result.as_ref().err().map(ToString::to_string);
        self.events.send(Event::new("server-stopped", json!({ "pid": std::process::id(), "failure": reason })));
        self.events.close();
        recorder.join();
        self.ledger.stop();
        tracing::info!("stopped");
    }
}

/// Sections that SIGHUP does not read again; a change in them must not go unnoticed.
fn warn_of_what_needs_a_restart(before: &Configuration, after: &Configuration) {
    // --listen may have replaced the file's word, so listeners are left out.
    let http = |configuration: &Configuration| HttpSection { listen: Vec::new(), ..configuration.http.clone() };
    let changed: Vec<&str> = [
        ("[http]", http(before) != http(after)),
        ("[store]", before.store != after.store),
        ("[clock]", before.clock != after.clock),
        ("[ocsp]", before.ocsp != after.ocsp),
        ("[verification]", !before.verification.differs_in_files_only(&after.verification)),
        ("[log]", before.log != after.log),
        ("[token]", before.token != after.token),
        ("[module_environment]", before.module_environment != after.module_environment),
        ("public_url", before.public_url != after.public_url),
    ]
    .into_iter()
    .filter_map(|(section, changed)| changed.then_some(section))
    .collect();
    if !changed.is_empty() {
        tracing::warn!(sections = changed.join(", "), "changed, and read at the next start only");
    }
}

/// Raises the limit on open files to what the system allows, and gives it.
fn raise_descriptor_limit() -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit on open files could not be raised");
        1_024
    });
    usize::try_from(limit).unwrap_or(usize::MAX)
}
