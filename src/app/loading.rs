//! What a server serves: planned from configuration and store, proven by the token, recorded, and only then served.
//!
//! The order is what makes a reload safe: until the ledger has every record nothing has changed, neither in the store
//! nor for a client. A step that fails leaves what was served before.

use std::sync::{Arc, PoisonError};

use serde_json::json;

use super::installation::Installation;
use super::lifecycle;
use super::serving::{ServeError, Server};
use super::units::{self, Candidate, UnitFault, tsu_role};
use crate::config::CallerSection;
use crate::crypto::DigestAlgorithm;
use crate::keys::{KeyEvent, Pool, PoolState};
use crate::ledger::Event;
use crate::store::{KeyRow, KeyState, StoreError};
use crate::tsa::AuthoritySettings;

/// Whether waiting successors take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Successors {
    /// Only where no active key can serve: the token has not answered yet.
    Wait,
    /// Each that can serve.
    TakeOver,
}

/// A profile with the key that is to serve it.
struct Planned {
    name: String,
    unit: Result<Candidate, UnitFault>,
    promotion: Option<Promotion>,
}

/// A successor takes over from the active key, if there is one.
struct Promotion {
    successor: KeyRow,
    active: Option<KeyRow>,
}

/// A profile whose text is not the stored one.
struct ProfileChange {
    name: String,
    before: Option<String>,
    after: String,
}

impl Server {
    /// Reads keys and profiles, lets successors take over, and serves what is in order.
    ///
    /// At least one profile must be; each other is refused with its reason in `/readyz`.
    pub(super) fn load(&self, installation: &Arc<Installation>, successors: Successors) -> Result<(), ServeError> {
        let planned = plan(installation, successors)?;
        for (profile, caller) in installation.unknown_callers()? {
            tracing::warn!(profile, caller, "a profile's caller has neither a [caller.NAME] section nor an API key");
        }
        let usable: Vec<&Candidate> = planned.iter().filter_map(|plan| plan.unit.as_ref().ok()).collect();
        if usable.is_empty()
            && let Some(Err(fault)) = planned.first().map(|plan| &plan.unit)
        {
            return Err(fault.clone().into());
        }
        let (issuers, catalog) = installation.issuer_plans(lifecycle::now_s()?)?;
        let held: Vec<&Candidate> =
            usable.iter().copied().chain(issuers.iter().flat_map(|plan| plan.responders())).collect();
        let pool = self.hold_keys(installation, &held)?;
        let done = self
            .serve_planned(installation, planned, &pool)
            .and_then(|()| self.answering.serve(installation, (issuers, catalog), &pool));
        if done.is_err() {
            self.hold_former_keys(&pool);
        }
        done
    }

    fn serve_planned(
        &self,
        installation: &Arc<Installation>,
        planned: Vec<Planned>,
        pool: &Arc<Pool>,
    ) -> Result<(), ServeError> {
        let mut served = Vec::new();
        for plan in &planned {
            match &plan.unit {
                Ok(candidate) => {
                    let profile = installation.configuration.tsa[&plan.name].profile(&plan.name)?;
                    let times = profile.ordering.then(|| installation.store.ordered_times());
                    served.push(AuthoritySettings { profile, unit: units::unit(candidate, pool)?, times });
                }
                Err(fault) => tracing::error!(profile = plan.name, %fault, "a profile is not served"),
            }
        }
        let changes = profile_changes(installation)?;

        for change in &changes {
            self.ledger.record_event(Event::new(
                "profile-changed",
                json!({ "profile": change.name, "before": change.before, "after": change.after, "who": "serve" }),
            ))?;
        }
        for promotion in planned.iter().filter_map(|plan| plan.promotion.as_ref()) {
            self.ledger.record_event(promotion.event())?;
        }
        self.ledger.record_event(configuration_event(installation, &planned))?;

        for change in &changes {
            installation.store.put_profile(&change.name, &change.after)?;
        }
        for promotion in planned.iter().filter_map(|plan| plan.promotion.as_ref()) {
            promotion.apply(installation)?;
        }
        self.authority.serve(served);
        *self.watched.profiles.write().unwrap_or_else(PoisonError::into_inner) =
            planned.into_iter().map(|plan| (plan.name, plan.unit)).collect();
        Ok(())
    }

    /// The pool with these keys, each proven to be its certificate's if the token answers.
    fn hold_keys(&self, installation: &Installation, usable: &[&Candidate]) -> Result<Arc<Pool>, ServeError> {
        let specs = usable.iter().map(|candidate| candidate.spec()).collect::<Result<Vec<_>, _>>()?;
        let former = self.watched.pool.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(pool) = former {
            pool.set_keys(specs)?;
            return Ok(pool);
        }
        let events = self.events.clone();
        let pool = Pool::start(
            installation.configuration.token_settings("service")?,
            specs,
            Arc::new(move |event: KeyEvent| {
                if is_bad_news(&event) {
                    tracing::warn!(%event, "token");
                } else {
                    tracing::info!(%event, "token");
                }
                events.send(Event::new("token", json!({ "token": "service", "event": event.to_string() })));
            }),
        )?;
        *self.watched.pool.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&pool));
        // A token that is away may come back; one that has another key than its certificate says must not serve.
        if let Some(error) = pool.health().last_error
            && error.key_at_fault
        {
            return Err(UnitFault::Token { reason: error.reason }.into());
        }
        Ok(pool)
    }

    /// Reads issuers and responders again, beside profiles that stay as they are.
    pub(super) fn reload_responders(&self, installation: &Installation) -> Result<(), ServeError> {
        let _one_at_a_time = self.one_reload();
        let (issuers, catalog) = installation.issuer_plans(lifecycle::now_s()?)?;
        let profiles: Vec<Candidate> = {
            let profiles = self.watched.profiles.read().unwrap_or_else(PoisonError::into_inner);
            profiles.iter().filter_map(|(_, unit)| unit.as_ref().ok().cloned()).collect()
        };
        let held: Vec<&Candidate> = profiles.iter().chain(issuers.iter().flat_map(|plan| plan.responders())).collect();
        let pool = self.hold_keys(installation, &held)?;
        let done = self.answering.serve(installation, (issuers, catalog), &pool);
        if done.is_err() {
            self.hold_former_keys(&pool);
        }
        done
    }

    fn hold_former_keys(&self, pool: &Pool) {
        let profiles = self.watched.profiles.read().unwrap_or_else(PoisonError::into_inner);
        let issuers = self.answering.plans();
        let responders = issuers.iter().flat_map(|plan| plan.responders());
        let specs: Result<Vec<_>, _> =
            profiles.iter().filter_map(|(_, unit)| unit.as_ref().ok()).chain(responders).map(Candidate::spec).collect();
        drop(profiles);
        // Jobs find their key by themselves; this keeps the pool's challenges to the keys that serve.
        match specs {
            Ok(specs) if specs.is_empty() => {}
            Ok(specs) => {
                if let Err(error) = pool.set_keys(specs) {
                    tracing::error!(%error, "the keys that were held before could not be held again");
                }
            }
            Err(fault) => tracing::error!(%fault, "the keys that were held before could not be held again"),
        }
    }

    /// Whether the token answers, so that a successor can prove itself.
    pub(super) fn token_is_ready(&self) -> bool {
        let pool = self.watched.pool.read().unwrap_or_else(PoisonError::into_inner);
        pool.as_ref().is_some_and(|pool| pool.health().state == PoolState::Ready)
    }
}

impl Installation {
    /// Profiles' callers who can't show themselves: neither noonmark.toml nor an API key knows their name.
    pub(super) fn unknown_callers(&self) -> Result<Vec<(String, String)>, StoreError> {
        let keys = self.store.api_keys()?;
        let is_known = |name: &String| {
            self.configuration.caller.contains_key(name)
                || keys.iter().any(|key| key.name == *name && key.revoked_at_us.is_none())
        };
        let mut unknown = Vec::new();
        for (profile, section) in &self.configuration.tsa {
            let callers = section.callers.iter().filter(|name| !is_known(name));
            unknown.extend(callers.map(|name| (profile.clone(), name.clone())));
        }
        Ok(unknown)
    }
}

fn plan(installation: &Installation, successors: Successors) -> Result<Vec<Planned>, ServeError> {
    let now_s = lifecycle::now_s()?;
    let mut planned = Vec::new();
    for name in installation.configuration.tsa.keys() {
        let active = installation.unit_candidate(name, now_s);
        let role = tsu_role(name);
        let waiting = installation.key_in_state(&role, KeyState::Successor)?;
        let (unit, promotion) = match waiting {
            Some(row) if successors == Successors::TakeOver || active.is_err() => {
                match (installation.usable(row.clone(), name, now_s), active) {
                    (Ok(candidate), _) => {
                        let active = installation.key_in_state(&role, KeyState::Active)?;
                        (Ok(candidate), Some(Promotion { successor: row, active }))
                    }
                    // A successor that could not serve must not retire a key that can.
                    (Err(fault), Ok(mut candidate)) => {
                        tracing::error!(profile = name, %fault, "the successor can't take over");
                        candidate.successor_fault = Some(format!("the successor can't take over: {fault}"));
                        (Ok(candidate), None)
                    }
                    (Err(_), Err(fault)) => (Err(fault), None),
                }
            }
            _ => (active, None),
        };
        planned.push(Planned { name: name.clone(), unit, promotion });
    }
    Ok(planned)
}

/// Profiles whose text is not the stored one; each is an event with the old and the new text (CSBR 5.4.1.2).
fn profile_changes(installation: &Installation) -> Result<Vec<ProfileChange>, ServeError> {
    let mut changes = Vec::new();
    for (name, section) in &installation.configuration.tsa {
        let after = toml::to_string(section).map_err(|error| ServeError::Observability(error.to_string()))?;
        let before = installation.store.profile(name)?.map(|row| row.text);
        if before.as_deref() != Some(after.as_str()) {
            changes.push(ProfileChange { name: name.clone(), before, after });
        }
    }
    Ok(changes)
}

/// What is served from now on, and to whom by name: profiles that went away and changed callers show in two of these.
fn configuration_event(installation: &Installation, planned: &[Planned]) -> Event {
    let profiles: serde_json::Map<String, serde_json::Value> = planned
        .iter()
        .map(|plan| {
            let unit = match &plan.unit {
                Ok(candidate) => json!({
                    "key": candidate.row.name, "certificate_sha256": hex::encode(candidate.certificate().sha256()),
                }),
                Err(fault) => json!({ "not_served": fault.to_string() }),
            };
            (plan.name.clone(), unit)
        })
        .collect();
    let callers: serde_json::Map<String, serde_json::Value> = installation
        .configuration
        .caller
        .iter()
        .map(|(name, section)| (name.clone(), fingerprint(section).into()))
        .collect();
    Event::new("configuration-loaded", json!({ "profiles": profiles, "callers": callers, "who": "serve" }))
}

/// Tells a caller's credentials from others without giving away a hash that a weak secret could be found by.
fn fingerprint(section: &CallerSection) -> String {
    let text = format!("{:?} {:?}", section.certificate(), section.secret());
    hex::encode(&DigestAlgorithm::Sha256.digest(text.as_bytes()).as_ref()[..8])
}

impl Promotion {
    /// One event for both changes: half of it can't stand in the ledger.
    fn event(&self) -> Event {
        let replaces = self.active.as_ref().map(|active| {
            json!({ "key": active.name, "before": KeyState::Active.name(), "after": KeyState::Retired.name() })
        });
        Event::new(
            "key-state-changed",
            json!({
                "key": self.successor.name, "role": self.successor.role, "before": KeyState::Successor.name(),
                "after": KeyState::Active.name(), "replaces": replaces, "who": "serve",
            }),
        )
    }

    fn apply(&self, installation: &Installation) -> Result<(), ServeError> {
        let store = &installation.store;
        match &self.active {
            Some(active) => store.take_over(&self.successor.name, KeyState::Successor, &active.name)?,
            None => store.change_key_state(&self.successor.name, KeyState::Successor, KeyState::Active)?,
        }
        tracing::info!(role = self.successor.role, key = self.successor.name, "a successor took over");
        Ok(())
    }
}

fn is_bad_news(event: &KeyEvent) -> bool {
    match event {
        KeyEvent::LoggedIn { .. }
        | KeyEvent::TokenBack { .. }
        | KeyEvent::ThreadReturned { .. }
        | KeyEvent::KeysChanged { .. } => false,
        KeyEvent::Stopped { refused, .. } => *refused > 0,
        _ => true,
    }
}
