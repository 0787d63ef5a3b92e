//! Storage queues: the exact document, tries, poison messages, encodings.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::app::{App, invocations, invoked, logged, requests, triggered, unique, until};

async fn app(queue: &str) -> (App, nephos_conformance::azure_functions::storage::Account) {
    let (mut app, account) = App::with_storage().await;
    account.create_queue(queue).await.unwrap();
    app.function(
        "jobs",
        &triggered(json!({"type": "queueTrigger", "name": "msg", "queueName": queue})),
    );
    (app, account)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_posted_as_the_host_posts_it() {
    let queue = unique("exact");
    let (app, account) = app(&queue).await;
    let host = app.start().await;
    account
        .put_message(&queue, &STANDARD.encode("a \"quoted\" text"))
        .await
        .unwrap();
    invoked(&host, 1).await;
    let request = &requests(&host)[0];
    assert_eq!(
        (request["method"].as_str(), request["path"].as_str()),
        (Some("POST"), Some("/jobs"))
    );
    let headers = &request["headers"];
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(headers["transfer-encoding"], "chunked");
    assert!(
        headers["user-agent"]
            .as_str()
            .unwrap()
            .starts_with("Azure-Functions-Host/4.")
    );
    assert!(
        headers["x-azure-functions-hostversion"]
            .as_str()
            .unwrap()
            .starts_with("4.")
    );
    assert!(uuid::Uuid::parse_str(headers["x-azure-functions-invocationid"].as_str().unwrap()).is_ok());

    let mut document = invocations(&host).remove(0);
    assert_eq!(document["Data"], json!({"msg": "\"a \\\"quoted\\\" text\""}));
    let metadata = document["Metadata"].as_object_mut().unwrap();
    let system = metadata.remove("sys").unwrap();
    assert_eq!(system["MethodName"], "jobs");
    assert!(uuid::Uuid::parse_str(system["RandGuid"].as_str().unwrap()).is_ok());
    assert!(system["UtcNow"].as_str().unwrap().ends_with('Z'));
    assert_eq!(metadata.remove("DequeueCount").unwrap(), "1");
    for name in ["ExpirationTime", "InsertionTime", "NextVisibleTime"] {
        let time = metadata.remove(name).unwrap();
        let time = time.as_str().unwrap();
        assert!(time.len() == 25 && time.ends_with("+00:00"), "{name}: {time}");
    }
    for name in ["Id", "PopReceipt"] {
        let text = metadata.remove(name).unwrap();
        let text: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        assert!(!text.as_str().unwrap().is_empty(), "{name}");
    }
    assert!(metadata.is_empty(), "{metadata:?}");

    until("the deletion", &host, async || {
        account
            .peek_messages(&queue)
            .await
            .unwrap()
            .is_empty()
            .then_some(())
    })
    .await;
    assert_eq!(logged(&host, "a log line").await, "jobs: a log line");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_comes_again_until_it_is_poison() {
    let queue = unique("poison");
    let (mut app, account) = app(&queue).await;
    app.host(
        "/extensions/queues",
        json!({"maxDequeueCount": 3, "visibilityTimeout": "00:00:01"}),
    );
    let host = app.start().await;
    let text = STANDARD.encode("do-fail-always");
    account.put_message(&queue, &text).await.unwrap();
    let poison = format!("{queue}-poison");
    let moved = until("the poison message", &host, async || {
        account.peek_messages(&poison).await.ok()?.into_iter().next()
    })
    .await;
    assert_eq!(moved.message_text, text);
    let counts: Vec<_> = invocations(&host)
        .iter()
        .map(|one| one["Metadata"]["DequeueCount"].clone())
        .collect();
    assert_eq!(counts, ["1", "2", "3"]);
    let times: Vec<String> = host
        .log()
        .iter()
        .filter(|line| line.contains("does not indicate success: 500"))
        .cloned()
        .collect();
    assert_eq!(times.len(), 3, "{times:?}");
    until("the end of the message", &host, async || {
        account
            .get_messages(&queue, 1, Duration::from_secs(1))
            .await
            .unwrap()
            .is_empty()
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_exits_is_restarted_and_gets_the_message_again() {
    let queue = unique("exit");
    let (app, account) = app(&queue).await;
    let host = app.start().await;
    let first = host.process().unwrap();
    account
        .put_message(&queue, &STANDARD.encode("do-exit-once"))
        .await
        .unwrap();
    let all = invoked(&host, 2).await;
    assert_eq!(all[1]["Metadata"]["DequeueCount"], "2");
    assert_ne!(host.process().unwrap(), first);
    assert!(logged(&host, "the process exited").await.contains('3'));
    assert!(
        logged(&host, "cannot be reached")
            .await
            .contains("function `jobs`")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_json_can_say_how_often_it_came_unless_it_is_taken_as_bytes() {
    let (forged, bytes) = (unique("forged"), unique("bytes"));
    let (mut app, account) = app(&forged).await;
    account.create_queue(&bytes).await.unwrap();
    let trigger = json!({"type": "queueTrigger", "name": "msg", "queueName": bytes, "dataType": "binary"});
    app.function("bytes", &triggered(trigger));
    let host = app.start().await;
    let text = r#"{"dequeueCount": 99, "id": "forged"}"#;
    account
        .put_message(&forged, &STANDARD.encode(text))
        .await
        .unwrap();
    let first = invoked(&host, 1).await.remove(0);
    assert_eq!(first["Metadata"]["DequeueCount"], "\"99\"");
    assert_eq!(first["Metadata"]["Id"], "\"forged\"");
    account.put_message(&bytes, &STANDARD.encode(text)).await.unwrap();
    let second = invoked(&host, 2).await.remove(1);
    assert_eq!(second["Metadata"]["DequeueCount"], "1");
    assert_eq!(second["Data"]["msg"], STANDARD.encode(text));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_taken_as_it_is_where_host_json_says_so_and_broken_base64_is_poison() {
    let plain = unique("plain");
    let (mut app, account) = app(&plain).await;
    app.host("/extensions/queues/messageEncoding", json!("none"));
    let host = app.start().await;
    account.put_message(&plain, "just <text> & more").await.unwrap();
    assert_eq!(
        invoked(&host, 1).await[0]["Data"]["msg"],
        "\"just <text> & more\""
    );
    drop(host);

    app.host("/extensions/queues/messageEncoding", json!("base64"));
    let host = app.start().await;
    account.put_message(&plain, "just text!").await.unwrap();
    let poison = format!("{plain}-poison");
    let moved = until("the poison message", &host, async || {
        account.peek_messages(&poison).await.ok()?.into_iter().next()
    })
    .await;
    assert_eq!(moved.message_text, "just text!");
    assert!(invocations(&host).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_messages_are_under_way_as_host_json_allows() {
    let queue = unique("many");
    let (mut app, account) = app(&queue).await;
    app.host(
        "/extensions/queues",
        json!({"batchSize": 2, "newBatchThreshold": 0}),
    );
    for _ in 0..5 {
        account
            .put_message(&queue, &STANDARD.encode("do-sleep"))
            .await
            .unwrap();
    }
    let host = app.start().await;
    invoked(&host, 2).await;
    let visible = account.peek_messages(&queue).await.unwrap().len();
    assert_eq!((invocations(&host).len(), visible), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_by_identity_reaches_the_account_that_it_names() {
    let queue = unique("identity");
    let (mut app, account) = app(&queue).await;
    app.function(
        "jobs",
        &triggered(
            json!({"type": "queueTrigger", "name": "msg", "queueName": "%QUEUE%", "connection": "MAIN"}),
        ),
    );
    app.setting("QUEUE", &queue)
        .setting("MAIN__queueServiceUri", &account.queues)
        .setting("MAIN__credential", "managedidentity")
        .setting("MAIN__clientId", "00000000-0000-0000-0000-000000000001");
    app.services.storage = Some(account.clone());
    let host = app.start().await;
    account.put_message(&queue, &STANDARD.encode("x")).await.unwrap();
    assert_eq!(invoked(&host, 1).await[0]["Data"]["msg"], "\"x\"");
    drop(host);

    app.setting("MAIN__queueServiceUri", "http://127.0.0.1:1/other");
    app.settings.retain(|(_, value)| *value != account.queues);
    app.write();
    let error = nephos_conformance::azure_functions::Host::start(app.path(), app.options())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("no storage account is known"),
        "{error}"
    );
}
