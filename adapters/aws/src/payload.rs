//! What a message, notification or record looks like on AWS: the drivers write it, the decoders of events undo it. Pure.
//!
//! Queues and topics carry text and up to ten attributes, streams carry bytes. What fits is carried as it is, so that programs without Nephos read and
//! write it too; what does not fit is told by attributes whose names begin with `nephos-` ([`encode`]), in a stream by a first line ([`frame`]).

mod name;

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nephos_core::event::Payload;
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

pub use self::name::{item_name, stored_name};

/// The attribute that holds the body's media type. Without it the type is not known.
pub const CONTENT_TYPE: &str = "nephos-content-type";

/// The attribute that says that the body is [`BASE64`]. Without it the body is the text itself.
pub const ENCODING: &str = "nephos-encoding";

/// The one value of [`ENCODING`]. A body of no bytes, which AWS refuses, is `=` then.
pub const BASE64: &str = "base64";

/// Stands for a body of no bytes: padding alone is Base64 of nothing else.
const EMPTY: &str = "=";

/// The attribute that holds, as a JSON object, the attributes that cannot be written as such: by their name, their value, or their number.
pub const ATTRIBUTES: &str = "nephos-attributes";

/// The attribute that holds a notification's subject that SNS would refuse as one.
pub const SUBJECT: &str = "nephos-subject";

/// The attribute of a table's item that holds its version; not part of the item that programs see.
pub const VERSION: &str = "nephos-version";

/// What the names of all our attributes begin with.
const OURS: &str = "nephos-";

/// The most attributes of a message of SQS; SNS has no limit, but passes no more on to a queue:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
const MAX_ATTRIBUTES: usize = 10;

/// The longest name of an attribute, from the same page.
const MAX_NAME: usize = 256;

/// What the type of an attribute adds to a message's size, from the same page: name, type and value count.
const TYPE: &str = "String";

/// What the group of a message begins with that is in none: a FIFO queue demands one of each message.
const UNGROUPED: &str = "nephos.ungrouped.";

/// What a record of a stream begins with that is not its body alone.
const FRAME: &[u8] = b"nephos/1 ";

const OPERATION: &str = "payload.decode";

/// A message or notification as SQS and SNS carry it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wire {
    /// The body.
    pub body: String,
    /// The attributes, all of type `String`.
    pub attributes: BTreeMap<String, String>,
}

impl Wire {
    /// Its size as SQS and SNS count it, in bytes: the body, and each attribute's name, type and value.
    #[must_use]
    pub fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + TYPE.len() + value.len())
            .sum();
        self.body.len() + attributes
    }
}

/// A message or notification as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// The body.
    pub body: Payload,
    /// The attributes that the sender set.
    pub attributes: BTreeMap<String, String>,
    /// The subject, if it is told by [`SUBJECT`].
    pub subject: Option<String>,
}

/// Writes a body with its attributes as SQS and SNS can carry it: text as it is, everything else as Base64; attributes as they are, and in
/// [`ATTRIBUTES`] those that AWS would refuse. `subject` is what [`subject_fits`] refused.
#[must_use]
pub fn encode(body: &Payload, attributes: &BTreeMap<String, String>, subject: Option<&str>) -> Wire {
    let mut ours = BTreeMap::new();
    let mut mark = |name: &str, value: String| ours.insert(name.to_owned(), value);
    let text = match std::str::from_utf8(&body.bytes) {
        Ok("") => {
            mark(ENCODING, BASE64.to_owned());
            EMPTY.to_owned()
        }
        Ok(text) if is_carried(text) => text.to_owned(),
        _ => {
            mark(ENCODING, BASE64.to_owned());
            STANDARD.encode(&body.bytes)
        }
    };
    let mut rest: BTreeMap<Cow<'_, str>, &str> = BTreeMap::new();
    for (name, value) in [(CONTENT_TYPE, body.content_type.as_deref()), (SUBJECT, subject)] {
        match value {
            Some(value) if !value.is_empty() && is_carried(value) => {
                mark(name, value.to_owned());
            }
            // Only here may a name of ours be: the sender's own are told apart by what `escape` puts before them.
            Some(value) => {
                rest.insert(Cow::Borrowed(name), value);
            }
            None => {}
        }
    }
    let fits = |name: &str, value: &str| name_fits(name) && !value.is_empty() && is_carried(value);
    let all_fit = attributes.iter().all(|(name, value)| fits(name, value)) && rest.is_empty();
    let one_more = usize::from(!all_fit || ours.len() + attributes.len() > MAX_ATTRIBUTES);
    let mut places = MAX_ATTRIBUTES.saturating_sub(ours.len() + one_more);
    let mut native = BTreeMap::new();
    for (name, value) in attributes {
        if places > 0 && fits(name, value) {
            places -= 1;
            native.insert(name.clone(), value.clone());
        } else {
            rest.insert(escape(name), value);
        }
    }
    if !rest.is_empty() {
        ours.insert(ATTRIBUTES.to_owned(), to_carried_json(&rest));
    }
    native.extend(ours);
    Wire {
        body: text,
        attributes: native,
    }
}

/// Undoes [`encode`]. What others sent comes as it is, its media type not known.
///
/// # Errors
/// [`ErrorKind::Decode`] if one of our attributes does not hold what it should.
pub fn decode(wire: Wire) -> Result<Content> {
    let Wire { body, mut attributes } = wire;
    let damaged = |attribute: &'static str| {
        Error::new(
            ErrorKind::Decode,
            OPERATION,
            "the message is not as its attributes say; it was changed on its way, or sent by a newer version of Nephos",
        )
        .with("attribute", attribute)
    };
    let bytes = match attributes.remove(ENCODING).as_deref() {
        None => Bytes::from(body),
        Some(BASE64) if body == EMPTY => Bytes::new(),
        Some(BASE64) => STANDARD
            .decode(body)
            .map_err(|error| damaged(ENCODING).caused_by(error))?
            .into(),
        Some(_) => return Err(damaged(ENCODING)),
    };
    let mut content_type = attributes.remove(CONTENT_TYPE);
    let mut subject = attributes.remove(SUBJECT);
    if let Some(rest) = attributes.remove(ATTRIBUTES) {
        let rest: BTreeMap<String, String> =
            serde_json::from_str(&rest).map_err(|error| damaged(ATTRIBUTES).caused_by(error))?;
        for (name, value) in rest {
            match name.as_str() {
                CONTENT_TYPE => content_type = Some(value),
                SUBJECT => subject = Some(value),
                _ => {
                    attributes.insert(unescape(name), value);
                }
            }
        }
    }
    Ok(Content {
        body: Payload { content_type, bytes },
        attributes,
        subject,
    })
}

/// Whether SNS takes it as a subject: up to 100 printable ASCII characters, none of them a space at the beginning:
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
#[must_use]
pub fn subject_fits(subject: &str) -> bool {
    (1..=100).contains(&subject.len())
        && subject.chars().all(|c| matches!(c, ' '..='~'))
        && !subject.starts_with(' ')
        && !subject.ends_with(' ')
}

/// A group for a message that is in none: one of its own, so that it waits for no other.
#[must_use]
pub fn ungrouped() -> String {
    format!("{UNGROUPED}{}", uuid::Uuid::new_v4().simple())
}

/// The group that the sender set, of the one that the message has in a FIFO queue.
#[must_use]
pub fn group(group: &str) -> Option<&str> {
    (!group.starts_with(UNGROUPED)).then_some(group)
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Head<'a> {
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    content_type: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

/// Writes a record as Kinesis carries it. JSON objects and arrays, and bytes of no stated type, are the body alone; everything else has a first line before it:
/// `nephos/1 {"content_type":"text/plain"}`.
#[must_use]
pub fn frame(body: &Payload, attributes: &BTreeMap<String, String>) -> Bytes {
    if attributes.is_empty() && !body.bytes.starts_with(FRAME) && !body.bytes.is_empty() {
        let plain = bare_type(&body.bytes);
        if body.content_type.as_deref() == plain {
            return body.bytes.clone();
        }
    }
    let head = Head {
        content_type: body.content_type.as_deref().map(Cow::Borrowed),
        attributes: attributes.clone(),
    };
    // Text by text has a JSON form.
    let head = serde_json::to_vec(&head).unwrap_or_default();
    [FRAME, &head, b"\n", &body.bytes].concat().into()
}

/// Undoes [`frame`]: the body and its attributes. Of what others appended, an object or array is taken for JSON.
///
/// # Errors
/// [`ErrorKind::Decode`] if the first line begins as ours does, but is another.
pub fn unframe(data: Bytes) -> Result<(Payload, BTreeMap<String, String>)> {
    let Some(rest) = data.strip_prefix(FRAME) else {
        let content_type = bare_type(&data).map(str::to_owned);
        return Ok((
            Payload {
                content_type,
                bytes: data,
            },
            BTreeMap::new(),
        ));
    };
    let damaged = || {
        Error::new(
            ErrorKind::Decode,
            OPERATION,
            "the record's first line cannot be read; it was appended by a newer version of Nephos, or damaged",
        )
    };
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let head: Head<'_> = serde_json::from_slice(&rest[..end]).map_err(|error| damaged().caused_by(error))?;
    let payload = Payload {
        content_type: head.content_type.map(Cow::into_owned),
        bytes: data.slice(FRAME.len() + end + 1..),
    };
    Ok((payload, head.attributes))
}

/// The media type of a record that is its body alone.
fn bare_type(bytes: &[u8]) -> Option<&'static str> {
    matches!(bytes.first(), Some(b'{' | b'[')).then_some("application/json")
}

/// Whether SQS and SNS carry the text: the characters of XML 1.0, all others are refused, and of a carriage return XML makes a line feed:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn is_carried(text: &str) -> bool {
    text.chars().all(is_carried_char)
}

fn is_carried_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Whether an attribute may have this name, and it is none of ours.
fn name_fits(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        && !(name.starts_with('.') || name.ends_with('.') || name.contains(".."))
        && !(lower.starts_with("aws.") || lower.starts_with("amazon.") || lower.starts_with(OURS))
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

/// JSON of which no character is refused: those that JSON allows, but not SQS, are escaped.
fn to_carried_json(value: &BTreeMap<Cow<'_, str>, &str>) -> String {
    // Text by text has a JSON form.
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_carried_char(c) {
            text.push(c);
        } else {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    text
}

#[cfg(test)]
mod tests;
