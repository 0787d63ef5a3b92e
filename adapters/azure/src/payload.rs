//! What a message, record or item looks like on Azure: the drivers write it, the decoders of events undo it. Pure.
//!
//! | service | body | media type | attributes |
//! |---|---|---|---|
//! | Storage queue | plain text, or a CloudEvent in JSON ([`to_text`]) | JSON objects and lists, and else plain text; of others in the CloudEvent | in the CloudEvent |
//! | Service Bus | the bytes | the message's own `content-type`, or the property [`CONTENT_TYPE`] | application properties ([`to_properties`]) |
//! | Event Hubs | the bytes | the property [`CONTENT_TYPE`] | application properties ([`to_properties`]) |
//! | Event Grid | a CloudEvent in JSON, as the core writes notifications | in it | in it |
//! | Cosmos DB | the item, and [`BOOKKEEPING`] | – | – |
//!
//! Programs without Nephos read and write all of it; what they write is never taken for ours by chance.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use nephos_core::event::cloudevents::{CloudEvent, QUEUE_MESSAGE, from_cloudevents, to_cloudevents};
use nephos_core::event::{ChangeKind, Data, Event, Message, Payload};
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The property of an event of Event Hubs, and of a message of Service Bus that was sent in a list, that holds the body's media type.
pub const CONTENT_TYPE: &str = "nephos-content-type";

/// The field of an item in Cosmos DB that holds what the driver keeps of it; not part of the item that programs see.
pub const BOOKKEEPING: &str = "_nephos";

/// What the session of a message begins with that is in no group: an ordered queue demands one of each message.
const UNGROUPED: &str = "nephos.ungrouped.";

/// What the names of all our properties begin with.
const OURS: &str = "nephos-";

/// The media type of text whose sender did not tell another.
const TEXT: &str = "text/plain; charset=utf-8";

const OPERATION: &str = "payload.decode";

/// What the driver of tables keeps in an item's [`BOOKKEEPING`], because the change feed tells an insertion from a change by nothing, and a removal not at all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bookkeeping {
    /// What the last write was: inserted or modified. Of what is removed the feed tells nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeKind>,
    /// The item's own `id`, where the container's is made of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
}

/// Writes a body with its attributes as a Storage queue carries it: text as it is where nothing else must be told, and everything else as a CloudEvent.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the message has no form as a CloudEvent.
pub fn to_text(body: &Payload, attributes: &BTreeMap<String, String>) -> Result<String> {
    if attributes.is_empty()
        && let Ok(text) = std::str::from_utf8(&body.bytes)
        && !text.is_empty()
        && text.chars().all(is_carried)
        && body.content_type.as_deref() == Some(bare_type(text))
        && !is_ours(text)
    {
        return Ok(text.to_owned());
    }
    let message = Message {
        id: uuid::Uuid::new_v4().to_string(),
        queue: String::from("-"),
        body: body.clone(),
        attributes: attributes.clone(),
        group: None,
        attempt: 1,
        sent_at: None,
    };
    let events = to_cloudevents(&Event::of(Data::Queue(vec![message])))?;
    let json = serde_json::to_string(&events.first()).map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            "payload.encode",
            "the message cannot be written as JSON",
        )
        .caused_by(error)
    })?;
    Ok(carried_json(&json))
}

/// Undoes [`to_text`]. What others sent comes as it is: JSON objects and lists as JSON, everything else as plain text, and what is no text as bytes.
///
/// # Errors
/// [`ErrorKind::Decode`] if it says that it is ours, and cannot be read.
pub fn from_text(text: Bytes) -> Result<(Payload, BTreeMap<String, String>)> {
    let Ok(read) = std::str::from_utf8(&text) else {
        return Ok((Payload::bytes(text), BTreeMap::new()));
    };
    if !is_ours(read) {
        let content_type = Some(bare_type(read).to_owned());
        return Ok((
            Payload {
                content_type,
                bytes: text,
            },
            BTreeMap::new(),
        ));
    }
    let damaged = || {
        Error::new(
            ErrorKind::Decode,
            OPERATION,
            "the message says that it is of Nephos, and cannot be read; it was changed on its way, or sent by a newer version of Nephos",
        )
    };
    let event: CloudEvent = serde_json::from_str(read).map_err(|error| damaged().caused_by(error))?;
    let Event {
        data, undecodable, ..
    } = from_cloudevents(vec![event]).map_err(|error| damaged().caused_by(error))?;
    if let Some(failure) = undecodable.into_iter().next() {
        return Err(damaged().caused_by(failure.error));
    }
    match data {
        Data::Queue(messages) => messages
            .into_iter()
            .next()
            .map(|message| (message.body, message.attributes))
            .ok_or_else(damaged),
        _ => Err(damaged()),
    }
}

/// Whether it is a CloudEvent of the type that messages of ours have.
fn is_ours(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        specversion: Cow<'a, str>,
        #[serde(borrow, rename = "type")]
        ty: Cow<'a, str>,
    }
    // Most messages are not, and are not read twice.
    text.trim_start().starts_with('{')
        && text.contains(QUEUE_MESSAGE)
        && serde_json::from_str::<Head<'_>>(text)
            .is_ok_and(|head| head.specversion.starts_with('1') && head.ty == QUEUE_MESSAGE)
}

/// The media type of a body that came without one.
#[must_use]
pub fn bare_type(text: &str) -> &'static str {
    if text.trim_start().starts_with(['{', '[']) {
        "application/json"
    } else {
        TEXT
    }
}

/// The application properties of an event of Event Hubs: the attributes, and the media type among them.
#[must_use]
pub fn to_properties(
    content_type: Option<&str>,
    attributes: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut properties: BTreeMap<String, String> = attributes
        .iter()
        .map(|(name, value)| (escape(name).into_owned(), value.clone()))
        .collect();
    if let Some(content_type) = content_type {
        properties.insert(CONTENT_TYPE.to_owned(), content_type.to_owned());
    }
    properties
}

/// Undoes [`to_properties`]. What others set is text here: numbers and truth values as JSON writes them.
#[must_use]
pub fn from_properties(properties: BTreeMap<String, Value>) -> (Option<String>, BTreeMap<String, String>) {
    let mut content_type = None;
    let mut attributes = BTreeMap::new();
    for (name, value) in properties {
        let Some(value) = property(value) else { continue };
        if name == CONTENT_TYPE {
            content_type = Some(value);
        } else {
            attributes.insert(unescape(name), value);
        }
    }
    (content_type, attributes)
}

/// A property as text; one that is null is none.
#[must_use]
pub fn property(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// A session for a message that is in no group: one of its own, so that it waits for no other.
#[must_use]
pub fn ungrouped() -> String {
    format!("{UNGROUPED}{}", uuid::Uuid::new_v4().simple())
}

/// The group that the sender set, of the session that the message has in an ordered queue.
#[must_use]
pub fn group(session: &str) -> Option<&str> {
    (!session.is_empty() && !session.starts_with(UNGROUPED)).then_some(session)
}

/// A sender's own attribute may be named like one of ours: it is told by a tilde.
fn escape(name: &str) -> Cow<'_, str> {
    if name.starts_with(OURS) || name.starts_with('~') {
        Cow::Owned(format!("~{name}"))
    } else {
        Cow::Borrowed(name)
    }
}

fn unescape(name: String) -> String {
    match name.strip_prefix('~') {
        Some(rest) => rest.to_owned(),
        None => name,
    }
}

/// Whether a Storage queue carries the character: its messages travel in XML 1.0, of whose carriage returns a reader makes line feeds.
fn is_carried(c: char) -> bool {
    matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// JSON with escapes for the characters that JSON allows and XML does not.
fn carried_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_carried(c) {
            text.push(c);
        } else {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    text
}

#[cfg(test)]
mod tests;
