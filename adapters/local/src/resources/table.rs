//! The table driver over the embedded host's resource API.

use nephos_core::resource::table::TableCapabilities;

/// What the embedded table can do.
pub const CAPABILITIES: TableCapabilities = TableCapabilities {
    max_item_bytes: 400 << 10,
    max_batch: 100,
    ttl: true,
    scan: true,
};
