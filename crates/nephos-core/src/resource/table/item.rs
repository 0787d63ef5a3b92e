//! Items: their keys, versions, and what must hold for one to be written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// An item's key: text, as every target orders text the same way (by bytes). Write times as RFC 3339 and pad numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The partition key's value.
    pub partition: String,
    /// The sort key's value, in a table that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
}

impl Key {
    /// A key of a table without sort key.
    pub fn new(partition: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            sort: None,
        }
    }

    /// A key of a table with sort key.
    pub fn sorted(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            sort: Some(sort.into()),
        }
    }
}

impl From<&str> for Key {
    fn from(partition: &str) -> Self {
        Self::new(partition)
    }
}

impl From<&String> for Key {
    fn from(partition: &String) -> Self {
        Self::new(partition)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.partition)?;
        if let Some(sort) = &self.sort {
            write!(f, "/{sort}")?;
        }
        Ok(())
    }
}

/// Which attributes of an item are its key, and which its time to live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The attribute that is the partition key.
    pub key: String,
    /// The attribute that is the sort key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// The attribute that holds when an item expires, in whole seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

impl TableSchema {
    /// The key of `item`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a key attribute is missing, empty, or not text.
    pub fn key_of(&self, item: &serde_json::Value) -> Result<Key> {
        let text = |attribute: &str| match item.get(attribute) {
            Some(serde_json::Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            _ => Err(Error::new(
                ErrorKind::InvalidArgument,
                "table.put",
                "the item's key attribute must be text that is not empty",
            )
            .with("attribute", attribute)),
        };
        Ok(Key {
            partition: text(&self.key)?,
            sort: self.sort.as_deref().map(text).transpose()?,
        })
    }

    /// When `item` expires, in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the attribute is there but not a whole number.
    pub fn expiry_of(&self, item: &serde_json::Value) -> Result<Option<i64>> {
        let Some(attribute) = &self.ttl else {
            return Ok(None);
        };
        match item.get(attribute) {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    "table.put",
                    "the item's time-to-live attribute must be whole seconds since 1970-01-01 UTC",
                )
                .with("attribute", attribute)
            }),
        }
    }
}

/// An item's version: opaque, another after each write.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version(pub String);

/// What must hold for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nothing: write in any case.
    Always,
    /// There is no item of this key.
    Absent,
    /// The item is still this version.
    Version(Version),
}

/// An item as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored<T> {
    /// The item.
    pub item: T,
    /// Its version, for [`Table::put_if_version`](super::Table::put_if_version).
    pub version: Version,
}

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Writes the item if the condition holds.
    Put {
        /// The item, key attributes included.
        item: serde_json::Value,
        /// What must hold.
        condition: Condition,
    },
    /// Deletes the item if the condition holds.
    Delete {
        /// The item's key.
        key: Key,
        /// What must hold.
        condition: Condition,
    },
}
