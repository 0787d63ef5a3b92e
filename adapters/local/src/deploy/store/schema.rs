//! The tables of the store's file, and how an older file becomes a newer one.

use nephos_core::{Error, ErrorKind};
use rusqlite::Connection;

use super::failure::{Sql, damaged};

/// Marks the file as a store of ours ("NPHS").
const APPLICATION_ID: i64 = 0x4e50_4853;

/// One step per version: file version n has had the first n steps. Never change a step that has been released; add one.
const STEPS: &[&str] = &["
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- AUTOINCREMENT, here and below: a number is never used again, or an old receipt would fit a new message.
    CREATE TABLE message (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL,
        content_type TEXT,
        attributes TEXT,
        ordering_group TEXT,
        sent_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        visible_at INTEGER,          -- NULL: waits behind an earlier message of its group
        leased INTEGER NOT NULL DEFAULT 0,
        receives INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX message_visible ON message (queue, visible_at, seq, leased);
    CREATE INDEX message_group ON message (queue, ordering_group, seq) WHERE ordering_group IS NOT NULL;

    CREATE TABLE subscription (
        topic TEXT NOT NULL,
        inbox TEXT NOT NULL,
        filter TEXT NOT NULL,
        PRIMARY KEY (topic, inbox)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE record (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        stream TEXT NOT NULL,
        partition_key TEXT NOT NULL,
        body BLOB NOT NULL,
        content_type TEXT,
        attributes TEXT,
        appended_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX record_stream ON record (stream, position);

    CREATE TABLE item (
        id INTEGER PRIMARY KEY,
        table_name TEXT NOT NULL,
        partition_key TEXT NOT NULL,
        sort_key TEXT NOT NULL,      -- empty in a table without sort key
        item TEXT NOT NULL,
        version INTEGER NOT NULL,
        expires_at INTEGER,          -- seconds, as the item has it
        UNIQUE (table_name, partition_key, sort_key)
    ) STRICT;
    CREATE INDEX item_expiry ON item (expires_at) WHERE expires_at IS NOT NULL;

    CREATE TABLE change (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        table_name TEXT NOT NULL,
        kind TEXT NOT NULL,
        partition_key TEXT NOT NULL,
        sort_key TEXT,
        old TEXT,
        new TEXT,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX change_table ON change (table_name, position);

    CREATE TABLE checkpoint (
        consumer TEXT NOT NULL,
        log TEXT NOT NULL,
        position INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        PRIMARY KEY (consumer, log)
    ) STRICT, WITHOUT ROWID;
"];

/// Brings the file to this version; an empty one gets all tables. Nothing is written unless it is ours and not newer.
pub(super) fn migrate(conn: &Connection) -> Sql<()> {
    let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "store.open",
            "the file is another program's database; choose another state folder",
        )
        .into());
    }
    // The mark, the version and the tables are written in one transaction.
    if application == APPLICATION_ID && (version == 0 || tables == 0) {
        return Err(damaged("store.open", "version").into());
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "store.open",
            "the store was written by a newer Nephos; update Nephos, or choose another state folder",
        )
        .with("store_version", version)
        .with("known_version", STEPS.len())
        .into());
    }
    for (index, step) in STEPS.iter().enumerate().skip(done) {
        let version = index + 1;
        conn.execute_batch("BEGIN IMMEDIATE")?;
        let applied = conn.execute_batch(step).and_then(|()| {
            if index == 0 {
                conn.execute(
                    "INSERT INTO meta (name, value) VALUES ('id', lower(hex(randomblob(4))))",
                    [],
                )?;
            }
            conn.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}; COMMIT"
            ))
        });
        if let Err(error) = applied {
            if !conn.is_autocommit() {
                conn.execute_batch("ROLLBACK")?;
            }
            return Err(error.into());
        }
    }
    Ok(())
}
