//! What an item looks like in a container.
//!
//! The item's attributes stand in the document under their own names, so that programs without Nephos read them, save those that the service itself needs
//! ([`RESERVED`]). Beside them stand
//!
//! | field | what |
//! |---|---|
//! | `id` | made of the sort key, or of the key where there is none: [`id_of`] |
//! | `ttl` | in how many seconds it expires, counted from the write |
//! | [`BOOKKEEPING`] | what the driver keeps: the last change, and what of the item has no place of its own |

use std::collections::BTreeMap;

use chrono::Utc;
use nephos_core::event::ChangeKind;
use nephos_core::resource::table::{Key, Stored, TableSchema, Version};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::number;
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
const SYSTEM: [&str; 6] = ["_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"];

/// How long an id is at most; one that would be longer is a hash.
const MAX_ID: usize = 255;

/// What separates an expiry from the service's own tag in a [`Version`].
const SEPARATOR: char = '|';

/// Where a container has to look for the partition key, if the table's key attribute is this. The attribute itself, unless the service needs its name.
#[must_use]
pub fn partition_path(key: &str) -> String {
    let parts: &[&str] = match key {
        "id" => &[BOOKKEEPING, "id"],
        key if RESERVED.contains(&key) => &[BOOKKEEPING, "own", key],
        key => &[key],
    };
    let mut path = String::new();
    for part in parts {
        let plain = part
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
        path.push('/');
        if plain {
            path.push_str(part);
        } else {
            // Of other signs than letters, digits and underscores is in quotes: <https://learn.microsoft.com/azure/cosmos-db/partitioning-overview>.
            path.push_str(&Value::from(*part).to_string());
        }
    }
    path
}

/// The partition key in a query: `c["face_id"]`.
pub(super) fn partition_field(key: &str) -> String {
    let names: &[&str] = match key {
        "id" => &[BOOKKEEPING, "id"],
        key if RESERVED.contains(&key) => &[BOOKKEEPING, "own", key],
        key => &[key],
    };
    names.iter().fold("c".to_owned(), |field, name| {
        format!("{field}[{}]", Value::from(*name))
    })
}

/// The sort key in a query, in the form of [`sortable`].
pub(super) fn sort_field() -> String {
    format!("c[\"{BOOKKEEPING}\"][\"sort\"]")
}

/// Text whose order by signs, of whatever width, is its order by bytes: each byte of its UTF-8 is a sign. In which order the service has signs beyond 16 bits
/// it does not say.
pub(super) fn sortable(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// The document's id: unique within its partition. The service takes neither slashes nor `?` and `#` in it, and not more than 1,023 bytes.
pub(super) fn id_of(key: &Key) -> String {
    let text = key.sort.as_deref().unwrap_or(&key.partition);
    let mut id = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        // A point alone would be a folder in a URL.
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b':' | b'@')
            || (byte == b'.' && at > 0);
        if plain {
            id.push(char::from(byte));
        } else {
            id.push_str(&format!("~{byte:02x}"));
        }
    }
    if id.len() <= MAX_ID {
        return id;
    }
    let hash = Sha256::digest(text.as_bytes());
    let mut id = String::from("~~");
    for byte in hash {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

/// What stands in [`BOOKKEEPING`].
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    known: Bookkeeping,
    /// The sort key, in the form that queries order by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sort: Option<String>,
    /// The item's own attributes of reserved names, save `id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    own: BTreeMap<String, Value>,
    /// Numbers that the service would change, by their place in the item.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    numbers: BTreeMap<String, String>,
}

/// An item on its way into a container.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) key: Key,
    fields: Map<String, Value>,
}

impl Document {
    /// `item` was checked by the core: it has its key attributes.
    pub(super) fn of(schema: &TableSchema, item: &Value) -> nephos_core::Result<Self> {
        let key = schema.key_of(item)?;
        let mut numbers = BTreeMap::new();
        number::inexact(item, "", &mut numbers);
        let mut kept = Kept {
            sort: key.sort.as_deref().map(sortable),
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
        fields.insert("id".to_owned(), id_of(&key).into());
        if let Some(expiry) = schema.expiry_of(item)? {
            let left = (expiry - Utc::now().timestamp()).clamp(1, i64::from(i32::MAX));
            fields.insert("ttl".to_owned(), left.into());
        }
        let kept = serde_json::to_value(kept).unwrap_or_default();
        fields.insert(BOOKKEEPING.to_owned(), kept);
        Ok(Self { key, fields })
    }

    /// The document of a write that is this change.
    pub(super) fn written(mut self, change: ChangeKind) -> Value {
        if let Some(Value::Object(kept)) = self.fields.get_mut(BOOKKEEPING) {
            let change = serde_json::to_value(change).unwrap_or_default();
            kept.insert("change".to_owned(), change);
        }
        Value::Object(self.fields)
    }
}

/// An item as it was read.
#[derive(Debug)]
pub(super) struct Read {
    item: Value,
    pub(super) etag: String,
    expiry: Option<i64>,
}

impl Read {
    pub(super) fn of(schema: &TableSchema, mut fields: Map<String, Value>) -> Self {
        let etag = match fields.get("_etag") {
            Some(Value::String(etag)) => etag.clone(),
            _ => String::new(),
        };
        for name in SYSTEM {
            fields.remove(name);
        }
        let mut numbers = BTreeMap::new();
        // Of an item that another program wrote, everything is its own.
        if let Some(kept) = fields.remove(BOOKKEEPING)
            && let Ok(kept) = serde_json::from_value::<Kept>(kept)
        {
            fields.remove("id");
            fields.remove("ttl");
            fields.extend(kept.known.id.map(|id| ("id".to_owned(), id)));
            fields.extend(kept.own);
            numbers = kept.numbers;
        }
        let mut item = Value::Object(fields);
        number::restore(&mut item, &numbers);
        let expiry = schema.expiry_of(&item).ok().flatten();
        Self { item, etag, expiry }
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expiry.is_some_and(is_over)
    }

    pub(super) fn key(&self, schema: &TableSchema) -> nephos_core::Result<Key> {
        schema.key_of(&self.item)
    }

    pub(super) fn into_stored(self) -> Stored<Value> {
        Stored {
            version: version(&self.etag, self.expiry),
            item: self.item,
        }
    }
}

fn is_over(expiry: i64) -> bool {
    expiry <= Utc::now().timestamp()
}

/// The version of an item: the service's tag, and when it expires, as the service removes what has expired some time later.
pub(super) fn version(etag: &str, expiry: Option<i64>) -> Version {
    Version(match expiry {
        Some(expiry) => format!("{expiry}{SEPARATOR}{etag}"),
        None => etag.to_owned(),
    })
}

/// The tag of a version that can still be the item's: `None` if it has expired, or was never one.
pub(super) fn etag(version: &Version) -> Option<&str> {
    let etag = match version.0.split_once(SEPARATOR) {
        Some((expiry, etag)) => match expiry.parse() {
            Ok(expiry) if is_over(expiry) => return None,
            Ok(_) => etag,
            Err(_) => &version.0,
        },
        None => &version.0,
    };
    // It becomes a header.
    let fits = !etag.is_empty() && etag.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && etag != "*";
    fits.then_some(etag)
}

#[cfg(test)]
mod tests;
