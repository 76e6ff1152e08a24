//! Certificate policies (RFC 5280 §6.1), kept as the graph of RFC 9618 instead of a tree.
//!
//! A tree has a node for each way in which mappings lead to a policy, and grows exponentially with a path's length; the graph
//! has one node a policy and depth, with all its parents, and gives the same sets. Even so its size is the square of a
//! certificate's policies, so nodes and edges are counted against a budget.

use std::collections::{BTreeSet, HashMap};

use super::super::budget::{Budget, BudgetExhausted, Resource};
use super::super::certificate::{PolicyInformation, PolicyMapping, oid};
use super::super::settings::PolicySet;

/// What a path is good for: the sets of RFC 9618 §5 as policies' content octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyOutcome {
    /// authority-constrained-policy-set: the policies that the path's authorities stand for.
    pub authority_constrained: BTreeSet<Vec<u8>>,
    /// user-constrained-policy-set: those of them that the user asked for.
    pub user_constrained: BTreeSet<Vec<u8>>,
    /// policyQualifiers of the last certificate that come with the user's policies: the content of each SEQUENCE.
    pub qualifiers: Vec<Vec<u8>>,
}

struct Node<'a> {
    valid_policy: &'a [u8],
    qualifiers: &'a [u8],
    /// expected_policy_set.
    expected: Vec<&'a [u8]>,
    /// Places in the level above.
    parents: Vec<usize>,
    is_deleted: bool,
}

#[derive(Default)]
struct Level<'a> {
    nodes: Vec<Node<'a>>,
    by_policy: HashMap<&'a [u8], usize>,
}

impl<'a> Level<'a> {
    fn find(&self, policy: &[u8]) -> Option<usize> {
        self.by_policy.get(policy).copied().filter(|at| !self.nodes[*at].is_deleted)
    }

    fn push(&mut self, node: Node<'a>, budget: &mut Budget) -> Result<(), BudgetExhausted> {
        budget.spend(Resource::PolicyNodes, count(1 + node.parents.len() + node.expected.len()))?;
        self.by_policy.insert(node.valid_policy, self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// valid_policy_graph; without levels it is NULL.
pub(super) struct PolicyGraph<'a> {
    levels: Vec<Level<'a>>,
    /// The qualifiers of anyPolicy in the last certificate.
    any_qualifiers: &'a [u8],
}

impl<'a> PolicyGraph<'a> {
    /// §6.1.2 (a): one node of depth zero, anyPolicy.
    pub(super) fn new() -> Self {
        let node = Node {
            valid_policy: oid::ANY_POLICY,
            qualifiers: &[],
            expected: vec![oid::ANY_POLICY],
            parents: Vec::new(),
            is_deleted: false,
        };
        let level = Level { nodes: vec![node], by_policy: HashMap::from([(oid::ANY_POLICY, 0)]) };
        Self { levels: vec![level], any_qualifiers: &[] }
    }

    /// Whether the graph is NULL.
    pub(super) fn is_null(&self) -> bool {
        self.levels.is_empty()
    }

    /// §6.1.3 (e).
    pub(super) fn set_null(&mut self) {
        self.levels.clear();
    }

    /// §6.1.3 (d): the next certificate's policies. `any_policy` is whether its anyPolicy counts.
    pub(super) fn add(
        &mut self,
        policies: &[PolicyInformation<'a>],
        any_policy: bool,
        budget: &mut Budget,
    ) -> Result<(), BudgetExhausted> {
        let Some(above) = self.levels.last() else { return Ok(()) };
        let mut expecting: HashMap<&'a [u8], Vec<usize>> = HashMap::new();
        // In the order of the nodes, so that the same path always gives the same graph.
        let mut expected = Vec::new();
        for (at, node) in above.nodes.iter().enumerate().filter(|(_, node)| !node.is_deleted) {
            for policy in &node.expected {
                budget.spend(Resource::PolicyNodes, 1)?;
                let parents = expecting.entry(policy).or_default();
                if parents.is_empty() {
                    expected.push(*policy);
                }
                if parents.last() != Some(&at) {
                    parents.push(at);
                }
            }
        }
        let any_above = above.find(oid::ANY_POLICY);
        let mut level = Level::default();
        let node = |valid_policy: &'a [u8], qualifiers: &'a [u8], parents: Vec<usize>| Node {
            valid_policy,
            qualifiers,
            expected: vec![valid_policy],
            parents,
            is_deleted: false,
        };
        self.any_qualifiers = &[];
        for information in policies {
            if information.policy == oid::ANY_POLICY {
                self.any_qualifiers = information.qualifiers;
                continue;
            }
            // (1)(i), and (ii) where no node expects it.
            let parents = expecting.get(information.policy).cloned().or_else(|| any_above.map(|any| vec![any]));
            if let Some(parents) = parents {
                level.push(node(information.policy, information.qualifiers, parents), budget)?;
            }
        }
        // (2)
        if any_policy && policies.iter().any(|information| information.policy == oid::ANY_POLICY) {
            for policy in expected {
                if level.find(policy).is_none()
                    && let Some(parents) = expecting.remove(policy)
                {
                    level.push(node(policy, self.any_qualifiers, parents), budget)?;
                }
            }
        }
        self.levels.push(level);
        self.prune();
        Ok(())
    }

    /// §6.1.4 (b): the mappings of the certificate that was added last. `allowed` is whether policy_mapping is above 0.
    pub(super) fn map(
        &mut self,
        mappings: &[PolicyMapping<'a>],
        allowed: bool,
        budget: &mut Budget,
    ) -> Result<(), BudgetExhausted> {
        let qualifiers = self.any_qualifiers;
        let [.., above, level] = self.levels.as_mut_slice() else { return Ok(()) };
        budget.spend(Resource::PolicyNodes, count(mappings.len()))?;
        let mut mapped: HashMap<&[u8], Vec<&'a [u8]>> = HashMap::new();
        let mut from = Vec::new();
        for mapping in mappings {
            let to = mapped.entry(mapping.issuer_domain).or_default();
            if to.is_empty() {
                from.push(mapping.issuer_domain);
            }
            to.push(mapping.subject_domain);
        }
        for issuer_domain in from {
            let at = level.find(issuer_domain);
            if !allowed {
                // (2)
                if let Some(node) = at.and_then(|at| level.nodes.get_mut(at)) {
                    node.is_deleted = true;
                }
                continue;
            }
            let mut expected = mapped.remove(issuer_domain).unwrap_or_default();
            expected.sort_unstable();
            expected.dedup();
            // (1)
            if let Some(node) = at.and_then(|at| level.nodes.get_mut(at)) {
                node.expected = expected;
            } else if level.find(oid::ANY_POLICY).is_some()
                && let Some(any_above) = above.find(oid::ANY_POLICY)
            {
                let parents = vec![any_above];
                let node = Node { valid_policy: issuer_domain, qualifiers, expected, parents, is_deleted: false };
                level.push(node, budget)?;
            }
        }
        if !allowed {
            self.prune();
        }
        Ok(())
    }

    /// §6.1.3 (d)(3): deletes nodes without children, above the last level; a graph without nodes is NULL.
    fn prune(&mut self) {
        for at in (1..self.levels.len()).rev() {
            let (upper, lower) = self.levels.split_at_mut(at);
            let (Some(above), Some(level)) = (upper.last_mut(), lower.first()) else { return };
            let mut has_child = vec![false; above.nodes.len()];
            for node in level.nodes.iter().filter(|node| !node.is_deleted) {
                for parent in &node.parents {
                    has_child[*parent] = true;
                }
            }
            let mut changed = false;
            for (node, has_child) in above.nodes.iter_mut().zip(has_child) {
                changed |= !has_child && !node.is_deleted;
                node.is_deleted |= !has_child;
            }
            // A level in which nothing changed leaves those above it as they are.
            if !changed {
                break;
            }
        }
        if self.levels.first().is_some_and(|root| root.nodes.iter().all(|node| node.is_deleted)) {
            self.set_null();
        }
    }

    /// §6.1.5 (g), as RFC 9618 writes it.
    pub(super) fn outcome(&self, user_initial: &PolicySet) -> PolicyOutcome {
        let Some(last) = self.levels.last() else { return PolicyOutcome::default() };
        let mut outcome = PolicyOutcome::default();
        let any = last.find(oid::ANY_POLICY);
        // valid_policy_node_set: the nodes below an anyPolicy node. Pruned, each has a descendant in the last level.
        let is_valid = |level: usize, node: &Node<'_>| {
            let above = level.checked_sub(1).and_then(|above| self.levels.get(above));
            let below_any = above.is_some_and(|above| {
                node.parents.iter().any(|parent| above.nodes[*parent].valid_policy == oid::ANY_POLICY)
            });
            below_any && !node.is_deleted && node.valid_policy != oid::ANY_POLICY
        };
        for (at, level) in self.levels.iter().enumerate() {
            for node in level.nodes.iter().filter(|node| is_valid(at, node)) {
                outcome.authority_constrained.insert(node.valid_policy.to_vec());
            }
        }
        if any.is_some() {
            outcome.authority_constrained.insert(oid::ANY_POLICY.to_vec());
        }
        let asked = match user_initial {
            PolicySet::Any => None,
            PolicySet::Of(policies) => Some(policies),
        };
        outcome.user_constrained = match asked {
            None => outcome.authority_constrained.clone(),
            Some(asked) => asked
                .iter()
                .map(|policy| policy.octets())
                .filter(|policy| any.is_some() || outcome.authority_constrained.contains(*policy))
                .map(<[u8]>::to_vec)
                .collect(),
        };
        outcome.qualifiers = self.qualifiers(&outcome, any, asked.is_none(), is_valid);
        outcome
    }

    /// The qualifiers of the last level's nodes that descend from the user's policies.
    fn qualifiers(
        &self,
        outcome: &PolicyOutcome,
        any: Option<usize>,
        asked_for_any: bool,
        is_valid: impl Fn(usize, &Node<'a>) -> bool,
    ) -> Vec<Vec<u8>> {
        let mut reached: Vec<bool> = Vec::new();
        for (at, level) in self.levels.iter().enumerate() {
            reached = level
                .nodes
                .iter()
                .map(|node| {
                    let is_users = is_valid(at, node) && outcome.user_constrained.contains(node.valid_policy);
                    let descends = node.parents.iter().any(|parent| reached.get(*parent) == Some(&true));
                    !node.is_deleted && (is_users || descends)
                })
                .collect();
        }
        // (g)(iii)(3) of RFC 5280: a policy of the user that no node has comes with the qualifiers of anyPolicy.
        let by_any = asked_for_any
            || outcome.user_constrained.iter().any(|policy| !outcome.authority_constrained.contains(policy));
        if let Some(any) = any.filter(|_| by_any) {
            reached[any] = true;
        }
        let nodes = self.levels.last().map_or(&[][..], |level| level.nodes.as_slice());
        let reached = nodes.iter().zip(reached).filter(|(node, reached)| *reached && !node.qualifiers.is_empty());
        reached.map(|(node, _)| node.qualifiers.to_vec()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asn1::Oid;
    use crate::verify::Costs;

    const ONE: &[u8] = &[0x2a, 1];
    const TWO: &[u8] = &[0x2a, 2];

    fn information(policy: &[u8]) -> PolicyInformation<'_> {
        PolicyInformation { policy, qualifiers: &[] }
    }

    fn mapping<'a>(issuer_domain: &'a [u8], subject_domain: &'a [u8]) -> PolicyMapping<'a> {
        PolicyMapping { issuer_domain, subject_domain }
    }

    fn only(policy: &[u8]) -> PolicySet {
        PolicySet::Of(vec![Oid::from_octets(policy).unwrap()])
    }

    #[test]
    fn a_mapping_leads_to_the_issuers_policy() {
        let mut budget = Budget::new(Costs::LIMITS);
        let mut graph = PolicyGraph::new();
        graph.add(&[information(ONE)], true, &mut budget).unwrap();
        graph.map(&[mapping(ONE, TWO)], true, &mut budget).unwrap();
        graph.add(&[information(TWO)], true, &mut budget).unwrap();
        assert_eq!(graph.outcome(&only(ONE)).user_constrained, BTreeSet::from([ONE.to_vec()]));
        assert!(graph.outcome(&only(TWO)).user_constrained.is_empty());

        let mut graph = PolicyGraph::new();
        graph.add(&[information(ONE)], true, &mut budget).unwrap();
        graph.map(&[mapping(ONE, TWO)], false, &mut budget).unwrap();
        assert!(graph.is_null());
    }

    #[test]
    fn a_tree_bomb_is_a_small_graph() {
        // Two policies, each mapped to both, twenty levels: a tree of a million leaves.
        let mut budget = Budget::new(Costs::LIMITS);
        let mut graph = PolicyGraph::new();
        for _ in 0..20 {
            graph.add(&[information(ONE), information(TWO)], true, &mut budget).unwrap();
            graph
                .map(&[mapping(ONE, ONE), mapping(ONE, TWO), mapping(TWO, ONE), mapping(TWO, TWO)], true, &mut budget)
                .unwrap();
        }
        assert_eq!(graph.outcome(&PolicySet::Any).authority_constrained.len(), 2);
        assert!(budget.spent().policy_nodes < 500);
    }

    #[test]
    fn a_wide_graph_ends_in_an_error() {
        let policies: Vec<Vec<u8>> = (0..1000_u16)
            .map(|n| [&[0x2a][..], &((n % 100) + 1).to_be_bytes()[1..], &((n / 100) + 1).to_be_bytes()[1..]].concat())
            .collect();
        let list: Vec<_> = policies.iter().map(|policy| information(policy)).collect();
        let mappings: Vec<PolicyMapping<'_>> =
            policies.iter().flat_map(|from| policies.iter().take(100).map(move |to| mapping(from, to))).collect();
        let mut budget = Budget::new(Costs::LIMITS);
        let mut graph = PolicyGraph::new();
        let mut build = || -> Result<(), BudgetExhausted> {
            for _ in 0..10 {
                graph.add(&list, true, &mut budget)?;
                graph.map(&mappings, true, &mut budget)?;
            }
            Ok(())
        };
        let exhausted = BudgetExhausted { resource: Resource::PolicyNodes, limit: Costs::LIMITS.policy_nodes };
        assert_eq!(build(), Err(exhausted));
        assert_eq!(budget.spent().policy_nodes, Costs::LIMITS.policy_nodes);
    }
}
