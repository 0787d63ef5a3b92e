//! The suite over one adapter: which rules run, and what is known of them beforehand. One [engine](engine) runs them, for two fronts: [`cargo test`](trials), in which each rule
//! and each mutant is a test, and a [report](proof), which the command shows.

mod engine;
mod proof;
mod stop;
mod trials;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

use crate::harness::{Capabilities, Harness};
use crate::rule::Rule;
use crate::rules;

use self::engine::Case;
pub use self::proof::{Progress, Selection};
pub use self::stop::Stop;

/// Runs the whole suite over `harness` with the command line's arguments (those of `cargo test`).
pub fn main(harness: impl Harness) -> ExitCode {
    Suite::new(harness).run(&Arguments::from_args())
}

/// The suite over one adapter.
#[derive(Debug)]
pub struct Suite {
    harness: Arc<dyn Harness>,
    groups: Vec<&'static str>,
    exceptions: Vec<Exception>,
    unproven: Vec<Exception>,
    /// What runs besides the rules whose capability is lacking, if those are all.
    undeclared: Option<Vec<&'static str>>,
    /// The file with what the adapter declares.
    declared: Option<PathBuf>,
    side_by_side: Option<usize>,
    /// Rules that do not run.
    without: Vec<Exception>,
    /// In what no mutant runs.
    without_mutants: Option<&'static str>,
}

/// A rule that is known not to hold, and why: what the adapter runs against is wrong, or a part of it is missing. The rule runs all the same, and must be violated: one that
/// holds again may not stay on the list.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// The rule's id.
    pub rule: &'static str,
    /// Why it does not hold, in a sentence.
    pub why: &'static str,
}

impl Suite {
    /// All groups over `harness`.
    pub fn new(harness: impl Harness) -> Self {
        Self {
            groups: rules::groups_of(&harness),
            harness: Arc::new(harness),
            exceptions: Vec::new(),
            unproven: Vec::new(),
            undeclared: None,
            declared: None,
            side_by_side: None,
            without: Vec::new(),
            without_mutants: None,
        }
    }

    /// With these rules known not to hold. They are shown as `[excepted]`, with the reason, and counted apart.
    #[must_use]
    pub fn exceptions(mut self, exceptions: &[Exception]) -> Self {
        self.exceptions = exceptions.to_vec();
        self
    }

    /// With these rules known to hold whatever is made wrong, because what their mutant changes is not the app's to say here. Each mutant runs all the same, and must
    /// survive; it is shown as `[unproven]`, with the reason, and counted apart.
    #[must_use]
    pub fn unproven(mut self, rules: &[Exception]) -> Self {
        self.unproven = rules.to_vec();
        self
    }

    /// Runs what the command line selects: the arguments of `cargo test`.
    #[must_use]
    pub fn main(self) -> ExitCode {
        self.run(&Arguments::from_args())
    }

    /// Only these groups: for an adapter that is being written.
    #[must_use]
    pub fn groups(mut self, groups: &[&'static str]) -> Self {
        self.groups = groups.to_vec();
        self
    }

    /// Only the rules whose capability the harness does not declare, and these: for a harness that is another one without something, of which the rest is proven there.
    #[must_use]
    pub fn undeclared(mut self, and: &[&'static str]) -> Self {
        self.undeclared = Some(and.to_vec());
        self
    }

    /// With a test, `<adapter>::declared`, that this file holds what the harness declares, as JSON, for the documentation. It is written where
    /// `NEPHOS_UPDATE_GOLDEN` is set.
    #[must_use]
    pub fn declared(mut self, file: impl Into<PathBuf>) -> Self {
        self.declared = Some(file.into());
        self
    }

    /// With so many rules at the same time, unless whoever runs it says otherwise; as many as there are processors by default.
    #[must_use]
    pub fn side_by_side(mut self, rules: usize) -> Self {
        self.side_by_side = Some(rules);
        self
    }

    /// Without these rules of its groups, each for a reason. They are shown as `[left out]` and counted, and nothing is proven of them.
    #[must_use]
    pub fn without(mut self, rules: &[Exception]) -> Self {
        self.without = rules.to_vec();
        self
    }

    /// Without mutants, because of what it runs in (`a replay`): that the rules notice what is wrong is then proven elsewhere.
    #[must_use]
    pub fn without_mutants(mut self, because_of: &'static str) -> Self {
        self.without_mutants = Some(because_of);
        self
    }

    /// The rules of its groups.
    fn rules(&self) -> Result<Vec<Rule>, String> {
        let selected: Vec<Rule> = rules::all()
            .filter(|rule| self.groups.contains(&rule.group()))
            .collect();
        if let Some(empty) = self
            .groups
            .iter()
            .find(|group| !selected.iter().any(|rule| rule.group() == **group))
        {
            return Err(format!(
                "the group {empty} has no rule, so nothing would be proven of it"
            ));
        }
        if let Some(id) = rules::duplicate(&selected) {
            return Err(format!("two rules have the id {id}"));
        }
        Ok(selected)
    }

    /// All that is to be shown of an adapter with these capabilities.
    fn cases(&self, mut rules: Vec<Rule>, capabilities: &Capabilities) -> Result<Vec<Case>, String> {
        if let Some(and) = &self.undeclared {
            rules.retain(|rule| !rule.is_declared(capabilities) || and.contains(&rule.id));
        }
        if let Some(unknown) = self
            .exceptions
            .iter()
            .chain(&self.unproven)
            .chain(&self.without)
            .find(|exception| !rules.iter().any(|rule| rule.id == exception.rule))
        {
            return Err(format!(
                "no rule that runs has the id of the exception {}",
                unknown.rule
            ));
        }
        let known = |list: &[Exception], rule: &Rule| {
            let found = list.iter().find(|exception| exception.rule == rule.id);
            found.map(|exception| exception.why)
        };
        let case = |rule: &Rule| Case {
            rule: *rule,
            declared: rule.is_declared(capabilities),
            excepted: known(&self.exceptions, rule),
            unproven: known(&self.unproven, rule),
            left_out: known(&self.without, rule),
            without_mutant: self.without_mutants,
        };
        Ok(rules.iter().map(case).collect())
    }

    /// The groups that the suite has and this adapter leaves out.
    fn left_out(&self) -> Vec<&'static str> {
        let left_out = |group: &&str| !self.groups.contains(group);
        rules::GROUPS.into_iter().filter(left_out).collect()
    }
}
