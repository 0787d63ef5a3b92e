//! Limits of functions and resources: what is refused, what is raised and told.

use serde_json::{Value, json};

use crate::apps::{app, properties, refused, rendered};

fn seconds(secs: u64) -> Value {
    json!({"secs": secs, "nanos": 0})
}

#[test]
fn what_a_resource_cannot_keep_or_hide_so_long_is_refused() {
    for (resource, parts) in [
        (
            json!({"kind": "queue", "visibility_timeout": seconds(7 * 86_400 + 1)}),
            ["queue=thing", "max_visibility_timeout_s=604800"],
        ),
        (
            json!({"kind": "stream", "retention": seconds(8 * 86_400)}),
            ["stream=thing", "max_retention_h=168"],
        ),
        (
            json!({"kind": "stream", "shards": 33}),
            ["stream=thing", "max_shards=32"],
        ),
    ] {
        let error = refused(json!({"resources": {"thing": resource}}));
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{parts:?}: {error}"
        );
    }
}

#[test]
fn a_function_gets_the_smallest_instance_that_holds_it() {
    for (mib, given) in [
        (1_u64, 512_u64),
        (512, 512),
        (513, 2048),
        (2048, 2048),
        (4096, 4096),
    ] {
        let template = rendered(&app(json!({"functions": {"work": {"memory": mib << 20}}})));
        let site = properties(&template, "FunctionWork");
        assert_eq!(
            site["functionAppConfig"]["scaleAndConcurrency"]["instanceMemoryMB"],
            given
        );
        let told = |text: &str| template.notes.iter().any(|note| note.contains(text));
        assert_eq!(
            told(&format!("`work` gets instances of {given} MiB, not {mib}")),
            mib == 513
        );
        assert_eq!(told("which ask for less: `work`"), mib == 1, "{mib}");
    }
    let error = refused(json!({"functions": {"work": {"memory": 4097_u64 << 20}}}));
    assert!(error.contains("max_memory_mib=4096"), "{error}");
    let error = refused(json!({"functions": {"work": {"ephemeral_storage": 801_u64 << 20}}}));
    assert!(error.contains("max_ephemeral_storage_mib=800"), "{error}");
}

#[test]
fn numbers_of_instances_and_requests_are_the_functions_or_the_settings() {
    let on = json!([{"kind": "http", "method": null, "path": "/"}]);
    let functions = json!({"work": {"on": on, "concurrency": 7, "max_instances": 3}});
    let scale = |settings: Value| {
        let template = rendered(&app(
            json!({"functions": functions, "targets": {"azure": settings}}),
        ));
        properties(&template, "FunctionWork")["functionAppConfig"]["scaleAndConcurrency"].clone()
    };
    let own = scale(json!({"location": "westeurope"}));
    assert_eq!(own["maximumInstanceCount"], 3);
    assert_eq!(own["triggers"]["http"]["perInstanceConcurrency"], 7);
    assert_eq!(own.get("alwaysReady"), None);
    let set = scale(
        json!({"location": "westeurope", "max_instances": 40, "http_concurrency": 2, "always_ready": {"work": 1}}),
    );
    assert_eq!(set["maximumInstanceCount"], 40);
    assert_eq!(set["triggers"]["http"]["perInstanceConcurrency"], 2);
    assert_eq!(set["alwaysReady"], json!([{"name": "http", "instanceCount": 1}]));
}

#[test]
fn messages_last_as_long_as_they_do_on_azure_and_what_differs_is_told() {
    let template = rendered(&app(json!({"resources": {
        "long": {"kind": "queue", "retention": seconds(10 * 86_400)},
        "short": {"kind": "queue", "retention": seconds(86_400)},
        "ordered": {"kind": "queue", "ordered": true, "retention": seconds(10 * 86_400), "visibility_timeout": seconds(600)},
    }})));
    let about = |queue: &str| {
        template
            .notes
            .iter()
            .filter(|note| note.contains(&format!("queue `{queue}`")))
            .count()
    };
    assert_eq!((about("long"), about("short"), about("ordered")), (1, 0, 1));
    let ordered = properties(&template, "QueueOrdered");
    assert_eq!(ordered["defaultMessageTimeToLive"], "PT864000S");
    assert_eq!(ordered["lockDuration"], "PT300S");
}
