//! Tables as containers of Cosmos DB.

mod cosmos;
mod cursor;
mod item;
mod read;
mod write;

use std::any::Any;

use async_trait::async_trait;
use nephos_core::resource::Binding;
use nephos_core::resource::table::{
    Key, Page, Query, Stored, TableCapabilities, TableDriver, TableSchema, Version, Write,
};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use self::cosmos::Cosmos;
use crate::config::Config;

/// The largest item that the service takes, in bytes: <https://learn.microsoft.com/azure/cosmos-db/concepts-limits>.
const MAX_DOCUMENT: usize = 2 * 1024 * 1024;

/// What the driver keeps of an item may take so much of it.
const BESIDES: usize = 16 * 1024;

/// The longest value of a partition key, in bytes, from the same page.
const MAX_KEY: usize = 2048;

/// The most writes of one transaction, from the same page.
const MAX_BATCH: usize = 100;

/// A table in Cosmos DB.
///
/// A batch does all or nothing within one partition only, which is what the service can:
/// <https://learn.microsoft.com/azure/cosmos-db/transactional-batch>. One with keys of several partitions is [`ErrorKind::Unsupported`] before anything is written.
#[derive(Debug)]
pub struct AzureTable {
    cosmos: Cosmos,
    name: String,
    schema: TableSchema,
}

impl AzureTable {
    /// Opens the container whose URL the binding holds, with the key attributes that it names.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is not the URL of a container, or there is no key attribute.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let property = |name: &str| binding.properties.get(name).cloned();
        let key = property("key").ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "context.open",
                "the binding does not name the table's key attribute; deploy the function again",
            )
            .with("table", &binding.name)
        })?;
        Ok(Self {
            cosmos: Cosmos::open(config, wiring::physical(binding)?)
                .map_err(|error| error.with("table", &binding.name))?,
            name: binding.name.clone(),
            schema: TableSchema {
                key,
                sort: property("sort"),
                ttl: property("ttl"),
            },
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("table", &self.name)
    }
}

#[async_trait]
impl TableDriver for AzureTable {
    fn capabilities(&self) -> TableCapabilities {
        TableCapabilities {
            max_item_bytes: MAX_DOCUMENT - BESIDES,
            max_batch: MAX_BATCH,
            ttl: true,
            scan: true,
            batch_across_partitions: false,
            max_key_bytes: Some(MAX_KEY),
        }
    }

    fn schema(&self) -> &TableSchema {
        &self.schema
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored<Value>>> {
        let found = self.find("table.get", key).await?;
        Ok(found
            .filter(|found| !found.is_expired())
            .map(item::Read::into_stored))
    }

    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        self.write_all(batch).await
    }

    async fn query(&self, query: &Query) -> Result<Page<Value>> {
        self.read_partition(query).await
    }

    async fn scan(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        self.read_all(limit, cursor).await
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Azure's underneath; this one sends what it is given.
        self.cosmos.rest()
    }
}
