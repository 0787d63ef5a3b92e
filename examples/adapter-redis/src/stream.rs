//! Streams: Redis streams, whose ids are the sequences. <https://redis.io/docs/latest/develop/data-types/streams/>

use std::any::Any;
use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_core::event::{Payload, Record};
use nephos_core::resource::Binding;
use nephos_core::resource::parts::{PartLimits, parts};
use nephos_core::resource::stream::{Append, Position, StreamCapabilities, StreamDriver, StreamPage};
use nephos_core::{Error, ErrorKind, Result};

use crate::connection::{Connection, key};
use crate::head::Head;

/// The largest record. Redis takes 512 MB, but does nothing else while it takes it.
const MAX_RECORD: usize = 1 << 20;

/// What is appended in one transaction.
const AT_ONCE: PartLimits = PartLimits {
    entries: 500,
    bytes: 8 << 20,
};

/// A stream.
#[derive(Debug)]
pub struct RedisStream {
    connection: Connection,
    name: String,
    key: String,
}

impl RedisStream {
    /// Opens the stream that the binding names; it is there with its first record.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the binding does not say what Redis calls it.
    pub fn open(connection: &Connection, binding: &Binding) -> Result<Self> {
        Ok(Self {
            connection: connection.clone(),
            name: binding.name.clone(),
            key: key(binding)?,
        })
    }

    fn record(&self, id: String, mut fields: HashMap<String, Vec<u8>>) -> Result<Record<Payload>> {
        let mut field = |name: &str| fields.remove(name).unwrap_or_default();
        let head = Head::read(&field("head"), "stream.read")?;
        Ok(Record {
            appended_at: moment(&id),
            sequence: id,
            stream: self.name.clone(),
            partition_key: String::from_utf8_lossy(&field("key")).into_owned(),
            body: head.body(field("body")),
            attributes: head.attributes,
        })
    }
}

#[async_trait]
impl StreamDriver for RedisStream {
    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities {
            max_record_bytes: MAX_RECORD,
            attributes: true,
            read: true,
            sequences: true,
        }
    }

    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>> {
        let mut sequences = Vec::with_capacity(batch.len());
        for part in parts(batch, AT_ONCE, |record| record.body.bytes.len()) {
            let mut commands = redis::pipe();
            commands.atomic();
            for record in part {
                commands
                    .cmd("XADD")
                    .arg(&self.key)
                    .arg("*")
                    .arg("key")
                    .arg(&record.partition_key)
                    .arg("head")
                    .arg(Head::text(&record.body, &record.attributes))
                    .arg("body")
                    .arg(&record.body.bytes[..]);
            }
            let ids: Vec<String> = self
                .connection
                .ask_all("stream.append", &commands)
                .await
                .map_err(|error| error.with("stream", &self.name))?;
            sequences.extend(ids.into_iter().map(Some));
        }
        Ok(sequences)
    }

    async fn read(&self, position: &Position, max: usize) -> Result<StreamPage> {
        const OPERATION: &str = "stream.read";
        let start = match position {
            Position::Oldest => "-".to_owned(),
            Position::After(id) if is_id(id) => format!("({id}"),
            Position::After(_) => {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    OPERATION,
                    "the position is not one of this stream",
                )
                .with("stream", &self.name));
            }
        };
        let mut command = redis::cmd("XRANGE");
        command.arg(&self.key).arg(start).arg("+").arg("COUNT").arg(max);
        let entries: Vec<(String, HashMap<String, Vec<u8>>)> = self
            .connection
            .ask(OPERATION, &command)
            .await
            .map_err(|error| error.with("stream", &self.name))?;
        let records: Vec<_> = entries
            .into_iter()
            .map(|(id, fields)| self.record(id, fields))
            .collect::<Result<_>>()?;
        let next = records
            .last()
            .map_or_else(|| position.clone(), |last| Position::After(last.sequence.clone()));
        Ok(StreamPage { records, next })
    }

    fn as_any(&self) -> &dyn Any {
        &self.connection
    }
}

/// Whether it is an id as Redis gives them: milliseconds since 1970, and a number.
pub(crate) fn is_id(text: &str) -> bool {
    let is_number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok();
    text.split_once('-')
        .is_some_and(|(milliseconds, number)| is_number(milliseconds) && is_number(number))
}

/// When a record of this id was appended.
fn moment(id: &str) -> Option<DateTime<Utc>> {
    let milliseconds = id.split_once('-')?.0.parse().ok()?;
    DateTime::from_timestamp_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_two_numbers() {
        assert!(is_id("1526919030474-55") && is_id("0-1"));
        for foreign in [
            "",
            "-",
            "-1",
            "1-",
            "1",
            "1-2-3",
            "+1-2",
            "1- 2",
            "18446744073709551616-0",
        ] {
            assert!(!is_id(foreign), "{foreign:?}");
        }
        assert_eq!(moment("1000-3").map(|at| at.timestamp()), Some(1));
    }
}
