//! Buckets on S3, by `object_store`'s client with the SDK's credentials.

mod credentials;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use nephos_core::resource::Binding;
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl, key_to_path};
use nephos_core::{Error, ErrorKind, Result, wiring};
use object_store::ObjectStore;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::signer::Signer as _;

use self::credentials::SdkCredentials;

const OPEN: &str = "context.open";
const SIGN: &str = "bucket.signed_url";

/// What S3 can do. Conditional writes: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>; keys:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>; signed URLs:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>.
const CAPABILITIES: BucketCapabilities = BucketCapabilities::FULL;

/// A bucket of S3. Its store, `object_store`'s [`AmazonS3`], retries by itself, as the contract of buckets allows.
#[derive(Debug)]
pub struct AwsBucket {
    store: Arc<AmazonS3>,
    credentials: Arc<SdkCredentials>,
    name: String,
}

impl AwsBucket {
    /// Opens the bucket whose name the binding holds, in the configuration's region; at its endpoint, if it has one (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`).
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if there is no region, or name or endpoint cannot be used.
    pub fn open(config: &SdkConfig, binding: &Binding) -> Result<Self> {
        let bucket = wiring::physical(binding)?;
        let invalid = |message: &'static str| {
            Error::new(ErrorKind::InvalidArgument, OPEN, message).with("bucket", &binding.name)
        };
        let region = config.region().map(AsRef::<str>::as_ref).ok_or_else(|| {
            invalid("no region is chosen; set `region` of the target in nephos.toml, or AWS_REGION")
        })?;
        let credentials = Arc::new(SdkCredentials::new(config.credentials_provider()));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region)
            .with_credentials(Arc::clone(&credentials) as _)
            .with_conditional_put(S3ConditionalPut::ETagMatch);
        builder = match endpoint(config) {
            // A store elsewhere has no name of its own for each bucket. Plain HTTP is what whoever set the endpoint asked for.
            Some(endpoint) => builder
                .with_allow_http(endpoint.starts_with("http://"))
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_virtual_hosted_style_request(false),
            None if region.starts_with("cn-") => {
                builder.with_endpoint(format!("https://s3.{region}.amazonaws.com.cn"))
            }
            // S3's certificate is for names without dots only.
            None => builder.with_virtual_hosted_style_request(!bucket.contains('.')),
        };
        // Chooses who does the cryptography of TLS; an error says that the program has chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = builder.build().map_err(|error| {
            invalid("the bucket's name, region or endpoint cannot be used").caused_by(error)
        })?;
        Ok(Self {
            store: Arc::new(store),
            credentials,
            name: binding.name.clone(),
        })
    }
}

/// Where S3 is, if not at its own place: found as the SDK's clients find it.
fn endpoint(config: &SdkConfig) -> Option<String> {
    let in_general = || config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return in_general();
    }
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    config
        .service_config()
        .and_then(|service| service.load_config(key))
        .or_else(in_general)
}

#[async_trait]
impl BucketDriver for AwsBucket {
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
        // A URL dies with the credentials that signed it.
        if let Some(left) = self.credentials.lifetime().await.map_err(Error::from)?
            && left < expires_in
        {
            return Err(Error::new(
                ErrorKind::Unsupported,
                SIGN,
                "the credentials expire before the URL would; ask for a shorter one",
            )
            .with("bucket", &self.name)
            .with("expires_s", expires_in.as_secs())
            .with("max_s", left.as_secs()));
        }
        let url = self
            .store
            .signed_url(method.into(), &path, expires_in)
            .await
            .map_err(Error::from)?;
        Ok(SignedUrl::new(url))
    }

    fn as_any(&self) -> &dyn Any {
        // The `object_store` client itself.
        &*self.store
    }
}

#[cfg(test)]
mod tests;
