//! Drivers for the unit tests of hosts: a queue that keeps what is sent, and a bucket in memory.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::resource::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl};
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use nephos_core::resource::secret::SecretDriver;
use nephos_core::resource::stream::StreamDriver;
use nephos_core::resource::table::TableDriver;
use nephos_core::resource::topic::TopicDriver;
use nephos_core::resource::{Binding, Drivers};
use nephos_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;
use object_store::memory::InMemory;

/// The drivers. Clones share what they hold.
#[derive(Debug, Clone, Default)]
pub struct Fake {
    sent: Arc<Mutex<Vec<Outgoing>>>,
    opened: Arc<Mutex<Vec<String>>>,
    /// The bucket's objects.
    pub store: Arc<InMemory>,
    is_down: bool,
    is_ordered: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unsupported<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "test", "not part of the test"))
}

impl Fake {
    /// Drivers whose queue takes nothing.
    #[must_use]
    pub fn down() -> Self {
        Self {
            is_down: true,
            ..Self::default()
        }
    }

    /// Drivers whose queue keeps groups.
    #[must_use]
    pub fn ordered() -> Self {
        Self {
            is_ordered: true,
            ..Self::default()
        }
    }

    /// What was sent to the queue.
    #[must_use]
    pub fn sent(&self) -> Vec<Outgoing> {
        locked(&self.sent).clone()
    }

    /// The physical names that were opened.
    #[must_use]
    pub fn opened(&self) -> Vec<String> {
        locked(&self.opened).clone()
    }

    fn open(&self, binding: &Binding) -> Result<()> {
        let physical = nephos_core::wiring::physical(binding)?.to_owned();
        locked(&self.opened).push(physical);
        Ok(())
    }
}

impl Drivers for Fake {
    fn bucket(&self, binding: &Binding) -> Result<Arc<dyn BucketDriver>> {
        self.open(binding)?;
        Ok(Arc::new(self.clone()))
    }

    fn queue(&self, binding: &Binding) -> Result<Arc<dyn QueueDriver>> {
        self.open(binding)?;
        Ok(Arc::new(self.clone()))
    }

    fn topic(&self, _: &Binding) -> Result<Arc<dyn TopicDriver>> {
        unsupported()
    }

    fn stream(&self, _: &Binding) -> Result<Arc<dyn StreamDriver>> {
        unsupported()
    }

    fn table(&self, _: &Binding) -> Result<Arc<dyn TableDriver>> {
        unsupported()
    }

    fn secret(&self, _: &Binding) -> Result<Arc<dyn SecretDriver>> {
        unsupported()
    }
}

#[async_trait]
impl QueueDriver for Fake {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities {
            max_delay: Duration::from_secs(900),
            max_visibility_timeout: Duration::from_secs(43_200),
            max_message_bytes: 1 << 20,
            max_receive: 10,
            ordered_groups: self.is_ordered,
            attributes: true,
            exact_depth: false,
            counts_leased: false,
            counts_delayed: false,
        }
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        if self.is_down {
            return Err(Error::new(ErrorKind::PermissionDenied, "queue.send", "no entry"));
        }
        locked(&self.sent).extend_from_slice(batch);
        Ok(batch.iter().map(|_| "letter".to_owned()).collect())
    }

    async fn receive(&self, _: usize, _: Duration, _: Duration) -> Result<Vec<Received>> {
        unsupported()
    }

    async fn ack(&self, _: &[Receipt]) -> Result<()> {
        unsupported()
    }

    async fn nack(&self, _: &Receipt, _: Duration) -> Result<()> {
        unsupported()
    }

    async fn extend(&self, _: &Receipt, _: Duration) -> Result<Receipt> {
        unsupported()
    }

    async fn depth(&self) -> Result<Depth> {
        unsupported()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[async_trait]
impl BucketDriver for Fake {
    fn capabilities(&self) -> BucketCapabilities {
        BucketCapabilities {
            put_if_absent: true,
            put_if_match: true,
            attributes: true,
            max_signed_url: Duration::ZERO,
            max_key_bytes: 1024,
            nested_keys: true,
            ordered_list: true,
        }
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        let store: Arc<InMemory> = Arc::clone(&self.store);
        store
    }

    async fn signed_url(&self, _: SignedMethod, _: &str, _: Duration) -> Result<SignedUrl> {
        unsupported()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
