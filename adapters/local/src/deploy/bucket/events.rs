//! What a watched bucket reports, and to whom.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_core::Result;
use nephos_core::event::{Attributes, Data, Event, ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo};
use sha2::{Digest as _, Sha256};

use super::attributes::hex;
use super::files::FileInfo;

/// Takes what a bucket reports. Implemented by whoever feeds the triggers.
///
/// Must not write to the bucket before it returns: a write waits for its own report.
#[async_trait]
pub trait EventSink: Debug + Send + Sync + 'static {
    /// Makes these changes durable, all or none; they are in the order of the writes. After `Ok` they are not reported again; after an error
    /// they are, with the same ids, until it succeeds.
    ///
    /// # Errors
    /// Whatever kept them from being made durable.
    async fn deliver(&self, occurrences: &[Occurrence]) -> Result<()>;
}

/// One object created, replaced or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// The same whenever this very change is reported: made from bucket, key, etag and kind.
    pub id: String,
    /// When the object was written, or its deletion noticed.
    pub time: DateTime<Utc>,
    /// The change.
    pub event: ObjectEvent,
}

impl Occurrence {
    pub(super) fn created(bucket: &str, key: &str, info: &FileInfo, content_type: Option<String>) -> Self {
        Self {
            id: id(bucket, key, &info.etag, "created"),
            time: info.modified,
            event: ObjectEvent::Created(ObjectCreated(ObjectInfo {
                size: Some(info.size),
                etag: Some(info.etag.clone()),
                content_type,
                ..ObjectInfo::new(bucket, key)
            })),
        }
    }

    pub(super) fn deleted(bucket: &str, key: &str, etag: &str) -> Self {
        Self {
            id: id(bucket, key, etag, "deleted"),
            time: Utc::now(),
            event: ObjectEvent::Deleted(ObjectDeleted(ObjectInfo::new(bucket, key))),
        }
    }

    /// The key of the object.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.event.object().key
    }

    /// The neutral event.
    #[must_use]
    pub fn to_event(&self) -> Event {
        let object = self.event.object();
        let ty = match self.event {
            ObjectEvent::Created(_) => "dev.nephos.bucket.object.created",
            ObjectEvent::Deleted(_) => "dev.nephos.bucket.object.deleted",
        };
        let attributes = Attributes::new(format!("bucket/{}", object.bucket), ty)
            .id(&self.id)
            .subject(&object.key)
            .time(self.time);
        Event::new(attributes, Data::Bucket(self.event.clone()))
    }
}

fn id(bucket: &str, key: &str, etag: &str, kind: &str) -> String {
    let mut digest = Sha256::new();
    for part in [bucket, key, etag, kind] {
        digest.update(part.as_bytes());
        // A byte that none of them holds keeps the parts apart.
        digest.update([0]);
    }
    hex(&digest.finalize()[..16])
}
