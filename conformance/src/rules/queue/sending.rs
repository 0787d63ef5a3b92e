//! Rules of what a queue carries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use nephos_core::event::Payload;
use nephos_core::resource::queue::Outgoing;

use super::{BRIEF, LONG, drain, next, open, texts};
use crate::harness::Harness;
use crate::mutants::portable;
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "queue.send.then-receive",
        "what is sent is what is received",
        "Go CDK drivertest",
        BodyTruncated,
        send_receive
    ),
    rule!(
        "queue.body.binary",
        "a body is bytes, not text",
        "Go CDK drivertest",
        BodyUtf8Lossy,
        binary
    ),
    rule!(
        "queue.body.empty",
        "a message may say all in its attributes",
        "Go CDK drivertest",
        EmptyBodyLost,
        empty_body
    ),
    rule!(
        "queue.body.largest-that-is-allowed",
        "the declared limit is one that works",
        "Nephos",
        BodyTruncated,
        largest
    ),
    rule!(
        "queue.body.too-large-is-refused",
        "a message is refused before it is sent, with what to do",
        "Nephos",
        LimitNotHeld,
        too_large
    ),
    rule!(
        "queue.body.content-type",
        "a handler decodes by the media type",
        "Go CDK drivertest",
        ContentTypeLost,
        content_type
    ),
    rule!(
        "queue.attributes.round-trip",
        "attributes carry what is not in the body",
        "Go CDK drivertest",
        AttributesDropped,
        attributes,
        needs | capabilities | capabilities.queue.attributes,
        attributes_refused
    ),
    rule!(
        "queue.batch.ids-in-order",
        "an id belongs to the message that it was returned for",
        "Go CDK drivertest",
        IdsReversed,
        ids
    ),
    rule!(
        "queue.batch.any-number",
        "a driver splits what its provider limits",
        "Go CDK drivertest",
        BatchLosesLast,
        many
    ),
    rule!(
        "queue.batch.too-large-sends-none",
        "a batch that is refused may be sent again without repeating half of it",
        "Nephos",
        BatchNotAtomic,
        too_large_in_batch
    ),
    rule!(
        "queue.delay.hides-the-message",
        "a reminder comes later",
        "Dapr certification",
        DelayIgnored,
        delay,
        needs | capabilities | !capabilities.queue.max_delay.is_zero(),
        delay_refused
    ),
    rule!(
        "queue.delay.too-long-is-refused",
        "a delay is refused, not cut short",
        "Nephos",
        LimitNotHeld,
        delay_too_long
    ),
];

async fn send_receive(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let id = queue.send("hello").await?;
    let received = next(&queue, LONG).await?;
    ensure_eq!(received.message.id, id, "the id");
    ensure_eq!(received.message.body.bytes, "hello", "the body");
    ensure_eq!(received.message.attempt, 1, "the attempt of a first delivery");
    queue.ack(&received.receipt).await?;
    let more = queue.receive(1, LONG, BRIEF).await?;
    ensure_eq!(
        texts(&more),
        Vec::<String>::new(),
        "messages after the only one was acknowledged"
    );
    Ok(())
}

async fn binary(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let bytes: Vec<u8> = (0..=255).rev().collect();
    queue.send(bytes.clone()).await?;
    let received = next(&queue, LONG).await?;
    ensure!(
        received.message.body.bytes == bytes,
        "256 bytes of all values changed on their way"
    );
    Ok(())
}

async fn empty_body(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send("").await?;
    ensure_eq!(
        next(&queue, LONG).await?.message.body.bytes.len(),
        0,
        "length of an empty body"
    );
    Ok(())
}

async fn largest(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let size = queue.capabilities().max_message_bytes;
    queue.send("x".repeat(size)).await?;
    ensure_eq!(
        next(&queue, LONG).await?.message.body.bytes.len(),
        size,
        "length of the largest body"
    );
    Ok(())
}

async fn too_large(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let size = queue.capabilities().max_message_bytes + 1;
    let error = ensure_fails!(
        queue.send("x".repeat(size)).await,
        ResourceExhausted,
        "a message of {size} bytes"
    );
    ensure!(
        error.to_string().contains(&size.to_string()),
        "the error tells the size: {error}"
    );
    // Counted with the body where attributes are carried.
    ensure_eq!(
        texts(&queue.receive(1, LONG, BRIEF).await?).len(),
        0,
        "messages after the refusal"
    );
    Ok(())
}

async fn too_large_in_batch(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let size = queue.capabilities().max_message_bytes + 1;
    let batch = vec!["small".into(), "x".repeat(size).into(), "small too".into()];
    ensure_fails!(
        portable::send_batch(&queue, batch).await,
        ResourceExhausted,
        "a batch with a message of {size} bytes"
    );
    ensure_eq!(
        texts(&queue.receive(10, LONG, BRIEF).await?),
        Vec::<String>::new(),
        "messages of a batch that was refused"
    );
    Ok(())
}

async fn content_type(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send_json(&serde_json::json!({"a": 1})).await?;
    let body = next(&queue, LONG).await?.message.body;
    ensure!(
        body.is_json(),
        "a body sent as JSON came as {:?}",
        body.content_type
    );
    let png = Payload {
        content_type: Some("image/png".to_owned()),
        bytes: vec![1, 2].into(),
    };
    queue
        .send(Outgoing {
            body: png.clone(),
            ..Outgoing::default()
        })
        .await?;
    ensure_eq!(
        next(&queue, LONG).await?.message.body,
        png,
        "a body with its media type"
    );
    Ok(())
}

fn with_attributes() -> Outgoing {
    Outgoing::new("x")
        .attribute("tenant", "blue")
        .attribute("note", "ünï cödé \"quoted\"")
}

async fn attributes(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    queue.send(with_attributes()).await?;
    ensure_eq!(
        next(&queue, LONG).await?.message.attributes,
        with_attributes().attributes,
        "attributes"
    );
    Ok(())
}

async fn attributes_refused(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    ensure_fails!(
        queue.send(with_attributes()).await,
        Unsupported,
        "attributes where none are carried"
    );
    Ok(())
}

async fn ids(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let batch = (0..5).map(|n| Outgoing::new(format!("message {n}"))).collect();
    let ids = queue.send_batch(batch).await?;
    ensure_eq!(ids.len(), 5, "ids of 5 messages");
    let received: BTreeMap<_, _> = drain(&queue)
        .await?
        .iter()
        .map(|one| (one.message.id.clone(), super::text(one)))
        .collect();
    for (n, id) in ids.iter().enumerate() {
        ensure_eq!(
            received.get(id),
            Some(&format!("message {n}")),
            "the message of id number {n}"
        );
    }
    Ok(())
}

async fn many(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let sent: BTreeSet<String> = (0..57).map(|n| format!("message {n}")).collect();
    let ids = queue
        .send_batch(sent.iter().map(|text| Outgoing::new(text.as_str())).collect())
        .await?;
    ensure_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 57, "different ids");
    let received = texts(&drain(&queue).await?);
    ensure_eq!(received.len(), 57, "messages received");
    ensure_eq!(
        received.into_iter().collect::<BTreeSet<_>>(),
        sent,
        "the messages"
    );
    ensure_eq!(
        queue.send_batch(Vec::new()).await?.len(),
        0,
        "ids of an empty batch"
    );
    Ok(())
}

async fn delay(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let delay = Duration::from_secs(1);
    queue.send(Outgoing::new("later").delay(delay)).await?;
    ensure_eq!(
        texts(&queue.receive(1, LONG, Duration::ZERO).await?).len(),
        0,
        "messages before the delay is over"
    );
    harness.pass(delay).await;
    ensure_eq!(
        super::text(&next(&queue, LONG).await?),
        "later",
        "the message after its delay"
    );
    Ok(())
}

async fn delay_refused(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let delayed = Outgoing::new("later").delay(Duration::from_secs(1));
    ensure_fails!(
        queue.send(delayed).await,
        Unsupported,
        "a delay where there is none"
    );
    Ok(())
}

async fn delay_too_long(harness: Subject) -> Verdict {
    let queue = open(&*harness).await?;
    let delay = queue.capabilities().max_delay + Duration::from_secs(1);
    ensure_fails!(
        queue.send(Outgoing::new("x").delay(delay)).await,
        Unsupported,
        "a delay of {delay:?}"
    );
    ensure_eq!(
        texts(&queue.receive(1, LONG, BRIEF).await?).len(),
        0,
        "messages after the refusal"
    );
    Ok(())
}
