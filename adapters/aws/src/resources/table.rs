//! Tables on DynamoDB.

mod condition;
mod cursor;
mod read;
mod value;
mod write;

use std::any::Any;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::Utc;
use nephos_core::resource::Binding;
use nephos_core::resource::table::{
    Key, Page, Query, Stored, TableCapabilities, TableDriver, TableSchema, Version, Write,
};
use nephos_core::{Error, ErrorKind, Result, wiring};
use serde_json::Value;

use self::value::Attributes;
use crate::payload::VERSION;

/// The properties of a table's binding with its key attributes, as on every target.
const KEY: &str = "key";
const SORT: &str = "sort";
const TTL: &str = "ttl";

/// The largest item, with the names of its attributes:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const MAX_ITEM: usize = 400 * 1024;

/// The longest partition key, in bytes: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const MAX_PARTITION_KEY: usize = 2048;

/// The longest sort key, in bytes. A table with one has this limit for both, as a key is one limit for the function's author.
const MAX_SORT_KEY: usize = 1024;

/// What the version takes of an item.
const RESERVED: usize = 128;

/// The most writes of one transaction, from the same page. Together they have at most 4 MB; DynamoDB refuses what is above.
const MAX_BATCH: usize = 100;

/// The version of an item that others wrote, without one.
const UNVERSIONED: &str = "none";

/// A table of DynamoDB.
///
/// Each write gives the item a new version in the attribute [`VERSION`], which programs do not see. Whoever writes the table without Nephos and leaves that attribute as
/// it is hides the change from conditions by version. DynamoDB measures an item a little otherwise than as JSON: one of very many numbers may be refused
/// below the declared size, with [`ErrorKind::ResourceExhausted`].
#[derive(Debug)]
pub struct AwsTable {
    client: Client,
    name: String,
    table: String,
    schema: TableSchema,
}

impl AwsTable {
    /// Opens the table whose name the binding holds, with its key attributes.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if the binding does not name the partition key.
    pub fn open(config: &SdkConfig, binding: &Binding) -> Result<Self> {
        let property = |name: &str| binding.properties.get(name).cloned();
        let key = property(KEY).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "context.open",
                "the binding does not say which attribute is the table's key; deploy the function again",
            )
            .with("table", &binding.name)
        })?;
        Ok(Self {
            client: Client::new(config),
            name: binding.name.clone(),
            table: wiring::physical(binding)?.to_owned(),
            schema: TableSchema {
                key,
                sort: property(SORT),
                ttl: property(TTL),
            },
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("table", &self.name)
    }

    /// The key as DynamoDB takes it.
    fn key(&self, key: &Key) -> Attributes {
        let mut attributes =
            Attributes::from([(self.schema.key.clone(), AttributeValue::S(key.partition.clone()))]);
        if let (Some(name), Some(sort)) = (&self.schema.sort, &key.sort) {
            attributes.insert(name.clone(), AttributeValue::S(sort.clone()));
        }
        attributes
    }

    /// The item with its version, or `None` if it has expired by `now`.
    fn stored(&self, mut attributes: Attributes, now: i64) -> Option<Stored<Value>> {
        let version = match attributes.remove(VERSION) {
            Some(AttributeValue::S(version)) => version,
            _ => UNVERSIONED.to_owned(),
        };
        if let Some(AttributeValue::N(expiry)) = self.schema.ttl.as_ref().and_then(|ttl| attributes.get(ttl))
            && expiry.parse::<f64>().is_ok_and(|expiry| expiry <= now as f64)
        {
            return None;
        }
        Some(Stored {
            item: Value::Object(value::to_object(attributes)),
            version: Version(version),
        })
    }
}

/// The present as times to live are written.
fn now() -> i64 {
    Utc::now().timestamp()
}

#[async_trait]
impl TableDriver for AwsTable {
    fn capabilities(&self) -> TableCapabilities {
        TableCapabilities {
            max_item_bytes: MAX_ITEM - RESERVED,
            max_batch: MAX_BATCH,
            ttl: true,
            scan: true,
            batch_across_partitions: true,
            max_key_bytes: Some(if self.schema.sort.is_some() {
                MAX_SORT_KEY
            } else {
                MAX_PARTITION_KEY
            }),
        }
    }

    fn schema(&self) -> &TableSchema {
        &self.schema
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored<Value>>> {
        read::get(self, key).await
    }

    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        write::write(self, batch).await
    }

    async fn query(&self, query: &Query) -> Result<Page<Value>> {
        read::query(self, query).await
    }

    async fn scan(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        read::scan(self, limit, cursor).await
    }

    fn as_any(&self) -> &dyn Any {
        &self.client
    }
}
