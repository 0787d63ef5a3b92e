//! The process: its environment, its ends, time-outs, and packages that are zips.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_conformance::azure_functions::Host;
use serde_json::{Value, json};

use crate::app::{App, invoked, logged, triggered, unique};

#[tokio::test(flavor = "multi_thread")]
async fn the_process_gets_the_app_settings_and_what_the_host_sets_and_no_more() {
    let (mut app, _) = App::with_storage().await;
    std::fs::create_dir(app.path().join("work")).unwrap();
    app.host("/customHandler/description/workingDirectory", json!("work"))
        .host(
            "/customHandler/description/arguments",
            json!(["--stage", "%APP_STAGE%"]),
        )
        .setting("APP_STAGE", "test")
        .function(
            "tick",
            &triggered(json!({"type": "timerTrigger", "name": "t", "schedule": "0 0 3 1 1 *"})),
        );
    let host = app.start().await;
    let line = logged(&host, "STARTED").await;
    let told: Value = serde_json::from_str(line.split_once("STARTED ").unwrap().1).unwrap();
    let environment = &told["environment"];
    let root = app.path().display().to_string();
    assert_eq!(environment["APP_STAGE"], "test");
    assert_eq!(environment["FUNCTIONS_WORKER_RUNTIME"], "custom");
    assert_eq!(environment["FUNCTIONS_APP_ROOT_PATH"], root);
    assert_eq!(
        environment["FUNCTIONS_HTTPWORKER_PORT"],
        environment["FUNCTIONS_CUSTOMHANDLER_PORT"]
    );
    assert_eq!(environment["WEBSITE_SITE_NAME"], "site");
    assert_eq!(told["arguments"], json!(["--stage", "test"]));
    assert!(told["folder"].as_str().unwrap().ends_with("/work"), "{told}");
    let pid = host.process().unwrap();
    let own = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    assert!(
        !String::from_utf8_lossy(&own).contains("CARGO_MANIFEST_DIR"),
        "the test's own environment came along"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_takes_too_long_costs_the_process() {
    let (mut app, account) = App::with_storage().await;
    let queue = unique("slow");
    account.create_queue(&queue).await.unwrap();
    app.host("/functionTimeout", json!("00:00:05")).function(
        "slow",
        &triggered(json!({"type": "queueTrigger", "name": "msg", "queueName": queue})),
    );
    let host = app.start().await;
    let first = host.process().unwrap();
    account
        .put_message(&queue, &STANDARD.encode("do-sleep"))
        .await
        .unwrap();
    logged(&host, "timeout value of 5 s was exceeded by function `slow`").await;
    let all = invoked(&host, 2).await;
    assert_eq!(all[1]["Metadata"]["DequeueCount"], "2");
    assert_ne!(host.process(), Some(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_leaves_with_zero_is_not_started_again() {
    let (mut app, account) = App::with_storage().await;
    let queue = unique("leave");
    account.create_queue(&queue).await.unwrap();
    app.host("/extensions/queues/maxDequeueCount", json!(2)).function(
        "leaves",
        &triggered(json!({"type": "queueTrigger", "name": "msg", "queueName": queue})),
    );
    let host = app.start().await;
    account
        .put_message(&queue, &STANDARD.encode("do-leave"))
        .await
        .unwrap();
    logged(&host, "the host does not start it again").await;
    logged(&host, &format!("moving message to queue `{queue}-poison`")).await;
    assert_eq!(host.process(), None);
    assert_eq!(
        host.log().iter().filter(|line| line.contains("STARTED")).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_kills_the_process_unless_it_is_given_time() {
    let mut app = App::new();
    app.function(
        "any",
        &triggered(json!({"type": "eventGridTrigger", "name": "event"})),
    );
    let host = app.start().await;
    let pid = host.process().unwrap();
    host.stop(Duration::from_secs(5)).await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(!host.log().iter().any(|line| line.contains("TERMINATED")));

    let mut options = app.options();
    options.grace = Some(Duration::from_secs(30));
    let host = app.start_with(options).await;
    host.stop(Duration::from_secs(5)).await;
    logged(&host, "TERMINATED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_is_started_with_the_modes_that_it_has() {
    let mut app = App::new();
    let document = triggered(json!({"type": "eventGridTrigger", "name": "event"}));
    app.function("any", &document);
    app.write();
    let zip = app.path().join("package.zip");
    let pack = |mode: u32| {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
        let plain = zip::write::SimpleFileOptions::default();
        let mut add = |name: &str, options, bytes: &[u8]| {
            writer.start_file(name, options).unwrap();
            writer.write_all(bytes).unwrap();
        };
        add("host.json", plain, app.host.to_string().as_bytes());
        add("any/function.json", plain, document.to_string().as_bytes());
        add(
            "handler",
            plain.unix_permissions(mode),
            include_bytes!("handler.py"),
        );
        writer.finish().unwrap();
    };
    pack(0o755);
    let host = Host::start(&zip, app.options()).await.unwrap();
    assert!(host.process().is_some());
    pack(0o644);
    let error = Host::start(&zip, app.options()).await.unwrap_err();
    assert!(error.to_string().contains("is not executable"), "{error}");
}
