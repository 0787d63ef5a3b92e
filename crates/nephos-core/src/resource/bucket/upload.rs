//! Writing an object from a stream.

use bytes::Bytes;
use futures::stream::{Stream, StreamExt as _};
use object_store::{MultipartUpload, ObjectStore as _, PutMultipartOptions, PutPayload};

use super::{Bucket, PutOptionsExt};
use crate::error::{BoxError, ErrorKind, Result};
use crate::resource::Access;

/// The size of one part of a streamed upload: the least that every provider takes but for the last part, 5 MiB, and some more.
pub(super) const PART_BYTES: usize = 8 << 20;

impl Bucket {
    /// Writes the object from a stream of any length, in parts of 8 MiB, so that memory stays bounded. Nothing is visible before all of it is
    /// there; if the stream or the store fails, nothing is left behind. If the caller stops waiting, the store clears the parts away in its own time.
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
        E: Into<BoxError>,
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
        let stored = match self.upload(key, stream, &mut *upload).await {
            Ok(()) => upload
                .complete()
                .await
                .map_err(|error| self.failed(error, OPERATION, key)),
            Err(error) => Err(error),
        };
        match stored {
            Ok(result) => Ok(result.e_tag),
            Err(error) => {
                if let Err(abort) = upload.abort().await {
                    tracing::warn!(bucket = self.name(), key, %abort, "an unfinished upload could not be removed");
                }
                Err(error)
            }
        }
    }

    /// Uploads the parts. All but the last are of one size, as some stores demand.
    async fn upload<S, E>(&self, key: &str, stream: S, upload: &mut dyn MultipartUpload) -> Result<()>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Into<BoxError>,
    {
        const OPERATION: &str = "bucket.put_stream";
        let failed = |error| self.failed(error, OPERATION, key);
        let mut stream = std::pin::pin!(stream);
        let mut part: Vec<Bytes> = Vec::new();
        let mut filled = 0;
        while let Some(chunk) = stream.next().await {
            let mut chunk = chunk.map_err(|error| {
                self.error(
                    ErrorKind::Cancelled,
                    OPERATION,
                    "the content broke off; nothing was stored",
                    key,
                )
                .caused_by(error)
            })?;
            while filled + chunk.len() >= PART_BYTES {
                part.push(chunk.split_to(PART_BYTES - filled));
                filled = 0;
                let payload: PutPayload = std::mem::take(&mut part).into_iter().collect();
                upload.put_part(payload).await.map_err(failed)?;
            }
            if !chunk.is_empty() {
                filled += chunk.len();
                part.push(chunk);
            }
        }
        if part.is_empty() {
            return Ok(());
        }
        upload.put_part(part.into_iter().collect()).await.map_err(failed)
    }
}
