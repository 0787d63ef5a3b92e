//! `nephos.toml`: every text is an app or a list of problems, each of which points into the text and can be shown.

use std::collections::BTreeMap;

use miette::{Diagnostic as _, GraphicalReportHandler, GraphicalTheme};
use nephos_core::app::App;
use nephos_manifest::{Loaded, Problem, Report, load_str};

/// Begins a line that sets a variable of the environment; a comment to the manifest.
const VARIABLE: &str = "#env ";

/// Reads `data` as a manifest.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let environment: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.strip_prefix(VARIABLE)?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // All is looked at without a target; with one, only what the overlays add: the fuzzer gets to see more that way.
    match (load(text, None, &environment), load(text, None, &environment)) {
        (Ok(loaded), Ok(again)) => {
            let warnings = loaded.warnings.problems();
            assert!(warnings.iter().all(Problem::is_warning), "{warnings:?}");
            assert_eq!(loaded.app, again.app);
            check_report(text, &loaded.warnings);
            check_app(&loaded.app);
        }
        (Err(report), Err(again)) => {
            assert!(!report.is_empty(), "refused for no reason");
            assert!(!report.problems().iter().any(Problem::is_warning), "{report:?}");
            assert_eq!(report.problems(), again.problems());
            check_report(text, &report);
        }
        _ => panic!("accepted once and refused once"),
    }
    match load(text, Some("local"), &environment) {
        Ok(loaded) => {
            check_places(text, &loaded.warnings);
            check_app(&loaded.app);
        }
        Err(report) => check_places(text, &report),
    }
}

fn load(text: &str, target: Option<&str>, environment: &BTreeMap<String, String>) -> Result<Loaded, Report> {
    load_str("nephos.toml", text, target, environment, &["local"])
}

/// The engine keeps the app as JSON.
fn check_app(app: &App) {
    let json = serde_json::to_string(app).expect("an app has a JSON form");
    assert_eq!(
        serde_json::from_str::<App>(&json).expect("our own JSON is an app"),
        *app
    );
    for function in app.functions.values() {
        assert!(
            !function.dead_letter.is_empty(),
            "a function without dead letters"
        );
        for name in function.uses.keys() {
            assert!(app.resources.contains_key(name), "{name} is used and not there");
        }
    }
}

/// Every problem points into the text, at whole characters, and the report can be shown.
pub(crate) fn check_report(text: &str, report: &Report) {
    check_places(text, report);
    let mut shown = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(120)
        .render_report(&mut shown, report)
        .expect("a report can be shown");
}

fn check_places(text: &str, report: &Report) {
    for problem in report.problems() {
        assert!(!problem.message().is_empty(), "{problem:?}");
        for label in problem.labels().into_iter().flatten() {
            let (start, end) = (label.offset(), label.offset() + label.len());
            assert!(
                text.get(start..end).is_some(),
                "{start}..{end} is not text of the manifest: {problem:?}"
            );
        }
        if let Some(position) = problem.position() {
            let line = position
                .line
                .checked_sub(1)
                .and_then(|line| text.split('\n').nth(line));
            let line = line.unwrap_or_else(|| panic!("there is no such line: {problem:?}"));
            assert!(
                (1..=line.chars().count() + 1).contains(&position.column),
                "no such column: {problem:?}"
            );
        }
    }
}
