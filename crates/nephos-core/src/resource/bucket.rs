//! Buckets: objects by key, on [`object_store`] underneath.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, Stream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, GetRange, MultipartUpload as _, ObjectStore,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, UpdateVersion,
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::resource::{Access, Grant, ResourceKind};

/// The size of one part of a streamed upload: the least that every provider takes but for the last part, 5 MiB, and some more.
const PART_BYTES: usize = 8 << 20;

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
    /// Whether the store lists by ascending key bytes, so that a page can stop early.
    pub ordered_list: bool,
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

/// An object being read.
pub struct Object {
    /// What is known of it.
    pub meta: ObjectMeta,
    /// Its media type, where the bucket keeps one.
    pub content_type: Option<String>,
    /// Its metadata by lower-case name.
    pub metadata: BTreeMap<String, String>,
    /// The bytes that the stream holds: the whole object unless a range was asked for.
    pub range: Range<u64>,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
}

impl Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("meta", &self.meta)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl Object {
    /// All bytes at once, in memory.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the store breaks off.
    pub async fn bytes(self) -> Result<Bytes> {
        let key = self.meta.key;
        let size = usize::try_from(self.range.end - self.range.start).unwrap_or_default();
        let mut stream = self.stream;
        let Some(first) = stream
            .next()
            .await
            .transpose()
            .map_err(|error| store_error(error, "bucket.get", &key))?
        else {
            return Ok(Bytes::new());
        };
        if first.len() == size {
            return Ok(first);
        }
        let mut bytes = bytes::BytesMut::with_capacity(size.min(64 << 20));
        bytes.extend_from_slice(&first);
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| store_error(error, "bucket.get", &key))?);
        }
        Ok(bytes.freeze())
    }

    /// The bytes as they come, without holding the object in memory.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let key = self.meta.key;
        self.stream
            .map(move |chunk| chunk.map_err(|error| store_error(error, "bucket.get", &key)))
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The objects, by ascending key bytes.
    pub objects: Vec<ObjectMeta>,
    /// The key to go on after; `None` when this is the last page.
    pub next: Option<String>,
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    grant: Grant,
    driver: Arc<dyn BucketDriver>,
}

impl Bucket {
    /// A bucket over `driver`, with every access: for hosts, tools and tests.
    #[must_use]
    pub fn new(name: &str, driver: Arc<dyn BucketDriver>) -> Self {
        Self {
            grant: Grant::full(ResourceKind::Bucket, name),
            driver,
        }
    }

    /// The same with only this access.
    #[must_use]
    pub fn with_access(name: &str, driver: Arc<dyn BucketDriver>, access: BTreeSet<Access>) -> Self {
        Self {
            grant: Grant::new(ResourceKind::Bucket, name, access),
            driver,
        }
    }

    pub(crate) fn granted(grant: Grant, driver: Arc<dyn BucketDriver>) -> Self {
        Self { grant, driver }
    }

    /// Its name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.grant.name
    }

    /// What it can do on this target.
    #[must_use]
    pub fn capabilities(&self) -> BucketCapabilities {
        self.driver.capabilities()
    }

    /// The object's bytes, in memory.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`] without `read`, [`ErrorKind::InvalidArgument`] for an impossible
    /// key, or the store's.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        self.open(key).await?.bytes().await
    }

    /// The object, to be read as a stream or at once.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn open(&self, key: &str) -> Result<Object> {
        self.open_with(key, GetOptions::default()).await
    }

    /// Some bytes of the object. A range that ends behind the object's end is cut short.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`ErrorKind::InvalidArgument`] if the range is empty or begins behind the object's end.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        if range.start >= range.end {
            return Err(self.error(
                ErrorKind::InvalidArgument,
                "bucket.get",
                "the range is empty",
                key,
            ));
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        self.open_with(key, options).await?.bytes().await
    }

    /// The object, by `object_store`'s own options (ranges, if-match, if-modified-since …).
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`ErrorKind::Conflict`] for a condition that does not hold.
    pub async fn open_with(&self, key: &str, options: GetOptions) -> Result<Object> {
        const OPERATION: &str = "bucket.get";
        self.grant.require(Access::Read, OPERATION)?;
        let path = self.path(OPERATION, key)?;
        let result = self
            .driver
            .store()
            .get_opts(&path, options)
            .await
            .map_err(|error| self.failed(error, OPERATION, key))?;
        let mut content_type = None;
        let mut metadata = BTreeMap::new();
        for (attribute, value) in &result.attributes {
            match attribute {
                Attribute::ContentType => content_type = Some(value.as_ref().to_owned()),
                Attribute::Metadata(name) => {
                    metadata.insert(name.to_string(), value.as_ref().to_owned());
                }
                _ => {}
            }
        }
        Ok(Object {
            meta: meta_of(&result.meta),
            content_type,
            metadata,
            range: result.range.clone(),
            stream: result.into_stream(),
        })
    }

    /// What is known of the object, without its bytes.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn head(&self, key: &str) -> Result<ObjectMeta> {
        const OPERATION: &str = "bucket.head";
        self.grant.require(Access::Read, OPERATION)?;
        let path = self.path(OPERATION, key)?;
        let meta = self
            .driver
            .store()
            .head(&path)
            .await
            .map_err(|error| self.failed(error, OPERATION, key))?;
        Ok(meta_of(&meta))
    }

    /// Writes the object, whatever was there; returns its etag.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `write`, [`ErrorKind::InvalidArgument`] for an impossible key, or the store's.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> Result<Option<String>> {
        self.put_with(key, bytes, PutOptionsExt::default()).await
    }

    /// Writes the object with a content type and metadata; returns its etag.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`ErrorKind::Unsupported`] where attributes are not kept.
    pub async fn put_with(
        &self,
        key: &str,
        bytes: impl Into<Bytes>,
        options: PutOptionsExt,
    ) -> Result<Option<String>> {
        self.put_mode(key, bytes.into(), options, PutMode::Overwrite)
            .await
    }

    /// Writes the object if there is none of this key; returns its etag.
    ///
    /// # Errors
    /// As [`put`](Self::put), [`ErrorKind::AlreadyExists`], and [`ErrorKind::Unsupported`] where the target cannot.
    pub async fn put_if_absent(&self, key: &str, bytes: impl Into<Bytes>) -> Result<Option<String>> {
        if !self.driver.capabilities().put_if_absent {
            return Err(self.error(
                ErrorKind::Unsupported,
                "bucket.put",
                "this bucket cannot put only if absent",
                key,
            ));
        }
        self.put_mode(key, bytes.into(), PutOptionsExt::default(), PutMode::Create)
            .await
    }

    /// Writes the object if it still has this etag; returns the new one.
    ///
    /// # Errors
    /// As [`put`](Self::put), [`ErrorKind::Conflict`], and [`ErrorKind::Unsupported`] where the target cannot.
    pub async fn put_if_match(
        &self,
        key: &str,
        bytes: impl Into<Bytes>,
        etag: &str,
    ) -> Result<Option<String>> {
        if !self.driver.capabilities().put_if_match {
            return Err(self.error(
                ErrorKind::Unsupported,
                "bucket.put",
                "this bucket cannot put by etag",
                key,
            ));
        }
        let version = UpdateVersion {
            e_tag: Some(etag.to_owned()),
            version: None,
        };
        self.put_mode(
            key,
            bytes.into(),
            PutOptionsExt::default(),
            PutMode::Update(version),
        )
        .await
    }

    async fn put_mode(
        &self,
        key: &str,
        bytes: Bytes,
        options: PutOptionsExt,
        mode: PutMode,
    ) -> Result<Option<String>> {
        const OPERATION: &str = "bucket.put";
        self.grant.require(Access::Write, OPERATION)?;
        let path = self.path(OPERATION, key)?;
        let options = PutOptions {
            mode,
            attributes: self.attributes(key, options)?,
            ..PutOptions::default()
        };
        let result = self
            .driver
            .store()
            .put_opts(&path, PutPayload::from_bytes(bytes), options)
            .await
            .map_err(|error| self.failed(error, OPERATION, key))?;
        Ok(result.e_tag)
    }

    /// Writes the object from a stream of any length, in parts of 8 MiB, so that memory stays bounded. Nothing is visible before all of it is
    /// there; if the stream fails, nothing is left behind.
    ///
    /// # Errors
    /// As [`put_with`](Self::put_with), or the stream's own.
    pub async fn put_stream<S, E>(
        &self,
        key: &str,
        stream: S,
        options: PutOptionsExt,
    ) -> Result<Option<String>>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Into<crate::error::BoxError>,
    {
        const OPERATION: &str = "bucket.put_stream";
        self.grant.require(Access::Write, OPERATION)?;
        let path = self.path(OPERATION, key)?;
        let attributes = self.attributes(key, options)?;
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let store = self.driver.store();
        let mut upload = store
            .put_multipart_opts(&path, options)
            .await
            .map_err(|error| self.failed(error, OPERATION, key))?;
        let mut stream = std::pin::pin!(stream);
        let mut part = Vec::new();
        let mut filled = 0;
        let outcome = loop {
            match stream.next().await {
                None => break Ok(()),
                Some(Err(error)) => {
                    let error: crate::error::BoxError = error.into();
                    break Err(self
                        .error(
                            ErrorKind::Cancelled,
                            OPERATION,
                            "the content broke off; nothing was stored",
                            key,
                        )
                        .caused_by(error));
                }
                Some(Ok(chunk)) => {
                    filled += chunk.len();
                    part.push(chunk);
                    if filled >= PART_BYTES {
                        filled = 0;
                        let payload: PutPayload = std::mem::take(&mut part).into_iter().collect();
                        if let Err(error) = upload.put_part(payload).await {
                            break Err(self.failed(error, OPERATION, key));
                        }
                    }
                }
            }
        };
        let outcome = match outcome {
            Ok(()) if part.is_empty() => Ok(()),
            Ok(()) => {
                let payload: PutPayload = part.into_iter().collect();
                upload
                    .put_part(payload)
                    .await
                    .map_err(|error| self.failed(error, OPERATION, key))
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                let result = upload
                    .complete()
                    .await
                    .map_err(|error| self.failed(error, OPERATION, key))?;
                Ok(result.e_tag)
            }
            Err(error) => {
                if let Err(abort) = upload.abort().await {
                    tracing::warn!(bucket = self.name(), key, %abort, "an unfinished upload could not be removed");
                }
                Err(error)
            }
        }
    }

    /// Lists objects whose key begins with `prefix` (any text, not only whole path segments), behind key `after`, at most `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `read`, [`ErrorKind::InvalidArgument`] for a limit of 0, or the store's.
    pub async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Listing> {
        const OPERATION: &str = "bucket.list";
        self.grant.require(Access::Read, OPERATION)?;
        if limit == 0 {
            return Err(self.error(
                ErrorKind::InvalidArgument,
                OPERATION,
                "the limit must be at least 1",
                prefix,
            ));
        }
        // The store's prefix is whole path segments; the rest of ours is matched here. A prefix that is no path matches nothing in the store's
        // terms, so it too is matched here.
        let folder = prefix.rfind('/').and_then(|slash| key_to_path(&prefix[..slash]));
        let store = self.driver.store();
        let mut stream = match after.and_then(key_to_path) {
            Some(offset) => store.list_with_offset(folder.as_ref(), &offset),
            None => store.list(folder.as_ref()),
        };
        let ordered = self.driver.capabilities().ordered_list;
        // Some stores list in no order, and some return the offset itself: keep the smallest `limit + 1` keys behind it.
        let mut smallest: BTreeMap<String, ObjectMeta> = BTreeMap::new();
        while let Some(meta) = stream.next().await {
            let meta = meta_of(&meta.map_err(|error| self.failed(error, OPERATION, prefix))?);
            if !meta.key.starts_with(prefix) || after.is_some_and(|after| meta.key.as_str() <= after) {
                continue;
            }
            smallest.insert(meta.key.clone(), meta);
            if smallest.len() > limit {
                if ordered {
                    break;
                }
                if smallest.len() > limit + 1 {
                    smallest.pop_last();
                }
            }
        }
        let more = smallest.len() > limit;
        if more {
            smallest.pop_last();
        }
        let objects: Vec<_> = smallest.into_values().collect();
        let next = if more {
            objects.last().map(|meta| meta.key.clone())
        } else {
            None
        };
        Ok(Listing { objects, next })
    }

    /// Copies an object within the bucket, over whatever was there.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`] without `read` and `write`, or the store's.
    pub async fn copy(&self, from: &str, to: &str) -> Result<()> {
        const OPERATION: &str = "bucket.copy";
        self.grant.require(Access::Read, OPERATION)?;
        self.grant.require(Access::Write, OPERATION)?;
        let (source, target) = (self.path(OPERATION, from)?, self.path(OPERATION, to)?);
        self.driver
            .store()
            .copy(&source, &target)
            .await
            .map_err(|error| self.failed(error, OPERATION, from))
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `delete`, [`ErrorKind::InvalidArgument`] for an impossible key, or the store's.
    pub async fn delete(&self, key: &str) -> Result<()> {
        const OPERATION: &str = "bucket.delete";
        self.grant.require(Access::Delete, OPERATION)?;
        let path = self.path(OPERATION, key)?;
        match self.driver.store().delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(error, OPERATION, key)),
        }
    }

    /// A URL that allows `method` on `key` for `expires_in`, without credentials.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where there are none or not for so long, [`ErrorKind::PermissionDenied`] without the access that the URL
    /// would give, or the driver's.
    pub async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<String> {
        const OPERATION: &str = "bucket.signed_url";
        let access = match method {
            SignedMethod::Get => Access::Read,
            SignedMethod::Put => Access::Write,
            SignedMethod::Delete => Access::Delete,
        };
        self.grant.require(access, OPERATION)?;
        self.path(OPERATION, key)?;
        let longest = self.driver.capabilities().max_signed_url;
        if expires_in > longest {
            let message = if longest.is_zero() {
                "this bucket has no signed URLs"
            } else {
                "the URL would live longer than this target allows"
            };
            return Err(self
                .error(ErrorKind::Unsupported, OPERATION, message, key)
                .with("expires_s", expires_in.as_secs())
                .with("max_s", longest.as_secs()));
        }
        self.grant
            .retry
            .run(|| self.driver.signed_url(method, key, expires_in))
            .await
    }

    /// The `object_store` underneath, for what this type does not have. It knows nothing of the function's `uses`; the
    /// target's own permissions still hold.
    #[must_use]
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.driver.store()
    }

    /// The driver, for what only this provider can do.
    #[must_use]
    pub fn driver(&self) -> &dyn BucketDriver {
        &*self.driver
    }

    fn path(&self, operation: &'static str, key: &str) -> Result<Path> {
        if key.is_empty() {
            return Err(self.error(ErrorKind::InvalidArgument, operation, "the key is empty", key));
        }
        let longest = self.driver.capabilities().max_key_bytes;
        if key.len() > longest {
            return Err(self
                .error(
                    ErrorKind::InvalidArgument,
                    operation,
                    "the key is longer than this target allows",
                    &key[..0],
                )
                .with("bytes", key.len())
                .with("max_bytes", longest));
        }
        key_to_path(key).ok_or_else(|| {
            self.error(
                ErrorKind::InvalidArgument,
                operation,
                "a key may not begin or end with a slash, and its segments may not be empty, `.` or `..`, or hold control characters",
                key,
            )
        })
    }

    fn attributes(&self, key: &str, options: PutOptionsExt) -> Result<Attributes> {
        let mut attributes = Attributes::new();
        if options.content_type.is_none() && options.metadata.is_empty() {
            return Ok(attributes);
        }
        if !self.driver.capabilities().attributes {
            return Err(self.error(
                ErrorKind::Unsupported,
                "bucket.put",
                "this bucket keeps no content type and no metadata",
                key,
            ));
        }
        if let Some(content_type) = options.content_type {
            attributes.insert(Attribute::ContentType, AttributeValue::from(content_type));
        }
        for (name, value) in options.metadata {
            if name.is_empty()
                || name
                    .chars()
                    .any(|c| c.is_ascii_uppercase() || !c.is_ascii_graphic())
            {
                return Err(self
                    .error(
                        ErrorKind::InvalidArgument,
                        "bucket.put",
                        "a metadata name must be lower-case ASCII without spaces",
                        key,
                    )
                    .with("name", name));
            }
            attributes.insert(Attribute::Metadata(name.into()), AttributeValue::from(value));
        }
        Ok(attributes)
    }

    fn failed(&self, error: object_store::Error, operation: &'static str, key: &str) -> Error {
        store_error(error, operation, key).with("bucket", self.name())
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, message: &'static str, key: &str) -> Error {
        Error::new(kind, operation, message)
            .with("bucket", self.name())
            .with("key", key)
    }
}

/// The store's path of a key, the same text to the letter, or `None` if no store can hold it: segments that are empty, `.`, `..`, or hold
/// control characters.
#[must_use]
pub fn key_to_path(key: &str) -> Option<Path> {
    // `parse` drops slashes at both ends, which would make two keys one.
    Path::parse(key).ok().filter(|path| path.as_ref() == key)
}

fn meta_of(meta: &object_store::ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        key: meta.location.as_ref().to_owned(),
        size: meta.size,
        etag: meta.e_tag.clone(),
        version: meta.version.clone(),
        modified: meta.last_modified,
    }
}

fn store_error(error: object_store::Error, operation: &'static str, key: &str) -> Error {
    let translated = Error::from(error);
    let kind = translated.kind();
    let message = translated.message().to_owned();
    let error = Error::new(kind, operation, message).with("key", key);
    match std::error::Error::source(&translated) {
        Some(source) => error.caused_by(source.to_string()),
        None => error,
    }
}
