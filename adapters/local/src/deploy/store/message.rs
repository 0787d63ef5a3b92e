//! Messages in the file: put in, leased, given back, taken out. All of it runs inside one transaction.
//!
//! In an ordered queue only the oldest message of a group has a time at which it becomes visible; those behind it have none until it
//! is gone. So a leased or delayed message holds up its group, and finding the next visible message stays one look into an index.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use nephos_core::app::QueueSpec;
use nephos_core::event::{Message, Payload};
use nephos_core::resource::queue::{Outgoing, Receipt, Received};
use nephos_core::{Error, ErrorKind};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::clock::{millis, time};
use super::failure::{Sql, damaged};
use super::writer::Tx;

/// The lease that a receipt stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// The message's number.
    pub(super) seq: i64,
    /// Which delivery of it.
    pub(super) receives: i64,
}

/// What became of the message of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The receipt is the newest, and was not given back.
    Yes(Lease),
    /// The message was given back with this receipt, and nobody has received it since.
    GivenBack,
    /// Another receiver has, or had, the message since.
    Passed,
    /// The message is gone.
    Gone,
}

pub(super) fn receipt(store: &str, lease: Lease) -> Receipt {
    Receipt(format!("{store}.{}.{}", lease.seq, lease.receives))
}

fn parse(store: &str, receipt: &Receipt) -> Sql<Option<Lease>> {
    let mut parts = receipt.0.split('.');
    let lease = (|| {
        let id = parts.next()?;
        let seq = parts.next()?.parse().ok()?;
        let receives = parts.next()?.parse().ok()?;
        (id.len() == 8 && parts.next().is_none()).then_some((id == store, Lease { seq, receives }))
    })();
    match lease {
        Some((true, lease)) => Ok(Some(lease)),
        // Of a store that was removed since, and its messages with it.
        Some((false, _)) => Ok(None),
        None => Err(Error::new(
            ErrorKind::InvalidArgument,
            "queue.receipt",
            "not a receipt of this target; pass on what `receive` returned",
        )
        .into()),
    }
}

/// Looks the message of a receipt up.
pub(super) fn held(tx: &Tx<'_>, store: &str, queue: &str, receipt: &Receipt) -> Sql<Held> {
    let Some(lease) = parse(store, receipt)? else {
        return Ok(Held::Gone);
    };
    let row: Option<(i64, bool)> = tx
        .conn
        .prepare_cached("SELECT receives, leased FROM message WHERE seq = ?1 AND queue = ?2")?
        .query_row(params![lease.seq, queue], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match row {
        None => Held::Gone,
        Some((receives, _)) if receives != lease.receives => Held::Passed,
        Some((_, true)) => Held::Yes(lease),
        Some((_, false)) => Held::GivenBack,
    })
}

/// Attributes as stored: most messages have none.
pub(super) fn attributes_text(attributes: &BTreeMap<String, String>) -> Sql<Option<String>> {
    if attributes.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(attributes).map(Some).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "store.write",
            "attributes could not be written as JSON",
        )
        .caused_by(error)
        .into()
    })
}

/// The inverse of [`attributes_text`].
pub(super) fn attributes_map(text: Option<String>) -> Sql<BTreeMap<String, String>> {
    match text {
        None => Ok(BTreeMap::new()),
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| damaged("store.read", "attributes").caused_by(error).into()),
    }
}

/// A fresh id; ids of later messages sort behind.
pub(super) fn new_id() -> String {
    Uuid::now_v7().simple().to_string()
}

/// Puts a message into `queue`.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    queue: &str,
    spec: &QueueSpec,
    id: &str,
    message: &Outgoing,
) -> Sql<()> {
    let due = tx.now.saturating_add(millis(message.delay));
    let waits = match (&message.group, spec.ordered) {
        (Some(group), true) => tx
            .conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE queue = ?1 AND ordering_group = ?2)")?
            .query_row(params![queue, group], |row| row.get(0))?,
        _ => false,
    };
    let visible = (!waits).then_some(due);
    tx.conn
        .prepare_cached(
            "INSERT INTO message (queue, id, body, content_type, attributes, ordering_group, sent_at, due_at, visible_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            queue,
            id,
            &message.body.bytes[..],
            message.body.content_type,
            attributes_text(&message.attributes)?,
            message.group,
            tx.now,
            due,
            visible,
        ])?;
    // Also when it is delayed: whoever waits has to wait for another time now.
    tx.wake(queue);
    Ok(())
}

/// Takes a message out for good, and lets the next of its group come.
pub(super) fn remove(tx: &mut Tx<'_>, queue: &str, seq: i64) -> Sql<()> {
    let group: Option<Option<String>> = tx
        .conn
        .prepare_cached("DELETE FROM message WHERE seq = ?1 RETURNING ordering_group")?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    let Some(Some(group)) = group else {
        return Ok(());
    };
    let next: Option<(i64, Option<i64>)> = tx
        .conn
        .prepare_cached(
            "SELECT seq, visible_at FROM message WHERE queue = ?1 AND ordering_group = ?2 ORDER BY seq LIMIT 1",
        )?
        .query_row(params![queue, group], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((next, None)) = next {
        tx.conn
            .prepare_cached("UPDATE message SET visible_at = due_at WHERE seq = ?1")?
            .execute([next])?;
        tx.wake(queue);
    }
    Ok(())
}

/// Ends a lease: the message is visible again from `at` on.
pub(super) fn give_back(tx: &mut Tx<'_>, queue: &str, lease: Lease, at: i64) -> Sql<()> {
    tx.conn
        .prepare_cached("UPDATE message SET leased = 0, visible_at = ?2 WHERE seq = ?1")?
        .execute(params![lease.seq, at])?;
    tx.wake(queue);
    Ok(())
}

/// Ends a lease that nobody ever saw: as if the message had not been received.
pub(super) fn unlease(tx: &mut Tx<'_>, queue: &str, lease: Lease) -> Sql<()> {
    let given = tx
        .conn
        .prepare_cached(
            "UPDATE message SET leased = 0, receives = receives - 1, visible_at = ?3
             WHERE seq = ?1 AND receives = ?2 AND leased = 1",
        )?
        .execute(params![lease.seq, lease.receives, tx.now])?;
    if given > 0 {
        tx.wake(queue);
    }
    Ok(())
}

/// Starts a lease anew, until `until`.
pub(super) fn extend(tx: &Tx<'_>, lease: Lease, until: i64) -> Sql<()> {
    tx.conn
        .prepare_cached("UPDATE message SET visible_at = ?2 WHERE seq = ?1")?
        .execute(params![lease.seq, until])?;
    Ok(())
}

/// A message as the file has it.
struct Row {
    seq: i64,
    id: String,
    body: Vec<u8>,
    content_type: Option<String>,
    attributes: Option<String>,
    group: Option<String>,
    sent_at: i64,
    receives: i64,
}

/// Leases up to `max` visible messages, oldest first; those whose retention is over are taken out instead.
pub(super) fn lease(
    tx: &mut Tx<'_>,
    queue: &str,
    spec: &QueueSpec,
    max: usize,
    visibility_timeout: Duration,
) -> Sql<Vec<(Lease, Message<Payload>)>> {
    let until = tx.now.saturating_add(millis(visibility_timeout));
    let kept_since = tx.now.saturating_sub(millis(spec.retention));
    let mut leased = Vec::new();
    loop {
        let rows = visible(tx, queue, max)?;
        let mut expired = false;
        for row in rows {
            if row.sent_at <= kept_since {
                remove(tx, queue, row.seq)?;
                expired = true;
                continue;
            }
            let lease = Lease {
                seq: row.seq,
                receives: row.receives + 1,
            };
            tx.conn
                .prepare_cached(
                    "UPDATE message SET leased = 1, receives = ?2, visible_at = ?3 WHERE seq = ?1",
                )?
                .execute(params![lease.seq, lease.receives, until])?;
            leased.push((lease, message(queue, row, lease)?));
        }
        // Behind messages that were too old there may be others.
        if !leased.is_empty() || !expired {
            return Ok(leased);
        }
    }
}

fn visible(tx: &Tx<'_>, queue: &str, max: usize) -> Sql<Vec<Row>> {
    let mut statement = tx.conn.prepare_cached(
        "SELECT seq, id, body, content_type, attributes, ordering_group, sent_at, receives FROM message
         WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, seq LIMIT ?3",
    )?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![queue, tx.now, limit], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        seq: row.get(0)?,
        id: row.get(1)?,
        body: row.get(2)?,
        content_type: row.get(3)?,
        attributes: row.get(4)?,
        group: row.get(5)?,
        sent_at: row.get(6)?,
        receives: row.get(7)?,
    })
}

fn message(queue: &str, row: Row, lease: Lease) -> Sql<Message<Payload>> {
    Ok(Message {
        id: row.id,
        queue: queue.to_owned(),
        body: Payload {
            content_type: row.content_type,
            bytes: Bytes::from(row.body),
        },
        attributes: attributes_map(row.attributes)?,
        group: row.group,
        attempt: u32::try_from(lease.receives).unwrap_or(u32::MAX),
        sent_at: time(row.sent_at),
    })
}

/// Messages in the order of their sending, leased or not; each as its next delivery would bring it.
pub(super) fn peek(conn: &rusqlite::Connection, queue: &str, max: usize) -> Sql<Vec<Message<Payload>>> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, id, body, content_type, attributes, ordering_group, sent_at, receives FROM message
         WHERE queue = ?1 ORDER BY seq LIMIT ?2",
    )?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let rows: Vec<Row> = statement
        .query_map(params![queue, limit], row)?
        .collect::<rusqlite::Result<_>>()?;
    let next = |row: Row| {
        let lease = Lease {
            seq: row.seq,
            receives: row.receives + 1,
        };
        message(queue, row, lease)
    };
    rows.into_iter().map(next).collect()
}

/// When the next message that is hidden now becomes visible by itself.
pub(super) fn next_due(conn: &rusqlite::Connection, queue: &str, now: i64) -> Sql<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT min(visible_at) FROM message WHERE queue = ?1 AND visible_at > ?2")?
        .query_row(params![queue, now], |row| row.get(0))?)
}

/// The message as its receiver gets it.
pub(super) fn received(store: &str, lease: Lease, message: Message<Payload>) -> Received {
    Received {
        message,
        receipt: receipt(store, lease),
    }
}
