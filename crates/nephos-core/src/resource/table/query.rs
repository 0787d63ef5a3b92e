//! Queries within one partition, and the pages that they return.

use serde::{Deserialize, Serialize};

use super::Stored;

/// Which sort keys a query takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortRange {
    /// All.
    #[default]
    All,
    /// Those that begin with this.
    Prefix(String),
    /// From the first (inclusive) to the second (inclusive); `None` is open.
    Between(Option<String>, Option<String>),
}

/// A query within one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The partition key's value.
    pub partition: String,
    /// Which sort keys.
    pub range: SortRange,
    /// Whether the highest sort key comes first.
    pub descending: bool,
    /// The most items that a page holds.
    pub limit: usize,
    /// Where to go on: an earlier page's [`Page::next`].
    pub cursor: Option<String>,
}

impl Query {
    /// All items of a partition, in ascending order, 100 to a page.
    pub fn partition(partition: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            range: SortRange::All,
            descending: false,
            limit: 100,
            cursor: None,
        }
    }

    /// Only sort keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.range = SortRange::Prefix(prefix.into());
        self
    }

    /// Only sort keys from `low` to `high`, both inclusive.
    #[must_use]
    pub fn between(mut self, low: impl Into<String>, high: impl Into<String>) -> Self {
        self.range = SortRange::Between(Some(low.into()), Some(high.into()));
        self
    }

    /// The highest sort key first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// At most this many items to a page.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on behind an earlier page.
    #[must_use]
    pub fn cursor(mut self, cursor: Option<String>) -> Self {
        self.cursor = cursor;
        self
    }
}

/// Some items, and where to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<Stored<T>>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<String>,
}
