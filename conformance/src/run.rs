//! Runs the suite: each rule a trial, each rule's mutant a trial, and a line at the end that says what was proven.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;

use crate::declared;
use crate::harness::{Capabilities, Harness};
use crate::mutants::Mutant;
use crate::rule::{Check, Rule, Violation};
use crate::rules;

/// How long a rule may take.
const LIMIT: Duration = Duration::from_secs(30);

/// When set, the violation by which each mutant was noticed is printed.
const EXPLAIN: &str = "NEPHOS_CONFORMANCE_EXPLAIN";

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
    /// Rules that do not run.
    without: Vec<Exception>,
    /// Why no mutant runs.
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

/// How a check ended.
#[derive(Debug)]
enum End {
    Held,
    Violated(Violation),
    Broken(String),
}

#[derive(Debug, Default)]
struct Counts {
    held: AtomicUsize,
    refused: AtomicUsize,
    violated: AtomicUsize,
    excepted: AtomicUsize,
    unproven: AtomicUsize,
    killed: AtomicUsize,
    survived: AtomicUsize,
}

impl Suite {
    /// All groups over `harness`.
    pub fn new(harness: impl Harness) -> Self {
        Self {
            harness: Arc::new(harness),
            groups: rules::GROUPS.to_vec(),
            exceptions: Vec::new(),
            unproven: Vec::new(),
            undeclared: None,
            declared: None,
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

    /// Without these rules of its groups, each for a reason. They are shown as `[left out]` and counted, and prove nothing.
    #[must_use]
    pub fn without(mut self, rules: &[Exception]) -> Self {
        self.without = rules.to_vec();
        self
    }

    /// Without mutants, for this reason: that the rules notice what is wrong is then proven elsewhere.
    #[must_use]
    pub fn without_mutants(mut self, why: &'static str) -> Self {
        self.without_mutants = Some(why);
        self
    }

    /// Runs what the arguments select. Fails if a rule is violated, a mutant survives, or nothing ran at all.
    #[must_use]
    pub fn run(self, arguments: &Arguments) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
        {
            Ok(runtime) => Arc::new(runtime),
            Err(error) => return refuse(&format!("the runtime cannot start: {error}")),
        };
        let capabilities = match runtime.block_on(Capabilities::of(&*self.harness)) {
            Ok(capabilities) => capabilities,
            Err(error) => return refuse(&format!("the harness cannot open a resource: {}", error.chain())),
        };
        let mut selected: Vec<Rule> = rules::all()
            .filter(|rule| self.groups.contains(&rule.group()))
            .collect();
        if let Some(empty) = self
            .groups
            .iter()
            .find(|group| !selected.iter().any(|rule| rule.group() == **group))
        {
            return refuse(&format!(
                "the group {empty} has no rule, so nothing would be proven of it"
            ));
        }
        if let Some(and) = &self.undeclared {
            selected.retain(|rule| !rule.is_declared(&capabilities) || and.contains(&rule.id));
        }
        if let Some(id) = rules::duplicate(&selected) {
            return refuse(&format!("two rules have the id {id}"));
        }
        if let Some(unknown) = self
            .exceptions
            .iter()
            .chain(&self.unproven)
            .chain(&self.without)
            .find(|exception| !selected.iter().any(|rule| rule.id == exception.rule))
        {
            return refuse(&format!(
                "no rule that runs has the id of the exception {}",
                unknown.rule
            ));
        }
        let counts = Arc::new(Counts::default());
        let mut trials: Vec<Trial> = selected
            .iter()
            .flat_map(|rule| self.trials(rule, &capabilities, &runtime, &counts))
            .collect();
        trials
            .extend((self.declared.clone()).map(|file| declared::trial(&*self.harness, &capabilities, file)));
        let conclusion = libtest_mimic::run(arguments, trials);
        if let Err(error) = runtime.block_on(self.harness.finish()) {
            return refuse(&format!("the harness could not clean up: {}", error.chain()));
        }
        if arguments.list {
            return conclusion.exit_code();
        }
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let mutants = match self.without_mutants {
            Some(why) => format!("not run in {why}"),
            None => format!(
                "{} killed, {} survived, {} unproven",
                count(&counts.killed),
                count(&counts.survived),
                count(&counts.unproven)
            ),
        };
        println!(
            "conformance: adapter={} mode={} rules: {} held, {} refused as declared, {} violated, {} excepted; mutants: {mutants}",
            self.harness.adapter(),
            self.harness.mode().name(),
            count(&counts.held),
            count(&counts.refused),
            count(&counts.violated),
            count(&counts.excepted),
        );
        if let Some(beneath) = self.harness.beneath() {
            println!(
                "conformance: adapter={} beneath: {beneath}",
                self.harness.adapter()
            );
        }
        let left_out: Vec<_> = rules::GROUPS
            .into_iter()
            .filter(|group| !self.groups.contains(group))
            .collect();
        if !left_out.is_empty() {
            println!(
                "conformance: groups that did not run, so that nothing is proven of them: {}",
                left_out.join(", ")
            );
        }
        if !self.without.is_empty() {
            let rules: Vec<_> = self.without.iter().map(|left_out| left_out.rule).collect();
            println!(
                "conformance: {} rules were left out, so that nothing is proven of them: {}",
                rules.len(),
                rules.join(", ")
            );
        }
        if conclusion.num_passed + conclusion.num_failed == 0
            && !is_foreign(arguments.filter.as_deref(), self.harness.adapter())
        {
            return refuse("no rule ran, so nothing is proven");
        }
        conclusion.exit_code()
    }

    /// A rule's two trials.
    fn trials(
        &self,
        rule: &Rule,
        capabilities: &Capabilities,
        runtime: &Arc<Runtime>,
        counts: &Arc<Counts>,
    ) -> Vec<Trial> {
        if let Some(left_out) = self.without.iter().find(|left_out| left_out.rule == rule.id) {
            let (name, why) = (format!("{}::{}", self.harness.adapter(), rule.id), left_out.why);
            let trial = Trial::ignorable_test(name, move || Ok(Completion::ignored_with(why)));
            return vec![trial.with_kind("left out")];
        }
        if let Some(exception) = self.exceptions.iter().find(|exception| exception.rule == rule.id) {
            return vec![self.excepted(rule, *exception, capabilities, runtime, counts)];
        }
        let declared = rule.is_declared(capabilities);
        let check = rule.check_for(capabilities);
        let kind = if declared { "" } else { "refused" };

        let (harness, on, tally, id, why) = (
            Arc::clone(&self.harness),
            Arc::clone(runtime),
            Arc::clone(counts),
            rule.id,
            rule.why,
        );
        let real = Trial::test(format!("{}::{}", harness.adapter(), rule.id), move || {
            let counter = if declared { &tally.held } else { &tally.refused };
            let failed = match run_rule(&on, id, check, harness, |end| matches!(end, End::Held)) {
                End::Held => {
                    counter.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                End::Violated(violation) => violation.to_string(),
                End::Broken(how) => how,
            };
            tally.violated.fetch_add(1, Ordering::Relaxed);
            Err(Failed::from(format!("{failed}\n  why it matters: {why}")))
        });

        let (id, fault) = (rule.id, rule.fault_for(capabilities));
        let (harness, on, tally) = (Arc::clone(&self.harness), Arc::clone(runtime), Arc::clone(counts));
        let unproven = self.unproven.iter().find(|unproven| unproven.rule == rule.id);
        let name = match unproven {
            Some(unproven) => format!("mutant::{} ({})", rule.id, unproven.why),
            None => format!("mutant::{}", rule.id),
        };
        let may_survive = unproven.is_some();
        let mutant_kind = if may_survive { "unproven" } else { kind };
        let mutant = Trial::test(name, move || {
            let failed = match run_check(&on, check, Arc::new(Mutant::new(harness, fault))) {
                End::Held if may_survive => {
                    tally.unproven.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                End::Violated(_) if may_survive => {
                    "the rule notices what is wrong although it is known not to: take it off the list of unproven rules".to_owned()
                }
                End::Violated(violation) => {
                    if std::env::var_os(EXPLAIN).is_some() {
                        eprintln!("killed {id} with {fault:?}: {violation}");
                    }
                    tally.killed.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                End::Held => format!(
                    "the rule holds although the adapter was made wrong ({fault:?}): it proves nothing"
                ),
                End::Broken(how) => format!("the rule did not say what is wrong with {fault:?}: {how}"),
            };
            tally.survived.fetch_add(1, Ordering::Relaxed);
            Err(Failed::from(failed))
        });
        let mut trials = vec![real.with_kind(kind)];
        // What is wrong on purpose asks for something else than what was recorded.
        trials.extend(
            self.without_mutants
                .is_none()
                .then(|| mutant.with_kind(mutant_kind)),
        );
        trials
    }

    /// The one trial of a rule that is known not to hold. A mutant would prove nothing.
    fn excepted(
        &self,
        rule: &Rule,
        exception: Exception,
        capabilities: &Capabilities,
        runtime: &Arc<Runtime>,
        counts: &Arc<Counts>,
    ) -> Trial {
        let (id, check) = (rule.id, rule.check_for(capabilities));
        let (harness, on, tally) = (Arc::clone(&self.harness), Arc::clone(runtime), Arc::clone(counts));
        let name = format!("{}::{} ({})", harness.adapter(), rule.id, exception.why);
        Trial::test(name, move || {
            let failed = match run_rule(&on, id, check, harness, |end| matches!(end, End::Violated(_))) {
                End::Violated(_) => {
                    tally.excepted.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                End::Held => "the rule holds although it is known not to: take it off the list of exceptions"
                    .to_owned(),
                End::Broken(how) => how,
            };
            tally.violated.fetch_add(1, Ordering::Relaxed);
            Err(Failed::from(failed))
        })
        .with_kind("excepted")
    }
}

/// A rule on its own harness, if it has one, which has the last word: what ended as it should may still prove nothing.
fn run_rule(
    runtime: &Runtime,
    rule: &'static str,
    check: Check,
    harness: Arc<dyn Harness>,
    as_it_should: fn(&End) -> bool,
) -> End {
    let harness = harness.of_rule(rule).unwrap_or(harness);
    let end = run_check(runtime, check, Arc::clone(&harness));
    match (runtime.block_on(harness.ended(as_it_should(&end))), end) {
        (Ok(()), end) => end,
        (Err(error), End::Held) => End::Broken(error.chain()),
        (Err(error), End::Violated(violation)) => {
            End::Broken(format!("{}; after that: {violation}", error.chain()))
        }
        (Err(error), End::Broken(how)) => End::Broken(format!("{}; after that: {how}", error.chain())),
    }
}

fn run_check(runtime: &Runtime, check: Check, harness: Arc<dyn Harness>) -> End {
    runtime.block_on(async {
        // A task of its own, so that a panic is caught and a rule that never yields cannot hold up the timer.
        let mut task = tokio::spawn(async move { check(harness).await });
        match tokio::time::timeout(LIMIT, &mut task).await {
            Ok(Ok(Ok(()))) => End::Held,
            Ok(Ok(Err(violation))) => End::Violated(violation),
            Ok(Err(error)) => End::Broken(format!("the rule ended in a panic: {error}")),
            Err(_) => {
                task.abort();
                End::Broken(format!("the rule did not end within {} s", LIMIT.as_secs()))
            }
        }
    })
}

/// Whether a filter was meant for other tests of the workspace: `cargo test name` passes it to this one too. The path of a Rust test has
/// neither a dot nor a hyphen, and the ids of rules have both, so a misspelt group or rule is told from it.
fn is_foreign(filter: Option<&str>, adapter: &str) -> bool {
    filter.is_some_and(|filter| {
        let ours = ["mutant", adapter].iter().any(|first| {
            filter
                .strip_prefix(first)
                .is_some_and(|rest| rest.starts_with("::"))
        });
        !ours && !filter.contains(['.', '-'])
    })
}

fn refuse(what: &str) -> ExitCode {
    eprintln!("conformance: {what}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_in_the_form_of_a_rules_id_is_ours_even_if_no_rule_has_it() {
        for filter in [
            "tables.",
            "table.put",
            "no-such",
            "mutant::semantic",
            "local::tables",
        ] {
            assert!(!is_foreign(Some(filter), "local"), "{filter}");
        }
        assert!(!is_foreign(None, "local"));
    }

    #[test]
    fn a_filter_in_the_form_of_a_rust_tests_path_is_for_others() {
        for filter in [
            "retry",
            "store::tests::a_lease_ends",
            "locally::x",
            "tests::mutants",
        ] {
            assert!(is_foreign(Some(filter), "local"), "{filter}");
        }
    }
}
