//! Stream events: records of one partition key arrive in order; the first that fails stops those behind it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// One record of a stream; `T` as in [`Message`](crate::event::Message).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<T> {
    /// The record's place in its stream: opaque, unique, the same on each delivery.
    pub sequence: String,
    /// The stream's name in the manifest.
    pub stream: String,
    /// What orders it: records of one key stay in order.
    pub partition_key: String,
    /// The body.
    pub body: T,
    /// Attributes that the producer set, where the target carries any.
    pub attributes: BTreeMap<String, String>,
    /// When the stream took it.
    pub appended_at: Option<DateTime<Utc>>,
}

impl<T> Record<T> {
    /// The same record with another body.
    pub fn with_body<U>(self, body: U) -> Record<U> {
        let Self {
            sequence,
            stream,
            partition_key,
            body: _,
            attributes,
            appended_at,
        } = self;
        Record {
            sequence,
            stream,
            partition_key,
            body,
            attributes,
            appended_at,
        }
    }
}
