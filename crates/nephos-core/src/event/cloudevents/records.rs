//! Records of queues, streams and tables: one CloudEvent each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cloudevents::{AttributesReader as _, EventBuilder as _, EventBuilderV10};
use serde_json::{Map, Value};

use super::{CloudEvent, attributes, body, extension, json_extension, json_text, resource_name};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{
    Attributes, Change, ChangeKind, Data, Event, Message, Payload, Record, RecordFailure, TriggerKind,
};
use crate::resource::table::Key;

/// What orders the record: a message's group, a record's or key's partition. Of the
/// [partitioning extension](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/partitioning.md).
const PARTITION_KEY: &str = "partitionkey";
/// The record's place. Of the [sequence extension](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/sequence.md).
const SEQUENCE: &str = "sequence";
/// Which delivery of a message it is.
const ATTEMPT: &str = "attempt";
/// What the sender set, a JSON object of text.
const ATTRIBUTES: &str = "attributes";
/// On the first record: the event's own attributes as JSON, where they are not the first record's.
const BATCH: &str = "batch";

const OWN: [&str; 6] = [
    PARTITION_KEY,
    SEQUENCE,
    ATTEMPT,
    ATTRIBUTES,
    BATCH,
    body::BODY_TYPE,
];

pub(super) fn encode<T>(
    own: &Attributes,
    records: &[T],
    one: impl Fn(&T) -> Result<CloudEvent>,
) -> Result<Vec<CloudEvent>> {
    let mut events = records.iter().map(one).collect::<Result<Vec<_>>>()?;
    if let Some(first) = events.first_mut()
        && attributes(first, &OWN) != *own
    {
        first.set_extension(BATCH, json_text(own)?);
    }
    Ok(events)
}

pub(super) fn decode<T>(
    events: Vec<CloudEvent>,
    kind: TriggerKind,
    one: impl Fn(CloudEvent) -> Result<T>,
    data: impl Fn(Vec<T>) -> Data,
) -> Event {
    let own = events.first().map(|first| {
        json_extension(first, BATCH).unwrap_or_else(|error| {
            // The records do not need it.
            tracing::warn!(error = %error.chain(), "the attributes of a batch cannot be read; its first record's are used");
            None
        })
        .unwrap_or_else(|| attributes(first, &OWN))
    });
    let mut records = Vec::with_capacity(events.len());
    let mut undecodable = Vec::new();
    for event in events {
        let id = id_of(&event);
        let read = if super::kind_of(event.ty()) == kind {
            one(event)
        } else {
            Err(Error::new(
                ErrorKind::Decode,
                "cloudevents.decode",
                "the event is of another kind than the others of its batch",
            )
            .with("type", event.ty())
            .with("kind", kind))
        };
        match read {
            Ok(record) => records.push(record),
            Err(error) => undecodable.push(RecordFailure { id, error }),
        }
    }
    Event {
        attributes: own.unwrap_or_else(|| Attributes::new(kind.name(), "")),
        data: data(records),
        undecodable,
        raw: None,
    }
}

/// The id under which the record's outcome is reported.
fn id_of(event: &CloudEvent) -> String {
    extension(event, SEQUENCE).unwrap_or_else(|| event.id().to_owned())
}

fn start(kind: TriggerKind, name: &str, id: &str, ty: &str, time: Option<DateTime<Utc>>) -> EventBuilderV10 {
    let builder = EventBuilderV10::new()
        .id(id)
        .source(format!("{kind}/{name}"))
        .ty(ty);
    match time {
        Some(time) => builder.time(time),
        None => builder,
    }
}

fn finish(builder: EventBuilderV10) -> Result<CloudEvent> {
    let event = builder.build().map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            "cloudevents.encode",
            "the record's attributes are not what CloudEvents allow",
        )
        .caused_by(error)
    })?;
    super::check_writable(&event)?;
    Ok(event)
}

fn with_attributes(
    builder: EventBuilderV10,
    attributes: &BTreeMap<String, String>,
) -> Result<EventBuilderV10> {
    if attributes.is_empty() {
        return Ok(builder);
    }
    Ok(builder.extension(ATTRIBUTES, json_text(attributes)?))
}

pub(super) fn message(message: &Message<Payload>) -> Result<CloudEvent> {
    let mut builder = start(
        TriggerKind::Queue,
        &message.queue,
        &message.id,
        super::QUEUE_MESSAGE,
        message.sent_at,
    )
    .extension(ATTEMPT, i64::from(message.attempt));
    if let Some(group) = &message.group {
        builder = builder.extension(PARTITION_KEY, group.as_str());
    }
    builder = with_attributes(builder, &message.attributes)?;
    finish(body::put(
        builder,
        message.body.content_type.as_deref(),
        &message.body.bytes,
    ))
}

pub(super) fn read_message(mut event: CloudEvent) -> Result<Message<Payload>> {
    let (content_type, bytes) = body::take(&mut event)?;
    let attempt = match extension(&event, ATTEMPT) {
        None => 1,
        Some(text) => text.parse().ok().filter(|attempt| *attempt > 0).ok_or_else(|| {
            Error::new(
                ErrorKind::Decode,
                "cloudevents.decode",
                "the attempt must be a number from 1",
            )
            .with("attempt", text)
        })?,
    };
    Ok(Message {
        id: event.id().to_owned(),
        queue: resource_name(event.source(), TriggerKind::Queue).to_owned(),
        body: Payload { content_type, bytes },
        attributes: json_extension(&event, ATTRIBUTES)?.unwrap_or_default(),
        group: extension(&event, PARTITION_KEY),
        attempt,
        sent_at: event.time().copied(),
    })
}

pub(super) fn record(record: &Record<Payload>) -> Result<CloudEvent> {
    let builder = start(
        TriggerKind::Stream,
        &record.stream,
        &record.sequence,
        super::STREAM_RECORD,
        record.appended_at,
    )
    .extension(SEQUENCE, record.sequence.as_str())
    .extension(PARTITION_KEY, record.partition_key.as_str());
    let builder = with_attributes(builder, &record.attributes)?;
    finish(body::put(
        builder,
        record.body.content_type.as_deref(),
        &record.body.bytes,
    ))
}

pub(super) fn read_record(mut event: CloudEvent) -> Result<Record<Payload>> {
    let (content_type, bytes) = body::take(&mut event)?;
    Ok(Record {
        sequence: id_of(&event),
        stream: resource_name(event.source(), TriggerKind::Stream).to_owned(),
        partition_key: extension(&event, PARTITION_KEY).unwrap_or_default(),
        body: Payload { content_type, bytes },
        attributes: json_extension(&event, ATTRIBUTES)?.unwrap_or_default(),
        appended_at: event.time().copied(),
    })
}

pub(super) fn change(change: &Change<Value>) -> Result<CloudEvent> {
    let key = serde_json::to_value(&change.key).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "cloudevents.encode",
            "a key cannot be written as JSON",
        )
        .caused_by(error)
    })?;
    let mut data = Map::new();
    data.insert("key".to_owned(), key);
    if let Some(old) = &change.old {
        data.insert("old".to_owned(), old.clone());
    }
    if let Some(new) = &change.new {
        data.insert("new".to_owned(), new.clone());
    }
    let builder = start(
        TriggerKind::Table,
        &change.table,
        &change.sequence,
        super::change_type(change.kind),
        change.at,
    )
    .extension(SEQUENCE, change.sequence.as_str())
    .extension(PARTITION_KEY, change.key.partition.as_str())
    .data("application/json", Value::Object(data));
    finish(builder)
}

pub(super) fn read_change(mut event: CloudEvent) -> Result<Change<Value>> {
    let mut data: Map<String, Value> = body::json(&mut event)?;
    let key = data.remove("key").unwrap_or_default();
    let key: Key = serde_json::from_value(key).map_err(|error| {
        Error::new(
            ErrorKind::Decode,
            "cloudevents.decode",
            "the change has no key that can be read",
        )
        .caused_by(error)
    })?;
    let kind = match event.ty() {
        super::TABLE_INSERTED => ChangeKind::Inserted,
        super::TABLE_REMOVED => ChangeKind::Removed,
        _ => ChangeKind::Modified,
    };
    Ok(Change {
        sequence: id_of(&event),
        table: resource_name(event.source(), TriggerKind::Table).to_owned(),
        kind,
        key,
        old: data.remove("old"),
        new: data.remove("new"),
        at: event.time().copied(),
    })
}
