//! Changes of DynamoDB: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html>.

use std::borrow::Cow;

use nephos_core::event::{Change, ChangeKind, Data, RecordFailure};
use nephos_core::resource::table::Key;
use nephos_core::{Error, ErrorKind, Event, Result};
use serde::Deserialize;
use serde_json::Value;

use super::text::Text;
use super::time::seconds;
use super::wiring::TableKeys;
use super::{Wiring, records};
use crate::payload::VERSION;

mod value;

use self::value::{Fields, KeyText};

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, rename = "eventName")]
    name: Cow<'a, str>,
    #[serde(borrow, rename = "eventSourceARN")]
    source: Cow<'a, str>,
    #[serde(default, borrow, rename = "awsRegion")]
    region: Text<'a>,
    #[serde(borrow)]
    dynamodb: StreamRecord<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRecord<'a> {
    keys: Entries,
    #[serde(default)]
    old_image: Option<Fields>,
    #[serde(default)]
    new_image: Option<Fields>,
    sequence_number: String,
    #[serde(default)]
    approximate_creation_date_time: Option<f64>,
    #[serde(default, borrow)]
    stream_view_type: Text<'a>,
}

/// Attributes by name, in the order of the document.
struct Entries(Vec<(String, KeyText)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("attributes by name")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

pub(super) fn decode(document: &str, wiring: &Wiring) -> Result<Event> {
    let mut facts = None;
    let (changes, undecodable) = records::read(
        document,
        |record| record.get("dynamodb")?.get("SequenceNumber")?.as_str(),
        |record: Record<'_>| {
            if facts.is_none() {
                let view = record.dynamodb.stream_view_type.as_deref();
                facts = Some([
                    ("awsregion", record.region.as_deref().map(str::to_owned)),
                    ("awsview", view.map(str::to_owned)),
                ]);
            }
            change(record, wiring)
        },
    )?;
    Ok(records::event(Data::Table(changes), facts, undecodable))
}

fn change(record: Record<'_>, wiring: &Wiring) -> std::result::Result<Change<Value>, RecordFailure> {
    let StreamRecord {
        keys,
        old_image,
        new_image,
        sequence_number: sequence,
        approximate_creation_date_time,
        ..
    } = record.dynamodb;
    if sequence.is_empty() {
        return Err(records::failure("", records::without_id()));
    }
    let kind = match &*record.name {
        "INSERT" => ChangeKind::Inserted,
        "MODIFY" => ChangeKind::Modified,
        "REMOVE" => ChangeKind::Removed,
        other => {
            let error = Error::new(
                ErrorKind::Decode,
                super::DECODE,
                "the change is of a kind that DynamoDB does not document",
            )
            .with("event_name", other);
            return Err(records::failure(&sequence, error));
        }
    };
    // `arn:aws:dynamodb:eu-west-1:123456789012:table/faces-1X2Y/stream/2026-01-01T00:00:00.000`
    let arn = record
        .source
        .split_once("/stream/")
        .map_or(&*record.source, |(table, _)| table);
    let table = wiring.source(arn).to_owned();
    let key = key(keys, wiring.keys.get(&table)).map_err(|error| records::failure(&sequence, error))?;
    let item = |image: Option<Fields>| {
        image.map(|Fields(mut fields)| {
            // The driver's own, which programs do not see.
            fields.remove(VERSION);
            Value::Object(fields)
        })
    };
    Ok(Change {
        sequence,
        table,
        kind,
        key,
        old: item(old_image),
        new: item(new_image),
        at: approximate_creation_date_time.and_then(seconds),
    })
}

/// The key in the order of the table's schema; of a table that deployment did not describe, in that of the document.
fn key(keys: Entries, schema: Option<&TableKeys>) -> Result<Key> {
    let mut entries = keys.0;
    if let Some(schema) = schema {
        entries.sort_by_key(|(name, _)| *name != schema.key);
    }
    let mut texts = entries.into_iter().map(|(_, KeyText(text))| text);
    let partition = texts.next().flatten();
    let sort = texts.next();
    match (partition, sort) {
        (Some(partition), None) => Ok(Key::new(partition)),
        (Some(partition), Some(Some(sort))) => Ok(Key::sorted(partition, sort)),
        _ => Err(Error::new(
            ErrorKind::Decode,
            super::DECODE,
            "the change has no key of text, number or bytes",
        )),
    }
}
