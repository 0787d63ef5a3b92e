//! Topics, streams and ordered queues: what a subscription gets of what they send.

use std::time::Duration;

use nephos_core::ErrorKind;
use nephos_core::event::Payload;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::queue::Outgoing;
use nephos_core::resource::stream::Append;
use nephos_core::resource::topic::Publication;
use nephos_gcp::harness::emulators::Emulators;
use nephos_gcp::resources::queue::ORDERED;
use nephos_gcp::resources::rest::Rest;
use serde_json::{Value, json};

use super::{emulators, open};

const PROJECT: &str = "projects/nephos-tests";

struct Cloud {
    emulators: Emulators,
    rest: Rest,
    /// The topic's own name.
    name: String,
}

impl Cloud {
    /// A topic that is heard.
    async fn start() -> Self {
        let emulators = emulators().await;
        let rest = Rest::new(emulators.config(), "https://pubsub.googleapis.com/v1").unwrap();
        let name = format!("news-{}", uuid::Uuid::new_v4().simple());
        let cloud = Self {
            emulators,
            rest,
            name,
        };
        let topic = format!("/{}", cloud.topic());
        let _: Value = cloud.rest.put("test", &topic, &json!({})).await.unwrap();
        cloud
            .subscribe("heard-", &json!({"enableMessageOrdering": true}))
            .await;
        cloud
    }

    fn topic(&self) -> String {
        format!("{PROJECT}/topics/{}", self.name)
    }

    async fn subscribe(&self, prefix: &str, options: &Value) {
        let mut body = options.clone();
        body["topic"] = self.topic().into();
        let path = format!("/{PROJECT}/subscriptions/{prefix}{}", self.name);
        let _: Value = self.rest.put("test", &path, &body).await.unwrap();
    }

    /// So many messages, in the order in which they come.
    async fn heard(&self, count: usize) -> Vec<Value> {
        let mut heard = Vec::new();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while heard.len() < count {
            assert!(tokio::time::Instant::now() < deadline, "only {heard:?}");
            let path = format!("/{PROJECT}/subscriptions/heard-{}", self.name);
            let pulled: Value = self
                .rest
                .post(
                    "test",
                    &format!("{path}:pull"),
                    &json!({"maxMessages": 100, "returnImmediately": true}),
                )
                .await
                .unwrap();
            let messages = pulled["receivedMessages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            let ids: Vec<&Value> = messages.iter().map(|message| &message["ackId"]).collect();
            let _: Value = self
                .rest
                .post("test", &format!("{path}:acknowledge"), &json!({"ackIds": ids}))
                .await
                .unwrap();
            heard.extend(messages.into_iter().map(|mut message| message["message"].take()));
        }
        heard
    }
}

#[tokio::test]
async fn a_notification_carries_bytes_type_subject_and_attributes() {
    let cloud = Cloud::start().await;
    let topic = open(cloud.emulators.config(), ResourceKind::Topic, &cloud.topic(), &[])
        .topic("it")
        .unwrap();
    let body = Payload {
        content_type: Some("image/png".to_owned()),
        bytes: vec![0xff, 0].into(),
    };
    let publication = Publication::new(body)
        .subject("a subject")
        .attribute("Tenant", "blü")
        .attribute("nephos-subject", "mine")
        .attribute("googol", "2");
    let nothing = Payload {
        content_type: None,
        bytes: Vec::new().into(),
    };
    let ids = topic
        .publish_batch(vec![publication, Publication::new(nothing)])
        .await
        .unwrap();
    let mut heard = cloud.heard(2).await;
    heard.sort_by_key(|message| message["messageId"] != ids[0].as_str());
    assert_eq!(heard[0]["data"], "/wA=");
    assert_eq!(
        heard[0]["attributes"],
        json!({"Tenant": "blü", "~nephos-subject": "mine", "~googol": "2", "nephos-content-type": "image/png", "nephos-subject": "a subject"})
    );
    // Pub/Sub takes no message that says nothing.
    assert_eq!(heard[1]["messageId"], ids[1].as_str());
    assert_eq!(heard[1]["attributes"], json!({"nephos-empty": ""}));
}

#[tokio::test]
async fn records_of_one_key_and_messages_of_one_group_come_in_order() {
    let cloud = Cloud::start().await;
    let config = cloud.emulators.config();
    let stream = open(config, ResourceKind::Stream, &cloud.name, &[])
        .stream("it")
        .unwrap();
    let records = (0..10).map(|n| Append::new(if n % 2 == 0 { "even" } else { "odd" }, n.to_string()));
    let sequences = stream.append_batch(records.collect()).await.unwrap();
    assert_eq!(sequences, vec![None; 10]);
    let heard = cloud.heard(10).await;
    for (key, wanted) in [
        ("even", ["MA==", "Mg==", "NA==", "Ng==", "OA=="]),
        ("odd", ["MQ==", "Mw==", "NQ==", "Nw==", "OQ=="]),
    ] {
        let of: Vec<&Value> = heard
            .iter()
            .filter(|message| message["orderingKey"] == key)
            .map(|message| &message["data"])
            .collect();
        assert_eq!(of, wanted, "{key}");
    }
    let queue = open(config, ResourceKind::Queue, &cloud.topic(), &[(ORDERED, "true")])
        .queue("it")
        .unwrap();
    queue.send(Outgoing::new("x").group("g")).await.unwrap();
    assert_eq!(cloud.heard(1).await[0]["orderingKey"], "g");
}

#[tokio::test]
async fn what_pubsub_does_not_take_is_refused_before_anything_is_sent() {
    let emulators = emulators().await;
    // Nobody made it: what is sent to it would be told as missing.
    let topic = open(emulators.config(), ResourceKind::Topic, "nobody-made-it", &[])
        .topic("it")
        .unwrap();
    let many = (0..101).fold(Publication::new("x"), |one, n| one.attribute(format!("a{n}"), ""));
    for (refused, part) in [
        (Publication::new("x").attribute("a", "x".repeat(1025)), "1024"),
        (Publication::new("x").attribute("a".repeat(257), ""), "256"),
        (many, "100"),
    ] {
        let error = topic
            .publish_batch(vec!["first".into(), refused])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().contains(part), "{error}");
    }
    let error = topic.publish("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn a_message_of_others_is_received_with_what_it_has() {
    let cloud = Cloud::start().await;
    cloud.subscribe("", &json!({"ackDeadlineSeconds": 10})).await;
    let message = json!({"messages": [{"attributes": {"a": "b"}, "orderingKey": "k"}]});
    let _: Value = cloud
        .rest
        .post("test", &format!("/{}:publish", cloud.topic()), &message)
        .await
        .unwrap();
    let queue = open(cloud.emulators.config(), ResourceKind::Queue, &cloud.topic(), &[])
        .queue("it")
        .unwrap();
    let received = queue
        .receive(1, Duration::from_secs(30), Duration::from_secs(10))
        .await
        .unwrap();
    let message = &received[0].message;
    assert_eq!(
        (message.body.bytes.len(), message.body.content_type.as_deref()),
        (0, None)
    );
    assert_eq!(message.attributes["a"], "b");
    assert_eq!(message.group.as_deref(), Some("k"));
    // Without a dead-letter topic no attempt is told.
    assert_eq!(message.attempt, 1);
    assert!(message.sent_at.is_some());
}
