//! The constraints that were checked, each with its outcome and a sentence.

use super::super::policy::{Constraint, Level, Levels};
use super::{Conclusion, Indication, SubIndication};

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold, and the verdict rests on that.
    Failed,
    /// It can't be told, and the verdict rests on that.
    Indeterminate,
    /// It does not hold; the policy only warns.
    Warning,
    /// It does not hold; the policy only tells.
    Information,
}

impl Outcome {
    /// As reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Indeterminate => "indeterminate",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What was checked: a block's name, or a [`Constraint`]'s.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// A sentence.
    pub sentence: String,
}

/// What was checked so far.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    list: Vec<Checked>,
}

impl Checks {
    /// Every check, in order.
    #[must_use]
    pub fn list(&self) -> &[Checked] {
        &self.list
    }

    /// How many there are, for [`Self::settled_since`].
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// What could not be told since is settled by what follows, and the verdict does not rest on it any more.
    pub(super) fn settled_since(&mut self, length: usize) {
        for one in self.list.iter_mut().skip(length).filter(|one| one.outcome == Outcome::Indeterminate) {
            one.outcome = Outcome::Information;
        }
    }

    /// A block's conclusion.
    pub(super) fn concluded(&mut self, name: &'static str, conclusion: &Conclusion, when_passed: impl Into<String>) {
        let (outcome, sentence) = match conclusion.indication {
            Indication::Passed => (Outcome::Passed, when_passed.into()),
            Indication::Failed => (Outcome::Failed, conclusion.reason.clone()),
            Indication::Indeterminate => (Outcome::Indeterminate, conclusion.reason.clone()),
        };
        self.list.push(Checked { name, outcome, sentence });
    }

    /// A sentence without consequence.
    pub(super) fn told(&mut self, name: &'static str, sentence: impl Into<String>) {
        self.list.push(Checked { name, outcome: Outcome::Information, sentence: sentence.into() });
    }

    /// A warning without consequence.
    pub(super) fn warned(&mut self, name: &'static str, sentence: impl Into<String>) {
        self.list.push(Checked { name, outcome: Outcome::Warning, sentence: sentence.into() });
    }

    /// A constraint that the policy has a level for, its sentence as the demand that it is; `Err` where it does not hold and
    /// the level is fail.
    pub(super) fn constraint(
        &mut self,
        levels: &Levels,
        constraint: Constraint,
        holds: bool,
        sentence: impl FnOnce() -> String,
    ) -> Result<(), String> {
        let outcome = match (levels.level(constraint), holds) {
            (Level::Ignore, _) => return Ok(()),
            (_, true) => Outcome::Passed,
            (Level::Fail, false) => Outcome::Failed,
            (Level::Warn, false) => Outcome::Warning,
            (Level::Inform, false) => Outcome::Information,
        };
        let demand = sentence();
        let sentence = if holds { demand } else { format!("not met: {demand}") };
        let failed = outcome == Outcome::Failed;
        let told = if failed { Err(sentence.clone()) } else { Ok(()) };
        self.list.push(Checked { name: constraint.name(), outcome, sentence });
        told
    }
}

/// Constraints one after the other: all of them are checked, and the first that fails is what a block concludes.
pub(super) struct Constraints<'c> {
    levels: &'c Levels,
    checks: &'c mut Checks,
    failed: Option<String>,
}

impl<'c> Constraints<'c> {
    pub(super) const fn new(levels: &'c Levels, checks: &'c mut Checks) -> Self {
        Self { levels, checks, failed: None }
    }

    /// Checks one, its sentence as the demand that it is.
    pub(super) fn check(&mut self, constraint: Constraint, holds: bool, sentence: &str) {
        if let Err(sentence) = self.checks.constraint(self.levels, constraint, holds, || sentence.to_owned()) {
            self.failed.get_or_insert(sentence);
        }
    }

    /// SIG_CONSTRAINTS_FAILURE by the first that failed.
    pub(super) fn conclude(self) -> Conclusion {
        self.failed.map_or(Conclusion::passed(), |sentence| {
            Conclusion::indeterminate(SubIndication::SigConstraintsFailure, sentence)
        })
    }
}
