//! Queue events: messages, leased to the function until it acknowledges them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// One message of a queue.
///
/// `T` is what the handler wants of the body: a type that deserialises from JSON, a `String`, or
/// [`Bytes`](bytes::Bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<T> {
    /// The message's id: the same on each delivery.
    pub id: String,
    /// The queue's name in the manifest.
    pub queue: String,
    /// The body.
    pub body: T,
    /// Attributes that the sender set.
    pub attributes: BTreeMap<String, String>,
    /// The ordering group: messages of one group are delivered in order, one after the other.
    pub group: Option<String>,
    /// Which delivery this is, from 1.
    pub attempt: u32,
    /// When it was sent.
    pub sent_at: Option<DateTime<Utc>>,
}

impl<T> Message<T> {
    /// The same message with another body.
    pub fn with_body<U>(self, body: U) -> Message<U> {
        self.split().1.attach(body)
    }

    /// The body, and the message without it.
    pub fn split(self) -> (T, Message<()>) {
        let Self {
            id,
            queue,
            body,
            attributes,
            group,
            attempt,
            sent_at,
        } = self;
        (
            body,
            Message {
                id,
                queue,
                body: (),
                attributes,
                group,
                attempt,
                sent_at,
            },
        )
    }
}

impl Message<()> {
    fn attach<U>(self, body: U) -> Message<U> {
        let Self {
            id,
            queue,
            body: (),
            attributes,
            group,
            attempt,
            sent_at,
        } = self;
        Message {
            id,
            queue,
            body,
            attributes,
            group,
            attempt,
            sent_at,
        }
    }
}
