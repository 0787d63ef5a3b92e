//! The embedded table: the driver, with its reads. Writes are in `item`.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use nephos_core::app::TableSpec;
use nephos_core::resource::table::{
    Key, Page, Query, SortRange, Stored, TableCapabilities, TableDriver, TableSchema, Version, Write,
};
use nephos_core::{Error, ErrorKind, Result};
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::Store;
use super::failure::{Sql, damaged};
use super::item;
use super::token::{MAX_PAGE, cursor, key_of_cursor, tag};
use crate::resources::capabilities;

/// A table of the store.
#[derive(Clone)]
pub struct EmbeddedTable {
    store: Store,
    name: Arc<str>,
    schema: Arc<TableSchema>,
}

impl fmt::Debug for EmbeddedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedTable")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An item as the file has it: its key, its JSON, its version.
struct Row {
    partition: String,
    sort: String,
    item: String,
    version: i64,
}

impl Row {
    const COLUMNS: &'static str = "partition_key, sort_key, item, version";

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            partition: row.get(0)?,
            sort: row.get(1)?,
            item: row.get(2)?,
            version: row.get(3)?,
        })
    }

    fn stored(self) -> Sql<Stored<Value>> {
        let item = serde_json::from_str(&self.item)
            .map_err(|error| damaged("table.get", "item").caused_by(error))?;
        Ok(Stored {
            item,
            version: item::version(self.version),
        })
    }
}

impl EmbeddedTable {
    pub(super) fn new(store: Store, name: &str, spec: &TableSpec) -> Self {
        Self {
            store,
            name: name.into(),
            schema: Arc::new(spec.schema.clone()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn check_key(&self, operation: &'static str, key: &Key) -> Result<()> {
        let sorted = self.schema.sort.is_some();
        if key.partition.is_empty() || key.sort.as_deref() == Some("") || sorted != key.sort.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "the key does not fit the table's key attributes",
            )
            .with("table", &self.name)
            .with("key", key));
        }
        Ok(())
    }
}

/// The least text that sorts behind all that begin with `prefix`; `None` if there is none. UTF-8 sorts as its characters do.
fn behind_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            char::MAX => continue,
            '\u{d7ff}' => '\u{e000}',
            other => char::from_u32(u32::from(other) + 1).unwrap_or(char::MAX),
        };
        characters.push(next);
        return Some(characters.into_iter().collect());
    }
    None
}

/// The rows of `sql`, one more than asked for to see whether there are others, as a page.
fn page(conn: &Connection, sql: &str, bound: &[&dyn ToSql], limit: usize, mark: u32) -> Sql<Page<Value>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement
        .query_map(bound, Row::read)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|last| cursor(mark, &last.partition, &last.sort));
    Ok(Page {
        items: rows.into_iter().map(Row::stored).collect::<Sql<_>>()?,
        next,
    })
}

#[async_trait]
impl TableDriver for EmbeddedTable {
    fn capabilities(&self) -> TableCapabilities {
        capabilities::TABLE
    }

    fn schema(&self) -> &TableSchema {
        &self.schema
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored<Value>>> {
        self.check_key("table.get", key)?;
        let (table, key) = (Arc::clone(&self.name), key.clone());
        self.store
            .inner
            .db
            .read("table.get", move |conn, now| {
                let sql = format!(
                    "SELECT {} FROM item WHERE table_name = ?1 AND partition_key = ?2 AND sort_key = ?3
                     AND (expires_at IS NULL OR expires_at > ?4)",
                    Row::COLUMNS
                );
                let row = conn
                    .prepare_cached(&sql)?
                    .query_row(
                        params![
                            &*table,
                            key.partition,
                            key.sort.as_deref().unwrap_or_default(),
                            item::seconds(now)
                        ],
                        Row::read,
                    )
                    .optional()?;
                row.map(Row::stored).transpose()
            })
            .await
    }

    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        if batch.len() > capabilities::TABLE.max_batch {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "table.write",
                "more writes than this target does all or nothing",
            )
            .with("table", &self.name)
            .with("writes", batch.len())
            .with("max_writes", capabilities::TABLE.max_batch));
        }
        for write in batch {
            if let Write::Delete { key, .. } = write {
                self.check_key("table.delete", key)?;
            }
        }
        let batch = item::prepare(&self.name, &self.schema, batch)?;
        let table = Arc::clone(&self.name);
        self.store
            .inner
            .db
            .write("table.write", move |tx| item::write_all(tx, &table, &batch))
            .await
    }

    async fn query(&self, query: &Query) -> Result<Page<Value>> {
        let order = if query.descending { "DESC" } else { "ASC" };
        let range = format!("{:?}", query.range);
        let mark = tag(&["query", &self.name, &query.partition, &range, order]);
        let cursor = match &query.cursor {
            None => None,
            Some(cursor) => Some(key_of_cursor("table.query", mark, cursor)?.1),
        };
        let limit = query.limit.clamp(1, MAX_PAGE);
        // Inclusive from `low`; up to `high`, which a prefix excludes and a range includes.
        let (low, high, inclusive) = match &query.range {
            SortRange::All => (None, None, true),
            SortRange::Prefix(prefix) => (Some(prefix.clone()), behind_prefix(prefix), false),
            SortRange::Between(low, high) => (low.clone(), high.clone(), true),
        };
        let (table, partition) = (Arc::clone(&self.name), query.partition.clone());
        let mut sql = format!(
            "SELECT {} FROM item WHERE table_name = ?1 AND partition_key = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
            Row::COLUMNS
        );
        // Each bound only where there is one, so that the index finds where to begin.
        let bounds = [
            (low, ">="),
            (high, if inclusive { "<=" } else { "<" }),
            (cursor, if query.descending { "<" } else { ">" }),
        ];
        let mut values = Vec::new();
        for (value, comparison) in bounds {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND sort_key {comparison} ?{}", values.len() + 3));
            }
        }
        sql.push_str(&format!(" ORDER BY sort_key {order} LIMIT {}", limit + 1));
        self.store
            .inner
            .db
            .read("table.query", move |conn, now| {
                let now = item::seconds(now);
                let mut bound: Vec<&dyn ToSql> = vec![&table, &partition, &now];
                bound.extend(values.iter().map(|value| value as &dyn ToSql));
                page(conn, &sql, &bound, limit, mark)
            })
            .await
    }

    async fn scan(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        let mark = tag(&["scan", &self.name]);
        let (partition, sort) = match cursor {
            // Before all: a partition key is never empty.
            None => (String::new(), String::new()),
            Some(cursor) => key_of_cursor("table.scan", mark, cursor)?,
        };
        let limit = limit.clamp(1, MAX_PAGE);
        let table = Arc::clone(&self.name);
        self.store
            .inner
            .db
            .read("table.scan", move |conn, now| {
                let sql = format!(
                    "SELECT {} FROM item WHERE table_name = ?1 AND (partition_key, sort_key) > (?2, ?3)
                     AND (expires_at IS NULL OR expires_at > ?4) ORDER BY partition_key, sort_key LIMIT {}",
                    Row::COLUMNS,
                    limit + 1
                );
                let now = item::seconds(now);
                page(conn, &sql, &[&table, &partition, &sort, &now], limit, mark)
            })
            .await
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::behind_prefix;

    #[test]
    fn what_begins_with_a_prefix_ends_before_its_successor() {
        for (prefix, behind) in [
            ("a", Some("b")),
            ("az", Some("a{")),
            ("\u{7f}", Some("\u{80}")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(behind_prefix(prefix).as_deref(), behind, "{prefix:?}");
        }
    }
}
