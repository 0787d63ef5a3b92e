//! Runs single rules and mutants, under a time limit, and remembers what came of each. A rule does not wait for what is gone: once the harness says so, whatever still runs or
//! is left ends at once with that sentence.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::{Stop, Suite};
use crate::harness::{Capabilities, Harness};
use crate::mutants::Mutant;
use crate::report::{Fate, MutantReport, Outcome, RuleReport};
use crate::rule::{Check, Rule};

/// How long a rule may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How often the harness is asked whether what it runs against is still there.
const LOOK: Duration = Duration::from_millis(500);

/// A rule on this adapter, and what is known of it beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) rule: Rule,
    /// Whether the capability that it needs is declared; its negative runs otherwise.
    pub(super) declared: bool,
    /// Why it is known not to hold.
    pub(super) excepted: Option<&'static str>,
    /// Why its mutant is known to survive.
    pub(super) unproven: Option<&'static str>,
    /// Why it does not run.
    pub(super) left_out: Option<&'static str>,
    /// In what its mutant does not run.
    pub(super) without_mutant: Option<&'static str>,
}

impl Case {
    /// Whether there is such a part of it to run.
    pub(super) fn has(&self, part: Part) -> bool {
        let is_mutant = part == Part::Mutant;
        self.left_out.is_none() && !(is_mutant && (self.excepted.is_some() || self.without_mutant.is_some()))
    }
}

/// A rule is run by itself, and with its mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Rule,
    Mutant,
}

/// How a check ended.
#[derive(Debug)]
enum End {
    Held,
    Violated(String),
    TimedOut(String),
    Broken(String),
    Lost(String),
}

/// All cases of one adapter, and what came of those that ran.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) harness: Arc<dyn Harness>,
    pub(super) capabilities: Capabilities,
    pub(super) cases: Vec<Case>,
    runtime: Runtime,
    reports: Mutex<Vec<RuleReport>>,
    /// What is run against is gone.
    gone: Stop,
    /// Somebody wants it to end.
    stop: Stop,
    watch: JoinHandle<()>,
    limit: Duration,
}

impl Engine {
    /// Makes all ready for the rules, which will deploy `apps` or not, unless it is to stop before.
    pub(super) fn start(suite: &Suite, apps: bool, stop: Stop) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime cannot start: {error}"))?;
        let rules = suite.rules()?;
        let harness = Arc::clone(&suite.harness);
        let begun = runtime
            .block_on(begin(&*harness, &suite.groups, apps, &stop))
            .and_then(|capabilities| {
                let cases = suite.cases(rules, &capabilities)?;
                Ok((capabilities, cases))
            });
        match begun {
            Ok((capabilities, cases)) => Ok(Self::over(runtime, harness, capabilities, cases, stop)),
            Err(why) => {
                // What did start ends; why the rest did not is what there is to tell.
                let _ = runtime.block_on(harness.finish());
                Err(why)
            }
        }
    }

    fn over(
        runtime: Runtime,
        harness: Arc<dyn Harness>,
        capabilities: Capabilities,
        cases: Vec<Case>,
        stop: Stop,
    ) -> Self {
        let gone = Stop::new();
        let watch = runtime.spawn(look(Arc::clone(&harness), gone.clone()));
        Self {
            reports: Mutex::new(cases.iter().map(|case| blank(case, &capabilities)).collect()),
            harness,
            capabilities,
            cases,
            runtime,
            gone,
            stop,
            watch,
            limit: LIMIT,
        }
    }

    fn reports(&self) -> MutexGuard<'_, Vec<RuleReport>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a rule or its mutant, and is what came of it.
    pub(super) fn run(&self, index: usize, part: Part) -> RuleReport {
        let case = &self.cases[index];
        let check = case.rule.check_for(&self.capabilities);
        let fault = case.rule.fault_for(&self.capabilities);
        let began = Instant::now();
        let end = self.runtime.block_on(async {
            match part {
                Part::Rule => self.rule(case, check).await,
                Part::Mutant => {
                    let mutant = Mutant::new(Arc::clone(&self.harness), fault);
                    self.check(case, check, Arc::new(mutant)).await
                }
            }
        });
        let took = milliseconds(began.elapsed());
        let mut reports = self.reports();
        let report = &mut reports[index];
        match part {
            Part::Rule => {
                (report.outcome, report.sentence) = judge(case, end);
                report.duration_ms = took;
            }
            Part::Mutant => {
                let mutant = &mut report.mutant;
                (mutant.outcome, mutant.sentence) = judge_mutant(case, end);
                mutant.duration_ms = took;
            }
        }
        report.clone()
    }

    /// A rule on its own harness, if it has one, which has the last word: what ended as it should may still prove nothing.
    async fn rule(&self, case: &Case, check: Check) -> End {
        let own = self.harness.of_rule(case.rule.id);
        let harness = own.unwrap_or_else(|| Arc::clone(&self.harness));
        let end = self.check(case, check, Arc::clone(&harness)).await;
        let as_it_should = matches!(
            (&end, case.excepted),
            (End::Held, None) | (End::Violated(_), Some(_))
        );
        let Err(error) = harness.ended(as_it_should).await else {
            return end;
        };
        End::Broken(match end {
            End::Held => error.chain(),
            End::Violated(after) | End::TimedOut(after) | End::Broken(after) | End::Lost(after) => {
                format!("{}; after that: {after}", error.chain())
            }
        })
    }

    async fn check(&self, case: &Case, check: Check, harness: Arc<dyn Harness>) -> End {
        if let Some(why) = self.gone.reason().or_else(|| self.stop.reason()) {
            return End::Lost(format!("`{}` did not run: {why}", case.rule.id));
        }
        // A task of its own, so that a panic is caught and a rule that never yields cannot hold up the timer.
        let mut task = tokio::spawn(async move { check(harness).await });
        let ended = tokio::select! {
            ended = tokio::time::timeout(self.limit, &mut task) => ended,
            why = self.gone.asked() => {
                task.abort();
                return End::Lost(format!("`{}` was broken off: {why}", case.rule.id));
            }
            why = self.stop.asked() => {
                task.abort();
                return End::Lost(format!("`{}` was broken off: {why}", case.rule.id));
            }
        };
        let end = match ended {
            Ok(Ok(Ok(()))) => return End::Held,
            Ok(Ok(Err(violation))) => End::Violated(violation.to_string()),
            Ok(Err(error)) => End::Broken(format!("`{}` ended in a panic: {error}", case.rule.id)),
            Err(_) => {
                task.abort();
                End::TimedOut(format!(
                    "`{}` did not end within {} s",
                    case.rule.id,
                    self.limit.as_secs()
                ))
            }
        };
        // What seems to be a violation may be the end of the emulator.
        match self.harness.alive().await {
            Ok(()) => end,
            Err(error) => {
                self.gone.ask(error.chain());
                End::Lost(format!("`{}` was broken off: {}", case.rule.id, error.chain()))
            }
        }
    }

    /// Why what it ran against is gone, or why it was to end.
    pub(super) fn lost(&self) -> Option<String> {
        self.gone.reason().or_else(|| self.stop.reason())
    }

    /// Removes what is left.
    pub(super) fn finish(&self) -> Result<(), String> {
        self.watch.abort();
        self.runtime
            .block_on(self.harness.finish())
            .map_err(|error| format!("the harness could not clean up: {}", error.chain()))
    }

    /// What came of each case.
    pub(super) fn into_reports(self) -> Vec<RuleReport> {
        self.reports.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came of each case so far.
    pub(super) fn so_far(&self) -> Vec<RuleReport> {
        self.reports().clone()
    }
}

/// Makes ready what takes longer than a rule may, and asks what the adapter declares.
async fn begin(
    harness: &dyn Harness,
    groups: &[&str],
    apps: bool,
    stop: &Stop,
) -> Result<Capabilities, String> {
    let ready = async {
        harness
            .prepare(apps)
            .await
            .map_err(|error| format!("the harness cannot start: {}", error.chain()))?;
        Capabilities::of_groups(harness, groups)
            .await
            .map_err(|error| format!("the harness cannot open a resource: {}", error.chain()))
    };
    tokio::select! {
        ready = ready => ready,
        why = stop.asked() => Err(why),
    }
}

async fn look(harness: Arc<dyn Harness>, gone: Stop) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = harness.alive().await {
            gone.ask(error.chain());
            return;
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A case that did not run yet.
fn blank(case: &Case, capabilities: &Capabilities) -> RuleReport {
    let rule = &case.rule;
    let reason = match (case.excepted, case.without_mutant) {
        (Some(_), _) => Some("the rule is known not to hold here, so a mutant would show nothing".to_owned()),
        (None, Some(because_of)) => Some(format!("mutants do not run in {because_of}")),
        (None, None) => case.unproven.map(str::to_owned),
    };
    let outcome = case.left_out.map_or(Outcome::NotRun, |_| Outcome::LeftOut);
    RuleReport {
        id: rule.id.to_owned(),
        group: rule.group().to_owned(),
        why: rule.why.to_owned(),
        source: rule.source.to_owned(),
        outcome,
        sentence: None,
        reason: case.left_out.or(case.excepted).map(str::to_owned),
        duration_ms: 0,
        mutant: MutantReport {
            fault: format!("{:?}", rule.fault_for(capabilities)),
            outcome: Fate::NotRun,
            sentence: None,
            reason,
            duration_ms: 0,
        },
    }
}

fn judge(case: &Case, end: End) -> (Outcome, Option<String>) {
    match (end, case.excepted) {
        (End::Held, Some(_)) => (
            Outcome::ExceptionHolds,
            Some("the rule holds although it is known not to: take it off the list of exceptions".to_owned()),
        ),
        (End::Held, None) if case.declared => (Outcome::Held, None),
        (End::Held, None) => (Outcome::Refused, None),
        (End::Violated(sentence), Some(_)) => (Outcome::Excepted, Some(sentence)),
        (End::Violated(sentence), None) => (Outcome::Violated, Some(sentence)),
        (End::TimedOut(sentence), _) => (Outcome::TimedOut, Some(sentence)),
        (End::Broken(sentence), _) => (Outcome::Broken, Some(sentence)),
        (End::Lost(sentence), _) => (Outcome::Lost, Some(sentence)),
    }
}

fn judge_mutant(case: &Case, end: End) -> (Fate, Option<String>) {
    match (end, case.unproven) {
        (End::Held, Some(_)) => (Fate::Unproven, None),
        (End::Held, None) => (Fate::Survived, None),
        (End::Violated(sentence), Some(_)) => (Fate::UnprovenKilled, Some(sentence)),
        (End::Violated(sentence), None) => (Fate::Killed, Some(sentence)),
        (End::TimedOut(sentence), _) => (Fate::TimedOut, Some(sentence)),
        (End::Broken(sentence), _) => (Fate::Broken, Some(sentence)),
        (End::Lost(sentence), _) => (Fate::Lost, Some(sentence)),
    }
}

#[cfg(test)]
mod tests;
