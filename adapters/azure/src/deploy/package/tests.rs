//! Packages: what is in them, and that their bytes follow from it.

use std::io::{Cursor, Read as _};

use nephos_core::app::{App, Trigger};
use nephos_core::wiring::Wiring;
use serde_json::{Value, json};

use super::{Content, Handler, contents, pack};
use crate::deploy::settings::Settings;

fn app(function: Value, resources: Value) -> App {
    let seconds = |secs: u64| json!({"secs": secs, "nanos": 0});
    let mut spec = json!({
        "memory": 1, "timeout": seconds(30), "on": [], "uses": {}, "env": {"MODE": "fast"}, "dead_letter": "lost", "concurrency": 80,
        "max_instances": 10, "isolation": "process",
        "retry": {"attempts": 3, "backoff": seconds(1), "max_backoff": seconds(60)},
    });
    for (key, value) in function.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let mut all = resources;
    all["lost"] = json!({"kind": "queue", "visibility_timeout": seconds(30), "retention": seconds(60), "ordered": false});
    serde_json::from_value(json!({
        "name": "shop",
        "resources": all,
        "functions": {"work": spec},
        "targets": {"azure": {"location": "westeurope", "subscription": "0a1b2c3d-0000-4000-8000-0123456789ab"}},
    }))
    .unwrap()
}

fn all(app: &App) -> Vec<Content> {
    let settings = Settings::of(app, "azure").unwrap();
    contents(app, "azure", &settings).unwrap()
}

fn content(app: &App) -> Content {
    let mut all = all(app);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn json_of(content: &Content, name: &str) -> Value {
    let text = content
        .files
        .get(name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", content.files.keys()));
    serde_json::from_str(text).unwrap()
}

fn only_trigger(content: &Content) -> (String, Value) {
    let mut folders = content
        .files
        .keys()
        .filter_map(|name| name.strip_suffix("/function.json"));
    let name = folders.next().unwrap().to_owned();
    assert_eq!(folders.next(), None);
    let function = json_of(content, &format!("{name}/function.json"));
    (name, function)
}

#[test]
fn requests_alone_are_forwarded_as_they_are_and_need_no_bundle() {
    let app = app(
        json!({"on": [{"kind": "http", "method": "GET", "path": "/a/{id}"}, {"kind": "http", "method": null, "path": "/b"}]}),
        json!({}),
    );
    let content = content(&app);
    let host = json_of(&content, "host.json");
    assert_eq!(host["customHandler"]["enableForwardingHttpRequest"], true);
    assert_eq!(host["functionTimeout"], "00:00:40");
    assert_eq!(host["extensions"], json!({"http": {"routePrefix": ""}}));
    assert_eq!(host.get("extensionBundle"), None);
    let (name, function) = only_trigger(&content);
    assert_eq!(name, "http");
    assert_eq!(
        function["bindings"][0],
        json!({"type": "httpTrigger", "authLevel": "anonymous", "route": "{*path}", "name": "event", "direction": "in"})
    );
    assert_eq!(function["bindings"][1]["type"], "http");
    let own = json_of(&content, "nephos.json");
    assert_eq!((&own["forwarding"], &own["triggers"]), (&json!(true), &json!({})));
    let wiring: Wiring = serde_json::from_value(own["wiring"].clone()).unwrap();
    assert_eq!(wiring.routes.len(), 2);
    assert!(
        !own.to_string().contains("MODE"),
        "variables are settings of the site"
    );
}

#[test]
fn requests_and_a_queue_are_two_sites_of_one_function_each_with_what_calls_it() {
    let queue = json!({"kind": "queue", "visibility_timeout": {"secs": 30, "nanos": 0}, "retention": {"secs": 60, "nanos": 0}, "ordered": false});
    let app = app(
        json!({"on": [{"kind": "http", "method": null, "path": "/"}, {"kind": "queue", "queue": "jobs", "batch": 10}], "uses": {"jobs": ["send"]}}),
        json!({"jobs": queue}),
    );
    let [requests, content] = all(&app).try_into().unwrap();
    assert_eq!(
        (requests.function.as_str(), requests.folder.as_str()),
        ("work", "work")
    );
    assert_eq!(
        (content.function.as_str(), content.folder.as_str()),
        ("work", "work-events")
    );
    assert_ne!(requests.site, content.site);
    assert_ne!(requests.container, content.container);
    assert_eq!(
        json_of(&requests, "host.json")["customHandler"]["enableForwardingHttpRequest"],
        true
    );
    assert_eq!(only_trigger(&requests).0, "http");
    let own = json_of(&requests, "nephos.json");
    assert_eq!((&own["forwarding"], &own["triggers"]), (&json!(true), &json!({})));
    assert_eq!(own["wiring"]["routes"].as_array().unwrap().len(), 1);
    let host = json_of(&content, "host.json");
    assert_eq!(host["customHandler"]["enableForwardingHttpRequest"], false);
    assert_eq!(host["extensions"].get("http"), None);
    assert_eq!(
        host["extensions"]["queues"],
        json!({
            "batchSize": 32, "newBatchThreshold": 48, "maxDequeueCount": 6, "maxPollingInterval": "00:00:02",
            "messageEncoding": "none", "visibilityTimeout": "00:00:01",
        })
    );
    assert_eq!(
        host["extensionBundle"]["id"],
        "Microsoft.Azure.Functions.ExtensionBundle"
    );
    let own = json_of(&content, "nephos.json");
    let wiring: Wiring = serde_json::from_value(own["wiring"].clone()).unwrap();
    assert!(wiring.routes.is_empty());
    let address = wiring.bindings[0].properties["physical"].as_str();
    assert!(
        address.starts_with("https://shopazure") && address.ends_with(".queue.core.windows.net/jobs"),
        "{address}"
    );
    assert_eq!(wiring.sources[address], "jobs");
    assert!(wiring.dead_letter.unwrap().ends_with("/lost"));
    let triggers: std::collections::BTreeMap<String, Trigger> =
        serde_json::from_value(own["triggers"].clone()).unwrap();
    let (name, trigger) = triggers.first_key_value().unwrap();
    assert_eq!((triggers.len(), trigger), (1, &app.functions["work"].on[1]));
    let function = json_of(&content, &format!("{name}/function.json"));
    assert_eq!(function["bindings"][0]["queueName"], "jobs");
    assert_eq!(function["bindings"][0]["dataType"], "binary");
}

#[test]
fn one_at_a_time_is_one_at_a_time() {
    let queue = json!({"kind": "queue", "visibility_timeout": {"secs": 30, "nanos": 0}, "retention": {"secs": 60, "nanos": 0}, "ordered": true});
    let app = app(
        json!({"on": [{"kind": "queue", "queue": "jobs", "batch": 1}], "concurrency": 1}),
        json!({"jobs": queue}),
    );
    let content = content(&app);
    let host = json_of(&content, "host.json");
    assert_eq!(host["extensions"]["serviceBus"]["maxConcurrentSessions"], 1);
    let (_, function) = only_trigger(&content);
    assert_eq!(function["bindings"][0]["isSessionsEnabled"], true);
    assert_eq!(function.get("retry"), None);
}

#[test]
fn what_has_no_queue_is_tried_again_by_a_policy() {
    let app = app(
        json!({"on": [{"kind": "stream", "stream": "clicks", "batch": 100}]}),
        json!({"clicks": {"kind": "stream", "retention": {"secs": 86_400, "nanos": 0}, "shards": 1}}),
    );
    let content = content(&app);
    assert_eq!(
        json_of(&content, "host.json")["extensions"]["eventHubs"]["maxEventBatchSize"],
        100
    );
    let (_, function) = only_trigger(&content);
    assert_eq!(
        function["retry"],
        json!({"strategy": "exponentialBackoff", "maxRetryCount": -1, "minimumInterval": "00:00:01", "maximumInterval": "00:01:00"})
    );
    assert_eq!(function["bindings"][0]["cardinality"], "many");
}

#[test]
fn the_same_content_gives_the_same_bytes_with_an_executable_handler() {
    let app = app(
        json!({"on": [{"kind": "http", "method": null, "path": "/"}]}),
        json!({}),
    );
    let content = content(&app);
    let handler = |binary: &[u8]| Handler::new(binary).unwrap();
    let package = pack(&content, &handler(b"\x7fELF")).unwrap();
    assert_eq!(package, pack(&content, &handler(b"\x7fELF")).unwrap());
    assert_ne!(
        package.sha256,
        pack(&content, &handler(b"\x7fELF2")).unwrap().sha256
    );
    let mut archive = zip::ZipArchive::new(Cursor::new(&package.bytes)).unwrap();
    assert_eq!(archive.len(), content.files.len() + 1);
    let mut handler = archive.by_name("handler").unwrap();
    assert_eq!(handler.unix_mode().map(|mode| mode & 0o777), Some(0o755));
    let mut bytes = Vec::new();
    handler.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"\x7fELF");
    assert!(Handler::new(b"").unwrap_err().to_string().contains("empty"));
}
