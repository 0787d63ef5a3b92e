//! Buckets in the project: made by who may, with notifications that reach a topic, policies, and objects by the same host.

use http::Method;
use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::{Code, Failure, Interruption};
use serde_json::{Value, json};

use crate::client::{Answered, Google, PROJECT};

const BUCKETS: &str = "storage.googleapis.com/storage/v1/b";
const AGENT: &str = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com";

fn bucket(name: &str) -> Value {
    json!({
        "name": name, "location": "europe-west1", "labels": {"nephos-app": "orders"},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}},
    })
}

async fn made(google: &Google, name: &str) -> Value {
    let create = format!("POST {BUCKETS}?project=nephos-tests");
    google.ask(&create, bucket(name)).await.ok()
}

/// Status and reason of a refusal, which are not those of other interfaces.
fn refusal(answer: &Answered) -> (u16, &str) {
    let reason = answer.json["error"]["errors"][0]["reason"].as_str();
    (answer.status.as_u16(), reason.unwrap_or_default())
}

/// A policy that lets the service agent publish to a topic.
async fn may_publish(google: &Google, topic: &str) {
    let policy = json!({"policy": {"bindings": [{"role": "roles/pubsub.publisher", "members": [AGENT]}]}});
    let set = format!("POST pubsub.googleapis.com/v1/{topic}:setIamPolicy");
    google.ask(&set, policy).await.ok();
}

#[tokio::test]
async fn a_bucket_is_one_of_the_projects_resources() {
    let google = Google::start().await;
    let bucket = made(&google, "orders-files").await;
    assert_eq!(bucket["projectNumber"], "123456789012");
    assert_eq!(bucket["softDeletePolicy"]["retentionDurationSeconds"], "604800");
    let resources = google.control.resources();
    assert_eq!(
        (resources[0].kind, resources[0].name.as_str()),
        ("storage.buckets", "projects/_/buckets/orders-files")
    );
    assert_eq!(resources[0].body, bucket);
    let exchange = google.control.requests().pop().unwrap();
    assert_eq!(
        (exchange.host.as_str(), exchange.status, &exchange.body["name"]),
        ("storage.googleapis.com", 200, &json!("orders-files"))
    );
    // The project has a number too.
    let list = google.get(&format!("{BUCKETS}?project=123456789012")).await.ok();
    assert_eq!(list["items"][0]["name"], "orders-files");
    let one = format!("{BUCKETS}/orders-files");
    google.control.touch("projects/_/buckets/orders-files").unwrap();
    let patch = format!("PATCH {one}?ifMetagenerationMatch=1");
    let stale = google.ask(&patch, json!({"labels": {"a": "b"}})).await;
    assert_eq!(refusal(&stale), (412, "conditionNotMet"));
    google.ask(&format!("DELETE {one}"), Value::Null).await;
    assert!(google.control.resources().is_empty());
}

#[tokio::test]
async fn what_google_refuses_of_a_bucket_is_refused() {
    let google = Google::start().await;
    let create = format!("POST {BUCKETS}?project=nephos-tests");
    for (field, value) in [
        ("location", json!("mars-1")),
        ("invented", json!(1)),
        ("labels", json!({"Nephos": "x"})),
        ("labels", json!({"a": 7})),
        ("softDeletePolicy", json!({"retentionDurationSeconds": "3600"})),
        ("softDeletePolicy", json!({"retentionDurationSeconds": 604_800})),
    ] {
        let mut body = bucket("orders-files");
        body[field] = value.clone();
        let answer = google.ask(&create, body).await;
        assert_eq!(answer.status, 400, "{field}: {value}: {:#}", answer.json);
    }
    let unauthorized = google
        .send(
            &format!("GET {BUCKETS}?project=nephos-tests"),
            Some("Bearer ya29.no"),
            Value::Null,
        )
        .await
        .unwrap();
    assert_eq!(refusal(&unauthorized), (401, "authError"));
    google.control.deny("storage.buckets.create", "");
    let denied = google.ask(&create, bucket("orders-files")).await;
    assert_eq!(refusal(&denied), (403, "forbidden"));
    google.control.let_succeed();
    let failure = Failure::new(Code::Unavailable, "try again").on(1);
    google.control.fail("storage.buckets", failure);
    assert_eq!(google.ask(&create, bucket("orders-files")).await.status, 503);
    google.control.limit("storage.buckets", 1);
    made(&google, "orders-files").await;
    assert_eq!(google.ask(&create, bucket("others-files")).await.status, 429);
    google
        .control
        .interrupt("GET storage.googleapis.com/", 1, Interruption::Throttled(3));
    let list = format!("{BUCKETS}?project=nephos-tests");
    assert_eq!(google.get(&list).await.headers["retry-after"], "3");
    google.control.disable("storage.googleapis.com");
    let disabled = google.get(&list).await;
    assert_eq!(
        (
            disabled.status.as_u16(),
            &disabled.json["error"]["details"][0]["reason"]
        ),
        (403, &json!("SERVICE_DISABLED"))
    );
}

#[tokio::test]
async fn a_notification_needs_a_topic_that_the_service_agent_may_publish_to() {
    let google = Google::start().await;
    made(&google, "orders-files").await;
    let configs = format!("{BUCKETS}/orders-files/notificationConfigs");
    let create = format!("POST {configs}");
    let body = json!({
        "topic": format!("//pubsub.googleapis.com/{PROJECT}/topics/changes"), "payload_format": "JSON_API_V1",
        "event_types": ["OBJECT_FINALIZE"], "custom_attributes": {"nephos-app": "orders"},
    });
    let missing = google.ask(&create, body.clone()).await;
    assert_eq!(refusal(&missing), (400, "invalid"));
    let topic = google.topic("changes").await;
    let denied = google.ask(&create, body.clone()).await;
    assert!(
        denied.json["error"]["message"]
            .as_str()
            .unwrap()
            .contains("does not have permission to publish"),
        "{:#}",
        denied.json
    );
    may_publish(&google, &topic).await;
    let agent = google
        .get("storage.googleapis.com/storage/v1/projects/nephos-tests/serviceAccount")
        .await
        .ok();
    assert_eq!(
        format!("serviceAccount:{}", agent["email_address"].as_str().unwrap()),
        AGENT
    );
    let made = google.ask(&create, body).await.ok();
    let kinds: Vec<&str> = google.control.resources().iter().map(|one| one.kind).collect();
    assert_eq!(
        kinds,
        ["storage.buckets", "storage.notifications", "pubsub.topics"]
    );

    let upload =
        "POST storage.googleapis.com/upload/storage/v1/b/orders-files/o?uploadType=media&name=a.json";
    google.ask(upload, json!({"a": 1})).await.ok();
    let messages = google.control.storage().messages();
    assert_eq!(
        (
            messages[0].topic.as_str(),
            messages[0].attributes["nephos-app"].as_str()
        ),
        (topic.as_str(), "orders")
    );
    let one = format!("{configs}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        google.get(&one).await.ok()["custom_attributes"],
        json!({"nephos-app": "orders"})
    );
    google.ask(&format!("DELETE {one}"), Value::Null).await;
    assert_eq!(google.get(&one).await.status, 404);
}

#[tokio::test]
async fn a_buckets_policy_is_read_changed_and_written_by_one_at_a_time() {
    let google = Google::start().await;
    made(&google, "orders-files").await;
    let email = google.account("orders").await;
    let iam = format!("{BUCKETS}/orders-files/iam");
    let name = "projects/_/buckets/orders-files";
    let read = google.get(&iam).await.ok();
    assert_eq!(
        (&read["resourceId"], &read["bindings"][0]["role"]),
        (&json!(name), &json!("roles/storage.legacyBucketOwner"))
    );
    assert!(google.control.policy(name).is_none());
    let mut policy = read.clone();
    let binding =
        json!({"role": "roles/storage.objectViewer", "members": [format!("serviceAccount:{email}")]});
    policy["bindings"].as_array_mut().unwrap().push(binding);
    let set = format!("PUT {iam}");
    let after = google.ask(&set, policy.clone()).await.ok();
    assert_ne!(after["etag"], read["etag"]);
    assert_eq!(google.control.policy(name).unwrap(), after);
    let stale = google.ask(&set, policy.clone()).await;
    assert_eq!(refusal(&stale), (412, "conditionNotMet"));

    policy["etag"] = after["etag"].clone();
    for (member, condition) in [
        (
            "serviceAccount:gone@nephos-tests.iam.gserviceaccount.com",
            Value::Null,
        ),
        ("orders", Value::Null),
        ("allUsers", json!({"title": "t", "expression": "true"})),
    ] {
        let mut wrong = policy.clone();
        wrong["bindings"][0]["members"] = json!([member]);
        if condition.is_object() {
            wrong["bindings"][0]["condition"] = condition;
        }
        let answer = google.ask(&set, wrong).await;
        assert_eq!(answer.status, 400, "{member}: {:#}", answer.json);
    }
    policy["version"] = 3.into();
    policy["bindings"][0]["condition"] = json!({"title": "t", "expression": "true"});
    google.ask(&set, policy).await.ok();
    assert_eq!(google.get(&iam).await.status, 400);
    let whole = google
        .get(&format!("{iam}?optionsRequestedPolicyVersion=3"))
        .await
        .ok();
    assert_eq!(whole["version"], 3);

    google.control.deny("storage.objects.delete", "");
    let test =
        format!("{iam}/testPermissions?permissions=storage.objects.get&permissions=storage.objects.delete");
    assert_eq!(
        google.get(&test).await.ok()["permissions"],
        json!(["storage.objects.get"])
    );
}

#[tokio::test]
async fn what_was_deleted_can_be_restored_for_some_time() {
    let google = Google::start().await;
    made(&google, "orders-files").await;
    let upload = "POST storage.googleapis.com/upload/storage/v1/b/orders-files/o?uploadType=media&name=a";
    let first = google.ask(upload, json!(1)).await.ok();
    let second = google.ask(upload, json!(2)).await.ok();
    let object = format!("{BUCKETS}/orders-files/o/a");
    google.ask(&format!("DELETE {object}"), Value::Null).await;
    let gone = google
        .get(&format!("{BUCKETS}/orders-files/o?softDeleted=true"))
        .await
        .ok();
    let generations: Vec<&Value> = gone["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["generation"])
        .collect();
    assert_eq!(generations, [&first["generation"], &second["generation"]]);
    assert!(gone["items"][0]["softDeleteTime"].is_string());
    let generation = first["generation"].as_str().unwrap();
    let back = google
        .ask(
            &format!("POST {object}/restore?generation={generation}"),
            Value::Null,
        )
        .await
        .ok();
    assert_ne!(back["generation"], first["generation"]);
    assert_eq!(google.get(&format!("{object}?alt=media")).await.ok(), json!(1));

    google.ask(&format!("DELETE {object}"), Value::Null).await;
    google
        .ask(&format!("DELETE {BUCKETS}/orders-files"), Value::Null)
        .await;
    let all = format!("{BUCKETS}?project=nephos-tests&softDeleted=true");
    let gone = google.get(&all).await.ok();
    let generation = gone["items"][0]["generation"].as_str().unwrap();
    google
        .ask(
            &format!("POST {BUCKETS}/orders-files/restore?generation={generation}"),
            Value::Null,
        )
        .await
        .ok();
    assert_eq!(google.get(&format!("{BUCKETS}/orders-files")).await.status, 200);
    let none = json!({"softDeletePolicy": {"retentionDurationSeconds": "0"}});
    google
        .ask(&format!("PATCH {BUCKETS}/orders-files"), none)
        .await
        .ok();
    google
        .ask(&format!("DELETE {BUCKETS}/orders-files"), Value::Null)
        .await;
    assert_eq!(google.get(&all).await.ok(), json!({"kind": "storage#buckets"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_edge_answers_for_buckets_and_objects_in_both_interfaces() {
    let google = Google::start().await;
    let edge = Edge::start().await.unwrap();
    google.control.route(&edge);
    made(&google, "orders-files").await;
    let client = edge_client(&edge);
    let ask = async |method: Method, path: &str, body: &'static str| {
        client
            .request(method, format!("https://storage.googleapis.com{path}"))
            .bearer_auth(google.control.token())
            .body(body)
            .send()
            .await
            .unwrap()
    };
    let put = ask(Method::PUT, "/orders-files/a/b", "content").await;
    assert_eq!(put.status(), 200);
    let got = ask(Method::GET, "/storage/v1/b/orders-files/o/a%2Fb?alt=media", "").await;
    assert_eq!(got.text().await.unwrap(), "content");
    // An upload in chunks goes on where it was begun.
    let begun = ask(
        Method::POST,
        "/upload/storage/v1/b/orders-files/o?uploadType=resumable&name=c",
        "",
    )
    .await;
    let location = begun.headers()["location"].to_str().unwrap();
    assert!(
        location.starts_with("https://storage.googleapis.com/upload/"),
        "{location}"
    );
    let path = location.trim_start_matches("https://storage.googleapis.com");
    assert_eq!(ask(Method::PUT, path, "whole").await.status(), 200);
    google
        .control
        .deny("storage.objects.get", "projects/_/buckets/orders-files");
    assert_eq!(ask(Method::GET, "/orders-files/a/b", "").await.status(), 403);
    assert!(edge.refused().is_empty());
}

fn edge_client(edge: &Edge) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .proxy(reqwest::Proxy::https(edge.proxy_url()).unwrap())
        .tls_certs_only([reqwest::Certificate::from_pem(edge.certificate_pem().as_bytes()).unwrap()])
        .build()
        .unwrap()
}
