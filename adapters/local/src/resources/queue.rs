//! The queue driver over the embedded host's resource API.

use std::time::Duration;

use nephos_core::resource::queue::QueueCapabilities;

/// What the embedded queue can do.
pub const CAPABILITIES: QueueCapabilities = QueueCapabilities {
    max_delay: Duration::from_secs(7 * 24 * 3600),
    max_visibility_timeout: Duration::from_secs(12 * 3600),
    max_message_bytes: 1 << 20,
    max_receive: 1000,
    ordered_groups: true,
    attributes: true,
    exact_depth: true,
};
