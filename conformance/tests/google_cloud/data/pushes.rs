//! Messages that are pushed to an endpoint of this machine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nephos_conformance::google_cloud::emulators::Emulator;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{PATIENCE, Place};
use crate::client::read;

/// A push's body and headers.
type Push = (Value, HashMap<String, String>);

/// What is pushed to, and what came.
struct Endpoint {
    url: String,
    came: Arc<Mutex<Vec<Push>>>,
    count: watch::Receiver<usize>,
}

impl Endpoint {
    /// Answers each push with the status that `answer` gives for it, by the message's data and the how manieth time it came.
    async fn start(answer: fn(&str, usize) -> u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/push", listener.local_addr().unwrap());
        let came: Arc<Mutex<Vec<Push>>> = Arc::default();
        let (tell, count) = watch::channel(0);
        let (kept, tell) = (Arc::clone(&came), Arc::new(tell));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (came, tell) = (Arc::clone(&kept), Arc::clone(&tell));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some((body, headers)) = read(&mut stream).await {
                        let data = body["message"]["data"].as_str().unwrap_or_default().to_owned();
                        let status = {
                            let mut came = came.lock().unwrap();
                            came.push((body, headers));
                            let same = came
                                .iter()
                                .filter(|(body, _)| body["message"]["data"] == data.as_str());
                            answer(&data, same.count())
                        };
                        tell.send_modify(|count| *count += 1);
                        let said = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                        if stream.get_mut().write_all(said.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, came, count }
    }

    /// The data of the first so many, in the order in which they came.
    async fn came(&mut self, count: usize) -> Vec<String> {
        let wait = self.count.wait_for(|came| *came >= count);
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        let came = self.came.lock().unwrap();
        let data = came
            .iter()
            .map(|(body, _)| body["message"]["data"].as_str().unwrap_or_default().to_owned());
        let data: Vec<String> = data.collect();
        assert!(waited.is_ok(), "only {data:?} came");
        data
    }
}

#[tokio::test]
async fn a_push_is_wrapped_and_comes_again_until_it_is_taken() {
    for place in Place::all(Emulator::PubSub).await {
        let mut endpoint = Endpoint::start(|_, times| if times < 3 { 500 } else { 204 }).await;
        place
            .subscribe("news", json!({"pushConfig": {"pushEndpoint": endpoint.url}}))
            .await;
        place
            .publish("news", json!([{"data": "MQ==", "attributes": {"a": "b"}}]))
            .await;
        assert_eq!(endpoint.came(3).await, ["MQ=="; 3]);
        let (body, headers) = endpoint.came.lock().unwrap()[0].clone();
        let subscription = body["subscription"].as_str().unwrap();
        assert!(subscription.ends_with("/subscriptions/news"), "{subscription}");
        let message = &body["message"];
        assert_eq!(message["attributes"], json!({"a": "b"}));
        assert!(message["messageId"].is_string() && message["publishTime"].is_string());
        assert_eq!(message["message_id"], message["messageId"]);
        assert_eq!(message["publish_time"], message["publishTime"]);
        assert_eq!(headers["content-type"], "application/json");
        assert!(!headers.contains_key("authorization"), "nobody gives it a token");
    }
}

#[tokio::test]
async fn of_one_ordering_key_one_message_is_pushed_at_a_time_and_keys_do_not_wait_for_each_other() {
    for place in Place::all(Emulator::PubSub).await {
        let mut endpoint =
            Endpoint::start(|data, times| if data == "MQ==" && times < 3 { 503 } else { 200 }).await;
        let options = json!({"pushConfig": {"pushEndpoint": endpoint.url}, "enableMessageOrdering": true});
        place.subscribe("news", options).await;
        let sent = json!([
            {"data": "MQ==", "orderingKey": "k"}, {"data": "Mg==", "orderingKey": "k"}, {"data": "Mw==", "orderingKey": "j"},
        ]);
        place.publish("news", sent).await;
        let came = endpoint.came(5).await;
        let of_key: Vec<&String> = came.iter().filter(|data| *data != "Mw==").collect();
        assert_eq!(of_key, ["MQ==", "MQ==", "MQ==", "Mg=="]);
    }
}

#[tokio::test]
async fn a_push_tells_its_try_and_becomes_a_dead_letter() {
    let place = Place::stand_in(Emulator::PubSub).await;
    let mut endpoint = Endpoint::start(|_, _| 500).await;
    place.subscribe("dead", json!({})).await;
    let options = json!({
        "pushConfig": {"pushEndpoint": endpoint.url},
        "retryPolicy": {"minimumBackoff": "0.01s", "maximumBackoff": "0.05s"},
        "deadLetterPolicy": {"deadLetterTopic": "projects/shop/topics/dead", "maxDeliveryAttempts": 5},
    });
    place.subscribe("jobs", options).await;
    place
        .publish("jobs", json!([{"data": "MQ==", "orderingKey": "k"}]))
        .await;
    let letters = place.received("dead").await;
    assert_eq!(letters[0]["message"]["orderingKey"], "k");
    assert_eq!(endpoint.came(5).await.len(), 5);
    let came = endpoint.came.lock().unwrap();
    let tries: Vec<&Value> = came.iter().map(|(body, _)| &body["deliveryAttempt"]).collect();
    assert_eq!(tries, [1, 2, 3, 4, 5]);
    assert_eq!(came[0].0["message"]["orderingKey"], "k");
}

#[tokio::test]
async fn a_subscription_that_is_changed_pushes_elsewhere_or_is_pulled() {
    let place = Place::stand_in(Emulator::PubSub).await;
    let mut one = Endpoint::start(|_, _| 200).await;
    let mut other = Endpoint::start(|_, _| 200).await;
    place
        .subscribe("news", json!({"pushConfig": {"pushEndpoint": one.url}}))
        .await;
    place.publish("news", json!([{"data": "MQ=="}])).await;
    assert_eq!(one.came(1).await, ["MQ=="]);
    place
        .ask("POST subscriptions/news:pull", json!({"maxMessages": 1}))
        .await
        .refused(400, "FAILED_PRECONDITION", "not supported");
    let modify = "POST subscriptions/news:modifyPushConfig";
    place
        .ask(modify, json!({"pushConfig": {"pushEndpoint": other.url}}))
        .await
        .ok();
    place.publish("news", json!([{"data": "Mg=="}])).await;
    assert_eq!(other.came(1).await, ["Mg=="]);
    place.ask(modify, json!({"pushConfig": {}})).await.ok();
    place.publish("news", json!([{"data": "Mw=="}])).await;
    assert_eq!(place.received("news").await[0]["message"]["data"], "Mw==");
    assert_eq!((one.came(1).await.len(), other.came(1).await.len()), (1, 1));
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_in_time_is_asked_again() {
    let place = Place::stand_in(Emulator::PubSub).await;
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let options = json!({"pushConfig": {"pushEndpoint": url}, "ackDeadlineSeconds": 10});
    place.subscribe("news", options).await;
    place.publish("news", json!([{"data": "MQ=="}])).await;
    let started = tokio::time::Instant::now();
    let (_first, _) = silent.accept().await.unwrap();
    let again = tokio::time::timeout(PATIENCE, silent.accept()).await;
    let (_again, _) = again.unwrap().unwrap();
    assert!(started.elapsed() >= Duration::from_secs(9));
}
