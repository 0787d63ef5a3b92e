//! What an item of a table looks like in a container of Cosmos DB. Pure: the driver writes it, the change feed tells it, and deployment says where its key is.
//!
//! The item's attributes stand in the document under their own names, so that programs without Nephos read them, save those that the service itself needs
//! ([`RESERVED`]). Beside them stand
//!
//! | field | what |
//! |---|---|
//! | `id` | made of the sort key, or of the key where there is none |
//! | `ttl` | in how many seconds it expires, counted from the write |
//! | [`BOOKKEEPING`] | what the driver keeps: the last change, and what of the item has no place of its own ([`Kept`]) |

mod number;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::payload::{BOOKKEEPING, Bookkeeping};

/// Names that the service itself gives a meaning in a document (<https://learn.microsoft.com/azure/cosmos-db/resource-model#properties-of-an-item>), and ours. An item's own
/// attributes of these names are kept in [`BOOKKEEPING`].
pub const RESERVED: [&str; 9] = [
    "id",
    "ttl",
    "_rid",
    "_self",
    "_etag",
    "_attachments",
    "_ts",
    "_lsn",
    BOOKKEEPING,
];

/// The names of [`RESERVED`] that are never an item's own in a document.
pub(crate) const SYSTEM: [&str; 6] = ["_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"];

/// Where a container has to look for the partition key, if the table's key attribute is this. The attribute itself, unless the service needs its name.
#[must_use]
pub fn partition_path(key: &str) -> String {
    let mut path = String::new();
    for part in partition_parts(key) {
        let plain = part
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
        path.push('/');
        if plain {
            path.push_str(part);
        } else {
            // Of other signs than letters, digits and underscores is in quotes: <https://learn.microsoft.com/azure/cosmos-db/partitioning-overview>.
            path.push_str(&Value::from(part).to_string());
        }
    }
    path
}

/// The partition key in a query: `c["face_id"]`.
#[cfg(any(test, feature = "table"))]
pub(crate) fn partition_field(key: &str) -> String {
    partition_parts(key)
        .into_iter()
        .fold("c".to_owned(), |field, name| {
            format!("{field}[{}]", Value::from(name))
        })
}

/// Where the partition key is in a document.
fn partition_parts(key: &str) -> Vec<&str> {
    match key {
        "id" => vec![BOOKKEEPING, "id"],
        key if RESERVED.contains(&key) => vec![BOOKKEEPING, "own", key],
        key => vec![key],
    }
}

/// What stands in [`BOOKKEEPING`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// What every form of it has.
    #[serde(flatten)]
    pub known: Bookkeeping,
    /// The sort key, in the form that queries order by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// The item's own attributes of reserved names, save `id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own: BTreeMap<String, Value>,
    /// Numbers that the service would change, by their place in the item.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, String>,
}

/// Hides what an item's document has no place for: takes the attributes of reserved names out of `item`, and notes numbers that the service would change.
pub fn hide(item: &Value) -> (Map<String, Value>, Kept) {
    let mut numbers = BTreeMap::new();
    number::inexact(item, "", &mut numbers);
    let mut kept = Kept {
        numbers: numbers
            .into_iter()
            .map(|(path, number)| (path, number.to_string()))
            .collect(),
        ..Kept::default()
    };
    let mut fields = Map::new();
    for (name, value) in item.as_object().into_iter().flatten() {
        if name == "id" {
            kept.known.id = Some(value.clone());
        } else if RESERVED.contains(&name.as_str()) {
            kept.own.insert(name.clone(), value.clone());
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    (fields, kept)
}

/// The item of a document, and what was kept of it: `None` of an item that another program wrote, in which everything but the service's own is the item's. What was kept and
/// cannot be read is an error, as it is the item's own.
///
/// # Errors
/// `serde_json`'s, if what was kept was damaged or is of a newer version.
pub fn reveal(mut fields: Map<String, Value>) -> serde_json::Result<(Value, Option<Kept>)> {
    for name in SYSTEM {
        fields.remove(name);
    }
    let Some(kept) = fields.remove(BOOKKEEPING) else {
        return Ok((Value::Object(fields), None));
    };
    let kept: Kept = serde_json::from_value(kept)?;
    fields.remove("id");
    fields.remove("ttl");
    fields.extend(kept.known.id.clone().map(|id| ("id".to_owned(), id)));
    fields.extend(kept.own.clone());
    let mut item = Value::Object(fields);
    number::restore(&mut item, &kept.numbers);
    Ok((item, Some(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_key_is_the_attribute_unless_the_service_needs_its_name() {
        for (key, path, field) in [
            ("face_id", "/face_id", r#"c["face_id"]"#),
            ("face-id", "/\"face-id\"", r#"c["face-id"]"#),
            ("a\"b", "/\"a\\\"b\"", r#"c["a\"b"]"#),
            ("id", "/_nephos/id", r#"c["_nephos"]["id"]"#),
            ("ttl", "/_nephos/own/ttl", r#"c["_nephos"]["own"]["ttl"]"#),
        ] {
            assert_eq!(partition_path(key), path);
            assert_eq!(partition_field(key), field);
        }
    }
}
