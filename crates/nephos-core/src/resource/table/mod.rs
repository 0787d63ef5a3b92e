//! Tables: JSON items by partition key and optional sort key, with versions, conditions and time to live.

mod check;
mod driver;
mod item;
mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::driver::{TableCapabilities, TableDriver};
pub use self::item::{Condition, Key, Stored, TableSchema, Version, Write};
pub use self::query::{Page, Query, SortRange};
use crate::error::{Error, ErrorKind, Result};
use crate::resource::{Access, Grant, ResourceKind};

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
    /// more than the target does at once, or of several partition keys where it does one at a time; [`ErrorKind::InvalidArgument`] if two are of one key.
    pub async fn write_batch(&self, batch: Vec<Write>) -> Result<Vec<Option<Version>>> {
        self.write("table.write_batch", batch).await
    }

    async fn write(&self, operation: &'static str, batch: Vec<Write>) -> Result<Vec<Option<Version>>> {
        self.check_batch(operation, &batch)?;
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
        if query.partition.is_empty() {
            return Err(self.error(ErrorKind::InvalidArgument, OPERATION, "the key is empty"));
        }
        self.check_length(OPERATION, &query.partition)?;
        if query.range != SortRange::All && self.driver.schema().sort.is_none() {
            return Err(self.error(
                ErrorKind::InvalidArgument,
                OPERATION,
                "the table has no sort key to query by",
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
