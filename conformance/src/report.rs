//! What a run of the suite came to, as data: for machines ([`json`]), for CI ([`junit`]) and for people ([`table`], [`html`], [`markdown`]). The formats are functions of a
//! [`Report`] and of nothing else.

pub mod capabilities;
#[cfg(feature = "formats")]
pub mod html;
#[cfg(feature = "formats")]
pub mod junit;
pub mod markdown;
pub mod table;
mod text;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::harness::Mode;

/// The version of the report's form. It changes when a field goes or means something else, not when one is added.
pub const SCHEMA: u32 = 1;

/// A run over some adapters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of Nephos: suite and adapters.
    pub nephos: String,
    /// When it began.
    pub date: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: u64,
    /// What came of each adapter.
    pub adapters: Vec<AdapterReport>,
}

/// What came of one adapter. The file with what an adapter declares has of its fields `adapter`, `mode` and `capabilities`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterReport {
    /// The adapter's name.
    pub adapter: String,
    /// What it ran against.
    pub mode: Mode,
    /// What a pass in this mode proves, and what not.
    pub proves: String,
    /// What stands in for the provider, where that is not the same on every machine.
    pub beneath: Option<String>,
    /// The version of Nephos.
    pub nephos: String,
    /// When it began.
    pub date: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: u64,
    /// What it declares ([`Capabilities`](crate::Capabilities)); `null` if it could not be asked.
    pub capabilities: Value,
    /// The groups of which no rule ran, so that nothing is proven of them.
    pub left_out: Vec<String>,
    /// How many rules the suite has for this adapter, selected or not.
    pub rules_in_all: usize,
    /// Why it did not start, or not end as it should.
    pub trouble: Option<String>,
    /// What came of each rule that was selected.
    pub rules: Vec<RuleReport>,
}

/// What came of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReport {
    /// Its stable id.
    pub id: String,
    /// Its group.
    pub group: String,
    /// Why it matters.
    pub why: String,
    /// Which peer or document it is taken from.
    pub source: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What did not hold, or went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// Why it is known not to hold, or does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
    /// What came of the adapter that was made wrong for it.
    pub mutant: MutantReport,
}

/// What came of a rule's mutant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutantReport {
    /// What was made wrong ([`Fault`](crate::mutants::Fault)).
    pub fault: String,
    /// What came of it.
    pub outcome: Fate,
    /// The violation by which it was noticed, or what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// Why it is known to survive, or did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// How a rule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Held,
    /// The capability that it needs is not declared, and its negative holds.
    Refused,
    /// It does not hold.
    Violated,
    /// It does not hold, as is known, for a reason.
    Excepted,
    /// It holds although it is known not to: the list of exceptions is wrong.
    ExceptionHolds,
    /// It did not end in time.
    TimedOut,
    /// It ended in a panic.
    Broken,
    /// What it ran against was gone, or the run was to end.
    Lost,
    /// It does not run here, for a reason, and nothing is proven of it.
    LeftOut,
    /// It did not run.
    NotRun,
}

/// How a mutant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The rule noticed it.
    Killed,
    /// The rule holds although the adapter is wrong: it proves nothing.
    Survived,
    /// It survived, as is known, for a reason.
    Unproven,
    /// The rule noticed it although it is known not to: the list of unproven rules is wrong.
    UnprovenKilled,
    /// The rule did not end in time, and so said nothing.
    TimedOut,
    /// The rule ended in a panic, and so said nothing.
    Broken,
    /// What it ran against was gone, or the run was to end.
    Lost,
    /// It did not run.
    NotRun,
}

impl Outcome {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Refused => "refused as declared",
            Self::Violated => "violated",
            Self::Excepted => "excepted",
            Self::ExceptionHolds => "excepted, but holds",
            Self::TimedOut => "timed out",
            Self::Broken => "broken",
            Self::Lost => "lost",
            Self::LeftOut => "left out",
            Self::NotRun => "not run",
        }
    }

    /// Whether the adapter is as it is declared to be.
    #[must_use]
    pub const fn is_as_declared(self) -> bool {
        matches!(self, Self::Held | Self::Refused | Self::Excepted | Self::LeftOut)
    }
}

impl Fate {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Survived => "survived",
            Self::Unproven => "unproven",
            Self::UnprovenKilled => "unproven, but killed",
            Self::TimedOut => "timed out",
            Self::Broken => "broken",
            Self::Lost => "lost",
            Self::NotRun => "not run",
        }
    }

    /// Whether the rule is as it is said to be.
    #[must_use]
    pub const fn is_as_declared(self) -> bool {
        matches!(self, Self::Killed | Self::Unproven | Self::NotRun)
    }
}

impl RuleReport {
    /// What did not go as declared with the rule itself.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        if self.outcome.is_as_declared() {
            return None;
        }
        let sentence = self.sentence.as_deref();
        Some(sentence.unwrap_or("the rule did not run").to_owned())
    }

    /// Whether rule and mutant went as declared.
    #[must_use]
    pub fn is_as_declared(&self) -> bool {
        self.outcome.is_as_declared() && self.mutant.outcome.is_as_declared()
    }
}

impl MutantReport {
    /// What did not go as declared with it.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let (fault, said) = (&self.fault, self.sentence.as_deref().unwrap_or_default());
        match self.outcome {
            outcome if outcome.is_as_declared() => None,
            Fate::Survived => Some(format!(
                "the rule holds although the adapter was made wrong ({fault}): it proves nothing"
            )),
            Fate::UnprovenKilled => Some(format!(
                "the rule notices what is wrong although it is known not to: take it off the list of unproven rules ({said})"
            )),
            _ => Some(format!("the rule did not say what is wrong with {fault}: {said}")),
        }
    }
}

impl AdapterReport {
    /// Whether all went as declared, and anything ran at all.
    #[must_use]
    pub fn is_as_declared(&self) -> bool {
        let ran = self.rules.iter().any(|rule| rule.outcome != Outcome::LeftOut);
        self.trouble.is_none() && ran && self.rules.iter().all(RuleReport::is_as_declared)
    }

    /// What came of a rule here.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&RuleReport> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

impl Report {
    /// Whether all adapters are as declared, and there is one.
    #[must_use]
    pub fn is_as_declared(&self) -> bool {
        !self.adapters.is_empty() && self.adapters.iter().all(AdapterReport::is_as_declared)
    }

    /// All rules that ran on some adapter, each once: the groups in the suite's order, and within one the ids in that of the first adapter that has them.
    #[must_use]
    pub fn rules(&self) -> Vec<&RuleReport> {
        let mut rules: Vec<&RuleReport> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for rule in self.adapters.iter().flat_map(|adapter| &adapter.rules) {
            if seen.insert(rule.id.as_str()) {
                rules.push(rule);
            }
        }
        let place = |rule: &&RuleReport| {
            let mut groups = crate::rules::GROUPS.iter();
            groups
                .position(|group| *group == rule.group)
                .unwrap_or(usize::MAX)
        };
        rules.sort_by_key(place);
        rules
    }

    /// Their groups, each once, in order.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.rules().into_iter().map(|rule| rule.group.as_str()).collect();
        groups.dedup();
        groups
    }
}

/// As JSON, on several lines.
///
/// # Errors
/// Never for a report that a run made.
pub fn json(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}

/// How many of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Rules that hold.
    pub held: usize,
    /// Rules whose negative holds.
    pub refused: usize,
    /// Rules that are not as declared, for whatever reason.
    pub violated: usize,
    /// Rules that do not hold, as is known.
    pub excepted: usize,
    /// Mutants that were noticed.
    pub killed: usize,
    /// Mutants that were not, for whatever reason.
    pub survived: usize,
    /// Mutants that were not, as is known.
    pub unproven: usize,
}

impl Totals {
    /// Of these rules. What did not run counts as nothing.
    #[must_use]
    pub fn of<'r>(rules: impl IntoIterator<Item = &'r RuleReport>) -> Self {
        let mut totals = Self::default();
        for rule in rules {
            let counter = match rule.outcome {
                Outcome::Held => Some(&mut totals.held),
                Outcome::Refused => Some(&mut totals.refused),
                Outcome::Excepted => Some(&mut totals.excepted),
                Outcome::LeftOut | Outcome::NotRun => None,
                _ => Some(&mut totals.violated),
            };
            if let Some(counter) = counter {
                *counter += 1;
            }
            let counter = match rule.mutant.outcome {
                Fate::Killed => Some(&mut totals.killed),
                Fate::Unproven => Some(&mut totals.unproven),
                Fate::NotRun => None,
                _ => Some(&mut totals.survived),
            };
            if let Some(counter) = counter {
                *counter += 1;
            }
        }
        totals
    }

    /// What came of the rules.
    #[must_use]
    pub fn rules(&self) -> String {
        format!(
            "rules: {} held, {} refused as declared, {} violated, {} excepted",
            self.held, self.refused, self.violated, self.excepted
        )
    }

    /// What came of the mutants.
    #[must_use]
    pub fn mutants(&self) -> String {
        format!(
            "mutants: {} killed, {} survived, {} unproven",
            self.killed, self.survived, self.unproven
        )
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.rules(), self.mutants())
    }
}

/// What a pass in this mode proves.
#[must_use]
pub const fn proves(mode: Mode) -> &'static str {
    match mode {
        Mode::Embedded => "The adapter is itself the service: what holds here holds on one's own machine.",
        Mode::Emulator => {
            "Not the provider: it ran against emulators and stand-ins. A pass proves the adapter against those, and is no certificate for the provider itself."
        }
        Mode::Replay => {
            "Not the provider: recorded exchanges were replayed. A pass proves that the adapter still says and understands what was recorded, and is no certificate for the provider itself."
        }
        Mode::Live => "It ran against the provider itself, on the day that is named.",
    }
}

#[cfg(test)]
pub(crate) mod tests;
