//! Nephos.
