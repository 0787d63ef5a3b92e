//! Apps for the tests: files beside the golden graphs, or pieces of JSON, with the manifest's defaults for what they leave out.

use nephos_core::Result;
use nephos_core::TriggerKind;
use nephos_core::app::App;
use nephos_gcp::deploy::graph::{Graph, Kind, Node};
use nephos_gcp::deploy::settings::Settings;
use nephos_gcp::deploy::template::{Known, render};
use serde_json::{Value, json};

/// The apps of `tests/golden/apps`.
pub(crate) const CASES: [&str; 4] = ["hello-http", "orders", "face-gate", "every-trigger"];

/// The target that all of them are rendered for.
pub(crate) const TARGET: &str = "gcp";

/// The project of the tests' apps, and what only deployment knows of it.
pub(crate) const PROJECT: &str = "my-shop";
pub(crate) const NUMBER: &str = "123456789012";
pub(crate) const IMAGE: &str = "europe-west1-docker.pkg.dev/my-shop/shop-gcp/shop@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Where the golden graphs are.
pub(crate) fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The app of this case.
pub(crate) fn case(name: &str) -> App {
    let path = folder().join("apps").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    app(serde_json::from_str(&text).unwrap())
}

/// Settings of a target, with these beside the project and the region.
pub(crate) fn target(others: Value) -> Value {
    let mut settings = json!({"project": PROJECT, "region": "europe-west1"});
    for (key, value) in others.as_object().unwrap() {
        settings[key] = value.clone();
    }
    json!({ TARGET: settings })
}

/// An app of this JSON, with defaults, and the dead-letter queues that the manifest's loader adds.
pub(crate) fn app(mut app: Value) -> App {
    let seconds = |secs: u64| json!({"secs": secs, "nanos": 0});
    let table = app.as_object_mut().unwrap();
    table.entry("name").or_insert_with(|| "shop".into());
    table.entry("targets").or_insert_with(|| target(json!({})));
    let mut resources = table.remove("resources").unwrap_or_else(|| json!({}));
    let mut functions = table.remove("functions").unwrap_or_else(|| json!({}));
    for (name, function) in functions.as_object_mut().unwrap() {
        let dead_letter = format!("{name}-dead-letter");
        fill(
            function,
            &json!({
                "memory": 512 << 20, "timeout": seconds(30), "on": [], "uses": {}, "env": {}, "dead_letter": dead_letter,
                "retry": {"attempts": 3, "backoff": seconds(1), "max_backoff": seconds(60)},
                "concurrency": 80, "max_instances": 10, "isolation": "process",
            }),
        );
        let triggers = function["on"].as_array().unwrap();
        let queue = function["dead_letter"].as_str().unwrap().to_owned();
        if triggers.iter().any(|trigger| {
            let kind: TriggerKind = serde_json::from_value(trigger["kind"].clone()).unwrap();
            !kind.caller_waits()
        }) && resources.get(&queue).is_none()
        {
            resources[queue] = json!({"kind": "queue", "implicit": true});
        }
    }
    for resource in resources.as_object_mut().unwrap().values_mut() {
        match resource["kind"].as_str() {
            Some("queue") => fill(
                resource,
                &json!({"visibility_timeout": seconds(30), "retention": seconds(4 * 24 * 3600), "ordered": false}),
            ),
            Some("stream") => fill(resource, &json!({"retention": seconds(24 * 3600), "shards": 1})),
            _ => {}
        }
    }
    let table = app.as_object_mut().unwrap();
    table.insert("resources".to_owned(), resources);
    table.insert("functions".to_owned(), functions);
    serde_json::from_value(app).unwrap()
}

/// Sets what is not there, or null.
fn fill(value: &mut Value, defaults: &Value) {
    for (key, default) in defaults.as_object().unwrap() {
        if value.get(key).is_none_or(Value::is_null) {
            value[key] = default.clone();
        }
    }
}

/// What deployment knows of an app whose settings say the project.
pub(crate) fn known(app: &App) -> Known {
    match app.targets[TARGET].get("project") {
        None => Known::default(),
        Some(_) => Known {
            number: Some(NUMBER.to_owned()),
            image: Some(IMAGE.to_owned()),
        },
    }
}

/// Renders with the app's own settings.
pub(crate) fn try_render(app: &App) -> Result<Graph> {
    render(app, TARGET, &Settings::of(app, TARGET)?, &known(app))
}

/// The same, of an app that can be rendered.
pub(crate) fn rendered(app: &App) -> Graph {
    try_render(app).unwrap()
}

/// The error of an app that cannot be rendered.
pub(crate) fn refused(json: Value) -> String {
    try_render(&app(json)).unwrap_err().to_string()
}

/// All resources of a kind.
pub(crate) fn of_kind(graph: &Graph, kind: Kind) -> Vec<&Node> {
    graph.nodes.values().filter(|node| node.kind == kind).collect()
}

/// The last part of a name.
pub(crate) fn end(name: &str) -> &str {
    name.rsplit('/').next().unwrap()
}

/// The resource of this kind whose name ends so.
pub(crate) fn node<'g>(graph: &'g Graph, kind: Kind, name: &str) -> &'g Node {
    let mut found = of_kind(graph, kind)
        .into_iter()
        .filter(|node| end(&node.name) == name);
    let node = found
        .next()
        .unwrap_or_else(|| panic!("no {kind:?} {name} among {:#?}", graph.nodes.keys()));
    assert!(found.next().is_none(), "several: {kind:?} {name}");
    node
}

/// The variables of a function's service.
pub(crate) fn variables(graph: &Graph, service: &str) -> Vec<(String, String)> {
    node(graph, Kind::Service, service).body["template"]["containers"][0]["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| {
            let text = |key: &str| variable[key].as_str().unwrap().to_owned();
            (text("name"), text("value"))
        })
        .collect()
}

/// What a function is told.
pub(crate) fn told(graph: &Graph, service: &str) -> nephos_gcp::wiring::Service {
    let environment = variables(graph, service).into_iter().collect();
    nephos_gcp::wiring::Service::of(&environment).unwrap()
}
