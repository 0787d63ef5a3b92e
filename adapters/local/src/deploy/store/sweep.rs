//! Takes out what its time is over for: messages, records, items, and changes that every follower has seen.

use std::time::Duration;

use nephos_core::Result;
use nephos_core::app::QueueSpec;
use rusqlite::params;

use super::clock::millis;
use super::{Store, item, message};

/// How much one transaction takes out: the writer must not keep others waiting.
const CHUNK: i64 = 500;
/// How long a change is kept at least, also when every follower has seen it, so that one that is added later has something to begin with.
const CHANGES_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a change waits for a follower that does not come.
const CHANGES_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a sweep took out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Messages whose retention was over.
    pub messages: usize,
    /// Records whose retention was over.
    pub records: usize,
    /// Items that had expired; each left a change behind.
    pub items: usize,
    /// Changes that were old and seen by all.
    pub changes: usize,
}

impl Store {
    /// Takes out what its time is over for: of the queues and streams that were opened in this run, and of all tables. A message that
    /// is leased stays until its lease is over.
    ///
    /// # Errors
    /// The file's; what was taken out before stays so.
    pub async fn sweep(&self) -> Result<Swept> {
        let (queues, streams) = {
            let declared = self.inner.declared();
            (declared.queues.clone(), declared.streams.clone())
        };
        let mut swept = Swept::default();
        for (queue, spec) in queues {
            swept.messages += self.sweep_queue(&queue, &spec).await?;
        }
        for (stream, spec) in streams {
            swept.records += self.sweep_stream(&stream, spec.retention).await?;
        }
        loop {
            let removed = self
                .inner
                .db
                .write("store.sweep", |tx| item::expire(tx, CHUNK))
                .await?;
            swept.items += removed;
            if removed == 0 {
                break;
            }
        }
        swept.changes = self.sweep_changes().await?;
        Ok(swept)
    }

    pub(super) async fn sweep_queue(&self, queue: &str, spec: &QueueSpec) -> Result<usize> {
        let retention = millis(spec.retention);
        let mut swept = 0;
        loop {
            // Looking for them costs a pass over the queue, which a reader makes; the writer only deletes.
            let name = queue.to_owned();
            let found = move |conn: &rusqlite::Connection, now: i64| {
                let mut statement = conn.prepare_cached(
                    "SELECT seq FROM message WHERE queue = ?1 AND sent_at <= ?2 AND (leased = 0 OR visible_at <= ?3) LIMIT ?4",
                )?;
                let kept_since = now.saturating_sub(retention);
                let numbers = statement.query_map(params![name, kept_since, now, CHUNK], |row| row.get(0))?;
                Ok(numbers.collect::<rusqlite::Result<Vec<i64>>>()?)
            };
            let found = self.inner.db.read("store.sweep", found).await?;
            if found.is_empty() {
                return Ok(swept);
            }
            swept += found.len();
            let name = queue.to_owned();
            self.inner
                .db
                .write("store.sweep", move |tx| {
                    for seq in &found {
                        // It may have been leased in the meantime.
                        let idle: bool = tx
                            .conn
                            .prepare_cached(
                                "SELECT EXISTS (SELECT 1 FROM message WHERE seq = ?1 AND (leased = 0 OR visible_at <= ?2))",
                            )?
                            .query_row(params![seq, tx.now], |row| row.get(0))?;
                        if idle {
                            message::remove(tx, &name, *seq)?;
                        }
                    }
                    Ok(())
                })
                .await?;
        }
    }

    async fn sweep_stream(&self, stream: &str, retention: Duration) -> Result<usize> {
        let retention = millis(retention);
        self.delete_chunks(
            "DELETE FROM record WHERE position IN (
                 SELECT position FROM (SELECT position, appended_at FROM record WHERE stream = ?1 ORDER BY position LIMIT ?3)
                 WHERE appended_at <= ?2)",
            stream,
            retention,
        )
        .await
    }

    async fn sweep_changes(&self) -> Result<usize> {
        let tables = |conn: &rusqlite::Connection, _| {
            let mut statement = conn.prepare_cached("SELECT DISTINCT table_name FROM change")?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(names.collect::<rusqlite::Result<Vec<String>>>()?)
        };
        let mut swept = 0;
        for table in self.inner.db.read("store.sweep", tables).await? {
            // The first statement leaves what a follower has not seen; the second does not wait for it for ever.
            swept += self
                .delete_chunks(
                    "DELETE FROM change WHERE position IN (
                         SELECT position FROM (SELECT position, at FROM change WHERE table_name = ?1 ORDER BY position LIMIT ?3)
                         WHERE at <= ?2
                         AND position <= coalesce((SELECT min(position) FROM checkpoint WHERE log = ?1), position))",
                    &table,
                    millis(CHANGES_KEPT),
                )
                .await?;
            swept += self
                .delete_chunks(
                    "DELETE FROM change WHERE position IN (
                         SELECT position FROM (SELECT position, at FROM change WHERE table_name = ?1 ORDER BY position LIMIT ?3)
                         WHERE at <= ?2)",
                    &table,
                    millis(CHANGES_WAIT),
                )
                .await?;
        }
        Ok(swept)
    }

    /// Runs a `DELETE` of (name, time, how many) until it finds no more. It looks at the oldest entries only, not at all there are.
    async fn delete_chunks(&self, sql: &'static str, name: &str, kept: i64) -> Result<usize> {
        let mut deleted = 0;
        loop {
            let name = name.to_owned();
            let chunk = self
                .inner
                .db
                .write("store.sweep", move |tx| {
                    let kept_since = tx.now.saturating_sub(kept);
                    Ok(tx
                        .conn
                        .prepare_cached(sql)?
                        .execute(params![name, kept_since, CHUNK])?)
                })
                .await?;
            if chunk == 0 {
                return Ok(deleted);
            }
            deleted += chunk;
        }
    }
}
