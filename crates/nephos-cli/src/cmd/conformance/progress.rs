//! Word of a run on standard error: a bar where it is a terminal, and what is not as declared as soon as it is known.

use indicatif::ProgressBar;
use nephos_conformance::report::{AdapterReport, Totals};
use nephos_conformance::{Progress, Suite};

use crate::output::{Output, Paint};

/// Watches one adapter's run.
#[derive(Debug)]
pub(super) struct Watcher {
    name: String,
    bar: ProgressBar,
    output: Output,
    /// Whether nothing on the terminal will say how it ended, as the report goes elsewhere.
    short: bool,
}

impl Watcher {
    pub(super) fn new(suite: &Suite, output: Output, short: bool) -> Self {
        let name = format!("{} ({})", suite.adapter(), suite.mode().name());
        let bar = output.steps(0);
        bar.set_prefix(name.clone());
        Self {
            name,
            bar,
            output: output.on_stderr(),
            short,
        }
    }

    pub(super) fn told(&self, progress: Progress<'_>) {
        match progress {
            Progress::Preparing => self.bar.set_message("starts what it needs"),
            Progress::Began { checks } => self.bar.set_length(u64::try_from(checks).unwrap_or(u64::MAX)),
            Progress::Running { rule } => self.bar.set_message(rule.to_owned()),
            Progress::Ended {
                rule,
                mutant,
                failure,
            } => {
                self.bar.inc(1);
                if let Some(failure) = failure {
                    let what = if mutant { "mutant of " } else { "" };
                    let failed = self.output.paint(Paint::Red, "not as declared:");
                    // Shown where there is a bar only; the report tells it in full.
                    self.bar
                        .println(format!("{failed} {} {what}{rule}: {failure}", self.name));
                }
            }
            Progress::CleaningUp => self.bar.set_message("cleans up"),
        }
    }

    pub(super) fn finish(&self, report: &AdapterReport) {
        self.bar.finish_and_clear();
        if !self.short || self.output.json {
            return;
        }
        match &report.trouble {
            Some(trouble) => self.output.print(&format!("{}: {trouble}", self.name)),
            None => self
                .output
                .print(&format!("{}: {}", self.name, Totals::of(&report.rules))),
        }
    }
}
