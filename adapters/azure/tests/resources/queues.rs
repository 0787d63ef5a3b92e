//! Queues of storage, over the emulator.

use std::time::Duration;

use azure_storage_queue::QueueClient;
use azure_storage_queue::models::QueueMessage;
use nephos_azure::config::{Config, STORAGE_KEY};
use nephos_conformance::Harness as _;
use nephos_core::ErrorKind;
use nephos_core::app::QueueSpec;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::queue::{Outgoing, Queue};

use super::{emulators, harness, open};

const LONG: Duration = Duration::from_secs(30);
const WAIT: Duration = Duration::from_secs(5);

async fn put(queue: &Queue, text: &str) {
    let client = queue.driver().as_any().downcast_ref::<QueueClient>().unwrap();
    let message = QueueMessage {
        message_text: Some(text.to_owned()),
    };
    client
        .send_message(message.try_into().unwrap(), None)
        .await
        .unwrap();
}

#[tokio::test]
async fn messages_of_other_programs_come_as_they_are() {
    let harness = harness().await;
    let queue = harness.queue(QueueSpec::default()).await.unwrap();
    for (text, content_type) in [
        ("plain <text> & 'quotes'", "text/plain; charset=utf-8"),
        (r#"{"a": 1}"#, "application/json"),
    ] {
        put(&queue, text).await;
        let received = queue.receive(1, LONG, WAIT).await.unwrap().remove(0);
        assert_eq!(received.message.body.bytes, text);
        assert_eq!(received.message.body.content_type.as_deref(), Some(content_type));
        assert!(received.message.sent_at.is_some());
        queue.ack(&received.receipt).await.unwrap();
    }
    // One that says that it is ours, and cannot be read, must not keep the others from being received.
    let damaged = r#"{"specversion":"1.0","type":"dev.nephos.queue.message","data":7}"#;
    let damaged = damaged.replace(
        "dev.nephos.queue.message",
        nephos_core::event::cloudevents::QUEUE_MESSAGE,
    );
    put(&queue, &damaged).await;
    let received = queue.receive(1, LONG, WAIT).await.unwrap().remove(0);
    assert_eq!(received.message.body.bytes, damaged);
}

#[tokio::test]
async fn bytes_take_a_third_more_and_are_refused_before_anything_is_sent() {
    let harness = harness().await;
    let queue = harness.queue(QueueSpec::default()).await.unwrap();
    let max = queue.capabilities().max_message_bytes;
    let error = queue
        .send_batch(vec!["small".into(), Outgoing::new(vec![0xff; max])])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(error.message().contains("bucket"), "{error}");
    assert!(queue.receive(1, LONG, Duration::ZERO).await.unwrap().is_empty());
    queue
        .send(Outgoing::new(vec![0xff; max * 3 / 4 - 1024]))
        .await
        .unwrap();
    let received = queue.receive(1, LONG, WAIT).await.unwrap().remove(0);
    assert_eq!(received.message.body.bytes.len(), max * 3 / 4 - 1024);
}

#[tokio::test]
async fn a_message_goes_by_itself_after_the_queues_retention() {
    let harness = harness().await;
    let made = harness.queue(QueueSpec::default()).await.unwrap();
    let environment = emulators().await;
    // The same queue on the other emulators, with a retention.
    let name = format!("queue-{}", uuid::Uuid::new_v4().simple());
    let physical = format!("https://nephos.queue.core.windows.net/{name}");
    let config = Config::load(environment.environment()).unwrap();
    let queue = open(&config, ResourceKind::Queue, &physical, &[("retention_s", "1")])
        .queue("it")
        .unwrap();
    let client = queue.driver().as_any().downcast_ref::<QueueClient>().unwrap();
    client.create(None).await.unwrap();
    for queue in [&queue, &made] {
        queue.send("x").await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(queue.receive(1, LONG, Duration::ZERO).await.unwrap().is_empty());
    assert_eq!(made.receive(1, LONG, WAIT).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_that_storage_does_not_know_is_told_and_never_shown() {
    let running = emulators().await;
    let endpoints = running
        .environment()
        .get(nephos_azure::config::ENDPOINTS)
        .unwrap();
    let config = Config::load(
        &[
            (nephos_azure::config::ENDPOINTS, endpoints),
            (STORAGE_KEY, "d3Jvbmcga2V5"),
        ]
        .into_iter()
        .collect(),
    )
    .unwrap();
    let queue = open(
        &config,
        ResourceKind::Queue,
        "https://nephos.queue.core.windows.net/jobs",
        &[],
    )
    .queue("it")
    .unwrap();
    let error = queue.send("x").await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Unauthenticated | ErrorKind::PermissionDenied
        ),
        "{error:?}"
    );
    assert!(
        !format!("{error:?}{}", error.chain()).contains("d3Jvbmcga2V5"),
        "{error:?}"
    );
}
