//! Limits of functions, resources and projects: what is refused, what is raised and told.

use nephos_gcp::deploy::graph::Kind;
use serde_json::{Value, json};

use crate::apps::{app, node, refused, rendered, target};

fn seconds(secs: u64) -> Value {
    json!({"secs": secs, "nanos": 0})
}

fn retry(attempts: u32) -> Value {
    json!({"attempts": attempts, "backoff": seconds(1), "max_backoff": seconds(60)})
}

/// A function with this trigger, and these settings of its own.
fn on(trigger: Value, others: Value) -> Value {
    let mut function = others;
    function["on"] = json!([trigger]);
    json!({
        "resources": {
            "q": {"kind": "queue"}, "n": {"kind": "topic"}, "c": {"kind": "stream"}, "b": {"kind": "bucket"}, "t": {"kind": "table", "key": "id"},
        },
        "functions": {"work": function},
    })
}

#[test]
fn a_function_may_take_as_long_as_whoever_calls_it_waits() {
    let http = json!({"kind": "http", "method": null, "path": "/"});
    let tick = json!({"kind": "schedule", "schedule": "0 6 * * *", "timezone": "UTC"});
    let pushed = [
        json!({"kind": "queue", "queue": "q", "batch": 1}),
        json!({"kind": "topic", "topic": "n", "filter": {}}),
        json!({"kind": "stream", "stream": "c", "batch": 1}),
        json!({"kind": "bucket", "bucket": "b", "event": "any", "prefix": "", "suffix": ""}),
        json!({"kind": "table", "table": "t", "events": ["inserted"], "batch": 1}),
    ];
    let mut cases = vec![(http, 3600), (tick, 1790)];
    cases.extend(pushed.map(|trigger| (trigger, 590)));
    for (trigger, most) in cases {
        let graph = rendered(&app(on(trigger.clone(), json!({"timeout": seconds(most)}))));
        let service = node(&graph, Kind::Service, "shop-gcp-work");
        assert_eq!(
            service.body["template"]["timeout"],
            format!("{}s", (most + 10).min(3600)),
            "{trigger}"
        );
        let error = refused(on(trigger.clone(), json!({"timeout": seconds(most + 1)})));
        assert!(
            error.contains(&format!("max_timeout_s={most}")) && error.contains("function=work"),
            "{trigger}: {error}"
        );
    }
}

#[test]
fn a_function_is_tried_no_more_often_than_the_service_that_calls_it_tries() {
    let queue = json!({"kind": "queue", "queue": "q", "batch": 1});
    for (attempts, expected) in [(1, 5), (2, 5), (3, 6), (97, 100)] {
        let graph = rendered(&app(on(queue.clone(), json!({"retry": retry(attempts)}))));
        let subscription = node(&graph, Kind::Subscription, "shop-gcp-q");
        assert_eq!(
            subscription.body["deadLetterPolicy"]["maxDeliveryAttempts"],
            expected
        );
    }
    let error = refused(on(queue, json!({"retry": retry(98)})));
    assert!(error.contains("max_attempts=97"), "{error}");
    let tick = json!({"kind": "schedule", "schedule": "0 6 * * *", "timezone": "UTC"});
    for (attempts, expected) in [(1, 3), (3, 5), (6, 5)] {
        let graph = rendered(&app(on(tick.clone(), json!({"retry": retry(attempts)}))));
        let job = graph.nodes.values().find(|node| node.kind == Kind::Job).unwrap();
        assert_eq!(job.body["retryConfig"]["retryCount"], expected);
    }
    let error = refused(on(tick, json!({"retry": retry(7)})));
    assert!(error.contains("max_attempts=6"), "{error}");
}

#[test]
fn waits_between_tries_are_the_functions_up_to_pub_subs_longest() {
    let queue = json!({"kind": "queue", "queue": "q", "batch": 1});
    let backoff = |own: Value| {
        let graph = rendered(&app(on(queue.clone(), json!({"retry": own}))));
        let policy = node(&graph, Kind::Subscription, "shop-gcp-q").body["retryPolicy"].clone();
        let told = graph
            .notes
            .iter()
            .any(|note| note.contains("the longest wait of Pub/Sub"));
        (policy, told)
    };
    let short =
        json!({"attempts": 3, "backoff": {"secs": 0, "nanos": 200_000_000}, "max_backoff": seconds(600)});
    assert_eq!(
        backoff(short),
        (
            json!({"minimumBackoff": "0.200s", "maximumBackoff": "600s"}),
            false
        )
    );
    let long = json!({"attempts": 3, "backoff": seconds(700), "max_backoff": seconds(3600)});
    assert_eq!(
        backoff(long),
        (json!({"minimumBackoff": "600s", "maximumBackoff": "600s"}), true)
    );
}

#[test]
fn memory_and_processors_fit_each_other() {
    let resources = |function: Value, settings: Value| {
        let graph = rendered(&app(
            json!({"functions": {"work": function}, "targets": target(settings)}),
        ));
        let service = node(&graph, Kind::Service, "shop-gcp-work");
        let limits = &service.body["template"]["containers"][0]["resources"]["limits"];
        let text = |key: &str| limits[key].as_str().unwrap().to_owned();
        (text("memory"), text("cpu"), graph.notes)
    };
    for (mib, memory, cpu) in [
        (1_u64, "128Mi", "1"),
        (128, "128Mi", "1"),
        (4_096, "4096Mi", "1"),
        (4_097, "4097Mi", "2"),
        (8_193, "8193Mi", "4"),
        (16_385, "16385Mi", "6"),
        (24_577, "24577Mi", "8"),
        (32_768, "32768Mi", "8"),
    ] {
        let (given, processors, notes) = resources(json!({"memory": mib << 20}), json!({}));
        assert_eq!((given.as_str(), processors.as_str()), (memory, cpu), "{mib}");
        let told = notes
            .iter()
            .any(|note| note.contains("which ask for less: `work`"));
        assert_eq!(told, mib < 128, "{notes:?}");
    }
    let (memory, _, notes) = resources(
        json!({"memory": 512 << 20, "ephemeral_storage": 256 << 20}),
        json!({}),
    );
    assert_eq!(memory, "768Mi");
    assert!(
        notes.iter().any(|note| note.contains("gets 256 MiB more memory")),
        "{notes:?}"
    );
    let (_, processors, _) = resources(json!({"memory": 2_048_u64 << 20}), json!({"cpu": {"work": 4}}));
    assert_eq!(processors, "4");
    let with = |mib: u64, settings: Value| {
        refused(json!({"functions": {"work": {"memory": mib << 20}}, "targets": target(settings)}))
    };
    assert!(with(32_769, json!({})).contains("max_memory_mib=32768"));
    assert!(with(8_193, json!({"cpu": {"work": 2}})).contains("least_cpu=4"));
    assert!(with(2_047, json!({"cpu": {"work": 4}})).contains("least_memory_mib=2048"));
}

#[test]
fn numbers_of_instances_and_requests_are_the_functions_or_the_settings() {
    let template = |settings: Value| {
        let functions = json!({"work": {"concurrency": 7, "max_instances": 3}});
        let graph = rendered(&app(json!({"functions": functions, "targets": target(settings)})));
        node(&graph, Kind::Service, "shop-gcp-work").body["template"].clone()
    };
    let own = template(json!({}));
    assert_eq!(own["scaling"], json!({"maxInstanceCount": 3}));
    assert_eq!(own["maxInstanceRequestConcurrency"], 7);
    let set = template(json!({"max_instances": 40, "concurrency": 2, "min_instances": {"work": 4}}));
    assert_eq!(
        set["scaling"],
        json!({"maxInstanceCount": 40, "minInstanceCount": 4})
    );
    assert_eq!(set["maxInstanceRequestConcurrency"], 2);
    let error = refused(json!({"functions": {"work": {"max_instances": 1001}}}));
    assert!(error.contains("most=1000"), "{error}");
    let error = refused(json!({
        "functions": {"work": {"max_instances": 3}}, "targets": target(json!({"min_instances": {"work": 4}})),
    }));
    assert!(
        error.contains("min_instances=4") && error.contains("max_instances=3"),
        "{error}"
    );
}

#[test]
fn messages_last_as_long_as_they_do_in_pub_sub_and_what_differs_is_told() {
    let graph = rendered(&app(json!({"resources": {
        "long": {"kind": "queue", "retention": seconds(31 * 86_400), "visibility_timeout": seconds(601)},
        "short": {"kind": "queue", "retention": seconds(60), "visibility_timeout": seconds(1)},
        "clicks": {"kind": "stream", "retention": seconds(60)},
    }})));
    let of = |queue: &str| {
        let body = &node(&graph, Kind::Subscription, queue).body;
        (
            body["messageRetentionDuration"].clone(),
            body["ackDeadlineSeconds"].clone(),
        )
    };
    assert_eq!(of("shop-gcp-long"), (json!("2678400s"), json!(600)));
    assert_eq!(of("shop-gcp-short"), (json!("600s"), json!(10)));
    let stream = node(&graph, Kind::Topic, "shop-gcp-clicks");
    assert_eq!(stream.body["messageRetentionDuration"], "600s");
    let about = |queue: &str| {
        let about = format!("queue `{queue}`");
        graph.notes.iter().filter(|note| note.contains(&about)).count()
    };
    assert_eq!((about("long"), about("short")), (1, 1), "{:?}", graph.notes);
    for kind in ["queue", "stream"] {
        let error =
            refused(json!({"resources": {"thing": {"kind": kind, "retention": seconds(31 * 86_400 + 1)}}}));
        assert!(
            error.contains(&format!("{kind}=thing")) && error.contains("max_retention_s=2678400"),
            "{error}"
        );
    }
}

#[test]
fn a_bucket_tells_ten_triggers_of_one_kind_of_event() {
    let with = |count: usize, event: &str| {
        let trigger = |number: usize| json!({"kind": "bucket", "bucket": "b", "event": event, "prefix": format!("{number}/"), "suffix": ""});
        let on: Vec<Value> = (0..count).map(trigger).collect();
        json!({"resources": {"b": {"kind": "bucket"}}, "functions": {"work": {"on": on}}})
    };
    rendered(&app(with(10, "any")));
    let error = refused(with(11, "deleted"));
    assert!(
        error.contains("max_triggers=10") && error.contains("event=OBJECT_DELETE"),
        "{error}"
    );
}

#[test]
fn a_projects_policy_names_twenty_tables_of_one_account_and_fifteen_hundred_in_all() {
    let with = |functions: usize, tables: usize| {
        let table = |number: usize| (format!("t{number}"), json!({"kind": "table", "key": "id"}));
        let resources: serde_json::Map<String, Value> = (0..tables).map(table).collect();
        let uses: serde_json::Map<String, Value> = (0..tables)
            .map(|number| (format!("t{number}"), json!(["read"])))
            .collect();
        let function = |number: usize| (format!("f{number}"), json!({"uses": uses}));
        let functions: serde_json::Map<String, Value> = (0..functions).map(function).collect();
        json!({"resources": resources, "functions": functions})
    };
    rendered(&app(with(1, 20)));
    let error = refused(with(1, 21));
    assert!(
        error.contains("max_tables=20") && error.contains("of=function f0"),
        "{error}"
    );
    let error = refused(with(76, 20));
    assert!(
        error.contains("grants=1520") && error.contains("max_grants=1500"),
        "{error}"
    );
}

#[test]
fn what_a_project_has_only_after_asking_is_told() {
    let functions: serde_json::Map<String, Value> =
        (0..101).map(|number| (format!("f{number}"), json!({}))).collect();
    let graph = rendered(&app(json!({"functions": functions})));
    let told: Vec<&String> = graph.notes.iter().filter(|note| note.contains("quota")).collect();
    assert!(
        matches!(told.as_slice(), [one] if one.contains("101 of what Google Cloud calls a service account") && one.contains("100")),
        "{told:?}"
    );
}

#[test]
fn a_function_that_is_told_more_than_a_variable_holds_is_refused() {
    let error = refused(json!({"functions": {"work": {"env": {"LONG": "x".repeat((32 << 10) + 1)}}}}));
    assert!(
        error.contains("variable=LONG") && error.contains("max_bytes=32768"),
        "{error}"
    );
    let routes: Vec<Value> = (0..1000)
        .map(|number| json!({"kind": "http", "method": "GET", "path": format!("/a-rather-long-path/{number}")}))
        .collect();
    let error = refused(json!({"functions": {"work": {"on": routes}}}));
    assert!(
        error.contains("variable=NEPHOS_WIRING") && error.contains("function=work"),
        "{error}"
    );
}
