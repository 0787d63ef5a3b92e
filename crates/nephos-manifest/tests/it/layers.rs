//! File, overlay, environment: which wins, and where an error is said to be.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::render;
use nephos_core::app::{FunctionSpec, Resource, Trigger};
use nephos_core::resource::Access;
use nephos_manifest::{Loaded, Report, load_str};

const TEXT: &str = r#"
app = "shop"

[queue.order-intake]
[bucket.archive]
url = "s3://evidence"
endpoint = "https://storage.example.net"

[function.take-order]
timeout = "10 s"
concurrency = 5
on = [{ queue = "order-intake" }]
uses = { order-intake = ["send"] }
env = { LOG = "info", Mixed = "a" }

[target.local]
port = 8080
[target.local.function.take-order]
timeout = "20 s"
on = [{ queue = "order-intake", batch = 2 }]
uses = { archive = ["write"] }
env = { LOG = "debug" }
[target.local.bucket.archive]
endpoint = "embedded"

[target.aws.function.take-order]
timeout = "40 s"
"#;

fn load(target: Option<&str>, variables: &[(&str, &str)]) -> Result<Loaded, Report> {
    let environment: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    load_str("nephos.toml", TEXT, target, &environment, &["local", "aws"])
}

fn function(target: Option<&str>, variables: &[(&str, &str)]) -> FunctionSpec {
    load(target, variables)
        .unwrap_or_else(|report| panic!("{}", render(&report)))
        .app
        .functions
        .remove("take-order")
        .unwrap()
}

/// The message and help of the only problem; its place must be the variable.
fn problem(name: &str, value: &str) -> String {
    let report = load(None, &[(name, value)]).unwrap_err();
    let [problem] = report.problems() else {
        panic!("{}", render(&report))
    };
    assert_eq!(problem.variable(), Some(name));
    assert_eq!(problem.position(), None);
    format!("{problem} | {}", problem.advice().unwrap_or_default())
}

#[test]
fn without_a_target_the_file_stands_as_it_is() {
    let function = function(None, &[]);
    assert_eq!(function.timeout, Duration::from_secs(10));
    assert_eq!(function.env["LOG"], "info");
}

#[test]
fn the_targets_overlay_replaces_values_and_lists_and_merges_tables() {
    let function = function(Some("local"), &[]);
    assert_eq!(function.timeout, Duration::from_secs(20));
    assert_eq!(function.concurrency, 5);
    assert!(matches!(
        function.on.as_slice(),
        [Trigger::Queue { batch: 2, .. }]
    ));
    assert_eq!(function.env["LOG"], "debug");
    assert_eq!(function.env["Mixed"], "a");
    assert_eq!(function.uses["order-intake"], [Access::Send].into());
    assert_eq!(function.uses["archive"], [Access::Write].into());
    let app = load(Some("local"), &[]).unwrap().app;
    let Resource::Bucket(archive) = &app.resources["archive"] else {
        panic!("not a bucket")
    };
    assert_eq!(archive.endpoint.as_deref(), Some("embedded"));
    assert_eq!(app.targets["local"], serde_json::json!({ "port": 8080 }));
}

#[test]
fn the_environment_overrides_both() {
    let function = function(
        Some("local"),
        &[
            ("NEPHOS__FUNCTION__TAKE_ORDER__TIMEOUT", "1 min"),
            ("NEPHOS__FUNCTION__TAKE_ORDER__CONCURRENCY", "7"),
            ("NEPHOS__FUNCTION__TAKE_ORDER__ENV__LOG", "trace"),
            ("NEPHOS__FUNCTION__TAKE_ORDER__ENV__MIXED", "b"),
            ("NEPHOS__FUNCTION__TAKE_ORDER__ENV__NEW", "c"),
            (
                "NEPHOS__FUNCTION__TAKE_ORDER__USES__ORDER_INTAKE",
                "[\"receive\"]",
            ),
            ("NEPHOS__FUNCTION__TAKE_ORDER__ON", "[{ http = \"GET /\" }]"),
            ("NEPHOS__FUNCTION__TAKE_ORDER__MEMORY", ""),
            ("NEPHOS_TARGET", "not ours"),
        ],
    );
    assert_eq!(function.timeout, Duration::from_secs(60));
    assert_eq!(function.concurrency, 7);
    assert_eq!(function.env["LOG"], "trace");
    assert_eq!(function.env["Mixed"], "b");
    assert_eq!(function.env["NEW"], "c");
    assert_eq!(function.uses["order-intake"], [Access::Receive].into());
    assert!(matches!(function.on.as_slice(), [Trigger::Http { .. }]));
}

#[test]
fn names_in_variables_are_matched_whatever_their_case_and_hyphens() {
    let variables = [
        ("NEPHOS__QUEUE__ORDER_INTAKE__ORDERED", "true"),
        ("NEPHOS__App", "stall"),
        ("NEPHOS__TARGET__AWS__REGION", "eu-west-1"),
    ];
    let app = load(None, &variables).unwrap().app;
    assert_eq!(app.name, "stall");
    let Resource::Queue(queue) = &app.resources["order-intake"] else {
        panic!("not a queue")
    };
    assert!(queue.ordered);
    assert_eq!(app.targets["aws"], serde_json::json!({ "region": "eu-west-1" }));
}

#[test]
fn an_error_in_a_variable_names_the_variable() {
    assert_eq!(
        problem("NEPHOS__FUNCTION__TAKE_ORDER__TIMEOUT", "60"),
        "`timeout` of function `take-order`: `60` has no unit (from the environment variable \
         NEPHOS__FUNCTION__TAKE_ORDER__TIMEOUT) | write \"60 s\""
    );
    assert_eq!(
        problem("NEPHOS__FUNCTION__TAKE_ORDER__CONCURRENCY", "many"),
        "`concurrency` of function `take-order` must be a whole number, not text (from the environment variable \
         NEPHOS__FUNCTION__TAKE_ORDER__CONCURRENCY) | "
    );
    assert_eq!(
        problem("NEPHOS__FUNCTION__TAKE_ORDER__TIMEOOT", "1 s"),
        "unknown key `timeoot` of function `take-order` (from the environment variable \
         NEPHOS__FUNCTION__TAKE_ORDER__TIMEOOT) | did you mean `timeout`?"
    );
    assert_eq!(
        problem("NEPHOS__FUNCTION__TAKE_ODRER__TIMEOUT", "1 s"),
        "nephos.toml declares no function `take-odrer` (from the environment variable \
         NEPHOS__FUNCTION__TAKE_ODRER__TIMEOUT) | did you mean `take-order`?"
    );
    assert_eq!(
        problem("NEPHOS__FUNCTOIN__TAKE_ORDER__TIMEOUT", "1 s"),
        "unknown key `functoin` (from the environment variable NEPHOS__FUNCTOIN__TAKE_ORDER__TIMEOUT) | did you mean \
         `function`?"
    );
    assert_eq!(
        problem(
            "NEPHOS__FUNCTION__TAKE_ORDER__ON",
            "[{ queue = \"order-intake\", batch = 0 }]"
        ),
        "`batch` of trigger 1 of function `take-order` cannot be 0 (from the environment variable \
         NEPHOS__FUNCTION__TAKE_ORDER__ON) | it can be 1 to 10000"
    );
    assert!(problem("NEPHOS__FUNCTION__TAKE_ORDER__ON", "[{").starts_with("not a TOML value: "));
    assert_eq!(
        problem("NEPHOS__TARGET__AWS__FUNCTION__TAKE_ORDER__TIMEOUT", "1 s"),
        "a variable cannot set a target's `function` (from the environment variable \
         NEPHOS__TARGET__AWS__FUNCTION__TAKE_ORDER__TIMEOUT) | leave out TARGET and its name: the environment overrides \
         every target"
    );
}

#[test]
fn an_error_of_the_file_that_the_overlay_leaves_alone_is_placed_in_the_file() {
    let text = TEXT.replace("concurrency = 5", "concurrency = 0");
    let report = load_str(
        "nephos.toml",
        &text,
        Some("local"),
        &BTreeMap::new(),
        &["local", "aws"],
    )
    .unwrap_err();
    let lines: Vec<usize> = report
        .problems()
        .iter()
        .map(|problem| problem.position().unwrap().line)
        .collect();
    assert_eq!(lines, [11]);
}

#[test]
fn an_error_in_the_chosen_overlay_is_placed_there() {
    let text = TEXT.replace("timeout = \"20 s\"", "timeout = \"20 z\"");
    let report = load_str(
        "nephos.toml",
        &text,
        Some("local"),
        &BTreeMap::new(),
        &["local", "aws"],
    )
    .unwrap_err();
    let [problem] = report.problems() else {
        panic!("{}", render(&report))
    };
    assert_eq!(problem.position().unwrap().line, 19);
}

#[test]
fn an_overlay_is_checked_even_when_its_target_is_not_chosen() {
    let text = TEXT.replace("timeout = \"40 s\"", "timeout = \"40 z\"");
    let report = load_str(
        "nephos.toml",
        &text,
        Some("local"),
        &BTreeMap::new(),
        &["local", "aws"],
    )
    .unwrap_err();
    let [problem] = report.problems() else {
        panic!("{}", render(&report))
    };
    assert_eq!(problem.position().unwrap().line, 27);
}

#[test]
fn a_chosen_target_that_there_is_not_is_an_error_with_the_nearest_name() {
    let report = load(Some("asw"), &[]).unwrap_err();
    let [problem] = report.problems() else {
        panic!("{}", render(&report))
    };
    assert_eq!(problem.message(), "there is no target `asw`");
    assert_eq!(problem.advice(), Some("did you mean `aws`?"));
}
