//! Items of tables: what is read is written as the same to the last digit, and an item's key is what its attributes say.

use nephos_core::ErrorKind;
use nephos_core::resource::table::{Page, Query, Stored, TableSchema, Write};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An item and the table that is to take it.
#[derive(Debug, Deserialize)]
struct Put {
    schema: TableSchema,
    item: Value,
}

/// Reads `data` as JSON of each form in which items and queries travel.
pub fn check(data: &[u8]) {
    if let Ok(Put { schema, item }) = serde_json::from_slice(data) {
        put(&schema, &item);
        both_ways::<TableSchema>(
            serde_json::to_string(&schema)
                .expect("texts have a JSON form")
                .as_bytes(),
        );
    }
    both_ways::<Value>(data);
    both_ways::<Vec<Write>>(data);
    both_ways::<Stored<Value>>(data);
    both_ways::<Page<Value>>(data);
    both_ways::<Query>(data);
}

fn put(schema: &TableSchema, item: &Value) {
    let text = |name: &str| {
        item.get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    match schema.key_of(item) {
        Ok(key) => {
            assert_eq!(Some(key.partition.as_str()), text(&schema.key));
            assert_eq!(key.sort.as_deref(), schema.sort.as_deref().and_then(text));
            assert_eq!(key.sort.is_some(), schema.sort.is_some());
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            let missing = text(&schema.key).is_none()
                || schema.sort.as_deref().is_some_and(|sort| text(sort).is_none());
            assert!(missing, "{error}: {item}");
        }
    }
    let ttl = schema
        .ttl
        .as_deref()
        .and_then(|ttl| item.get(ttl))
        .filter(|value| !value.is_null());
    match schema.expiry_of(item) {
        Ok(expiry) => assert_eq!(expiry, ttl.and_then(Value::as_i64)),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
            assert!(ttl.is_some_and(|ttl| ttl.as_i64().is_none()), "{error}: {item}");
        }
    }
}

/// Reads `T`, writes it, reads that, and compares; twice, as a form that only settles later is none.
fn both_ways<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(json: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(json) else {
        return;
    };
    let written = serde_json::to_vec(&read).expect("a table's type has a JSON form");
    let again: T = serde_json::from_slice(&written).expect("our own JSON is read");
    assert_eq!(again, read);
    assert_eq!(
        serde_json::to_vec(&again).expect("it was written before"),
        written
    );
}
