//! The embedded stream: records in one order, read from any position until their retention ends.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use nephos_core::app::StreamSpec;
use nephos_core::event::{Payload, Record};
use nephos_core::resource::stream::{Append, Position, StreamCapabilities, StreamDriver, StreamPage};
use nephos_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, params};

use super::Store;
use super::clock::{millis, time};
use super::failure::Sql;
use super::message::{attributes_map, attributes_text};
use super::token::{MAX_PAGE, tag};
use super::writer::Tx;
use crate::resources::capabilities;

/// A stream of the store.
#[derive(Clone)]
pub struct EmbeddedStream {
    store: Store,
    name: Arc<str>,
    spec: Arc<StreamSpec>,
}

impl fmt::Debug for EmbeddedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStream")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl EmbeddedStream {
    pub(super) fn new(store: Store, name: &str, spec: &StreamSpec) -> Self {
        Self {
            store,
            name: name.into(),
            spec: Arc::new(spec.clone()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A record's place, as its reader sees it: the text of a later one sorts behind, and one of another stream is recognised.
fn sequence(stream: &str, position: i64) -> String {
    format!("{:08x}-{position:020}", tag(&[stream]))
}

fn position(stream: &str, text: &str) -> Result<i64> {
    text.split_once('-')
        .filter(|(of, _)| *of == format!("{:08x}", tag(&[stream])))
        .and_then(|(_, digits)| digits.parse().ok())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "stream.read",
                "not a position of this stream; pass on what `read` returned",
            )
            .with("stream", stream)
        })
}

#[async_trait]
impl StreamDriver for EmbeddedStream {
    fn capabilities(&self) -> StreamCapabilities {
        capabilities::STREAM
    }

    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>> {
        let (stream, batch) = (Arc::clone(&self.name), batch.to_vec());
        self.store
            .inner
            .db
            .write("stream.append", move |tx| {
                batch
                    .iter()
                    .map(|record| {
                        append(tx, &stream, record)?;
                        Ok(Some(sequence(&stream, tx.conn.last_insert_rowid())))
                    })
                    .collect()
            })
            .await
    }

    async fn read(&self, from: &Position, max: usize) -> Result<StreamPage> {
        let after = match from {
            Position::Oldest => 0,
            Position::After(text) => position(&self.name, text)?,
        };
        let stream = Arc::clone(&self.name);
        let retention = millis(self.spec.retention);
        let records = self
            .store
            .inner
            .db
            .read("stream.read", move |conn, now| {
                records(conn, &stream, after, now.saturating_sub(retention), max)
            })
            .await?;
        let next = match records.last() {
            Some((_, last)) => Position::After(last.sequence.clone()),
            None => from.clone(),
        };
        Ok(StreamPage {
            records: records.into_iter().map(|(_, record)| record).collect(),
            next,
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn append(tx: &mut Tx<'_>, stream: &str, record: &Append) -> Sql<()> {
    tx.conn
        .prepare_cached(
            "INSERT INTO record (stream, partition_key, body, content_type, attributes, appended_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            stream,
            record.partition_key,
            &record.body.bytes[..],
            record.body.content_type,
            attributes_text(&record.attributes)?,
            tx.now,
        ])?;
    tx.wake(stream);
    Ok(())
}

fn records(
    conn: &Connection,
    stream: &str,
    after: i64,
    kept_since: i64,
    max: usize,
) -> Sql<Vec<(i64, Record<Payload>)>> {
    let mut statement = conn.prepare_cached(
        "SELECT position, partition_key, body, content_type, attributes, appended_at FROM record
         WHERE stream = ?1 AND position > ?2 AND appended_at > ?3 ORDER BY position LIMIT ?4",
    )?;
    let limit = i64::try_from(max.min(MAX_PAGE)).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![stream, after, kept_since, limit])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let position = row.get(0)?;
        records.push((
            position,
            Record {
                sequence: sequence(stream, position),
                stream: stream.to_owned(),
                partition_key: row.get(1)?,
                body: Payload {
                    content_type: row.get(3)?,
                    bytes: Bytes::from(row.get::<_, Vec<u8>>(2)?),
                },
                attributes: attributes_map(row.get(4)?)?,
                appended_at: time(row.get(5)?),
            },
        ));
    }
    Ok(records)
}

impl Store {
    /// Up to `max` records of `stream` behind the position `after` (0: from the oldest), in order, each with its position.
    ///
    /// # Errors
    /// The file's.
    pub async fn records(&self, stream: &str, after: i64, max: usize) -> Result<Vec<(i64, Record<Payload>)>> {
        let stream = stream.to_owned();
        self.inner
            .db
            .read("stream.read", move |conn, _| {
                records(conn, &stream, after, i64::MIN, max)
            })
            .await
    }
}
