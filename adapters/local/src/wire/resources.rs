//! The JSON bodies of the resource API: one pair an operation, named after the driver's methods. Those of queues are in `queue.rs`.

use std::collections::BTreeMap;

use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use nephos_core::event::{Payload, Record};
use nephos_core::resource::stream::{Append, Position, StreamPage};
use nephos_core::resource::table::{Key, Stored, Version, Write};
use nephos_core::resource::topic::Publication;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A body and its media type; the bytes in base64, as they need not be text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WirePayload {
    /// The media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The bytes.
    #[serde(with = "base64_bytes")]
    pub base64: Bytes,
}

impl From<Payload> for WirePayload {
    fn from(payload: Payload) -> Self {
        Self {
            content_type: payload.content_type,
            base64: payload.bytes,
        }
    }
}

impl From<WirePayload> for Payload {
    fn from(wire: WirePayload) -> Self {
        Self {
            content_type: wire.content_type,
            bytes: wire.base64,
        }
    }
}

mod base64_bytes {
    use base64::Engine as _;

    use super::{Bytes, Deserialize, Deserializer, STANDARD, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        // Base64 needs no JSON escapes, but a reader or a foreign client may force a copy.
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD
            .decode(text.as_bytes())
            .map(Bytes::from)
            .map_err(|error| serde::de::Error::custom(format_args!("not base64: {error}")))
    }
}

/// The answer to `queue/send` and `topic/publish`: ids, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdsReply {
    /// One for each that was sent.
    pub ids: Vec<String>,
}

/// The answer to `stream/append`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencesReply {
    /// One for each record, in order; `null` for one of which none is told.
    pub sequences: Vec<Option<String>>,
}

/// `topic/publish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishBody {
    /// The notifications, in order.
    pub notifications: Vec<WirePublication>,
}

/// A notification on its way to a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WirePublication {
    /// The body.
    pub body: WirePayload,
    /// A short subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl From<&Publication> for WirePublication {
    fn from(publication: &Publication) -> Self {
        Self {
            body: publication.body.clone().into(),
            subject: publication.subject.clone(),
            attributes: publication.attributes.clone(),
        }
    }
}

impl From<WirePublication> for Publication {
    fn from(wire: WirePublication) -> Self {
        Self {
            body: wire.body.into(),
            subject: wire.subject,
            attributes: wire.attributes,
        }
    }
}

/// `stream/append`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendBody {
    /// The records, in order.
    pub records: Vec<WireAppend>,
}

/// A record on its way into a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireAppend {
    /// What orders it.
    pub partition_key: String,
    /// The body.
    pub body: WirePayload,
    /// Attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl From<&Append> for WireAppend {
    fn from(record: &Append) -> Self {
        Self {
            partition_key: record.partition_key.clone(),
            body: record.body.clone().into(),
            attributes: record.attributes.clone(),
        }
    }
}

impl From<WireAppend> for Append {
    fn from(wire: WireAppend) -> Self {
        Self {
            partition_key: wire.partition_key,
            body: wire.body.into(),
            attributes: wire.attributes,
        }
    }
}

/// `stream/read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBody {
    /// Where to begin.
    #[serde(default)]
    pub position: Position,
    /// The most records.
    pub max: usize,
}

/// The answer to `stream/read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReply {
    /// The records, in order.
    pub records: Vec<WireRecord>,
    /// Where to go on.
    pub next: Position,
}

/// A stream's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireRecord {
    /// Its place in the stream.
    pub sequence: String,
    /// The stream's name.
    pub stream: String,
    /// What orders it.
    pub partition_key: String,
    /// Its body.
    pub body: WirePayload,
    /// Its attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// When the stream took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appended_at: Option<DateTime<Utc>>,
}

impl From<StreamPage> for ReadReply {
    fn from(page: StreamPage) -> Self {
        let records = page
            .records
            .into_iter()
            .map(|record| WireRecord {
                sequence: record.sequence,
                stream: record.stream,
                partition_key: record.partition_key,
                body: record.body.into(),
                attributes: record.attributes,
                appended_at: record.appended_at,
            })
            .collect();
        Self {
            records,
            next: page.next,
        }
    }
}

impl From<ReadReply> for StreamPage {
    fn from(wire: ReadReply) -> Self {
        let records = wire
            .records
            .into_iter()
            .map(|record| Record {
                sequence: record.sequence,
                stream: record.stream,
                partition_key: record.partition_key,
                body: record.body.into(),
                attributes: record.attributes,
                appended_at: record.appended_at,
            })
            .collect();
        Self {
            records,
            next: wire.next,
        }
    }
}

/// `table/get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBody {
    /// The item's key.
    pub key: Key,
}

/// The answer to `table/get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemReply {
    /// The item, or null.
    pub item: Option<Stored<serde_json::Value>>,
}

/// `table/write`. (`table/query` takes the core's `Query`, and answers, as `table/scan` does, with its `Page`.)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriteBody {
    /// The writes: all or none.
    pub batch: Vec<Write>,
}

/// The answer to `table/write`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsReply {
    /// A version for each put, null for each delete, in order.
    pub versions: Vec<Option<Version>>,
}

/// `table/scan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanBody {
    /// The most items.
    pub limit: usize,
    /// Where to go on.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// `secret/get`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecretBody {
    /// Which version; the newest if none.
    #[serde(default)]
    pub version: Option<String>,
}

/// The answer to `secret/get`. Its `Debug` does not show the value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReply {
    /// The value.
    #[serde(with = "base64_bytes")]
    pub base64: Bytes,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
}

impl std::fmt::Debug for SecretReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretReply")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
