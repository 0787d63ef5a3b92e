//! A report as JUnit's XML, for CI: an adapter is a suite of tests; each rule and each mutant that ran is a test.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{AdapterReport, Fate, Outcome, Report, RuleReport, text};

/// The document.
///
/// # Errors
/// Never for a report that a run made: it is written to memory.
pub fn render(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut document = Document::new("nephos conformance");
    document
        .set_timestamp(report.date)
        .set_time(Duration::from_millis(report.duration_ms));
    for adapter in &report.adapters {
        document.add_test_suite(suite(adapter));
    }
    document.to_string()
}

fn suite(adapter: &AdapterReport) -> TestSuite {
    let mut suite = TestSuite::new(text::visible(&adapter.adapter));
    suite
        .set_timestamp(adapter.date)
        .set_time(Duration::from_millis(adapter.duration_ms));
    for (name, value) in [
        ("mode", adapter.mode.name()),
        ("proves", adapter.proves.as_str()),
        ("beneath", adapter.beneath.as_deref().unwrap_or_default()),
        ("nephos", adapter.nephos.as_str()),
        ("left out", adapter.left_out.join(", ").as_str()),
    ] {
        if !value.is_empty() {
            suite.add_property(Property::new(name, text::visible(value)));
        }
    }
    if let Some(trouble) = &adapter.trouble {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(text::visible(trouble));
        suite.add_test_case(case(adapter, "harness", "harness", 0, status));
    }
    for rule in &adapter.rules {
        suite.add_test_case(of_rule(adapter, rule));
        suite.add_test_cases(of_mutant(adapter, rule));
    }
    suite
}

fn case(
    adapter: &AdapterReport,
    group: &str,
    name: &str,
    milliseconds: u64,
    status: TestCaseStatus,
) -> TestCase {
    let mut case = TestCase::new(text::visible(name), status);
    case.set_classname(text::visible(&format!("{}.{group}", adapter.adapter)))
        .set_time(Duration::from_millis(milliseconds));
    case
}

fn of_rule(adapter: &AdapterReport, rule: &RuleReport) -> TestCase {
    let status = match (rule.outcome, rule.failure()) {
        (Outcome::Violated | Outcome::ExceptionHolds, Some(failure)) => failed(
            NonSuccessKind::Failure,
            rule.outcome.words(),
            &failure,
            Some(&rule.why),
        ),
        (_, Some(failure)) => failed(
            NonSuccessKind::Error,
            rule.outcome.words(),
            &failure,
            Some(&rule.why),
        ),
        // It ran, and does not hold, as is known: for CI that is neither a pass nor a failure.
        (Outcome::Excepted | Outcome::LeftOut, None) => known(rule.outcome.words(), rule.reason.as_deref()),
        _ => TestCaseStatus::success(),
    };
    let mut case = case(adapter, &rule.group, &rule.id, rule.duration_ms, status);
    if rule.outcome == Outcome::Refused {
        case.set_system_out(rule.outcome.words());
    }
    case
}

fn of_mutant(adapter: &AdapterReport, rule: &RuleReport) -> Option<TestCase> {
    let mutant = &rule.mutant;
    let status = match (mutant.outcome, mutant.failure()) {
        (Fate::NotRun, _) => return None,
        (Fate::Survived | Fate::UnprovenKilled, Some(failure)) => {
            failed(NonSuccessKind::Failure, mutant.outcome.words(), &failure, None)
        }
        (_, Some(failure)) => failed(NonSuccessKind::Error, mutant.outcome.words(), &failure, None),
        (Fate::Unproven, None) => known("unproven", mutant.reason.as_deref()),
        _ => TestCaseStatus::success(),
    };
    let name = format!("mutant::{}", rule.id);
    let mut case = case(adapter, &rule.group, &name, mutant.duration_ms, status);
    if let (Fate::Killed, Some(sentence)) = (mutant.outcome, &mutant.sentence) {
        case.set_system_out(text::visible(&format!("killed {}: {sentence}", mutant.fault)));
    }
    Some(case)
}

fn failed(kind: NonSuccessKind, what: &str, failure: &str, why: Option<&str>) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(what).set_message(text::line(failure));
    let why = why
        .map(|why| format!("\nwhy it matters: {why}"))
        .unwrap_or_default();
    status.set_description(text::visible(&format!("{failure}{why}")));
    status
}

fn known(what: &str, reason: Option<&str>) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(text::line(&format!("{what}: {}", reason.unwrap_or_default())));
    status
}
