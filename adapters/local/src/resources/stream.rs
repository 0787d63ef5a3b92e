//! The stream driver over the embedded host's resource API.

use nephos_core::resource::stream::StreamCapabilities;

/// What the embedded stream can do.
pub const CAPABILITIES: StreamCapabilities = StreamCapabilities {
    max_record_bytes: 1 << 20,
    attributes: true,
    read: true,
};
