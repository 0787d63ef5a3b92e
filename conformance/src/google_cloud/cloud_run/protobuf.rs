//! A change of a document in protobuf, written field by field by the numbers of
//! [`data.proto`](https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto) and the
//! [encoding](https://protobuf.dev/programming-guides/encoding/), and not by the decoder's types, whose mistakes would be made twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

fn foreign(what: &'static str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        "firestore.event",
        "the document is not in Firestore's JSON",
    )
    .with("value", what)
}

/// `DocumentEventData`: `value` is 1, `old_value` is 2.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for what is no document in the JSON of Firestore's REST interface.
pub fn document_event_data(old: Option<&Value>, new: Option<&Value>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (number, told) in [(1, new), (2, old)] {
        if let Some(told) = told {
            delimited(&mut bytes, number, &document(told)?);
        }
    }
    Ok(bytes)
}

/// `Document`: `name` is 1, `fields` 2, `create_time` 3, `update_time` 4.
fn document(told: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    delimited(&mut bytes, 1, text(&told["name"])?.as_bytes());
    // A document without fields tells none.
    if let Some(told) = told.get("fields") {
        fields(&mut bytes, 2, told.as_object().ok_or_else(|| foreign("fields"))?)?;
    }
    for (number, name) in [(3, "createTime"), (4, "updateTime")] {
        delimited(&mut bytes, number, &timestamp(text(&told[name])?)?);
    }
    Ok(bytes)
}

/// A map: each entry is a message whose key is 1 and whose value is 2.
fn fields(bytes: &mut Vec<u8>, number: u64, fields: &Map<String, Value>) -> Result<()> {
    for (name, told) in fields {
        let mut entry = Vec::new();
        delimited(&mut entry, 1, name.as_bytes());
        delimited(&mut entry, 2, &value(told)?);
        delimited(bytes, number, &entry);
    }
    Ok(())
}

/// `Value`, of which one field is set, also if it is nought or empty.
fn value(told: &Value) -> Result<Vec<u8>> {
    let (kind, told) = told
        .as_object()
        .and_then(|fields| fields.iter().next())
        .ok_or_else(|| foreign("kind"))?;
    let mut bytes = Vec::new();
    match kind.as_str() {
        "booleanValue" => whole(
            &mut bytes,
            1,
            told.as_bool().ok_or_else(|| foreign("boolean"))?.into(),
        ),
        "integerValue" => {
            let number: i64 = text(told)?.parse().map_err(|_| foreign("integer"))?;
            // Negative numbers are written as their two's complement of 64 bits.
            whole(&mut bytes, 2, number.cast_unsigned());
        }
        "doubleValue" => {
            // What JSON has no number for is text.
            let number = match told.as_str() {
                Some(text) => text.parse().map_err(|_| foreign("double"))?,
                None => told.as_f64().ok_or_else(|| foreign("double"))?,
            };
            // Wire type 1: 64 bits.
            varint(&mut bytes, 3 << 3 | 1);
            bytes.extend(number.to_le_bytes());
        }
        "referenceValue" => delimited(&mut bytes, 5, text(told)?.as_bytes()),
        "bytesValue" => {
            let read = STANDARD.decode(text(told)?).map_err(|_| foreign("bytes"))?;
            delimited(&mut bytes, 18, &read);
        }
        "mapValue" => {
            let mut map = Vec::new();
            if let Some(told) = told.get("fields") {
                fields(&mut map, 1, told.as_object().ok_or_else(|| foreign("map"))?)?;
            }
            delimited(&mut bytes, 6, &map);
        }
        "arrayValue" => {
            let mut list = Vec::new();
            if let Some(told) = told.get("values") {
                for told in told.as_array().ok_or_else(|| foreign("list"))? {
                    delimited(&mut list, 1, &value(told)?);
                }
            }
            delimited(&mut bytes, 9, &list);
        }
        "timestampValue" => delimited(&mut bytes, 10, &timestamp(text(told)?)?),
        "nullValue" => whole(&mut bytes, 11, 0),
        "stringValue" => delimited(&mut bytes, 17, text(told)?.as_bytes()),
        _ => return Err(foreign("kind")),
    }
    Ok(bytes)
}

/// `google.protobuf.Timestamp`: seconds are 1, nanoseconds 2.
fn timestamp(told: &str) -> Result<Vec<u8>> {
    let at = DateTime::parse_from_rfc3339(told).map_err(|_| foreign("timestamp"))?;
    let mut bytes = Vec::new();
    whole(&mut bytes, 1, at.timestamp().cast_unsigned());
    whole(&mut bytes, 2, at.timestamp_subsec_nanos().into());
    Ok(bytes)
}

fn text(told: &Value) -> Result<&str> {
    told.as_str().ok_or_else(|| foreign("text"))
}

/// Wire type 0.
fn whole(bytes: &mut Vec<u8>, number: u64, value: u64) {
    varint(bytes, number << 3);
    varint(bytes, value);
}

/// Wire type 2: the length, and that many bytes.
fn delimited(bytes: &mut Vec<u8>, number: u64, content: &[u8]) {
    varint(bytes, number << 3 | 2);
    varint(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

/// Seven bits a byte, the lowest first; the highest bit says that there is more.
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}
