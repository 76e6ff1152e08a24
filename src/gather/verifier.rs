//! Gather, then judge: one document after another, by policies that are known by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{FetchRecord, Gathered, Gatherer};
use crate::verify::blocks::{Anchors, ChainMemory, Context};
use crate::verify::cms::NotTaken;
use crate::verify::policy::Policy;
use crate::verify::report::{FetchReport, Report};
use crate::verify::{Document, DocumentError, Evidence, GivenContent};

/// Chains that are kept: of the timestamping units and signers that a busy second sees.
const KEPT_CHAINS: usize = 1024;

/// A policy with its anchors.
#[derive(Clone, Debug)]
pub struct NamedPolicy {
    /// The policy.
    pub policy: Policy,
    /// Its text, where it is none that Noonmark comes with.
    pub toml: Option<String>,
    /// The anchors that are trusted by it.
    pub anchors: Anchors,
}

/// Why a document is not judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierError {
    /// No policy has this name.
    #[error("there is no policy {name:?}; there are: {}", known.join(", "))]
    UnknownPolicy {
        /// As asked.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The document can't be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// For when is judged, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuestionTime {
    /// The time that is judged for, seconds since 1970.
    pub judged_s: i64,
    /// Revocation data may have been made up to this time.
    pub evidence_until_s: i64,
}

/// A judgement with what it rests on.
pub struct Verified {
    /// The report.
    pub report: Report,
    /// The document as it was read.
    pub document: Document,
    /// Everything that it was judged with.
    pub evidence: Evidence,
}

/// Judges documents. Several threads may use one.
pub struct Verifier {
    policies: BTreeMap<String, NamedPolicy>,
    first_choice: String,
    gatherer: Option<Gatherer>,
    memory: ChainMemory,
}

impl Verifier {
    /// A verifier whose first choice is this policy. Without a gatherer nothing is fetched.
    #[must_use]
    pub fn new(first_choice: NamedPolicy, others: Vec<NamedPolicy>, gatherer: Option<Gatherer>) -> Self {
        let name = first_choice.policy.name.clone();
        let all = others.into_iter().chain([first_choice]);
        let policies = all.map(|one| (one.policy.name.clone(), one)).collect();
        Self { policies, first_choice: name, gatherer, memory: ChainMemory::new(KEPT_CHAINS) }
    }

    /// A policy by its name, or the first choice.
    ///
    /// # Errors
    /// None has the name.
    pub fn policy(&self, name: Option<&str>) -> Result<&NamedPolicy, VerifierError> {
        let name = name.unwrap_or(&self.first_choice);
        let known = || self.policies.keys().cloned().collect();
        self.policies.get(name).ok_or_else(|| VerifierError::UnknownPolicy { name: name.to_owned(), known: known() })
    }

    /// Gathers what a document's judgement lacks where that is allowed, and judges it. `evidence` is what is held; the first
    /// choice of policy counts where none is named.
    ///
    /// # Errors
    /// A policy that is not known.
    pub fn verify_document(
        &self,
        document: Document,
        content: &GivenContent,
        policy: Option<&str>,
        time: QuestionTime,
        mut evidence: Evidence,
    ) -> Result<Verified, VerifierError> {
        let named = self.policy(policy)?;
        self.memory.share_with(&mut evidence);
        let not_taken: Vec<NotTaken> = document.add_to(&mut evidence)?;
        let gathered = match &self.gatherer {
            None => Gathered::default(),
            Some(gatherer) => {
                let mut anchors = named.anchors.signers.clone();
                anchors.extend(named.anchors.timestamping.iter().map(Arc::clone));
                let targets = document.targets(&evidence);
                gatherer.gather(&mut evidence, &targets, &anchors, time.judged_s)
            }
        };
        // A document can be written so that gathering ends before the revocation that counts: nothing unknown passes then.
        let strict = gathered.exhausted.map(|_| named.policy.without_tolerance());
        let context = Context {
            time_s: time.judged_s,
            evidence_until_s: time.evidence_until_s,
            evidence: &evidence,
            policy: strict.as_ref().unwrap_or(&named.policy),
            anchors: &named.anchors,
            kept: Some(&self.memory),
        };
        let mut report = document.judge(content.as_content(), context, &not_taken)?;
        report.evidence.fetched = gathered.fetched.iter().map(fetch_report).collect();
        report.evidence.fetching_ended_early = gathered.exhausted.is_some();
        Ok(Verified { report, document, evidence })
    }
}

fn fetch_report(record: &FetchRecord) -> FetchReport {
    FetchReport {
        url: record.url.clone(),
        what: record.what.name().to_owned(),
        octets: record.octets,
        error: record.outcome.as_ref().err().map(ToString::to_string),
    }
}
