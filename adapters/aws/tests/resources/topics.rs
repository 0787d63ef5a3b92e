//! Topics, heard by a queue.

use std::collections::BTreeMap;

use nephos_aws::harness::emulator::{ACCOUNT, Emulator, REGION};
use nephos_aws::payload::SUBJECT;
use nephos_core::ErrorKind;
use nephos_core::event::Payload;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::topic::{Publication, Topic};

/// A topic, and a queue that is its subscriber and gets what SNS carries, without SNS's envelope.
async fn heard(emulator: &Emulator) -> (Topic, Queue) {
    let client = aws_sdk_sns::Client::new(&emulator.config());
    let arn = client
        .create_topic()
        .name("news")
        .send()
        .await
        .unwrap()
        .topic_arn
        .unwrap();
    let url = super::queues::create(emulator, "hearer").await;
    client
        .subscribe()
        .topic_arn(&arn)
        .protocol("sqs")
        .endpoint(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:hearer"))
        .attributes("RawMessageDelivery", "true")
        .send()
        .await
        .unwrap();
    let topic = super::open(emulator, ResourceKind::Topic, &arn, &[])
        .topic("it")
        .unwrap();
    (topic, super::queues::open(emulator, &url))
}

#[tokio::test]
async fn bodies_and_attributes_reach_a_subscriber_as_they_were_published() {
    let emulator = Emulator::start().await.unwrap();
    let (topic, queue) = heard(&emulator).await;
    let attributes: BTreeMap<String, String> = [
        ("tenant", "blue"),
        ("note", "ünï \"q\""),
        ("empty", ""),
        ("two words", "x"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for body in [
        Payload::text("héllo"),
        Payload::text(""),
        Payload::bytes((0..=255).rev().collect::<Vec<u8>>()),
        Payload::json(&[1, 2]).unwrap(),
    ] {
        let publication = Publication {
            body: body.clone(),
            subject: None,
            attributes: attributes.clone(),
        };
        topic.publish(publication).await.unwrap();
        let received = super::queues::next(&queue).await;
        assert_eq!(received.message.body, body);
        assert_eq!(received.message.attributes, attributes);
        queue.ack(&received.receipt).await.unwrap();
    }
}

#[tokio::test]
async fn any_number_is_published_each_once() {
    let emulator = Emulator::start().await.unwrap();
    let (topic, queue) = heard(&emulator).await;
    let sent: Vec<String> = (0..23).map(|n| n.to_string()).collect();
    let ids = topic
        .publish_batch(sent.iter().map(|text| Publication::new(text.as_str())).collect())
        .await
        .unwrap();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 23);
    let mut heard = Vec::new();
    while heard.len() < sent.len() {
        let received = super::queues::next(&queue).await;
        heard.push(String::from_utf8(received.message.body.bytes.to_vec()).unwrap());
        queue.ack(&received.receipt).await.unwrap();
    }
    heard.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(heard, sent);
}

#[tokio::test]
async fn a_subject_that_sns_refuses_travels_as_an_attribute() {
    let emulator = Emulator::start().await.unwrap();
    let (topic, queue) = heard(&emulator).await;
    topic
        .publish(Publication::new("x").subject("Überschrift\n"))
        .await
        .unwrap();
    topic
        .publish(Publication::new("y").subject("a plain one"))
        .await
        .unwrap();
    // A queue's messages have no subject: the driver took ours out, and SNS's own is no attribute.
    for _ in 0..2 {
        let received = super::queues::next(&queue).await;
        assert!(!received.message.attributes.contains_key(SUBJECT));
        queue.ack(&received.receipt).await.unwrap();
    }
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_not_found() {
    let emulator = Emulator::start().await.unwrap();
    let arn = format!("arn:aws:sns:{REGION}:{ACCOUNT}:no-such");
    let topic = super::open(&emulator, ResourceKind::Topic, &arn, &[])
        .topic("it")
        .unwrap();
    let error = topic.publish("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.to_string().contains("topic=it"), "{error}");
}

#[tokio::test]
async fn bytes_that_are_too_large_as_base64_are_refused_before_anything_is_published() {
    let emulator = Emulator::start().await.unwrap();
    let (topic, queue) = heard(&emulator).await;
    let largest = topic.capabilities().max_message_bytes;
    let batch = vec![Publication::new("small"), Publication::new(vec![0xff; largest])];
    let error = topic.publish_batch(batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    topic.publish("x".repeat(largest)).await.unwrap();
    assert_eq!(
        super::queues::next(&queue).await.message.body.bytes.len(),
        largest
    );
}
