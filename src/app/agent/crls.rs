//! CRLs: made when they are due, of issuers whose key this agent holds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Agent, AgentError};
use crate::app::crl_publishing::{PublishOrder, PublishOutcome, Publishing, scopes};
use crate::app::lifecycle::now_s;
use crate::ca::registry::Issuer;
use crate::crls::{Schedule, Step};
use crate::store::{Change, CrlRow, CrlScope, IssuerOrigin, StoreError, TaskRow, TaskState};

/// How often the calendar is looked at; changes come by themselves.
const CALENDAR: Duration = Duration::from_secs(1);
/// How long after a failure a CRL is tried again, doubled at each further one.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How often what was replaced is swept away, some megabytes at a time.
const SWEEP: Duration = Duration::from_secs(600);
/// How long sweeping may take at once.
const SWEEPING: Duration = Duration::from_millis(500);
/// How old an order may be: nobody waits for an older one any more.
const ORDER_AGE_S: i64 = 300;
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

/// A CRL that could not be made, and when it is tried again.
struct Failure {
    wait: Duration,
    until: Instant,
}

impl Agent {
    /// Makes every CRL that is due. One that can't be made is told of and tried again later; it keeps nothing from being done.
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
        for issuer in self.registry.issuers()? {
            if issuer.row.origin == IssuerOrigin::Own && self.installation.agent_key(&issuer.row.name)?.is_some() {
                self.publish_due_of(&issuer)?;
            }
        }
        self.sweep();
        Ok(())
    }

    /// Each scope once at most: a stream of changes must not keep the agent at its deltas.
    fn publish_due_of(&self, issuer: &Issuer) -> Result<(), AgentError> {
        let id = issuer.row.id;
        let mut tried = Vec::new();
        while !self.is_stopping() && self.keep_duty()? {
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
            let Some(due) = due else { return self.retire_delta(issuer, &published) };
            tried.push(due.scope);
            let publishing = Publishing { who: "ca-agent", may_end_earlier: false, on_step: &self.duty_keeper() };
            match self.installation.publish_crls(&self.registry, issuer, &[due.scope], &publishing) {
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
                }
                Err(reason) => {
                    let mut desk = self.crls.borrow_mut();
                    let before = desk.failures.get(&(id, due.scope)).map(|failure| failure.wait * 2);
                    let wait = before.unwrap_or(FIRST_WAIT).min(LONGEST_WAIT);
                    desk.failures.insert((id, due.scope), Failure { wait, until: Instant::now() + wait });
                    tracing::error!(
                        issuer = issuer.row.name,
                        scope = due.scope.name(),
                        again_in = ?wait,
                        %reason,
                        "a CRL is not published; the one before it stands"
                    );
                }
            }
        }
        Ok(())
    }

    /// A delta that is made no more leaves once no complete CRL names it.
    fn retire_delta(&self, issuer: &Issuer, published: &[CrlRow]) -> Result<(), AgentError> {
        let of = |scope| published.iter().find(|row| row.scope == scope);
        if issuer.settings.crl.delta_interval_s == 0
            && let Some((complete, delta)) = of(CrlScope::Complete).zip(of(CrlScope::Delta))
            && complete.number > delta.number
        {
            self.registry.record(
                "crl-retired",
                serde_json::json!({
                    "issuer": issuer.row.name, "scope": "delta", "number": delta.number, "who": "ca-agent",
                }),
                Change::RetireCrl { crl_id: delta.id },
            )?;
        }
        Ok(())
    }

    /// A long CRL must not cost the agent its duty.
    fn duty_keeper(&self) -> impl Fn(Step) + '_ {
        |_| {
            if let Err(error) = self.keep_duty() {
                tracing::warn!(%error, "the agent's duty could not be renewed while a CRL is made");
            }
        }
    }

    fn sweep(&self) {
        if self.crls.borrow().swept.is_some_and(|swept| swept.elapsed() < SWEEP) {
            return;
        }
        self.crls.borrow_mut().swept = Some(Instant::now());
        let began = Instant::now();
        let before_us = now_s().unwrap_or(0).saturating_mul(1_000_000) - KEEP_US;
        loop {
            match self.installation.store.sweep_crls(before_us) {
                // The rest at the next look.
                Ok(true) if began.elapsed() > SWEEPING => {
                    self.crls.borrow_mut().swept = None;
                    return;
                }
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "replaced CRLs could not be swept away; they are next time");
                    return;
                }
            }
        }
    }

    /// A task of [`crate::app::crl_publishing::PUBLISH_TASK`]: all of an issuer's CRLs, now. Somebody waits for it: what
    /// can't be done at once is refused with its reason.
    pub(super) fn work_publish_order(&self, task: &TaskRow) -> Result<(), AgentError> {
        let refused = match self.publish_as_ordered(task) {
            Ok(()) => None,
            Err(reason) => Some(reason.to_string()),
        };
        let state = if refused.is_some() { TaskState::Failed } else { TaskState::Done };
        let output = serde_json::to_string(&PublishOutcome { refused: refused.clone() })
            .map_err(|_| StoreError::Row { table: "tasks", column: "output" })?;
        let kind = if refused.is_some() { "crl-refused" } else { "crl-order-done" };
        self.registry.record(
            kind,
            serde_json::json!({ "order": task.id, "reason": refused, "who": "ca-agent" }),
            Change::FinishTask { id: task.id.clone(), state, output },
        )?;
        Ok(())
    }

    fn publish_as_ordered(&self, task: &TaskRow) -> Result<(), AgentError> {
        if now_s()? - task.asked_at_us / 1_000_000 > ORDER_AGE_S {
            return Err(AgentError::OldOrder);
        }
        let order: PublishOrder =
            serde_json::from_str(&task.input).map_err(|_| StoreError::Row { table: "tasks", column: "input" })?;
        let issuer = self.registry.issuer(&order.issuer)?;
        let publishing =
            Publishing { who: &task.asked_by, may_end_earlier: order.may_end_earlier, on_step: &self.duty_keeper() };
        self.installation.publish_crls(&self.registry, &issuer, &scopes(&issuer.settings.crl), &publishing)?;
        Ok(())
    }
}
