//! Buckets outside the target, by URL: `s3://bucket[/prefix]`, on any store that speaks S3. The same on every target.

mod credentials;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl, key_to_path};
use nephos_core::resource::secret::Secret;
use nephos_core::resource::{Binding, ExternalBuckets};
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::signer::Signer as _;

use self::credentials::SecretCredentials;

const OPERATION: &str = "context.open";

/// What a store that speaks S3 can do: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
const CAPABILITIES: BucketCapabilities = BucketCapabilities::FULL;

/// Opens buckets outside the target, by `s3://` URLs: what functions have already; for programs that open an app's resources themselves.
#[derive(Debug)]
pub struct S3Buckets;

impl ExternalBuckets for S3Buckets {
    fn open(&self, binding: &Binding, credentials: Option<Secret>) -> Result<Arc<dyn BucketDriver>> {
        let refuse = |kind, message: &'static str| {
            Error::new(kind, OPERATION, message)
                .with("bucket", &binding.name)
                .with("url", binding.url.as_deref().unwrap_or_default())
        };
        let url = binding.url.as_deref().unwrap_or_default();
        let Some(rest) = url.strip_prefix("s3://") else {
            return Err(refuse(
                ErrorKind::Unsupported,
                "buckets outside the target have URLs that begin with s3://",
            ));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let invalid = |message| refuse(ErrorKind::InvalidArgument, message);
        if bucket.is_empty() || bucket.contains(|c: char| !c.is_ascii_alphanumeric() && !"-._".contains(c)) {
            return Err(invalid("the URL must be s3://bucket or s3://bucket/prefix"));
        }
        let prefix = if prefix.is_empty() {
            None
        } else {
            Some(key_to_path(prefix).ok_or_else(|| {
                invalid(
                    "the URL's prefix has segments that are empty, `.` or `..`, or holds control characters",
                )
            })?)
        };
        let property = |name: &str| binding.properties.get(name).map(String::as_str);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(property("region").unwrap_or("us-east-1"))
            .with_conditional_put(S3ConditionalPut::ETagMatch);
        if let Some(endpoint) = property("endpoint") {
            let plain =
                check_endpoint(endpoint).map_err(|message| invalid(message).with("endpoint", endpoint))?;
            // A store of one's own has no name of its own for each bucket.
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_virtual_hosted_style_request(false)
                .with_allow_http(plain);
        }
        let credentials = credentials.map(|secret| Arc::new(SecretCredentials::new(secret)));
        builder = match &credentials {
            Some(credentials) => builder.with_credentials(Arc::clone(credentials) as _),
            None => builder.with_skip_signature(true),
        };
        use_ring();
        let store = builder.build().map_err(|error| {
            invalid("the bucket's URL, endpoint or region cannot be used").caused_by(error)
        })?;
        Ok(Arc::new(S3Bucket {
            store: Arc::new(store),
            prefix,
            credentials,
        }))
    }
}

/// Whether the endpoint is plain HTTP, which only one's own machine may be asked by.
fn check_endpoint(endpoint: &str) -> std::result::Result<bool, &'static str> {
    let (plain, rest) = match endpoint.split_once("://") {
        Some(("https", rest)) => (false, rest),
        Some(("http", rest)) => (true, rest),
        _ => return Err("the endpoint must begin with https:// (or http:// for this very machine)"),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("the endpoint must not hold credentials; name their secret in nephos.toml");
    }
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    if host.is_empty() {
        return Err("the endpoint names no host");
    }
    let loopback = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if plain && !loopback {
        return Err(
            "an endpoint elsewhere must begin with https://: over http:// anybody on the way could read along",
        );
    }
    Ok(plain)
}

/// Chooses who does the cryptography of TLS, unless the program has chosen already.
fn use_ring() {
    // An error says that there was a choice before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A bucket that speaks S3.
#[derive(Debug)]
struct S3Bucket {
    store: Arc<AmazonS3>,
    prefix: Option<Path>,
    credentials: Option<Arc<SecretCredentials>>,
}

#[async_trait]
impl BucketDriver for S3Bucket {
    fn capabilities(&self) -> BucketCapabilities {
        let mut capabilities = CAPABILITIES;
        if self.credentials.is_none() {
            capabilities.max_signed_url = Duration::ZERO;
        }
        if let Some(prefix) = &self.prefix {
            capabilities.max_key_bytes -= (prefix.as_ref().len() + 1).min(capabilities.max_key_bytes);
        }
        capabilities
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        let store = match &self.credentials {
            Some(credentials) => credentials.watch(store),
            None => store,
        };
        match &self.prefix {
            Some(prefix) => Arc::new(PrefixStore::new(store, prefix.clone())),
            None => store,
        }
    }

    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<SignedUrl> {
        let whole = match &self.prefix {
            Some(prefix) => format!("{prefix}/{key}"),
            None => key.to_owned(),
        };
        let path = key_to_path(&whole).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "bucket.signed_url",
                "the key is not one that a bucket can hold",
            )
            .with("key", key)
        })?;
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
