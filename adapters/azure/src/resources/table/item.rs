//! Items on their way into a container and out of it, in the form of [`document`].

use chrono::Utc;
use nephos_core::event::ChangeKind;
use nephos_core::resource::table::{Key, Stored, TableSchema, Version};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::document;
use crate::payload::BOOKKEEPING;

/// How long an id is at most; one that would be longer is a hash.
const MAX_ID: usize = 255;

/// What separates an expiry from the service's own tag in a [`Version`].
const SEPARATOR: char = '|';

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

/// An item on its way into a container.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) key: Key,
    fields: Map<String, Value>,
}

impl Document {
    /// `item` was checked by the core: it has its key attributes.
    pub(super) fn of(schema: &TableSchema, item: &Value) -> Result<Self> {
        let key = schema.key_of(item)?;
        let (mut fields, mut kept) = document::hide(item);
        kept.sort = key.sort.as_deref().map(sortable);
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
    /// `operation` is what reads it.
    pub(super) fn of(
        operation: &'static str,
        schema: &TableSchema,
        fields: Map<String, Value>,
    ) -> Result<Self> {
        let etag = match fields.get("_etag") {
            Some(Value::String(etag)) => etag.clone(),
            _ => String::new(),
        };
        let (item, _) = document::reveal(fields).map_err(|error| {
            Error::new(
                ErrorKind::DataLoss,
                operation,
                "what the driver keeps of the item was damaged, or is of a newer version of Nephos",
            )
            .with("field", BOOKKEEPING)
            .caused_by(error)
        })?;
        let expiry = schema.expiry_of(&item).ok().flatten();
        Ok(Self { item, etag, expiry })
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expiry.is_some_and(is_over)
    }

    pub(super) fn key(&self, schema: &TableSchema) -> Result<Key> {
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
