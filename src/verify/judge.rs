//! The judgement of a certificate: evidence, settings and nothing else in, verdict out.

use std::sync::Arc;

use super::budget::{BudgetExhausted, Costs};
use super::certificate::Certificate;
use super::evidence::Evidence;
use super::judgement::{Chain, Failure, Judgement};
use super::path::{Inputs, Judge, PathCertificate, Request, SignatureMemory, validate};
use super::revocation::{CertificateStatus, Subject, status_of};
use super::settings::{RevocationMode, Settings};

/// Judges a certificate: looks for a path to an anchor that holds by RFC 5280 §6.1 and whose certificates are not revoked
/// by §6.3, and says which, or why there is none.
///
/// Pure: the same certificate, evidence and settings always give the same judgement. The cost is bounded by the settings.
#[must_use]
pub fn judge_certificate(certificate: &Arc<Certificate>, evidence: &Evidence, settings: &Settings<'_>) -> Judgement {
    judge_with_memory(certificate, evidence, settings, &mut SignatureMemory::default())
}

/// As [`judge_certificate`], with what was verified before over the same evidence, which must not have changed since.
pub(super) fn judge_with_memory(
    certificate: &Arc<Certificate>,
    evidence: &Evidence,
    settings: &Settings<'_>,
    memory: &mut SignatureMemory,
) -> Judgement {
    let mut judge = Judge::new(evidence, settings, std::mem::take(memory));
    let request = Request {
        anchors: settings.anchors.iter().collect(),
        purpose: settings.purpose,
        policies: true,
        last_time_s: settings.time_of_target_s(),
    };
    let found = judge.search(PathCertificate { certificate, origin: None }, &request);
    let spent = judge.budget.spent();
    *memory = judge.memory;
    match found {
        Err(exhausted) => Judgement { failure: Some(Failure::Budget(exhausted)), chain: None, spent },
        Ok(Ok(chain)) => Judgement { failure: None, chain: Some(chain), spent },
        Ok(Err(furthest)) => Judgement { failure: Some(furthest.failure), chain: furthest.chain, spent },
    }
}

/// The status of one certificate of a chain that held at the settings' time, by the settings' rule on revocation data.
pub(super) fn status_in_chain(
    chain: &Chain,
    at: usize,
    evidence: &Evidence,
    settings: &Settings<'_>,
    memory: &mut SignatureMemory,
) -> (Result<CertificateStatus, BudgetExhausted>, Costs) {
    let mut judge = Judge::new(evidence, settings, std::mem::take(memory));
    let status = find_status(&mut judge, chain, at);
    let spent = judge.budget.spent();
    *memory = judge.memory;
    (status, spent)
}

fn find_status<'a>(judge: &mut Judge<'a>, chain: &'a Chain, at: usize) -> Result<CertificateStatus, BudgetExhausted> {
    let unknown = || CertificateStatus::Unknown(Vec::new());
    if judge.settings.revocation.mode == RevocationMode::NotAsked {
        return Ok(CertificateStatus::NotAsked);
    }
    let path: Vec<PathCertificate<'a>> = chain
        .links
        .iter()
        .take(at.saturating_add(1))
        .map(|link| PathCertificate { certificate: &link.certificate, origin: link.origin })
        .collect();
    let certificates: Vec<&'a Certificate> = path.iter().map(|one| &**one.certificate).collect();
    let inputs =
        Inputs { settings: judge.settings, purpose: None, last_time_s: judge.settings.time_s, policies: false };
    let valid = validate(&chain.anchor, &certificates, &inputs, &mut judge.memory, &mut judge.budget)?;
    let Some(((own, above), issuer_key)) =
        path.split_last().zip(valid.ok().and_then(|mut valid| valid.issuer_keys.pop()))
    else {
        return Ok(unknown());
    };
    let subject = Subject { certificate: own.certificate, issuer_key, anchor: &chain.anchor, above };
    status_of(judge, &subject)
}
