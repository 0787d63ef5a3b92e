//! Messages of Pub/Sub, as a push subscription delivers them: <https://cloud.google.com/pubsub/docs/push#receive_push>.
//!
//! | | wrapped | unwrapped, with metadata |
//! |---|---|---|
//! | body | `message.data`, Base64 | the request's |
//! | attributes | `message.attributes` | headers of their names, among all others: **not read**, as nobody can tell them from the rest |
//! | id, time, ordering key | `message.messageId`, `publishTime`, `orderingKey` | `x-goog-pubsub-message-id`, `-publish-time`, `-ordering-key` |
//! | which delivery | `deliveryAttempt`, if the subscription has a dead-letter policy | – |

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use nephos_core::event::Payload;
use nephos_core::{Result, json};
use serde::Deserialize;

use super::{malformed, refused};
use crate::payload;

const SUBSCRIPTION: HeaderName = HeaderName::from_static("x-goog-pubsub-subscription-name");
const MESSAGE_ID: HeaderName = HeaderName::from_static("x-goog-pubsub-message-id");
const PUBLISH_TIME: HeaderName = HeaderName::from_static("x-goog-pubsub-publish-time");
const ORDERING_KEY: HeaderName = HeaderName::from_static("x-goog-pubsub-ordering-key");

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its id: unique within its topic, the same on each delivery.
    pub id: String,
    /// Its body.
    pub data: Bytes,
    /// Its attributes, as they are at Pub/Sub.
    pub attributes: BTreeMap<String, String>,
    /// Its ordering key; none is empty there.
    pub ordering_key: Option<String>,
    /// When Pub/Sub took it.
    pub published_at: Option<DateTime<Utc>>,
    /// The subscription that brought it.
    pub subscription: Option<String>,
    /// Which delivery it is, from 1, if the subscription counts.
    pub attempt: Option<u32>,
    /// The media type of an unwrapped body.
    content_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped {
    message: Message,
    #[serde(default)]
    subscription: Option<String>,
    #[serde(default)]
    delivery_attempt: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    attributes: Option<BTreeMap<String, String>>,
    message_id: String,
    #[serde(default)]
    publish_time: Option<String>,
    #[serde(default)]
    ordering_key: Option<String>,
}

impl Pushed {
    /// Reads the JSON of a push, or the data of a CloudEvent `messagePublished`, which is the same.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if it is neither.
    pub fn wrapped(body: &[u8]) -> Result<Self> {
        let read: Wrapped = json::from_slice(body)
            .map_err(|error| malformed("the request holds no message as Pub/Sub pushes one", error))?;
        let message = read.message;
        if message.message_id.is_empty() {
            return Err(refused("the message has no id"));
        }
        let data = STANDARD
            .decode(message.data.unwrap_or_default())
            .map_err(|error| refused("the message's data are not Base64").caused_by(error))?;
        Ok(Self {
            id: message.message_id,
            data: data.into(),
            attributes: message.attributes.unwrap_or_default(),
            ordering_key: message.ordering_key.filter(|key| !key.is_empty()),
            published_at: message.publish_time.as_deref().and_then(time),
            subscription: read.subscription,
            attempt: read.delivery_attempt.map(|attempt| attempt.max(1)),
            content_type: None,
        })
    }

    /// Reads a message that came without a wrapper.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if it tells no id: the subscription must write metadata.
    pub fn unwrapped(headers: &HeaderMap, body: &Bytes) -> Result<Self> {
        let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
        let id = text(MESSAGE_ID).filter(|id| !id.is_empty()).ok_or_else(|| {
            refused(
                "the request tells no id of a message; let the subscription write metadata into its requests",
            )
        })?;
        Ok(Self {
            id,
            data: body.clone(),
            attributes: BTreeMap::new(),
            ordering_key: text(ORDERING_KEY).filter(|key| !key.is_empty()),
            published_at: text(PUBLISH_TIME).as_deref().and_then(time),
            subscription: text(SUBSCRIPTION),
            attempt: None,
            content_type: text(CONTENT_TYPE),
        })
    }

    /// The body and its media type, the subject, and the sender's own attributes.
    pub(super) fn content(self) -> (Payload, Option<String>, BTreeMap<String, String>) {
        let (content_type, subject, attributes) = payload::from_attributes(self.attributes);
        let body = Payload {
            content_type: content_type.or(self.content_type),
            bytes: self.data,
        };
        (body, subject, attributes)
    }
}

/// A time as RFC 3339 writes it.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok()
}
