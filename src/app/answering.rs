//! What certificates' status is answered with: issuers and responders from the store, joined with the pool's keys.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use serde_json::json;

use super::installation::Installation;
use super::readiness::{check, left_days};
use super::serving::{ServeError, Server};
use super::units::{Candidate, UnitFault, WARN_DAYS, rfc3339};
use crate::ca::{AnswersFrom, Certificate, CertificateKind, IssuerSettings, profile};
use crate::crls::external::{CrlReport, IssuerCrl, Mirror, MirroredIssuer};
use crate::crypto::sha256;
use crate::http::{CheckState, ReadyCheck};
use crate::keys::Pool;
use crate::ledger::Event;
use crate::ocsp::{Ahead, Follower, Responder, ResponderParts, ServedIssuer, ServedResponder};
use crate::store::{IssuerOrigin, IssuerRow, KeyRow, KeyState, LeaseRow, StoreError};

/// Between two tries at issuers or responders that can't be served.
const RETRY: Duration = Duration::from_secs(10);
/// The duty that the CA's agent holds while it works.
pub(super) const AGENT_DUTY: &str = "ca-agent";

/// An issuer with the keys that may answer for it, and why others may not.
#[derive(Clone)]
pub(super) struct IssuerPlan {
    row: IssuerRow,
    certificate: Certificate,
    settings: IssuerSettings,
    responders: Vec<Candidate>,
    faults: Vec<String>,
}

impl IssuerPlan {
    pub(super) fn row(&self) -> &IssuerRow {
        &self.row
    }

    pub(super) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(super) fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    pub(super) fn responders(&self) -> &[Candidate] {
        &self.responders
    }
}

/// How the CA's agent stands, as far as the store tells.
#[derive(Clone, Debug, Default)]
struct AgentState {
    is_needed: bool,
    lease: Option<LeaseRow>,
}

/// The parts that answer for certificates.
pub(super) struct Answering {
    pub(super) responder: Arc<Responder>,
    ahead: Arc<Ahead>,
    follower: RwLock<Option<Arc<Follower>>>,
    mirror: Arc<Mirror>,
    plans: RwLock<Vec<IssuerPlan>>,
    agent: RwLock<AgentState>,
    /// What the store said of issuers and responders when those that are served were read.
    catalog: RwLock<Catalog>,
    /// When they could not be read again, so that it is not tried every second.
    failed_at: RwLock<Option<Instant>>,
    is_stopping: AtomicBool,
}

impl Answering {
    pub(super) fn new(responder: Arc<Responder>, holder: String, mirror: Arc<Mirror>) -> std::io::Result<Arc<Self>> {
        let ahead = Ahead::start(Arc::clone(&responder), holder)?;
        Ok(Arc::new(Self {
            responder,
            ahead,
            follower: RwLock::default(),
            mirror,
            plans: RwLock::default(),
            agent: RwLock::default(),
            catalog: RwLock::default(),
            failed_at: RwLock::default(),
            is_stopping: AtomicBool::new(false),
        }))
    }

    pub(super) fn plans(&self) -> Vec<IssuerPlan> {
        self.plans.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Others' CRLs that are fetched.
    pub(super) fn external_crls(&self) -> Vec<Arc<IssuerCrl>> {
        self.mirror.crls()
    }

    /// Answers by this plan from now on.
    pub(super) fn serve(
        &self,
        installation: &Installation,
        (plans, catalog): (Vec<IssuerPlan>, Catalog),
        pool: &Arc<Pool>,
    ) -> Result<(), ServeError> {
        self.mirror.follow(&plans.iter().filter_map(IssuerPlan::mirrored).collect::<Vec<_>>());
        let mut issuers = Vec::new();
        for plan in &plans {
            let mut responders = Vec::new();
            for candidate in &plan.responders {
                let name = &candidate.row.name;
                let unreadable = |reason: String| UnitFault::Unreadable { key: name.clone(), reason };
                let key = pool.key(name).ok_or_else(|| unreadable("the signing pool does not hold it".to_owned()))?;
                let spki_sha256 = sha256(candidate.certificate().public_key.spki_der());
                let parts = ResponderParts {
                    certificate: candidate.certificate().clone(),
                    algorithm: candidate.algorithm,
                    id: installation.store.responder_id(&spki_sha256)?,
                    pool: Arc::clone(pool),
                    key,
                };
                responders.push(ServedResponder::new(parts).map_err(|error| unreadable(error.to_string()))?);
            }
            let issuer = ServedIssuer::new(&plan.row, plan.certificate.clone(), plan.settings.clone(), responders);
            let by_crl = plan.settings.external_crl.answers != AnswersFrom::Registry;
            issuers.push(match self.mirror.source(plan.row.id).filter(|_| by_crl) {
                Some(source) => issuer.with_source(source),
                None => issuer,
            });
        }
        self.responder.serve(issuers);
        *self.plans.write().unwrap_or_else(PoisonError::into_inner) = plans;
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
        self.ahead.look_through();
        Ok(())
    }

    /// Follows the store: changed certificates, changed issuers, the agent.
    pub(super) fn follow(self: &Arc<Self>, server: &Arc<Server>) -> std::io::Result<()> {
        let (server, this): (Weak<Server>, Weak<Self>) = (Arc::downgrade(server), Arc::downgrade(self));
        let look = move || {
            if let (Some(server), Some(this)) = (server.upgrade(), this.upgrade())
                && !this.is_stopping.load(Ordering::Relaxed)
                && let Err(error) = this.look(&server)
            {
                tracing::warn!(%error, "issuers and responders could not be read again; what was served before is still served");
            }
        };
        let follower = Follower::start(Arc::clone(&self.responder), Arc::clone(&self.ahead), look)?;
        *self.follower.write().unwrap_or_else(PoisonError::into_inner) = Some(follower);
        Ok(())
    }

    fn look(&self, server: &Server) -> Result<(), ServeError> {
        let installation = server.installation();
        server.read_api_keys(&installation)?;
        let (issuers, keys) = (installation.store.issuers()?, installation.store.keys()?);
        *self.agent.write().unwrap_or_else(PoisonError::into_inner) = AgentState {
            is_needed: keys.iter().any(|key| key.role.starts_with("ca:") && key.state == KeyState::Active),
            lease: installation.store.lease(AGENT_DUTY)?,
        };
        let is_served = *self.catalog.read().unwrap_or_else(PoisonError::into_inner) == catalog(&issuers, &keys);
        let mut failed_at = self.failed_at.write().unwrap_or_else(PoisonError::into_inner);
        if !is_served && failed_at.is_none_or(|failed_at| failed_at.elapsed() > RETRY) {
            *failed_at = Some(Instant::now());
            server.reload_responders(&installation)?;
            *failed_at = None;
            server.events.send(Event::new(
                "responders-loaded",
                json!({ "issuers": issuers.iter().map(|issuer| &issuer.name).collect::<Vec<_>>(), "who": "serve" }),
            ));
            drop(failed_at);
            tracing::info!("issuers or responders changed and are served");
        }
        Ok(())
    }

    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        if let Some(follower) = self.follower.write().unwrap_or_else(PoisonError::into_inner).take() {
            follower.stop();
        }
        self.mirror.stop();
        self.ahead.stop();
        self.responder.stop();
    }

    /// What `/readyz` says of issuers, of the news of changes, and of the agent.
    pub(super) fn checks(&self, now_s: i64) -> Vec<ReadyCheck> {
        let mut checks: Vec<ReadyCheck> = self.plans().iter().map(|plan| plan.check(now_s)).collect();
        checks.extend(self.mirror.reports().iter().map(|report| external_crl_check(report, now_s)));
        let deaf_since_s = self
            .follower
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(|follower| follower.deaf_since_s());
        if let Some(since_s) = deaf_since_s {
            checks.push(check(
                "certificates' status",
                CheckState::Failed,
                format!(
                    "degraded: the store has told nothing since {}; stored answers are served until their end, nothing new is signed",
                    rfc3339(since_s)
                ),
            ));
        }
        let agent = self.agent.read().unwrap_or_else(PoisonError::into_inner).clone();
        if agent.is_needed {
            checks.push(agent_check(agent.lease.as_ref(), now_s));
        }
        checks
    }
}

/// The CA's agent, as `/readyz` and `check` both say it: serving goes on without it.
pub(super) fn agent_check(lease: Option<&LeaseRow>, now_s: i64) -> ReadyCheck {
    let name = "ca-agent";
    match lease {
        None => {
            check(name, CheckState::Warning, "it never ran: nothing is issued or renewed; start `noonmark ca-agent`")
        }
        Some(lease) if lease.until_us / 1_000_000 < now_s => check(
            name,
            CheckState::Warning,
            format!(
                "it has been away since {}: nothing is issued or renewed; start `noonmark ca-agent`",
                rfc3339(lease.renewed_at_us / 1_000_000)
            ),
        ),
        Some(_) => check(name, CheckState::Ok, ""),
    }
}

/// Somebody else's CRL, as `/readyz` and `check` both say it: other answers go on without it.
pub(super) fn external_crl_check(report: &CrlReport, now_s: i64) -> ReadyCheck {
    let name = format!("crl {}", report.issuer);
    match report.warning(now_s) {
        Some(reason) => check(name, CheckState::Warning, reason),
        None => check(name, CheckState::Ok, ""),
    }
}

impl IssuerPlan {
    /// What its CRLs are fetched by, if they are.
    pub(super) fn mirrored(&self) -> Option<MirroredIssuer> {
        let settings = &self.settings.external_crl;
        (self.row.origin == IssuerOrigin::External && settings.is_fetched()).then(|| MirroredIssuer {
            id: self.row.id,
            name: self.row.name.clone(),
            certificate: self.certificate.clone(),
            settings: settings.clone(),
        })
    }

    pub(super) fn check(&self, now_s: i64) -> ReadyCheck {
        let name = format!("issuer {}", self.row.name);
        if self.responders.is_empty() {
            let why = self.faults.first().map_or_else(
                || format!("no responder key; make one with `noonmark issuer responder {}`", self.row.name),
                Clone::clone,
            );
            return check(name, CheckState::Warning, format!("OCSP answers tryLater: {why}"));
        }
        let ending = self.responders.iter().find(|one| {
            // A responder's certificate is renewed at half of its life; one that is older than three quarters was not.
            let certificate = one.certificate();
            let life_s = certificate.not_after_s - certificate.not_before_s;
            (certificate.not_after_s - now_s < life_s / 4) || left_days(certificate, now_s) < 1
        });
        if let Some(one) = ending {
            return check(
                name,
                CheckState::Warning,
                format!(
                    "the certificate of responder {} ends at {} and was not renewed; is `noonmark ca-agent` running?",
                    one.row.name,
                    rfc3339(one.certificate().not_after_s)
                ),
            );
        }
        if left_days(&self.certificate, now_s) < WARN_DAYS {
            return check(
                name,
                CheckState::Warning,
                format!("its certificate ends at {}", rfc3339(self.certificate.not_after_s)),
            );
        }
        match self.faults.first() {
            Some(fault) => check(name, CheckState::Warning, fault.clone()),
            None => check(name, CheckState::Ok, ""),
        }
    }
}

impl Installation {
    /// Every issuer with the keys that may answer for it.
    pub(super) fn issuer_plans(&self, now_s: i64) -> Result<(Vec<IssuerPlan>, Catalog), ServeError> {
        let (issuers, keys) = (self.store.issuers()?, self.store.keys()?);
        let catalog = catalog(&issuers, &keys);
        let mut plans = Vec::new();
        for row in issuers {
            let unreadable = |reason: String| UnitFault::Unreadable { key: format!("issuer {}", row.name), reason };
            let der = self.store.certificate_der(&row.certificate_sha256)?;
            let der = der.ok_or(StoreError::Row { table: "issuers", column: "certificate_sha256" })?;
            let certificate = Certificate::from_der(&der).map_err(|error| unreadable(error.to_string()))?;
            let settings = IssuerSettings::from_json(&row.settings).map_err(|error| unreadable(error.to_string()))?;
            let (mut responders, mut faults) = (Vec::new(), Vec::new());
            for key in keys.iter().filter(|key| answers_for(key, &row.name) && key.state == KeyState::Active) {
                match self.responder_candidate(key.clone(), &certificate, now_s) {
                    Ok(candidate) => responders.push(candidate),
                    Err(fault) => {
                        tracing::error!(issuer = row.name, key = key.name, %fault, "a responder does not answer");
                        faults.push(fault.to_string());
                    }
                }
            }
            plans.push(IssuerPlan { row, certificate, settings, responders, faults });
        }
        Ok((plans, catalog))
    }

    /// A responder's key with its certificate, held against its use and its issuer.
    fn responder_candidate(&self, row: KeyRow, issuer: &Certificate, now_s: i64) -> Result<Candidate, UnitFault> {
        let candidate = self.lone_candidate(row)?;
        let certificate = candidate.certificate();
        let key = || candidate.row.name.clone();
        let kind = CertificateKind::OcspResponder;
        if let Some(finding) = profile::first_error(kind, certificate) {
            return Err(UnitFault::Profile { key: key(), kind, text: finding.text });
        }
        // RFC 6960 §4.2.2.2: issued directly by the CA that it answers for, with the same key.
        if !certificate.is_signed_by(issuer) {
            let text = "it was not issued by the key of the issuer that it answers for (RFC 6960 §4.2.2.2)";
            return Err(UnitFault::Profile { key: key(), kind, text });
        }
        if now_s < certificate.not_before_s || now_s >= certificate.not_after_s {
            return Err(UnitFault::Period {
                key: key(),
                from: rfc3339(certificate.not_before_s),
                until: rfc3339(certificate.not_after_s),
            });
        }
        Ok(candidate)
    }
}

/// Whether a key answers for an issuer: `ocsp:NAME`, or `ocsp:NAME:ALGORITHM` for further algorithms.
pub(super) fn answers_for(key: &KeyRow, issuer_name: &str) -> bool {
    key.role
        .strip_prefix("ocsp:")
        .is_some_and(|rest| rest == issuer_name || rest.split_once(':').is_some_and(|(name, _)| name == issuer_name))
}

/// Issuers and responders, as far as a change in them must be followed.
type Catalog = (Vec<IssuerRow>, Vec<KeyRow>);

fn catalog(issuers: &[IssuerRow], keys: &[KeyRow]) -> Catalog {
    // The number of the last change is followed by itself.
    let issuers = issuers.iter().map(|issuer| IssuerRow { change_number: 0, ..issuer.clone() }).collect();
    (issuers, keys.iter().filter(|key| key.role.starts_with("ocsp:")).cloned().collect())
}
