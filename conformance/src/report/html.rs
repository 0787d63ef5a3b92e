//! A report as one page that needs nothing else: no scripts, no other files, light or dark as the reader's system is. Rules go down and adapters across; each group folds.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{AdapterReport, Fate, Outcome, Report, RuleReport, Totals, capabilities, text};

const STYLE: &str = include_str!("html/style.css");

/// The page.
#[must_use]
pub fn render(report: &Report) -> String {
    let mood = if report.is_as_declared() { "good" } else { "bad" };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Conformance of Nephos " (report.nephos) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Conformance" }
                    p.verdict.(mood) { (text::verdict(report)) }
                    p.soft {
                        "Nephos " (report.nephos) ", "
                        time datetime=(report.date.to_rfc3339()) { (report.date.format("%Y-%m-%d %H:%M UTC").to_string()) }
                        ", in " (text::time(report.duration_ms))
                    }
                    div.cards { @for adapter in &report.adapters { (card(adapter)) } }
                }
                main {
                    @if !report.is_as_declared() { (failures(report)) }
                    (rules(report))
                    (mutants(report))
                    (declared(report))
                }
            }
        }
    };
    page.into_string()
}

fn shown(text: &str) -> Markup {
    html! { (text::visible(text)) }
}

fn card(adapter: &AdapterReport) -> Markup {
    let totals = Totals::of(&adapter.rules);
    let counts = [
        (totals.held, "held", "good"),
        (totals.refused, "refused as declared", "good"),
        (totals.excepted, "excepted, each with its reason", "known"),
        (totals.violated, "not as declared", "bad"),
        (totals.killed, "mutants killed", "good"),
        (totals.unproven, "mutants unproven, each with its reason", "known"),
        (totals.survived, "mutants not noticed", "bad"),
    ];
    html! {
        section.card {
            h3 { (text::name(adapter)) }
            p { (text::extent(adapter)) ", in " (text::time(adapter.duration_ms)) }
            ul {
                @for (count, what, mood) in counts {
                    @if count > 0 { li.(mood) { (count) " " (what) } }
                }
            }
            @if let Some(trouble) = &adapter.trouble { p.bad { (shown(trouble)) } }
            p.soft { (shown(&adapter.proves)) }
            @if let Some(beneath) = &adapter.beneath { p.soft { "Over " (shown(beneath)) "." } }
        }
    }
}

fn failures(report: &Report) -> Markup {
    html! {
        section #violations {
            h2 { "Not as declared" }
            @for adapter in &report.adapters {
                @if let Some(trouble) = &adapter.trouble {
                    div.failure { p { strong { (text::name(adapter)) } " is in trouble" } pre { (shown(trouble)) } }
                }
                @for rule in adapter.rules.iter().filter(|rule| !rule.is_as_declared()) {
                    @if let Some(failure) = rule.failure() {
                        div.failure {
                            p { strong { (text::name(adapter)) } " " code { (rule.id) } ": " (rule.outcome.words()) }
                            pre { (shown(&failure)) }
                            p.soft { "Why it matters: " (shown(&rule.why)) }
                        }
                    }
                    @if let Some(failure) = rule.mutant.failure() {
                        div.failure {
                            p { strong { (text::name(adapter)) } " mutant of " code { (rule.id) } ": " (rule.mutant.outcome.words()) }
                            pre { (shown(&failure)) }
                        }
                    }
                }
            }
        }
    }
}

/// Each adapter at the head of its column.
fn heads(first: &str, report: &Report) -> Markup {
    html! {
        thead { tr { th scope="col" { (first) } @for adapter in &report.adapters { th scope="col" { (text::name(adapter)) } } } }
    }
}

fn rules(report: &Report) -> Markup {
    let all = report.rules();
    html! {
        section #rules {
            h2 { "Rules" }
            div.filter {
                label { input type="checkbox" id="only-bad"; " only what is not as declared" }
                label { input type="checkbox" id="no-held"; " not what simply holds everywhere" }
            }
            @for group in report.groups() {
                @let of_group: Vec<&&RuleReport> = all.iter().filter(|rule| rule.group == group).collect();
                details.group open {
                    summary { (group) " " span.soft { (of_group.len()) " rule(s)" } }
                    div.wide { table {
                        (heads("rule", report))
                        tbody { @for rule in of_group { (line(report, rule)) } }
                    } }
                }
            }
        }
    }
}

fn line(report: &Report, rule: &RuleReport) -> Markup {
    let here = || {
        report
            .adapters
            .iter()
            .filter_map(|adapter| adapter.rule(&rule.id))
    };
    let fine = here().all(|rule| rule.outcome.is_as_declared());
    let plain = here().all(|rule| rule.outcome == Outcome::Held);
    html! {
        tr.fine[fine].plain[plain] {
            th scope="row" {
                details {
                    summary { code { (rule.id) } }
                    p.soft { (shown(&rule.why)) }
                    p.soft { "From: " (shown(&rule.source)) }
                }
            }
            @for adapter in &report.adapters {
                td { @if let Some(rule) = adapter.rule(&rule.id) { (outcome(rule)) } @else { "-" } }
            }
        }
    }
}

fn outcome(rule: &RuleReport) -> Markup {
    let mood = match rule.outcome {
        Outcome::Held | Outcome::Refused => "good",
        Outcome::Excepted | Outcome::LeftOut => "known",
        _ => "bad",
    };
    html! {
        span.(mood) { (rule.outcome.words()) } " " small { (text::time(rule.duration_ms)) }
        @if let Some(reason) = &rule.reason { br; small { (shown(reason)) } }
        @if let Some(sentence) = &rule.sentence { details { summary { small { "what did not hold" } } (shown(sentence)) } }
    }
}

fn mutants(report: &Report) -> Markup {
    let all = report.rules();
    html! {
        section #mutants {
            h2 { "Mutants" }
            p.soft { "Each rule once more, on the same adapter made wrong on purpose: it must notice. What it noticed is in each cell." }
            @for group in report.groups() {
                details.group {
                    summary { (group) }
                    div.wide { table {
                        (heads("rule", report))
                        tbody {
                            @for rule in all.iter().filter(|rule| rule.group == group) {
                                @let fine = report.adapters.iter().filter_map(|adapter| adapter.rule(&rule.id)).all(|rule| rule.mutant.outcome.is_as_declared());
                                tr.fine[fine] {
                                    th scope="row" { code { (rule.id) } }
                                    @for adapter in &report.adapters {
                                        td { @if let Some(rule) = adapter.rule(&rule.id) { (fate(rule)) } @else { "-" } }
                                    }
                                }
                            }
                        }
                    } }
                }
            }
        }
    }
}

fn fate(rule: &RuleReport) -> Markup {
    let mutant = &rule.mutant;
    let mood = match mutant.outcome {
        Fate::Killed => "good",
        Fate::Unproven | Fate::NotRun => "known",
        _ => "bad",
    };
    html! {
        span.(mood) { (mutant.outcome.words()) } " " code { (mutant.fault) }
        @if let Some(reason) = &mutant.reason { br; small { (shown(reason)) } }
        @if let Some(sentence) = &mutant.sentence { br; small { (shown(sentence)) } }
    }
}

fn declared(report: &Report) -> Markup {
    html! {
        @if let Some(Ok(grid)) = capabilities::of(report) {
            section #declared {
                h2 { "What each declares" }
                p.soft { "What is declared must work, and what is not must be refused, or be as the rule's negative says." }
                details.group {
                    summary { "capabilities" }
                    div.wide { table {
                        thead { tr { th scope="col" {} @for column in &grid.columns { th scope="col" { (column) } } } }
                        tbody { @for (words, values) in &grid.lines {
                            tr { th scope="row" { (words) } @for value in values { td { (value) } } }
                        } }
                    } }
                }
            }
        }
    }
}
