//! An issuer's CRLs: made by whoever has its key, asked for by name, and what is said of them.

use std::time::Duration;

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

/// Between two looks whether a second is over.
const SECONDS_STEP: Duration = Duration::from_millis(10);

/// What [`PUBLISH_TASK`] asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PublishOrder {
    /// The issuer's name.
    pub(super) issuer: String,
    /// Whether nextUpdate may be earlier than that of the CRL before.
    #[serde(default)]
    pub(super) may_end_earlier: bool,
}

/// How CRLs are published.
pub(super) struct Publishing<'a> {
    /// Who wants it.
    pub(super) who: &'a str,
    /// Whether nextUpdate may be earlier than that of the CRL before.
    pub(super) may_end_earlier: bool,
    /// Told of each step.
    pub(super) on_step: &'a dyn Fn(Step),
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
        publishing: &Publishing<'_>,
    ) -> Result<Vec<CrlRow>, LifecycleError> {
        let mut made = Vec::new();
        self.with_issuer_key(issuer, |signer, key| {
            let url = &self.configuration.public_url;
            let Publishing { who, may_end_earlier, on_step } = *publishing;
            let publisher = Publisher::new(registry, url, issuer, (signer, &key.name), who, on_step)
                .ending_earlier(may_end_earlier);
            for scope in scopes {
                let published = self.published_crls_of(issuer)?;
                let now_s = own_second(&published)?;
                made.push(publisher.publish(*scope, &published, now_s)?);
            }
            Ok::<_, LifecycleError>(())
        })?;
        Ok(made)
    }
}

/// Now, once no CRL of the issuer was made or published in this very second: two of one moment would have to share their
/// number (RFC 5280 §5.2.3), and who asks for what is newer than a second's CRL would miss the other.
fn own_second(published: &[CrlRow]) -> Result<i64, LifecycleError> {
    let last_s = published.iter().map(|row| row.this_update_s.max(row.published_at_us / 1_000_000)).max();
    loop {
        let now_s = now_s()?;
        if last_s != Some(now_s) {
            return Ok(now_s);
        }
        std::thread::sleep(SECONDS_STEP);
    }
}

/// Every scope that an issuer's settings ask for, the delta after the complete one that it builds on.
pub(super) fn scopes(settings: &CrlSettings) -> Vec<CrlScope> {
    let delta = (settings.delta_interval_s > 0).then_some(CrlScope::Delta);
    let partitions = (1..=settings.partitions).map(CrlScope::Partition);
    std::iter::once(CrlScope::Complete).chain(delta).chain(partitions).collect()
}

/// An issuer's CRLs, as `/readyz` and `check` both say it: a warning in time, since serving goes on without them.
///
/// `waiting_since_s` is the time of the first change that is on no complete CRL yet.
pub(super) fn crl_check(
    issuer_name: &str,
    settings: &CrlSettings,
    rows: &[CrlRow],
    waiting_since_s: Option<i64>,
    now_s: i64,
) -> ReadyCheck {
    let name = format!("crl {issuer_name}");
    let remedy = format!("is `noonmark ca-agent` running? `noonmark crl publish {issuer_name}` makes it at once");
    let what = |scope| match scope {
        CrlScope::Complete => "the complete CRL".to_owned(),
        CrlScope::Delta => "the delta CRL".to_owned(),
        CrlScope::Partition(number) => format!("the CRL of partition {number}"),
    };
    match health::of(settings, rows, waiting_since_s, now_s) {
        CrlHealth::Good => check(name, CheckState::Ok, ""),
        CrlHealth::Waiting { since_s } => check(
            name,
            CheckState::Warning,
            format!("a certificate changed at {} and no complete CRL tells of it yet; {remedy}", rfc3339(since_s)),
        ),
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
