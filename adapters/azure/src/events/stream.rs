//! Records of Event Hubs: <https://learn.microsoft.com/azure/azure-functions/functions-bindings-event-hubs-trigger#event-metadata>.
//!
//! A batch is of one partition, and everything is told in lists (`SequenceNumberArray`). A sequence number counts within its partition, so a record's place in the
//! stream is the partition's number and its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use nephos_core::event::{Attributes, Data, Payload, Record, RecordFailure};
use nephos_core::{Event, Result};
use serde_json::Value;

use super::column::Column;
use super::wrapped::{Content, Invocation, Metadata, refused};
use crate::payload;

/// The name of the body's media type among the system properties, for events that other programs sent.
const NATIVE_TYPE: &str = "content-type";

pub(super) fn decode(stream: &str, invocation: &Invocation<'_>) -> Result<Event> {
    let metadata = &invocation.metadata;
    let partition = partition(metadata);
    let content = Content::read(invocation.value)?;
    let (records, undecodable) = match content.batch()? {
        Some(bodies) => {
            let columns = Columns::read(metadata, "Array")?;
            all(stream, partition.as_deref(), bodies, &columns)?
        }
        None => {
            let columns = Columns::single(metadata)?;
            all(
                stream,
                partition.as_deref(),
                vec![Ok(content.into_bytes())],
                &columns,
            )?
        }
    };
    let data = Data::Stream(records);
    let facts = [("azurepartition", partition)];
    Ok(super::event(Attributes::of(&data), data, facts, undecodable))
}

/// The partition, under the name that it has now, or had in earlier versions of the extension.
fn partition(metadata: &Metadata<'_>) -> Option<String> {
    ["TriggerPartitionContext", "PartitionContext"]
        .into_iter()
        .find_map(|name| {
            let context: Value = metadata.json(name).ok()??;
            match context.get("PartitionId")? {
                Value::String(id) => Some(id.clone()),
                Value::Number(id) => Some(id.to_string()),
                _ => None,
            }
        })
}

struct Columns {
    numbers: Column<Value>,
    keys: Column<Value>,
    times: Column<Value>,
    properties: Column<Value>,
    system: Column<Value>,
}

impl Columns {
    fn read(metadata: &Metadata<'_>, suffix: &str) -> Result<Self> {
        let column = |name: &str| Column::read(metadata, &format!("{name}{suffix}"));
        Ok(Self {
            numbers: column("SequenceNumber")?,
            keys: column("PartitionKey")?,
            times: column("EnqueuedTimeUtc")?,
            properties: column("Properties")?,
            system: column("SystemProperties")?,
        })
    }

    /// Of a trigger that takes one event at a time.
    fn single(metadata: &Metadata<'_>) -> Result<Self> {
        let text = |name: &str| Column::one(metadata.text(name).map_or(Value::Null, Value::String));
        let object = |name: &str| {
            metadata
                .json(name)
                .map(|json| Column::one(json.unwrap_or_default()))
        };
        Ok(Self {
            numbers: text("SequenceNumber"),
            keys: text("PartitionKey"),
            times: text("EnqueuedTimeUtc"),
            properties: object("Properties")?,
            system: object("SystemProperties")?,
        })
    }
}

fn all(
    stream: &str,
    partition: Option<&str>,
    bodies: Vec<Result<Bytes>>,
    columns: &Columns,
) -> Result<(Vec<Record<Payload>>, Vec<RecordFailure>)> {
    let (mut records, mut undecodable) = (Vec::with_capacity(bodies.len()), Vec::new());
    for (index, body) in bodies.into_iter().enumerate() {
        let number = columns
            .numbers
            .text(index)
            .ok_or_else(|| refused("a record has no sequence number under which it could fail"))?;
        let sequence = match partition {
            Some(partition) => [partition, "/", &number].concat(),
            None => number,
        };
        let read = body.and_then(|bytes| Ok((bytes, object(columns.properties.at(index))?)));
        let (bytes, properties) = match read {
            Ok(read) => read,
            Err(error) => {
                undecodable.push(super::failure(&sequence, error));
                continue;
            }
        };
        let (content_type, attributes) = payload::from_properties(properties);
        let native = columns.system.at(index);
        let native = native.get(NATIVE_TYPE).and_then(Value::as_str);
        records.push(Record {
            sequence,
            stream: stream.to_owned(),
            partition_key: columns.keys.text(index).unwrap_or_default(),
            body: Payload {
                content_type: content_type.or_else(|| native.map(str::to_owned)),
                bytes,
            },
            attributes,
            appended_at: columns.times.time(index),
        });
    }
    Ok((records, undecodable))
}

fn object(properties: Value) -> Result<BTreeMap<String, Value>> {
    match properties {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(fields) => Ok(fields.into_iter().collect()),
        _ => Err(refused("the record's properties are no object")),
    }
}
