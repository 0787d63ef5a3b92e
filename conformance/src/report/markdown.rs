//! A report in Markdown: for a pull request, or a page of documentation.

use std::fmt::Write as _;

use super::{Report, RuleReport, Totals, capabilities, text};

/// The report.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = format!(
        "# Conformance\n\n{} Nephos {}, {}, in {}.\n\n",
        text::verdict(report),
        escape(&report.nephos),
        report.date.format("%Y-%m-%d %H:%M UTC"),
        text::time(report.duration_ms),
    );
    summary(&mut out, report);
    trouble(&mut out, report);
    rules(&mut out, report);
    reasons(&mut out, report);
    mutants(&mut out, report);
    match capabilities::of(report) {
        Some(Ok(grid)) => {
            let _ = writeln!(out, "\n## What each declares\n\n{}", row("", &grid.columns));
            let _ = writeln!(out, "|---|{}", "---|".repeat(grid.columns.len()));
            for (words, values) in grid.lines {
                let _ = writeln!(out, "{}", row(words, &values));
            }
        }
        Some(Err(error)) => {
            let _ = writeln!(
                out,
                "\n## What each declares\n\nIt cannot be told: {}.",
                escape(&error)
            );
        }
        None => {}
    }
    out
}

/// Text that stands for itself: neither a cell's end, nor a tag, nor emphasis, nor a link.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text::line(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '$' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn row(head: &str, cells: &[String]) -> String {
    format!("| {head} | {} |", cells.join(" | "))
}

fn summary(out: &mut String, report: &Report) {
    out.push_str("| adapter | rules | held | refused as declared | excepted | not as declared | mutants killed | unproven | not noticed |\n");
    out.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for adapter in &report.adapters {
        let totals = Totals::of(&adapter.rules);
        let counts = [
            totals.held,
            totals.refused,
            totals.excepted,
            totals.violated,
            totals.killed,
            totals.unproven,
            totals.survived,
        ];
        let mut cells = vec![escape(&text::extent(adapter))];
        cells.extend(counts.map(|count| count.to_string()));
        let _ = writeln!(out, "{}", row(&escape(&text::name(adapter)), &cells));
    }
    for adapter in &report.adapters {
        let beneath = adapter
            .beneath
            .as_deref()
            .map(|beneath| format!(" Over {}.", escape(beneath)));
        let _ = writeln!(
            out,
            "\n**{}**: {}{}",
            escape(&text::name(adapter)),
            escape(&adapter.proves),
            beneath.unwrap_or_default()
        );
    }
}

fn trouble(out: &mut String, report: &Report) {
    if report.is_as_declared() {
        return;
    }
    out.push_str("\n## Not as declared\n");
    for adapter in &report.adapters {
        let name = escape(&text::name(adapter));
        if let Some(trouble) = &adapter.trouble {
            let _ = writeln!(out, "\n- **{name}** is in trouble: {}", escape(trouble));
        }
        for rule in &adapter.rules {
            if let Some(failure) = rule.failure() {
                let (id, words) = (escape(&rule.id), rule.outcome.words());
                let _ = writeln!(
                    out,
                    "\n- **{name}** {id}, {words}: {}\n  Why it matters: {}",
                    escape(&failure),
                    escape(&rule.why)
                );
            }
            if let Some(failure) = rule.mutant.failure() {
                let (id, words) = (escape(&rule.id), rule.mutant.outcome.words());
                let _ = writeln!(
                    out,
                    "\n- **{name}** mutant of {id}, {words}: {}",
                    escape(&failure)
                );
            }
        }
    }
}

fn rules(out: &mut String, report: &Report) {
    let heads: Vec<String> = report
        .adapters
        .iter()
        .map(|adapter| escape(&text::name(adapter)))
        .collect();
    let all = report.rules();
    for group in report.groups() {
        let _ = writeln!(out, "\n## {}\n\n{}", escape(group), row("rule", &heads));
        let _ = writeln!(out, "|---|{}", "---|".repeat(heads.len()));
        for rule in all.iter().filter(|rule| rule.group == group) {
            let cells: Vec<String> = (report.adapters.iter())
                .map(|adapter| {
                    let here = adapter.rule(&rule.id);
                    here.map_or_else(|| "-".to_owned(), |here| here.outcome.words().to_owned())
                })
                .collect();
            let _ = writeln!(out, "{}", row(&escape(&rule.id), &cells));
        }
    }
}

/// What is known not to hold or to prove nothing, with the reasons.
fn reasons(out: &mut String, report: &Report) {
    let known = |rule: &&RuleReport| rule.reason.is_some() || rule.mutant.outcome == super::Fate::Unproven;
    if !report
        .adapters
        .iter()
        .flat_map(|adapter| &adapter.rules)
        .any(|rule| known(&rule))
    {
        return;
    }
    out.push_str("\n## Excepted, unproven and left out\n\n");
    for adapter in &report.adapters {
        for rule in adapter.rules.iter().filter(known) {
            let (what, reason) = match &rule.reason {
                Some(reason) => (rule.outcome.words(), Some(reason)),
                None => ("unproven", rule.mutant.reason.as_ref()),
            };
            let _ = writeln!(
                out,
                "- {} {}, {what}: {}",
                escape(&text::name(adapter)),
                escape(&rule.id),
                escape(reason.map_or("", String::as_str))
            );
        }
    }
}

fn mutants(out: &mut String, report: &Report) {
    let ran = |rule: &&RuleReport| rule.mutant.outcome != super::Fate::NotRun;
    for adapter in &report.adapters {
        if !adapter.rules.iter().any(|rule| ran(&rule)) {
            continue;
        }
        let name = escape(&text::name(adapter));
        let _ = writeln!(
            out,
            "\n## Mutants of {name}\n\n| rule | made wrong | | noticed by |\n|---|---|---|---|"
        );
        for rule in adapter.rules.iter().filter(ran) {
            let mutant = &rule.mutant;
            let said = mutant
                .sentence
                .as_deref()
                .or(mutant.reason.as_deref())
                .unwrap_or_default();
            let cells = [
                escape(&mutant.fault),
                mutant.outcome.words().to_owned(),
                escape(said),
            ];
            let _ = writeln!(out, "{}", row(&escape(&rule.id), &cells));
        }
    }
}
