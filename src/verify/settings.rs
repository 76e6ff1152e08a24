//! What a judgement is asked: the inputs of RFC 5280 §6.1.1 but for the path, and what is demanded beyond them.

use super::anchor::TrustAnchor;
use super::budget::Costs;
use super::certificate::NameConstraints;
use super::existence::ProofsOfExistence;
use super::signature::AlgorithmPolicy;
use crate::asn1::Oid;
use std::sync::Arc;

/// user-initial-policy-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySet {
    /// any-policy: the user is not concerned about policies.
    Any,
    /// Any of these.
    Of(Vec<Oid>),
}

/// What follows from a certificate that does not keep a MUST of RFC 5280 §4 which no path depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conformance {
    /// Nothing: [`Certificate::findings`](super::Certificate::findings) tells.
    Told,
    /// No certificate of the path, and no anchor given as a certificate, may have a finding.
    Required,
}

/// What is asked about revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationMode {
    /// Nothing is looked at.
    NotAsked,
    /// A revoked certificate fails; one whose status can't be told does not.
    Told,
    /// Every certificate of the path must be known to be good.
    Required,
}

/// Revocation: what is asked, and how fresh evidence must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationRule {
    /// What is asked.
    pub mode: RevocationMode,
    /// thisUpdate may be this late: the time of judging itself, or now, when the past is judged with what came later.
    pub latest_this_update_s: i64,
    /// thisUpdate may be this early: where freshness is an age.
    pub earliest_this_update_s: i64,
    /// nextUpdate may be this early.
    pub earliest_next_update_s: i64,
    /// For how long evidence without nextUpdate is taken to hold; `None` refuses it.
    pub without_next_update_s: Option<i64>,
}

impl RevocationRule {
    /// Nothing is asked.
    pub const NOT_ASKED: Self = Self {
        mode: RevocationMode::NotAsked,
        latest_this_update_s: i64::MAX,
        earliest_this_update_s: i64::MIN,
        earliest_next_update_s: i64::MIN,
        without_next_update_s: None,
    };

    /// Every status must be known, from evidence that was current at this time.
    #[must_use]
    pub const fn required_at(time_s: i64) -> Self {
        Self {
            mode: RevocationMode::Required,
            latest_this_update_s: time_s,
            earliest_this_update_s: i64::MIN,
            earliest_next_update_s: time_s,
            without_next_update_s: None,
        }
    }
}

/// A demand that evidence existed by a time.
#[derive(Clone, Copy)]
pub struct ExistedBy<'a> {
    /// What is proven to have existed, since when.
    pub proofs: &'a ProofsOfExistence,
    /// The time.
    pub time_s: i64,
}

/// What is asked.
#[derive(Clone)]
pub struct Settings<'a> {
    /// (b): the time that is judged for, seconds since 1970: now, or any time in the past.
    pub time_s: i64,
    /// The time that the target itself is judged for, where it is another than that of the certificates above it: when it
    /// signed, as a timestamp proves it, while its issuers are judged for now (EN 319 102-1 §5.5).
    pub target_time_s: Option<i64>,
    /// (c): user-initial-policy-set.
    pub user_initial_policy_set: PolicySet,
    /// (d): the trust anchors; a path to any of them will do.
    pub anchors: Vec<Arc<TrustAnchor>>,
    /// (e): initial-policy-mapping-inhibit.
    pub inhibit_policy_mapping: bool,
    /// (f): initial-explicit-policy.
    pub explicit_policy: bool,
    /// (g): initial-any-policy-inhibit.
    pub inhibit_any_policy: bool,
    /// (h), (i): initial-permitted-subtrees and initial-excluded-subtrees. A form without a permitted subtree is free.
    pub initial_subtrees: NameConstraints<'a>,
    /// max_path_length to start with: how many certificates that are not self-issued may stand between anchor and target.
    pub max_path_length: Option<u32>,
    /// A purpose, content octets, that the target's extKeyUsage must allow where it has one.
    pub purpose: Option<&'a [u8]>,
    /// Whether findings fail.
    pub conformance: Conformance,
    /// Which signature algorithms may be relied on.
    pub algorithms: &'a dyn AlgorithmPolicy,
    /// Revocation.
    pub revocation: RevocationRule,
    /// Revocation data counts only if it is proven to have existed by a time; `None`: all that is held counts.
    pub existed_by: Option<ExistedBy<'a>>,
    /// What the judgement may cost.
    pub limits: Costs,
}

impl<'a> Settings<'a> {
    /// The time that the target itself is judged for.
    #[must_use]
    pub fn time_of_target_s(&self) -> i64 {
        self.target_time_s.unwrap_or(self.time_s)
    }

    /// A judgement for this time with these anchors and nothing else demanded: no policies, no purpose, no revocation.
    #[must_use]
    pub fn new(time_s: i64, anchors: Vec<Arc<TrustAnchor>>, algorithms: &'a dyn AlgorithmPolicy) -> Self {
        Self {
            time_s,
            target_time_s: None,
            user_initial_policy_set: PolicySet::Any,
            anchors,
            inhibit_policy_mapping: false,
            explicit_policy: false,
            inhibit_any_policy: false,
            initial_subtrees: NameConstraints::default(),
            max_path_length: None,
            purpose: None,
            conformance: Conformance::Told,
            algorithms,
            revocation: RevocationRule::NOT_ASKED,
            existed_by: None,
            limits: Costs::LIMITS,
        }
    }
}
