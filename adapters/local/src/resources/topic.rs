//! The topic driver over the embedded host's resource API.

use nephos_core::resource::topic::TopicCapabilities;

/// What the embedded topic can do.
pub const CAPABILITIES: TopicCapabilities = TopicCapabilities {
    max_message_bytes: 1 << 20,
    attributes: true,
};
