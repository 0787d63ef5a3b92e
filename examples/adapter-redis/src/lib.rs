//! An adapter of Nephos that is not part of it: buckets, queues, streams, tables and secrets in Redis, written against the published interfaces alone.
//!
//! One file a kind, each over Lua scripts ([`scripts`](https://redis.io/docs/latest/develop/programmability/eval-intro/)) where a step must be whole or not at all: Redis runs
//! a script without anything in between. All keys of one resource have the same hash tag, `nephos:{<name>}:…`, so that a cluster keeps them in one slot.

mod bucket;
mod connection;
mod head;
pub mod operator;
mod queue;
mod secret;
mod stream;
mod table;

use std::sync::Arc;

use nephos_core::resource::bucket::BucketDriver;
use nephos_core::resource::queue::QueueDriver;
use nephos_core::resource::secret::SecretDriver;
use nephos_core::resource::stream::StreamDriver;
use nephos_core::resource::table::TableDriver;
use nephos_core::resource::topic::TopicDriver;
use nephos_core::resource::{Binding, Drivers};
use nephos_core::{Error, ErrorKind, Result};

pub use self::bucket::RedisBucket;
pub use self::connection::Connection;
pub use self::queue::{ORDERED, RedisQueue};
pub use self::secret::RedisSecret;
pub use self::stream::RedisStream;
pub use self::table::RedisTable;

/// Opens drivers over one Redis, all on one connection.
#[derive(Debug, Clone)]
pub struct RedisDrivers {
    connection: Connection,
}

impl RedisDrivers {
    /// Drivers over this connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
        }
    }
}

impl Drivers for RedisDrivers {
    fn bucket(&self, binding: &Binding) -> Result<Arc<dyn BucketDriver>> {
        Ok(Arc::new(RedisBucket::open(&self.connection, binding)?))
    }

    fn queue(&self, binding: &Binding) -> Result<Arc<dyn QueueDriver>> {
        Ok(Arc::new(RedisQueue::open(&self.connection, binding)?))
    }

    /// Whoever subscribes to a topic is a function, and Redis calls none.
    fn topic(&self, binding: &Binding) -> Result<Arc<dyn TopicDriver>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "context.open",
            "Redis calls no functions, so nobody would hear of it; use a queue or a stream",
        )
        .with("topic", &binding.name))
    }

    fn stream(&self, binding: &Binding) -> Result<Arc<dyn StreamDriver>> {
        Ok(Arc::new(RedisStream::open(&self.connection, binding)?))
    }

    fn table(&self, binding: &Binding) -> Result<Arc<dyn TableDriver>> {
        Ok(Arc::new(RedisTable::open(&self.connection, binding)?))
    }

    fn secret(&self, binding: &Binding) -> Result<Arc<dyn SecretDriver>> {
        Ok(Arc::new(RedisSecret::open(&self.connection, binding)?))
    }
}
