//! Apps for the tests: files beside the golden templates, or pieces of JSON, with the manifest's defaults for what they leave out.

use nephos_azure::deploy::settings::Settings;
use nephos_azure::deploy::template::{Template, render};
use nephos_core::Result;
use nephos_core::TriggerKind;
use nephos_core::app::App;
use serde_json::{Value, json};

/// The apps of `tests/golden/apps`.
pub(crate) const CASES: [&str; 4] = ["hello-http", "orders", "face-gate", "every-trigger"];

/// The target that all of them are rendered for.
pub(crate) const TARGET: &str = "azure";

/// Where the golden templates are.
pub(crate) fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The app of this case.
pub(crate) fn case(name: &str) -> App {
    let path = folder().join("apps").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    app(serde_json::from_str(&text).unwrap())
}

/// An app of this JSON, with defaults, and the dead-letter queues that the manifest's loader adds.
pub(crate) fn app(mut app: Value) -> App {
    let seconds = |secs: u64| json!({"secs": secs, "nanos": 0});
    let table = app.as_object_mut().unwrap();
    table.entry("name").or_insert_with(|| "shop".into());
    table
        .entry("targets")
        .or_insert_with(|| json!({TARGET: {"location": "westeurope"}}));
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

/// Renders with the app's own settings.
pub(crate) fn try_render(app: &App) -> Result<Template> {
    render(app, TARGET, &Settings::of(app, TARGET)?)
}

/// The same, of an app that can be rendered.
pub(crate) fn rendered(app: &App) -> Template {
    try_render(app).unwrap()
}

/// The error of an app that cannot be rendered.
pub(crate) fn refused(json: Value) -> String {
    try_render(&app(json)).unwrap_err().to_string()
}

/// A resource of the template.
pub(crate) fn resource<'t>(template: &'t Template, id: &str) -> &'t Value {
    template
        .body
        .pointer(&format!("/resources/{id}"))
        .unwrap_or_else(|| panic!("no {id} in {}", template.to_json()))
}

/// The properties of a resource of the template.
pub(crate) fn properties<'t>(template: &'t Template, id: &str) -> &'t Value {
    &resource(template, id)["properties"]
}

/// The names and bodies of all resources of a type.
pub(crate) fn of_type<'t>(template: &'t Template, ty: &str) -> Vec<(&'t str, &'t Value)> {
    template.body["resources"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, resource)| resource["type"] == ty)
        .map(|(id, resource)| (id.as_str(), resource))
        .collect()
}
