//! Where a page ends: JSON that names the table and the partition, so that one of something else is told from it.

use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Where a page ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    /// The table's key in Redis.
    pub(super) table: String,
    /// The partition of a query; none of a scan.
    pub(super) partition: Option<String>,
    /// The id of the page's last item.
    pub(super) after: String,
}

impl Cursor {
    /// The cursor as callers have it.
    pub(super) fn text(&self) -> String {
        // Keys are text: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The cursor again, of this table and partition.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is of something else.
    pub(super) fn read(text: &str, table: &str, partition: Option<&str>) -> Result<Self> {
        let cursor: Option<Self> = serde_json::from_str(text).ok();
        cursor
            .filter(|cursor| cursor.table == table && cursor.partition.as_deref() == partition)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    "table.query",
                    "the cursor is not of this query; begin again without one",
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_query_only() {
        let cursor = Cursor {
            table: "t".to_owned(),
            partition: Some("p".to_owned()),
            after: "1:p:\"é\"".to_owned(),
        };
        let text = cursor.text();
        assert_eq!(Cursor::read(&text, "t", Some("p")).unwrap(), cursor);
        for (table, partition) in [("u", Some("p")), ("t", Some("q")), ("t", None)] {
            let error = Cursor::read(&text, table, partition).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{table} {partition:?}");
        }
    }
}
