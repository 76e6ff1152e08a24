//! Certificates that officers asked for: held against the profile once more, signed, and their tasks finished.

use super::{Agent, AgentError};
use crate::app::crl_publishing::PUBLISH_TASK;
use crate::app::lifecycle::{LifecycleError, now_s};
use crate::ca::Certificate;
use crate::ca::builder::Unsigned;
use crate::ca::order::ISSUE_TASK;
use crate::ca::registry::{IssueWords, Issuer, RegistryError, read_order};
use crate::store::{StoreError, TaskRow};

/// Orders read at once: so many may wait for a token that is away without hiding one that can be done.
const BATCH: u32 = 1_024;
/// What an issued certificate is, in the table of certificates.
const ROLE: &str = "issued";

impl Agent {
    /// Does the orders that wait. One that can't be is refused with its reason; one that the token or the store stands in
    /// the way of waits on, and the reason is the agent's to tell.
    pub(super) fn work_orders(&self) -> Result<(), AgentError> {
        loop {
            let tasks = self.installation.store.waiting_tasks(BATCH)?;
            if tasks.is_empty() {
                return Ok(());
            }
            let mut in_the_way = None;
            for task in &tasks {
                match self.work_order(task) {
                    Ok(()) => {}
                    Err(reason) if is_passing(&reason) => in_the_way = Some(reason),
                    Err(reason) => {
                        tracing::warn!(order = task.id, %reason, "an order is refused");
                        self.registry.refuse_order(&task.id, &reason.to_string(), "ca-agent")?;
                    }
                }
            }
            if let Some(reason) = in_the_way {
                return Err(reason);
            }
        }
    }

    fn work_order(&self, task: &TaskRow) -> Result<(), AgentError> {
        match task.kind.as_str() {
            ISSUE_TASK => self.work_issue_order(task),
            PUBLISH_TASK => self.work_publish_order(task),
            _ => Err(AgentError::UnknownTask { kind: task.kind.clone() }),
        }
    }

    fn work_issue_order(&self, task: &TaskRow) -> Result<(), AgentError> {
        let order = read_order(task).map_err(RegistryError::from)?;
        let (issuer, unsigned) = self.registry.order_draft(&order, now_s()?)?;
        let words =
            IssueWords { profile: &order.profile, role: ROLE, who: &task.asked_by, task: Some(task.id.as_str()) };
        let certificate = self.issue(&issuer, &unsigned, &words)?;
        tracing::info!(
            order = task.id,
            issuer = order.issuer,
            profile = order.profile,
            serial = certificate.serial_hex(),
            "a certificate was issued"
        );
        Ok(())
    }

    /// Has the issuer's key sign, held against the issuer's certificate before.
    pub(super) fn issue(
        &self,
        issuer: &Issuer,
        unsigned: &Unsigned,
        words: &IssueWords<'_>,
    ) -> Result<Certificate, AgentError> {
        self.installation.with_issuer_key(issuer, |signer, _| {
            let issued = self.registry.issue(issuer, unsigned, signer, now_s()?, words);
            Ok(issued.map_err(LifecycleError::from)?)
        })
    }
}

/// Whether trying again later can help: the store, the ledger or the token is away, or a profile's file is being edited.
fn is_passing(error: &AgentError) -> bool {
    match error {
        AgentError::Store(_) | AgentError::Ledger(_) | AgentError::Installation(_) => true,
        AgentError::Registry(error) => registry_is_passing(error),
        AgentError::Lifecycle(LifecycleError::Registry(error)) => registry_is_passing(error),
        AgentError::Lifecycle(error) => {
            matches!(
                error,
                LifecycleError::Store(_)
                    | LifecycleError::Ledger(_)
                    | LifecycleError::Installation(_)
                    | LifecycleError::Configuration(_)
                    | LifecycleError::Key(_)
                    | LifecycleError::Sign(_)
                    | LifecycleError::Clock
            )
        }
        _ => false,
    }
}

fn registry_is_passing(error: &RegistryError) -> bool {
    match error {
        // A row that does not read never will.
        RegistryError::Store(error) => !matches!(error, StoreError::Row { .. }),
        RegistryError::Ledger(_) | RegistryError::Profiles(_) => true,
        _ => false,
    }
}
