//! Buckets: each object a string with its bytes and a hash with what is known of it, and one sorted set with all keys. For small objects: all of it is in the memory of Redis,
//! which takes 512 MB for each and does nothing else while it reads or writes one.

mod attributes;
mod store;
mod upload;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::resource::Binding;
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl};
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;

use self::store::RedisStore;
use crate::connection::{Connection, key};

/// A bucket.
#[derive(Debug)]
pub struct RedisBucket {
    store: Arc<RedisStore>,
    name: String,
}

impl RedisBucket {
    /// Opens the bucket that the binding names; it is there with its first object.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the binding does not say what Redis calls it.
    pub fn open(connection: &Connection, binding: &Binding) -> Result<Self> {
        Ok(Self {
            store: Arc::new(RedisStore {
                connection: connection.clone(),
                key: key(binding)?,
            }),
            name: binding.name.clone(),
        })
    }
}

#[async_trait]
impl BucketDriver for RedisBucket {
    fn capabilities(&self) -> BucketCapabilities {
        BucketCapabilities {
            // Nobody but a client of Redis can be asked for an object.
            max_signed_url: Duration::ZERO,
            ..BucketCapabilities::FULL
        }
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store) as _
    }

    async fn signed_url(&self, _: SignedMethod, key: &str, _: Duration) -> Result<SignedUrl> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "bucket.signed_url",
            "Redis has no URLs that are enough by themselves",
        )
        .with("bucket", &self.name)
        .with("key", key))
    }

    fn as_any(&self) -> &dyn Any {
        &self.store.connection
    }
}
