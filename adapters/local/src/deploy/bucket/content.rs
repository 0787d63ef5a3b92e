//! Reading objects: a piece at a time, from one open file, so that a replaced or deleted object is read to its end as it was.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use nephos_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{Attributes, GetOptions, GetRange, ObjectMeta};

use super::FolderBucket;
use super::blocking::blocking;
use super::files::{check_key, io_error, not_found};
use super::{attributes, files::FileInfo};
use crate::resources::bucket::to_store_error;

/// How much of an object is in memory at once, for each reader.
const CHUNK_BYTES: u64 = 1 << 20;

/// An open object.
pub(super) struct Content {
    pub(super) meta: ObjectMeta,
    pub(super) attributes: Attributes,
    pub(super) range: Range<u64>,
    pub(super) stream: BoxStream<'static, object_store::Result<Bytes>>,
}

pub(super) fn meta(key: &str, info: &FileInfo) -> ObjectMeta {
    ObjectMeta {
        location: path(key),
        last_modified: info.modified,
        size: info.size,
        e_tag: Some(info.etag.clone()),
        version: None,
    }
}

/// The path of a key that has been checked.
pub(super) fn path(key: &str) -> Path {
    nephos_core::resource::bucket::key_to_path(key).unwrap_or_default()
}

impl FolderBucket {
    pub(super) async fn content(&self, key: &str, options: GetOptions) -> object_store::Result<Content> {
        const OPERATION: &str = "bucket.get";
        let failed = |error: Error| to_store_error(error, key);
        check_key(key, OPERATION).map_err(failed)?;
        if options.version.is_some() {
            let error = Error::new(ErrorKind::Unsupported, OPERATION, "this bucket keeps no versions");
            return Err(failed(error.with("key", key)));
        }
        let this = self.clone();
        let owned = key.to_owned();
        let head = options.head;
        let wanted = options.range.clone();
        let (file, info, attributes, first) = blocking(move || {
            let Some((file, info)) = this
                .inner
                .folder
                .read(&owned)
                .map_err(|errno| io_error(errno.into(), OPERATION).with("key", &owned))?
            else {
                return Err(not_found(OPERATION, &owned));
            };
            let attributes = attributes::read(&this.inner.hidden, &owned, &info.etag);
            // A small object is read in the same step.
            let first = match range(wanted.as_ref(), info.size) {
                Ok(range) if !head && range.end - range.start <= CHUNK_BYTES => {
                    Some(read_piece(&file, range, &owned)?)
                }
                _ => None,
            };
            Ok((file, info, attributes, first))
        })
        .await
        .map_err(failed)?;
        let meta = meta(key, &info);
        options.check_preconditions(&meta)?;
        let range =
            range(options.range.as_ref(), meta.size).map_err(|error| failed(error.with("key", key)))?;
        let stream = match first {
            _ if head => stream::empty().boxed(),
            Some(bytes) if bytes.is_empty() => stream::empty().boxed(),
            Some(bytes) => stream::iter([Ok(bytes)]).boxed(),
            None => pieces(file, range.clone(), key.to_owned()),
        };
        Ok(Content {
            meta,
            attributes,
            range,
            stream,
        })
    }
}

fn range(wanted: Option<&GetRange>, size: u64) -> Result<Range<u64>> {
    let Some(wanted) = wanted else {
        return Ok(0..size);
    };
    wanted.as_range(size).map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            "bucket.get",
            "the range is not one of this object",
        )
        .with(RANGED_BYTES, size)
        .caused_by(error.to_string())
    })
}

/// The fact that tells a range outside the object from other errors.
const RANGED_BYTES: &str = "object_bytes";

/// The object's size, if the error is that a range lies outside it.
pub(super) fn range_error(error: &Error) -> Option<u64> {
    let mut facts = error.context();
    facts.find(|(name, _)| *name == RANGED_BYTES)?.1.parse().ok()
}

fn pieces(file: File, range: Range<u64>, key: String) -> BoxStream<'static, object_store::Result<Bytes>> {
    let file = Arc::new(file);
    stream::try_unfold(range.start, move |start| {
        let (file, key) = (Arc::clone(&file), key.clone());
        let end = range.end.min(start.saturating_add(CHUNK_BYTES));
        async move {
            if start >= end {
                return Ok(None);
            }
            let owned = key.clone();
            let bytes = blocking(move || read_piece(&file, start..end, &owned))
                .await
                .map_err(|error| to_store_error(error, &key))?;
            Ok(Some((bytes, end)))
        }
    })
    .boxed()
}

fn read_piece(file: &File, range: Range<u64>, key: &str) -> Result<Bytes> {
    let size = usize::try_from(range.end - range.start).unwrap_or_default();
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, range.start).map_err(|error| {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            Error::new(
                ErrorKind::Unavailable,
                "bucket.get",
                "the file became shorter while it was read; somebody is writing to it in place",
            )
            .with("key", key)
        } else {
            io_error(error, "bucket.get").with("key", key)
        }
    })?;
    Ok(Bytes::from(bytes))
}
