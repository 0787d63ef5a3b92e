//! Tables: JSON items by partition key and optional sort key, with versions, conditions and time to live.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::resource::{Access, Grant, ResourceKind};

/// An item's key: text, as every target orders text the same way (by bytes). Write times as RFC 3339 and pad numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The partition key's value.
    pub partition: String,
    /// The sort key's value, in a table that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
}

impl Key {
    /// A key of a table without sort key.
    pub fn new(partition: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            sort: None,
        }
    }

    /// A key of a table with sort key.
    pub fn sorted(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            sort: Some(sort.into()),
        }
    }
}

impl From<&str> for Key {
    fn from(partition: &str) -> Self {
        Self::new(partition)
    }
}

impl From<&String> for Key {
    fn from(partition: &String) -> Self {
        Self::new(partition)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.partition)?;
        if let Some(sort) = &self.sort {
            write!(f, "/{sort}")?;
        }
        Ok(())
    }
}

/// Which attributes of an item are its key, and which its time to live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The attribute that is the partition key.
    pub key: String,
    /// The attribute that is the sort key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// The attribute that holds when an item expires, in whole seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

impl TableSchema {
    /// The key of `item`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a key attribute is missing, empty, or not text.
    pub fn key_of(&self, item: &serde_json::Value) -> Result<Key> {
        let text = |attribute: &str| match item.get(attribute) {
            Some(serde_json::Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            _ => Err(Error::new(
                ErrorKind::InvalidArgument,
                "table.put",
                "the item's key attribute must be text that is not empty",
            )
            .with("attribute", attribute)),
        };
        Ok(Key {
            partition: text(&self.key)?,
            sort: self.sort.as_deref().map(text).transpose()?,
        })
    }

    /// When `item` expires, in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the attribute is there but not a whole number.
    pub fn expiry_of(&self, item: &serde_json::Value) -> Result<Option<i64>> {
        let Some(attribute) = &self.ttl else {
            return Ok(None);
        };
        match item.get(attribute) {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    "table.put",
                    "the item's time-to-live attribute must be whole seconds since 1970-01-01 UTC",
                )
                .with("attribute", attribute)
            }),
        }
    }
}

/// An item's version: opaque, another after each write.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version(pub String);

/// What must hold for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nothing: write in any case.
    Always,
    /// There is no item of this key.
    Absent,
    /// The item is still this version.
    Version(Version),
}

/// An item as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored<T> {
    /// The item.
    pub item: T,
    /// Its version, for [`Table::put_if_version`].
    pub version: Version,
}

/// Which sort keys a query takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortRange {
    /// All.
    #[default]
    All,
    /// Those that begin with this.
    Prefix(String),
    /// From the first (inclusive) to the second (inclusive); `None` is open.
    Between(Option<String>, Option<String>),
}

/// A query within one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The partition key's value.
    pub partition: String,
    /// Which sort keys.
    pub range: SortRange,
    /// Whether the highest sort key comes first.
    pub descending: bool,
    /// The most items that a page holds.
    pub limit: usize,
    /// Where to go on: an earlier page's [`Page::next`].
    pub cursor: Option<String>,
}

impl Query {
    /// All items of a partition, in ascending order, 100 to a page.
    pub fn partition(partition: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            range: SortRange::All,
            descending: false,
            limit: 100,
            cursor: None,
        }
    }

    /// Only sort keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.range = SortRange::Prefix(prefix.into());
        self
    }

    /// Only sort keys from `low` to `high`, both inclusive.
    #[must_use]
    pub fn between(mut self, low: impl Into<String>, high: impl Into<String>) -> Self {
        self.range = SortRange::Between(Some(low.into()), Some(high.into()));
        self
    }

    /// The highest sort key first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// At most this many items to a page.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on behind an earlier page.
    #[must_use]
    pub fn cursor(mut self, cursor: Option<String>) -> Self {
        self.cursor = cursor;
        self
    }
}

/// Some items, and where to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<Stored<T>>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<String>,
}

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Writes the item if the condition holds.
    Put {
        /// The item, key attributes included.
        item: serde_json::Value,
        /// What must hold.
        condition: Condition,
    },
    /// Deletes the item if the condition holds.
    Delete {
        /// The item's key.
        key: Key,
        /// What must hold.
        condition: Condition,
    },
}

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
    /// Writes all or nothing, at most `max_batch`; returns a version for each put, `None` for each delete, in order. A condition that
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

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    grant: Grant,
    driver: Arc<dyn TableDriver>,
}

impl Table {
    /// A table over `driver`, with every access: for hosts, tools and tests.
    #[must_use]
    pub fn new(name: &str, driver: Arc<dyn TableDriver>) -> Self {
        Self {
            grant: Grant::full(ResourceKind::Table, name),
            driver,
        }
    }

    /// The same with only this access.
    #[must_use]
    pub fn with_access(name: &str, driver: Arc<dyn TableDriver>, access: BTreeSet<Access>) -> Self {
        Self {
            grant: Grant::new(ResourceKind::Table, name, access),
            driver,
        }
    }

    pub(crate) fn granted(grant: Grant, driver: Arc<dyn TableDriver>) -> Self {
        Self { grant, driver }
    }

    /// Its name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.grant.name
    }

    /// What it can do on this target.
    #[must_use]
    pub fn capabilities(&self) -> TableCapabilities {
        self.driver.capabilities()
    }

    /// The item of this key, or `None`.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `read`, [`ErrorKind::InvalidArgument`] for a key that does not fit the table,
    /// [`ErrorKind::Decode`] if the item does not fit `T`, or the driver's.
    pub async fn get<T: DeserializeOwned>(&self, key: impl Into<Key>) -> Result<Option<T>> {
        Ok(self.get_stored(key).await?.map(|stored| stored.item))
    }

    /// The item of this key with its version, or `None`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_stored<T: DeserializeOwned>(&self, key: impl Into<Key>) -> Result<Option<Stored<T>>> {
        const OPERATION: &str = "table.get";
        self.grant.require(Access::Read, OPERATION)?;
        let key = key.into();
        self.check_key(OPERATION, &key)?;
        let stored = self.grant.retry.run(|| self.driver.get(&key)).await?;
        stored.map(|stored| self.decode(OPERATION, stored)).transpose()
    }

    /// Writes the item, whatever was there; returns its version.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `write`, [`ErrorKind::InvalidArgument`] if its key attributes are not text,
    /// [`ErrorKind::ResourceExhausted`] if it is too large, or the driver's.
    pub async fn put<T: Serialize + ?Sized>(&self, item: &T) -> Result<Version> {
        self.put_when(item, Condition::Always).await
    }

    /// Writes the item if there is none of its key.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`ErrorKind::AlreadyExists`].
    pub async fn put_if_absent<T: Serialize + ?Sized>(&self, item: &T) -> Result<Version> {
        self.put_when(item, Condition::Absent).await
    }

    /// Writes the item if the stored one is still `version`.
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`ErrorKind::Conflict`].
    pub async fn put_if_version<T: Serialize + ?Sized>(
        &self,
        item: &T,
        version: &Version,
    ) -> Result<Version> {
        self.put_when(item, Condition::Version(version.clone())).await
    }

    async fn put_when<T: Serialize + ?Sized>(&self, item: &T, condition: Condition) -> Result<Version> {
        let item = serde_json::to_value(item).map_err(|error| {
            self.error(
                ErrorKind::InvalidArgument,
                "table.put",
                "the item cannot be written as JSON",
            )
            .caused_by(error)
        })?;
        let versions = self
            .write("table.put", vec![Write::Put { item, condition }])
            .await?;
        versions
            .into_iter()
            .next()
            .flatten()
            .ok_or_else(|| self.error(ErrorKind::Internal, "table.put", "the driver returned no version"))
    }

    /// Deletes the item; one that is not there is no error.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `delete`, [`ErrorKind::InvalidArgument`] for a key that does not fit, or the driver's.
    pub async fn delete(&self, key: impl Into<Key>) -> Result<()> {
        let delete = Write::Delete {
            key: key.into(),
            condition: Condition::Always,
        };
        self.write("table.delete", vec![delete]).await.map(|_| ())
    }

    /// Deletes the item if it is still `version`.
    ///
    /// # Errors
    /// As [`delete`](Self::delete), and [`ErrorKind::Conflict`].
    pub async fn delete_if_version(&self, key: impl Into<Key>, version: &Version) -> Result<()> {
        let delete = Write::Delete {
            key: key.into(),
            condition: Condition::Version(version.clone()),
        };
        self.write("table.delete", vec![delete]).await.map(|_| ())
    }

    /// Does all writes or none; returns a version for each put, in order.
    ///
    /// # Errors
    /// As [`put`](Self::put) and [`delete`](Self::delete), with the failing write's index; [`ErrorKind::Unsupported`] if there are
    /// more than the target does at once.
    pub async fn write_batch(&self, batch: Vec<Write>) -> Result<Vec<Option<Version>>> {
        self.write("table.write_batch", batch).await
    }

    async fn write(&self, operation: &'static str, batch: Vec<Write>) -> Result<Vec<Option<Version>>> {
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
        let schema = self.driver.schema();
        for write in &batch {
            match write {
                Write::Put { item, .. } => {
                    self.grant.require(Access::Write, operation)?;
                    schema
                        .key_of(item)
                        .map_err(|error| error.with("table", self.name()))?;
                    if schema
                        .expiry_of(item)
                        .map_err(|error| error.with("table", self.name()))?
                        .is_some()
                        && !limits.ttl
                    {
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
                }
                Write::Delete { key, .. } => {
                    self.grant.require(Access::Delete, operation)?;
                    self.check_key(operation, key)?;
                }
            }
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        // A conditional write that did happen looks like a conflict when it is made again, so only plain ones are retried.
        let plain = batch.iter().all(|write| {
            matches!(
                write,
                Write::Put {
                    condition: Condition::Always,
                    ..
                } | Write::Delete {
                    condition: Condition::Always,
                    ..
                }
            )
        });
        if plain {
            self.grant.retry.run(|| self.driver.write(&batch)).await
        } else {
            self.driver.write(&batch).await
        }
    }

    /// One page of a partition's items.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `read`, [`ErrorKind::InvalidArgument`] for a limit of 0 or a foreign cursor,
    /// [`ErrorKind::Decode`] if an item does not fit `T`, or the driver's.
    pub async fn query<T: DeserializeOwned>(&self, query: &Query) -> Result<Page<T>> {
        const OPERATION: &str = "table.query";
        self.grant.require(Access::Read, OPERATION)?;
        if query.limit == 0 {
            return Err(self.error(
                ErrorKind::InvalidArgument,
                OPERATION,
                "the limit must be at least 1",
            ));
        }
        let page = self.grant.retry.run(|| self.driver.query(query)).await?;
        self.decode_page(OPERATION, page)
    }

    /// One page of all items, in any stable order: reads the whole table, so only for small ones.
    ///
    /// # Errors
    /// As [`query`](Self::query), and [`ErrorKind::Unsupported`] where the target cannot.
    pub async fn scan<T: DeserializeOwned>(&self, limit: usize, cursor: Option<&str>) -> Result<Page<T>> {
        const OPERATION: &str = "table.scan";
        self.grant.require(Access::Read, OPERATION)?;
        if !self.driver.capabilities().scan {
            return Err(self.error(
                ErrorKind::Unsupported,
                OPERATION,
                "this table lists one partition at a time only",
            ));
        }
        if limit == 0 {
            return Err(self.error(
                ErrorKind::InvalidArgument,
                OPERATION,
                "the limit must be at least 1",
            ));
        }
        let page = self.grant.retry.run(|| self.driver.scan(limit, cursor)).await?;
        self.decode_page(OPERATION, page)
    }

    /// The driver, for what only this provider can do.
    #[must_use]
    pub fn driver(&self) -> &dyn TableDriver {
        &*self.driver
    }

    fn check_key(&self, operation: &'static str, key: &Key) -> Result<()> {
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
        Ok(())
    }

    fn decode<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        stored: Stored<serde_json::Value>,
    ) -> Result<Stored<T>> {
        let item = serde_path_to_error::deserialize(stored.item).map_err(|error| {
            self.error(
                ErrorKind::Decode,
                operation,
                "the stored item does not fit the type asked for",
            )
            .with("type", std::any::type_name::<T>())
            .with("field", error.path().to_string())
            .caused_by(error.into_inner())
        })?;
        Ok(Stored {
            item,
            version: stored.version,
        })
    }

    fn decode_page<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        page: Page<serde_json::Value>,
    ) -> Result<Page<T>> {
        let items = page
            .items
            .into_iter()
            .map(|stored| self.decode(operation, stored))
            .collect::<Result<_>>()?;
        Ok(Page {
            items,
            next: page.next,
        })
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, message: &'static str) -> Error {
        Error::new(kind, operation, message).with("table", &self.grant.name)
    }
}
