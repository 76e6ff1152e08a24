//! `serve`: everything started in order, reloaded on SIGHUP, stopped in the reverse order.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::events::{EventChannel, Recorder};
use super::installation::{Installation, InstallationError, Purpose};
use super::lifecycle::{self, LifecycleError};
use super::observability;
use super::readiness::{SharedReadiness, Watched, tier_is_software};
use super::units::{self, Candidate, UnitFault, tsu_role};
use crate::clock::{Clock, ClockEvent, ClockStartError, MachineClock};
use crate::config::{Configuration, ConfigurationError};
use crate::http::server::StartError;
use crate::http::{self, Callers, Limits, Services};
use crate::keys::{KeyError, KeyEvent, Pool};
use crate::ledger::{Event, Ledger, LedgerError};
use crate::store::{KeyState, StoreError};
use crate::tsa::{Authority, AuthoritySettings, Deps};

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

/// Between two clean-ups of callers that went away.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// The running parts.
struct Server {
    installation: RwLock<Arc<Installation>>,
    ledger: Arc<Ledger>,
    clock: Arc<MachineClock>,
    events: EventChannel,
    authority: Arc<Authority>,
    watched: Arc<Watched>,
    callers: Arc<RwLock<Callers>>,
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
    let http_settings = configuration.http.clone();
    let installation = Installation::with(configuration)?;
    let (server, recorder) = Server::start(installation)?;
    let server = Arc::new(server);
    let issuers = server.issuers()?;

    let system = actix_web::rt::System::new();
    let result = system.block_on(async {
        let installation = server.installation();
        let configuration = &installation.configuration;
        let services = http::server::share(Services {
            settings: http_settings,
            public_url: configuration.public_url.clone(),
            authority: Arc::clone(&server.authority),
            callers: Arc::clone(&server.callers),
            limits: Limits::new(&configuration.http),
            readiness: Box::new(SharedReadiness(Arc::clone(&server.watched))),
            render_metrics: Box::new(move || metrics.render()),
            issuers: RwLock::new(issuers),
        });
        let limits = services.clone();
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(FORGET_INTERVAL).await;
                limits.limits.forget_idle();
            }
        });
        let running = http::server::start(services, &addresses, descriptor_limit, |path| configuration.path(path))?;
        tracing::info!(listen = ?addresses, url = %configuration.public_url, "serving");
        server.run(running).await
    });
    server.stop(recorder);
    result
}

impl Server {
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
        let (events, recorder) =
            EventChannel::start(Arc::clone(&ledger)).map_err(system("starting the event recorder"))?;
        let clock_events = events.clone();
        let clock = MachineClock::start(
            installation.configuration.clock.settings(),
            Arc::new(move |event: ClockEvent| {
                tracing::warn!(%event, "clock");
                clock_events.send(Event::new("clock", json!({ "event": event.to_string() })));
            }),
        )?;
        let authority =
            Authority::new(Deps { clock: Arc::clone(&clock) as Arc<dyn Clock>, ledger: Arc::clone(&ledger) });
        let watched = Arc::new(Watched {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ledger: Arc::clone(&ledger),
            pool: RwLock::new(None),
            software_tier: tier_is_software(&installation.configuration),
            profiles: RwLock::new(Vec::new()),
        });
        let server = Self {
            installation: RwLock::new(Arc::new(installation)),
            ledger,
            clock,
            events,
            authority,
            watched,
            callers: Arc::default(),
        };
        server.load()?;
        Ok((server, recorder))
    }

    fn installation(&self) -> Arc<Installation> {
        Arc::clone(&self.installation.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn issuers(&self) -> Result<std::collections::BTreeMap<String, Vec<u8>>, ServeError> {
        let installation = self.installation();
        let rows = installation.store.certificates()?;
        let issuers = rows.into_iter().filter_map(|row| match row.role.as_str() {
            "root" => Some(("root".to_owned(), row.der)),
            role => role.strip_prefix("ca:").map(|name| (name.to_owned(), row.der)),
        });
        Ok(issuers.collect())
    }

    /// Reads keys and profiles, lets successors take over, and serves what is in order.
    ///
    /// At least one profile must be; each other is refused with its reason in `/readyz`.
    fn load(&self) -> Result<(), ServeError> {
        let installation = self.installation();
        self.publish_profiles(&installation)?;
        let now_s = lifecycle::now_s()?;
        let mut profiles = Vec::new();
        for name in installation.configuration.tsa.keys() {
            self.promote_successor(&installation, name)?;
            profiles.push((name.clone(), installation.unit_candidate(name, now_s)));
        }
        let usable: Vec<&Candidate> = profiles.iter().filter_map(|(_, unit)| unit.as_ref().ok()).collect();
        if usable.is_empty()
            && let Some((_, Err(fault))) = profiles.first()
        {
            return Err(fault.clone().into());
        }
        let pool = self.hold_keys(&installation, &usable)?;
        let mut served = Vec::new();
        for (name, unit) in &profiles {
            match unit {
                Ok(candidate) => {
                    let profile = installation.configuration.tsa[name].profile(name)?;
                    let times = profile.ordering.then(|| installation.store.ordered_times());
                    served.push(AuthoritySettings { profile, unit: units::unit(candidate, &pool)?, times });
                }
                Err(fault) => tracing::error!(profile = name, %fault, "a profile is not served"),
            }
        }
        let configuration = &installation.configuration;
        *self.callers.write().unwrap_or_else(PoisonError::into_inner) =
            Callers::new(&configuration.caller, &configuration.http.trusted_proxies);
        self.authority.serve(served);
        *self.watched.profiles.write().unwrap_or_else(PoisonError::into_inner) = profiles;
        Ok(())
    }

    fn hold_keys(&self, installation: &Installation, usable: &[&Candidate]) -> Result<Arc<Pool>, ServeError> {
        let specs = usable.iter().map(|candidate| candidate.spec()).collect::<Result<Vec<_>, _>>()?;
        let mut slot = self.watched.pool.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = slot.as_ref() {
            pool.set_keys(specs)?;
            return Ok(Arc::clone(pool));
        }
        let events = self.events.clone();
        let pool = Pool::start(
            installation.configuration.token_settings("service")?,
            specs,
            Arc::new(move |event: KeyEvent| {
                tracing::warn!(%event, "token");
                events.send(Event::new("token", json!({ "token": "service", "event": event.to_string() })));
            }),
        )?;
        *slot = Some(Arc::clone(&pool));
        Ok(pool)
    }

    /// The active key retires and its successor takes over, each recorded before it counts.
    fn promote_successor(&self, installation: &Installation, profile: &str) -> Result<(), ServeError> {
        let role = tsu_role(profile);
        let Some(successor) = installation.key_in_state(&role, KeyState::Successor)? else { return Ok(()) };
        // A successor that could not serve must not retire a key that can.
        let section = &installation.configuration.tsa[profile];
        installation.candidate(successor.clone(), section.rsa_padding)?;
        let record = |key: &str, before: KeyState, after: KeyState| {
            self.ledger.record_event(Event::new(
                "key-state-changed",
                json!({ "key": key, "role": role, "before": before.name(), "after": after.name(), "who": "serve" }),
            ))
        };
        if let Some(active) = installation.key_in_state(&role, KeyState::Active)? {
            record(&active.name, KeyState::Active, KeyState::Retired)?;
            installation.store.change_key_state(&active.name, KeyState::Active, KeyState::Retired)?;
        }
        record(&successor.name, KeyState::Successor, KeyState::Active)?;
        installation.store.change_key_state(&successor.name, KeyState::Successor, KeyState::Active)?;
        tracing::info!(profile, key = successor.name, "a successor took over");
        Ok(())
    }

    /// Writes the profiles to the store; a changed one is an event with the old and the new text (CSBR 5.4.1.2).
    fn publish_profiles(&self, installation: &Installation) -> Result<(), ServeError> {
        for (name, section) in &installation.configuration.tsa {
            let text = toml::to_string(section).map_err(|error| ServeError::Observability(error.to_string()))?;
            let before = installation.store.profile(name)?.map(|row| row.text);
            if before.as_deref() == Some(text.as_str()) {
                continue;
            }
            self.ledger.record_event(Event::new(
                "profile-changed",
                json!({ "profile": name, "before": before, "after": text }),
            ))?;
            installation.store.put_profile(name, &text)?;
        }
        Ok(())
    }

    /// Reads noonmark.toml's profiles and the store's keys again; what is not in order leaves all as it was.
    fn reload(&self) {
        let before = self.installation();
        let reloaded =
            Configuration::load(&before.configuration.directory).map_err(ServeError::from).and_then(|configuration| {
                *self.installation.write().unwrap_or_else(PoisonError::into_inner) =
                    Arc::new(Installation { configuration, store: Arc::clone(&before.store) });
                self.load()
            });
        match reloaded {
            Ok(()) => tracing::info!("reloaded"),
            Err(error) => {
                *self.installation.write().unwrap_or_else(PoisonError::into_inner) = before;
                tracing::error!(%error, "the reload failed; what was served before is still served");
            }
        }
    }

    async fn run(self: &Arc<Self>, running: actix_web::dev::Server) -> Result<(), ServeError> {
        let system = |doing| move |source| ServeError::System { doing, source };
        let listen = |kind| -> Result<Signal, ServeError> { signal(kind).map_err(system("listening for signals")) };
        let (mut terminate, mut interrupt, mut hangup) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
        let handle = running.handle();
        let mut running = std::pin::pin!(running);
        loop {
            tokio::select! {
                ended = &mut running => return ended.map_err(system("the HTTP server")),
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => {
                    // Store and token are asked, and both block.
                    let server = Arc::clone(self);
                    drop(tokio::task::spawn_blocking(move || server.reload()));
                }
            }
        }
        tracing::info!("stopping: answers under way are finished");
        let stop = handle.stop(true);
        tokio::select! {
            () = stop => {}
            _ = &mut running => {}
        }
        Ok(())
    }

    /// In the reverse order of the start; what is under way is finished.
    fn stop(&self, recorder: Recorder) {
        if let Some(pool) = self.watched.pool.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            pool.stop();
        }
        self.clock.stop();
        self.events.send(Event::new("server-stopped", json!({ "pid": std::process::id() })));
        self.events.close();
        recorder.join();
        self.ledger.stop();
        tracing::info!("stopped");
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
