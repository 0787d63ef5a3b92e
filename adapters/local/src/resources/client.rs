//! The HTTP client of the embedded host's resource API.
