//! Queues: what others sent, attributes that SQS refuses, order, sizes.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use nephos_aws::harness::emulator::Emulator;
use nephos_core::ErrorKind;
use nephos_core::event::Payload;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::queue::{Outgoing, Queue, Received};

const LEASE: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_secs(5);

pub(crate) async fn create(emulator: &Emulator, name: &str) -> String {
    let mut request = Client::new(&emulator.config()).create_queue().queue_name(name);
    if name.ends_with(".fifo") {
        request = request.attributes(QueueAttributeName::FifoQueue, "true");
    }
    request.send().await.unwrap().queue_url.unwrap()
}

pub(crate) fn open(emulator: &Emulator, url: &str) -> Queue {
    super::open(emulator, ResourceKind::Queue, url, &[])
        .queue("it")
        .unwrap()
}

pub(crate) async fn next(queue: &Queue) -> Received {
    let mut received = queue.receive(1, LEASE, WAIT).await.unwrap();
    assert_eq!(received.len(), 1);
    received.pop().unwrap()
}

#[tokio::test]
async fn attributes_of_any_name_value_and_number_come_as_they_went() {
    let emulator = Emulator::start().await.unwrap();
    let queue = open(&emulator, &create(&emulator, "jobs").await);
    let mut attributes: BTreeMap<String, String> =
        (0..12).map(|n| (format!("number-{n}"), n.to_string())).collect();
    for (name, value) in [
        ("empty", ""),
        ("two words", "x"),
        ("nephos-encoding", "mine"),
        ("control", "\u{0}\u{ffff}"),
    ] {
        attributes.insert(name.to_owned(), value.to_owned());
    }
    let body = Payload::bytes(vec![0xff, 0, 13]);
    queue
        .send(Outgoing {
            body: body.clone(),
            attributes: attributes.clone(),
            ..Outgoing::default()
        })
        .await
        .unwrap();
    let received = next(&queue).await;
    assert_eq!(received.message.body, body);
    assert_eq!(received.message.attributes, attributes);
    assert_eq!(received.message.queue, "it");
}

#[tokio::test]
async fn what_others_sent_is_received_as_it_is() {
    let emulator = Emulator::start().await.unwrap();
    let url = create(&emulator, "jobs").await;
    let value = |kind: &str| MessageAttributeValue::builder().data_type(kind);
    let others = Client::new(&emulator.config());
    let send = || others.send_message().queue_url(&url);
    send()
        .message_body("{\"a\":1}")
        .message_attributes("count", value("Number").string_value("7").build().unwrap())
        .message_attributes(
            "key",
            value("Binary").binary_value(Blob::new([0xff])).build().unwrap(),
        )
        .send()
        .await
        .unwrap();
    let queue = open(&emulator, &url);
    let received = next(&queue).await;
    assert_eq!(received.message.body.content_type, None);
    assert_eq!(received.message.body.bytes, "{\"a\":1}");
    let expected = [("count", "7"), ("key", "/w==")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(received.message.attributes, expected.into());

    send()
        .message_body("not base64!")
        .message_attributes(
            "nephos-encoding",
            value("String").string_value("base64").build().unwrap(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(next(&queue).await.message.body.bytes, "not base64!");
}

#[tokio::test]
async fn a_queue_that_is_not_ordered_refuses_groups_and_an_ordered_one_delays() {
    let emulator = Emulator::start().await.unwrap();
    let plain = open(&emulator, &create(&emulator, "plain").await);
    let error = plain.send(Outgoing::new("x").group("g")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);

    let fifo = open(&emulator, &create(&emulator, "ordered.fifo").await);
    let error = fifo
        .send(Outgoing::new("x").delay(Duration::from_secs(1)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn in_an_ordered_queue_messages_without_group_wait_for_nobody_and_equal_ones_are_two() {
    let emulator = Emulator::start().await.unwrap();
    let fifo = open(&emulator, &create(&emulator, "ordered.fifo").await);
    fifo.send_batch(vec!["same".into(), "same".into()]).await.unwrap();
    let (first, second) = (next(&fifo).await, next(&fifo).await);
    assert_ne!(first.message.id, second.message.id);
    assert_eq!((first.message.group, second.message.group), (None, None));
}

#[tokio::test]
async fn bytes_that_are_too_large_as_base64_are_refused_before_anything_is_sent() {
    let emulator = Emulator::start().await.unwrap();
    let queue = open(&emulator, &create(&emulator, "jobs").await);
    let largest = queue.capabilities().max_message_bytes;
    let batch = vec!["small".into(), vec![0xff; largest].into()];
    let error = queue.send_batch(batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(queue.receive(10, LEASE, Duration::ZERO).await.unwrap().is_empty());

    let fitting = vec![0xff; largest / 4 * 3 - 1024];
    queue.send(fitting.clone()).await.unwrap();
    assert!(next(&queue).await.message.body.bytes == fitting);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable_and_tried_again() {
    let emulator = Emulator::start().await.unwrap();
    let queue = open(&emulator, &create(&emulator, "jobs").await);
    drop(emulator);
    let error = queue.send("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("attempts=3"), "{error}");
    assert!(error.message().contains("AWS_ENDPOINT_URL"), "{error}");
}
