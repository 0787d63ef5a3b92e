//! The logs that functions follow, and how far each has come: table changes by position, and checkpoints.

use nephos_core::Result;
use nephos_core::event::{Change, ChangeKind};
use nephos_core::resource::queue::Outgoing;
use nephos_core::resource::table::Key;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::Store;
use super::clock::time;
use super::failure::{Sql, damaged};
use super::message;
use super::token::MAX_PAGE;
use super::writer::Tx;

/// How far a consumer has come in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The position behind which it goes on; 0 is before the oldest.
    pub position: i64,
    /// How often the entry behind it has been tried in vain.
    pub attempts: u32,
}

/// Appends a change of `table`; returns its position.
pub(super) fn append(
    tx: &mut Tx<'_>,
    table: &str,
    kind: ChangeKind,
    key: &Key,
    old: Option<&str>,
    new: Option<&str>,
) -> Sql<i64> {
    tx.conn
        .prepare_cached(
            "INSERT INTO change (table_name, kind, partition_key, sort_key, old, new, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![table, kind.name(), key.partition, key.sort, old, new, tx.now])?;
    tx.wake(table);
    Ok(tx.conn.last_insert_rowid())
}

fn change(table: &str, row: &Row<'_>) -> Sql<(i64, Change<Value>)> {
    let position: i64 = row.get(0)?;
    let kind: String = row.get(1)?;
    let image = |text: Option<String>| -> Sql<Option<Value>> {
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| damaged("table.changes", "change").caused_by(error).into())
    };
    let change = Change {
        sequence: format!("{position:020}"),
        table: table.to_owned(),
        kind: [ChangeKind::Inserted, ChangeKind::Modified, ChangeKind::Removed]
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| damaged("table.changes", "kind"))?,
        key: Key {
            partition: row.get(2)?,
            sort: row.get(3)?,
        },
        old: image(row.get(4)?)?,
        new: image(row.get(5)?)?,
        at: time(row.get(6)?),
    };
    Ok((position, change))
}

fn changes(conn: &Connection, table: &str, after: i64, max: usize) -> Sql<Vec<(i64, Change<Value>)>> {
    let mut statement = conn.prepare_cached(
        "SELECT position, kind, partition_key, sort_key, old, new, at FROM change
         WHERE table_name = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
    )?;
    let limit = i64::try_from(max.min(MAX_PAGE)).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![table, after, limit])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(change(table, row)?);
    }
    Ok(changes)
}

fn put_checkpoint(tx: &Tx<'_>, consumer: &str, log: &str, checkpoint: Checkpoint) -> Sql<()> {
    tx.conn
        .prepare_cached(
            "INSERT INTO checkpoint (consumer, log, position, attempts) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (consumer, log) DO UPDATE SET position = excluded.position, attempts = excluded.attempts",
        )?
        .execute(params![consumer, log, checkpoint.position, checkpoint.attempts])?;
    Ok(())
}

impl Store {
    /// Up to `max` changes of `table` behind the position `after` (0: from the oldest), in order, each with its position.
    ///
    /// # Errors
    /// The file's.
    pub async fn changes(&self, table: &str, after: i64, max: usize) -> Result<Vec<(i64, Change<Value>)>> {
        let table = table.to_owned();
        self.inner
            .db
            .read("table.changes", move |conn, _| changes(conn, &table, after, max))
            .await
    }

    /// How far `consumer` has come in `log` (a stream or a table); a new one begins at the oldest entry.
    ///
    /// # Errors
    /// The file's.
    pub async fn checkpoint(&self, consumer: &str, log: &str) -> Result<Checkpoint> {
        let (consumer, log) = (consumer.to_owned(), log.to_owned());
        self.inner
            .db
            .read("log.checkpoint", move |conn, _| {
                let found = conn
                    .prepare_cached(
                        "SELECT position, attempts FROM checkpoint WHERE consumer = ?1 AND log = ?2",
                    )?
                    .query_row(params![consumer, log], |row| {
                        Ok(Checkpoint {
                            position: row.get(0)?,
                            attempts: row.get(1)?,
                        })
                    })
                    .optional()?;
                Ok(found.unwrap_or_default())
            })
            .await
    }

    /// Keeps how far `consumer` has come in `log`.
    ///
    /// # Errors
    /// The file's.
    pub async fn advance(&self, consumer: &str, log: &str, to: Checkpoint) -> Result<()> {
        let (consumer, log) = (consumer.to_owned(), log.to_owned());
        self.inner
            .db
            .write("log.advance", move |tx| put_checkpoint(tx, &consumer, &log, to))
            .await
    }

    /// As [`advance`](Self::advance), and in the same transaction sends `dead`, what is given up on the way, to the queue `dead_letter`.
    ///
    /// # Errors
    /// The file's; then neither was done.
    pub async fn advance_dead(
        &self,
        consumer: &str,
        log: &str,
        to: Checkpoint,
        dead_letter: &str,
        dead: Outgoing,
    ) -> Result<()> {
        let (consumer, log, queue) = (consumer.to_owned(), log.to_owned(), dead_letter.to_owned());
        let spec = self.inner.queue_spec(dead_letter);
        self.inner
            .db
            .write("log.advance", move |tx| {
                message::insert(tx, &queue, &spec, &message::new_id(), &dead)?;
                put_checkpoint(tx, &consumer, &log, to)
            })
            .await
    }
}
