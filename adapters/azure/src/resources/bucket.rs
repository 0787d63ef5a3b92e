//! Buckets as containers of a storage account, by `object_store`'s client.

mod credentials;
mod names;
mod signed;
mod store;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::Url;
use http::{HeaderName, HeaderValue};
use nephos_core::resource::Binding;
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl, key_to_path};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};

use self::credentials::Credentials;
use self::signed::Signer;
use self::store::Named;
use super::rest::{account, last_part};
use crate::config::Config;

const OPEN: &str = "context.open";
const SIGN: &str = "bucket.signed_url";

/// What a container can do. Conditional writes: <https://learn.microsoft.com/azure/storage/blobs/concurrency-manage>; keys:
/// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>; signed URLs, of which one by a token lives as
/// long as its key, a week: <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas>.
const CAPABILITIES: BucketCapabilities = BucketCapabilities::FULL;

/// A container. Its store, `object_store`'s [`MicrosoftAzure`], retries by itself, as the contract of buckets allows.
#[derive(Debug)]
pub struct AzureBucket {
    store: Arc<Named>,
    signer: Signer,
    name: String,
}

impl AzureBucket {
    /// Opens the container whose URL the binding holds.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is not the URL of a container.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let physical = wiring::physical(binding)?;
        let address = config.address(physical)?;
        let container = last_part(&address)?;
        let credentials = Credentials::new(config, &address)?;
        let store = MicrosoftAzureBuilder::new()
            .with_account(account(physical, &address)?)
            .with_container_name(container)
            .with_endpoint(service(&address))
            // Plain HTTP is what whoever set the endpoint asked for.
            .with_allow_http(address.scheme() == "http")
            .with_credentials(Arc::new(credentials))
            .build()
            .map_err(|error| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    OPEN,
                    "the container's URL cannot be used; deploy the function again",
                )
                .with("bucket", &binding.name)
                .caused_by(error)
            })?;
        Ok(Self {
            store: Arc::new(Named(store)),
            signer: Signer::new(config, &address, account(physical, &address)?, container),
            name: binding.name.clone(),
        })
    }
}

/// The URL without its last part.
fn service(address: &Url) -> String {
    let mut service = address.clone();
    if let Ok(mut parts) = service.path_segments_mut() {
        parts.pop();
    }
    service.as_str().trim_end_matches('/').to_owned()
}

#[async_trait]
impl BucketDriver for AzureBucket {
    fn capabilities(&self) -> BucketCapabilities {
        CAPABILITIES
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store) as _
    }

    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<SignedUrl> {
        let path = key_to_path(key).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                SIGN,
                "the key is not one that a bucket can hold",
            )
            .with("bucket", &self.name)
            .with("key", key)
        })?;
        store::check(&path).map_err(Error::from)?;
        let url = self
            .signer
            .sign(method, &path, expires_in)
            .await
            .map_err(|error| error.with("bucket", &self.name).with("key", key))?;
        let mut signed = SignedUrl::new(url);
        if method == SignedMethod::Put {
            // Put Blob demands to be told what kind of blob it is: <https://learn.microsoft.com/rest/api/storageservices/put-blob>.
            signed.headers.push((
                HeaderName::from_static("x-ms-blob-type"),
                HeaderValue::from_static("BlockBlob"),
            ));
        }
        Ok(signed)
    }

    fn as_any(&self) -> &dyn Any {
        let store: &MicrosoftAzure = &self.store.0;
        store
    }
}

#[cfg(test)]
mod tests;
