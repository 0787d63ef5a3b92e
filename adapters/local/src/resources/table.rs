//! The table driver over the embedded host's resource API.
