//! What an adapter implements for a table.

use std::any::Any;
use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Key, Page, Query, Stored, TableSchema, Version, Write};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;

/// What a table can do. A request beyond it is [`ErrorKind::Unsupported`] before any I/O.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCapabilities {
    /// The largest item as JSON, in bytes.
    pub max_item_bytes: usize,
    /// The most writes that one batch does all or nothing.
    pub max_batch: usize,
    /// Whether an item can expire.
    pub ttl: bool,
    /// Whether items can be listed over all partitions.
    pub scan: bool,
    /// Whether one batch may write to several partitions. Where it may not, all its writes are of one partition key.
    pub batch_across_partitions: bool,
    /// The longest that a partition or sort key may be, in bytes; `None` where only the item's size limits it.
    pub max_key_bytes: Option<usize>,
}

/// One provider's table. Must not retry. May be called concurrently. Must not keep what it borrows.
#[async_trait]
pub trait TableDriver: Debug + Send + Sync + 'static {
    /// What it can do; constant for the driver's life.
    fn capabilities(&self) -> TableCapabilities;
    /// Its key attributes.
    fn schema(&self) -> &TableSchema;
    /// The item, or `None`. An expired item is none. Reads what was last written (strongly consistent).
    async fn get(&self, key: &Key) -> Result<Option<Stored<serde_json::Value>>>;
    /// Writes all or nothing, at most `max_batch`, and of one partition only unless `batch_across_partitions`; returns a version for each put, `None` for each delete, in order. A condition that
    /// does not hold is [`ErrorKind::AlreadyExists`] for `Absent` and [`ErrorKind::Conflict`] for `Version`, with the `index` and `key`
    /// of the write. An expired item counts as absent. Deleting what is not there with `Always` is no error.
    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>>;
    /// One page of a partition, ordered by sort key bytes. Expired items are left out. A cursor that is not its own is
    /// [`ErrorKind::InvalidArgument`].
    async fn query(&self, query: &Query) -> Result<Page<serde_json::Value>>;
    /// One page of all items in any stable order. Cursor as in `query`.
    async fn scan(&self, limit: usize, cursor: Option<&str>) -> Result<Page<serde_json::Value>>;
    /// The provider's own client, for what the portable type cannot do.
    fn as_any(&self) -> &dyn Any;
}
