//! What is read of what there is.

use serde_json::json;

use super::*;

fn thing(kind: Kind, body: Value) -> Thing {
    Thing::read(kind, body, "p", "123").unwrap()
}

#[test]
fn what_is_there_is_named_as_in_a_graph_and_tells_whose_it_is() {
    let mark = Mark::of("shop", "gcp", &Part::App);
    let secret = thing(
        Kind::Secret,
        json!({"name": "projects/123/secrets/s", "labels": mark.labels()}),
    );
    assert_eq!(
        secret.full_name(),
        "//secretmanager.googleapis.com/projects/p/secrets/s"
    );
    assert_eq!(secret.mark, Some(mark.clone()));
    let bucket = thing(Kind::Bucket, json!({"name": "b", "labels": {KEPT: "true"}}));
    assert_eq!(bucket.name, "projects/_/buckets/b");
    assert!(bucket.is_kept() && bucket.mark.is_none());
    let job = thing(
        Kind::Job,
        json!({"name": "projects/p/locations/r/jobs/j", "description": mark.description()}),
    );
    assert_eq!(job.mark, Some(mark));
}

#[test]
fn what_does_not_work_says_why() {
    let name = "projects/p/locations/r/services/s";
    let service = |state: &str, busy: bool| {
        let condition = json!({"state": state, "message": "the container does not start"});
        thing(
            Kind::Service,
            json!({"name": name, "reconciling": busy, "terminalCondition": condition}),
        )
    };
    assert_eq!(
        service("CONDITION_FAILED", false).fault().unwrap(),
        "the container does not start"
    );
    assert!(service("CONDITION_SUCCEEDED", false).fault().is_none());
    assert!(service("CONDITION_FAILED", true).fault().is_none());
    let trigger = json!({"name": "t", "conditions": {"status": {"code": "UNKNOWN", "message": "half made"}}});
    assert_eq!(thing(Kind::Trigger, trigger).fault().unwrap(), "half made");
}

#[test]
fn two_readings_are_the_same_if_nobody_changed_anything() {
    let service = |generation: &str, etag: &str| {
        thing(
            Kind::Service,
            json!({"name": "s", "generation": generation, "etag": etag}),
        )
    };
    assert_eq!(service("1", "a").spec(), service("1", "b").spec());
    assert_ne!(service("1", "a").spec(), service("2", "a").spec());
    let secret = |label: &str, etag: &str| {
        thing(
            Kind::Secret,
            json!({"name": "s", "labels": {"a": label}, "etag": etag}),
        )
    };
    assert_eq!(secret("x", "a").spec(), secret("x", "b").spec());
    assert_ne!(secret("x", "a").spec(), secret("y", "a").spec());
}
