//! Text of others in a report: what a violation quotes may hold anything.

use super::{AdapterReport, Outcome, Report, RuleReport, Totals};

/// With control characters made visible, as no format may hold them, and lines as they are.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' => '\n',
            '\u{7f}' => '\u{2421}',
            letter if u32::from(letter) < 0x20 => {
                // The pictures of the control characters are in their order.
                char::from_u32(0x2400 + u32::from(letter)).unwrap_or('\u{fffd}')
            }
            // What turns the direction of text, or is no character.
            '\u{80}'..='\u{9f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fffe}'
            | '\u{ffff}' => '\u{fffd}',
            letter => letter,
        })
        .collect()
}

/// The same on one line.
pub(super) fn line(text: &str) -> String {
    visible(text).replace('\n', " ")
}

/// As people read it.
pub(super) fn time(milliseconds: u64) -> String {
    match milliseconds {
        0..=999 => format!("{milliseconds} ms"),
        1_000..=59_999 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000),
    }
}

/// An adapter with its mode.
pub(super) fn name(adapter: &AdapterReport) -> String {
    format!("{} ({})", line(&adapter.adapter), adapter.mode.name())
}

/// Whether all is as declared, in a sentence.
pub(super) fn verdict(report: &Report) -> String {
    if report.is_as_declared() {
        return "All is as declared.".to_owned();
    }
    let totals = Totals::of(report.adapters.iter().flat_map(|adapter| &adapter.rules));
    let mut parts = Vec::new();
    for (count, what) in [
        (totals.violated, "rule(s)"),
        (totals.survived, "mutant(s)"),
        (
            report
                .adapters
                .iter()
                .filter(|adapter| adapter.trouble.is_some())
                .count(),
            "adapter(s) in trouble",
        ),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    match parts.is_empty() {
        true => "Nothing ran, so nothing is proven.".to_owned(),
        false => format!("Not as declared: {}.", parts.join(", ")),
    }
}

/// Of how many rules, and what else a reader must know before they believe a pass.
pub(super) fn extent(adapter: &AdapterReport) -> String {
    let left_out = |rule: &&RuleReport| rule.outcome == Outcome::LeftOut;
    let ran = adapter.rules.len() - adapter.rules.iter().filter(left_out).count();
    let all = adapter.rules_in_all;
    if ran == all && adapter.left_out.is_empty() {
        return format!("all {all} rules");
    }
    let mut extent = format!("{ran} of {all} rules");
    if !adapter.left_out.is_empty() {
        extent.push_str(&format!("; nothing is proven of {}", adapter.left_out.join(", ")));
    }
    extent
}
