//! What is refused before Azure does, and what is told.

use nephos_core::ErrorKind;
use serde_json::{Value, json};

use crate::apps::{app, case, of_type, refused, rendered, resource, try_render};

fn function(function: Value) -> Value {
    json!({
        "resources": {"q": {"kind": "queue"}, "f": {"kind": "queue", "ordered": true}, "t": {"kind": "table", "key": "id"}},
        "functions": {"work": function},
    })
}

fn on(trigger: Value) -> Value {
    function(json!({"on": [trigger]}))
}

#[test]
fn what_azure_cannot_do_is_refused_with_what_to_do() {
    let schedule =
        |text: &str, zone: &str| on(json!({"kind": "schedule", "schedule": text, "timezone": zone}));
    let every = |secs: u64| {
        on(
            json!({"kind": "schedule", "schedule": "every", "every": {"secs": secs, "nanos": 0}, "timezone": "UTC"}),
        )
    };
    for (app, parts) in [
        (
            function(json!({"isolation": "invocation"})),
            ["leave out isolation", "function=work"],
        ),
        (
            on(json!({"kind": "table", "table": "t", "events": ["removed"], "batch": 1})),
            ["does not tell of removed", "table=t"],
        ),
        (
            on(json!({"kind": "auth", "stage": "after_sign_up"})),
            ["Entra asks no extension", "stage=after_sign_up"],
        ),
        (
            schedule("0 6 * * *", "Europe/London"),
            ["write its hours in UTC", "function=work"],
        ),
        (schedule("0 0 1 * 1", "UTC"), ["two schedules", "0 0 1 * 1"]),
        (every(420), ["follows the clock", "schedule=every"]),
        (
            on(json!({"kind": "http", "method": null, "path": "/admin/users"})),
            ["choose another path", "path=/admin/users"],
        ),
        (
            function(json!({"env": {"WEBSITE_TIME_ZONE": "GMT"}})),
            ["choose another name", "variable=WEBSITE_TIME_ZONE"],
        ),
        (
            function(json!({"env": {"AzureWebJobsStorage": "x"}})),
            ["choose another name", "AzureWebJobsStorage"],
        ),
        (
            function(json!({"env": {"nephos_app": "x"}})),
            ["choose another name", "nephos_app"],
        ),
        (
            function(json!({"env": {"a.b": "x"}})),
            ["letters, digits and underscores", "variable=a.b"],
        ),
        (
            function(
                json!({"on": [{"kind": "queue", "queue": "q", "batch": 1}, {"kind": "queue", "queue": "q", "batch": 2}]}),
            ),
            ["two triggers on the same source", "function=work"],
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
        (
            json!({"kind": "email", "address": "*"}),
            "target.azure.mail_secret",
        ),
        (
            json!({"kind": "auth", "stage": "before_token"}),
            "target.azure.auth_tenant",
        ),
        (
            json!({"kind": "voice", "skill": "kitchen"}),
            "target.azure.skills",
        ),
    ] {
        let error = refused(on(trigger));
        assert!(error.contains(&format!("key={key}")), "{error}");
    }
}

#[test]
fn paths_that_only_begin_like_the_hosts_are_the_functions() {
    let template = rendered(&app(on(
        json!({"kind": "http", "method": null, "path": "/administration"}),
    )));
    assert_eq!(of_type(&template, "Microsoft.Web/sites").len(), 1);
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
    let template = rendered(&app(bucket("https://storage.example.net")));
    assert!(
        template
            .notes
            .iter()
            .any(|note| note.contains("not called for objects of bucket `b`")),
        "{:?}",
        template.notes
    );
    assert!(of_type(&template, "Microsoft.EventGrid/systemTopics").is_empty());
}

#[test]
fn names_that_storage_would_refuse_are_changed_and_stay_apart() {
    let template = rendered(&app(json!({
        "name": "a".repeat(63),
        "resources": {"b": {"kind": "bucket"}, "b--c": {"kind": "bucket"}, "q": {"kind": "queue"}, "nephos-undelivered": {"kind": "bucket"}},
        "functions": {"f".repeat(63): {"on": [{"kind": "queue", "queue": "q", "batch": 1}]}},
    })));
    let mut containers = Vec::new();
    for ty in ["blobServices/containers", "queueServices/queues"] {
        for (_, resource) in of_type(&template, &format!("Microsoft.Storage/storageAccounts/{ty}")) {
            let full = resource["name"].as_str().unwrap();
            let name = full.rsplit('/').next().unwrap();
            assert!(
                (3..=63).contains(&name.len()) && !name.contains("--") && !name.ends_with('-'),
                "{name}"
            );
            containers.push(full.to_owned());
        }
    }
    let count = containers.len();
    containers.sort_unstable();
    containers.dedup();
    assert_eq!(containers.len(), count);
    for (ty, most) in [
        ("Microsoft.Storage/storageAccounts", 24 - 8),
        ("Microsoft.Web/sites", 60 - 8),
        ("Microsoft.Web/serverfarms", 60),
    ] {
        for (_, resource) in of_type(&template, ty) {
            let name = resource["name"].as_str().unwrap();
            let own = name.strip_suffix("{subscription}").unwrap_or(name);
            assert!(own.len() <= most, "{ty}: {name}");
        }
    }
}

#[test]
fn a_long_name_with_its_end_is_as_long_as_azure_takes() {
    let id = "0a1b2c3d-0000-4000-8000-0123456789ab";
    let template = rendered(&app(json!({
        "name": "a".repeat(63),
        "resources": {"s": {"kind": "secret"}, "t": {"kind": "table", "key": "id"}, "n".repeat(60): {"kind": "topic"}, "c": {"kind": "stream"}},
        "functions": {"f".repeat(63): {}},
        "targets": {"azure": {"location": "westeurope", "subscription": id}},
    })));
    for (ty, most) in [
        ("Microsoft.Storage/storageAccounts", 24),
        ("Microsoft.KeyVault/vaults", 24),
        ("Microsoft.DocumentDB/databaseAccounts", 44),
        ("Microsoft.EventHub/namespaces", 50),
        ("Microsoft.EventGrid/topics", 50),
        ("Microsoft.Web/sites", 60),
    ] {
        let found = of_type(&template, ty);
        assert_eq!(found.len(), 1, "{ty}");
        let name = found[0].1["name"].as_str().unwrap();
        assert_eq!(name.len(), most, "{ty}: {name}");
    }
    let other = rendered(&app(json!({
        "name": "a".repeat(63),
        "targets": {"azure": {"location": "westeurope", "subscription": id, "resource_group": "other"}},
    })));
    assert_ne!(
        resource(&template, "Storage")["name"],
        resource(&other, "Storage")["name"]
    );
}

#[test]
fn differences_are_told() {
    let template = rendered(&case("every-trigger"));
    for part in [
        "which ask for less: `schedule`",
        "`queue` is called by requests and by something else",
        "with one message of queue `jobs` at a time, not 500",
        "answered with an error after 230 s, though the function may take 300 s",
        "secret `api-key` has no value until you set one",
        "secret `password` is kept elsewhere",
        "OnTokenIssuanceStart names https://every-auth-",
        "skill `kitchen`",
        "streams are in Event Hubs",
        "ordered queues are in Service Bus",
        "not what it was",
        "shared_key",
    ] {
        assert!(
            template.notes.iter().any(|note| note.contains(part)),
            "{part}: {:#?}",
            template.notes
        );
    }
}

#[test]
fn without_a_subscription_the_text_says_so() {
    let template = rendered(&app(on(json!({"kind": "http", "method": null, "path": "/"}))));
    assert_eq!(
        resource(&template, "FunctionWork")["name"],
        "shop-azure-work-{subscription}"
    );
    assert!(
        template.notes[0].contains("target.azure.subscription"),
        "{:?}",
        template.notes
    );
}

#[test]
fn names_that_differ_in_a_hyphen_only_are_refused() {
    let error = refused(json!({"resources": {"ab": {"kind": "topic"}, "a-b": {"kind": "topic"}}}));
    assert!(
        error.contains("one name on Azure") && error.contains("id=TopicAb"),
        "{error}"
    );
}

#[test]
fn overrides_reach_all_and_too_many_instances_are_refused() {
    let patched = rendered(&app(json!({
        "targets": {"azure": {"location": "westeurope", "overrides": {"resources": null}}},
    })));
    assert_eq!(patched.resource_count(), 0, "overrides have the last word");
    let error = try_render(&app(json!({"functions": {"work": {"max_instances": 1001}}}))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("most=1000"), "{error}");
}
