//! Table events: an item was inserted, modified or removed; changes of one key arrive in order.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::resource::table::Key;

/// What happened to the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Inserted,
    /// It was there, and is another now.
    Modified,
    /// It is gone, by a delete or because its time to live ran out.
    Removed,
}

impl ChangeKind {
    /// The name, as in the manifest (`inserted`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Modified => "modified",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One change of a table's item; `T` is the item's type.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<T> {
    /// The change's place in the table's history: opaque, unique, the same on each delivery.
    pub sequence: String,
    /// The table's name in the manifest.
    pub table: String,
    /// What happened.
    pub kind: ChangeKind,
    /// The item's key.
    pub key: Key,
    /// The item before, where the target tells it; `None` for an insertion.
    pub old: Option<T>,
    /// The item after; `None` for a removal.
    pub new: Option<T>,
    /// When it happened.
    pub at: Option<DateTime<Utc>>,
}
