//! The table driver over the embedded host's resource API.

use std::any::Any;

use async_trait::async_trait;
use nephos_core::resource::table::{
    Key, Page, Query, Stored, TableCapabilities, TableDriver, TableSchema, Version, Write,
};
use nephos_core::resource::{Binding, ResourceKind};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::capabilities;
use super::client::Client;
use crate::wire::{GetBody, ItemReply, ScanBody, VersionsReply, WriteBody, resource_path};

/// The key attributes that a binding tells of.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if it does not name the partition key.
pub fn schema_of(binding: &Binding) -> Result<TableSchema> {
    let property = |name: &str| binding.properties.get(name).cloned();
    let key = property("key").ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            "context.open",
            "the binding does not tell the table's key attribute",
        )
        .with("table", &binding.name)
    })?;
    Ok(TableSchema {
        key,
        sort: property("sort"),
        ttl: property("ttl"),
    })
}

/// A table of the embedded host.
#[derive(Debug)]
pub struct LocalTable {
    client: Client,
    name: String,
    schema: TableSchema,
}

impl LocalTable {
    /// The table of this name.
    #[must_use]
    pub fn new(client: Client, name: &str, schema: TableSchema) -> Self {
        Self {
            client,
            name: name.to_owned(),
            schema,
        }
    }

    fn path(&self, operation: &str) -> String {
        resource_path(ResourceKind::Table, &self.name, operation)
    }
}

#[async_trait]
impl TableDriver for LocalTable {
    fn capabilities(&self) -> TableCapabilities {
        capabilities::TABLE
    }

    fn schema(&self) -> &TableSchema {
        &self.schema
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored<Value>>> {
        let body = GetBody { key: key.clone() };
        let reply: ItemReply = self.client.call("table.get", &self.path("get"), &body).await?;
        Ok(reply.item)
    }

    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        let body = WriteBody {
            batch: batch.to_vec(),
        };
        let reply: VersionsReply = self
            .client
            .call("table.write", &self.path("write"), &body)
            .await?;
        Ok(reply.versions)
    }

    async fn query(&self, query: &Query) -> Result<Page<Value>> {
        self.client.call("table.query", &self.path("query"), query).await
    }

    async fn scan(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        let body = ScanBody {
            limit,
            cursor: cursor.map(str::to_owned),
        };
        self.client.call("table.scan", &self.path("scan"), &body).await
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
