//! The table of figures, and the small statistics behind it.

use std::fmt::Write as _;

/// A limit on a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Budget {
    /// The judged number must not be below this.
    AtLeast(f64),
    /// The judged number must not be above this.
    AtMost(f64),
}

/// What a budget is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The figure itself.
    Value,
    /// The figure divided by the peer's.
    Ratio,
}

/// One measured figure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) figure: String,
    /// How much, in `unit`.
    pub(crate) value: f64,
    /// The unit of `value` and `peer`.
    pub(crate) unit: &'static str,
    /// The peer's figure, where there is a peer.
    pub(crate) peer: Option<f64>,
    /// The figure divided by the peer's; the median of the rounds where there were several.
    pub(crate) ratio: Option<f64>,
    /// What the budget is compared with.
    pub(crate) judged: Judged,
    /// The limit, if this figure has one.
    pub(crate) budget: Option<Budget>,
}

impl Row {
    /// A figure without a peer, judged by its value.
    pub(crate) fn alone(
        figure: impl Into<String>,
        value: f64,
        unit: &'static str,
        budget: Option<Budget>,
    ) -> Self {
        Self {
            figure: figure.into(),
            value,
            unit,
            peer: None,
            ratio: None,
            judged: Judged::Value,
            budget,
        }
    }

    fn verdict(&self) -> &'static str {
        let judged = match self.judged {
            Judged::Value => Some(self.value),
            Judged::Ratio => self.ratio,
        };
        match (self.budget, judged) {
            (None, _) => "-",
            (Some(Budget::AtLeast(limit)), Some(number)) if number >= limit => "OK",
            (Some(Budget::AtMost(limit)), Some(number)) if number <= limit => "OK",
            _ => "OVER",
        }
    }

    fn budget_text(&self) -> String {
        let unit = if self.judged == Judged::Ratio {
            "x"
        } else {
            self.unit
        };
        match self.budget {
            None => "-".to_owned(),
            Some(Budget::AtLeast(limit)) => format!(">= {} {unit}", number(limit)),
            Some(Budget::AtMost(limit)) => format!("<= {} {unit}", number(limit)),
        }
    }
}

/// The table: figure, measured, peer, ratio, budget, verdict.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut cells: Vec<[String; 6]> =
        vec![["figure", "measured", "peer", "ratio", "budget", "verdict"].map(str::to_owned)];
    for row in rows {
        cells.push([
            row.figure.clone(),
            format!("{} {}", number(row.value), row.unit),
            row.peer
                .map_or("-".to_owned(), |peer| format!("{} {}", number(peer), row.unit)),
            row.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2} x")),
            row.budget_text(),
            row.verdict().to_owned(),
        ]);
    }
    let width = |column: usize| {
        cells
            .iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let padded: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    }
    text
}

/// Three significant digits at least, and no digits that mean nothing.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v.fract() == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The median; zero for no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_figure_is_judged_by_its_value_or_by_its_ratio() {
        let mut row = Row::alone("size", 7.0, "MB", Some(Budget::AtMost(6.0)));
        assert_eq!(row.verdict(), "OVER");
        row.value = 6.0;
        assert_eq!(row.verdict(), "OK");
        row.budget = Some(Budget::AtLeast(0.5));
        row.judged = Judged::Ratio;
        assert_eq!(
            row.verdict(),
            "OVER",
            "a ratio that is missing is not within its budget"
        );
        row.ratio = Some(0.5);
        assert_eq!(row.verdict(), "OK");
        row.budget = None;
        assert_eq!(row.verdict(), "-");
    }

    #[test]
    fn the_table_lines_up_and_shows_unit_and_budget() {
        let rows = [
            Row::alone("one", 1234.5, "ms", Some(Budget::AtMost(2000.0))),
            Row {
                peer: Some(20_000.0),
                ratio: Some(0.617),
                judged: Judged::Ratio,
                ..Row::alone("another figure", 12_345.0, "/s", Some(Budget::AtLeast(0.5)))
            },
        ];
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].find("measured"), lines[1].find("1234"), "{text}");
        assert!(
            lines[1].contains("<= 2000 ms") && lines[1].ends_with("OK"),
            "{text}"
        );
        assert!(
            lines[2].contains("0.62 x") && lines[2].contains(">= 0.50 x"),
            "{text}"
        );
    }
}
