//! What is refused before Google does, and what is told.

use serde_json::{Value, json};

use crate::apps::{app, case, of_kind, refused, rendered, target};
use nephos_gcp::deploy::graph::Kind;

fn resources() -> Value {
    json!({
        "q": {"kind": "queue"}, "f": {"kind": "queue", "ordered": true}, "c": {"kind": "stream"}, "t": {"kind": "table", "key": "id"},
    })
}

fn function(function: Value) -> Value {
    json!({"resources": resources(), "functions": {"work": function}})
}

fn on(trigger: Value) -> Value {
    function(json!({"on": [trigger]}))
}

#[test]
fn what_google_cannot_do_is_refused_with_what_to_do() {
    let schedule = |text: &str| on(json!({"kind": "schedule", "schedule": text, "timezone": "UTC"}));
    let every = |secs: u64| {
        on(
            json!({"kind": "schedule", "schedule": "every", "every": {"secs": secs, "nanos": 0}, "timezone": "UTC"}),
        )
    };
    let queue = json!({"kind": "queue", "queue": "q", "batch": 1});
    for (app, parts) in [
        (
            function(json!({"isolation": "invocation"})),
            ["leave out isolation", "function=work"],
        ),
        (
            on(json!({"kind": "auth", "stage": "after_sign_up"})),
            ["Identity Platform asks nobody", "stage=after_sign_up"],
        ),
        (
            on(json!({"kind": "auth", "stage": "before_token"})),
            ["before_sign_in, which may add claims", "stage=before_token"],
        ),
        (
            schedule("0 0 L * *"),
            ["write it as numbers", "schedule=0 0 L * *"],
        ),
        (every(420), ["follows the clock", "function=work"]),
        (every(30), ["whole minutes", "schedule=every"]),
        (
            function(json!({"env": {"PORT": "80"}})),
            ["choose another name", "variable=PORT"],
        ),
        (
            function(json!({"env": {"GOOGLE_CLOUD_PROJECT": "x"}})),
            ["choose another name", "GOOGLE_CLOUD_PROJECT"],
        ),
        (
            function(json!({"env": {"NEPHOS_APP": "x"}})),
            ["choose another name", "NEPHOS_APP"],
        ),
        (
            function(json!({"env": {"a b": "x"}})),
            ["letters, digits", "variable=a b"],
        ),
        (
            function(json!({"uses": {"c": ["read"]}})),
            ["be triggered by the stream", "stream=c"],
        ),
        (
            function(json!({"uses": {"f": ["receive"]}})),
            ["be triggered by it", "queue=f"],
        ),
        (
            function(json!({"on": [queue], "uses": {"q": ["receive"]}})),
            ["gives them to nobody else", "triggers=work"],
        ),
        (
            function(json!({"on": [queue, queue]})),
            ["the same trigger twice", "function=work"],
        ),
        (
            function(json!({"on": [queue, {"kind": "queue", "queue": "q", "batch": 2}]})),
            ["two triggers receive from one queue", "queue=q"],
        ),
        (
            json!({"resources": resources(), "functions": {"one": {"on": [queue]}, "two": {"on": [queue]}}}),
            ["for a copy each, use a topic", "other=one"],
        ),
        (
            function(
                json!({"on": [{"kind": "http", "method": null, "path": "/"}, {"kind": "table", "table": "t", "events": ["inserted"], "batch": 1}]}),
            ),
            ["nothing outside Google Cloud calls", "table=t"],
        ),
    ] {
        let error = refused(app);
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{parts:?}: {error}"
        );
    }
}

#[test]
fn who_calls_over_http_must_be_told_from_others() {
    for (trigger, key) in [
        (json!({"kind": "email", "address": "*"}), "target.gcp.mail_secret"),
        (json!({"kind": "voice", "skill": "kitchen"}), "target.gcp.skills"),
    ] {
        let error = refused(on(trigger));
        assert!(error.contains(&format!("key={key}")), "{error}");
    }
}

#[test]
fn who_has_no_role_cannot_call_a_function_that_is_not_public() {
    let app_of = |trigger: Value| json!({"functions": {"work": {"on": [trigger]}}, "targets": target(json!({"public": false}))});
    let error = refused(app_of(json!({"kind": "auth", "stage": "before_sign_up"})));
    assert!(
        error.contains("key=target.gcp.public") && error.contains("trigger=auth"),
        "{error}"
    );
    let graph = rendered(&app(app_of(json!({"kind": "http", "method": null, "path": "/"}))));
    assert!(
        graph
            .notes
            .iter()
            .any(|note| note.contains("have the role Cloud Run Invoker")),
        "{:?}",
        graph.notes
    );
    assert!(!graph.grants.iter().any(|grant| grant.member == "allUsers"));
}

#[test]
fn an_embedded_store_is_refused_and_a_trigger_on_a_store_outside_is_told() {
    let bucket = |endpoint: &str| {
        json!({
            "resources": {"b": {"kind": "bucket", "url": "s3://evidence", "endpoint": endpoint}},
            "functions": {"work": {"on": [{"kind": "bucket", "bucket": "b", "event": "created", "prefix": "", "suffix": ""}]}},
        })
    };
    assert!(refused(bucket("embedded")).contains("bucket=b"));
    let graph = rendered(&app(bucket("https://storage.example.net")));
    assert!(
        graph
            .notes
            .iter()
            .any(|note| note.contains("not called for objects of bucket `b`")),
        "{:?}",
        graph.notes
    );
    assert!(of_kind(&graph, Kind::Bucket).is_empty() && of_kind(&graph, Kind::Notification).is_empty());
}

#[test]
fn differences_are_told() {
    let graph = rendered(&case("every-trigger"));
    for part in [
        "which ask for less: `schedule`",
        "one at a time",
        "`queue` (500 of queue `jobs`)",
        "`stream` (100 of stream `clicks`)",
        "`table` (50 of table `users`)",
        "`stream` gets 512 MiB more memory",
        "secret `api-key` has no value until you add one",
        "secret `password` is kept elsewhere",
        "blocking function for beforeCreate",
        "https://every-auth-123456789012.us-east5.run.app/.nephos/auth/before_sign_up",
        "fails after 7 s, though the function may take 30 s",
        "skill `kitchen`",
        "posts it to https://every-email-123456789012.us-east5.run.app/.nephos/mail",
        "waits 10 s for an answer",
    ] {
        assert!(
            graph.notes.iter().any(|note| note.contains(part)),
            "{part}: {:#?}",
            graph.notes
        );
    }
}

#[test]
fn an_override_changes_a_body_and_nothing_else() {
    let service = "//run.googleapis.com/projects/my-shop/locations/europe-west1/services/shop-gcp-work";
    let with = |overrides: Value| json!({"functions": {"work": {}}, "targets": target(json!({"overrides": overrides}))});
    let graph = rendered(&app(with(
        json!({service: {"body": {"ingress": null, "template": {"timeout": "1s"}}}}),
    )));
    let body = &graph.nodes[service].body;
    assert_eq!(body.get("ingress"), None);
    assert_eq!(body["template"]["timeout"], "1s");
    assert_eq!(body["template"]["maxInstanceRequestConcurrency"], 80);
    for (overrides, part) in [
        (
            json!({"//run.googleapis.com/x": {"body": {}}}),
            "no resource of this full name",
        ),
        (json!({service: {"kind": "topic"}}), "nothing beside it"),
        (json!({service: {"body": {}, "after": []}}), "nothing beside it"),
        (json!({service: null}), "nothing beside it"),
    ] {
        let error = refused(with(overrides));
        assert!(
            error.contains(part) && error.contains("key=target.gcp.overrides"),
            "{error}"
        );
    }
}
