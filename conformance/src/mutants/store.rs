//! Object stores made wrong.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

use super::Fault;

#[derive(Debug)]
pub(super) struct Wrong {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    /// Source → copy.
    aliases: Mutex<HashMap<Path, Path>>,
}

impl Wrong {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            aliases: Mutex::default(),
        }
    }

    fn path(&self, path: &Path) -> Path {
        if self.fault == Fault::KeyLowercased {
            return Path::parse(path.as_ref().to_lowercase()).unwrap_or_else(|_| path.clone());
        }
        path.clone()
    }

    fn meta(&self, mut meta: ObjectMeta) -> ObjectMeta {
        match self.fault {
            Fault::SizeWrong => meta.size += 1,
            Fault::VersionConstant => meta.e_tag = Some("same".to_owned()),
            _ => {}
        }
        meta
    }

    fn alias(&self, path: &Path) -> Option<Path> {
        self.aliases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned()
    }

    async fn old(&self, path: &Path) -> Option<(Bytes, Attributes)> {
        let result = self.inner.get(path).await.ok()?;
        let attributes = result.attributes.clone();
        Some((result.bytes().await.ok()?, attributes))
    }

    /// The payload and options made wrong; `None` drops the write.
    async fn put_wrong(
        &self,
        path: &Path,
        payload: PutPayload,
        options: &mut PutOptions,
    ) -> Option<PutPayload> {
        let bytes = Bytes::from(payload);
        Some(match self.fault {
            Fault::BodyTruncated => bytes.slice(..bytes.len().saturating_sub(1)).into(),
            Fault::EmptyBodyLost if bytes.is_empty() => return None,
            Fault::LimitNotHeld => return None,
            Fault::FirstWriteWins if self.inner.head(path).await.is_ok() => return None,
            Fault::AttributesDropped | Fault::PretendsCapability => {
                options.attributes = Attributes::new();
                bytes.into()
            }
            Fault::AttributesKept if options.attributes.is_empty() => {
                if let Some((_, attributes)) = self.old(path).await {
                    options.attributes = attributes;
                }
                bytes.into()
            }
            Fault::WritesMix => match self.old(path).await {
                Some((old, _)) if old.len() == bytes.len() => {
                    let half = bytes.len() / 2;
                    [&bytes[..half], &old[half..]].concat().into()
                }
                _ => bytes.into(),
            },
            _ => bytes.into(),
        })
    }

    fn listed(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
        from_offset: bool,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (fault, wrong) = (self.fault, Self::new(Arc::clone(&self.inner), self.fault));
        let metas = listed.map(move |meta| meta.map(|meta| wrong.meta(meta)));
        match fault {
            Fault::PageSkips if from_offset => metas.skip(1).boxed(),
            Fault::OrderReversed => stream::once(metas.collect::<Vec<_>>())
                .flat_map(|metas| stream::iter(metas.into_iter().rev()))
                .boxed(),
            Fault::Phantom => metas
                .chain(stream::iter([Ok(ObjectMeta {
                    location: Path::from("phantom"),
                    last_modified: chrono::Utc::now(),
                    size: 1,
                    e_tag: None,
                    version: None,
                })]))
                .boxed(),
            _ => metas.boxed(),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {:?}", self.inner, self.fault)
    }
}

fn dropped() -> PutResult {
    PutResult {
        e_tag: Some("dropped".to_owned()),
        version: None,
        extensions: Default::default(),
    }
}

fn no_bytes(location: &Path) -> GetResult {
    GetResult {
        payload: GetResultPayload::Stream(stream::empty().boxed()),
        meta: ObjectMeta {
            location: location.clone(),
            last_modified: chrono::Utc::now(),
            size: 0,
            e_tag: None,
            version: None,
        },
        range: 0..0,
        attributes: Attributes::new(),
        extensions: Default::default(),
    }
}

#[async_trait]
impl ObjectStore for Wrong {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let path = self.path(location);
        if matches!(self.fault, Fault::ConditionIgnored | Fault::PretendsCapability) {
            options.mode = PutMode::Overwrite;
        }
        let Some(payload) = self.put_wrong(&path, payload, &mut options).await else {
            return Ok(dropped());
        };
        if let Some(copy) = self.alias(&path) {
            self.inner.put(&copy, payload.clone()).await?;
        }
        let mut result = match self.inner.put_opts(&path, payload, options).await {
            Err(_) if self.fault == Fault::PretendsCapability => return Ok(dropped()),
            result => result?,
        };
        if self.fault == Fault::VersionConstant {
            result.e_tag = Some("same".to_owned());
        }
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self
            .inner
            .put_multipart_opts(&self.path(location), options)
            .await?;
        Ok(Box::new(Upload {
            inner: upload,
            store: Arc::clone(&self.inner),
            path: location.clone(),
            fault: self.fault,
            parts: 0,
        }))
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        let path = self.path(location);
        match self.fault {
            Fault::RangeIgnored => options.range = None,
            Fault::ReadConditionIgnored => {
                options.if_match = None;
                options.if_none_match = None;
            }
            Fault::RangeNotCut => {
                if let Some(GetRange::Bounded(range)) = &options.range
                    && range.end > self.inner.head(&path).await?.size
                {
                    return Err(Error::Generic {
                        store: "wrong",
                        source: "the range is too long".into(),
                    });
                }
            }
            _ => {}
        }
        let head = options.head;
        match self.inner.get_opts(&path, options).await {
            Err(Error::NotFound { .. }) if self.fault == Fault::MissingReadsEmpty => Ok(no_bytes(location)),
            Err(_) if self.fault == Fault::RangeBehindEndEmpty => Ok(no_bytes(location)),
            Ok(mut result) if head => {
                result.meta = self.meta(result.meta);
                Ok(result)
            }
            result => result,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.fault {
            Fault::DeleteIgnored => locations,
            Fault::DeleteMissingFails => {
                let store = Arc::clone(&self.inner);
                locations
                    .then(move |path| {
                        let store = Arc::clone(&store);
                        async move {
                            let path = path?;
                            if store.head(&path).await.is_err() {
                                return Err(Error::Generic {
                                    store: "wrong",
                                    source: "no such object".into(),
                                });
                            }
                            store.delete(&path).await?;
                            Ok(path)
                        }
                    })
                    .boxed()
            }
            Fault::KeyLowercased => {
                let wrong = Self::new(Arc::clone(&self.inner), self.fault);
                self.inner.delete_stream(
                    locations
                        .map(move |path| path.map(|path| wrong.path(&path)))
                        .boxed(),
                )
            }
            _ => self.inner.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix), false)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset), true)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match self.fault {
            Fault::CopyIgnored => return Ok(()),
            Fault::SelfCopyEmpties if from == to => {
                self.inner.put(from, PutPayload::new()).await?;
                return Ok(());
            }
            Fault::CopyMissingWorks if self.inner.head(from).await.is_err() => return Ok(()),
            Fault::CopyAliases => {
                self.aliases
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(from.clone(), to.clone());
            }
            _ => {}
        }
        self.inner
            .copy_opts(&self.path(from), &self.path(to), options)
            .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    store: Arc<dyn ObjectStore>,
    path: Path,
    fault: Fault,
    parts: usize,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts += 1;
        match self.fault {
            Fault::BodyTruncated => {
                let bytes = Bytes::from(data);
                self.inner
                    .put_part(bytes.slice(..bytes.len().saturating_sub(1)).into())
            }
            Fault::PartDropped if self.parts == 2 => Box::pin(async { Ok(()) }),
            Fault::UploadVisibleEarly => {
                let (store, path) = (Arc::clone(&self.store), self.path.clone());
                let part = self.inner.put_part(data.clone());
                Box::pin(async move {
                    store.put(&path, data).await?;
                    part.await
                })
            }
            _ => self.inner.put_part(data),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        if self.fault == Fault::BrokenUploadKept {
            self.inner.complete().await?;
            return Ok(());
        }
        self.inner.abort().await
    }
}
