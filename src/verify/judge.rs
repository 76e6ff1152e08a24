//! The judgement of a certificate: evidence, settings and nothing else in, verdict out.

use std::sync::Arc;

use super::certificate::Certificate;
use super::evidence::Evidence;
use super::judgement::{Failure, Judgement};
use super::path::{Judge, PathCertificate, Request};
use super::settings::Settings;

/// Judges a certificate: looks for a path to an anchor that holds by RFC 5280 §6.1 and whose certificates are not revoked
/// by §6.3, and says which, or why there is none.
///
/// Pure: the same certificate, evidence and settings always give the same judgement. The cost is bounded by the settings.
#[must_use]
pub fn judge_certificate(certificate: &Arc<Certificate>, evidence: &Evidence, settings: &Settings<'_>) -> Judgement {
    let mut judge = Judge::new(evidence, settings);
    let request = Request { anchors: settings.anchors.iter().collect(), purpose: settings.purpose, policies: true };
    let found = judge.search(PathCertificate { certificate, origin: None }, &request);
    let spent = judge.budget.spent();
    match found {
        Err(exhausted) => Judgement { failure: Some(Failure::Budget(exhausted)), chain: None, spent },
        Ok(Ok(chain)) => Judgement { failure: None, chain: Some(chain), spent },
        Ok(Err(furthest)) => Judgement { failure: Some(furthest.failure), chain: furthest.chain, spent },
    }
}
