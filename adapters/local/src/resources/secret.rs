//! The secret driver over the embedded host's resource API.

use nephos_core::resource::secret::SecretCapabilities;

/// What the embedded secrets can do.
pub const CAPABILITIES: SecretCapabilities = SecretCapabilities { versions: false };
