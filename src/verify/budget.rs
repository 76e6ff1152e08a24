//! What a judgement may cost, and what it has cost.

use std::fmt;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Signatures verified.
    Signatures,
    /// Certificates tried as the next of a path.
    PathSteps,
    /// Comparisons of a name with a constraint.
    NameComparisons,
    /// Nodes and edges of the policy graph.
    PolicyNodes,
    /// CRLs and OCSP responses held against a certificate.
    RevocationItems,
}

/// A count of each resource: as limits, or as what was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Signatures verified.
    pub signatures: u32,
    /// Certificates tried as the next of a path.
    pub path_steps: u32,
    /// Comparisons of a name with a constraint.
    pub name_comparisons: u32,
    /// Nodes and edges of the policy graph.
    pub policy_nodes: u32,
    /// CRLs and OCSP responses held against a certificate.
    pub revocation_items: u32,
}

impl Costs {
    /// What a judgement may cost unless it is told otherwise.
    ///
    /// A path of four certificates with their CRLs takes eight signatures; a hundred of the slowest kind take about 0.1 s.
    /// Steps and comparisons take tens of nanoseconds to a microsecond each; the largest of real name constraints, held
    /// against the largest of real certificates, take a few thousand; real policies a few dozen nodes. A path of four
    /// certificates may be held against a thousand CRLs each, which takes microseconds for one.
    pub const LIMITS: Self = Self {
        signatures: 100,
        path_steps: 10_000,
        name_comparisons: 250_000,
        policy_nodes: 50_000,
        revocation_items: 10_000,
    };

    fn count(&mut self, resource: Resource) -> &mut u32 {
        match resource {
            Resource::Signatures => &mut self.signatures,
            Resource::PathSteps => &mut self.path_steps,
            Resource::NameComparisons => &mut self.name_comparisons,
            Resource::PolicyNodes => &mut self.policy_nodes,
            Resource::RevocationItems => &mut self.revocation_items,
        }
    }
}

/// The judgement would cost more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the judgement was ended after {limit} {resource}")]
pub struct BudgetExhausted {
    /// What there was too much of.
    pub resource: Resource,
    /// How much was allowed.
    pub limit: u32,
}

/// Counts against limits.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    limits: Costs,
    spent: Costs,
}

impl Budget {
    /// Nothing spent yet.
    #[must_use]
    pub fn new(limits: Costs) -> Self {
        Self { limits, spent: Costs::default() }
    }

    /// Counts so many of a resource, before they are used.
    ///
    /// # Errors
    /// The limit is reached; it stays so.
    pub fn spend(&mut self, resource: Resource, count: u32) -> Result<(), BudgetExhausted> {
        let limit = *self.limits.count(resource);
        let spent = self.spent.count(resource);
        *spent = spent.saturating_add(count);
        if *spent > limit {
            *spent = limit;
            return Err(BudgetExhausted { resource, limit });
        }
        Ok(())
    }

    /// What was spent.
    #[must_use]
    pub fn spent(&self) -> Costs {
        self.spent
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signatures => "signatures",
            Self::PathSteps => "steps of path building",
            Self::NameComparisons => "comparisons of names with constraints",
            Self::PolicyNodes => "nodes of the policy graph",
            Self::RevocationItems => "CRLs and OCSP responses",
        })
    }
}
