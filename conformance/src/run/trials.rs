//! The front for `cargo test`: each rule a trial, each rule's mutant a trial, and a line at the end that says what was proven.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::engine::{Case, Engine, Part};
use super::{Stop, Suite};
use crate::declared;
use crate::report::{Fate, Totals};

/// When set, the violation by which each mutant was noticed is printed.
const EXPLAIN: &str = "NEPHOS_CONFORMANCE_EXPLAIN";

impl Suite {
    /// Runs what the arguments select. Fails if a rule is violated, a mutant survives, or nothing ran at all.
    #[must_use]
    pub fn run(self, arguments: &Arguments) -> ExitCode {
        let mut arguments = arguments.clone();
        if let Some(rules) = self.side_by_side {
            arguments.test_threads.get_or_insert(rules);
        }
        // A list needs no probe.
        let engine = match Engine::start(&self, !arguments.list, Stop::new()) {
            Ok(engine) => Arc::new(engine),
            Err(error) => return refuse(&error),
        };
        let (adapter, harness) = (self.harness.adapter(), &self.harness);
        let mut trials: Vec<Trial> = (engine.cases.iter().enumerate())
            .flat_map(|(index, case)| trials(&engine, index, case))
            .collect();
        trials.extend(
            (self.declared.clone()).map(|file| declared::trial(&**harness, &engine.capabilities, file)),
        );
        let conclusion = libtest_mimic::run(&arguments, trials);
        if let Err(error) = engine.finish() {
            return refuse(&error);
        }
        if arguments.list {
            return conclusion.exit_code();
        }
        let totals = Totals::of(&engine.so_far());
        let mutants = match self.without_mutants {
            Some(because_of) => format!("mutants: not run in {because_of}"),
            None => totals.mutants(),
        };
        println!(
            "conformance: adapter={adapter} mode={} {}; {mutants}",
            harness.mode().name(),
            totals.rules()
        );
        if let Some(beneath) = harness.beneath() {
            println!("conformance: adapter={adapter} beneath: {beneath}");
        }
        let left_out = self.left_out();
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
            && !is_foreign(arguments.filter.as_deref(), adapter)
        {
            return refuse("no rule ran, so nothing is proven");
        }
        conclusion.exit_code()
    }
}

/// A rule's two trials; of one that is known not to hold, the one, as a mutant would prove nothing.
fn trials(engine: &Arc<Engine>, index: usize, case: &Case) -> Vec<Trial> {
    let (adapter, id, why) = (engine.harness.adapter(), case.rule.id, case.rule.why);
    if let Some(reason) = case.left_out {
        let left_out = Trial::ignorable_test(format!("{adapter}::{id}"), move || {
            Ok(Completion::ignored_with(reason))
        });
        return vec![left_out.with_kind("left out")];
    }
    let on = Arc::clone(engine);
    if let Some(reason) = case.excepted {
        let excepted = Trial::test(format!("{adapter}::{id} ({reason})"), move || {
            on.run(index, Part::Rule)
                .failure()
                .map_or(Ok(()), |failure| Err(Failed::from(failure)))
        });
        return vec![excepted.with_kind("excepted")];
    }
    let kind = if case.declared { "" } else { "refused" };
    let real = Trial::test(format!("{adapter}::{id}"), move || {
        let report = on.run(index, Part::Rule);
        let failure = report
            .failure()
            .map(|what| format!("{what}\n  why it matters: {why}"));
        failure.map_or(Ok(()), |failure| Err(Failed::from(failure)))
    });
    let (name, mutant_kind) = match case.unproven {
        Some(reason) => (format!("mutant::{id} ({reason})"), "unproven"),
        None => (format!("mutant::{id}"), kind),
    };
    let on = Arc::clone(engine);
    let mutant = Trial::test(name, move || {
        let mutant = on.run(index, Part::Mutant).mutant;
        if mutant.outcome == Fate::Killed && std::env::var_os(EXPLAIN).is_some() {
            let (fault, sentence) = (&mutant.fault, mutant.sentence.as_deref().unwrap_or_default());
            eprintln!("killed {id} with {fault}: {sentence}");
        }
        mutant
            .failure()
            .map_or(Ok(()), |failure| Err(Failed::from(failure)))
    });
    let mut trials = vec![real.with_kind(kind)];
    trials.extend(case.has(Part::Mutant).then(|| mutant.with_kind(mutant_kind)));
    trials
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
