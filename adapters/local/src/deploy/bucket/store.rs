//! The bucket as an `object_store`, and as a driver.

use std::any::Any;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::Utc;
use futures::stream::{BoxStream, StreamExt as _};
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl};
use nephos_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::FolderBucket;
use super::attributes;
use super::blocking::blocking;
use super::content::Content;
use super::files::{check_key, io_error, not_found};
use super::list::{After, Entry};
use super::multipart::FolderUpload;
use super::stage::{Placed, Staged};
use crate::resources::bucket::{folder_prefix, to_store_error};

/// Chunks are gathered to this much before they are written.
const WRITE_BYTES: usize = 512 << 10;
/// How many objects of a stream are deleted side by side.
const DELETES: usize = 8;

/// What a write made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The new version's etag.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: chrono::DateTime<Utc>,
}

impl Written {
    pub(super) fn into_result(self) -> PutResult {
        PutResult {
            e_tag: Some(self.etag),
            version: None,
            extensions: object_store::Extensions::default(),
        }
    }
}

/// An object on its way in, in a hidden file: dropped, it is gone.
#[derive(Debug)]
pub struct Incoming {
    staged: Option<Staged>,
    gathered: BytesMut,
    size: u64,
}

impl Incoming {
    /// Adds bytes at its end.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if the disk is full, or what else keeps them from being written.
    pub async fn write(&mut self, chunk: Bytes) -> Result<()> {
        if self.gathered.is_empty() && chunk.len() >= WRITE_BYTES {
            return self.put(chunk).await;
        }
        self.gathered.extend_from_slice(&chunk);
        if self.gathered.len() >= WRITE_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes out what has been gathered. To be called before the object is made of it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn flush(&mut self) -> Result<()> {
        let gathered = self.gathered.split().freeze();
        if gathered.is_empty() {
            return Ok(());
        }
        self.put(gathered).await
    }

    async fn put(&mut self, bytes: Bytes) -> Result<()> {
        let Some(mut staged) = self.staged.take() else {
            return Err(Error::new(
                ErrorKind::Internal,
                "bucket.put",
                "the object was written to after a failure",
            ));
        };
        self.size += bytes.len() as u64;
        let staged = blocking(move || {
            staged.write(&bytes)?;
            Ok(staged)
        })
        .await?;
        self.staged = Some(staged);
        Ok(())
    }

    /// How many bytes have been added.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size + self.gathered.len() as u64
    }

    pub(super) fn finish(self) -> Result<(Staged, u64)> {
        match self.staged {
            Some(staged) if self.gathered.is_empty() => Ok((staged, self.size)),
            _ => Err(Error::new(
                ErrorKind::Internal,
                "bucket.put",
                "the object was finished before all of it was written",
            )),
        }
    }
}

impl FolderBucket {
    /// Begins to write an object of any length; it becomes visible with [`commit`](Self::commit).
    ///
    /// # Errors
    /// What keeps a file from being made.
    pub async fn incoming(&self) -> Result<Incoming> {
        let this = self.clone();
        let staged = blocking(move || this.inner.stage.create()).await?;
        Ok(Incoming {
            staged: Some(staged),
            gathered: BytesMut::new(),
            size: 0,
        })
    }

    /// Makes what was written the object `key`, in one step, if `mode` allows; returns when the watch, if there is one, has taken its event.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] or [`ErrorKind::Conflict`] by `mode`; [`ErrorKind::InvalidArgument`] for a key that no file can have, or one
    /// that is a folder of others or has an object as a folder; what else keeps it from being written.
    pub async fn commit(
        &self,
        key: &str,
        mut incoming: Incoming,
        mode: PutMode,
        attributes: Attributes,
    ) -> Result<Written> {
        check_key(key, "bucket.put")?;
        incoming.flush().await?;
        let this = self.clone();
        let owned = key.to_owned();
        let placed = blocking(move || {
            let (staged, ..) = incoming.finish()?;
            this.place(staged, &owned, &mode, &attributes, "bucket.put")
        })
        .await?;
        Ok(self.written(placed).await)
    }

    pub(super) async fn written(&self, placed: Placed) -> Written {
        placed.reported.wait().await;
        Written {
            etag: placed.info.etag,
            size: placed.info.size,
            modified: placed.info.modified,
        }
    }

    /// Writes an object that is in memory.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub async fn write(
        &self,
        key: &str,
        payload: PutPayload,
        mode: PutMode,
        attributes: Attributes,
    ) -> Result<Written> {
        check_key(key, "bucket.put")?;
        let this = self.clone();
        let owned = key.to_owned();
        let placed = blocking(move || {
            let mut staged = this.inner.stage.create()?;
            for chunk in payload {
                staged.write(&chunk)?;
            }
            this.place(staged, &owned, &mode, &attributes, "bucket.put")
        })
        .await?;
        Ok(self.written(placed).await)
    }

    /// Copies an object, with new attributes or its own.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and as [`commit`](Self::commit).
    pub async fn copy_object(
        &self,
        from: &str,
        to: &str,
        mode: PutMode,
        attributes: Option<Attributes>,
    ) -> Result<Written> {
        self.copy_from(self, from, to, mode, attributes).await
    }

    /// The same from another bucket.
    ///
    /// # Errors
    /// As [`copy_object`](Self::copy_object).
    pub async fn copy_from(
        &self,
        source: &Self,
        from: &str,
        to: &str,
        mode: PutMode,
        attributes: Option<Attributes>,
    ) -> Result<Written> {
        const OPERATION: &str = "bucket.copy";
        check_key(from, OPERATION)?;
        check_key(to, OPERATION)?;
        let (this, other) = (self.clone(), source.clone());
        let (from, to) = (from.to_owned(), to.to_owned());
        let placed = blocking(move || {
            let failed = |error: std::io::Error| io_error(error, OPERATION).with("key", &from);
            let Some((mut source, info)) = other
                .inner
                .folder
                .read(&from)
                .map_err(|errno| failed(errno.into()))?
            else {
                return Err(not_found(OPERATION, &from));
            };
            let attributes =
                attributes.unwrap_or_else(|| attributes::read(&other.inner.hidden, &from, &info.etag));
            let mut staged = this.inner.stage.create()?;
            // The system copies from file to file without passing through this process where it can.
            std::io::copy(&mut source, staged.file()).map_err(failed)?;
            this.place(staged, &to, &mode, &attributes, OPERATION)
        })
        .await?;
        Ok(self.written(placed).await)
    }

    /// Deletes an object; says whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an impossible key, or what keeps it from being deleted.
    pub async fn delete_object(&self, key: &str) -> Result<bool> {
        let this = self.clone();
        let owned = key.to_owned();
        match blocking(move || this.remove(&owned)).await? {
            Some(reported) => {
                reported.wait().await;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

impl Display for FolderBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {} in {}", self.name(), self.root().display())
    }
}

#[async_trait]
impl ObjectStore for FolderBucket {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let key = location.as_ref();
        self.write(key, payload, options.mode, options.attributes)
            .await
            .map(Written::into_result)
            .map_err(|error| to_store_error(error, key))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let upload = FolderUpload::begin(self, location.as_ref(), options.attributes)
            .map_err(|error| to_store_error(error, location.as_ref()))?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let Content {
            meta,
            attributes,
            range,
            stream,
        } = self.content(location.as_ref(), options).await?;
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream),
            meta,
            range,
            attributes,
            extensions: object_store::Extensions::default(),
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let this = self.clone();
        locations
            .map(move |location| {
                let this = this.clone();
                async move {
                    let location = location?;
                    this.delete_object(location.as_ref())
                        .await
                        .map_err(|error| to_store_error(error, location.as_ref()))?;
                    Ok(location)
                }
            })
            .buffered(DELETES)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.objects(&folder_prefix(prefix), After::Start)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.objects(&folder_prefix(prefix), After::Key(offset.to_string()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let page = self
            .page(&folder_prefix(prefix), After::Start, Some("/"), usize::MAX)
            .await
            .map_err(|error| to_store_error(error, ""))?;
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: object_store::Extensions::default(),
        };
        for entry in page.entries {
            match entry {
                Entry::Object(meta) => result.objects.push(meta),
                Entry::Prefix(prefix) => result
                    .common_prefixes
                    .push(super::content::path(prefix.trim_end_matches('/'))),
            }
        }
        Ok(result)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        let mode = match options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        self.copy_object(from.as_ref(), to.as_ref(), mode, None)
            .await
            .map(drop)
            .map_err(|error| {
                let key = if error.kind() == ErrorKind::NotFound {
                    from
                } else {
                    to
                };
                to_store_error(error, key.as_ref())
            })
    }
}

#[async_trait]
impl BucketDriver for FolderBucket {
    fn capabilities(&self) -> BucketCapabilities {
        Self::capabilities(self)
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.clone())
    }

    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<SignedUrl> {
        const OPERATION: &str = "bucket.signed_url";
        check_key(key, OPERATION)?;
        match &self.inner.signer {
            Some(signer) => Ok(SignedUrl::new(signer.sign(
                self.name(),
                method,
                key,
                Utc::now(),
                expires_in,
            ))),
            None => Err(Error::new(
                ErrorKind::Unsupported,
                OPERATION,
                "this bucket has no signed URLs",
            )
            .with("bucket", self.name())),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
