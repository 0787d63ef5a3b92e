//! What must hold before a table's driver is asked: access, keys, sizes, and what a batch may hold.

use std::collections::BTreeSet;

use super::{Key, Table, TableCapabilities, Write};
use crate::error::{ErrorKind, Result};
use crate::resource::Access;

impl Table {
    pub(super) fn check_batch(&self, operation: &'static str, batch: &[Write]) -> Result<()> {
        let limits = self.driver.capabilities();
        if batch.len() > limits.max_batch {
            return Err(self
                .error(
                    ErrorKind::Unsupported,
                    operation,
                    "more writes than this target does all or nothing",
                )
                .with("writes", batch.len())
                .with("max_writes", limits.max_batch));
        }
        let mut keys = BTreeSet::new();
        for write in batch {
            if let Some(key) = keys.replace(self.checked_key(operation, write, &limits)?) {
                // Some targets refuse this and others do both in order, so no program may rely on it.
                return Err(self
                    .error(
                        ErrorKind::InvalidArgument,
                        operation,
                        "a batch writes each key once at most",
                    )
                    .with("key", key));
            }
        }
        let partitions: BTreeSet<&str> = keys.iter().map(|key| key.partition.as_str()).collect();
        if partitions.len() > 1 && !limits.batch_across_partitions {
            return Err(self
                .error(
                    ErrorKind::Unsupported,
                    operation,
                    "this target does all or nothing within one partition key only; write one batch for each, or give the items one partition key",
                )
                .with("partitions", partitions.len()));
        }
        Ok(())
    }

    /// The key of a write that may be done by itself.
    fn checked_key(&self, operation: &'static str, write: &Write, limits: &TableCapabilities) -> Result<Key> {
        let item = match write {
            Write::Put { item, .. } => item,
            Write::Delete { key, .. } => {
                self.grant.require(Access::Delete, operation)?;
                self.check_key(operation, key)?;
                return Ok(key.clone());
            }
        };
        self.grant.require(Access::Write, operation)?;
        let schema = self.driver.schema();
        let key = schema
            .key_of(item)
            .map_err(|error| error.with("table", self.name()))?;
        self.check_lengths(operation, &key)?;
        let expires = schema
            .expiry_of(item)
            .map_err(|error| error.with("table", self.name()))?;
        if expires.is_some() && !limits.ttl {
            return Err(self.error(
                ErrorKind::Unsupported,
                operation,
                "items cannot expire on this target",
            ));
        }
        let size = item.to_string().len();
        if size > limits.max_item_bytes {
            return Err(self
                .error(
                    ErrorKind::ResourceExhausted,
                    operation,
                    "the item is larger than this target allows; put large content into a bucket",
                )
                .with("bytes", size)
                .with("max_bytes", limits.max_item_bytes));
        }
        Ok(key)
    }

    pub(super) fn check_key(&self, operation: &'static str, key: &Key) -> Result<()> {
        let sorted = self.driver.schema().sort.is_some();
        if key.partition.is_empty() || key.sort.as_deref() == Some("") {
            return Err(self.error(ErrorKind::InvalidArgument, operation, "the key is empty"));
        }
        if sorted != key.sort.is_some() {
            let message = if sorted {
                "the table has a sort key: use `Key::sorted`"
            } else {
                "the table has no sort key: use `Key::new`"
            };
            return Err(self.error(ErrorKind::InvalidArgument, operation, message));
        }
        self.check_lengths(operation, key)
    }

    fn check_lengths(&self, operation: &'static str, key: &Key) -> Result<()> {
        self.check_length(operation, &key.partition)?;
        match &key.sort {
            Some(sort) => self.check_length(operation, sort),
            None => Ok(()),
        }
    }

    /// Refuses a partition or sort key that is too long.
    pub(super) fn check_length(&self, operation: &'static str, text: &str) -> Result<()> {
        match self.driver.capabilities().max_key_bytes {
            Some(longest) if text.len() > longest => Err(self
                .error(
                    ErrorKind::InvalidArgument,
                    operation,
                    "the key is longer than this target allows",
                )
                .with("bytes", text.len())
                .with("max_bytes", longest)),
            _ => Ok(()),
        }
    }
}
