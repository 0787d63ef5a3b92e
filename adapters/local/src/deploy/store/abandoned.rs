//! Queues that hold messages and that nobody reads: the inboxes of triggers that the manifest does not have any more.

use std::collections::BTreeSet;
use std::time::Duration;

use nephos_core::Result;
use nephos_core::app::QueueSpec;
use rusqlite::{OptionalExtension, params};

use super::Store;

/// A queue that nobody reads, and how many messages are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    /// The queue.
    pub queue: String,
    /// How many messages lie in it, or were taken out.
    pub messages: usize,
}

impl Store {
    /// The queues whose names begin with `prefix`, that hold messages, and that are not among those that are `read`.
    ///
    /// # Errors
    /// The file's.
    pub async fn abandoned(&self, prefix: &str, read: &BTreeSet<String>) -> Result<Vec<Abandoned>> {
        let mut abandoned = Vec::new();
        for queue in self.unread(prefix, read).await? {
            let name = queue.clone();
            let count = move |conn: &rusqlite::Connection, _| {
                Ok(conn
                    .prepare_cached("SELECT count(*) FROM message WHERE queue = ?1")?
                    .query_row([name], |row| row.get::<_, i64>(0))?)
            };
            let count = self.inner.db.read("store.abandoned", count).await?;
            let messages = usize::try_from(count).unwrap_or_default();
            abandoned.push(Abandoned { queue, messages });
        }
        Ok(abandoned)
    }

    /// Takes out what such queues have held for longer than `retention`; returns those that lost something.
    ///
    /// # Errors
    /// The file's; what was taken out before stays so.
    pub async fn sweep_abandoned(
        &self,
        prefix: &str,
        read: &BTreeSet<String>,
        retention: Duration,
    ) -> Result<Vec<Abandoned>> {
        let spec = QueueSpec {
            retention,
            ..QueueSpec::default()
        };
        let mut swept = Vec::new();
        for queue in self.unread(prefix, read).await? {
            let messages = self.sweep_queue(&queue, &spec).await?;
            if messages > 0 {
                swept.push(Abandoned { queue, messages });
            }
        }
        Ok(swept)
    }

    async fn unread(&self, prefix: &str, read: &BTreeSet<String>) -> Result<Vec<String>> {
        let prefix = prefix.to_owned();
        let names = move |conn: &rusqlite::Connection, _| {
            // From name to name in the index: the time grows with the queues, not with their messages.
            let mut next =
                conn.prepare_cached("SELECT queue FROM message WHERE queue > ?1 ORDER BY queue LIMIT 1")?;
            let mut names: Vec<String> = Vec::new();
            let mut last = prefix.clone();
            while let Some(name) = next
                .query_row(params![last], |row| row.get::<_, String>(0))
                .optional()?
                .filter(|name| name.starts_with(&prefix))
            {
                last.clone_from(&name);
                names.push(name);
            }
            Ok(names)
        };
        let mut names = self.inner.db.read("store.abandoned", names).await?;
        names.retain(|name| !read.contains(name));
        Ok(names)
    }
}
