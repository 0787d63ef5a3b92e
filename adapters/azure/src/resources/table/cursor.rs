//! Where a page ended, as text that only its own table and query take.
//!
//! A query goes on behind the last sort key, which holds whatever is written meanwhile. A scan goes on where the service says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nephos_core::resource::table::{Key, TableSchema};
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reading", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Cursor {
    Query { partition: String, sort: Option<String> },
    Scan { continuation: String },
}

impl Cursor {
    /// Behind the item of this key.
    pub(super) fn behind(key: Key) -> Self {
        Self::Query {
            partition: key.partition,
            sort: key.sort,
        }
    }

    pub(super) fn write(&self) -> String {
        // Texts and names have a JSON form.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn read(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// The key behind which a query of this partition goes on.
pub(super) fn behind(operation: &'static str, schema: &TableSchema, of: &str, text: &str) -> Result<Key> {
    match Cursor::read(text) {
        Some(Cursor::Query { partition, sort })
            if partition == of && sort.is_some() == schema.sort.is_some() && sort.as_deref() != Some("") =>
        {
            Ok(Key { partition, sort })
        }
        _ => Err(foreign(operation)),
    }
}

/// Where the service goes on with a scan.
pub(super) fn continuation(operation: &'static str, text: &str) -> Result<String> {
    match Cursor::read(text) {
        // It becomes a header.
        Some(Cursor::Scan { continuation })
            if !continuation.is_empty() && continuation.bytes().all(|byte| (b' '..=b'~').contains(&byte)) =>
        {
            Ok(continuation)
        }
        _ => Err(foreign(operation)),
    }
}

fn foreign(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        operation,
        "the cursor is not one of this query; pass what an earlier page of it returned as `next`",
    )
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
    fn a_cursor_is_taken_by_its_own_query_only() {
        let query = Cursor::behind(Key::sorted("p", "é 1")).write();
        assert_eq!(
            behind("table.query", &schema(Some("at")), "p", &query).unwrap(),
            Key::sorted("p", "é 1")
        );
        let scan = Cursor::Scan {
            continuation: "+RID:~x#RT:1".to_owned(),
        }
        .write();
        assert_eq!(continuation("table.scan", &scan).unwrap(), "+RID:~x#RT:1");
        for error in [
            behind("table.query", &schema(Some("at")), "q", &query).unwrap_err(),
            behind("table.query", &schema(None), "p", &query).unwrap_err(),
            behind("table.query", &schema(Some("at")), "p", &scan).unwrap_err(),
            continuation("table.scan", &query).unwrap_err(),
            continuation("table.scan", "💥").unwrap_err(),
            continuation(
                "table.scan",
                &Cursor::Scan {
                    continuation: "a\nb".to_owned(),
                }
                .write(),
            )
            .unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }
}
