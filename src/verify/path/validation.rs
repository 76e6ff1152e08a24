//! Basic path validation (RFC 5280 §6.1), revocation aside.

use std::sync::Arc;

use super::super::anchor::TrustAnchor;
use super::super::budget::{Budget, BudgetExhausted, Resource};
use super::super::certificate::{BasicConstraints, Certificate, NameConstraints, PolicyMapping, oid};
use super::super::settings::{Conformance, PolicySet, Settings};
use super::super::signature::VerificationKey;
use super::fault::Fault;
use super::name_constraints::Subtrees;
use super::policy_graph::{PolicyGraph, PolicyOutcome};
use super::signatures::SignatureMemory;
use crate::asn1::Oid;

/// Where in a path something does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// At the anchor.
    Anchor,
    /// At this certificate, counted from the anchor's side.
    Certificate(usize),
}

/// A key of the path: a certificate's own, or one with inherited parameters.
#[derive(Clone)]
pub(crate) enum WorkingKey<'a> {
    Own(&'a VerificationKey),
    Inheriting(Arc<VerificationKey>),
}

impl WorkingKey<'_> {
    pub(crate) fn key(&self) -> &VerificationKey {
        match self {
            Self::Own(key) => key,
            Self::Inheriting(key) => key,
        }
    }
}

/// A path that holds, revocation aside.
pub(crate) struct ValidPath<'a> {
    pub(crate) policies: PolicyOutcome,
    /// The keys that signed: the anchor's for the first certificate, and so on.
    pub(crate) issuer_keys: Vec<WorkingKey<'a>>,
}

/// What a validation is given besides the path.
pub(crate) struct Inputs<'s> {
    pub(crate) settings: &'s Settings<'s>,
    /// The purpose that the last certificate must allow.
    pub(crate) purpose: Option<&'s [u8]>,
    /// The time that the last certificate must be valid at; the others at the settings' time.
    pub(crate) last_time_s: i64,
    /// Whether the settings' policies are demanded: of the target's path, not of a CRL issuer's.
    pub(crate) policies: bool,
}

/// Octets of an extension that count as one node: what reading them costs.
const OCTETS_A_NODE: usize = 16;

/// The state of §6.1.2.
struct State<'a> {
    graph: PolicyGraph<'a>,
    subtrees: Subtrees<'a>,
    explicit_policy: u32,
    inhibit_any_policy: u32,
    policy_mapping: u32,
    max_path_length: u32,
    working_key: WorkingKey<'a>,
}

/// Validates a path, the anchor's side first.
///
/// # Errors
/// The outer: the budget is spent. The inner: where it does not hold, and why.
pub(crate) fn validate<'a>(
    anchor: &'a TrustAnchor,
    path: &[&'a Certificate],
    inputs: &Inputs<'a>,
    memory: &mut SignatureMemory,
    budget: &mut Budget,
) -> Result<Result<ValidPath<'a>, (Place, Fault)>, BudgetExhausted> {
    let mut state = match initialize(anchor, path.len(), inputs, budget)? {
        Ok(state) => state,
        Err(fault) => return Ok(Err((Place::Anchor, fault))),
    };
    let mut issuer_keys = Vec::with_capacity(path.len());
    for (at, certificate) in path.iter().enumerate() {
        issuer_keys.push(state.working_key.clone());
        let is_last = at + 1 == path.len();
        let mut step = || -> Result<Result<(), Fault>, BudgetExhausted> {
            if let Err(fault) = state.process(certificate, is_last, inputs, memory, budget)? {
                return Ok(Err(fault));
            }
            if is_last { Ok(state.wrap_up(certificate, inputs)) } else { state.prepare(certificate, budget) }
        };
        if let Err(fault) = step()? {
            return Ok(Err((Place::Certificate(at), fault)));
        }
    }
    let last = Place::Certificate(path.len().saturating_sub(1));
    let asked = match inputs.policies {
        true => restricted(&inputs.settings.user_initial_policy_set, anchor),
        false => PolicySet::Any,
    };
    let policies = state.graph.outcome(&asked);
    // §6.1.5, last: "the path processing succeeds if either explicit_policy > 0 or the user-constrained set is not empty".
    if state.explicit_policy == 0 && policies.user_constrained.is_empty() {
        return Ok(Err((last, Fault::NoPolicy)));
    }
    Ok(Ok(ValidPath { policies, issuer_keys }))
}

/// The user's policies that the anchor stands for (RFC 5937 §4: the intersection).
fn restricted(asked: &PolicySet, anchor: &TrustAnchor) -> PolicySet {
    let of_certificate = anchor.whole_certificate().and_then(|certificate| certificate.certificate_policies().ok()?);
    let of_certificate = of_certificate.map(|policies| policies.iter().map(|policy| policy.policy.to_vec()).collect());
    let of_operator = anchor.constraints.policies.as_ref();
    let of_operator = of_operator.map(|policies| policies.iter().map(|policy| policy.octets().to_vec()).collect());
    let mut restricted = asked.clone();
    for allowed in [of_certificate, of_operator].into_iter().flatten() {
        let allowed: Vec<Vec<u8>> = allowed;
        if allowed.iter().any(|policy| policy == oid::ANY_POLICY) {
            continue;
        }
        restricted = PolicySet::Of(match restricted {
            PolicySet::Any => allowed.iter().filter_map(|policy| Oid::from_octets(policy).ok()).collect(),
            PolicySet::Of(asked) => {
                asked.into_iter().filter(|policy| allowed.iter().any(|one| one == policy.octets())).collect()
            }
        });
    }
    restricted
}

/// §6.1.2, with an anchor's constraints as RFC 5937 §4 adds them.
fn initialize<'a>(
    anchor: &'a TrustAnchor,
    length: usize,
    inputs: &Inputs<'a>,
    budget: &mut Budget,
) -> Result<Result<State<'a>, Fault>, BudgetExhausted> {
    let settings = inputs.settings;
    let Some(key) = anchor.key() else {
        return Ok(Err(Fault::IssuerKey(crate::asn1::DerError::Value { what: "trust anchor's key" }.into())));
    };
    // "If the initial-… is set, then the initial value is 0; otherwise n+1."
    let unset = u32::try_from(length).unwrap_or(u32::MAX).saturating_add(1);
    let start = |is_set: bool| if is_set && inputs.policies { 0 } else { unset };
    let mut state = State {
        graph: PolicyGraph::new(),
        subtrees: Subtrees::default(),
        explicit_policy: start(settings.explicit_policy),
        inhibit_any_policy: start(settings.inhibit_any_policy),
        policy_mapping: start(settings.inhibit_policy_mapping),
        max_path_length: settings.max_path_length.unwrap_or(u32::MAX),
        working_key: WorkingKey::Own(key),
    };
    state.subtrees.add(settings.initial_subtrees.clone());

    let constraints = &anchor.constraints;
    if let Some(from_s) = constraints.from_s.filter(|from_s| settings.time_s < *from_s) {
        return Ok(Err(Fault::NotYetValid { time_s: settings.time_s, not_before_s: from_s }));
    }
    if let Some(until_s) = constraints.until_s.filter(|until_s| settings.time_s > *until_s) {
        return Ok(Err(Fault::Expired { time_s: settings.time_s, not_after_s: until_s }));
    }
    if let Some(length) = constraints.max_path_length {
        state.max_path_length = state.max_path_length.min(length);
    }
    if let Some(value) = &constraints.name_constraints {
        match NameConstraints::from_der(value) {
            Ok(constraints) => state.subtrees.add(constraints),
            Err(error) => return Ok(Err(Fault::MalformedExtension { extension: "nameConstraints", error })),
        }
    }
    if constraints.policies.is_some() && inputs.policies {
        state.explicit_policy = 0;
    }
    match anchor.whole_certificate() {
        None => Ok(Ok(state)),
        Some(certificate) => {
            let constrained = state.constrain_by_anchor(certificate, settings, budget)?;
            Ok(constrained.map(|()| state))
        }
    }
}

fn check_time(certificate: &Certificate, time_s: i64) -> Result<(), Fault> {
    if time_s < certificate.not_before_s() {
        return Err(Fault::NotYetValid { time_s, not_before_s: certificate.not_before_s() });
    }
    if time_s > certificate.not_after_s() {
        return Err(Fault::Expired { time_s, not_after_s: certificate.not_after_s() });
    }
    Ok(())
}

/// What every certificate is held against, an anchor's too: its extensions can be read and, where critical, are processed.
fn check_extensions(certificate: &Certificate, settings: &Settings<'_>) -> Result<(), Fault> {
    if let Some((extension, error)) = certificate.malformed_extension() {
        return Err(Fault::MalformedExtension { extension, error });
    }
    let unknown = certificate.extensions().find(|one| one.critical && !oid::PROCESSED.contains(&one.oid));
    if let Some(unknown) = unknown {
        let oid = Oid::from_octets(unknown.oid).map_or_else(|_| hex::encode(unknown.oid), |oid| oid.to_string());
        return Err(Fault::UnknownCriticalExtension { oid });
    }
    match (settings.conformance, certificate.findings().first()) {
        (Conformance::Required, Some(finding)) => Err(Fault::Finding(*finding)),
        _ => Ok(()),
    }
}

/// §6.1.4 (k) and (n).
fn check_ca(certificate: &Certificate) -> Result<(), Fault> {
    match certificate.basic_constraints() {
        Ok(Some(BasicConstraints { is_ca: true, .. })) => {}
        found => return Err(Fault::NotCa { has_basic_constraints: !matches!(found, Ok(None)) }),
    }
    match certificate.key_usage() {
        Ok(Some(usage)) if !usage.key_cert_sign() => Err(Fault::NoKeyCertSign),
        _ => Ok(()),
    }
}

impl<'a> State<'a> {
    fn constrain_by_anchor(
        &mut self,
        certificate: &'a Certificate,
        settings: &Settings<'_>,
        budget: &mut Budget,
    ) -> Result<Result<(), Fault>, BudgetExhausted> {
        let checked = check_time(certificate, settings.time_s)
            .and_then(|()| check_extensions(certificate, settings))
            .and_then(|()| check_ca(certificate));
        if let Err(fault) = checked {
            return Ok(Err(fault));
        }
        if let Ok(Some(BasicConstraints { path_length: Some(length), .. })) = certificate.basic_constraints() {
            self.max_path_length = self.max_path_length.min(length);
        }
        // RFC 5937 §4: the anchor's policyConstraints and inhibitAnyPolicy set the initial indicators.
        if let Ok(Some(constraints)) = certificate.policy_constraints() {
            if constraints.require_explicit_policy.is_some() {
                self.explicit_policy = 0;
            }
            if constraints.inhibit_policy_mapping.is_some() {
                self.policy_mapping = 0;
            }
        }
        if let Ok(Some(_)) = certificate.inhibit_any_policy() {
            self.inhibit_any_policy = 0;
        }
        self.subtrees.add_of(certificate, budget)
    }

    /// §6.1.3.
    fn process(
        &mut self,
        certificate: &'a Certificate,
        is_last: bool,
        inputs: &Inputs<'_>,
        memory: &mut SignatureMemory,
        budget: &mut Budget,
    ) -> Result<Result<(), Fault>, BudgetExhausted> {
        let settings = inputs.settings;
        // (a)(1)
        if let Err(fault) = memory.verify(certificate, self.working_key.key(), settings.algorithms, budget)? {
            return Ok(Err(fault));
        }
        // (a)(2); (a)(4) was the builder's, and (a)(3) comes after.
        let time_s = if is_last { inputs.last_time_s } else { settings.time_s };
        if let Err(fault) = check_time(certificate, time_s).and_then(|()| check_extensions(certificate, settings)) {
            return Ok(Err(fault));
        }
        // (b), (c)
        if (is_last || !certificate.is_self_issued())
            && let Err(fault) = self.subtrees.check(certificate, budget)?
        {
            return Ok(Err(fault));
        }
        // (d), (e)
        spend_reading(certificate, oid::CERTIFICATE_POLICIES, budget)?;
        match certificate.certificate_policies() {
            Ok(Some(policies)) => {
                let any_policy = self.inhibit_any_policy > 0 || (!is_last && certificate.is_self_issued());
                self.graph.add(&policies, any_policy, budget)?;
            }
            _ => self.graph.set_null(),
        }
        // (f)
        Ok(if self.explicit_policy == 0 && self.graph.is_null() { Err(Fault::NoPolicy) } else { Ok(()) })
    }

    /// §6.1.4.
    fn prepare(
        &mut self,
        certificate: &'a Certificate,
        budget: &mut Budget,
    ) -> Result<Result<(), Fault>, BudgetExhausted> {
        // (a), (b)
        spend_reading(certificate, oid::POLICY_MAPPINGS, budget)?;
        if let Ok(Some(mappings)) = certificate.policy_mappings() {
            let is_any = |mapping: &PolicyMapping<'_>| {
                mapping.issuer_domain == oid::ANY_POLICY || mapping.subject_domain == oid::ANY_POLICY
            };
            if mappings.iter().any(is_any) {
                return Ok(Err(Fault::MappedAnyPolicy));
            }
            self.graph.map(&mappings, self.policy_mapping > 0, budget)?;
        }
        // (c) to (f)
        self.working_key = match next_key(certificate, &self.working_key) {
            Ok(key) => key,
            Err(fault) => return Ok(Err(fault)),
        };
        // (g)
        if let Err(fault) = self.subtrees.add_of(certificate, budget)? {
            return Ok(Err(fault));
        }
        let self_issued = certificate.is_self_issued();
        // (h)
        if !self_issued {
            self.explicit_policy = self.explicit_policy.saturating_sub(1);
            self.policy_mapping = self.policy_mapping.saturating_sub(1);
            self.inhibit_any_policy = self.inhibit_any_policy.saturating_sub(1);
        }
        // (i), (j)
        if let Ok(Some(constraints)) = certificate.policy_constraints() {
            lower(&mut self.explicit_policy, constraints.require_explicit_policy);
            lower(&mut self.policy_mapping, constraints.inhibit_policy_mapping);
        }
        lower(&mut self.inhibit_any_policy, certificate.inhibit_any_policy().ok().flatten());
        // (k), (n)
        if let Err(fault) = check_ca(certificate) {
            return Ok(Err(fault));
        }
        // (l)
        if !self_issued {
            match self.max_path_length.checked_sub(1) {
                Some(left) => self.max_path_length = left,
                None => return Ok(Err(Fault::PathTooLong)),
            }
        }
        // (m)
        if let Ok(Some(constraints)) = certificate.basic_constraints() {
            lower(&mut self.max_path_length, constraints.path_length);
        }
        Ok(Ok(()))
    }

    /// §6.1.5, but for (g).
    fn wrap_up(&mut self, certificate: &Certificate, inputs: &Inputs<'_>) -> Result<(), Fault> {
        // (a)
        self.explicit_policy = self.explicit_policy.saturating_sub(1);
        // (b)
        if let Ok(Some(constraints)) = certificate.policy_constraints()
            && constraints.require_explicit_policy == Some(0)
        {
            self.explicit_policy = 0;
        }
        // §4.2.1.12; an absent extension allows every purpose.
        if let (Some(purpose), Ok(Some(allowed))) = (inputs.purpose, certificate.extended_key_usage())
            && !allowed.iter().any(|one| *one == purpose || *one == oid::ANY_EXTENDED_KEY_USAGE)
        {
            return Err(Fault::Purpose);
        }
        Ok(())
    }
}

fn lower(value: &mut u32, to: Option<u32>) {
    *value = to.map_or(*value, |to| to.min(*value));
}

/// §6.1.4 (d) to (f): the certificate's key, with the parameters of the key above where it has none of its own.
fn next_key<'a>(certificate: &'a Certificate, above: &WorkingKey<'a>) -> Result<WorkingKey<'a>, Fault> {
    let key = certificate.key().map_err(Fault::IssuerKey)?;
    if !key.lacks_parameters() {
        return Ok(WorkingKey::Own(key));
    }
    // Without parameters to inherit the key stays, and whatever it signed fails.
    let inheriting = key.inheriting(above.key()).map(|key| WorkingKey::Inheriting(Arc::new(key)));
    Ok(inheriting.unwrap_or(WorkingKey::Own(key)))
}

fn spend_reading(certificate: &Certificate, oid: &[u8], budget: &mut Budget) -> Result<(), BudgetExhausted> {
    let octets = certificate.extension(oid).map_or(0, |extension| extension.value.len());
    budget.spend(Resource::PolicyNodes, u32::try_from(octets / OCTETS_A_NODE).unwrap_or(u32::MAX))
}
