//! The topic driver over the embedded host's resource API.
