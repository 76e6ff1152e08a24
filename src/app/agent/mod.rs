//! `ca-agent`: the process that opens the ca token while the server runs. It issues what officers asked for, renews what
//! is due, and makes CRLs.
//!
//! What it does passes through the store; this process listens nowhere. One agent works at a time, by a lease: a second
//! one waits and takes over when the first is gone.

mod crls;
mod orders;
mod renewals;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::adoption;
use super::answering::AGENT_DUTY;
use super::installation::{Installation, InstallationError, Purpose};
use super::lifecycle::LifecycleError;
use super::observability;
use crate::ca::registry::{Registry, RegistryError};
use crate::config::Configuration;
use crate::ledger::{Event, LedgerError};
use crate::store::{ChangeWatch, StoreError};

/// How often the agent looks without being told.
const LOOK: Duration = Duration::from_secs(1);
/// How long the duty stays with an agent that says nothing.
const LEASE_S: i64 = 15;
/// How often the duty is renewed.
const RENEW_LEASE: Duration = Duration::from_secs(3);
/// How often certificates are looked through for those that are due.
const RENEWALS: Duration = Duration::from_secs(30);
/// How long to wait when the store or the token is away.
const PAUSE: Duration = Duration::from_secs(2);

/// Why the agent ends other than by a stop that was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The installation.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The ca token, or a certificate.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger refused the record of the start.
    #[error("the start could not be recorded: {0}")]
    Ledger(#[from] LedgerError),
    /// The log.
    #[error("{0}")]
    Observability(String),
    /// No ca token in the configuration.
    #[error("noonmark.toml has no [token.ca]: this installation has no CA of its own, and nothing for the agent to do")]
    NoToken,
    /// An order for which nobody waits any more.
    #[error("the order is minutes old and nobody waits for it any more; ask again")]
    OldOrder,
    /// A task that this agent does not know.
    #[error("a task of kind {kind:?}, which this agent does not know: is it older than the server?")]
    UnknownTask {
        /// Its kind.
        kind: String,
    },
    /// The system refuses.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What it says.
        source: std::io::Error,
    },
}

/// Works until SIGTERM or SIGINT.
///
/// # Errors
/// Anything that is not there at the start; afterwards it waits for what went away.
pub fn run(configuration: Configuration) -> Result<(), AgentError> {
    observability::start_log(&configuration.log).map_err(AgentError::Observability)?;
    if !configuration.token.contains_key("ca") {
        return Err(AgentError::NoToken);
    }
    let stopping = Arc::new(AtomicBool::new(false));
    hear_signals(&stopping)?;
    let installation = Installation::with(configuration)?;
    let ledger = installation.ledger(Purpose::Agent)?;
    let pid = std::process::id();
    ledger.record_event(Event::new("agent-started", json!({ "version": env!("CARGO_PKG_VERSION"), "pid": pid })))?;
    let registry = installation.registry(Arc::clone(&ledger));
    let agent = Agent {
        holder: format!("agent {pid} of chain {}", ledger.health().server_id),
        installation,
        registry,
        crls: RefCell::default(),
        duty: Cell::new(None),
        stopping,
    };
    agent.work();
    if let Err(error) = agent.installation.store.release_lease(AGENT_DUTY, &agent.holder) {
        tracing::warn!(%error, "the agent's duty could not be given back; it runs out by itself");
    }
    let stopped = ledger.record_event(Event::new("agent-stopped", json!({ "pid": pid })));
    ledger.stop();
    tracing::info!("stopped");
    Ok(stopped.map(drop)?)
}

/// From a thread of its own: the agent's work waits for tokens and databases.
fn hear_signals(stopping: &Arc<AtomicBool>) -> Result<(), AgentError> {
    let system = |doing| move |source| AgentError::System { doing, source };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("starting the signal handler"))?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::terminate()).map_err(system("listening for signals"))?,
            signal(SignalKind::interrupt()).map_err(system("listening for signals"))?,
        )
    };
    let stopping = Arc::clone(stopping);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            });
            stopping.store(true, Ordering::Relaxed);
        })
        .map_err(system("starting the signal handler"))?;
    Ok(())
}

/// The agent at work.
pub(super) struct Agent {
    pub(super) holder: String,
    pub(super) installation: Installation,
    pub(super) registry: Registry,
    crls: RefCell<crls::CrlDesk>,
    /// When the duty was renewed last; None while it is somebody else's, or not known to be this agent's.
    duty: Cell<Option<Instant>>,
    stopping: Arc<AtomicBool>,
}

impl Agent {
    fn work(&self) {
        let mut watch: Option<ChangeWatch> = None;
        let mut looked: Option<Instant> = None;
        let mut is_silent = false;
        while !self.is_stopping() {
            let turn = self.turn(&mut looked);
            match turn {
                Ok(true) => {
                    if std::mem::take(&mut is_silent) {
                        tracing::info!("the agent works");
                    }
                }
                Ok(false) => {
                    if !std::mem::replace(&mut is_silent, true) {
                        tracing::warn!("another ca-agent works on this store; this one waits for its turn");
                    }
                }
                Err(error) => {
                    self.duty.set(None);
                    if !std::mem::replace(&mut is_silent, true) {
                        tracing::error!(%error, "the agent can't work; it goes on trying");
                    }
                    std::thread::sleep(PAUSE);
                }
            }
            if watch.is_none() {
                watch = self.installation.store.watch_changes().ok();
            }
            match &mut watch {
                // One that lost its connection makes a new one at its next wait.
                Some(watch) => drop(watch.wait(LOOK)),
                None => std::thread::sleep(LOOK),
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Renews the duty if it is time; false if another agent has it. Whatever takes long asks between its steps.
    fn keep_duty(&self) -> Result<bool, StoreError> {
        if self.duty.get().is_some_and(|renewed| renewed.elapsed() <= RENEW_LEASE) {
            return Ok(true);
        }
        let is_ours = self.installation.store.take_lease(AGENT_DUTY, &self.holder, LEASE_S)?;
        self.duty.set(is_ours.then(Instant::now));
        Ok(is_ours)
    }

    /// One look at what there is to do; false if another agent has the duty.
    fn turn(&self, looked: &mut Option<Instant>) -> Result<bool, AgentError> {
        let is_new = self.duty.get().is_none();
        if !self.keep_duty()? {
            return Ok(false);
        }
        if is_new {
            adoption::adopt(&self.installation, &self.registry)?;
            tracing::info!("the ca-agent is at work");
        }
        // An order that can't be worked on must not let responders' certificates run out.
        let worked = self.work_orders();
        let published = self.publish_due();
        if looked.is_none_or(|looked| looked.elapsed() > RENEWALS) {
            *looked = Some(Instant::now());
            self.renew()?;
        }
        worked.and(published).map(|()| true)
    }
}
