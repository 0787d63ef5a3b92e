//! Changes of documents of Firestore, by Eventarc: <https://cloud.google.com/firestore/docs/extend-with-functions-2nd-gen>. The data are
//! [`DocumentEventData`](https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto), in protobuf, or in JSON, as an emulator may send them.
//!
//! Which change it is, the data tell: without an item before it is an insertion, without one after a removal. An event's id is the change's place: it is unique, and the same on each
//! delivery. Eventarc promises no order.

mod proto;

use std::collections::BTreeSet;

use nephos_core::event::{Attributes, Change, ChangeKind, Data, RecordFailure};
use nephos_core::resource::table::Key;
use nephos_core::wiring::{TableKeys, Wiring};
use nephos_core::{Error, ErrorKind, Event, Result};
use prost::Message as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::asynchronous::{Read, event};
use super::cloudevent::Received;
use super::{malformed, refused};
use crate::document;

const TYPES: &str = "google.cloud.firestore.document.v1.";

/// The change in Firestore's JSON.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InJson {
    #[serde(default)]
    value: Option<Document>,
    #[serde(default)]
    old_value: Option<Document>,
}

#[derive(Deserialize)]
struct Document {
    /// Each has one, also without fields: what has none is no document.
    name: String,
    #[serde(default)]
    fields: Map<String, Value>,
}

/// An item, or why it is none.
type Item = Result<Map<String, Value>>;

/// The items before and after.
struct Told {
    old: Option<Item>,
    new: Option<Item>,
}

/// `wanted` are the kinds of change that the trigger names: Eventarc filters by one of them, or all.
pub(super) fn decode(
    table: &str,
    wanted: &BTreeSet<ChangeKind>,
    wiring: &Wiring,
    received: Received<'_>,
) -> Result<Read> {
    if !received.attributes.ty.starts_with(TYPES) {
        return Ok(received.into_raw().into());
    }
    let keys = wiring.keys_of(table).ok_or_else(|| {
        refused("what deployment told of the function does not hold the key attributes of the table; deploy the function again")
            .with("table", table)
    })?;
    let told = read(&received)?;
    let kind = match (&told.old, &told.new) {
        (None, Some(_)) => ChangeKind::Inserted,
        (Some(_), Some(_)) => ChangeKind::Modified,
        (Some(_), None) => ChangeKind::Removed,
        (None, None) => return Err(refused("the event holds no document, neither before nor after")),
    };
    if !wanted.contains(&kind) {
        return Ok(Read::Unwanted);
    }
    let document = received.extension("document").or_else(|| received.subject());
    let known = received.attributes;
    let facts = [
        ("gcpevent", Some(known.ty.into_owned())),
        ("gcpsource", Some(known.source.into_owned())),
        ("gcpdocument", document),
    ];
    let (changes, undecodable) = match change(&keys, told) {
        Ok((key, old, new)) => {
            let change = Change {
                sequence: known.id.clone(),
                table: table.to_owned(),
                kind,
                key,
                old,
                new,
                at: known.time,
            };
            (vec![change], Vec::new())
        }
        Err(error) => {
            let failure = RecordFailure {
                id: known.id.clone(),
                error,
            };
            (Vec::new(), vec![failure])
        }
    };
    let data = Data::Table(changes);
    let attributes = Attributes::known(&data, Some(known.id), known.time);
    let mut read: Event = event(attributes, data, facts);
    read.attributes.source = ["table/", table].concat().into();
    read.undecodable = undecodable;
    Ok(read.into())
}

fn read(received: &Received<'_>) -> Result<Told> {
    let content_type = received.raw.content_type.as_deref().unwrap_or_default();
    if content_type.contains("json") {
        // A list could else be taken for the fields in their order.
        let told: InJson = serde_json::from_slice::<Map<String, Value>>(&received.raw.bytes)
            .and_then(|told| serde_json::from_value(Value::Object(told)))
            .map_err(|error| malformed("the event's data are not a change of a document", error))?;
        let item = |document: Document| -> Result<Item> {
            named(&document.name)?;
            Ok(document::from_fields(&document.fields))
        };
        return Ok(Told {
            old: told.old_value.map(item).transpose()?,
            new: told.value.map(item).transpose()?,
        });
    }
    let told = proto::DocumentEventData::decode(received.raw.bytes.clone())
        .map_err(|error| refused("the event's data are not a change of a document").caused_by(error))?;
    let item = |document: proto::Document| -> Result<Item> {
        named(&document.name)?;
        Ok(proto::item(document.fields))
    };
    Ok(Told {
        old: told.old_value.map(item).transpose()?,
        new: told.value.map(item).transpose()?,
    })
}

fn named(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(refused("the event holds a document without a name"));
    }
    Ok(())
}

type Items = (Key, Option<Value>, Option<Value>);

fn change(keys: &TableKeys, told: Told) -> Result<Items> {
    let (old, new) = (told.old.transpose()?, told.new.transpose()?);
    let known = new.as_ref().or(old.as_ref());
    let text = |name: &str| match known.and_then(|item| item.get(name)) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(Error::new(
            ErrorKind::Decode,
            super::DECODE,
            "the changed item has no key of text or number",
        )
        .with("attribute", name)),
    };
    let key = Key {
        partition: text(&keys.key)?,
        sort: keys.sort.as_deref().map(text).transpose()?,
    };
    Ok((key, old.map(Value::Object), new.map(Value::Object)))
}
