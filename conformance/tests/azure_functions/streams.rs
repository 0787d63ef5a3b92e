//! Event Hubs: order by key, batches, tries, what is passed over, and the place that is kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::azure_functions::event_hub::EventHubs;
use serde_json::{Value, json};

use crate::app::{App, invocations, invoked, logged, triggered};

async fn send(url: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
    let mut request = http::Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request).await.unwrap().status().as_u16()
}

async fn app(data_type: Option<&str>) -> (App, EventHubs, String) {
    let (mut app, _) = App::with_storage().await;
    let hubs = EventHubs::start().await.unwrap();
    hubs.create("events", 2);
    let mut trigger = json!({"type": "eventHubTrigger", "name": "events", "eventHubName": "events", "connection": "HUB", "cardinality": "many"});
    if let Some(kind) = data_type {
        trigger["dataType"] = kind.into();
    }
    let mut document = triggered(trigger);
    document["retry"] = json!({"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "00:00:00.01"});
    app.function("stream", &document);
    app.setting("HUB__fullyQualifiedNamespace", &hubs.namespace());
    app.services.event_hubs = Some(hubs.clone());
    let url = format!("{}/events/messages", hubs.url());
    (app, hubs, url)
}

const TOKEN: (&str, &str) = ("authorization", "Bearer t");

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_key_come_in_their_order_with_what_was_sent() {
    let (app, hubs, url) = app(Some("binary")).await;
    let key = ("brokerproperties", "{\"PartitionKey\": \"k\"}");
    assert_eq!(send(&url, &[key], b"x").await, 401);
    assert_eq!(send(&url.replace("events", "none"), &[TOKEN], b"x").await, 404);
    assert_eq!(send(&url, &[TOKEN], &vec![0; (1 << 20) + 1]).await, 413);
    assert_eq!(
        send(&url, &[TOKEN, key, ("kind", "\"a\"")], &[0xff, 0]).await,
        201
    );
    let batch = json!([
        {"Body": "one", "BrokerProperties": {"PartitionKey": "k"}, "UserProperties": {"n": 1}},
        {"Body": "/w==", "IsBodyBase64": true, "BrokerProperties": {"PartitionKey": "k"}},
    ]);
    let kind = ("content-type", "application/vnd.microsoft.servicebus.json");
    assert_eq!(
        send(&url, &[TOKEN, kind], batch.to_string().as_bytes()).await,
        201
    );
    let host = app.start().await;
    let document = invoked(&host, 1).await.remove(0);
    let values: Vec<String> = serde_json::from_str(document["Data"]["events"].as_str().unwrap()).unwrap();
    assert_eq!(
        values,
        [
            STANDARD.encode([0xff, 0]),
            STANDARD.encode("one"),
            STANDARD.encode([0xff])
        ]
    );
    let metadata = &document["Metadata"];
    assert_eq!(metadata["SequenceNumberArray"], "[0,1,2]");
    assert_eq!(metadata["PartitionKeyArray"], "[\"k\",\"k\",\"k\"]");
    assert_eq!(metadata["PropertiesArray"], "[{\"kind\":\"a\"},{\"n\":1},{}]");
    assert_eq!(metadata["PartitionContext"]["EventHubName"], "events");
    assert_eq!(metadata["RetryContext"]["RetryCount"], 0);
    let partitions = hubs.events("events");
    assert_eq!(partitions.iter().map(Vec::len).max(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fails_too_often_is_passed_over_and_the_place_outlives_the_host() {
    let (app, _, url) = app(Some("string")).await;
    let options = app.options();
    let host = app.start_with(options.clone()).await;
    let key = ("brokerproperties", "{\"PartitionKey\": \"k\"}");
    assert_eq!(send(&url, &[TOKEN, key], b"do-fail-always").await, 201);
    invoked(&host, 2).await;
    logged(&host, "a batch of 1 is passed over").await;
    host.stop(std::time::Duration::from_secs(5)).await;
    assert_eq!(invocations(&host).len(), 2);
    drop(host);
    assert_eq!(send(&url, &[TOKEN, key], b"good").await, 201);
    let host = app.start_with(options).await;
    let document: Value = invoked(&host, 1).await.remove(0);
    assert_eq!(document["Data"]["events"], "[\"good\"]");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_type_events_must_be_json() {
    let (app, _, url) = app(None).await;
    let host = app.start().await;
    assert_eq!(send(&url, &[TOKEN], b"{\"a\": 1}").await, 201);
    assert_eq!(invoked(&host, 1).await[0]["Data"]["events"], "[{\"a\":1}]");
    assert_eq!(send(&url, &[TOKEN], b"plain text").await, 201);
    logged(&host, "an event must be JSON").await;
    assert_eq!(invocations(&host).len(), 1);
}
