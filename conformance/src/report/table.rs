//! A report for a terminal: groups down, adapters across, totals, and whatever is not as declared in full.

use std::fmt::Write as _;

use super::{AdapterReport, Fate, Outcome, Report, RuleReport, Totals, text};

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// In colours.
    pub colours: bool,
    /// With each mutant, and the violation by which it was noticed.
    pub mutants: bool,
}

#[derive(Debug, Clone, Copy)]
enum Paint {
    Bold,
    Dim,
    Red,
    Green,
}

impl Style {
    fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bold => 1,
            Paint::Dim => 2,
            Paint::Red => 31,
            Paint::Green => 32,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The table, and what there is to say of it.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    grid(&mut out, report, style);
    if style.mutants {
        mutants(&mut out, report, style);
    }
    for adapter in &report.adapters {
        failures(&mut out, adapter, style);
    }
    out.push('\n');
    for adapter in &report.adapters {
        let _ = writeln!(out, "{}: {}", text::name(adapter), Totals::of(&adapter.rules));
        let beneath = adapter
            .beneath
            .as_deref()
            .map(|beneath| format!("; over {}", text::line(beneath)));
        let said = format!(
            "  {}, in {}{}\n  {}",
            text::extent(adapter),
            text::time(adapter.duration_ms),
            beneath.unwrap_or_default(),
            adapter.proves,
        );
        let _ = writeln!(out, "{}", style.paint(Paint::Dim, &said));
    }
    let paint = if report.is_as_declared() {
        Paint::Green
    } else {
        Paint::Red
    };
    let _ = writeln!(
        out,
        "\n{} Nephos {}, {}, in {}",
        style.paint(paint, &text::verdict(report)),
        report.nephos,
        report.date.format("%Y-%m-%d %H:%M UTC"),
        text::time(report.duration_ms),
    );
    out
}

fn grid(out: &mut String, report: &Report, style: Style) {
    let mut rows: Vec<(String, Vec<String>, bool)> = Vec::new();
    for group in report.groups() {
        let cells = report.adapters.iter().map(|adapter| {
            let rules = adapter.rules.iter().filter(|rule| rule.group == group);
            cell(&rules.collect::<Vec<_>>())
        });
        let bad = |rule: &RuleReport| rule.group == group && !rule.is_as_declared();
        let failed = report.adapters.iter().flat_map(|adapter| &adapter.rules).any(bad);
        rows.push((group.to_owned(), cells.collect(), failed));
    }
    let heads: Vec<String> = report.adapters.iter().map(text::name).collect();
    let first = rows.iter().map(|(group, ..)| group.len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            let cells = rows.iter().map(|(_, cells, _)| cells[column].chars().count());
            cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let line = |head: &str, cells: &[String]| {
        let mut line = format!("{head:<first$}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "  {cell:<width$}");
        }
        line.trim_end().to_owned()
    };
    let _ = writeln!(out, "{}", style.paint(Paint::Bold, &line("", &heads)));
    for (group, cells, failed) in &rows {
        let line = line(group, cells);
        let _ = match failed {
            true => writeln!(out, "{}", style.paint(Paint::Red, &line)),
            false => writeln!(out, "{line}"),
        };
    }
}

/// A group on an adapter, in a few words.
fn cell(rules: &[&RuleReport]) -> String {
    if rules.is_empty() {
        return "-".to_owned();
    }
    let totals = Totals::of(rules.iter().copied());
    let of = |outcome| rules.iter().filter(|rule| rule.outcome == outcome).count();
    let lost = of(Outcome::Lost);
    let lost_mutants = rules
        .iter()
        .filter(|rule| rule.mutant.outcome == Fate::Lost)
        .count();
    let mut parts = Vec::new();
    for (count, what) in [
        (totals.held, "held"),
        (totals.refused, "refused"),
        (totals.excepted, "excepted"),
        (of(Outcome::LeftOut), "left out"),
        (lost, "LOST"),
        (totals.violated - lost, "VIOLATED"),
        (totals.survived - lost_mutants, "SURVIVED"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if parts.is_empty() {
        return "not run".to_owned();
    }
    parts.join(", ")
}

fn mutants(out: &mut String, report: &Report, style: Style) {
    for adapter in &report.adapters {
        let _ = writeln!(
            out,
            "\n{}",
            style.paint(Paint::Bold, &format!("mutants of {}", text::name(adapter)))
        );
        for rule in &adapter.rules {
            let mutant = &rule.mutant;
            let said = match mutant.outcome {
                Fate::Unproven | Fate::NotRun => mutant.reason.as_deref(),
                _ => mutant.sentence.as_deref(),
            };
            let said = text::line(said.unwrap_or_default());
            let _ = writeln!(
                out,
                "  {} {} {}{}{}",
                rule.id,
                mutant.outcome.words(),
                mutant.fault,
                if said.is_empty() { "" } else { ": " },
                style.paint(Paint::Dim, &said),
            );
        }
    }
}

fn failures(out: &mut String, adapter: &AdapterReport, style: Style) {
    let name = text::name(adapter);
    if let Some(trouble) = &adapter.trouble {
        let _ = writeln!(
            out,
            "\n{} {}",
            style.paint(Paint::Red, &format!("{name} is in trouble:")),
            text::visible(trouble)
        );
    }
    let lost = |rule: &&RuleReport| rule.outcome == Outcome::Lost || rule.mutant.outcome == Fate::Lost;
    let gone = adapter.rules.iter().filter(lost).count();
    if gone > 0 {
        let _ = writeln!(out, "  {gone} rule(s) did not run to their end for it");
    }
    // Of those that were lost the trouble tells all.
    for rule in adapter.rules.iter().filter(|rule| !lost(rule)) {
        if let Some(failure) = rule.failure() {
            let head = format!("{name} {}: {}", rule.id, rule.outcome.words());
            let _ = writeln!(
                out,
                "\n{}\n  {}\n  why it matters: {}",
                style.paint(Paint::Red, &head),
                text::visible(&failure).replace('\n', "\n  "),
                rule.why
            );
        }
        if let Some(failure) = rule.mutant.failure() {
            let head = format!("{name} mutant of {}: {}", rule.id, rule.mutant.outcome.words());
            let _ = writeln!(
                out,
                "\n{}\n  {}",
                style.paint(Paint::Red, &head),
                text::visible(&failure).replace('\n', "\n  ")
            );
        }
    }
}
