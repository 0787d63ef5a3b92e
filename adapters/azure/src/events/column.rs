//! What the host tells of a batch: lists, one value a record.

use chrono::{DateTime, Utc};
use nephos_core::Result;
use serde_json::Value;

use super::time;
use super::wrapped::Metadata;

/// The list of an entry for a batch, one value a record; a record for which it has none gets the default.
pub(super) struct Column<T>(Vec<T>);

impl<T: Clone + Default> Column<T> {
    pub(super) fn at(&self, index: usize) -> T {
        self.0.get(index).cloned().unwrap_or_default()
    }
}

impl Column<Value> {
    /// Of a single record.
    pub(super) fn one(value: Value) -> Self {
        Self(vec![value])
    }

    /// # Errors
    /// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if the entry is there, and no list.
    pub(super) fn read(metadata: &Metadata<'_>, name: &str) -> Result<Self> {
        Ok(Self(metadata.json(name)?.unwrap_or_default()))
    }

    pub(super) fn text(&self, index: usize) -> Option<String> {
        match self.at(index) {
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn time(&self, index: usize) -> Option<DateTime<Utc>> {
        time::read(&self.text(index)?)
    }
}
