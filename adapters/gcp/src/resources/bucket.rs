//! Buckets of Cloud Storage, by `object_store`'s client of its XML API (<https://cloud.google.com/storage/docs/xml-api/overview>).

mod credentials;
mod signed;
mod store;
mod transport;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::resource::Binding;
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl, key_to_path};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use url::Url;

use self::credentials::Credentials;
use self::store::Generations;
use self::transport::Connector;
use crate::config::Config;

const OPEN: &str = "context.open";
const SIGN: &str = "bucket.signed_url";

/// Where Cloud Storage is.
pub(crate) const SERVICE: &str = "https://storage.googleapis.com";

/// What a bucket can do. Conditional writes: <https://cloud.google.com/storage/docs/request-preconditions>; keys: <https://cloud.google.com/storage/docs/objects#naming>;
/// signed URLs: <https://cloud.google.com/storage/docs/access-control/signed-urls>.
const CAPABILITIES: BucketCapabilities = BucketCapabilities::FULL;

/// A bucket. Its store, `object_store`'s [`GoogleCloudStorage`], retries by itself, as the contract of buckets allows.
///
/// An object's etag is its generation, because the XML API's own etag is a sum of the content: what was written, overwritten and written again would seem untouched. A list
/// tells no generations, and so its objects have no etag. An upload in parts ends without an etag where the answer tells none.
#[derive(Debug)]
pub struct GcpBucket {
    store: Arc<Generations>,
    /// The bucket's URL.
    address: Url,
    config: Config,
    name: String,
}

impl GcpBucket {
    /// Opens the bucket whose name the binding holds.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is no name of a bucket.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let bucket = wiring::physical(binding)?;
        let refused = || {
            Error::new(
                ErrorKind::InvalidArgument,
                OPEN,
                "it is no name of a bucket; deploy the function again",
            )
            .with("bucket", &binding.name)
            .with("name", bucket)
        };
        // It becomes a part of a URL.
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if !bucket.bytes().all(is_plain) || !bucket.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            return Err(refused());
        }
        let of = |error: Error| error.with("bucket", &binding.name);
        let service = config.address(SERVICE).map_err(of)?;
        let mut address = service.clone();
        address
            .path_segments_mut()
            .map_err(|()| refused())?
            .pop_if_empty()
            .push(bucket);
        let is_secure = service.scheme() == "https";
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(bucket)
            .with_base_url(service.as_str().trim_end_matches('/'))
            .with_credentials(Arc::new(Credentials::new(config, is_secure)))
            .with_http_connector(Connector::new(config.https()));
        // Its own source of signatures looks for credentials of its own; it is not asked.
        builder = builder.with_signing_credentials(Arc::new(credentials::Nobody));
        let store = builder.build().map_err(|error| refused().caused_by(error))?;
        Ok(Self {
            store: Arc::new(Generations(store)),
            address,
            config: config.clone(),
            name: binding.name.clone(),
        })
    }
}

#[async_trait]
impl BucketDriver for GcpBucket {
    fn capabilities(&self) -> BucketCapabilities {
        CAPABILITIES
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store) as _
    }

    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<SignedUrl> {
        let of = |error: Error| error.with("bucket", &self.name).with("key", key);
        let path = key_to_path(key).ok_or_else(|| {
            of(Error::new(
                ErrorKind::InvalidArgument,
                SIGN,
                "the key is not one that a bucket can hold",
            ))
        })?;
        let signer = self.config.identity().signer(SIGN).map_err(of)?;
        signed::sign(signer, &self.address, method, &path, expires_in)
            .await
            .map(SignedUrl::new)
            .map_err(of)
    }

    fn as_any(&self) -> &dyn Any {
        let store: &GoogleCloudStorage = &self.store.0;
        store
    }
}

#[cfg(test)]
mod tests;
