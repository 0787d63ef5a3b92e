//! Service Bus: locks and deliveries over REST, sessions in their order, dead letters.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::azure_functions::service_bus::{QueueOptions, ServiceBus};
use serde_json::{Value, json};

use crate::app::{App, invocations, invoked, triggered, until};

async fn call(method: &str, url: &str, broker: &Value, body: &str) -> http::Response<Bytes> {
    let mut request = http::Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", "Bearer t");
    if !broker.is_null() {
        request = request.header("brokerproperties", broker.to_string());
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    http::Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn broker(answer: &http::Response<Bytes>) -> Value {
    serde_json::from_str(answer.headers()["brokerproperties"].to_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_locked_given_back_renewed_and_completed() {
    let bus = ServiceBus::start().await.unwrap();
    bus.create(
        "jobs",
        QueueOptions {
            max_delivery_count: 2,
            ..QueueOptions::default()
        },
    );
    let url = format!("{}/jobs/messages", bus.url());
    let head = format!("{url}/head?timeout=0");
    assert_eq!(call("POST", &head, &Value::Null, "").await.status(), 204);
    assert_eq!(
        call("POST", &format!("{}/none/messages", bus.url()), &Value::Null, "x")
            .await
            .status(),
        404
    );
    assert_eq!(
        call("POST", &url, &json!({"Label": "l"}), "one").await.status(),
        201
    );
    let locked = call("POST", &head, &Value::Null, "").await;
    assert_eq!(
        (locked.status().as_u16(), locked.body().as_ref()),
        (201, b"one".as_slice())
    );
    assert_eq!(
        (&broker(&locked)["DeliveryCount"], &broker(&locked)["Label"]),
        (&json!(1), &json!("l"))
    );
    assert_eq!(call("POST", &head, &Value::Null, "").await.status(), 204);
    let place = format!("{}{}", bus.url(), locked.headers()["location"].to_str().unwrap());
    assert_eq!(call("POST", &place, &Value::Null, "").await.status(), 200);
    assert_eq!(call("PUT", &place, &Value::Null, "").await.status(), 200);
    assert_eq!(call("DELETE", &place, &Value::Null, "").await.status(), 404);
    let again = call("POST", &head, &Value::Null, "").await;
    assert_eq!(broker(&again)["DeliveryCount"], 2);
    let place = format!("{}{}", bus.url(), again.headers()["location"].to_str().unwrap());
    assert_eq!(call("PUT", &place, &Value::Null, "").await.status(), 200);
    // Two deliveries were the most.
    assert!(bus.messages("jobs").is_empty());
    let dead = call(
        "DELETE",
        &format!("{}/jobs/$DeadLetterQueue/messages/head?timeout=0", bus.url()),
        &Value::Null,
        "",
    )
    .await;
    assert_eq!(
        (dead.status().as_u16(), dead.body().as_ref()),
        (200, b"one".as_slice())
    );
    assert_eq!(dead.headers()["deadletterreason"], "\"MaxDeliveryCountExceeded\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_over_lets_others_have_the_message() {
    let bus = ServiceBus::start().await.unwrap();
    bus.create(
        "jobs",
        QueueOptions {
            lock: Duration::from_millis(50),
            ..QueueOptions::default()
        },
    );
    let url = format!("{}/jobs/messages", bus.url());
    call("POST", &url, &Value::Null, "one").await;
    let first = call("POST", &format!("{url}/head"), &Value::Null, "").await;
    let second = call("POST", &format!("{url}/head"), &Value::Null, "").await;
    assert_eq!(second.status(), 201);
    assert_eq!(broker(&second)["DeliveryCount"], 2);
    assert_ne!(broker(&first)["LockToken"], broker(&second)["LockToken"]);
}

async fn app(sessions: bool) -> (App, ServiceBus, String) {
    let (mut app, _) = App::with_storage().await;
    let bus = ServiceBus::start().await.unwrap();
    bus.create(
        "jobs",
        QueueOptions {
            sessions,
            max_delivery_count: 2,
            ..QueueOptions::default()
        },
    );
    let trigger = json!({"type": "serviceBusTrigger", "name": "msg", "queueName": "jobs", "connection": "BUS", "isSessionsEnabled": sessions});
    app.function("ordered", &triggered(trigger));
    app.setting("BUS__fullyQualifiedNamespace", &bus.namespace());
    app.services.service_bus = Some(bus.clone());
    let url = format!("{}/jobs/messages", bus.url());
    (app, bus, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_handled_in_its_order_and_what_fails_too_often_is_a_dead_letter() {
    let (app, bus, url) = app(true).await;
    assert_eq!(call("POST", &url, &Value::Null, "no session").await.status(), 400);
    for body in ["do-fail-once", "second", "do-fail-always", "last"] {
        assert_eq!(
            call("POST", &url, &json!({"SessionId": "s", "MessageId": body}), body)
                .await
                .status(),
            201
        );
    }
    let host = app.start().await;
    let all = invoked(&host, 6).await;
    let told: Vec<_> = all
        .iter()
        .map(|one| {
            (
                one["Data"]["msg"].as_str().unwrap().trim_matches('"').to_owned(),
                one["Metadata"]["DeliveryCount"].clone(),
            )
        })
        .collect();
    let expected = [
        ("do-fail-once", "1"),
        ("do-fail-once", "2"),
        ("second", "1"),
        ("do-fail-always", "1"),
        ("do-fail-always", "2"),
        ("last", "1"),
    ];
    assert_eq!(
        told,
        expected.map(|(body, count)| (body.to_owned(), json!(count)))
    );
    assert_eq!(all[0]["Metadata"]["SessionId"], "\"s\"");
    let dead = until("the dead letter", &host, async || {
        bus.messages("jobs/$deadletterqueue").into_iter().next()
    })
    .await;
    assert_eq!(dead.body, b"do-fail-always");
    until("the end of the queue", &host, async || {
        bus.messages("jobs").is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_does_not_wait_for_another_and_the_trigger_must_know_of_sessions() {
    let (mut app, bus, url) = app(true).await;
    call("POST", &url, &json!({"SessionId": "slow"}), "do-sleep").await;
    call("POST", &url, &json!({"SessionId": "slow"}), "behind").await;
    call("POST", &url, &json!({"SessionId": "quick"}), "quick").await;
    let host = app.start().await;
    invoked(&host, 2).await;
    until("the quick one's end", &host, async || {
        (bus.messages("jobs").len() == 2).then_some(())
    })
    .await;
    let told: Vec<_> = invocations(&host)
        .iter()
        .map(|one| one["Data"]["msg"].clone())
        .collect();
    assert!(
        told.contains(&json!("\"quick\"")) && !told.contains(&json!("\"behind\"")),
        "{told:?}"
    );
    drop(host);
    let trigger =
        json!({"type": "serviceBusTrigger", "name": "msg", "queueName": "jobs", "connection": "BUS"});
    app.function("ordered", &triggered(trigger));
    let error = nephos_conformance::azure_functions::Host::start(app.path(), app.options())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("`isSessionsEnabled` is false"),
        "{error}"
    );
}
