//! Buckets made wrong: the driver; the store under it is in [`store`](super::store).

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::resource::bucket::{Bucket, BucketCapabilities, BucketDriver, SignedMethod, SignedUrl};
use object_store::ObjectStore;

use super::{EXTRA, Fault, longer, signed, store};

#[derive(Debug)]
struct Wrong {
    inner: Bucket,
    store: Arc<dyn ObjectStore>,
    fault: Fault,
    asked: AtomicUsize,
}

pub(super) fn wrong(inner: Bucket, fault: Fault) -> Bucket {
    let name = inner.name().to_owned();
    Bucket::new(&name, driver(inner, fault))
}

pub(super) fn driver(inner: Bucket, fault: Fault) -> Arc<dyn BucketDriver> {
    let store = Arc::new(store::Wrong::new(inner.store(), fault));
    Arc::new(Wrong {
        inner,
        store,
        fault,
        asked: AtomicUsize::new(0),
    })
}

/// What is wrong with a bucket, if it is one of these.
pub(super) fn fault(bucket: &Bucket) -> Option<Fault> {
    bucket
        .driver()
        .as_any()
        .downcast_ref::<Wrong>()
        .map(|wrong| wrong.fault)
}

#[async_trait]
impl BucketDriver for Wrong {
    fn capabilities(&self) -> BucketCapabilities {
        let mut capabilities = self.inner.capabilities();
        if self.fault == Fault::LimitNotHeld {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            capabilities.max_key_bytes += asked * EXTRA;
            capabilities.max_signed_url += longer(asked);
        }
        if self.fault == Fault::PretendsCapability {
            capabilities.put_if_absent = true;
            capabilities.put_if_match = true;
            capabilities.attributes = true;
            capabilities.nested_keys = true;
            capabilities.max_signed_url = Duration::from_secs(3600);
        }
        capabilities
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    async fn signed_url(&self, method: SignedMethod, key: &str, expires_in: Duration) -> Result<SignedUrl> {
        let driver = self.inner.driver();
        match self.fault {
            Fault::PretendsCapability => Ok(SignedUrl::new("http://localhost/signed")),
            Fault::SignedForAnyMethod => driver.signed_url(SignedMethod::Put, key, expires_in).await,
            Fault::SignedForOtherKey => driver.signed_url(method, "b", expires_in).await,
            Fault::SignedForAnyKey | Fault::SignatureIgnored | Fault::SignedHeaderUntold | Fault::Lacking => {
                signed::url(self.inner.clone(), method, key, self.fault).await
            }
            Fault::SignedForLong => {
                let longest = self.inner.capabilities().max_signed_url;
                driver
                    .signed_url(method, key, (expires_in + Duration::from_secs(600)).min(longest))
                    .await
            }
            Fault::LimitNotHeld => {
                let longest = self.inner.capabilities().max_signed_url;
                driver.signed_url(method, key, expires_in.min(longest)).await
            }
            _ => driver.signed_url(method, key, expires_in).await,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
