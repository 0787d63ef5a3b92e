//! What an adapter implements for a bucket.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue};
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

/// A request that needs no credentials: its URL, and the headers that it must have.
///
/// Whoever has the URL may do what it allows, so it belongs in no log: its [`Debug`] form leaves out what proves it, and there is no other.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl {
    /// Where the request goes.
    pub url: String,
    /// What the client must send too, as some stores refuse the request without it. Empty on most targets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl SignedUrl {
    /// A URL that is enough by itself.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
        }
    }
}

impl Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.url.find(['?', '#']).unwrap_or(self.url.len());
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("SignedUrl")
            .field("url", &&self.url[..end])
            .field("headers", &names)
            .finish_non_exhaustive()
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
    /// A URL that allows `method` on `key` until `expires_in` from now, without credentials, with the headers that the store demands beside it.
    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<SignedUrl>;
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
