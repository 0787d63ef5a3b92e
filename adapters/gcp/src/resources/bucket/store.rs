//! The store with generations for etags: <https://cloud.google.com/storage/docs/metadata#generation-number>.

use std::fmt::{self, Display};
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::gcp::GoogleCloudStorage;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UpdateVersion,
};

use super::transport::Generation;

#[derive(Debug)]
pub(super) struct Generations(pub(super) GoogleCloudStorage);

impl Display for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

/// An etag of ours: the generation in quotes, as etags are.
fn etag(version: Option<&str>) -> Option<String> {
    version.map(|version| format!("\"{version}\""))
}

fn generation(etag: &str) -> Option<u64> {
    etag.trim_matches('"').parse().ok()
}

fn named(meta: ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        e_tag: etag(meta.version.as_deref()),
        ..meta
    }
}

fn put(result: PutResult) -> PutResult {
    PutResult {
        e_tag: etag(result.version.as_deref()),
        ..result
    }
}

/// A condition that no object can meet: the etag is of another store.
fn unmet(location: &Path) -> Error {
    Error::Precondition {
        path: location.to_string(),
        source: "the etag is no generation of an object of Cloud Storage".into(),
    }
}

/// An upload in parts, whose end has a generation for its etag.
#[derive(Debug)]
struct Upload(Box<dyn MultipartUpload>);

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> object_store::UploadPart {
        self.0.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.0.complete().await.map(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.0.abort().await
    }
}

// Every method is written out: a default one would lose what the store underneath does better.
#[async_trait]
impl ObjectStore for Generations {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let mode = match options.mode {
            PutMode::Update(UpdateVersion {
                e_tag: Some(etag), ..
            }) => {
                let version = generation(&etag).ok_or_else(|| unmet(location))?.to_string();
                PutMode::Update(UpdateVersion {
                    e_tag: None,
                    version: Some(version),
                })
            }
            mode => mode,
        };
        let options = PutOptions { mode, ..options };
        match self.0.put_opts(location, payload, options).await {
            Ok(result) => Ok(put(result)),
            Err(error) => Err(error),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.0.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload(upload)))
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        if let Some(etag) = options.if_none_match.take() {
            // The XML API has no condition on a generation that is not to match, and its own etags are others.
            let head = GetOptions {
                head: true,
                ..GetOptions::default()
            };
            let found = self.0.get_opts(location, head).await?.meta.version;
            if found.is_some_and(|found| generation(&etag) == found.parse().ok()) {
                return Err(Error::NotModified {
                    path: location.to_string(),
                    source: "the object is still this generation".into(),
                });
            }
        }
        if let Some(etag) = options.if_match.take() {
            let generation = generation(&etag).ok_or_else(|| unmet(location))?;
            options.extensions.insert(Generation(generation));
        }
        let mut got = self.0.get_opts(location, options).await?;
        got.meta = named(got.meta);
        Ok(got)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix).map_ok(named).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset).map_ok(named).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.0.list_with_delimiter(prefix).await?;
        Ok(ListResult {
            objects: listed.objects.into_iter().map(named).collect(),
            ..listed
        })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}
