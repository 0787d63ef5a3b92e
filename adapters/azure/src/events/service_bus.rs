//! Messages of Service Bus, one or a batch:
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger#message-metadata>.
//!
//! Of a batch, the host tells everything in lists (`MessageIdArray`), one value a message.

use std::collections::BTreeMap;

use bytes::Bytes;
use nephos_core::event::{Attributes, Data, Message, Payload, RecordFailure};
use nephos_core::{Error, Event, Result};
use serde_json::Value;

use super::column::Column;
use super::wrapped::{Content, Invocation, Metadata, refused};
use crate::payload;

/// The names of application properties: the present one, and that of the extension before its version 5.
const PROPERTIES: [&str; 2] = ["ApplicationProperties", "UserProperties"];

pub(super) fn decode(queue: &str, invocation: &Invocation<'_>) -> Result<Event> {
    let metadata = &invocation.metadata;
    if !metadata.has("DeliveryCount") && !metadata.has("DeliveryCountArray") {
        return Err(refused(
            "the invocation is of neither a Storage queue nor Service Bus: it tells no delivery count",
        ));
    }
    let content = Content::read(invocation.value);
    let batch = match &content {
        Ok(content) if metadata.has("DeliveryCountArray") => content.batch()?,
        _ => None,
    };
    let (messages, undecodable) = match batch {
        Some(bodies) => batch_of(queue, bodies, metadata)?,
        None => single(queue, content.map(Content::into_bytes), metadata)?,
    };
    let data = Data::Queue(messages);
    let facts = facts(metadata)?;
    Ok(super::event(Attributes::of(&data), data, facts, undecodable))
}

/// What only Service Bus tells, of the first message.
fn facts(metadata: &Metadata<'_>) -> Result<[(&'static str, Option<String>); 5]> {
    let first = |name: &str| -> Result<Option<String>> {
        match metadata.text(name).filter(|text| !text.is_empty()) {
            None => Ok(Column::read(metadata, &format!("{name}Array"))?.text(0)),
            one => Ok(one),
        }
    };
    Ok([
        ("azurecorrelation", first("CorrelationId")?),
        ("azuresequence", first("SequenceNumber")?),
        ("azurelabel", first("Label")?),
        ("azurereplyto", first("ReplyTo")?),
        ("azureto", first("To")?),
    ])
}

type Read = (Vec<Message<Payload>>, Vec<RecordFailure>);

fn single(queue: &str, body: Result<Bytes>, metadata: &Metadata<'_>) -> Result<Read> {
    let text = |name: &str| metadata.text(name).filter(|text| !text.is_empty());
    let id = id(text("MessageId"), text("SequenceNumber"))?;
    let bytes = match body {
        Ok(bytes) => bytes,
        Err(error) => return Ok((Vec::new(), vec![super::failure(&id, error)])),
    };
    let mut properties = None;
    for name in PROPERTIES {
        if properties.is_none() {
            properties = metadata.json::<BTreeMap<String, Value>>(name)?;
        }
    }
    // What was sent in a list has no media type of its own.
    let (content_type, attributes) = payload::from_properties(properties.unwrap_or_default());
    let message = Message {
        id,
        queue: queue.to_owned(),
        body: Payload {
            content_type: content_type.or_else(|| text("ContentType")),
            bytes,
        },
        attributes,
        group: group(text("SessionId")),
        attempt: metadata.number("DeliveryCount").unwrap_or(1).max(1),
        sent_at: metadata
            .time("EnqueuedTimeUtc")
            .or_else(|| metadata.time("EnqueuedTime")),
    };
    Ok((vec![message], Vec::new()))
}

fn batch_of(queue: &str, bodies: Vec<Result<Bytes>>, metadata: &Metadata<'_>) -> Result<Read> {
    let column = |name: &str| Column::read(metadata, name);
    let (ids, numbers) = (column("MessageIdArray")?, column("SequenceNumberArray")?);
    let (types, sessions) = (column("ContentTypeArray")?, column("SessionIdArray")?);
    let (counts, times) = (column("DeliveryCountArray")?, column("EnqueuedTimeUtcArray")?);
    let properties = if metadata.has("ApplicationPropertiesArray") {
        column("ApplicationPropertiesArray")?
    } else {
        column("UserPropertiesArray")?
    };
    let (mut messages, mut undecodable) = (Vec::with_capacity(bodies.len()), Vec::new());
    for (index, body) in bodies.into_iter().enumerate() {
        let id = id(ids.text(index), numbers.text(index))?;
        let read = body.and_then(|bytes| Ok((bytes, object(properties.at(index))?)));
        let (bytes, properties) = match read {
            Ok(read) => read,
            Err(error) => {
                undecodable.push(super::failure(&id, error));
                continue;
            }
        };
        let (content_type, attributes) = payload::from_properties(properties);
        messages.push(Message {
            id,
            queue: queue.to_owned(),
            body: Payload {
                content_type: content_type.or_else(|| types.text(index)),
                bytes,
            },
            attributes,
            group: group(sessions.text(index)),
            attempt: attempt(&counts.at(index)),
            sent_at: times.time(index),
        });
    }
    Ok((messages, undecodable))
}

/// The sender's id; Service Bus does not demand one, but numbers every message.
fn id(id: Option<String>, number: Option<String>) -> Result<String> {
    id.or(number)
        .ok_or_else(|| refused("a message has neither an id nor a sequence number under which it could fail"))
}

fn attempt(count: &Value) -> u32 {
    let count = count.as_u64().unwrap_or(1).max(1);
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Properties by name; none if there are none.
fn object(properties: Value) -> Result<BTreeMap<String, Value>, Error> {
    match properties {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(fields) => Ok(fields.into_iter().collect()),
        _ => Err(refused("the message's application properties are no object")),
    }
}

fn group(session: Option<String>) -> Option<String> {
    session.as_deref().and_then(payload::group).map(str::to_owned)
}
