//! CRLs that an operator asks for.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{LifecycleError, Steward, now_s};
use crate::app::crl_publishing::{PUBLISH_TASK, PublishOrder, PublishOutcome, Publishing, scopes};
use crate::ca::fresh_serial;
use crate::ca::registry::{Issuer, RegistryError};
use crate::crls::Step;
use crate::store::{Change, CrlRow, IssuerOrigin, StoreError, TaskRow, TaskState};

/// How long the agent is waited for: ten million entries take half a minute.
const AGENT_PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks at the task.
const LOOK: Duration = Duration::from_millis(50);

impl Steward<'_> {
    /// Publishes all of an issuer's CRLs now: by the agent where it has the key, else with the root's token, by hand.
    ///
    /// # Errors
    /// An external issuer, an agent that does not answer, a token that refuses.
    pub fn publish_crls(
        &self,
        issuer_name: &str,
        may_end_earlier: bool,
        on_step: &dyn Fn(Step),
    ) -> Result<Vec<CrlRow>, LifecycleError> {
        let issuer = self.registry().issuer(issuer_name)?;
        if issuer.row.origin == IssuerOrigin::External {
            return Err(RegistryError::External { name: issuer.row.name }.into());
        }
        if self.installation.agent_key(issuer_name)?.is_none() {
            let scopes = scopes(&issuer.settings.crl);
            let publishing = Publishing { who: &self.who, may_end_earlier, on_step };
            return self.installation.publish_crls(&self.registry(), &issuer, &scopes, &publishing);
        }
        self.published_by_agent(&issuer, may_end_earlier)?;
        Ok(self.installation.published_crls_of(&issuer)?)
    }

    fn published_by_agent(&self, issuer: &Issuer, may_end_earlier: bool) -> Result<(), LifecycleError> {
        let id = hex::encode(fresh_serial()?);
        let order = PublishOrder { issuer: issuer.row.name.clone(), may_end_earlier };
        let input = serde_json::to_string(&order).map_err(|_| StoreError::Row { table: "tasks", column: "input" })?;
        let asked_at_us = now_s()?.saturating_mul(1_000_000);
        self.registry().record(
            "crl-ordered",
            json!({ "order": id, "issuer": issuer.row.name, "who": self.who }),
            Change::AddTask(TaskRow {
                id: id.clone(),
                kind: PUBLISH_TASK.to_owned(),
                input,
                state: TaskState::Waiting,
                output: None,
                asked_by: self.who.clone(),
                asked_at_us,
            }),
        )?;
        let until = Instant::now() + AGENT_PATIENCE;
        while Instant::now() < until {
            let task = self.installation.store.task(&id)?;
            if let Some(output) = task.and_then(|task| task.output) {
                let outcome: PublishOutcome =
                    serde_json::from_str(&output).map_err(|_| StoreError::Row { table: "tasks", column: "output" })?;
                return match outcome.refused {
                    Some(reason) => Err(LifecycleError::AgentRefused { reason }),
                    None => Ok(()),
                };
            }
            std::thread::sleep(LOOK);
        }
        Err(LifecycleError::AgentSilentCrl { issuer: issuer.row.name.clone() })
    }
}
