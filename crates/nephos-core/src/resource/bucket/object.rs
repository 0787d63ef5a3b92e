//! An object being read.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt as _};

use super::{ObjectMeta, store_error};
use crate::error::{Error, ErrorKind, Result};

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
    pub(super) stream: BoxStream<'static, object_store::Result<Bytes>>,
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
        let size = usize::try_from(self.range.end.saturating_sub(self.range.start)).unwrap_or(usize::MAX);
        let mut stream = self.stream;
        let Some(first) = stream
            .next()
            .await
            .transpose()
            .map_err(|error| store_error(error, "bucket.get", &key))?
        else {
            return whole(Bytes::new(), size, &key);
        };
        if first.len() == size {
            return Ok(first);
        }
        let mut bytes = bytes::BytesMut::with_capacity(size.min(64 << 20));
        bytes.extend_from_slice(&first);
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| store_error(error, "bucket.get", &key))?);
        }
        whole(bytes.freeze(), size, &key)
    }

    /// The bytes as they come, without holding the object in memory.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let key = self.meta.key;
        self.stream
            .map(move |chunk| chunk.map_err(|error| store_error(error, "bucket.get", &key)))
    }
}

/// An object that ends early must not pass for a shorter one.
fn whole(bytes: Bytes, size: usize, key: &str) -> Result<Bytes> {
    if bytes.len() == size {
        return Ok(bytes);
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "bucket.get",
        "the store sent fewer or more bytes than it announced",
    )
    .with("key", key)
    .with("bytes", bytes.len())
    .with("announced", size))
}
