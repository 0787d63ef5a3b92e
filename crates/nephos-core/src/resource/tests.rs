//! Queue, topic, stream and secret: limits before any I/O, and who is tried again.

use std::sync::Arc;
use std::time::Duration;

use super::fake::Fake;
use super::queue::{Depth, Outgoing, Queue, Receipt};
use super::secret::Secret;
use super::stream::{Append, Position, Stream};
use super::topic::{Publication, Topic};
use crate::error::{ErrorKind, Result};

fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn a_message_beyond_the_queues_limits_is_refused_before_any_io() {
    let fake = Arc::new(Fake::new());
    let queue = Queue::new("orders", Arc::<Fake>::clone(&fake));
    let error = queue
        .send(Outgoing::new("x").delay(Duration::from_secs(1200)))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "queue.send: delay is longer than this target allows (queue=orders, delay_s=1200, max_delay_s=900)"
    );
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        kind_of(queue.send("x".repeat(17)).await),
        ErrorKind::ResourceExhausted
    );
    assert_eq!(
        kind_of(queue.send(Outgoing::new("x").group("g")).await),
        ErrorKind::Unsupported
    );
    assert_eq!(
        kind_of(queue.send(Outgoing::new("x").attribute("a", "b")).await),
        ErrorKind::Unsupported
    );
    let minute = Duration::from_secs(61);
    assert_eq!(
        kind_of(queue.receive(1, minute, Duration::ZERO).await),
        ErrorKind::Unsupported
    );
    let receipt = Receipt("r".to_owned());
    assert_eq!(
        kind_of(queue.nack(&receipt, minute).await),
        ErrorKind::Unsupported
    );
    assert_eq!(
        kind_of(queue.extend(&receipt, minute).await),
        ErrorKind::Unsupported
    );
    assert_eq!(
        kind_of(queue.receive(0, Duration::ZERO, Duration::ZERO).await),
        ErrorKind::InvalidArgument
    );
    assert_eq!(fake.calls(), 0);
}

#[tokio::test]
async fn one_message_beyond_the_limits_keeps_its_whole_batch_back() {
    let fake = Arc::new(Fake::new());
    let queue = Queue::new("orders", Arc::<Fake>::clone(&fake));
    let batch = vec![Outgoing::new("fine"), Outgoing::new("x".repeat(17))];
    assert_eq!(
        kind_of(queue.send_batch(batch).await),
        ErrorKind::ResourceExhausted
    );
    assert!(queue.send_batch(Vec::new()).await.unwrap().is_empty());
    queue.ack_batch(&[]).await.unwrap();
    assert_eq!(fake.calls(), 0);
}

#[tokio::test]
async fn attributes_count_as_part_of_a_message() {
    let mut fake = Fake::new();
    fake.able = true;
    let queue = Queue::new("orders", Arc::new(fake));
    assert!(
        queue
            .send(Outgoing::new("12345678").attribute("1234", "5678"))
            .await
            .is_ok()
    );
    assert_eq!(
        kind_of(
            queue
                .send(Outgoing::new("12345678").attribute("1234", "56789"))
                .await
        ),
        ErrorKind::ResourceExhausted
    );
}

#[tokio::test]
async fn a_receive_of_more_than_the_target_returns_is_cut_to_that() {
    let queue = Queue::new("orders", Arc::new(Fake::new()));
    assert!(queue.receive(1000, Duration::ZERO, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_unavailable_is_tried_again_and_one_that_refuses_is_not() {
    let fake = Arc::new(Fake::new().failing(&[ErrorKind::Unavailable, ErrorKind::Unavailable]));
    let queue = Queue::new("orders", Arc::<Fake>::clone(&fake));
    assert_eq!(queue.send("x").await.unwrap(), "1");
    assert_eq!(fake.calls(), 3);

    let fake = Arc::new(Fake::new().failing(&[ErrorKind::NotFound]));
    assert_eq!(
        kind_of(Queue::new("orders", Arc::<Fake>::clone(&fake)).depth().await),
        ErrorKind::NotFound
    );
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn a_topic_refuses_what_it_cannot_carry() {
    let fake = Arc::new(Fake::new());
    let topic = Topic::new("news", Arc::<Fake>::clone(&fake));
    assert_eq!(
        kind_of(topic.publish("x".repeat(17)).await),
        ErrorKind::ResourceExhausted
    );
    assert_eq!(
        kind_of(topic.publish(Publication::new("x").attribute("a", "b")).await),
        ErrorKind::Unsupported
    );
    assert_eq!(fake.calls(), 0);
    assert_eq!(topic.publish("x").await.unwrap(), "1");
}

#[test]
fn a_depth_counts_each_message_once_whatever_is_told_apart() {
    let all = Depth::apart(3, 2, 1);
    let some = Depth {
        visible: 5,
        leased: None,
        delayed: Some(1),
    };
    let one = Depth {
        visible: 6,
        ..Depth::default()
    };
    for (depth, json) in [
        (all, r#"{"visible":3,"leased":2,"delayed":1}"#),
        (some, r#"{"visible":5,"delayed":1}"#),
        (one, r#"{"visible":6}"#),
    ] {
        assert_eq!(depth.total(), 6);
        assert_eq!(serde_json::to_string(&depth).unwrap(), json);
        assert_eq!(serde_json::from_str::<Depth>(json).unwrap(), depth);
    }
}

#[tokio::test]
async fn a_stream_refuses_what_it_cannot_carry() {
    let fake = Arc::new(Fake::new());
    let stream = Stream::new("clicks", Arc::<Fake>::clone(&fake));
    assert_eq!(
        kind_of(stream.append(Append::new("", "x")).await),
        ErrorKind::InvalidArgument
    );
    assert_eq!(
        kind_of(stream.append(Append::new("key", "x".repeat(14))).await),
        ErrorKind::ResourceExhausted
    );
    assert_eq!(
        kind_of(stream.read(&Position::Oldest, 1).await),
        ErrorKind::Unsupported
    );
    assert_eq!(fake.calls(), 0);
    assert_eq!(stream.append(Append::new("key", "x")).await.unwrap(), None);
    let mut able = Fake::new();
    able.able = true;
    let stream = Stream::new("clicks", Arc::new(able));
    assert_eq!(
        kind_of(stream.read(&Position::Oldest, 0).await),
        ErrorKind::InvalidArgument
    );
    let appended = stream.append(Append::new("key", "x")).await.unwrap();
    assert_eq!(appended.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_secret_is_read_but_never_shown() {
    let secret = Secret::new("keys", Arc::new(Fake::new()));
    let value = secret.get().await.unwrap();
    assert_eq!(value.expose_text().unwrap(), "hush");
    assert!(!format!("{value:?}").contains("hush"));
    assert_eq!(kind_of(secret.get_version("1").await), ErrorKind::Unsupported);
}
