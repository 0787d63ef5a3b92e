//! Where a page ended, as text that only its own table and query take.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nephos_core::resource::table::{Key, TableSchema};
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reading {
    Query,
    Scan,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    reading: Reading,
    partition: String,
    sort: Option<String>,
}

/// The cursor behind the item of this key.
pub(super) fn write(reading: Reading, key: Key) -> String {
    let cursor = Cursor {
        reading,
        partition: key.partition,
        sort: key.sort,
    };
    // Two texts and a name have a JSON form.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
}

/// The key behind which to go on. `partition` is that of a query.
pub(super) fn read(
    operation: &'static str,
    reading: Reading,
    schema: &TableSchema,
    partition: Option<&str>,
    text: &str,
) -> Result<Key> {
    let cursor: Option<Cursor> = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok());
    match cursor {
        Some(cursor)
            if cursor.reading == reading
                && cursor.sort.is_some() == schema.sort.is_some()
                && !cursor.partition.is_empty()
                && cursor.sort.as_deref() != Some("")
                && partition.is_none_or(|partition| partition == cursor.partition) =>
        {
            Ok(Key {
                partition: cursor.partition,
                sort: cursor.sort,
            })
        }
        _ => Err(Error::new(
            ErrorKind::InvalidArgument,
            operation,
            "the cursor is not one of this query; pass what an earlier page of it returned as `next`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(sort: Option<&str>) -> TableSchema {
        TableSchema {
            key: "id".to_owned(),
            sort: sort.map(str::to_owned),
            ttl: None,
        }
    }

    #[test]
    fn a_cursor_is_taken_by_its_own_reading_only() {
        let sorted = schema(Some("sort"));
        let key = Key::sorted("p", "1");
        let text = write(Reading::Query, key.clone());
        let read =
            |reading, schema: &TableSchema, partition| read("table.query", reading, schema, partition, &text);
        assert_eq!(read(Reading::Query, &sorted, Some("p")).unwrap(), key);
        for wrong in [
            read(Reading::Query, &sorted, Some("q")),
            read(Reading::Scan, &sorted, None),
            read(Reading::Query, &schema(None), Some("p")),
        ] {
            assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "not a cursor", "💥", "eyJhIjoxfQ"] {
            let error = read("table.scan", Reading::Scan, &schema(None), None, text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }
}
