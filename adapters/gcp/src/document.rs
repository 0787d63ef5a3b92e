//! Items of tables as documents of Firestore, in the JSON of its REST interface: the driver of tables writes it, the decoder of changes undoes it. Pure.
//! <https://cloud.google.com/firestore/docs/reference/rest/v1/Value>
//!
//! | in an item | in a document |
//! |---|---|
//! | null, truth values, text, lists, objects | the same |
//! | whole numbers of 64 bits | `integerValue` |
//! | other numbers | `doubleValue` |
//! | whole numbers beyond it | a map with the number as text in [`NUMBER`] |
//! | a list in a list, which Firestore does not take | a map with it in [`LIST`] |
//! | what is nested deeper than Firestore takes | a map with it as text of JSON in [`JSON`] |
//! | a name that is empty or reserved, or begins with `~` or as ours | with `~` before it |
//!
//! Programs without Nephos read and write all of it. Of what they alone write, moments, references and bytes come as text, and places as objects.

use std::borrow::Cow;

use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Number, Value, json};

/// The field that orders documents by their keys, see [`index`].
pub const KEY: &str = "_nephos_key";

/// The field that is another one after each write: without it, a document that is written again as it was would keep its version.
pub const VERSION: &str = "_nephos_version";

/// The field that holds when the item expires, as the moment that Firestore's [time to live](https://cloud.google.com/firestore/docs/ttl) wants.
pub const EXPIRES: &str = "_nephos_expires";

/// What the names of all our fields begin with.
const OURS: &str = "_nephos_";

/// In a map by itself: a number, as text.
pub const NUMBER: &str = "~number";
/// In a map by itself: a list.
pub const LIST: &str = "~list";
/// In a map by itself: a value, as text of JSON.
pub const JSON: &str = "~json";

/// How deep maps and lists are nested, of the [20](https://cloud.google.com/firestore/quotas#limits) that Firestore takes: what is at the end takes two more.
const DEEPEST: usize = 17;

const OPERATION: &str = "table.decode";

/// An item's fields.
#[must_use]
pub fn to_fields(item: &Map<String, Value>) -> Map<String, Value> {
    fields(item, 1)
}

fn fields(item: &Map<String, Value>, depth: usize) -> Map<String, Value> {
    item.iter()
        .map(|(name, value)| (escape(name).into_owned(), to_value(value, depth, false)))
        .collect()
}

/// A map of one field.
fn alone(name: &str, value: Value) -> Value {
    let fields = Map::from_iter([(name.to_owned(), value)]);
    json!({"mapValue": {"fields": fields}})
}

fn to_value(value: &Value, depth: usize, in_list: bool) -> Value {
    match value {
        Value::Null => json!({"nullValue": null}),
        Value::Bool(is) => json!({"booleanValue": is}),
        Value::Number(number) => to_number(number),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(_) | Value::Object(_) if depth >= DEEPEST => {
            alone(JSON, json!({"stringValue": value.to_string()}))
        }
        Value::Array(list) => {
            // A map around it is one more.
            let inner = depth + 1 + usize::from(in_list);
            let values: Vec<Value> = list.iter().map(|value| to_value(value, inner, true)).collect();
            let list = json!({"arrayValue": {"values": values}});
            if in_list { alone(LIST, list) } else { list }
        }
        Value::Object(item) => json!({"mapValue": {"fields": fields(item, depth + 1)}}),
    }
}

fn to_number(number: &Number) -> Value {
    if let Some(whole) = number.as_i64() {
        return json!({"integerValue": whole.to_string()});
    }
    match number.as_f64() {
        Some(float) if number.is_f64() => json!({"doubleValue": float}),
        _ => alone(NUMBER, json!({"stringValue": number.to_string()})),
    }
}

/// The item that a document's fields are, without ours.
///
/// # Errors
/// [`ErrorKind::Decode`] if they are none of Firestore.
pub fn from_fields(fields: &Map<String, Value>) -> Result<Map<String, Value>> {
    fields
        .iter()
        .filter(|(name, _)| !is_ours(name))
        .map(|(name, value)| Ok((unescape(name).to_owned(), from_value(value)?)))
        .collect()
}

/// Whether a field is none of the item's.
pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with(OURS)
}

fn damaged(what: &'static str) -> Error {
    Error::new(
        ErrorKind::Decode,
        OPERATION,
        "the document is not one of Firestore, or was written by a newer version of Nephos",
    )
    .with("value", what)
}

fn from_value(value: &Value) -> Result<Value> {
    let (kind, value) = value
        .as_object()
        .and_then(|fields| fields.iter().next())
        .ok_or_else(|| damaged("it has no kind"))?;
    Ok(match kind.as_str() {
        "nullValue" => Value::Null,
        "booleanValue" | "stringValue" | "timestampValue" | "bytesValue" | "referenceValue"
        | "geoPointValue" => value.clone(),
        "integerValue" => {
            let whole = match value {
                Value::String(text) => text.parse().ok(),
                other => other.as_i64(),
            };
            Value::from(whole.ok_or_else(|| damaged(NUMBER_TOLD))?)
        }
        "doubleValue" => match value {
            // Not a number, and infinities, which JSON has not.
            Value::String(text) => text
                .parse()
                .ok()
                .and_then(Number::from_f64)
                .map_or_else(|| value.clone(), Value::Number),
            other => other
                .as_f64()
                .and_then(Number::from_f64)
                .map(Value::Number)
                .ok_or_else(|| damaged(NUMBER_TOLD))?,
        },
        "arrayValue" => {
            let values = value.get("values").and_then(Value::as_array);
            Value::Array(
                values
                    .into_iter()
                    .flatten()
                    .map(from_value)
                    .collect::<Result<_>>()?,
            )
        }
        "mapValue" => match value.get("fields").and_then(Value::as_object) {
            None => Value::Object(Map::new()),
            Some(fields) => from_map(fields)?,
        },
        _ => return Err(damaged("its kind is not known")),
    })
}

const NUMBER_TOLD: &str = "it is no number";

fn from_map(fields: &Map<String, Value>) -> Result<Value> {
    let mut all = fields.iter();
    if let (Some((name, value)), None) = (all.next(), all.next()) {
        let text = value.get("stringValue").and_then(Value::as_str);
        if name == LIST {
            return from_value(value);
        }
        if let Some(read) = text.and_then(|text| from_text(name, text)) {
            return read;
        }
    }
    fields
        .iter()
        .map(|(name, value)| Ok((unescape(name).to_owned(), from_value(value)?)))
        .collect::<Result<_>>()
        .map(Value::Object)
}

/// The value that is written as text in a map by itself, if the map's one field has this name.
pub(crate) fn from_text(name: &str, text: &str) -> Option<Result<Value>> {
    matches!(name, NUMBER | JSON).then(|| serde_json::from_str(text).map_err(|_| damaged("it is no JSON")))
}

/// Names of Firestore's own begin and end with two underscores: <https://cloud.google.com/firestore/quotas#limits>
fn is_reserved(name: &str) -> bool {
    name.len() >= 4 && name.starts_with("__") && name.ends_with("__")
}

fn escape(name: &str) -> Cow<'_, str> {
    if name.is_empty() || name.starts_with('~') || name.starts_with(OURS) || is_reserved(name) {
        Cow::Owned(format!("~{name}"))
    } else {
        Cow::Borrowed(name)
    }
}

pub(crate) fn unescape(name: &str) -> &str {
    name.strip_prefix('~').unwrap_or(name)
}

/// What orders a partition's documents by their sort keys, and tells partitions apart: `5:alice2026-01-01`. Firestore keeps an index of each field by itself, in both directions, so
/// that no other has to be made.
#[must_use]
pub fn index(partition: &str, sort: &str) -> String {
    format!("{}:{partition}{sort}", partition.len())
}

/// The name of a document within its collection, by its key: `alice|2026-01-01`. What a name cannot hold is escaped with a percent sign, and a name that would be too long is a
/// sum of the key. <https://cloud.google.com/firestore/quotas#limits>
#[must_use]
pub fn document_id(partition: &str, sort: Option<&str>) -> String {
    const LONGEST: usize = 1_500;
    let mut id = escape_id(partition);
    if let Some(sort) = sort {
        id.push('|');
        id.push_str(&escape_id(sort));
    }
    if id.len() + 2 > LONGEST {
        use sha2::Digest as _;
        let sum = sha2::Sha256::digest(id.as_bytes());
        return sum.iter().fold("%h".to_owned(), |mut text, byte| {
            use std::fmt::Write as _;
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
    }
    if id == "." || id == ".." || is_reserved(&id) {
        return format!("%.{id}");
    }
    id
}

fn escape_id(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '/' => escaped.push_str("%2F"),
            '%' => escaped.push_str("%25"),
            '|' => escaped.push_str("%7C"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
