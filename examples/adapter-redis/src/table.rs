//! Tables: each item a hash that Redis lets expire by itself, and one sorted set with the ids of all, in the order of their bytes.
//!
//! An item's id is the length of its partition key, that key, and its sort key: no two keys have one id, and a partition is a range of ids in the order of sort keys.

mod cursor;

use std::any::Any;
use std::sync::LazyLock;

use async_trait::async_trait;
use nephos_core::resource::Binding;
use nephos_core::resource::table::{
    Condition, Key, Page, Query, SortRange, Stored, TableCapabilities, TableDriver, TableSchema, Version,
    Write,
};
use nephos_core::{Error, ErrorKind, Result};
use redis::Script;
use serde_json::Value;

use self::cursor::Cursor;
use crate::connection::{Connection, key};

/// The properties of a binding with the key attributes.
const KEY: &str = "key";
const SORT: &str = "sort";
const TTL: &str = "ttl";

/// The largest item. Redis takes 512 MB, but does nothing else while it takes it.
const MAX_ITEM: usize = 1 << 20;

/// The most writes of one script.
const MAX_BATCH: usize = 100;

/// The most items of one page, whatever is asked for: nothing else is done while they are read.
const MAX_PAGE: usize = 1000;

/// The last moment of the year 9999. What expires later does not.
const END_OF_TIME: i64 = 253_402_300_799;

static WRITE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/table_write.lua")));
static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/table_read.lua")));

/// An item as the script tells it: id, JSON, version.
type Told = (String, Vec<u8>, String);

/// A table.
#[derive(Debug)]
pub struct RedisTable {
    connection: Connection,
    name: String,
    key: String,
    schema: TableSchema,
}

/// Which ids are read, as `ZRANGEBYLEX` takes its ends: <https://redis.io/docs/latest/commands/zrangebylex/>.
struct Range {
    low: Vec<u8>,
    high: Vec<u8>,
}

impl RedisTable {
    /// Opens the table that the binding names, with its key attributes; it is there with its first item.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the binding does not say what Redis calls it, or what its partition key is.
    pub fn open(connection: &Connection, binding: &Binding) -> Result<Self> {
        let property = |name: &str| binding.properties.get(name).cloned();
        let partition = property(KEY).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "resource.open",
                "the binding does not say what the table's partition key is; deploy the function again",
            )
            .with("table", &binding.name)
        })?;
        Ok(Self {
            connection: connection.clone(),
            name: binding.name.clone(),
            key: key(binding)?,
            schema: TableSchema {
                key: partition,
                sort: property(SORT),
                ttl: property(TTL),
            },
        })
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, message: &'static str) -> Error {
        Error::new(kind, operation, message).with("table", &self.name)
    }

    fn stored(&self, operation: &'static str, item: &[u8], version: String) -> Result<Stored<Value>> {
        let item = serde_json::from_slice(item).map_err(|error| {
            self.error(
                ErrorKind::DataLoss,
                operation,
                "what Redis holds was not written as an item",
            )
            .caused_by(error)
        })?;
        Ok(Stored {
            item,
            version: Version(version),
        })
    }

    /// One page of a range, and where the next one begins.
    async fn page(
        &self,
        operation: &'static str,
        range: Range,
        descending: bool,
        limit: usize,
        next: impl Fn(String) -> Cursor,
    ) -> Result<Page<Value>> {
        let limit = limit.min(MAX_PAGE);
        let mut script = READ.key(&self.key);
        script
            .arg(if descending { "down" } else { "up" })
            .arg(range.low)
            .arg(range.high)
            // One more says whether there is a next page.
            .arg(limit + 1);
        let mut told: Vec<Told> = self
            .connection
            .run(operation, &script)
            .await
            .map_err(|error| error.with("table", &self.name))?;
        let more = told.len() > limit;
        told.truncate(limit);
        let next = (told.last().filter(|_| more)).map(|(id, ..)| next(id.clone()).text());
        let items = told
            .into_iter()
            .map(|(_, item, version)| self.stored(operation, &item, version))
            .collect::<Result<_>>()?;
        Ok(Page { items, next })
    }
}

#[async_trait]
impl TableDriver for RedisTable {
    fn capabilities(&self) -> TableCapabilities {
        TableCapabilities {
            max_item_bytes: MAX_ITEM,
            max_batch: MAX_BATCH,
            ttl: true,
            scan: true,
            batch_across_partitions: true,
            max_key_bytes: None,
        }
    }

    fn schema(&self) -> &TableSchema {
        &self.schema
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored<Value>>> {
        const OPERATION: &str = "table.get";
        let mut command = redis::cmd("HMGET");
        command
            .arg(format!("{}:item:{}", self.key, id(key)))
            .arg("item")
            .arg("version");
        let (item, version): (Option<Vec<u8>>, Option<String>) = self
            .connection
            .ask(OPERATION, &command)
            .await
            .map_err(|error| error.with("table", &self.name))?;
        item.map(|item| self.stored(OPERATION, &item, version.unwrap_or_default()))
            .transpose()
    }

    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        const OPERATION: &str = "table.write";
        let mut keys = Vec::with_capacity(batch.len());
        let mut script = WRITE.key(&self.key);
        for write in batch {
            let (key, condition, item, expires) = match write {
                Write::Put { item, condition } => {
                    let expires = self.schema.expiry_of(item)?;
                    let expires = expires.map(|expires| expires.clamp(0, END_OF_TIME).to_string());
                    (self.schema.key_of(item)?, condition, item.to_string(), expires)
                }
                Write::Delete { key, condition } => (key.clone(), condition, String::new(), None),
            };
            let condition = match condition {
                Condition::Always => "always".to_owned(),
                Condition::Absent => "absent".to_owned(),
                Condition::Version(Version(version)) => format!("={version}"),
            };
            script
                .arg(id(&key))
                .arg(condition)
                .arg(item)
                .arg(expires.unwrap_or_default());
            keys.push(key);
        }
        let done: Vec<String> = self
            .connection
            .run(OPERATION, &script)
            .await
            .map_err(|error| error.with("table", &self.name))?;
        let mut done = done.into_iter();
        let (kind, message) = match done.next().as_deref() {
            Some("done") => {
                return Ok(done
                    .map(|version| (!version.is_empty()).then_some(Version(version)))
                    .collect());
            }
            Some("exists") => (ErrorKind::AlreadyExists, "the item is there already"),
            _ => (ErrorKind::Conflict, "the item is another version by now, or gone"),
        };
        let index = done.next().and_then(|index| index.parse().ok()).unwrap_or(0);
        let error = self.error(kind, OPERATION, message).with("index", index);
        Err(match keys.get(index) {
            Some(key) => error.with("key", key),
            None => error,
        })
    }

    async fn query(&self, query: &Query) -> Result<Page<Value>> {
        const OPERATION: &str = "table.query";
        let partition = prefix(&query.partition);
        let mut range = range(&partition, &query.range);
        if let Some(cursor) = &query.cursor {
            let behind = Cursor::read(cursor, &self.key, Some(&query.partition))
                .map_err(|error| error.with("table", &self.name))?;
            if query.descending {
                range.high = end(b'(', &behind.after, "");
            } else {
                range.low = end(b'(', &behind.after, "");
            }
        }
        self.page(OPERATION, range, query.descending, query.limit, |after| Cursor {
            table: self.key.clone(),
            partition: Some(query.partition.clone()),
            after,
        })
        .await
    }

    async fn scan(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        const OPERATION: &str = "table.scan";
        let low = match cursor {
            None => b"-".to_vec(),
            Some(cursor) => {
                let behind =
                    Cursor::read(cursor, &self.key, None).map_err(|error| error.with("table", &self.name))?;
                end(b'(', &behind.after, "")
            }
        };
        let all = Range {
            low,
            high: b"+".to_vec(),
        };
        self.page(OPERATION, all, false, limit, |after| Cursor {
            table: self.key.clone(),
            partition: None,
            after,
        })
        .await
    }

    fn as_any(&self) -> &dyn Any {
        &self.connection
    }
}

/// What the ids of a partition begin with, and no others.
fn prefix(partition: &str) -> String {
    format!("{}:{partition}:", partition.len())
}

/// The id of an item.
fn id(key: &Key) -> String {
    format!(
        "{}{}",
        prefix(&key.partition),
        key.sort.as_deref().unwrap_or_default()
    )
}

/// One end of a range: `[` includes it, `(` does not.
fn end(kind: u8, partition: &str, sort: &str) -> Vec<u8> {
    [&[kind], partition.as_bytes(), sort.as_bytes()].concat()
}

/// The same behind all ids that begin so: no text has this byte.
fn behind_all(partition: &str, sort: &str) -> Vec<u8> {
    let mut end = end(b'(', partition, sort);
    end.push(0xff);
    end
}

fn range(partition: &str, range: &SortRange) -> Range {
    let (low, high) = match range {
        SortRange::All => (end(b'[', partition, ""), behind_all(partition, "")),
        SortRange::Prefix(prefix) => (end(b'[', partition, prefix), behind_all(partition, prefix)),
        SortRange::Between(low, high) => (
            end(b'[', partition, low.as_deref().unwrap_or_default()),
            match high {
                Some(high) => end(b'[', partition, high),
                None => behind_all(partition, ""),
            },
        ),
    };
    Range { low, high }
}
