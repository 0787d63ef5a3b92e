//! Loading and rendering for the tests.

use std::collections::BTreeMap;

use miette::{GraphicalReportHandler, GraphicalTheme};
use nephos_manifest::{Loaded, Report, load_str};

/// Loads without target and environment.
pub(crate) fn load(text: &str) -> Result<Loaded, Report> {
    load_str("nephos.toml", text, None, &BTreeMap::new(), &["local"])
}

/// As a terminal without colours shows it.
pub(crate) fn render(report: &Report) -> String {
    let mut text = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(120)
        .render_report(&mut text, report)
        .unwrap();
    // Trailing spaces would be lost in an editor.
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}
