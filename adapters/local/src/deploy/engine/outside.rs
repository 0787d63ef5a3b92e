//! The engine's own handle of a bucket outside that the host stands in for: what `s3://bucket/prefix` names, in the folder of the S3 store.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::app::BucketSpec;
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl, key_to_path};
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;

use crate::deploy::bucket::FolderBucket;

/// Where a bucket's URL points to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outside {
    /// The bucket's name in its own store.
    pub(super) name: String,
    /// What its keys begin with there.
    prefix: Option<Path>,
}

impl Outside {
    /// The parts of the bucket's URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it has no URL, or one of another form.
    pub(super) fn of(spec: &BucketSpec) -> Result<Self> {
        let url = spec.url.as_deref().unwrap_or_default();
        let refused =
            |message| Error::new(ErrorKind::InvalidArgument, "engine.start", message).with("url", url);
        // Not read as a URL: the prefix is taken to the letter, as functions take it.
        let (name, prefix) = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
            None => ("", ""),
        };
        if name.is_empty() {
            return Err(refused(
                "a bucket with an endpoint needs a URL that names it; write `url = \"s3://name\"`",
            ));
        }
        let prefix = match prefix.strip_suffix('/').unwrap_or(prefix) {
            "" => None,
            prefix => Some(key_to_path(prefix).ok_or_else(|| {
                refused("the URL's prefix has segments that no key has; write `url = \"s3://name/prefix\"`")
            })?),
        };
        Ok(Self {
            name: name.to_owned(),
            prefix,
        })
    }

    /// The driver of this part of `bucket`.
    pub(super) fn driver(self, bucket: FolderBucket) -> Arc<dyn BucketDriver> {
        match self.prefix {
            None => Arc::new(bucket),
            Some(prefix) => Arc::new(Below { bucket, prefix }),
        }
    }
}

/// The part of a bucket whose keys begin with a prefix.
#[derive(Debug)]
struct Below {
    bucket: FolderBucket,
    prefix: Path,
}

#[async_trait]
impl BucketDriver for Below {
    fn capabilities(&self) -> BucketCapabilities {
        let mut capabilities = self.bucket.capabilities();
        let prefix = self.prefix.as_ref().len() + 1;
        capabilities.max_key_bytes = capabilities.max_key_bytes.saturating_sub(prefix);
        capabilities
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(PrefixStore::new(self.bucket.store(), self.prefix.clone()))
    }

    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<SignedUrl> {
        let whole = format!("{}/{key}", self.prefix);
        self.bucket.signed_url(method, &whole, expires_in).await
    }

    fn as_any(&self) -> &dyn Any {
        self.bucket.as_any()
    }
}

#[cfg(test)]
mod tests {
    use nephos_core::app::{App, Resource};
    use nephos_core::resource::NoExternalBuckets;

    use super::*;
    use crate::deploy::engine::Offline;

    fn at(url: &str) -> BucketSpec {
        BucketSpec {
            url: Some(url.to_owned()),
            endpoint: Some("embedded".to_owned()),
            ..BucketSpec::default()
        }
    }

    async fn open(state: &std::path::Path, url: &str) -> Offline {
        let app = App {
            name: "app".to_owned(),
            resources: [("evidence".to_owned(), Resource::Bucket(at(url)))].into(),
            functions: std::collections::BTreeMap::new(),
            targets: std::collections::BTreeMap::new(),
        };
        Offline::open(app, state, None, Arc::new(NoExternalBuckets))
            .await
            .unwrap()
    }

    async fn keys(opened: &Offline, prefix: &str) -> Vec<String> {
        let bucket = opened.resources().bucket("evidence").unwrap();
        let listing = bucket.list(prefix, None, 10).await.unwrap();
        listing.objects.into_iter().map(|object| object.key).collect()
    }

    #[tokio::test]
    async fn the_prefix_of_an_embedded_buckets_url_holds_for_the_command_too() {
        let dir = tempfile::tempdir().unwrap();
        let whole = open(dir.path(), "s3://evidence").await;
        let bucket = whole.resources().bucket("evidence").unwrap();
        for key in ["gate/09/a.jpg", "gate/09/b.jpg", "gate/10/c.jpg", "yard/d.jpg"] {
            bucket.put(key, "x").await.unwrap();
        }
        whole.close().await;

        let part = open(dir.path(), "s3://evidence/gate/").await;
        assert_eq!(keys(&part, "").await, ["09/a.jpg", "09/b.jpg", "10/c.jpg"]);
        assert_eq!(keys(&part, "09/").await, ["09/a.jpg", "09/b.jpg"]);
        assert_eq!(keys(&part, "1").await, ["10/c.jpg"]);
        assert_eq!(keys(&part, "gate/").await, [""; 0]);
        let bucket = part.resources().bucket("evidence").unwrap();
        assert_eq!(bucket.get("09/a.jpg").await.unwrap().as_ref(), b"x");
        bucket.put("11/e.jpg", "y").await.unwrap();
        part.close().await;

        let whole = open(dir.path(), "s3://evidence").await;
        assert_eq!(keys(&whole, "gate/11").await, ["gate/11/e.jpg"]);
        whole.close().await;
    }

    #[test]
    fn a_url_that_names_no_bucket_or_no_prefix_is_refused() {
        for url in [
            "",
            "s3://",
            "evidence",
            "s3://evidence/a//b",
            "s3://evidence/../b",
        ] {
            let refused = Outside::of(&at(url)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{url}");
        }
        assert_eq!(Outside::of(&at("s3://evidence/")).unwrap().prefix, None);
    }
}
