//! Changes of Cosmos DB: <https://learn.microsoft.com/azure/azure-functions/functions-bindings-cosmosdb-v2-trigger>.
//!
//! The change feed tells the latest state of each item that was written: not the one before, not whether the item is new, and nothing of a removal. What a write of
//! ours was stands in the item's [`BOOKKEEPING`](crate::payload::BOOKKEEPING), which programs do not see; a write of others is a modification.

use std::collections::BTreeSet;

use chrono::DateTime;
use nephos_core::event::{Attributes, Change, ChangeKind, Data};
use nephos_core::resource::table::Key;
use nephos_core::wiring::{TableKeys, Wiring};
use nephos_core::{Error, ErrorKind, Event, Result};
use serde_json::{Map, Value};

use super::wrapped::{Content, Invocation, refused};
use crate::document;
use crate::payload::BOOKKEEPING;

/// `wanted` are the kinds of change that the trigger names: the feed cannot be filtered before it comes here.
pub(super) fn decode(
    table: &str,
    wanted: &BTreeSet<ChangeKind>,
    wiring: &Wiring,
    invocation: &Invocation<'_>,
) -> Result<Event> {
    let keys = wiring.keys_of(table).ok_or_else(|| {
        refused(
            "the function's package does not tell the key attributes of the table; deploy the function again",
        )
        .with("table", table)
    })?;
    let content = Content::read(invocation.value)?.into_bytes();
    let items: Vec<Value> = serde_json::from_slice(&content)
        .map_err(|error| super::malformed("the trigger's value is not a list of items", error))?;
    let (mut changes, mut undecodable) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        let Value::Object(item) = item else {
            return Err(refused("a changed item is no object"));
        };
        let sequence = sequence(&item)?;
        match change(table, &sequence, &keys, item) {
            Ok(change) if wanted.contains(&change.kind) => changes.push(change),
            Ok(_) => {}
            Err(error) => undecodable.push(super::failure(&sequence, error)),
        }
    }
    let data = Data::Table(changes);
    Ok(super::event(Attributes::of(&data), data, [], undecodable))
}

/// The feed's number of the write, which several items share that were written at once, and which item it is.
fn sequence(item: &Map<String, Value>) -> Result<String> {
    let text = |name: &str| match item.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let write = text("_lsn").or_else(|| text("_etag"));
    let which = text("_rid").or_else(|| text("id"));
    match (write, which) {
        (Some(write), Some(which)) => Ok([&write, "/", &which].concat()),
        _ => Err(refused(
            "a changed item does not tell its place in the change feed (`_lsn` or `_etag`, and `_rid` or `id`)",
        )),
    }
}

fn change(table: &str, sequence: &str, keys: &TableKeys, item: Map<String, Value>) -> Result<Change<Value>> {
    let at = item
        .get("_ts")
        .and_then(Value::as_i64)
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let (item, kept) = document::reveal(item).map_err(|error| {
        super::malformed(
            "what the driver keeps of the item was damaged, or is of a newer version",
            error,
        )
        .with("field", BOOKKEEPING)
    })?;
    // The document's own `id` is made of the key: only the item has the key itself.
    let key = Key {
        partition: key_text(&item, &keys.key)?,
        sort: keys
            .sort
            .as_deref()
            .map(|name| key_text(&item, name))
            .transpose()?,
    };
    let kind = kept
        .and_then(|kept| kept.known.change)
        .unwrap_or(ChangeKind::Modified);
    Ok(Change {
        sequence: sequence.to_owned(),
        table: table.to_owned(),
        kind,
        key,
        old: None,
        new: (kind != ChangeKind::Removed).then_some(item),
        at,
    })
}

/// The text of a key attribute; of items that others wrote a number too.
fn key_text(item: &Value, name: &str) -> Result<String> {
    match item.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(Error::new(
            ErrorKind::Decode,
            super::DECODE,
            "the changed item has no key of text or number",
        )
        .with("attribute", name)),
    }
}
