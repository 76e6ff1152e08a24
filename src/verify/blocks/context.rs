//! The validation context (EN 319 102-1 §5.2.4), and the one judgement of a document that the blocks share.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::anchor::TrustAnchor;
use super::super::budget::Costs;
use super::super::certificate::{Certificate, NameConstraints};
use super::super::cms::oid as cms_oid;
use super::super::evidence::Evidence;
use super::super::judge::judge_with_memory;
use super::super::judgement::Judgement;
use super::super::path::SignatureMemory;
use super::super::policy::{ChainConstraints, Freshness, Policy};
use super::super::settings::{ExistedBy, RevocationMode, RevocationRule, Settings};
use super::super::signature::AlgorithmPolicy;
use super::chain_memory::{ChainKey, ChainMemory};
use super::{CertificateValidation, ProofsOfExistence};

/// What one document may cost in all: ten judgements of the dearest kind. A signature of level LTA takes five to ten, of a
/// dozen signatures each.
const DOCUMENT_LIMITS: Costs = Costs {
    signatures: 10 * Costs::LIMITS.signatures,
    path_steps: 10 * Costs::LIMITS.path_steps,
    name_comparisons: 10 * Costs::LIMITS.name_comparisons,
    policy_nodes: 10 * Costs::LIMITS.policy_nodes,
    revocation_items: 10 * Costs::LIMITS.revocation_items,
};

/// Octets that are hashed for the timestamps of one document: its content for each digest, and again for each archive
/// timestamp. A sixth of a second's work, and 16 archive timestamps over the largest message.
const MAX_STAMPED_OCTETS: usize = 256 * 1024 * 1024;
/// Of content that is given beside the message, however large: four archive timestamps over it.
const MAX_STAMPINGS: usize = 4;

/// Whose certificate is judged: the anchors, constraints and purposes are not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A document's signer.
    Signer,
    /// A timestamping unit.
    TimestampingUnit,
}

/// The trust anchors, by what they are trusted for.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    /// Signers' chains end here.
    pub signers: Vec<Arc<TrustAnchor>>,
    /// Timestamping units' chains end here.
    pub timestamping: Vec<Arc<TrustAnchor>>,
}

impl Anchors {
    /// The same anchors for everything.
    #[must_use]
    pub fn for_everything(anchors: Vec<Arc<TrustAnchor>>) -> Self {
        Self { signers: anchors.clone(), timestamping: anchors }
    }

    /// Whether these are the same anchors, trusted for the same.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let same = |one: &[Arc<TrustAnchor>], other: &[Arc<TrustAnchor>]| {
            let names = |list: &[Arc<TrustAnchor>]| list.iter().map(|one| *one.fingerprint()).collect::<Vec<_>>();
            names(one) == names(other)
        };
        same(&self.signers, &other.signers) && same(&self.timestamping, &other.timestamping)
    }

    fn of(&self, role: Role) -> &[Arc<TrustAnchor>] {
        match role {
            Role::Signer => &self.signers,
            Role::TimestampingUnit => &self.timestamping,
        }
    }
}

/// What is given: everything that a verdict depends on, besides the document.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the judgement, seconds since 1970.
    pub time_s: i64,
    /// Revocation data may have been made up to this time: now, when the past is judged with what is known since, or the time
    /// of the judgement, for what could have been known then.
    pub evidence_until_s: i64,
    /// What is held, the document's own evidence included.
    pub evidence: &'a Evidence,
    /// The policy.
    pub policy: &'a Policy,
    /// The anchors.
    pub anchors: &'a Anchors,
    /// Judgements of chains that are kept from one document to the next.
    pub kept: Option<&'a ChainMemory>,
}

/// The judgement of one document. What was verified once is not verified again, and everything is counted.
pub struct Validator<'a> {
    pub(super) context: Context<'a>,
    memory: SignatureMemory,
    left: Costs,
    /// Octets that may still be hashed for timestamps.
    octets_left: usize,
    /// Pieces of evidence that the document carries and that could not be read.
    pub(super) unread: usize,
    /// Judgements at the context's time, by certificate and role.
    current: HashMap<([u8; 32], Role), Arc<CertificateValidation>>,
}

/// For which times a chain is judged.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// The chain's.
    pub(super) chain_s: i64,
    /// The target's, where it is another.
    pub(super) target_s: Option<i64>,
    /// The time at which revocation data must be fresh; `None`: however old.
    pub(super) fresh_s: Option<i64>,
}

impl<'a> Validator<'a> {
    /// Nothing judged yet.
    #[must_use]
    pub fn new(context: Context<'a>) -> Self {
        Self {
            context,
            memory: SignatureMemory::default(),
            left: DOCUMENT_LIMITS,
            octets_left: MAX_STAMPED_OCTETS,
            unread: 0,
            current: HashMap::new(),
        }
    }

    /// With so many pieces of evidence in the document that could not be read.
    #[must_use]
    pub fn with_unread(self, unread: usize) -> Self {
        Self { unread, ..self }
    }

    /// What a role's chains must meet.
    pub(super) fn constraints(&self, role: Role) -> &'a ChainConstraints {
        match role {
            Role::Signer => &self.context.policy.signer,
            Role::TimestampingUnit => &self.context.policy.timestamps,
        }
    }

    /// Whether revocation is asked about.
    pub(super) fn revocation_mode(&self, role: Role) -> RevocationMode {
        match role {
            Role::Signer => self.context.policy.revocation.signer,
            Role::TimestampingUnit => self.context.policy.revocation.timestamps,
        }
    }

    /// The limits of one judgement: its own, or what the document has left.
    pub(super) fn limits(&self) -> Costs {
        let (one, left) = (Costs::LIMITS, self.left);
        Costs {
            signatures: one.signatures.min(left.signatures),
            path_steps: one.path_steps.min(left.path_steps),
            name_comparisons: one.name_comparisons.min(left.name_comparisons),
            policy_nodes: one.policy_nodes.min(left.policy_nodes),
            revocation_items: one.revocation_items.min(left.revocation_items),
        }
    }

    fn spend(&mut self, spent: Costs) {
        let left = &mut self.left;
        left.signatures = left.signatures.saturating_sub(spent.signatures);
        left.path_steps = left.path_steps.saturating_sub(spent.path_steps);
        left.name_comparisons = left.name_comparisons.saturating_sub(spent.name_comparisons);
        left.policy_nodes = left.policy_nodes.saturating_sub(spent.policy_nodes);
        left.revocation_items = left.revocation_items.saturating_sub(spent.revocation_items);
    }

    /// Counts signatures that were verified outside a chain's judgement.
    pub(super) fn spend_signatures(&mut self, count: usize) {
        let signatures = u32::try_from(count).unwrap_or(u32::MAX);
        self.spend(Costs { signatures, ..Costs::default() });
    }

    /// Allows for the hashing of content of this size.
    pub(super) fn allow_octets(&mut self, content: usize) {
        self.octets_left = MAX_STAMPED_OCTETS.max(content.saturating_mul(MAX_STAMPINGS));
    }

    /// Counts octets that are to be hashed for a timestamp; `false` where they are too many.
    pub(super) fn spend_octets(&mut self, octets: usize) -> bool {
        let left = self.octets_left.checked_sub(octets);
        self.octets_left = left.unwrap_or(0);
        left.is_some()
    }

    /// Freshness (§5.2.5) as the revocation rule for a time.
    fn revocation_rule(&self, role: Role, fresh_s: Option<i64>) -> RevocationRule {
        let policy = &self.context.policy.revocation;
        let (earliest_this_update_s, earliest_next_update_s) = match (fresh_s, policy.freshness) {
            (None, _) => (i64::MIN, i64::MIN),
            (Some(time_s), Freshness::NextUpdate) => (i64::MIN, time_s),
            (Some(time_s), Freshness::MaxAge { seconds }) => (time_s.saturating_sub(seconds), i64::MIN),
        };
        RevocationRule {
            mode: self.revocation_mode(role),
            latest_this_update_s: self.context.evidence_until_s.max(self.context.time_s),
            earliest_this_update_s,
            earliest_next_update_s,
            without_next_update_s: policy.without_next_update_s,
        }
    }

    /// The settings of a chain's judgement.
    pub(super) fn settings<'s>(
        &'s self,
        role: Role,
        times: Times,
        algorithms: &'s dyn AlgorithmPolicy,
    ) -> Settings<'s> {
        let constraints = self.constraints(role);
        Settings {
            time_s: times.chain_s,
            target_time_s: times.target_s,
            user_initial_policy_set: constraints.policies.clone(),
            anchors: self.context.anchors.of(role).to_vec(),
            inhibit_policy_mapping: constraints.inhibit_policy_mapping,
            explicit_policy: constraints.explicit_policy,
            inhibit_any_policy: constraints.inhibit_any_policy,
            initial_subtrees: NameConstraints::default(),
            max_path_length: constraints.max_path_length,
            purpose: match role {
                Role::Signer => None,
                Role::TimestampingUnit => Some(cms_oid::TIME_STAMPING),
            },
            conformance: constraints.conformance,
            algorithms,
            revocation: self.revocation_rule(role, times.fresh_s),
            existed_by: None::<ExistedBy<'_>>,
            limits: self.limits(),
        }
    }

    /// Judges a chain for the context's time, by what the policy still relies on then; the target for another time, and with
    /// revocation data that was fresh at one, where they are given.
    pub(super) fn judge_by_policy(
        &mut self,
        certificate: &Arc<Certificate>,
        role: Role,
        target_s: Option<i64>,
        fresh_s: Option<i64>,
    ) -> Judgement {
        let chain_s = self.context.time_s;
        self.with_memory(|validator, memory| {
            let suites = validator.context.policy.suites.at(chain_s);
            let settings = validator.settings(role, Times { chain_s, target_s, fresh_s }, &suites);
            judge_and_keep(certificate, validator.context.evidence, &settings, memory)
        })
    }

    /// The work of another judgement over what was verified so far.
    pub(super) fn with_memory<T>(&mut self, work: impl FnOnce(&Self, &mut SignatureMemory) -> (T, Costs)) -> T {
        let mut memory = std::mem::take(&mut self.memory);
        let (outcome, spent) = work(self, &mut memory);
        self.memory = memory;
        self.spend(spent);
        outcome
    }

    /// What was concluded of a certificate at the context's time: found here, in what is kept, or by `judge`.
    pub(super) fn remembered(
        &mut self,
        certificate: &Arc<Certificate>,
        role: Role,
        judge: impl FnOnce(&mut Self) -> CertificateValidation,
    ) -> Arc<CertificateValidation> {
        let name = (*certificate.sha256(), role);
        if let Some(known) = self.current.get(&name) {
            return Arc::clone(known);
        }
        let key = self.context.kept.map(|_| ChainKey::new(certificate, role, &self.context));
        let kept = self.context.kept.zip(key.as_ref()).and_then(|(kept, key)| kept.get(key));
        let validation = kept.unwrap_or_else(|| {
            let validation = Arc::new(judge(self));
            // What came out with less than a whole judgement may cost is this document's own.
            let is_whole = self.limits() == Costs::LIMITS;
            if let Some((kept, key)) = self.context.kept.zip(key).filter(|_| is_whole) {
                kept.keep(key, &validation);
            }
            validation
        });
        self.current.insert(name, Arc::clone(&validation));
        validation
    }

    /// Proofs of existence with nothing in them but that everything is here now.
    pub(super) fn presence(&self) -> ProofsOfExistence {
        ProofsOfExistence::new(self.context.time_s)
    }
}

/// Judges a chain, and says what it cost. What was verified is remembered by where it lies, so that the certificate is kept
/// with it.
pub(super) fn judge_and_keep(
    certificate: &Arc<Certificate>,
    evidence: &Evidence,
    settings: &Settings<'_>,
    memory: &mut SignatureMemory,
) -> (Judgement, Costs) {
    let judgement = judge_with_memory(certificate, evidence, settings, memory);
    memory.keep(certificate);
    let spent = judgement.spent;
    (judgement, spent)
}
