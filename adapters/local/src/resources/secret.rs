//! The secret driver over the embedded host's resource API.
