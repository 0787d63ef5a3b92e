//! Events that Google's services send to services that run: messages, notifications of buckets, jobs, changes of documents.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::DateTime;
use nephos_conformance::google_cloud::cloud_run::Pace;
use nephos_conformance::google_cloud::emulators::Emulator;
use serde_json::{Value, json};

use crate::client::{PROJECT, REGION};
use crate::running::{Emulators, Running, topic, url};

const PUBSUB: &str = "pubsub.googleapis.com/v1";

/// A subscription that pushes to a service as an account that may call it.
async fn subscribe(running: &Running, id: &str, more: Value) -> String {
    let account = running.google.account("pushes").await;
    running
        .allow("orders", &[&format!("serviceAccount:{account}"), "allUsers"])
        .await;
    let mut body = json!({
        "topic": topic("orders"),
        "pushConfig": {
            "pushEndpoint": format!("{}/.nephos/queue/orders", url("orders")),
            "oidcToken": {"serviceAccountEmail": account, "audience": url("orders")},
        },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let request = format!("PUT {PUBSUB}/{PROJECT}/subscriptions/{id}");
    running.google.ask(&request, body).await.ok();
    account
}

async fn publish(running: &Running, data: &str) -> Value {
    let request = format!("POST {PUBSUB}/{}:publish", topic("orders"));
    let body = json!({"messages": [{"data": STANDARD.encode(data), "attributes": {"colour": "blue"}}]});
    running.google.ask(&request, body).await.ok()["messageIds"][0].clone()
}

/// The message of a push.
fn message(post: &Value) -> Value {
    let hex = post["body"].as_str().unwrap();
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    serde_json::from_slice(&bytes).unwrap()
}

/// The claims of the token that came along.
fn claims(post: &Value) -> Value {
    let token = post["headers"]["authorization"].as_str().unwrap();
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_pushed_with_a_token_and_again_until_it_is_taken() {
    let running = Running::with_pubsub().await;
    running
        .public(
            "orders",
            json!({"env": {"FAILS": "2"}, "scaling": {"maxInstanceCount": 1}}),
        )
        .await;
    running.google.topic("orders").await;
    running.google.topic("orders-dead").await;
    let policy = json!({"deadLetterTopic": topic("orders-dead"), "maxDeliveryAttempts": 10});
    let account = subscribe(&running, "orders", json!({"deadLetterPolicy": policy})).await;
    let id = publish(&running, "hello").await;
    let seen = running.seen("orders", |seen| seen.len() >= 3).await;
    for (attempt, post) in seen.iter().enumerate() {
        let message = message(post);
        assert_eq!(message["message"]["messageId"], id);
        assert_eq!(message["message"]["data"], STANDARD.encode("hello"));
        assert_eq!(message["message"]["attributes"]["colour"], "blue");
        assert_eq!(message["deliveryAttempt"], attempt + 1, "{message:#}");
        assert_eq!(message["subscription"], format!("{PROJECT}/subscriptions/orders"));
        assert_eq!(post["path"], "/.nephos/queue/orders");
        let claims = claims(post);
        assert_eq!(
            (&claims["email"], &claims["aud"]),
            (&json!(account), &json!(url("orders")))
        );
    }
    publish(&running, "next").await;
    // The first is done with.
    running.seen("orders", |seen| seen.len() >= 6).await;
    assert!(
        running.google.control.findings().is_empty(),
        "{:#?}",
        running.google.control.findings()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_key_are_pushed_in_their_order_with_the_key() {
    let running = Running::with_pubsub().await;
    running
        .public(
            "orders",
            json!({"env": {"FAILS": "1"}, "scaling": {"maxInstanceCount": 1}}),
        )
        .await;
    running.google.topic("orders").await;
    let ordered = json!({"enableMessageOrdering": true, "retryPolicy": {"minimumBackoff": "0.1s", "maximumBackoff": "1s"}});
    subscribe(&running, "orders", ordered).await;
    let request = format!("POST {PUBSUB}/{}:publish", topic("orders"));
    for data in ["one", "two", "three"] {
        let body = json!({"messages": [{"data": STANDARD.encode(data), "orderingKey": "k"}]});
        running.google.ask(&request, body).await.ok();
    }
    let last = STANDARD.encode("three");
    let seen = running
        .seen("orders", |seen| {
            seen.iter().any(|post| message(post)["message"]["data"] == last)
        })
        .await;
    let messages: Vec<Value> = seen.iter().map(|post| message(post)["message"].take()).collect();
    let mut told: Vec<&Value> = messages.iter().map(|message| &message["data"]).collect();
    // The first failed once, and the others waited for it. One that was taken may come again, as everywhere, but never after a later one.
    assert_eq!(
        json!(told[..2]),
        json!([STANDARD.encode("one"), STANDARD.encode("one")])
    );
    told.dedup();
    assert_eq!(
        json!(told),
        json!(["one", "two", "three"].map(|data| STANDARD.encode(data)))
    );
    assert!(
        messages.iter().all(|message| message["orderingKey"] == "k"),
        "{messages:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_taken_goes_to_the_dead_letters() {
    let running = Running::with_pubsub().await;
    running
        .public(
            "orders",
            json!({"env": {"FAILS": "1000"}, "scaling": {"maxInstanceCount": 1}}),
        )
        .await;
    running.google.topic("orders").await;
    running.google.topic("orders-dead").await;
    let request = format!("PUT {PUBSUB}/{PROJECT}/subscriptions/orders-dead");
    running
        .google
        .ask(&request, json!({"topic": topic("orders-dead")}))
        .await
        .ok();
    let policy = json!({"deadLetterTopic": topic("orders-dead"), "maxDeliveryAttempts": 5});
    subscribe(&running, "orders", json!({"deadLetterPolicy": policy})).await;
    publish(&running, "never").await;
    let pull = format!("POST {PUBSUB}/{PROJECT}/subscriptions/orders-dead:pull");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let dead = loop {
        let pulled = running
            .google
            .ask(&pull, json!({"maxMessages": 1, "returnImmediately": true}))
            .await
            .ok();
        if let Some(one) = pulled["receivedMessages"].as_array().and_then(|all| all.first()) {
            break one.clone();
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{:#?}",
            running.seen("orders", |_| true).await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(dead["message"]["data"], STANDARD.encode("never"));
    assert_eq!(running.seen("orders", |_| true).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_allowed_gets_no_message_and_a_token_is_needed_for_all_that_messages_are() {
    let running = Running::with_pubsub().await;
    running
        .public("orders", json!({"scaling": {"maxInstanceCount": 1}}))
        .await;
    running.google.topic("orders").await;
    let account = subscribe(&running, "orders", json!({})).await;
    running.allow("orders", &["user:somebody@example.com"]).await;
    publish(&running, "hello").await;
    running.logged("\"status\":403").await;
    running
        .allow("orders", &[&format!("serviceAccount:{account}"), "allUsers"])
        .await;
    running.seen("orders", |seen| seen.len() == 1).await;
    let request = format!("POST {PUBSUB}/{}:publish", topic("orders"));
    let body = json!({"messages": [{"data": "aGk="}]});
    let refused = running.google.send(&request, None, body).await.unwrap();
    refused.refused(
        401,
        "UNAUTHENTICATED",
        "missing required authentication credential",
    );
    let wrong = json!({"messages": [{"data": "aGk=", "colour": "blue"}]});
    running
        .google
        .ask(&request, wrong)
        .await
        .refused(400, "INVALID_ARGUMENT", "colour");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buckets_notification_is_pushed() {
    let running = Running::with_pubsub().await;
    running
        .public("orders", json!({"scaling": {"maxInstanceCount": 1}}))
        .await;
    running.google.topic("orders").await;
    subscribe(&running, "orders", json!({})).await;
    let agent = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com";
    let binding = json!({"role": "roles/pubsub.publisher", "members": [agent]});
    let request = format!("POST {PUBSUB}/{}:setIamPolicy", topic("orders"));
    running
        .google
        .ask(&request, json!({"policy": {"bindings": [binding]}}))
        .await
        .ok();
    let storage = running.google.control.storage();
    storage.create_bucket("photos").unwrap();
    let config = json!({"topic": format!("//pubsub.googleapis.com/{}", topic("orders")), "payload_format": "JSON_API_V1"});
    storage.notify("photos", config.as_object().unwrap()).unwrap();
    let token = running.google.control.token();
    let put = running.client.put("https://storage.googleapis.com/photos/a.jpg");
    let put = put
        .header("authorization", format!("Bearer {token}"))
        .body("12345");
    assert_eq!(put.send().await.unwrap().status(), 200);
    let seen = running.seen("orders", |seen| !seen.is_empty()).await;
    let told = message(&seen[0]);
    assert_eq!(told["message"]["attributes"]["eventType"], "OBJECT_FINALIZE");
    assert_eq!(told["message"]["attributes"]["objectId"], "a.jpg");
}

#[tokio::test]
async fn a_job_that_is_due_calls_with_a_token_and_is_tried_again_as_it_says() {
    let running = Running::start().await;
    running
        .public(
            "orders",
            json!({"env": {"FAILS": "2"}, "scaling": {"maxInstanceCount": 1}}),
        )
        .await;
    let account = running.google.account("ticks1").await;
    let name = format!("{REGION}/jobs/nightly");
    let uri = format!("{}/.nephos/schedule/nightly", url("orders"));
    let body = json!({
        "name": name,
        "schedule": "0 3 * * *",
        "httpTarget": {"uri": uri, "oidcToken": {"serviceAccountEmail": account, "audience": url("orders")}},
        "retryConfig": {"retryCount": 1, "minBackoffDuration": "0.1s"},
    });
    let jobs = format!("cloudscheduler.googleapis.com/v1/{REGION}/jobs");
    running.google.ask(&format!("POST {jobs}"), body).await.ok();
    let at = DateTime::parse_from_rfc3339("2030-01-01T03:00:00Z")
        .unwrap()
        .to_utc();
    assert_eq!(running.run.fire(&name, at).await.unwrap(), [500, 500]);
    let job = running.google.get(&format!("{jobs}/nightly")).await.ok();
    assert_eq!(job["status"]["code"], 2);
    assert_eq!(running.run.fire(&name, at).await.unwrap(), [200]);
    let seen = running.seen("orders", |seen| seen.len() == 3).await;
    let headers = &seen[2]["headers"];
    assert_eq!(headers["x-cloudscheduler-jobname"], "nightly");
    assert_eq!(headers["x-cloudscheduler-scheduletime"], "2030-01-01T03:00:00Z");
    assert_eq!(claims(&seen[2])["email"], account);
    running
        .google
        .ask(&format!("POST {jobs}/nightly:pause"), json!({}))
        .await
        .ok();
    assert!(running.run.fire(&name, at).await.is_err());
    assert!(
        running
            .run
            .fire(&format!("{REGION}/jobs/none"), at)
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_documents_changes_are_told_with_what_was_before_and_again_until_they_are_taken() {
    let emulators = Emulators {
        firestore: Some(Emulator::Firestore.start().await.unwrap()),
        ..Emulators::default()
    };
    let pace = Pace {
        backoff: (Duration::from_millis(50), Duration::from_secs(1)),
        ..Pace::default()
    };
    let running = Running::with(emulators, pace).await;
    running
        .public(
            "orders",
            json!({"env": {"FAILS": "1"}, "scaling": {"maxInstanceCount": 1}}),
        )
        .await;
    let account = running.google.account("events").await;
    let request = format!("POST firestore.googleapis.com/v1/{PROJECT}/databases?databaseId=(default)");
    let database = json!({"type": "FIRESTORE_NATIVE", "locationId": "europe-west1"});
    let operation = running.google.ask(&request, database).await.ok();
    running.ended("firestore.googleapis.com/v1", &operation).await;
    let body = json!({
        "name": format!("{REGION}/triggers/items"),
        "eventFilters": [
            {"attribute": "type", "value": "google.cloud.firestore.document.v1.written"},
            {"attribute": "database", "value": "(default)"},
            {"attribute": "document", "value": "items/{id}", "operator": "match-path-pattern"},
        ],
        "eventDataContentType": "application/protobuf",
        "destination": {"cloudRun": {"service": "orders", "region": "europe-west1", "path": "/.nephos/table/items"}},
        "serviceAccount": account,
    });
    let create = format!("POST eventarc.googleapis.com/v1/{REGION}/triggers?triggerId=items");
    let operation = running.google.ask(&create, body).await.ok();
    running.ended("eventarc.googleapis.com/v1", &operation).await;
    let documents = format!("firestore.googleapis.com/v1/{PROJECT}/databases/(default)/documents");
    let item = |n: u32| json!({"fields": {"n": {"integerValue": n.to_string()}}});
    let asked = |what: &str, body: Value| {
        let request = what.replace("documents", &documents);
        let google = &running.google;
        async move { google.ask(&request, body).await.ok() }
    };
    asked("PATCH documents/items/a%20b", item(1)).await;
    asked("PATCH documents/others/a", item(1)).await;
    asked("PATCH documents/items/a%20b", item(1)).await;
    asked("PATCH documents/items/a%20b", item(2)).await;
    let seen = running.seen("orders", |seen| seen.len() >= 4).await;
    let ids: Vec<&str> = seen
        .iter()
        .map(|post| post["headers"]["ce-id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids.iter().collect::<std::collections::BTreeSet<_>>().len(),
        2,
        "{ids:?}"
    );
    for post in &seen {
        assert_eq!(post["headers"]["ce-document"], "items/a%20b");
        assert_eq!(
            post["headers"]["ce-type"],
            "google.cloud.firestore.document.v1.written"
        );
        assert_eq!(post["headers"]["content-type"], "application/protobuf");
        assert_eq!(post["path"], "/.nephos/table/items");
        assert_eq!(claims(post)["email"], account);
    }
    asked("DELETE documents/items/a%20b", Value::Null).await;
    let seen = running.seen("orders", |seen| seen.len() >= 6).await;
    // A removal has the old document alone, which is the second field.
    assert!(
        seen[5]["body"].as_str().unwrap().starts_with("12"),
        "{:#}",
        seen[5]
    );
}
