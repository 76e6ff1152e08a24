//! What `/readyz` and `check` say: every part, how it stands, why, and what to do.

use std::sync::{Arc, PoisonError, RwLock};

use super::answering::Answering;
use super::crl_publishing::crl_check;
use super::toml_template::SOFTWARE_TIER_WARNING;
use super::units::{Candidate, UnitFault};
use crate::ca::{Certificate, CertificateKind};
use crate::clock::Clock;
use crate::config::{Configuration, TierName};
use crate::crls::Shelf;
use crate::http::{CheckState, Readiness, ReadyCheck, ReadyReport};
use crate::keys::{Pool, PoolState};
use crate::ledger::Ledger;
use crate::store::{CrlRow, IssuerOrigin};

/// The parts of a server, as far as they tell whether it is ready.
pub(super) struct Watched {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) answering: Arc<Answering>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) pool: RwLock<Option<Arc<Pool>>>,
    pub(super) software_tier: bool,
    /// Each profile with its unit, or why it has none; replaced at SIGHUP.
    pub(super) profiles: RwLock<Vec<(String, Result<Candidate, UnitFault>)>>,
}

pub(super) fn check(name: impl Into<String>, state: CheckState, reason: impl Into<String>) -> ReadyCheck {
    ReadyCheck { name: name.into(), state, reason: reason.into() }
}

/// Days until a certificate's end; negative once it is over.
pub(super) fn left_days(certificate: &Certificate, now_s: i64) -> i64 {
    (certificate.not_after_s - now_s).div_euclid(86_400)
}

/// A profile's unit, as `/readyz` and `check` both say it.
pub(super) fn profile_check(name: &str, unit: &Result<Candidate, UnitFault>, now_s: i64) -> ReadyCheck {
    let name = format!("profile {name}");
    let candidate = match unit {
        Ok(candidate) => candidate,
        Err(fault) => return check(name, CheckState::Failed, fault.to_string()),
    };
    if now_s > candidate.certificate().usable_until_s() {
        return check(name, CheckState::Failed, "its key's period is over; `noonmark key rotate` makes a successor");
    }
    let warnings = candidate.warnings(CertificateKind::Tsu, now_s);
    let state = if warnings.is_empty() { CheckState::Ok } else { CheckState::Warning };
    check(name, state, warnings.join("; "))
}

/// The clock, as `/readyz` and `check` both say it.
pub(super) fn clock_check(clock: &dyn Clock) -> ReadyCheck {
    let health = clock.health();
    let name = "clock";
    match (health.reading, health.warning) {
        (Err(fault), _) => check(name, CheckState::Failed, format!("{fault} (source {})", health.source)),
        (Ok(_), Some(warning)) => check(name, CheckState::Warning, warning),
        (Ok(_), None) => check(name, CheckState::Ok, ""),
    }
}

/// The service token's tier, as `/readyz` and `check` both say it.
pub(super) fn tier_is_software(configuration: &Configuration) -> bool {
    configuration.token.get("service").is_some_and(|token| token.tier == TierName::Software)
}

impl Watched {
    fn token_check(&self) -> ReadyCheck {
        let name = "token service";
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        let Some(pool) = pool.as_ref() else {
            return check(name, CheckState::Failed, "no profile has a usable key");
        };
        let health = pool.health();
        match health.state {
            PoolState::Ready if self.software_tier => check(name, CheckState::Warning, SOFTWARE_TIER_WARNING),
            PoolState::Ready if health.threads_lost > 0 => check(
                name,
                CheckState::Warning,
                format!("{} calls into the module hang; others sign in their place", health.threads_lost),
            ),
            PoolState::Ready => check(name, CheckState::Ok, ""),
            PoolState::Recovering { reason, .. } => check(name, CheckState::Failed, reason),
            PoolState::Stopping | PoolState::Stopped => check(name, CheckState::Failed, "the server is stopping"),
        }
    }

    fn ledger_check(&self) -> ReadyCheck {
        match self.ledger.health().down {
            None => check("ledger", CheckState::Ok, ""),
            Some(reason) => check("ledger", CheckState::Failed, reason),
        }
    }
}

/// Shares the parts with HTTP.
pub(super) struct SharedReadiness(pub(super) Arc<Watched>);

impl Readiness for SharedReadiness {
    fn report(&self) -> ReadyReport {
        let watched = &self.0;
        let now_s = super::lifecycle::now_s().unwrap_or(0);
        let mut checks = vec![clock_check(&*watched.clock), watched.token_check(), watched.ledger_check()];
        let profiles = watched.profiles.read().unwrap_or_else(PoisonError::into_inner);
        checks.extend(profiles.iter().map(|(name, unit)| profile_check(name, unit, now_s)));
        drop(profiles);
        checks.extend(watched.answering.checks(now_s));
        let rows = watched.shelf.rows();
        for plan in watched.answering.plans().iter().filter(|plan| plan.row().origin == IssuerOrigin::Own) {
            let of_issuer: Vec<CrlRow> =
                rows.iter().filter(|(issuer, _)| *issuer == plan.row().name).map(|(_, row)| row.clone()).collect();
            let waiting_since_s = watched.shelf.waiting_since_s(&plan.row().name);
            checks.push(crl_check(&plan.row().name, &plan.settings().crl, &of_issuer, waiting_since_s, now_s));
        }
        ReadyReport { ready: checks.iter().all(|check| check.state != CheckState::Failed), checks }
    }
}
