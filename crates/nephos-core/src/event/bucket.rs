//! Bucket events: an object was created (or replaced), or deleted.

use serde::{Deserialize, Serialize};

/// What is known of an object when the event is made. Only bucket and key are known on every target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// The bucket's name in the manifest.
    pub bucket: String,
    /// The object's key, decoded: any UTF-8 text.
    pub key: String,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The entity tag, without quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The version, where the bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

impl ObjectInfo {
    /// An object of which only bucket and key are known.
    #[must_use]
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            size: None,
            etag: None,
            version: None,
            content_type: None,
        }
    }
}

/// An object was created, or replaced by a new version. Dereferences to its [`ObjectInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectCreated(pub ObjectInfo);

/// An object was deleted. Dereferences to its [`ObjectInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectDeleted(pub ObjectInfo);

impl std::ops::Deref for ObjectCreated {
    type Target = ObjectInfo;

    fn deref(&self) -> &ObjectInfo {
        &self.0
    }
}

impl std::ops::Deref for ObjectDeleted {
    type Target = ObjectInfo;

    fn deref(&self) -> &ObjectInfo {
        &self.0
    }
}

/// Either of the two, for a function that watches both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectEvent {
    /// Created or replaced.
    Created(ObjectCreated),
    /// Deleted.
    Deleted(ObjectDeleted),
}

impl ObjectEvent {
    /// The object.
    #[must_use]
    pub fn object(&self) -> &ObjectInfo {
        match self {
            Self::Created(created) => created,
            Self::Deleted(deleted) => deleted,
        }
    }
}
