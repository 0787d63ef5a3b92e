//! The JSON bodies of a queue's operations.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use nephos_core::event::Message;
use nephos_core::resource::queue::{Outgoing, Receipt, Received};
use serde::{Deserialize, Serialize};

use super::{WirePayload, millis};

/// `queue/send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendBody {
    /// The messages, in order.
    pub messages: Vec<WireOutgoing>,
}

/// A message on its way into a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireOutgoing {
    /// The body.
    pub body: WirePayload,
    /// Attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The ordering group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How long it stays hidden, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

impl From<&Outgoing> for WireOutgoing {
    fn from(message: &Outgoing) -> Self {
        Self {
            body: message.body.clone().into(),
            attributes: message.attributes.clone(),
            group: message.group.clone(),
            delay_ms: millis(message.delay),
        }
    }
}

impl From<WireOutgoing> for Outgoing {
    fn from(wire: WireOutgoing) -> Self {
        Self {
            body: wire.body.into(),
            attributes: wire.attributes,
            group: wire.group,
            delay: Duration::from_millis(wire.delay_ms),
        }
    }
}

/// `queue/receive`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveBody {
    /// The most messages.
    pub max: usize,
    /// How long they are leased, in milliseconds.
    pub visibility_timeout_ms: u64,
    /// How long to wait for the first, in milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
}

/// The body of `queue/peek`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeekBody {
    /// The most messages.
    pub max: usize,
}

/// The answer to `queue/receive`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveReply {
    /// The messages.
    pub messages: Vec<WireReceived>,
}

/// A message as received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireReceived {
    /// The message.
    pub message: WireMessage,
    /// The right to acknowledge it.
    pub receipt: Receipt,
}

/// A queue's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireMessage {
    /// Its id.
    pub id: String,
    /// The queue's name.
    pub queue: String,
    /// Its body.
    pub body: WirePayload,
    /// Its attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Its ordering group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Which delivery it is, from 1.
    pub attempt: u32,
    /// When it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
}

impl From<Received> for WireReceived {
    fn from(received: Received) -> Self {
        let message = received.message;
        Self {
            message: WireMessage {
                id: message.id,
                queue: message.queue,
                body: message.body.into(),
                attributes: message.attributes,
                group: message.group,
                attempt: message.attempt,
                sent_at: message.sent_at,
            },
            receipt: received.receipt,
        }
    }
}

impl From<WireReceived> for Received {
    fn from(wire: WireReceived) -> Self {
        let message = wire.message;
        Self {
            message: Message {
                id: message.id,
                queue: message.queue,
                body: message.body.into(),
                attributes: message.attributes,
                group: message.group,
                attempt: message.attempt,
                sent_at: message.sent_at,
            },
            receipt: wire.receipt,
        }
    }
}

/// `queue/ack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckBody {
    /// The deliveries to acknowledge.
    pub receipts: Vec<Receipt>,
}

/// `queue/nack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NackBody {
    /// The delivery.
    pub receipt: Receipt,
    /// How long until the next one, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

/// `queue/extend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendBody {
    /// The delivery.
    pub receipt: Receipt,
    /// How long it stays leased from now on, in milliseconds.
    pub visibility_timeout_ms: u64,
}
