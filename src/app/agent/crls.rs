//! CRLs: made when they are due, of issuers whose key this agent holds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Agent, AgentError, LEASE_S, RENEW_LEASE};
use crate::app::answering::AGENT_DUTY;
use crate::app::crl_publishing::{PublishOrder, PublishOutcome, scopes};
use crate::app::lifecycle::now_s;
use crate::ca::registry::Issuer;
use crate::crls::{Schedule, Step};
use crate::store::{Change, CrlScope, IssuerOrigin, StoreError, TaskRow, TaskState};

/// How often the calendar is looked at; changes come by themselves.
const CALENDAR: Duration = Duration::from_secs(1);
/// How long after a failure a CRL is tried again, doubled at each further one.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How often what was replaced is swept away.
const SWEEP: Duration = Duration::from_secs(600);
/// How long the octets of a replaced or abandoned CRL are kept: whoever is at them is done by then.
const KEEP_US: i64 = 3_600 * 1_000_000;

/// What the agent remembers of CRLs.
#[derive(Default)]
pub(super) struct CrlDesk {
    schedules: BTreeMap<i64, Schedule>,
    /// Issuers' change numbers at the last look.
    numbers: Vec<(i64, i64)>,
    looked: Option<Instant>,
    swept: Option<Instant>,
    failures: BTreeMap<(i64, CrlScope), Failure>,
}

struct Failure {
    wait: Duration,
    until: Instant,
}

impl Agent {
    /// Makes every CRL that is due. One that can't be made keeps none of the others from it; the first reason is told.
    pub(super) fn publish_due(&self) -> Result<(), AgentError> {
        let numbers = self.installation.store.issuer_numbers()?;
        {
            let mut desk = self.crls.borrow_mut();
            if desk.numbers == numbers && desk.looked.is_some_and(|looked| looked.elapsed() < CALENDAR) {
                return Ok(());
            }
            desk.numbers = numbers;
            desk.looked = Some(Instant::now());
        }
        let mut in_the_way = Ok(());
        for issuer in self.registry.issuers()? {
            if issuer.row.origin == IssuerOrigin::Own
                && self.installation.agent_key(&issuer.row.name)?.is_some()
                && let Err(reason) = self.publish_due_of(&issuer)
                && in_the_way.is_ok()
            {
                in_the_way = Err(reason);
            }
        }
        self.sweep()?;
        in_the_way
    }

    fn publish_due_of(&self, issuer: &Issuer) -> Result<(), AgentError> {
        let id = issuer.row.id;
        let mut in_the_way = Ok(());
        let mut tried = Vec::new();
        loop {
            // Anew after each: a complete one makes a delta due, and changes come meanwhile.
            let published = self.installation.published_crls_of(issuer)?;
            let due = {
                let mut desk = self.crls.borrow_mut();
                let schedule = desk.schedules.entry(id).or_default();
                schedule.catch_up(&self.installation.store, id, &published)?;
                let mut due = schedule.due(&issuer.settings.crl, &published, now_s()?);
                let waits = |scope| desk.failures.get(&(id, scope)).is_some_and(|one| Instant::now() < one.until);
                due.retain(|due| !tried.contains(&due.scope) && !waits(due.scope));
                due.into_iter().next()
            };
            let Some(due) = due else { return in_the_way };
            let made =
                self.installation.publish_crls(&self.registry, issuer, &[due.scope], "ca-agent", &self.lease_renewal());
            match made {
                Ok(rows) => {
                    self.crls.borrow_mut().failures.remove(&(id, due.scope));
                    for row in rows {
                        tracing::info!(
                            issuer = issuer.row.name,
                            scope = row.scope.name(),
                            number = row.number,
                            entries = row.entries,
                            why = ?due.why,
                            "a CRL was published"
                        );
                    }
                    // A change a moment ago may be due again; one interval of no second must not turn in circles.
                    if due.why != crate::crls::Why::Change {
                        tried.push(due.scope);
                    }
                }
                Err(reason) => {
                    tracing::error!(issuer = issuer.row.name, scope = due.scope.name(), %reason, "a CRL is not published");
                    let mut desk = self.crls.borrow_mut();
                    let before = desk.failures.get(&(id, due.scope)).map(|failure| failure.wait * 2);
                    let wait = before.unwrap_or(FIRST_WAIT).min(LONGEST_WAIT);
                    desk.failures.insert((id, due.scope), Failure { wait, until: Instant::now() + wait });
                    tried.push(due.scope);
                    if in_the_way.is_ok() {
                        in_the_way = Err(reason.into());
                    }
                }
            }
        }
    }

    /// A long CRL must not cost the agent its duty.
    fn lease_renewal(&self) -> impl Fn(Step) + '_ {
        let renewed = RefCell::new(Instant::now());
        move |_| {
            if renewed.borrow().elapsed() > RENEW_LEASE {
                *renewed.borrow_mut() = Instant::now();
                if let Err(error) = self.installation.store.take_lease(AGENT_DUTY, &self.holder, LEASE_S) {
                    tracing::warn!(%error, "the agent's duty could not be renewed while a CRL is made");
                }
            }
        }
    }

    fn sweep(&self) -> Result<(), AgentError> {
        let is_due = self.crls.borrow().swept.is_none_or(|swept| swept.elapsed() > SWEEP);
        if is_due {
            self.installation.store.sweep_crls(now_s()?.saturating_mul(1_000_000) - KEEP_US)?;
            self.crls.borrow_mut().swept = Some(Instant::now());
        }
        Ok(())
    }

    /// A task of [`crate::app::crl_publishing::PUBLISH_TASK`]: all of an issuer's CRLs, now.
    pub(super) fn work_publish_order(&self, task: &TaskRow) -> Result<(), AgentError> {
        let unreadable = |column| StoreError::Row { table: "tasks", column };
        let order: PublishOrder = serde_json::from_str(&task.input).map_err(|_| unreadable("input"))?;
        let issuer = self.registry.issuer(&order.issuer)?;
        let scopes = scopes(&issuer.settings.crl);
        self.installation.publish_crls(&self.registry, &issuer, &scopes, &task.asked_by, &self.lease_renewal())?;
        self.finish_publish_order(&task.id, TaskState::Done, None)
    }

    pub(super) fn finish_publish_order(
        &self,
        id: &str,
        state: TaskState,
        refused: Option<String>,
    ) -> Result<(), AgentError> {
        let output = serde_json::to_string(&PublishOutcome { refused: refused.clone() })
            .map_err(|_| StoreError::Row { table: "tasks", column: "output" })?;
        let kind = if refused.is_some() { "crl-refused" } else { "crl-order-done" };
        self.registry.record(
            kind,
            serde_json::json!({ "order": id, "reason": refused, "who": "ca-agent" }),
            Change::FinishTask { id: id.to_owned(), state, output },
        )?;
        Ok(())
    }
}
