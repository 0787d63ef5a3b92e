//! The front that makes a report: some of the rules, run side by side, with word of each as it ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chrono::Utc;
use serde_json::Value;

use super::engine::{Engine, Part};
use super::{Stop, Suite};
use crate::report::{AdapterReport, Outcome, RuleReport, proves};
use crate::rule::Rule;
use crate::rules;

/// What is to run.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these groups; all if there are none.
    pub groups: Vec<String>,
    /// Only these rules, by their ids or by a part that several ids have; all if there are none.
    pub rules: Vec<String>,
    /// Whether the rules run only by themselves, so that nothing shows that they notice anything.
    pub without_mutants: bool,
    /// How many run at the same time; what the adapter says by default.
    pub side_by_side: Option<usize>,
}

impl Selection {
    /// Whether a rule is to run.
    #[must_use]
    pub fn takes(&self, rule: &Rule) -> bool {
        let group = self.groups.is_empty() || self.groups.iter().any(|group| group == rule.group());
        group && (self.rules.is_empty() || self.rules.iter().any(|part| names(part, rule.id)))
    }

    /// Why it would select nothing of what there is: the first of its rules that no id has, or that nothing is in both.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !rules::all().any(|rule| self.takes(&rule))
    }
}

/// Whether a rule is meant by a part of its id. The whole id of one rule is no part of another's.
fn names(part: &str, id: &str) -> bool {
    if rules::all().any(|rule| rule.id == part) {
        return part == id;
    }
    id.contains(part)
}

/// Word of a run while it goes on.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// Emulators start, and cargo builds.
    Preparing,
    /// So many rules and mutants will run.
    Began {
        /// How many.
        checks: usize,
    },
    /// A rule or its mutant began.
    Running {
        /// The rule's id.
        rule: &'a str,
    },
    /// A rule or its mutant ended.
    Ended {
        /// The rule's id.
        rule: &'a str,
        /// Whether it was the mutant.
        mutant: bool,
        /// What did not go as declared.
        failure: Option<&'a str>,
    },
    /// What was started is being ended.
    CleaningUp,
}

impl Suite {
    /// The adapter's name.
    #[must_use]
    pub fn adapter(&self) -> &'static str {
        self.harness.adapter()
    }

    /// What it runs against.
    #[must_use]
    pub fn mode(&self) -> crate::Mode {
        self.harness.mode()
    }

    /// Whether any of its rules is selected.
    #[must_use]
    pub fn has(&self, selection: &Selection) -> bool {
        rules::all().any(|rule| self.groups.contains(&rule.group()) && selection.takes(&rule))
    }

    /// Runs what is selected, unless `stop` is asked before its end, and reports what came of it. An adapter that cannot start is reported with its trouble.
    ///
    /// It has a runtime of its own, so it is not to be called on a thread of one.
    #[must_use]
    pub fn prove(
        self,
        selection: &Selection,
        stop: &Stop,
        told: &(dyn Fn(Progress<'_>) + Sync),
    ) -> AdapterReport {
        let (date, began) = (Utc::now(), Instant::now());
        let mut report = AdapterReport {
            adapter: self.harness.adapter().to_owned(),
            mode: self.harness.mode(),
            proves: proves(self.harness.mode()).to_owned(),
            beneath: self.harness.beneath(),
            nephos: env!("CARGO_PKG_VERSION").to_owned(),
            date,
            duration_ms: 0,
            capabilities: Value::Null,
            left_out: Vec::new(),
            rules_in_all: 0,
            trouble: None,
            rules: Vec::new(),
        };
        report.trouble = self.fill(&mut report, selection, stop, told).err();
        // Which recordings were replayed is known only now.
        report.beneath = self.harness.beneath();
        let ran = |rule: &RuleReport| rule.outcome != Outcome::LeftOut;
        let left_out = |group: &&str| !report.rules.iter().any(|rule| rule.group == **group && ran(rule));
        report.left_out = rules::GROUPS
            .into_iter()
            .filter(left_out)
            .map(str::to_owned)
            .collect();
        report.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        report
    }

    fn fill(
        &self,
        report: &mut AdapterReport,
        selection: &Selection,
        stop: &Stop,
        told: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<(), String> {
        let rules = self.rules()?;
        report.rules_in_all = rules.len();
        let apps = rules.iter().any(|rule| rule.deploys() && selection.takes(rule));
        if !rules.iter().any(|rule| selection.takes(rule)) {
            return Err(format!(
                "no rule that runs on {} is selected, so nothing is proven",
                report.adapter
            ));
        }
        told(Progress::Preparing);
        let engine = Engine::start(self, apps, stop.clone())?;
        report.capabilities = serde_json::to_value(&engine.capabilities)
            .map_err(|error| format!("what the adapter declares cannot be written: {error}"))?;
        report.rules_in_all = engine.cases.len();
        let selected: Vec<bool> = (engine.cases.iter())
            .map(|case| selection.takes(&case.rule))
            .collect();
        let parts: Vec<(usize, Part)> = (engine.cases.iter().enumerate())
            .filter(|(index, _)| selected[*index])
            .flat_map(|(index, case)| {
                let mutant = case.has(Part::Mutant) && !selection.without_mutants;
                [
                    case.has(Part::Rule).then_some((index, Part::Rule)),
                    mutant.then_some((index, Part::Mutant)),
                ]
            })
            .flatten()
            .collect();
        if parts.is_empty() {
            return engine.finish().and(Err(format!(
                "no rule that runs on {} is selected, so nothing is proven",
                report.adapter
            )));
        }
        told(Progress::Began { checks: parts.len() });
        let side_by_side = selection.side_by_side.or(self.side_by_side);
        run(&engine, &parts, side_by_side.unwrap_or_else(processors), told);
        told(Progress::CleaningUp);
        let lost = engine.lost();
        let finished = engine.finish();
        let ran = engine.into_reports().into_iter().zip(selected);
        report.rules = ran
            .filter(|(_, selected)| *selected)
            .map(|(rule, _)| rule)
            .collect();
        if selection.without_mutants {
            for rule in report
                .rules
                .iter_mut()
                .filter(|rule| rule.mutant.reason.is_none())
            {
                rule.mutant.reason = Some("mutants were not asked for".to_owned());
            }
        }
        if report.rules.is_empty() {
            return Err(format!("no rule ran on {}, so nothing is proven", report.adapter));
        }
        match lost {
            Some(why) => Err(why),
            None => finished,
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// Runs the parts in their order, so many at the same time.
fn run(engine: &Engine, parts: &[(usize, Part)], side_by_side: usize, told: &(dyn Fn(Progress<'_>) + Sync)) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..side_by_side.clamp(1, parts.len().max(1)) {
            scope.spawn(|| {
                while let Some((index, part)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let rule = engine.cases[*index].rule.id;
                    told(Progress::Running { rule });
                    let report = engine.run(*index, *part);
                    told(Progress::Ended {
                        rule,
                        mutant: *part == Part::Mutant,
                        failure: failure(&report, *part).as_deref(),
                    });
                }
            });
        }
    });
}

fn failure(report: &RuleReport, part: Part) -> Option<String> {
    match part {
        Part::Rule => report.failure(),
        Part::Mutant => report.mutant.failure(),
    }
}
