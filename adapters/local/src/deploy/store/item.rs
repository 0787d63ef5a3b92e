//! Items written: conditions, versions and the change log, in one transaction.

use nephos_core::event::ChangeKind;
use nephos_core::resource::table::{Condition, Key, TableSchema, Version, Write};
use nephos_core::{Error, ErrorKind, Result};
use rusqlite::{OptionalExtension, params};

use super::failure::Sql;
use super::log;
use super::writer::Tx;

/// A write with all that can be known of it beforehand.
#[derive(Debug)]
pub(super) struct Prepared {
    key: Key,
    condition: Condition,
    /// The item's JSON and expiry; `None` deletes.
    put: Option<(String, Option<i64>)>,
}

/// The stored item that a write meets.
struct Existing {
    id: i64,
    item: String,
    version: i64,
}

/// The time as expiries count it.
pub(super) fn seconds(millis: i64) -> i64 {
    millis.div_euclid(1000)
}

/// A version as its reader sees it: the position of the change that made it, so never the same twice.
pub(super) fn version(position: i64) -> Version {
    Version(format!("v{position}"))
}

/// Checks a batch and writes its items as JSON, before it goes to the writer.
pub(super) fn prepare(table: &str, schema: &TableSchema, batch: &[Write]) -> Result<Vec<Prepared>> {
    let prepare = |(index, write): (usize, &Write)| {
        let prepared = match write {
            Write::Delete { key, condition } => Ok(Prepared {
                key: key.clone(),
                condition: condition.clone(),
                put: None,
            }),
            Write::Put { item, condition } => schema.key_of(item).and_then(|key| {
                Ok(Prepared {
                    key,
                    condition: condition.clone(),
                    put: Some((item.to_string(), schema.expiry_of(item)?)),
                })
            }),
        };
        prepared.map_err(|error| error.with("table", table).with("index", index))
    };
    batch.iter().enumerate().map(prepare).collect()
}

/// Does all writes in order; the first whose condition does not hold fails them all.
pub(super) fn write_all(tx: &mut Tx<'_>, table: &str, batch: &[Prepared]) -> Sql<Vec<Option<Version>>> {
    batch
        .iter()
        .enumerate()
        .map(|(index, write)| {
            let existing = existing(tx, table, &write.key)?;
            check(table, index, write, existing.as_ref())?;
            match &write.put {
                Some((item, expiry)) => put(tx, table, &write.key, item, *expiry, existing).map(Some),
                None => {
                    if let Some(existing) = existing {
                        remove(tx, table, &write.key, &existing)?;
                    }
                    Ok(None)
                }
            }
        })
        .collect()
}

/// The item of this key. One that has expired is removed on the way, as the sweep would have done.
fn existing(tx: &mut Tx<'_>, table: &str, key: &Key) -> Sql<Option<Existing>> {
    let sort = key.sort.as_deref().unwrap_or_default();
    let found = tx
        .conn
        .prepare_cached(
            "SELECT id, item, version, expires_at FROM item WHERE table_name = ?1 AND partition_key = ?2 AND sort_key = ?3",
        )?
        .query_row(params![table, key.partition, sort], |row| {
            let existing = Existing {
                id: row.get(0)?,
                item: row.get(1)?,
                version: row.get(2)?,
            };
            Ok((existing, row.get::<_, Option<i64>>(3)?))
        })
        .optional()?;
    match found {
        Some((existing, Some(expiry))) if expiry <= seconds(tx.now) => {
            remove(tx, table, key, &existing)?;
            Ok(None)
        }
        found => Ok(found.map(|(existing, _)| existing)),
    }
}

fn check(table: &str, index: usize, write: &Prepared, existing: Option<&Existing>) -> Result<()> {
    let (kind, message) = match (&write.condition, existing) {
        (Condition::Always, _) | (Condition::Absent, None) => return Ok(()),
        (Condition::Version(wanted), Some(existing)) if *wanted == version(existing.version) => return Ok(()),
        (Condition::Absent, Some(_)) => (ErrorKind::AlreadyExists, "there is an item of this key already"),
        (Condition::Version(_), Some(_)) => (
            ErrorKind::Conflict,
            "the item is another version by now; read it again",
        ),
        (Condition::Version(_), None) => (ErrorKind::Conflict, "the item is gone; read it again"),
    };
    Err(Error::new(kind, "table.write", message)
        .with("table", table)
        .with("index", index)
        .with("key", &write.key))
}

fn put(
    tx: &mut Tx<'_>,
    table: &str,
    key: &Key,
    item: &str,
    expiry: Option<i64>,
    existing: Option<Existing>,
) -> Sql<Version> {
    let kind = if existing.is_some() {
        ChangeKind::Modified
    } else {
        ChangeKind::Inserted
    };
    let old = existing.as_ref().map(|existing| existing.item.as_str());
    let position = log::append(tx, table, kind, key, old, Some(item))?;
    match &existing {
        Some(existing) => tx
            .conn
            .prepare_cached("UPDATE item SET item = ?2, version = ?3, expires_at = ?4 WHERE id = ?1")?
            .execute(params![existing.id, item, position, expiry])?,
        None => tx
            .conn
            .prepare_cached(
                "INSERT INTO item (table_name, partition_key, sort_key, item, version, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                table,
                key.partition,
                key.sort.as_deref().unwrap_or_default(),
                item,
                position,
                expiry
            ])?,
    };
    Ok(version(position))
}

fn remove(tx: &mut Tx<'_>, table: &str, key: &Key, existing: &Existing) -> Sql<()> {
    tx.conn
        .prepare_cached("DELETE FROM item WHERE id = ?1")?
        .execute([existing.id])?;
    log::append(tx, table, ChangeKind::Removed, key, Some(&existing.item), None)?;
    Ok(())
}

/// Removes up to `max` expired items of any table; returns how many.
pub(super) fn expire(tx: &mut Tx<'_>, max: i64) -> Sql<usize> {
    let expired = {
        let mut statement = tx.conn.prepare_cached(
            "SELECT table_name, partition_key, sort_key, id, item, version FROM item
             WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2",
        )?;
        statement
            .query_map(params![seconds(tx.now), max], |row| {
                let sort: String = row.get(2)?;
                let key = Key {
                    partition: row.get(1)?,
                    sort: (!sort.is_empty()).then_some(sort),
                };
                let existing = Existing {
                    id: row.get(3)?,
                    item: row.get(4)?,
                    version: row.get(5)?,
                };
                Ok((row.get::<_, String>(0)?, key, existing))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?
    };
    for (table, key, existing) in &expired {
        remove(tx, table, key, existing)?;
    }
    Ok(expired.len())
}
