//! Past certificate validation (EN 319 102-1 §5.6.2.1): a chain that held once, and until when that is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::certificate::Certificate;
use super::super::evidence::Evidence;
use super::super::existence::ProofsOfExistence;
use super::super::judgement::Chain;
use super::super::settings::RevocationMode;
use super::super::signature::AnyAlgorithm;
use super::context::{Times, judge_and_keep};
use super::{Conclusion, Role, SubIndication, Validator};

/// Times at which a chain is looked for: the certificate's own ends, the proof's time, and ends of certificates above it.
const MAX_TIMES: usize = 16;

/// A chain that held.
pub(super) struct PastChain {
    /// The chain.
    pub(super) chain: Chain,
    /// The latest time at which it is known to have held.
    pub(super) control_s: i64,
}

impl Validator<'_> {
    /// Looks for a chain all of whose certificates were valid at one time, whatever became of them since, and slides over it.
    ///
    /// # Errors
    /// No chain, or a proof is missing.
    pub(super) fn past_certificate(
        &mut self,
        certificate: &Arc<Certificate>,
        role: Role,
        proven_s: i64,
        proofs: &ProofsOfExistence,
    ) -> Result<PastChain, Conclusion> {
        let reason = "no chain to a trust anchor was ever valid as a whole";
        let mut furthest = Conclusion::indeterminate(SubIndication::NoCertificateChainFound, reason);
        for time_s in times(certificate, proven_s, self.context.evidence) {
            let Some(chain) = self.chain_of(certificate, role, time_s) else { continue };
            match self.slide(&chain, time_s, role, proofs) {
                Ok(control_s) => return Ok(PastChain { chain, control_s }),
                Err(conclusion) => furthest = conclusion,
            }
        }
        Err(furthest)
    }

    /// A chain that was valid at this time, revocation and the state of algorithms aside.
    fn chain_of(&mut self, certificate: &Arc<Certificate>, role: Role, time_s: i64) -> Option<Chain> {
        let times = Times { chain_s: time_s, target_s: None, fresh_s: None };
        let judgement = self.with_memory(|validator, memory| {
            let mut settings = validator.settings(role, times, &AnyAlgorithm);
            settings.revocation.mode = RevocationMode::NotAsked;
            judge_and_keep(certificate, validator.context.evidence, &settings, memory)
        });
        judgement.chain.filter(|_| judgement.failure.is_none())
    }
}

/// The times to look at, the proof's first: each within the certificate's validity, where a chain could have held.
fn times(certificate: &Certificate, proven_s: i64, evidence: &Evidence) -> Vec<i64> {
    let own = certificate.not_before_s()..=certificate.not_after_s();
    let held = evidence.certificates().iter().filter(|held| held.is_ca).map(|held| &held.certificate);
    let ends: BTreeSet<i64> = held.flat_map(|one| [one.not_before_s(), one.not_after_s()]).collect();
    let mut times = Vec::new();
    for time_s in [proven_s, *own.end(), *own.start()].into_iter().chain(ends) {
        if own.contains(&time_s) && !times.contains(&time_s) && times.len() < MAX_TIMES {
            times.push(time_s);
        }
    }
    times
}
