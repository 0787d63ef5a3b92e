//! Event Grid: what happens to blobs, custom topics, filters, and deliveries to queues and functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::azure_functions::azurite::Watched;
use nephos_conformance::azure_functions::event_grid::{Destination, EventGrid, Schema, Subscription};
use nephos_conformance::azure_functions::storage::Account;
use serde_json::{Value, json};

use crate::app::{App, LIMIT, account, invoked, requests, triggered, unique};

async fn post(url: &str, headers: &[(&str, &str)], body: &Value) -> u16 {
    let mut request = http::Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request).await.unwrap().status().as_u16()
}

/// Waits for so many messages of a queue, and gives the events in them.
async fn delivered(account: &Account, queue: &str, count: usize) -> Vec<Value> {
    let waited = async {
        loop {
            let messages = account.peek_messages(queue).await.unwrap_or_default();
            if messages.len() >= count {
                return messages;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let messages = tokio::time::timeout(LIMIT, waited).await.unwrap();
    messages
        .iter()
        .map(|message| serde_json::from_slice(&STANDARD.decode(&message.message_text).unwrap()).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_written_comes_through_the_inbox_to_the_function() {
    let storage = Watched::start(1).await.unwrap();
    let account = storage.account().clone();
    let mut app = App::with_account(&account);
    let (container, inbox) = (unique("in"), unique("inbox"));
    account.create_container(&container).await.unwrap();
    account.create_queue(&inbox).await.unwrap();
    account
        .put_blob(&container, "old.txt", "text/plain", b"was there")
        .await
        .unwrap();
    let grid = EventGrid::start(account.clone()).await.unwrap();
    grid.create_storage_topic("storage", &[&container], &storage)
        .await
        .unwrap();
    let properties = json!({
        "destination": {"endpointType": "StorageQueue", "properties": {"resourceId": "/…", "queueName": inbox}},
        "eventDeliverySchema": "CloudEventSchemaV1_0",
        "filter": {
            "includedEventTypes": ["Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"],
            "subjectBeginsWith": format!("/blobServices/default/containers/{container}/blobs/pictures/"),
            "subjectEndsWith": ".jpg",
        },
    });
    let subscription = Subscription::from_properties(&properties, &|_| None).unwrap();
    grid.subscribe("storage", "inbox", subscription).unwrap();
    app.function(
        "bucket",
        &triggered(json!({"type": "queueTrigger", "name": "event", "queueName": inbox})),
    );
    let host = app.start().await;

    account
        .put_blob(&container, "pictures/other.txt", "text/plain", b"no picture")
        .await
        .unwrap();
    account
        .put_blob(&container, "pictures/a b.jpg", "image/jpeg", b"1234")
        .await
        .unwrap();
    let event = |document: &Value| -> Value {
        let text: Value = serde_json::from_str(document["Data"]["event"].as_str().unwrap()).unwrap();
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    };
    let created = event(&invoked(&host, 1).await[0]);
    assert_eq!(created["specversion"], "1.0");
    assert_eq!(created["type"], "Microsoft.Storage.BlobCreated");
    assert_eq!(
        created["subject"],
        format!("/blobServices/default/containers/{container}/blobs/pictures/a b.jpg")
    );
    let data = &created["data"];
    assert_eq!(
        (&data["contentLength"], &data["contentType"], &data["api"]),
        (&json!(4), &json!("image/jpeg"), &json!("PutBlob"))
    );
    assert!(
        data["url"].as_str().unwrap().ends_with("/pictures/a%20b.jpg"),
        "{data}"
    );

    account
        .put_blob(&container, "pictures/a b.jpg", "image/jpeg", b"56")
        .await
        .unwrap();
    let overwritten = event(&invoked(&host, 2).await[1]);
    assert_eq!(overwritten["data"]["contentLength"], 2);
    assert_ne!(overwritten["data"]["eTag"], data["eTag"]);
    account.delete_blob(&container, "pictures/a b.jpg").await.unwrap();
    let deleted = event(&invoked(&host, 3).await[2]);
    assert_eq!(deleted["type"], "Microsoft.Storage.BlobDeleted");
    assert_eq!(deleted["data"]["contentLength"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_topic_takes_cloud_events_and_delivers_them_to_who_wants_them() {
    let account = account().await;
    let (all, some) = (unique("all"), unique("some"));
    account.create_queue(&all).await.unwrap();
    account.create_queue(&some).await.unwrap();
    let grid = EventGrid::start(account.clone()).await.unwrap();
    let endpoint = grid.create_topic("news", Schema::CloudEvents);
    let to =
        |queue: &str| Subscription::new(Destination::StorageQueue(queue.to_owned()), Schema::CloudEvents);
    grid.subscribe("news", "all", to(&all)).unwrap();
    let filtered = json!({
        "destination": {"endpointType": "StorageQueue", "properties": {"queueName": some}},
        "eventDeliverySchema": "CloudEventSchemaV1_0",
        "filter": {"advancedFilters": [{"operatorType": "StringIn", "key": "kind", "values": ["b"]}]},
    });
    grid.subscribe(
        "news",
        "some",
        Subscription::from_properties(&filtered, &|_| None).unwrap(),
    )
    .unwrap();
    let own = Subscription::new(Destination::StorageQueue(all.clone()), Schema::EventGrid);
    assert!(grid.subscribe("news", "own", own).is_err());

    let event = |id: &str, kind: &str| json!({"specversion": "1.0", "id": id, "source": "/test", "type": "t", "kind": kind, "data": {"n": 1}});
    let batch = ("content-type", "application/cloudevents-batch+json");
    let one = ("content-type", "application/cloudevents+json");
    let key = ("aeg-sas-key", "k");
    assert_eq!(post(&endpoint, &[batch], &json!([event("1", "a")])).await, 401);
    assert_eq!(
        post(
            &endpoint,
            &[key, ("content-type", "application/json")],
            &event("1", "a")
        )
        .await,
        400
    );
    assert_eq!(post(&endpoint, &[key, one], &json!({"id": "1"})).await, 400);
    assert_eq!(
        post(&endpoint.replace("news", "none"), &[key, one], &event("1", "a")).await,
        404
    );
    let large =
        json!({"specversion": "1.0", "id": "1", "source": "/", "type": "t", "data": "x".repeat(1 << 20)});
    assert_eq!(post(&endpoint, &[key, one], &large).await, 413);
    assert_eq!(
        post(
            &endpoint,
            &[("authorization", "Bearer t"), batch],
            &json!([event("1", "a"), event("2", "b")])
        )
        .await,
        200
    );
    assert_eq!(delivered(&account, &some, 1).await, [event("2", "b")]);
    assert_eq!(delivered(&account, &all, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_called_through_its_webhook_and_again_if_it_fails() {
    let mut app = App::new();
    app.function(
        "happened",
        &triggered(json!({"type": "eventGridTrigger", "name": "event"})),
    );
    let mut options = app.options();
    options.keys.event_grid = "e".to_owned();
    let host = app.start_with(options).await;
    assert_eq!(
        post(
            &host.event_grid_webhook("happened", "wrong"),
            &[("aeg-event-type", "Notification")],
            &json!([])
        )
        .await,
        401
    );
    assert_eq!(
        post(
            &host.event_grid_webhook("other", "e"),
            &[("aeg-event-type", "Notification")],
            &json!([])
        )
        .await,
        404
    );
    let handshake = json!([{"data": {"validationCode": "v"}}]);
    assert_eq!(
        post(
            &host.event_grid_webhook("happened", "e"),
            &[("aeg-event-type", "SubscriptionValidation")],
            &handshake
        )
        .await,
        200
    );
    assert!(requests(&host).is_empty());

    let grid = EventGrid::start(account().await).await.unwrap();
    let endpoint = grid.create_topic("own", Schema::EventGrid);
    let properties = json!({"destination": {"endpointType": "AzureFunction", "properties": {
        "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/site/functions/happened"}}});
    let webhook =
        |name: &str| (name == "site/functions/happened").then(|| host.event_grid_webhook("happened", "e"));
    grid.subscribe(
        "own",
        "function",
        Subscription::from_properties(&properties, &webhook).unwrap(),
    )
    .unwrap();
    let event = json!({"id": "1", "subject": "s", "eventType": "t", "eventTime": "2026-11-28T00:00:00Z", "data": {"what": "do-fail-once"}, "dataVersion": "1"});
    assert_eq!(
        post(
            &endpoint,
            &[("aeg-sas-key", "k"), ("content-type", "application/json")],
            &json!([event])
        )
        .await,
        200
    );
    let all = invoked(&host, 2).await;
    let text: Value = serde_json::from_str(all[1]["Data"]["event"].as_str().unwrap()).unwrap();
    let told: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!(
        (&told["id"], &told["topic"], &told["data"]),
        (&json!("1"), &json!("/topics/own"), &event["data"])
    );
    assert_eq!(all[1]["Metadata"]["data"], event["data"]);
    assert_eq!(all[1]["Metadata"]["subject"], "\"s\"");
}
