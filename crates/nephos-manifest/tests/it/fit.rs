//! The manifest against the functions of a binary.

use crate::common::{load, render};
use nephos_core::FunctionInfo;
use nephos_core::event::TriggerKind;
use nephos_core::handler::Shape;

const TEXT: &str = r#"app = "shop"

[bucket.photos]
[queue.incoming]

[function.resize]
on = [{ bucket = "photos" }, { queue = "incoming" }]

[function.take-order]
on = [{ queue = "incoming" }]
"#;

fn info(name: &str, trigger: Option<TriggerKind>, shape: Shape, event_type: &str) -> FunctionInfo {
    FunctionInfo {
        name: name.to_owned(),
        trigger,
        shape,
        event_type: event_type.to_owned(),
        location: Some(format!("src/main.rs:{}", name.len())),
    }
}

fn created(name: &str) -> FunctionInfo {
    info(
        name,
        Some(TriggerKind::Bucket),
        Shape::Whole,
        "nephos_core::event::bucket::ObjectCreated",
    )
}

fn message(name: &str) -> FunctionInfo {
    info(
        name,
        Some(TriggerKind::Queue),
        Shape::EachRecord,
        "nephos_core::event::queue::Message<alloc::string::String>",
    )
}

fn raw(name: &str) -> FunctionInfo {
    info(name, None, Shape::Whole, "nephos_core::event::Event")
}

/// Line, message and help of each problem.
fn problems(functions: &[FunctionInfo]) -> Vec<String> {
    let loaded = load(TEXT).unwrap();
    let report = loaded
        .functions_fit(functions)
        .expect_err("something does not fit");
    assert!(render(&report).contains("nephos.toml:"));
    report
        .problems()
        .iter()
        .map(|problem| {
            let position = problem.position().unwrap();
            let help = problem.advice().unwrap();
            format!("{}:{} {problem} | {help}", position.line, position.column)
        })
        .collect()
}

#[test]
fn handlers_that_fit_are_accepted() {
    let loaded = load(TEXT).unwrap();
    loaded
        .functions_fit(&[raw("resize"), message("take-order")])
        .unwrap();
}

#[test]
fn a_handler_of_another_kind_is_placed_at_the_trigger_with_the_handlers_own_place() {
    assert_eq!(
        problems(&[created("resize"), message("take-order")]),
        [
            "7:30 the handler `resize` (src/main.rs:6) takes `ObjectCreated`, which does not fit a queue trigger | take \
             `Message<T>` there, or give it a bucket trigger here"
        ]
    );
    assert_eq!(
        problems(&[raw("resize"), created("take-order")]),
        [
            "10:7 the handler `take-order` (src/main.rs:10) takes `ObjectCreated`, which does not fit a queue trigger | take \
             `Message<T>` there, or give it a bucket trigger here"
        ]
    );
}

#[test]
fn a_batch_fits_no_event_without_records() {
    let batch = info("resize", None, Shape::Batch, "app::Everything");
    assert_eq!(
        problems(&[batch, message("take-order")]),
        [
            "7:7 the handler `resize` (src/main.rs:6) takes `Everything`, which does not fit a bucket trigger | take \
             `ObjectCreated` there"
        ]
    );
}

#[test]
fn a_function_without_a_handler_is_placed_at_its_name() {
    assert_eq!(
        problems(&[raw("resize")]),
        [
            "9:11 the binary has no function `take-order` | write a handler `take_order` and name it in `nephos::main!`, or \
             remove it here"
        ]
    );
}

#[test]
fn a_misspelt_name_is_found_on_both_sides() {
    assert_eq!(
        problems(&[raw("resise"), message("take-order")]),
        [
            "6:11 the manifest declares no function `resise` (src/main.rs:6) | did you mean `resize`?",
            "6:11 the binary has no function `resize` | did you mean `resise` (src/main.rs:6)?",
        ]
    );
}

#[test]
fn an_underscore_for_a_hyphen_is_told_how_to_be_named() {
    assert_eq!(
        problems(&[raw("resize"), message("take_order")]),
        [
            "9:11 the binary has no function `take-order` | name the handler `take_order` (src/main.rs:10) with hyphens: \
             `take-order`"
        ]
    );
}

#[test]
fn a_handler_that_nobody_declared_is_an_error_too() {
    assert_eq!(
        problems(&[raw("resize"), message("take-order"), raw("forgotten")]),
        [
            "1:1 the manifest declares no function `forgotten` (src/main.rs:9) | declare it: [function.forgotten]"
        ]
    );
}

#[test]
fn a_handler_of_uploads_does_not_fit_deletions() {
    let text = "app = \"shop\"\n[bucket.photos]\n[function.resize]\non = [{ bucket = \"photos\", event = \"deleted\" }]\n";
    let report = load(text)
        .unwrap()
        .functions_fit(&[created("resize")])
        .unwrap_err();
    let [problem] = report.problems() else {
        panic!("{report:?}")
    };
    let said = problem.to_string();
    assert!(
        said.contains("takes `ObjectCreated`, which does not fit a bucket trigger"),
        "{said}"
    );
    assert_eq!(problem.advice(), Some("take `ObjectDeleted` there"));
}
