//! What the local resources can do: the same values on the function's side and in the embedded host.

use std::time::Duration;

use nephos_core::resource::queue::QueueCapabilities;
use nephos_core::resource::secret::SecretCapabilities;
use nephos_core::resource::stream::StreamCapabilities;
use nephos_core::resource::table::TableCapabilities;
use nephos_core::resource::topic::TopicCapabilities;

/// A queue's limits.
pub const QUEUE: QueueCapabilities = QueueCapabilities {
    max_delay: Duration::from_secs(7 * 24 * 3600),
    max_visibility_timeout: Duration::from_secs(12 * 3600),
    max_message_bytes: 1024 * 1024,
    max_receive: 1000,
    ordered_groups: true,
    attributes: true,
    exact_depth: true,
    counts_leased: true,
    counts_delayed: true,
};

/// A topic's limits.
pub const TOPIC: TopicCapabilities = TopicCapabilities {
    max_message_bytes: 1024 * 1024,
    attributes: true,
};

/// A stream's limits.
pub const STREAM: StreamCapabilities = StreamCapabilities {
    max_record_bytes: 1024 * 1024,
    attributes: true,
    read: true,
    sequences: true,
};

/// A table's limits.
pub const TABLE: TableCapabilities = TableCapabilities {
    max_item_bytes: 400 * 1024,
    max_batch: 100,
    ttl: true,
    scan: true,
    batch_across_partitions: true,
    max_key_bytes: None,
};

/// A secret's limits.
pub const SECRET: SecretCapabilities = SecretCapabilities { versions: false };
