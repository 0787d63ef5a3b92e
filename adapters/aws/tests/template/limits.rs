//! Limits of resources and of the whole: what is refused, what is raised and told.

use nephos_core::ErrorKind;
use serde_json::{Map, Value, json};

use crate::apps::{app, properties, rendered, try_render};

fn seconds(secs: u64) -> Value {
    json!({"secs": secs, "nanos": 0})
}

fn many(count: usize, one: impl Fn(usize) -> (String, Value)) -> Map<String, Value> {
    (0..count).map(one).collect()
}

#[test]
fn what_a_queue_or_stream_cannot_keep_or_hide_so_long_is_refused() {
    for (resource, parts) in [
        (
            json!({"kind": "queue", "retention": seconds(15 * 24 * 3600)}),
            ["queue=thing", "retention_s=1296000"],
        ),
        (
            json!({"kind": "queue", "retention": seconds(59)}),
            ["queue=thing", "retention_s=59"],
        ),
        (
            json!({"kind": "queue", "visibility_timeout": seconds(43_201)}),
            ["visibility_timeout_s=43201", "max_visibility_timeout_s=43200"],
        ),
        (
            json!({"kind": "stream", "retention": seconds(366 * 24 * 3600)}),
            ["retention_h=8784", "max_retention_h=8760"],
        ),
    ] {
        let error = try_render(&app(json!({"resources": {"thing": resource}}))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let error = error.to_string();
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{parts:?}: {error}"
        );
    }
}

#[test]
fn a_stream_keeps_records_for_a_day_at_least_and_says_so() {
    let app = app(json!({"resources": {"clicks": {"kind": "stream", "retention": seconds(3600)}}}));
    let template = rendered(&app);
    assert_eq!(properties(&template, "StreamClicks")["RetentionPeriodHours"], 24);
    assert!(
        template.notes[0].contains("for 24 hours, not 1"),
        "{:?}",
        template.notes
    );
}

#[test]
fn a_dead_letter_that_nobody_declared_is_kept_for_fourteen_days() {
    let app = app(json!({
        "resources": {"jobs": {"kind": "queue"}},
        "functions": {"work": {"on": [{"kind": "queue", "queue": "jobs", "batch": 1}]}},
    }));
    let template = rendered(&app);
    assert_eq!(
        properties(&template, "QueueWorkDeadLetter")["MessageRetentionPeriod"],
        14 * 24 * 3600
    );
    assert_eq!(
        properties(&template, "QueueJobs")["MessageRetentionPeriod"],
        4 * 24 * 3600
    );
}

#[test]
fn a_filter_of_more_attributes_than_sns_looks_at_is_refused() {
    let with = |count: usize| {
        let filter = many(count, |number| (format!("key{number}"), "value".into()));
        app(json!({
            "resources": {"news": {"kind": "topic"}},
            "functions": {"work": {"on": [{"kind": "topic", "topic": "news", "filter": filter}]}},
        }))
    };
    try_render(&with(5)).unwrap();
    let error = try_render(&with(6)).unwrap_err().to_string();
    assert!(
        error.contains("attributes=6") && error.contains("max_attributes=5"),
        "{error}"
    );
}

#[test]
fn a_bucket_with_more_notifications_than_s3_keeps_is_refused() {
    let with = |count: usize| {
        let on: Vec<Value> = (0..count)
            .map(|number| json!({"kind": "bucket", "bucket": "b", "event": "created", "prefix": format!("{number}/"), "suffix": ""}))
            .collect();
        app(json!({"resources": {"b": {"kind": "bucket"}}, "functions": {"work": {"on": on}}}))
    };
    try_render(&with(100)).unwrap();
    let error = try_render(&with(101)).unwrap_err().to_string();
    assert!(
        error.contains("notifications=101") && error.contains("max_notifications=100"),
        "{error}"
    );
}

#[test]
fn a_function_that_uses_more_than_its_environment_or_policy_can_name_is_refused() {
    let with = |resource: Value, access: &str, count: usize, name: &str| {
        let name = |number: usize| format!("{name}-n{number}");
        let resources = many(count, |number| (name(number), resource.clone()));
        let uses = many(count, |number| (name(number), json!([access])));
        app(json!({"resources": resources, "functions": {"work": {"uses": uses}}}))
    };
    try_render(&with(json!({"kind": "topic"}), "publish", 30, "t")).unwrap();
    let error = try_render(&with(json!({"kind": "topic"}), "publish", 60, "t"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("environment is larger"), "{error}");
    let error = try_render(&with(json!({"kind": "bucket"}), "read", 60, &"b".repeat(40)))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("role's policy") && error.contains("uses=60"),
        "{error}"
    );
}

#[test]
fn names_beyond_what_a_stack_can_put_out_are_left_to_its_resources() {
    let with = |count: usize| {
        app(json!({"resources": many(count, |number| (format!("t-n{number}"), json!({"kind": "topic"})))}))
    };
    let template = rendered(&with(200));
    assert_eq!((template.outputs.len(), template.notes.len()), (200, 0));
    let template = rendered(&with(201));
    assert!(template.outputs.is_empty());
    assert!(template.body.get("Outputs").is_none());
    assert!(
        template.notes[0].contains("it can hold no more"),
        "{:?}",
        template.notes
    );
    let outputs = many(201, |number| (format!("Out{number}"), json!({"Value": "x"})));
    let app = app(json!({"targets": {"aws": {"overrides": {"Outputs": outputs}}}}));
    let error = try_render(&app).unwrap_err().to_string();
    assert!(
        error.contains("outputs=201") && error.contains("max_outputs=200"),
        "{error}"
    );
}
