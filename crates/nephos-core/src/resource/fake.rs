//! One driver of every kind for the unit tests of the portable types: it has narrow limits, counts its calls, and fails when told to.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::Value;

use super::bucket::{BucketCapabilities, BucketDriver, SignedMethod, SignedUrl};
use super::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use super::secret::{SecretCapabilities, SecretDriver, SecretValue};
use super::stream::{Append, Position, StreamCapabilities, StreamDriver, StreamPage};
use super::table::{Key, Page, Query, Stored, TableCapabilities, TableDriver, TableSchema, Version, Write};
use super::topic::{Publication, TopicCapabilities, TopicDriver};
use super::{Binding, Drivers};
use crate::error::{Error, ErrorKind, Result};

#[derive(Debug)]
pub(crate) struct Fake {
    calls: AtomicUsize,
    failures: Mutex<VecDeque<ErrorKind>>,
    store: Arc<InMemory>,
    pub(crate) schema: TableSchema,
    /// Whether what is optional works.
    pub(crate) able: bool,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            calls: AtomicUsize::new(0),
            failures: Mutex::default(),
            store: Arc::new(InMemory::new()),
            schema: TableSchema {
                key: "id".to_owned(),
                sort: None,
                ttl: Some("expires".to_owned()),
            },
            able: false,
        }
    }

    /// The next calls fail with these kinds, one each.
    pub(crate) fn failing(self, kinds: &[ErrorKind]) -> Self {
        self.failures.lock().unwrap().extend(kinds);
        self
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn call<T>(&self, value: T) -> Result<T> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.failures.lock().unwrap().pop_front() {
            Some(kind) => Err(Error::new(kind, "fake.call", "told to fail")),
            None => Ok(value),
        }
    }
}

fn ids(count: usize) -> Vec<String> {
    (1..=count).map(|number| number.to_string()).collect()
}

#[async_trait]
impl QueueDriver for Fake {
    fn capabilities(&self) -> QueueCapabilities {
        QueueCapabilities {
            max_delay: Duration::from_secs(900),
            max_visibility_timeout: Duration::from_secs(60),
            max_message_bytes: 16,
            max_receive: 10,
            ordered_groups: self.able,
            attributes: self.able,
            exact_depth: true,
            counts_leased: self.able,
            counts_delayed: self.able,
        }
    }

    async fn send_batch(&self, batch: &[Outgoing]) -> Result<Vec<String>> {
        self.call(ids(batch.len()))
    }

    async fn receive(&self, max: usize, _timeout: Duration, _wait: Duration) -> Result<Vec<Received>> {
        assert!(max <= 10, "the portable type keeps to `max_receive`");
        self.call(Vec::new())
    }

    async fn ack(&self, _receipts: &[Receipt]) -> Result<()> {
        self.call(())
    }

    async fn nack(&self, _receipt: &Receipt, _delay: Duration) -> Result<()> {
        self.call(())
    }

    async fn extend(&self, receipt: &Receipt, _timeout: Duration) -> Result<Receipt> {
        self.call(receipt.clone())
    }

    async fn depth(&self) -> Result<Depth> {
        self.call(Depth::default())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[async_trait]
impl TopicDriver for Fake {
    fn capabilities(&self) -> TopicCapabilities {
        TopicCapabilities {
            max_message_bytes: 16,
            attributes: self.able,
        }
    }

    async fn publish_batch(&self, batch: &[Publication]) -> Result<Vec<String>> {
        self.call(ids(batch.len()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[async_trait]
impl StreamDriver for Fake {
    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities {
            max_record_bytes: 16,
            attributes: self.able,
            read: self.able,
            sequences: self.able,
        }
    }

    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>> {
        let sequences = ids(batch.len()).into_iter();
        self.call(sequences.map(|id| self.able.then_some(id)).collect())
    }

    async fn read(&self, position: &Position, _max: usize) -> Result<StreamPage> {
        self.call(StreamPage {
            records: Vec::new(),
            next: position.clone(),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[async_trait]
impl TableDriver for Fake {
    fn capabilities(&self) -> TableCapabilities {
        TableCapabilities {
            max_item_bytes: 64,
            max_batch: 2,
            ttl: self.able,
            scan: self.able,
            batch_across_partitions: self.able,
            max_key_bytes: Some(16),
        }
    }

    fn schema(&self) -> &TableSchema {
        &self.schema
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored<Value>>> {
        let item = serde_json::json!({"id": key.partition, "count": "seven"});
        self.call(Some(Stored {
            item,
            version: Version("1".to_owned()),
        }))
    }

    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        let versions = batch
            .iter()
            .map(|write| matches!(write, Write::Put { .. }).then(|| Version("1".to_owned())));
        self.call(versions.collect())
    }

    async fn query(&self, _query: &Query) -> Result<Page<Value>> {
        self.call(Page {
            items: Vec::new(),
            next: None,
        })
    }

    async fn scan(&self, _limit: usize, _cursor: Option<&str>) -> Result<Page<Value>> {
        self.call(Page {
            items: Vec::new(),
            next: None,
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[async_trait]
impl SecretDriver for Fake {
    fn capabilities(&self) -> SecretCapabilities {
        SecretCapabilities { versions: self.able }
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        self.call(SecretValue::new("hush", version.map(str::to_owned)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[async_trait]
impl BucketDriver for Fake {
    fn capabilities(&self) -> BucketCapabilities {
        BucketCapabilities {
            put_if_absent: self.able,
            put_if_match: self.able,
            attributes: self.able,
            max_signed_url: if self.able {
                Duration::from_secs(60)
            } else {
                Duration::ZERO
            },
            max_key_bytes: 64,
            nested_keys: true,
            ordered_list: self.able,
        }
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::<InMemory>::clone(&self.store)
    }

    async fn signed_url(&self, _method: SignedMethod, key: &str, _expires_in: Duration) -> Result<SignedUrl> {
        self.call(SignedUrl::new(format!("https://store.example/{key}")))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Opens [`Fake`]s, and counts how many.
#[derive(Debug, Default)]
pub(crate) struct FakeDrivers {
    pub(crate) opened: AtomicUsize,
}

impl FakeDrivers {
    fn open(&self) -> Arc<Fake> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Arc::new(Fake::new())
    }
}

impl Drivers for FakeDrivers {
    fn bucket(&self, _binding: &Binding) -> Result<Arc<dyn BucketDriver>> {
        Ok(self.open())
    }

    fn queue(&self, _binding: &Binding) -> Result<Arc<dyn QueueDriver>> {
        Ok(self.open())
    }

    fn topic(&self, _binding: &Binding) -> Result<Arc<dyn TopicDriver>> {
        Ok(self.open())
    }

    fn stream(&self, _binding: &Binding) -> Result<Arc<dyn StreamDriver>> {
        Ok(self.open())
    }

    fn table(&self, _binding: &Binding) -> Result<Arc<dyn TableDriver>> {
        Ok(self.open())
    }

    fn secret(&self, _binding: &Binding) -> Result<Arc<dyn SecretDriver>> {
        Ok(self.open())
    }
}
