//! The store, with what `object_store`'s client of Azure lacks: names of metadata that Azure takes, the end of an object without its length, and a refusal of keys that
//! Azure would change.

use std::fmt::{self, Display};
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use nephos_core::{Error, ErrorKind};
use object_store::azure::MicrosoftAzure;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use super::names;

#[derive(Debug)]
pub(super) struct Named(pub(super) MicrosoftAzure);

impl Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

/// The same attributes with other names of metadata.
fn renamed(attributes: &Attributes, rename: impl Fn(&str) -> String) -> Attributes {
    attributes
        .iter()
        .map(|(attribute, value)| {
            let attribute = match attribute {
                Attribute::Metadata(name) => Attribute::Metadata(rename(name).into()),
                other => other.clone(),
            };
            (attribute, value.clone())
        })
        .collect()
}

fn escaped(attributes: &Attributes) -> Attributes {
    renamed(attributes, |name| names::escape(name).into_owned())
}

/// Storage makes a slash of each backslash in a key, so two keys would be one object.
pub(super) fn check(location: &Path) -> Result<()> {
    if !location.as_ref().contains('\\') {
        return Ok(());
    }
    let refused = Error::new(
        ErrorKind::InvalidArgument,
        "bucket.key",
        "a key on Azure holds no backslash, as storage would make a slash of it; use another sign",
    );
    Err(object_store::Error::Generic {
        store: "Azure",
        // The core takes it out again.
        source: refused.with("key", location).into(),
    })
}

impl Named {
    /// Azure does not read the end of an object without being told where it begins.
    async fn get_end(&self, location: &Path, length: u64, options: GetOptions) -> Result<GetResult> {
        let head = GetOptions {
            head: true,
            range: None,
            ..options.clone()
        };
        let meta = self.0.get_opts(location, head).await?.meta;
        let options = GetOptions {
            range: (meta.size > 0).then(|| GetRange::Offset(meta.size.saturating_sub(length))),
            // What is read must be what was measured.
            if_match: options.if_match.clone().or(meta.e_tag),
            ..options
        };
        self.0.get_opts(location, options).await
    }
}

// Every method is written out: a default one would lose what the store underneath does better.
#[async_trait]
impl ObjectStore for Named {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        check(location)?;
        let options = PutOptions {
            attributes: escaped(&options.attributes),
            ..options
        };
        self.0.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        check(location)?;
        let options = PutMultipartOptions {
            attributes: escaped(&options.attributes),
            ..options
        };
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        check(location)?;
        let mut got = match options.range {
            Some(GetRange::Suffix(length)) => self.get_end(location, length, options).await?,
            _ => self.0.get_opts(location, options).await?,
        };
        got.attributes = renamed(&got.attributes, |name| names::unescape(name).into_owned());
        Ok(got)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        check(location)?;
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let locations =
            locations.map(|location| location.and_then(|location| check(&location).map(|()| location)));
        self.0.delete_stream(locations.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let offset = offset.clone();
        // Where to begin is a parameter that older services, and the emulator, pass over.
        self.0
            .list_with_offset(prefix, &offset)
            .try_filter(move |object| futures::future::ready(object.location > offset))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        check(from)?;
        check(to)?;
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        check(from)?;
        check(to)?;
        self.0.rename_opts(from, to, options).await
    }
}
