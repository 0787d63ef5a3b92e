//! Rules of tables.

pub(super) mod batches;
pub(super) mod conditions;
pub(super) mod expiry;
pub(super) mod items;
pub(super) mod queries;

use nephos_core::resource::table::{Table, TableSchema};

use crate::harness::Harness;
use crate::rule::Violation;

/// A table by `id`.
async fn plain(harness: &dyn Harness) -> Result<Table, Violation> {
    Ok(harness
        .table(TableSchema {
            key: "id".to_owned(),
            sort: None,
            ttl: None,
        })
        .await?)
}

/// A table by `id` and `sort`.
async fn sorted(harness: &dyn Harness) -> Result<Table, Violation> {
    Ok(harness
        .table(TableSchema {
            key: "id".to_owned(),
            sort: Some("sort".to_owned()),
            ttl: None,
        })
        .await?)
}

/// A table by `id` whose items expire at `expires`.
async fn expiring(harness: &dyn Harness) -> Result<Table, Violation> {
    Ok(harness
        .table(TableSchema {
            key: "id".to_owned(),
            sort: None,
            ttl: Some("expires".to_owned()),
        })
        .await?)
}
