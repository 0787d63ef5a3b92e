//! The neutral event: CloudEvents attributes around what one trigger delivers.
//!
//! An adapter decodes its provider's bytes into an [`Event`]; a handler takes a typed view of it (see
//! [`FromEvent`](crate::handler::FromEvent)). Queues, streams and tables deliver *records*, several in one event; each
//! record has an id, and fails or succeeds alone.

mod auth;
mod bucket;
pub mod cloudevents;
mod email;
mod http;
mod payload;
mod queue;
mod raw;
mod records;
mod schedule;
mod stream;
mod table;
mod topic;
mod voice;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::auth::{AuthDecision, AuthEvent, AuthStage, AuthVerdict};
pub use self::bucket::{ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo};
#[cfg(feature = "email-posted")]
pub use self::email::posted;
pub use self::email::{Attachment, Email, Envelope, Mailbox};
pub(crate) use self::http::READ;
pub use self::http::{Body, BufferedRequest, Request, Response, buffered, read_body, read_json};
pub use self::payload::Payload;
pub use self::queue::Message;
pub use self::raw::Raw;
pub use self::schedule::Tick;
pub use self::stream::Record;
pub use self::table::{Change, ChangeKind};
pub use self::topic::Notification;
pub use self::voice::{VoiceRequest, VoiceRequestKind, VoiceResponse};

use crate::error::Error;

/// The ten kinds of trigger, and events of no kind that Nephos knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerKind {
    /// An HTTP request.
    Http,
    /// An object created in, or deleted from, a bucket.
    Bucket,
    /// Messages of a queue.
    Queue,
    /// A notification published to a topic.
    Topic,
    /// Records of a stream, in order.
    Stream,
    /// Changes of a table's items, in order.
    Table,
    /// A tick of a schedule.
    Schedule,
    /// An inbound e-mail.
    Email,
    /// A step of a user's sign-up or sign-in.
    Auth,
    /// A request of a voice assistant.
    Voice,
    /// Anything else, as it came.
    Raw,
}

impl TriggerKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Http,
        Self::Bucket,
        Self::Queue,
        Self::Topic,
        Self::Stream,
        Self::Table,
        Self::Schedule,
        Self::Email,
        Self::Auth,
        Self::Voice,
        Self::Raw,
    ];

    /// The name, as in the manifest (`bucket`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Bucket => "bucket",
            Self::Queue => "queue",
            Self::Topic => "topic",
            Self::Stream => "stream",
            Self::Table => "table",
            Self::Schedule => "schedule",
            Self::Email => "email",
            Self::Auth => "auth",
            Self::Voice => "voice",
            Self::Raw => "raw",
        }
    }

    /// Whether an event of this kind carries records that fail one by one.
    #[must_use]
    pub const fn has_records(self) -> bool {
        matches!(self, Self::Queue | Self::Stream | Self::Table)
    }

    /// Whether the caller waits for the answer, and is told what failed: nothing of it is retried or dead-lettered.
    #[must_use]
    pub const fn caller_waits(self) -> bool {
        matches!(self, Self::Http | Self::Auth | Self::Voice)
    }

    /// Whether records behind a failed one must wait for it: streams and table changes are ordered.
    #[must_use]
    pub const fn is_ordered(self) -> bool {
        matches!(self, Self::Stream | Self::Table)
    }
}

impl fmt::Display for TriggerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An id that is unique and sorts by time, a [UUID of version 7](https://www.rfc-editor.org/rfc/rfc9562#section-5.7). The system is asked for randomness once a
/// process: for each event it would be a system call. No secret: who knows one can tell the next.
pub(crate) fn random_id() -> String {
    static KEY: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&mixed(*KEY, count).to_ne_bytes());
    random[8..].copy_from_slice(&count.to_le_bytes()[..2]);
    let millis = now.as_secs().saturating_mul(1_000) + u64::from(now.subsec_millis());
    uuid::Builder::from_unix_timestamp_millis(millis, &random)
        .into_uuid()
        .hyphenated()
        .encode_lower(&mut uuid::Uuid::encode_buffer())
        .to_owned()
}

/// Number `count` of the sequence that begins at `key`, by [SplitMix64](https://prng.di.unimi.it/splitmix64.c): no two of one process are the same.
fn mixed(key: u64, count: u64) -> u64 {
    let mut z = key.wrapping_add(count.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The context attributes of [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Identifies the event; unique together with `source`, the same on each redelivery.
    pub id: String,
    /// Where it happened, a URI reference (`bucket/snapshots`).
    pub source: Cow<'static, str>,
    /// What happened (`dev.nephos.bucket.object.created`).
    #[serde(rename = "type")]
    pub ty: Cow<'static, str>,
    /// What it happened to, within the source (an object's key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<DateTime<Utc>>,
    /// Facts beyond the standard's, by lower-case alphanumeric name; what only one provider tells goes here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<Cow<'static, str>, String>,
}

impl Attributes {
    /// Attributes with a new random id and the present time.
    #[must_use]
    pub fn new(source: impl Into<Cow<'static, str>>, ty: impl Into<Cow<'static, str>>) -> Self {
        Self {
            id: random_id(),
            source: source.into(),
            ty: ty.into(),
            subject: None,
            time: Some(Utc::now()),
            extensions: BTreeMap::new(),
        }
    }

    /// The attributes that follow from `data`; what it does not tell is a new random id and the present time.
    ///
    /// An event of records takes the first record's. [`Data::Raw`] says nothing of itself: its source and type are `raw`.
    #[must_use]
    pub fn of(data: &Data) -> Self {
        Self::known(data, None, None)
    }

    /// The same, with an id and a time that the provider tells besides: these come first. Neither randomness nor the clock is asked for what is known.
    #[must_use]
    pub fn known(data: &Data, id: Option<String>, time: Option<DateTime<Utc>>) -> Self {
        let kind = data.kind();
        let mut subject = None;
        let record = match data {
            Data::Bucket(event) => {
                let object = event.object();
                subject = Some(object.key.clone());
                Some((None, &object.bucket, None))
            }
            Data::Topic(notification) => {
                subject.clone_from(&notification.subject);
                Some((
                    Some(&notification.id),
                    &notification.topic,
                    Some(notification.published_at),
                ))
            }
            Data::Queue(records) => records
                .first()
                .map(|message| (Some(&message.id), &message.queue, Some(message.sent_at))),
            Data::Stream(records) => records
                .first()
                .map(|record| (Some(&record.sequence), &record.stream, Some(record.appended_at))),
            Data::Table(records) => records
                .first()
                .map(|change| (Some(&change.sequence), &change.table, Some(change.at))),
            _ => None,
        };
        let (told_id, source, told_time) = match record {
            // Without the machinery of formatting: this is done for each event.
            Some((id, name, time)) => (id, Cow::Owned([kind.name(), "/", name].concat()), time),
            None => (None, Cow::Borrowed(kind.name()), None),
        };
        Self {
            id: id.or_else(|| told_id.cloned()).unwrap_or_else(random_id),
            source,
            ty: cloudevents::type_of(data).unwrap_or(Cow::Borrowed(kind.name())),
            subject,
            time: match told_time {
                Some(told) => time.or(told),
                None => Some(time.unwrap_or_else(Utc::now)),
            },
            extensions: BTreeMap::new(),
        }
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Sets the subject.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets the time.
    #[must_use]
    pub fn time(mut self, time: DateTime<Utc>) -> Self {
        self.time = Some(time);
        self
    }
}

/// What one invocation of a function is about.
#[derive(Debug)]
pub struct Event {
    /// CloudEvents attributes. For an event with records these are the batch's own; each record has its id.
    pub attributes: Attributes,
    /// The neutral content.
    pub data: Data,
    /// Records that could not be decoded: they fail alone, the rest is handled.
    pub undecodable: Vec<RecordFailure>,
    /// The provider's bytes as they came, if they were kept.
    pub raw: Option<Raw>,
}

impl Event {
    /// An event of `data`.
    #[must_use]
    pub fn new(attributes: Attributes, data: Data) -> Self {
        Self {
            attributes,
            data,
            undecodable: Vec::new(),
            raw: None,
        }
    }

    /// An event of `data`, with the attributes that follow from it: type, source, and subject, id and time where the data has them.
    #[must_use]
    pub fn of(data: Data) -> Self {
        Self::new(Attributes::of(&data), data)
    }

    /// Keeps the provider's bytes.
    #[must_use]
    pub fn with_raw(mut self, raw: Raw) -> Self {
        self.raw = Some(raw);
        self
    }

    /// The kind of trigger that it comes from.
    #[must_use]
    pub fn kind(&self) -> TriggerKind {
        self.data.kind()
    }
}

/// The content of an [`Event`], by kind of trigger.
#[derive(Debug)]
#[non_exhaustive]
pub enum Data {
    /// An HTTP request, its body still streaming.
    Http(Request),
    /// An object was created or deleted.
    Bucket(ObjectEvent),
    /// Messages of one queue.
    Queue(Vec<Message<Payload>>),
    /// A notification.
    Topic(Notification<Payload>),
    /// Records of one stream, in order.
    Stream(Vec<Record<Payload>>),
    /// Changes of one table, in order.
    Table(Vec<Change<serde_json::Value>>),
    /// A tick.
    Schedule(Tick),
    /// An e-mail.
    Email(Box<Email>),
    /// A sign-up or sign-in step.
    Auth(Box<AuthEvent>),
    /// A voice request.
    Voice(Box<VoiceRequest>),
    /// Anything else.
    Raw(Raw),
}

impl Data {
    /// The kind of trigger.
    #[must_use]
    pub fn kind(&self) -> TriggerKind {
        match self {
            Self::Http(_) => TriggerKind::Http,
            Self::Bucket(_) => TriggerKind::Bucket,
            Self::Queue(_) => TriggerKind::Queue,
            Self::Topic(_) => TriggerKind::Topic,
            Self::Stream(_) => TriggerKind::Stream,
            Self::Table(_) => TriggerKind::Table,
            Self::Schedule(_) => TriggerKind::Schedule,
            Self::Email(_) => TriggerKind::Email,
            Self::Auth(_) => TriggerKind::Auth,
            Self::Voice(_) => TriggerKind::Voice,
            Self::Raw(_) => TriggerKind::Raw,
        }
    }
}

/// One record that failed, and why.
#[derive(Debug)]
pub struct RecordFailure {
    /// The record's id: a message's `id`, a record's or change's `sequence`.
    pub id: String,
    /// Why it failed; its [disposition](Error::disposition) says what becomes of the record.
    pub error: Error,
}

/// Several records of one event, for a handler that wants them together.
///
/// Dereferences to a slice. A record whose body does not decode is not in it: that one fails alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T>(pub Vec<T>);

impl<T> std::ops::Deref for Batch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Batch<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::random_id;

    #[test]
    fn ids_are_uuids_of_version_7_and_all_different() {
        let ids: BTreeSet<String> = (0..10_000).map(|_| random_id()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in &ids {
            let id: uuid::Uuid = id.parse().unwrap();
            assert_eq!(
                (id.get_version_num(), id.get_variant()),
                (7, uuid::Variant::RFC4122)
            );
        }
    }
}
