//! An issuer's CRLs: made by whoever has its key, asked for by name, and what is said of them.

use serde::{Deserialize, Serialize};

use super::installation::Installation;
use super::lifecycle::{LifecycleError, now_s};
use super::readiness::check;
use super::units::rfc3339;
use crate::ca::CrlSettings;
use crate::ca::registry::{Issuer, Registry};
use crate::crls::health::{self, CrlHealth};
use crate::crls::{Publisher, Step};
use crate::http::{CheckState, ReadyCheck};
use crate::store::{CrlRow, CrlScope, StoreError};

/// The kind of task by which a CRL is asked for.
pub(super) const PUBLISH_TASK: &str = "publish-crl";

/// What [`PUBLISH_TASK`] asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PublishOrder {
    /// The issuer's name.
    pub(super) issuer: String,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PublishOutcome {
    /// Why not, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

impl Installation {
    /// The published CRLs of an issuer.
    pub(super) fn published_crls_of(&self, issuer: &Issuer) -> Result<Vec<CrlRow>, StoreError> {
        let mut rows = self.store.published_crls()?;
        rows.retain(|row| row.issuer_id == issuer.row.id);
        Ok(rows)
    }

    /// Makes and publishes CRLs of an issuer, one after the other, with its key.
    pub(super) fn publish_crls(
        &self,
        registry: &Registry,
        issuer: &Issuer,
        scopes: &[CrlScope],
        who: &str,
        on_step: &dyn Fn(Step),
    ) -> Result<Vec<CrlRow>, LifecycleError> {
        let mut made = Vec::new();
        self.with_issuer_key(issuer, |signer, key| {
            let url = &self.configuration.public_url;
            let publisher = Publisher::new(registry, url, issuer, (signer, &key.name), who, on_step);
            for scope in scopes {
                let published = self.published_crls_of(issuer)?;
                made.push(publisher.publish(*scope, &published, now_s()?)?);
            }
            Ok::<_, LifecycleError>(())
        })?;
        Ok(made)
    }
}

/// Every scope that an issuer's settings ask for, the delta after the complete one that it builds on.
pub(super) fn scopes(settings: &CrlSettings) -> Vec<CrlScope> {
    let delta = (settings.delta_interval_s > 0).then_some(CrlScope::Delta);
    let partitions = (1..=settings.partitions).map(CrlScope::Partition);
    std::iter::once(CrlScope::Complete).chain(delta).chain(partitions).collect()
}

/// An issuer's CRLs, as `/readyz` and `check` both say it: a warning in time, since serving goes on without them.
pub(super) fn crl_check(issuer_name: &str, settings: &CrlSettings, rows: &[CrlRow], now_s: i64) -> ReadyCheck {
    let name = format!("crl {issuer_name}");
    let remedy = format!("is `noonmark ca-agent` running? `noonmark crl publish {issuer_name}` makes it at once");
    let what = |scope| match scope {
        CrlScope::Complete => "the complete CRL".to_owned(),
        CrlScope::Delta => "the delta CRL".to_owned(),
        CrlScope::Partition(number) => format!("the CRL of partition {number}"),
    };
    match health::of(settings, rows, now_s) {
        CrlHealth::Good => check(name, CheckState::Ok, ""),
        CrlHealth::Missing(scope) => {
            check(name, CheckState::Warning, format!("{} was never published; {remedy}", what(scope)))
        }
        CrlHealth::Late { scope, next_update_s } => check(
            name,
            CheckState::Warning,
            format!("{} ends at {} and was not renewed; {remedy}", what(scope), rfc3339(next_update_s)),
        ),
        CrlHealth::Ended { scope, next_update_s } => check(
            name,
            CheckState::Warning,
            format!(
                "{} ended at {}: clients that check it refuse every certificate of this issuer; {remedy}",
                what(scope),
                rfc3339(next_update_s)
            ),
        ),
    }
}
