//! Drivers over the embedded host's resource API: what a function's handles stand on.

pub mod bucket;
pub mod capabilities;
pub mod client;
pub mod queue;
pub mod secret;
pub mod stream;
pub mod table;
pub mod topic;

use std::sync::Arc;

use nephos_core::Result;
use nephos_core::env::Environment;
use nephos_core::resource::bucket::BucketDriver;
use nephos_core::resource::queue::QueueDriver;
use nephos_core::resource::secret::SecretDriver;
use nephos_core::resource::stream::StreamDriver;
use nephos_core::resource::table::TableDriver;
use nephos_core::resource::topic::TopicDriver;
use nephos_core::resource::{Binding, Drivers};

use self::client::Client;

/// Opens drivers over the resource API, all on one client.
#[derive(Debug, Clone)]
pub struct LocalDrivers {
    client: Client,
}

impl LocalDrivers {
    /// Drivers over this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Drivers over the API that the process's environment tells of.
    ///
    /// # Errors
    /// As [`Client::from_environment`].
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        Client::from_environment(environment).map(Self::new)
    }
}

impl Drivers for LocalDrivers {
    fn bucket(&self, binding: &Binding) -> Result<Arc<dyn BucketDriver>> {
        Ok(Arc::new(bucket::LocalBucket::new(
            self.client.clone(),
            &binding.name,
        )))
    }

    fn queue(&self, binding: &Binding) -> Result<Arc<dyn QueueDriver>> {
        Ok(Arc::new(queue::LocalQueue::new(
            self.client.clone(),
            &binding.name,
        )))
    }

    fn topic(&self, binding: &Binding) -> Result<Arc<dyn TopicDriver>> {
        Ok(Arc::new(topic::LocalTopic::new(
            self.client.clone(),
            &binding.name,
        )))
    }

    fn stream(&self, binding: &Binding) -> Result<Arc<dyn StreamDriver>> {
        Ok(Arc::new(stream::LocalStream::new(
            self.client.clone(),
            &binding.name,
        )))
    }

    fn table(&self, binding: &Binding) -> Result<Arc<dyn TableDriver>> {
        let schema = table::schema_of(binding)?;
        Ok(Arc::new(table::LocalTable::new(
            self.client.clone(),
            &binding.name,
            schema,
        )))
    }

    fn secret(&self, binding: &Binding) -> Result<Arc<dyn SecretDriver>> {
        Ok(Arc::new(secret::LocalSecret::new(
            self.client.clone(),
            &binding.name,
        )))
    }
}

/// The most that one request sends of a batch: entries, and bytes of their bodies.
const MAX_ENTRIES: usize = 1000;
const MAX_BYTES: usize = 8 << 20;

/// Splits a batch so that each part is a request of reasonable size. No part is empty; an entry above the limit is a part alone.
fn parts<T>(mut batch: &[T], bytes: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut total = 0;
        let fitting = batch
            .iter()
            .take(MAX_ENTRIES)
            .take_while(|entry| {
                total += bytes(entry);
                total <= MAX_BYTES
            })
            .count();
        let (part, rest) = batch.split_at_checked(fitting.max(1))?;
        batch = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, MAX_ENTRIES, parts};

    #[test]
    fn a_batch_is_split_by_number_and_by_size_and_nothing_is_lost() {
        let sizes: Vec<usize> = (0..MAX_ENTRIES * 2 + 1).collect();
        let by_number: Vec<usize> = parts(&sizes, |_| 1).map(<[usize]>::len).collect();
        assert_eq!(by_number, [MAX_ENTRIES, MAX_ENTRIES, 1]);

        let sizes = [MAX_BYTES / 2, MAX_BYTES / 2, 1, MAX_BYTES * 2, 3];
        let by_size: Vec<&[usize]> = parts(&sizes, |size| *size).collect();
        assert_eq!(by_size, [&sizes[..2], &sizes[2..3], &sizes[3..4], &sizes[4..]]);

        assert_eq!(parts(&[], |_: &usize| 1).count(), 0);
    }
}
