//! Rendering as a whole: how its cost grows, and what one deployment cannot hold.

use std::time::{Duration, Instant};

use nephos_core::ErrorKind;
use nephos_core::app::App;
use serde_json::{Value, json};

use super::{assemble, render};
use crate::deploy::settings::Settings;

/// An app of so many functions, each with a queue, a table and triggers of its own.
fn app(functions: usize) -> App {
    let seconds = |secs: u64| json!({"secs": secs, "nanos": 0});
    let mut specs = serde_json::Map::new();
    let mut resources = serde_json::Map::new();
    for number in 0..functions {
        let (queue, table, dead) = (
            format!("queue-n{number}"),
            format!("table-n{number}"),
            format!("work-n{number}-dead-letter"),
        );
        let spec = json!({
            "memory": 1 << 20, "timeout": seconds(30), "env": {}, "dead_letter": dead, "concurrency": 1, "max_instances": 10,
            "isolation": "process", "retry": {"attempts": 9, "backoff": seconds(1), "max_backoff": seconds(60)},
            "uses": {table.as_str(): ["read", "write"]},
            "on": [
                {"kind": "queue", "queue": queue, "batch": 10},
                {"kind": "http", "method": "GET", "path": format!("/{number}")},
                {"kind": "schedule", "schedule": "0 6 * * *", "timezone": "UTC"},
            ],
        });
        let queue_spec = |implicit: bool| json!({"kind": "queue", "visibility_timeout": seconds(30), "retention": seconds(3600), "ordered": false, "implicit": implicit});
        resources.insert(queue, queue_spec(false));
        resources.insert(dead, queue_spec(true));
        resources.insert(table, json!({"kind": "table", "key": "id"}));
        specs.insert(format!("work-n{number}"), spec);
    }
    let app: Value = json!({"name": "many", "resources": resources, "functions": specs, "targets": {"azure": {"location": "westeurope"}}});
    serde_json::from_value(app).unwrap()
}

fn cost(app: &App) -> Duration {
    let settings = Settings::of(app, "azure").unwrap();
    let start = Instant::now();
    let template = assemble(app, "azure", &settings).unwrap();
    let contents = crate::deploy::package::contents(app, "azure", &settings).unwrap();
    let cost = start.elapsed();
    // Each is called by requests and by something else.
    assert_eq!(contents.len(), 2 * app.functions.len());
    assert!(template.resource_count() > app.functions.len() * 12);
    cost
}

#[test]
fn the_cost_of_rendering_grows_with_the_number_of_functions_and_not_with_its_square() {
    let (few, many) = (app(100), app(1000));
    // What else the machine does can only make one measure look worse: the best of several counts.
    let mut best = f64::MAX;
    for _ in 0..10 {
        let small = cost(&few);
        let large = cost(&many);
        best = best.min(large.as_secs_f64() / small.as_secs_f64());
        if best < 20.0 {
            return;
        }
    }
    panic!("ten times the functions cost {best:.0} times as much; the square would be 100 times");
}

#[test]
fn an_app_that_one_deployment_cannot_hold_is_refused_with_its_counts() {
    let app = app(70);
    let settings = Settings::of(&app, "azure").unwrap();
    let error = render(&app, "azure", &settings).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    let error = error.to_string();
    for part in ["max_resources=800", "functions=70", "split"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_template_of_more_than_four_mebibytes_is_refused() {
    let mut app = app(1);
    app.targets.insert(
        "azure".to_owned(),
        json!({"location": "westeurope", "overrides": {"metadata": {"why": "x".repeat(4 << 20)}}}),
    );
    let settings = Settings::of(&app, "azure").unwrap();
    let error = render(&app, "azure", &settings).unwrap_err().to_string();
    assert!(error.contains("max_bytes=4194304"), "{error}");
}
