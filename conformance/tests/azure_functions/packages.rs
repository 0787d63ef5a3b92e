//! What the host refuses to start with: each case is a good package with one mistake.

use std::os::unix::fs::PermissionsExt as _;

use nephos_conformance::azure_functions::{Package, Settings};
use serde_json::{Value, json};

use crate::app::{App, triggered};

fn good() -> App {
    let mut app = App::new();
    app.function(
        "jobs",
        &triggered(json!({"type": "queueTrigger", "name": "msg", "queueName": "jobs", "connection": "MAIN"})),
    );
    app.setting("MAIN", "AccountName=a");
    app
}

fn read(app: &App) -> Result<Package, String> {
    app.write();
    Package::read(app.path(), &Settings::new(app.settings.clone()))
        .map_err(|error| error.message().to_owned())
}

/// The refusal of a good package after one change.
fn refusal(change: impl FnOnce(&mut App)) -> String {
    let mut app = good();
    read(&app).unwrap();
    change(&mut app);
    read(&app).unwrap_err()
}

#[test]
fn a_good_package_is_read_with_the_defaults_of_the_host() {
    let package = read(&good()).unwrap();
    let host = &package.host;
    assert_eq!(host.route_prefix, "api");
    assert_eq!(
        (
            host.queues.batch_size,
            host.queues.new_batch_threshold,
            host.queues.max_dequeue_count
        ),
        (16, 8, 5)
    );
    assert_eq!(host.function_timeout.map(|limit| limit.as_secs()), Some(1800));
    assert!(!package.is_forwarding());
    assert_eq!(package.functions[0].name, "jobs");
}

#[test]
fn mistakes_in_host_json_are_refused() {
    let cases: [(&str, Value, &str); 17] = [
        ("/version", json!(null), "missing the required property `version`"),
        (
            "/extensionBundle",
            json!(null),
            "function `jobs`: its trigger is not registered: it is one of the extension bundle",
        ),
        (
            "/extensionBundle/id",
            json!("Mine"),
            "extensionBundle.id is `Mine`",
        ),
        (
            "/extensionBundle/version",
            json!("latest"),
            "extensionBundle.version is `latest`, which is no range",
        ),
        ("/version", json!("3.0"), "`3.0` is an invalid value"),
        (
            "/customHandler",
            json!(null),
            "`customHandler` has no `description`",
        ),
        (
            "/customHandler/description",
            json!({}),
            "`customHandler.description.defaultExecutablePath` cannot be empty",
        ),
        (
            "/customHandler/description/defaultExecutablePath",
            json!("missing"),
            "there is no such file in the package",
        ),
        (
            "/extensions/queues/batchSize",
            json!(33),
            "`batchSize` is 33; it must be from 1 to 32",
        ),
        ("/extensions/queues/batchSize", json!(0), "`batchSize` is 0"),
        (
            "/extensions/queues/maxDequeueCount",
            json!(0),
            "`maxDequeueCount` is 0",
        ),
        (
            "/extensions/queues/messageEncoding",
            json!("utf8"),
            "messageEncoding is `utf8`",
        ),
        (
            "/extensions/queues/visibilityTimeout",
            json!("soon"),
            "visibilityTimeout is \"soon\", which is no time span",
        ),
        (
            "/extensions/queues/maxPollingInterval",
            json!("00:00:00.01"),
            "maxPollingInterval must not be less than",
        ),
        (
            "/functionTimeout",
            json!("00:00:00.5"),
            "functionTimeout must be greater than or equal to 00:00:01",
        ),
        ("/functionTimeout", json!("long"), "functionTimeout is `long`"),
        (
            "/retry",
            json!({"strategy": "fixedDelay", "maxRetryCount": 1}),
            "`retry` needs `delayInterval`",
        ),
    ];
    for (pointer, value, expected) in cases {
        let error = refusal(|app| {
            app.host(pointer, value.clone());
        });
        assert!(error.contains(expected), "{pointer} = {value}: {error}");
    }
    let error = refusal(|app| app.host = json!({"version": "2.0"}));
    assert!(error.contains("host.json has no `customHandler`"), "{error}");
    let error = refusal(|app| app.host = json!([]));
    assert!(error.contains("host.json is no JSON object"), "{error}");
}

#[test]
fn mistakes_in_function_json_are_refused() {
    let queue = json!({"type": "queueTrigger", "direction": "in", "name": "msg", "queueName": "jobs", "connection": "MAIN"});
    let with = |name: &str, value: Value| {
        let mut changed = queue.clone();
        changed[name] = value;
        json!({"bindings": [changed]})
    };
    let http = |name: &str| json!({"type": "http", "direction": "out", "name": name});
    let cases = [
        (json!({}), "at least one binding must be declared"),
        (json!({"bindings": []}), "at least one binding must be declared"),
        (json!({"bindings": [http("res")]}), "no trigger binding"),
        (
            json!({"bindings": [queue, {"type": "timerTrigger", "direction": "in", "name": "t", "schedule": "0 * * * * *"}]}),
            "multiple trigger bindings",
        ),
        (
            json!({"bindings": [queue, http("MSG")]}),
            "multiple bindings with name `MSG`",
        ),
        (
            json!({"bindings": [queue, {"type": "queue", "direction": "out", "name": "more"}]}),
            "the binding type `queue` with direction `out` is not registered",
        ),
        (
            with("type", json!("kafkaTrigger")),
            "the binding type `kafkaTrigger` is not registered",
        ),
        (with("type", json!(null)), "must specify a type"),
        (
            with("name", json!("my-msg")),
            "the binding name `my-msg` is invalid",
        ),
        (
            with("name", json!("$return")),
            "`$return` must have the direction `out`",
        ),
        (
            with("queueName", json!("Jobs_1")),
            "`Jobs_1` is not a valid queue name",
        ),
        (with("queueName", json!("%NONE%")), "`%NONE%` does not resolve"),
        (
            with("queueName", json!(null)),
            "`queueName` of the trigger is missing",
        ),
        (with("connection", json!("OTHER")), "no app setting `OTHER`"),
        (with("connection", json!(null)), "no app setting `Storage`"),
        (with("dataType", json!("text")), "dataType is `text`"),
        (
            with("type", json!("cosmosDBTrigger")),
            "`databaseName` of the trigger is missing",
        ),
        (
            json!({"bindings": [{"type": "timerTrigger", "direction": "in", "name": "t", "schedule": "rate(1 minute)"}]}),
            "was not recognized as a valid cron expression",
        ),
        (
            json!({"bindings": [{"type": "httpTrigger", "direction": "in", "name": "r", "authLevel": "user"}]}),
            "authLevel is `user`",
        ),
        (
            json!({"bindings": [queue], "retry": {"strategy": "exponentialBackoff", "maxRetryCount": 1, "minimumInterval": "00:00:01"}}),
            "`retry` needs `maximumInterval`",
        ),
        (
            json!({"bindings": [queue], "retry": {"strategy": "sometimes", "maxRetryCount": 1}}),
            "`retry.strategy` is",
        ),
        (
            json!({"bindings": [queue], "retry": {"strategy": "fixedDelay"}}),
            "`retry` needs `maxRetryCount`",
        ),
    ];
    for (document, expected) in cases {
        let error = refusal(|app| {
            app.function("jobs", &document);
        });
        assert!(
            error.starts_with("function `jobs`") || error.contains("does not resolve"),
            "{error}"
        );
        assert!(error.contains(expected), "{document}: {error}");
    }
}

#[test]
fn mistakes_around_the_functions_are_refused() {
    let error = refusal(|app| {
        app.function(
            "1st",
            &triggered(json!({"type": "eventGridTrigger", "name": "e"})),
        );
    });
    assert!(error.contains("`1st` is not a valid function name"), "{error}");
    let error = refusal(|app| std::fs::remove_dir_all(app.path().join("jobs")).unwrap());
    assert!(error.contains("no function was found"), "{error}");
    let error = refusal(|app| std::fs::write(app.path().join("jobs/function.json"), "{").unwrap());
    assert!(error.contains("jobs/function.json is no JSON"), "{error}");
    let error = refusal(|app| {
        std::fs::set_permissions(app.path().join("handler"), std::fs::Permissions::from_mode(0o644)).unwrap();
    });
    assert!(
        error.contains("`handler` of the package is not executable"),
        "{error}"
    );
    let error = refusal(|app| {
        app.setting("FUNCTIONS_WORKER_RUNTIME", "node");
    });
    assert!(error.contains("a custom handler needs `custom`"), "{error}");
    let error = refusal(|app| {
        app.settings.retain(|(name, _)| name != "MAIN");
        app.setting("MAIN__queueServiceUri", "http://h/a")
            .setting("MAIN__credential", "managedidentity");
    });
    assert!(error.contains("needs `MAIN__clientId`"), "{error}");
}

#[test]
fn routes_that_conflict_are_refused_and_those_of_other_methods_are_not() {
    let http = |route: &str, methods: Value| {
        triggered(json!({"type": "httpTrigger", "name": "req", "route": route, "methods": methods}))
    };
    let error = refusal(|app| {
        app.function("a", &http("orders/{id}", json!(["get"])))
            .function("b", &http("/Orders/{id}", json!(["GET", "put"])));
    });
    assert!(
        error.contains("function `b`") && error.contains("conflicts with that of function `a`"),
        "{error}"
    );
    let error = refusal(|app| {
        app.function("a", &http("orders", json!(["get"])))
            .function("b", &http("orders", json!([])));
    });
    assert!(error.contains("conflicts"), "{error}");
    let error = refusal(|app| {
        app.function("a", &http("admin/orders", json!(null)));
    });
    assert!(error.contains("conflicts with the host's own routes"), "{error}");
    let mut app = good();
    app.function("a", &http("orders", json!(["get"])))
        .function("b", &http("orders", json!(["put"])));
    assert_eq!(read(&app).unwrap().functions.len(), 3);
}
