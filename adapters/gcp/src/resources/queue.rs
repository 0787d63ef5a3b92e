//! Queues as a topic of Pub/Sub and a subscription of the same name, pulled: <https://cloud.google.com/pubsub/docs/pull>.

mod acknowledged;

use std::any::Any;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use nephos_core::event::{Message, Payload};
use nephos_core::resource::Binding;
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use self::acknowledged::Acknowledged;
use super::pubsub::{MAX_MESSAGE, Publisher, Sent, encoded, named};
use crate::config::Config;
use crate::error::{status, unreadable};
use crate::payload::from_attributes;

const SEND: &str = "queue.send";
const RECEIVE: &str = "queue.receive";

/// The property of a queue's binding that says that its subscription keeps the order of messages of one group; `true` is its one value.
pub const ORDERED: &str = "ordered";

/// The longest lease: <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/modifyAckDeadline>
const MAX_LEASE: Duration = Duration::from_secs(600);

/// The most messages of one pull that Pub/Sub gives.
const MAX_RECEIVE: usize = 1_000;

/// How many receipts one request settles: it has at most 512 KiB, and one has some 200 bytes.
const SETTLE: usize = 1_000;

/// How long it waits between two looks for a message, at first and at last.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// A queue.
///
/// Its subscription delivers exactly once, so that who lost a lease is told so, and has a dead-letter topic, without which Pub/Sub tells no attempts. It is asked again and again
/// while a receive waits, and not with one pull that waits: a pull that is given up may take messages along, which then come only after the subscription's own deadline.
///
/// Pub/Sub counts messages in Cloud Monitoring alone, minutes late, and delays none.
#[derive(Debug)]
pub struct GcpQueue {
    publisher: Publisher,
    /// `projects/p/subscriptions/q`, encoded.
    subscription: String,
    name: String,
    is_ordered: bool,
    acknowledged: Acknowledged,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pulled {
    #[serde(default)]
    received_messages: Vec<Delivered>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivered {
    ack_id: String,
    #[serde(default)]
    delivery_attempt: u32,
    message: Told,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(default)]
    data: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    message_id: String,
    publish_time: Option<DateTime<Utc>>,
    #[serde(default)]
    ordering_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settle<'a> {
    ack_ids: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack_deadline_seconds: Option<u64>,
}

impl GcpQueue {
    /// Opens the queue whose topic the binding names: `projects/p/topics/q`, or a name within the project. What its messages are received by is the subscription of the
    /// same name in the same project.
    ///
    /// # Errors
    /// As [`physical`](nephos_core::wiring::physical), and [`ErrorKind::InvalidArgument`] if it is no such name.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let publisher = Publisher::open(config, binding)?;
        let subscription = named(publisher.topic(), "topics")
            .map(|(project, name)| format!("projects/{project}/subscriptions/{name}"))
            .unwrap_or_default();
        Ok(Self {
            publisher,
            subscription: encoded(&subscription),
            name: binding.name.clone(),
            is_ordered: binding
                .properties
                .get(ORDERED)
                .is_some_and(|value| value == "true"),
            acknowledged: Acknowledged::default(),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("queue", &self.name)
    }

    async fn settle(
        &self,
        operation: &'static str,
        verb: &str,
        ack_ids: Vec<&str>,
        deadline: Option<u64>,
    ) -> Result<()> {
        let path = format!("/{}:{verb}", self.subscription);
        let body = Settle {
            ack_ids,
            ack_deadline_seconds: deadline,
        };
        let _: Value = self.publisher.rest.post(operation, &path, &body).await?;
        Ok(())
    }

    /// Changes a lease to end so long from now.
    async fn change(&self, operation: &'static str, receipt: &Receipt, lease: Duration) -> Result<()> {
        let deadline = Some(seconds(lease));
        self.settle(operation, "modifyAckDeadline", vec![&receipt.0], deadline)
            .await
            .map_err(|error| self.of(lost(operation, error)))
    }

    /// One pull, which does not wait.
    async fn pull(&self, max: usize, lease: Duration) -> Result<Vec<Received>> {
        let path = format!("/{}:pull", self.subscription);
        let body = json!({"maxMessages": max.min(MAX_RECEIVE), "returnImmediately": true});
        let pulled: Pulled = self.publisher.rest.post(RECEIVE, &path, &body).await?;
        if pulled.received_messages.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = (pulled.received_messages.iter())
            .map(|one| one.ack_id.as_str())
            .collect();
        // Until now they have the subscription's own deadline.
        self.settle(RECEIVE, "modifyAckDeadline", ids, Some(seconds(lease)))
            .await?;
        pulled
            .received_messages
            .into_iter()
            .map(|one| self.received(one))
            .collect()
    }

    fn received(&self, one: Delivered) -> Result<Received> {
        let bytes = STANDARD
            .decode(&one.message.data)
            .map_err(|_| unreadable(RECEIVE, "a message's data is no Base64"))?;
        let (content_type, _, attributes) = from_attributes(one.message.attributes);
        Ok(Received {
            message: Message {
                id: one.message.message_id,
                queue: self.name.clone(),
                body: Payload {
                    content_type,
                    bytes: bytes.into(),
                },
                attributes,
                group: Some(one.message.ordering_key).filter(|key| !key.is_empty()),
                // Without a dead-letter topic it is not told.
                attempt: one.delivery_attempt.max(1),
                sent_at: one.message.publish_time,
            },
            receipt: Receipt(one.ack_id),
        })
    }
}

/// Whole seconds that cover it.
fn seconds(lease: Duration) -> u64 {
    lease.as_secs() + u64::from(lease.subsec_nanos() > 0)
}

/// A subscription that delivers exactly once refuses receipts that do not count any more as invalid, or as a condition that does not hold:
/// <https://cloud.google.com/pubsub/docs/exactly-once-delivery#redelivery_vs_duplicate>
fn is_lost(error: &Error) -> bool {
    matches!(status(error), Some("INVALID_ARGUMENT" | "FAILED_PRECONDITION"))
}

fn lost(operation: &'static str, error: Error) -> Error {
    if !is_lost(&error) {
        return error;
    }
    Error::new(
        ErrorKind::Conflict,
        operation,
        "the lease has ended: another receiver has the message, or it is gone",
    )
    .caused_by(error)
}

#[async_trait]
impl QueueDriver for GcpQueue {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities {
            max_delay: Duration::ZERO,
            max_visibility_timeout: MAX_LEASE,
            max_message_bytes: MAX_MESSAGE,
            max_receive: MAX_RECEIVE,
            ordered_groups: self.is_ordered,
            attributes: true,
            exact_depth: false,
            counts_leased: false,
            counts_delayed: false,
        }
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        let messages = batch
            .iter()
            .map(|one| Sent::new(SEND, &one.body, None, &one.attributes, one.group.as_deref()))
            .collect::<Result<Vec<_>>>()
            .map_err(|error| self.of(error))?;
        self.publisher
            .publish(SEND, &messages)
            .await
            .map_err(|error| self.of(error))
    }

    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Received>> {
        if self.is_ordered {
            return Err(self.of(Error::new(
                ErrorKind::Unsupported,
                RECEIVE,
                "a pull takes several messages of one group at once; let a function be triggered by the ordered queue",
            )));
        }
        let deadline = Instant::now() + wait;
        let mut look = FIRST_LOOK;
        loop {
            let received = self.pull(max, lease).await.map_err(|error| self.of(error))?;
            let now = Instant::now();
            if !received.is_empty() || now >= deadline {
                return Ok(received);
            }
            tokio::time::sleep(look.min(deadline - now)).await;
            look = (look * 2).min(LAST_LOOK);
        }
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<()> {
        const OPERATION: &str = "queue.ack";
        for part in receipts.chunks(SETTLE) {
            // What is settled already is refused, and the others with it.
            let open: Vec<&str> = (part.iter())
                .map(|receipt| receipt.0.as_str())
                .filter(|id| !self.acknowledged.has(id))
                .collect();
            if open.is_empty() {
                continue;
            }
            match self.settle(OPERATION, "acknowledge", open.clone(), None).await {
                Ok(()) => {}
                Err(error) if is_lost(&error) && open.len() > 1 => {
                    // Of several, those that still count are acknowledged all the same.
                    let mut first = None;
                    for id in open {
                        let one = self.settle(OPERATION, "acknowledge", vec![id], None).await;
                        match one {
                            Ok(()) => self.acknowledged.add(id),
                            Err(error) => first = first.or(Some(error)),
                        }
                    }
                    match first {
                        Some(error) => return Err(self.of(lost(OPERATION, error))),
                        None => continue,
                    }
                }
                Err(error) => return Err(self.of(lost(OPERATION, error))),
            }
            for id in open {
                self.acknowledged.add(id);
            }
        }
        Ok(())
    }

    async fn nack(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        const OPERATION: &str = "queue.nack";
        if self.acknowledged.has(&receipt.0) {
            return Ok(());
        }
        self.change(OPERATION, receipt, delay.min(MAX_LEASE)).await
    }

    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<Receipt> {
        self.change("queue.extend", receipt, lease).await?;
        Ok(receipt.clone())
    }

    async fn depth(&self) -> Result<Depth> {
        Err(self.of(Error::new(
            ErrorKind::Unsupported,
            "queue.depth",
            "Pub/Sub counts messages in Cloud Monitoring alone, minutes late; look there for `subscription/num_undelivered_messages`",
        )))
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Google's underneath; this one sends what it is given.
        &self.publisher.rest
    }
}
