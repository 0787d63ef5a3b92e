//! Buckets: objects by key, on [`object_store`] underneath.

mod driver;
mod list;
mod object;
#[cfg(test)]
mod tests;
mod upload;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode,
    PutOptions, PutPayload, UpdateVersion,
};

pub use self::driver::{
    BucketCapabilities, BucketDriver, ObjectMeta, PutOptionsExt, SignedMethod, SignedUrl,
};
pub use self::list::Listing;
pub use self::object::Object;
use crate::error::{Error, ErrorKind, Result};
use crate::resource::{Access, Grant, ResourceKind};

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

    /// A URL that allows `method` on `key` for `expires_in`, without credentials. Its client must send the headers that come with it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where there are none or not for so long, [`ErrorKind::PermissionDenied`] without the access that the URL
    /// would give, or the driver's.
    pub async fn signed_url(
        &self,
        method: SignedMethod,
        key: &str,
        expires_in: Duration,
    ) -> Result<SignedUrl> {
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
    let message = translated.message().to_owned();
    let mut error = Error::new(translated.kind(), operation, message)
        .with("key", key)
        .retryable(translated.is_retryable());
    for (name, value) in translated.context() {
        if name != "key" && name != "bucket" {
            error = error.with(name.to_owned(), value);
        }
    }
    match std::error::Error::source(&translated) {
        Some(source) => error.caused_by(source.to_string()),
        None => error,
    }
}
