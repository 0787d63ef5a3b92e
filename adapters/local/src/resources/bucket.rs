//! The bucket driver over the embedded host's resource API.
