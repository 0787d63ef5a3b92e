//! What an adapter implements for a bucket.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::Bucket;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;

/// What is known of a stored object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its entity tag; changes with each write.
    pub etag: Option<String>,
    /// Its version, where the bucket keeps versions.
    pub version: Option<String>,
    /// When it was last written.
    pub modified: DateTime<Utc>,
}

/// What a bucket can do. A request beyond it is [`ErrorKind::Unsupported`] before any I/O.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketCapabilities {
    /// Whether [`Bucket::put_if_absent`] works.
    pub put_if_absent: bool,
    /// Whether [`Bucket::put_if_match`] works.
    pub put_if_match: bool,
    /// Whether content type and metadata are kept.
    pub attributes: bool,
    /// The longest life of a signed URL; zero where there are none.
    pub max_signed_url: Duration,
    /// The longest key, in bytes.
    pub max_key_bytes: usize,
    /// Whether one key may begin another at a slash (`a` and `a/b`). Where not, as in a folder, the second of the two is refused with
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument).
    pub nested_keys: bool,
    /// Whether the store lists by ascending key bytes, so that a page can stop early.
    pub ordered_list: bool,
}

impl BucketCapabilities {
    /// All that this crate knows to ask of a bucket, with the limits that are common: a starting point for a store that lacks little.
    pub const FULL: Self = Self {
        put_if_absent: true,
        put_if_match: true,
        attributes: true,
        max_signed_url: Duration::from_secs(7 * 24 * 3600),
        max_key_bytes: 1024,
        nested_keys: true,
        ordered_list: true,
    };
}

/// What a signed URL allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedMethod {
    /// Reading the object.
    Get,
    /// Writing it.
    Put,
    /// Deleting it.
    Delete,
}

impl From<SignedMethod> for http::Method {
    fn from(method: SignedMethod) -> Self {
        match method {
            SignedMethod::Get => Self::GET,
            SignedMethod::Put => Self::PUT,
            SignedMethod::Delete => Self::DELETE,
        }
    }
}

/// One provider's bucket: an [`ObjectStore`], and what that trait does not have.
///
/// Must not retry beyond what its store does. May be called concurrently.
#[async_trait]
pub trait BucketDriver: Debug + Send + Sync + 'static {
    /// What it can do; constant for the driver's life.
    fn capabilities(&self) -> BucketCapabilities;
    /// The store, rooted at the bucket.
    fn store(&self) -> Arc<dyn ObjectStore>;
    /// A URL that allows `method` on `key` until `expires_in` from now, without credentials.
    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<String>;
    /// The provider's own client, for what neither this nor the store can do.
    fn as_any(&self) -> &dyn Any;
}

/// How an object is stored besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptionsExt {
    /// Its media type.
    pub content_type: Option<String>,
    /// Metadata by lower-case name.
    pub metadata: BTreeMap<String, String>,
}
