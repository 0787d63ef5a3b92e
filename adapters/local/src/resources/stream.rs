//! The stream driver over the embedded host's resource API.
