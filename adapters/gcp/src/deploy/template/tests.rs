//! Rendering as a whole: how the size of the graph grows.

use nephos_core::app::App;
use serde_json::{Value, json};

use super::{Known, render, text};
use crate::deploy::settings::Settings;

/// An app of so many functions, each with a queue, a bucket and triggers of its own.
fn app(functions: usize) -> App {
    let seconds = |secs: u64| json!({"secs": secs, "nanos": 0});
    let mut specs = serde_json::Map::new();
    let mut resources = serde_json::Map::new();
    for number in 0..functions {
        // All names have one length, so that texts differ by nothing but their number.
        let number = format!("n{number:04}");
        let (queue, bucket, dead) = (
            format!("queue-{number}"),
            format!("bucket-{number}"),
            format!("work-{number}-dead-letter"),
        );
        let spec = json!({
            "memory": 1 << 28, "timeout": seconds(30), "env": {}, "dead_letter": dead, "concurrency": 1, "max_instances": 10,
            "isolation": "process", "retry": {"attempts": 3, "backoff": seconds(1), "max_backoff": seconds(60)},
            "uses": {bucket.as_str(): ["read", "write"]},
            "on": [
                {"kind": "queue", "queue": queue, "batch": 1},
                {"kind": "http", "method": "GET", "path": format!("/{number}")},
                {"kind": "schedule", "schedule": "0 6 * * *", "timezone": "UTC"},
            ],
        });
        let queue_spec = |implicit: bool| json!({"kind": "queue", "visibility_timeout": seconds(30), "retention": seconds(3600), "ordered": false, "implicit": implicit});
        resources.insert(queue, queue_spec(false));
        resources.insert(dead, queue_spec(true));
        resources.insert(bucket, json!({"kind": "bucket"}));
        specs.insert(format!("work-{number}"), spec);
    }
    let app: Value = json!({"name": "many", "resources": resources, "functions": specs, "targets": {"gcp": {"region": "europe-west1"}}});
    serde_json::from_value(app).unwrap()
}

#[test]
fn the_graph_of_a_thousand_functions_is_ten_times_that_of_a_hundred() {
    let sizes = |functions: usize| {
        let app = app(functions);
        let settings = Settings::of(&app, "gcp").unwrap();
        let graph = render(&app, "gcp", &settings, &Known::default()).unwrap();
        let edges: usize = graph.nodes.values().map(|node| node.after.len()).sum();
        let notes = graph.notes.len();
        (
            graph.nodes.len(),
            edges,
            graph.grants.len(),
            text(&graph).len(),
            notes,
        )
    };
    let (one, two) = (sizes(1), sizes(2));
    let (hundred, thousand) = (sizes(100), sizes(1000));
    for (what, [one, two, hundred, thousand]) in [
        ("resources", [one.0, two.0, hundred.0, thousand.0]),
        ("what comes before what", [one.1, two.1, hundred.1, thousand.1]),
        ("grants", [one.2, two.2, hundred.2, thousand.2]),
        ("bytes", [one.3, two.3, hundred.3, thousand.3]),
    ] {
        let each = two - one;
        assert!(each > 0, "{what}");
        assert_eq!(hundred, one + 99 * each, "{what}");
        assert_eq!(thousand, one + 999 * each, "{what}");
    }
    assert!(one.0 > 8, "{one:?}");
}
