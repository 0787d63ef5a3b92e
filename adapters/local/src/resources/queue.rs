//! The queue driver over the embedded host's resource API.
