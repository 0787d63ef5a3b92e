//! Configurations of notifications, and the messages that they make.

use std::collections::BTreeMap;

use http::Method;
use nephos_conformance::gcs::Message;
use serde_json::{Value, json};

use crate::client::{Gcs, object};

const CONFIGS: &str = "/storage/v1/b/tests/notificationConfigs";

fn config(more: Value) -> Value {
    let mut config = json!({
        "topic": "//pubsub.googleapis.com/projects/nephos-tests/topics/changes", "payload_format": "JSON_API_V1",
    });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    config
}

fn kinds(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.attributes["eventType"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_told_with_the_attributes_that_are_documented() {
    let gcs = Gcs::start().await;
    let body = config(json!({"custom_attributes": {"app": "orders"}}));
    let made = gcs.json(Method::POST, CONFIGS, body).await.json();
    assert_eq!(
        (&made["kind"], &made["id"]),
        (&json!("storage#notification"), &json!("1"))
    );
    let mut receiver = gcs.storage.subscribe();
    let first = gcs.put("a", b"1").await;
    let made = gcs.get(&object("a")).await.json();
    let second = gcs.put("a", b"22").await;
    let patched = gcs
        .json(Method::PATCH, &object("a"), json!({"metadata": {"k": "v"}}))
        .await
        .json();
    gcs.ask(Method::DELETE, &object("a"), &[], b"").await;
    let messages = gcs.storage.messages();
    assert_eq!(
        kinds(&messages),
        [
            "OBJECT_FINALIZE",
            "OBJECT_FINALIZE",
            "OBJECT_DELETE",
            "OBJECT_METADATA_UPDATE",
            "OBJECT_DELETE"
        ]
    );
    for message in &messages {
        assert_eq!(receiver.recv().await.as_ref(), Some(message));
        assert_eq!(message.topic, "projects/nephos-tests/topics/changes");
    }
    let mut attributes = messages[0].attributes.clone();
    let when = attributes.remove("eventTime").unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(&when).is_ok(), "{when}");
    let generation = first.to_string();
    let expected = BTreeMap::from(
        [
            ("app", "orders"),
            (
                "notificationConfig",
                "projects/_/buckets/tests/notificationConfigs/1",
            ),
            ("eventType", "OBJECT_FINALIZE"),
            ("payloadFormat", "JSON_API_V1"),
            ("bucketId", "tests"),
            ("objectId", "a"),
            ("objectGeneration", generation.as_str()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(attributes, expected);
    let data = |at: usize| serde_json::from_slice::<Value>(&messages[at].data).unwrap();
    assert_eq!(data(0), made);
    assert_eq!(data(3), patched);
    assert_eq!(messages[1].attributes["overwroteGeneration"], first.to_string());
    assert_eq!(
        messages[2].attributes["overwrittenByGeneration"],
        second.to_string()
    );
    assert_eq!(messages[2].attributes["objectGeneration"], first.to_string());
    assert!(!messages[4].attributes.contains_key("overwrittenByGeneration"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_chooses_events_names_and_payload() {
    let gcs = Gcs::start().await;
    let body = config(
        json!({"event_types": ["OBJECT_DELETE"], "object_name_prefix": "in/", "payload_format": "NONE"}),
    );
    gcs.storage.notify("tests", body.as_object().unwrap()).unwrap();
    for name in ["in/a", "out/a"] {
        gcs.put(name, b"x").await;
        gcs.ask(Method::DELETE, &object(&name.replace('/', "%2F")), &[], b"")
            .await;
    }
    let messages = gcs.storage.messages();
    assert_eq!(kinds(&messages), ["OBJECT_DELETE"]);
    assert_eq!(messages[0].attributes["objectId"], "in/a");
    assert_eq!(
        (
            messages[0].attributes["payloadFormat"].as_str(),
            messages[0].data.len()
        ),
        ("NONE", 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_tells_nothing() {
    let gcs = Gcs::start().await;
    gcs.storage
        .notify("tests", config(json!({})).as_object().unwrap())
        .unwrap();
    gcs.put("a", b"x").await;
    for path in [object("a?ifGenerationMatch=7"), object("none")] {
        assert!(gcs.ask(Method::DELETE, &path, &[], b"").await.status >= 400);
    }
    gcs.get(&object("a")).await;
    assert_eq!(gcs.storage.messages().len(), 1);
    let copied = gcs
        .ask(
            Method::POST,
            &format!("{}/copyTo/b/tests/o/b", object("a")),
            &[],
            b"",
        )
        .await;
    assert_eq!(copied.status, 200);
    assert_eq!(kinds(&gcs.storage.messages()), ["OBJECT_FINALIZE"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_are_listed_and_deleted_and_change_the_bucket() {
    let gcs = Gcs::start().await;
    for _ in 0..2 {
        gcs.json(Method::POST, CONFIGS, config(json!({}))).await;
    }
    let list = gcs.get(CONFIGS).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!(gcs.get(&format!("{CONFIGS}/2")).await.json(), list["items"][1]);
    assert_eq!(
        gcs.ask(Method::DELETE, &format!("{CONFIGS}/1"), &[], b"")
            .await
            .status,
        204
    );
    assert_eq!(gcs.get(&format!("{CONFIGS}/1")).await.status, 404);
    assert_eq!(gcs.get("/storage/v1/b/tests").await.json()["metageneration"], "4");
    // An id is not given twice.
    assert_eq!(
        gcs.json(Method::POST, CONFIGS, config(json!({}))).await.json()["id"],
        "3"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_that_google_refuses_are_refused() {
    let gcs = Gcs::start().await;
    for more in [
        json!({"topic": null}),
        json!({"topic": "projects/nephos-tests/topics/changes"}),
        json!({"topic": "//pubsub.googleapis.com/projects/p/topics/changes"}),
        json!({"topic": "//pubsub.googleapis.com/projects/nephos-tests/topics/google"}),
        json!({"payload_format": null}),
        json!({"payload_format": "XML"}),
        json!({"event_types": ["OBJECT_SEEN"]}),
        json!({"event_types": "OBJECT_DELETE"}),
        json!({"object_name_prefix": 7}),
        json!({"custom_attributes": {"a": 7}}),
        json!({"invented": 1}),
    ] {
        let answer = gcs.json(Method::POST, CONFIGS, config(more.clone())).await;
        assert_eq!(answer.status, 400, "{more}: {}", answer.text());
    }
    for _ in 0..10 {
        assert_eq!(
            gcs.json(
                Method::POST,
                CONFIGS,
                config(json!({"event_types": ["OBJECT_DELETE"]}))
            )
            .await
            .status,
            200
        );
    }
    assert_eq!(
        gcs.json(Method::POST, CONFIGS, config(json!({}))).await.status,
        400
    );
    let other = config(json!({"event_types": ["OBJECT_FINALIZE"]}));
    assert_eq!(gcs.json(Method::POST, CONFIGS, other).await.status, 200);
    let nowhere = gcs
        .json(
            Method::POST,
            "/storage/v1/b/none/notificationConfigs",
            config(json!({})),
        )
        .await;
    assert_eq!(nowhere.status, 404);
}
