//! Tables made wrong.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use nephos_core::resource::table::{
    Condition, Key, Page, Query, SortRange, Stored, Table, TableCapabilities, TableDriver, TableSchema,
    Version, Write,
};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::{EXTRA, Fault};

/// In seconds.
const CENTURY: i64 = 100 * 365 * 24 * 3600;

#[derive(Debug)]
struct Wrong {
    inner: Table,
    schema: TableSchema,
    fault: Fault,
    asked: AtomicUsize,
}

pub(super) fn wrong(inner: Table, fault: Fault) -> Table {
    let name = inner.name().to_owned();
    Table::new(&name, driver(inner, fault))
}

pub(super) fn driver(inner: Table, fault: Fault) -> Arc<dyn TableDriver> {
    let mut schema = inner.driver().schema().clone();
    if fault == Fault::SchemaLost {
        schema.sort = None;
        schema.ttl = None;
    }
    Arc::new(Wrong {
        inner,
        schema,
        fault,
        asked: AtomicUsize::new(0),
    })
}

/// What is wrong with a table, if it is one of these.
pub(super) fn fault(table: &Table) -> Option<Fault> {
    table
        .driver()
        .as_any()
        .downcast_ref::<Wrong>()
        .map(|wrong| wrong.fault)
}

impl Wrong {
    fn is_key(&self, name: &str) -> bool {
        let schema = self.inner.driver().schema();
        name == schema.key || schema.sort.as_deref() == Some(name)
    }

    fn key(&self, key: &Key) -> Key {
        if self.fault == Fault::KeyLowercased {
            return Key {
                partition: key.partition.to_lowercase(),
                sort: key.sort.as_deref().map(str::to_lowercase),
            };
        }
        key.clone()
    }

    fn item(&self, item: &Value) -> Value {
        let mut item = item.clone();
        let Some(fields) = item.as_object_mut() else {
            return item;
        };
        let names: Vec<String> = fields.keys().cloned().collect();
        match self.fault {
            Fault::BodyTruncated => {
                if let Some(last) = names.iter().rev().find(|name| !self.is_key(name)) {
                    fields.remove(last);
                }
            }
            Fault::KeyLowercased => {
                for name in names.iter().filter(|name| self.is_key(name)) {
                    if let Some(Value::String(text)) = fields.get_mut(name) {
                        *text = text.to_lowercase();
                    }
                }
            }
            Fault::NumbersAsFloats => fields.values_mut().for_each(as_float),
            Fault::TtlIgnored => self.postpone(fields, CENTURY),
            Fault::PretendsCapability => {
                if let Some(ttl) = &self.inner.driver().schema().ttl {
                    fields.remove(ttl);
                }
            }
            _ => {}
        }
        item
    }

    fn write_of(&self, write: &Write) -> Write {
        let condition = |condition: &Condition| match self.fault {
            Fault::ConditionIgnored => Condition::Always,
            _ => condition.clone(),
        };
        match write {
            Write::Put {
                item,
                condition: when,
            } => Write::Put {
                item: self.item(item),
                condition: condition(when),
            },
            Write::Delete { key, condition: when } => Write::Delete {
                key: self.key(key),
                condition: condition(when),
            },
        }
    }

    /// Moves the time to live. What is stored lives for ever; what is read back looks as it was written.
    fn postpone(&self, fields: &mut serde_json::Map<String, Value>, by: i64) {
        let Some(ttl) = &self.inner.driver().schema().ttl else {
            return;
        };
        if let Some(expires) = fields.get(ttl).and_then(Value::as_i64) {
            fields.insert(ttl.clone(), (expires + by).into());
        }
    }

    fn as_written(&self, mut stored: Stored<Value>) -> Stored<Value> {
        if let (Fault::TtlIgnored, Some(fields)) = (self.fault, stored.item.as_object_mut()) {
            self.postpone(fields, -CENTURY);
        }
        stored.version = self.version(stored.version);
        stored
    }

    fn version(&self, version: Version) -> Version {
        if self.fault == Fault::VersionConstant {
            Version("same".to_owned())
        } else {
            version
        }
    }

    fn page(&self, mut page: Page<Value>, first: bool) -> Page<Value> {
        let sort = self.inner.driver().schema().sort.clone().unwrap_or_default();
        match self.fault {
            Fault::OrderReversed => page.items.reverse(),
            Fault::SortIgnoresCase => {
                page.items
                    .sort_by_key(|stored| stored.item[&sort].as_str().unwrap_or_default().to_lowercase());
            }
            Fault::PageSkips if !first && !page.items.is_empty() => drop(page.items.remove(0)),
            Fault::Phantom => page.items.push(Stored {
                item: serde_json::json!({"id": "phantom", "sort": "phantom"}),
                version: Version("phantom".to_owned()),
            }),
            _ => {}
        }
        page
    }

    async fn merged(&self, item: &Value) -> Result<Value> {
        let key = self.inner.driver().schema().key_of(item)?;
        let mut merged = self
            .inner
            .driver()
            .get(&key)
            .await?
            .map_or(Value::Null, |stored| stored.item);
        match (merged.as_object_mut(), item.as_object()) {
            (Some(old), Some(new)) => {
                old.extend(new.clone());
                Ok(merged)
            }
            _ => Ok(item.clone()),
        }
    }
}

#[async_trait]
impl TableDriver for Wrong {
    fn capabilities(&self) -> TableCapabilities {
        let mut capabilities = self.inner.driver().capabilities();
        if self.fault == Fault::LimitNotHeld {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            capabilities.max_item_bytes += asked * EXTRA;
            capabilities.max_batch += asked * EXTRA;
            capabilities.max_key_bytes = capabilities.max_key_bytes.map(|longest| longest + asked * EXTRA);
        }
        if self.fault == Fault::Lacking {
            capabilities.batch_across_partitions = false;
        }
        if self.fault == Fault::PretendsCapability {
            capabilities.ttl = true;
            capabilities.scan = true;
            capabilities.batch_across_partitions = true;
        }
        capabilities
    }

    fn schema(&self) -> &TableSchema {
        &self.schema
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored<Value>>> {
        if self.fault == Fault::SchemaLost {
            return Ok(None);
        }
        let stored = self.inner.driver().get(&self.key(key)).await?;
        Ok(match stored {
            None if self.fault == Fault::MissingReadsEmpty => Some(Stored {
                item: serde_json::json!({}),
                version: Version("none".to_owned()),
            }),
            stored => stored.map(|stored| self.as_written(stored)),
        })
    }

    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        let pretend = || {
            Ok(batch
                .iter()
                .map(|_| Some(Version("pretended".to_owned())))
                .collect())
        };
        if matches!(self.fault, Fault::SchemaLost | Fault::LimitNotHeld) {
            return pretend();
        }
        let mut wrong: Vec<_> = batch.iter().map(|write| self.write_of(write)).collect();
        match self.fault {
            Fault::DeleteIgnored => {
                wrong.retain(|write| matches!(write, Write::Put { .. }));
                if wrong.is_empty() {
                    return pretend();
                }
            }
            Fault::DeleteMissingFails => {
                if let [Write::Delete { key, .. }] = batch
                    && self.inner.driver().get(key).await?.is_none()
                {
                    return Err(Error::new(ErrorKind::NotFound, "table.delete", "no such item"));
                }
            }
            Fault::DeleteWrites => {
                for write in &mut wrong {
                    if let Write::Delete { key, .. } = write
                        && let Some(stored) = self.inner.driver().get(key).await?
                    {
                        *write = Write::Put {
                            item: stored.item,
                            condition: Condition::Always,
                        };
                    }
                }
            }
            Fault::PutMerges => {
                for write in &mut wrong {
                    if let Write::Put { item, .. } = write {
                        *item = self.merged(item).await?;
                    }
                }
            }
            Fault::BatchNotAtomic | Fault::PretendsCapability => {
                let mut versions = Vec::new();
                for (index, write) in wrong.iter().enumerate() {
                    let one = self.inner.driver().write(std::slice::from_ref(write)).await;
                    versions.extend(one.map_err(|error| error.with("index", index))?);
                }
                return Ok(versions);
            }
            _ => {}
        }
        match self.inner.driver().write(&wrong).await {
            Ok(versions) => Ok(versions
                .into_iter()
                .map(|version| version.map(|version| self.version(version)))
                .collect()),
            Err(error) if self.fault == Fault::ErrorFactsLost => Err(Error::new(
                error.kind(),
                "table.write",
                "a condition does not hold",
            )),
            Err(error) => Err(error),
        }
    }

    async fn query(&self, query: &Query) -> Result<Page<Value>> {
        let first = query.cursor.is_none();
        let mut query = query.clone();
        match self.fault {
            Fault::RangeIgnored => query.range = SortRange::All,
            Fault::DescendingIgnored => query.descending = false,
            Fault::MaxIgnored => query.limit = 1000,
            _ => {}
        }
        match self.inner.driver().query(&query).await {
            Err(_) if self.fault == Fault::ForeignPositionTaken => {
                self.inner.driver().query(&query.cursor(None)).await
            }
            page => Ok(self.page(page?, first)),
        }
    }

    async fn scan(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        if self.fault == Fault::PretendsCapability {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        }
        match self.inner.driver().scan(limit, cursor).await {
            Err(_) if self.fault == Fault::ForeignPositionTaken => {
                self.inner.driver().scan(limit, None).await
            }
            page => Ok(self.page(page?, cursor.is_none())),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

pub(super) fn as_float(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().and_then(serde_json::Number::from_f64) {
                *number = float;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(as_float),
        Value::Object(fields) => fields.values_mut().for_each(as_float),
        _ => {}
    }
}
